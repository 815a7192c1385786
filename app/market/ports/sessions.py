"""What a store knows of the sessions of markets. Methods block, so call them from a worker thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from app.market.calendar.calendar import Calendar

if TYPE_CHECKING:  # the window opens without
    from app.market.calendar.session_gaps import SessionGap
    from app.market.calendar.session_rows import SessionRow


class KeptSessions(NamedTuple):
    """What the tables hold for a symbol: its calendar's name, how many sessions, and how many gaps between them."""

    symbol: str
    calendar: str
    sessions: int
    gaps: int


class SessionStore(Protocol):
    """Keeps the tables `trading_sessions` and `session_gaps`."""

    def calendar_at_once(self, symbol: str) -> Calendar | None:
        """Return what `calendar_of` returns if it is at hand, without blocking."""

    def calendar_of(self, symbol: str) -> Calendar:
        """
        Return when the market of a symbol is open: as the user chose, else as its description says, else as usual.

        Raises StoreError. A choice that cannot be loaded counts as none; a warning says so.
        """

    def learn_calendar(self, symbol: str, calendar: Calendar) -> None:
        """Use the calendar of a symbol's description, if the user chose none. Does not block."""

    def keep_sessions(self, now_us: int, symbols: Sequence[str] = (), *, whole: bool = False) -> list[KeptSessions]:
        """
        Bring both tables up to date for these symbols, or for all of brokers of quotes and all with a chosen calendar.

        Sessions reach from the first stored price to eight weeks from now. Gaps of the last days are made again; all of
        them if ``whole``, as after an import. Returns what is kept then, by symbol. Nothing where the store only reads.
        Raises StoreError.
        """

    def stored_sessions(self, exchange: str) -> list[SessionRow]:
        """Return the rows of `trading_sessions` of a calendar by its name, by rising date. Raises StoreError."""

    def stored_session_gaps(self, symbol: str) -> list[SessionGap]:
        """Return the rows of `session_gaps` of a symbol, by rising date. Raises StoreError."""
