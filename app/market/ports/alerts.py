"""How recording programs and commands meet the alerts of a database."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:  # the window opens without
    from app.market.alerts.alert import Firing, Incident, Repeat, Rule
    from app.market.alerts.alert_board import AlertBoard
    from app.market.alerts.stored_alert import NewAlert, ProvenRun, StoredAlert
    from app.market.candle import Candle
    from app.market.interval import Interval


class CaughtUp(NamedTuple):
    """
    A board that has judged the stored trades of a symbol up to ``last_id``, and the alerts on it.

    ``proven``: alerts for which no trade was missing on the way there. ``firings``: those that this found to be new.
    """

    board: AlertBoard
    alerts: Sequence[StoredAlert]
    last_id: int
    proven: frozenset[int]
    firings: Sequence[Firing]


class WaitingAlerts(NamedTuple):
    """
    The alerts that still wait: by symbol the version of each, by its number; only symbols that have any.

    ``total``: how many alerts there are at all; ``of_trouble``: how many of them no trade meets.
    """

    versions: Mapping[str, Mapping[int, int]]
    total: int = 0
    of_trouble: int = 0


class AlertOverview(NamedTuple):
    """All alerts, each with its newest firings, and how often each has fired, by its number."""

    alerts: Sequence[StoredAlert]
    counts: Mapping[int, int]


class Draft(NamedTuple):
    """
    What a rule would have fired by the stored trades of a time, UTC microseconds; ``trades`` were judged.

    ``rule``: the rule as it was judged, with the lines of its drawing.
    """

    firings: Sequence[Firing]
    from_us: int
    to_us: int
    trades: int
    rule: Rule | None = None


class Confirmed(NamedTuple):
    """
    ``to_id``: the last trade that is judged for good now, by this program or another; -1 if no alert moved on.

    ``unread``: trades are stored further on that the run says nothing of; they will be confirmed by a later run, or
    have to be read. ``needs_reading``: no later run will.
    """

    to_id: int
    unread: bool
    needs_reading: bool


class AlertStore(Protocol):
    """
    The alerts of one database, as programs that record use them. All methods block and may raise StoreError.

    Any number of programs may judge at a time: each firing is kept once.
    """

    def revision(self) -> int:
        """Return a number that changes with every alert that is added, changed or removed."""

    def waiting(self, symbols: Collection[str]) -> WaitingAlerts:
        """Return the alerts that still wait, those met by trades of these symbols, and how many there are."""

    def of_trouble(self) -> Sequence[StoredAlert]:
        """Return the alerts that no trade meets, with what they were about."""

    def save(self, symbol: str, firings: Sequence[Firing]) -> None:
        """Keep firings that a live board found, provisionally; those known already stay as they are."""

    def save_incidents(self, incidents: Sequence[Incident]) -> Sequence[Incident]:
        """Keep troubles; return those that are new. A gap that overlaps a known one is not."""

    def confirm(self, symbol: str, run: ProvenRun | None) -> Confirmed:
        """Keep for good what ``run`` proves, as far as its trades are stored; see `catch_up` for everything else."""

    def catch_up(self, symbol: str) -> CaughtUp | None:
        """
        Judge what is stored and not yet judged for good; correct what was provisional.

        Trades beyond a hole are judged provisionally. None: another program is at it, or there is nothing to judge.
        """


class AlertBook(AlertStore, Protocol):
    """
    The alerts of one database, as people list and change them. All methods block and may raise StoreError.

    ``received_id``: the newest trade that the program has received when the user asks for a change. It and those before
    it, which may not be stored yet, do not count as trades from now on.
    """

    def read(self, symbols: Collection[str] = ...) -> Sequence[StoredAlert]:
        """Return the alerts of these symbols, of all if none is named, by number, with their firings."""

    def overview(self, most: int) -> AlertOverview:
        """Return all alerts by number, each with up to ``most`` of its newest firings."""

    def add(self, new: NewAlert, *, is_paused: bool = ..., until_us: int | None = ..., received_id: int = ...) -> int:
        """
        Keep an alert; return its number. It regards the trades that are stored from now on.

        ``is_paused``: it is paused from the beginning, until ``until_us`` (UTC microseconds) if a time is given.
        """

    def change(self, alert_id: int, new: NewAlert, *, received_id: int = ...) -> bool:
        """
        Replace what an alert is, but for its symbol; False if there is none of that number.

        With another condition it begins with the trades stored from now on; what it fired before is kept.
        """

    def pause(self, alert_id: int, until_us: int | None = ..., after_id: int = ...) -> bool:
        """Let no trade after ``after_id`` from now on meet an alert, until a time if one is given; False: no such."""

    def resume(self, alert_id: int, *, received_id: int = ...) -> bool:
        """End an alert's pauses; False if there is none of that number."""

    def remove(self, alert_id: int) -> bool:
        """Forget an alert and its firings; False if there is none of that number."""

    def draft(self, symbol: str, rule: Rule, repeat: Repeat, from_us: int, to_us: int) -> Draft:
        """Judge stored trades of a time, the newest if there are too many, by a rule that is not kept."""

    def draft_candles(self, symbol: str, interval: Interval, start_us: int, end_us: int) -> Sequence[Candle]:
        """Return the candles of stored trades that open in a time, UTC microseconds, oldest first."""

    def proof_in_words(self) -> tuple[bool, str]:
        """Judge all stored trades again; return whether the firings are those kept, and a sentence on that."""


class FiringListener(Protocol):
    """Whom a recording program calls, on its loop, with each firing at once, and with each trouble."""

    def __call__(self, alert: StoredAlert, firing: Firing | Incident, *, late: bool) -> None: ...
