"""
Decides at which candle the calculation of a value begins, so that it is the same however much is loaded.

Time is cut into blocks of slots. One calculation gives all values of a block. It begins ``warm_up`` slots before the
block, or for a `Session`, at the start of the session, which then is the block. So a value depends only on its slot and
on candles, a change at the series' end costs at most a block, and loading older candles changes no such value.

If less is loaded, a calculation may begin later, ``warm_up`` slots before its first value. That value then differs by
10⁻¹². A calculation that ``is_strict`` gives no value instead.

Slots in which a market is closed are not counted: an `OpenAxis` says which. A session in which the market opens late
begins with its first open slot.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.market.calendar.open_axis import PLAIN_AXIS, OpenAxis
from app.market.indicators.definition import Session
from app.market.interval import MENU_INTERVALS, Interval

MOST_SLOTS = 100_000  # loaded before the view for its values: at 1s, more than a day
_SHORTEST = 4096  # slots; shorter blocks need more calls for a whole series, longer ones more time per trade
_SHORTEST_STRICT = 1024  # slots; shorter, because all candles before a block must be loaded
_SESSIONS = {Session.DAY: "1d", Session.WEEK: "1w", Session.MONTH: "1M"}
_LONGEST = {**_SESSIONS, Session.MONTH: "31d"}


@dataclass(frozen=True, slots=True)
class Block:
    """Slots ``first`` to ``last``, inclusive, whose calculation begins at slot ``origin``."""

    origin: int
    first: int
    last: int


class Blocks:
    """The blocks of one interval for one warm-up; ``is_strict``: calculations begin only at an origin."""

    def __init__(
        self, interval: Interval, warm_up: int | Session, *, is_strict: bool = False, axis: OpenAxis = PLAIN_AXIS
    ) -> None:
        self._interval, self._axis = interval, axis
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
        """The kind of session that each block is, or None."""
        return self._named

    def of(self, slot: int) -> Block:
        """Return the block of a slot; for sessions, that of the session in which the candle opens."""
        if self._session is not None:
            interval, open_us = self._interval, self._interval.slot_open_us(slot)
            first = self._axis.next_on_axis(interval.slot(self._session.open_time_us(open_us) - 1) + 1)
            return Block(first, first, interval.slot(self._session.next_open_us(open_us) - 1))
        first = slot >> self._bits << self._bits
        return Block(self._axis.beside(first, -self.warm_up), first, first + (1 << self._bits) - 1)

    def first_needed(self, slot: int) -> int:
        """Return the first slot that must be loaded to calculate the value at ``slot``."""
        return self.of(slot).origin if self.is_strict else self._axis.beside(slot, -self.warm_up)

    def reaches_too_far(self, slot: int) -> bool:
        """Whether the value at ``slot`` needs more candles than are ever loaded for one."""
        return self._axis.at(slot) - self._axis.at(self.first_needed(slot)) > MOST_SLOTS

    def last_touched(self, slot: int) -> int:
        """Return the last slot whose value changes with the candle at ``slot``."""
        return self.of(self._axis.beside(slot, self.warm_up)).last


def shortest_in_reach(session: Session) -> Interval:
    """Return the shortest menu interval at which all values of such a session can be calculated."""
    longest_us = Interval.parse(_LONGEST[session]).length_us
    return next(each for each in MENU_INTERVALS if longest_us <= MOST_SLOTS * each.length_us)
