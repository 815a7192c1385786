"""
Where the calculation of a value begins: the same candle, however much is loaded.

Time is cut into blocks of slots. All values of a block come from one calculation that begins ``warm_up`` slots before
the block, or, for a `Session`, with the session, which then is the block. So a value depends on its slot and on candles
alone, a change at the series' end costs a block at the most, and older candles change nothing that was calculated so.

Where less is loaded, a calculation may begin later in a block, ``warm_up`` slots before the first value that it gives:
then that differs by what has not faded, 10⁻¹². Not so where the calculation ``is_strict``.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.market.indicators.definition import Session
from app.market.interval import MENU_INTERVALS, Interval

MOST_SLOTS = 100_000  # that candles are loaded for before what is in view: at 1s, more than a day
_SHORTEST = 4096  # shorter ones would cost calls for a whole series, longer ones time for each trade
_SHORTEST_STRICT = 1024  # all before one must be loaded
_SESSIONS = {Session.DAY: "1d", Session.WEEK: "1w", Session.MONTH: "1M"}
_LONGEST = {**_SESSIONS, Session.MONTH: "31d"}


@dataclass(frozen=True, slots=True)
class Block:
    """Slots ``first`` to ``last``, inclusive; their calculation begins at ``origin``."""

    origin: int
    first: int
    last: int


class Blocks:
    """The blocks of one interval for one warm-up; ``is_strict``: calculations begin nowhere but at an origin."""

    def __init__(self, interval: Interval, warm_up: int | Session, *, is_strict: bool = False) -> None:
        self._interval = interval
        self._named = warm_up if isinstance(warm_up, Session) else None
        self._session = Interval.parse(_SESSIONS[warm_up]) if isinstance(warm_up, Session) else None
        self.warm_up = 0 if isinstance(warm_up, Session) else warm_up
        self.is_strict = is_strict or self._session is not None
        self._bits = (max(_SHORTEST_STRICT if is_strict else _SHORTEST, self.warm_up) - 1).bit_length()

    @property
    def are_sessions(self) -> bool:
        """Whether the blocks are sessions."""
        return self._session is not None

    @property
    def session(self) -> Session | None:
        """The session that each block is, if any."""
        return self._named

    def of(self, slot: int) -> Block:
        """Return the block that a slot is in: that of the session in which its candle opens."""
        if self._session is not None:
            interval, open_us = self._interval, self._interval.slot_open_us(slot)
            first = interval.slot(self._session.open_time_us(open_us) - 1) + 1
            return Block(first, first, interval.slot(self._session.next_open_us(open_us) - 1))
        first = slot >> self._bits << self._bits
        return Block(first - self.warm_up, first, first + (1 << self._bits) - 1)

    def first_needed(self, slot: int) -> int:
        """Return the first slot that must be loaded for that slot's value."""
        return self.of(slot).origin if self.is_strict else slot - self.warm_up

    def reaches_too_far(self, slot: int) -> bool:
        """Whether that slot's value needs more candles than are loaded for it."""
        return slot - self.first_needed(slot) > MOST_SLOTS

    def last_touched(self, slot: int) -> int:
        """Return the last slot whose value a change of that slot can change."""
        return self.of(slot + self.warm_up).last


def shortest_in_reach(session: Session) -> Interval:
    """Return the shortest of the usual intervals at which all of such a session's values can be known."""
    longest_us = Interval.parse(_LONGEST[session]).length_us
    return next(each for each in MENU_INTERVALS if longest_us <= MOST_SLOTS * each.length_us)
