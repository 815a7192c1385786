"""How recording programs and commands meet the alerts of a database."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:  # the window opens without
    from app.market.alerts.alert import Firing
    from app.market.alerts.alert_board import AlertBoard
    from app.market.alerts.stored_alert import ProvenRun, StoredAlert


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
        """Return a number that changes with every alert that is added or removed."""

    def waiting(self, symbols: Collection[str]) -> dict[str, set[int]]:
        """Return the ids of the alerts that still wait, by symbol; only symbols that have any."""

    def save(self, symbol: str, firings: Sequence[Firing]) -> None:
        """Keep firings that a live board found, provisionally; those known already stay as they are."""

    def confirm(self, symbol: str, run: ProvenRun | None) -> Confirmed:
        """Keep for good what ``run`` proves, as far as its trades are stored; see `catch_up` for everything else."""

    def catch_up(self, symbol: str) -> CaughtUp | None:
        """
        Judge what is stored and not yet judged for good; correct what was provisional.

        Trades beyond a hole are judged provisionally. None: another program is at it, or there is nothing to judge.
        """


class FiringListener(Protocol):
    """Whom a recording program calls, on its loop, with each firing at once."""

    def __call__(self, symbol: str, firing: Firing, *, late: bool) -> None: ...
