"""
When the market of each symbol is open: as the user chose, else as its description says, else as usual.

A description names a calendar in the table `symbols`. Where that is the symbol's own, its sessions are in
`trading_sessions`, holidays included, but for pauses within a session.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from app.market.calendar.calendar import Calendar
from app.market.calendar.of_symbol import own_calendar, usual_calendar
from app.market.errors import UsageError
from app.market.symbol import BROKER, broker_of
from storage.postgres.pool import ConnectionPool

logger = logging.getLogger(__name__)


class SymbolCalendars:
    """
    Any number of threads may use it. What was found once stays.

    ``chosen``: names of calendars by symbol; ``named`` returns the calendar of a name, and raises UsageError.
    """

    def __init__(
        self, pool: ConnectionPool, chosen: Mapping[str, str], named: Callable[[str], Calendar] | None = None
    ) -> None:
        self.chosen = chosen
        self._pool = pool
        self.named = named or _named
        self._found: dict[str, Calendar] = {}

    def at_once(self, symbol: str) -> Calendar | None:
        """Return what `of` returns if that takes no time."""
        found = self._found.get(symbol)
        if found is None and broker_of(symbol) == BROKER and symbol not in self.chosen:
            return usual_calendar(symbol)
        return found

    def of(self, symbol: str) -> Calendar:
        """See `app.market.ports.sessions.SessionStore.calendar_of`."""
        found = self.at_once(symbol)
        if found is None:
            found = self._found[symbol] = self._chosen(symbol) or self._described(symbol) or usual_calendar(symbol)
        return found

    def learn(self, symbol: str, calendar: Calendar) -> None:
        """Use the calendar of a description, if the user chose none."""
        if symbol not in self.chosen:
            self._found[symbol] = calendar

    def _chosen(self, symbol: str) -> Calendar | None:
        name = self.chosen.get(symbol)
        return None if name is None else self._by_name(symbol, name)

    def _by_name(self, symbol: str, name: str) -> Calendar | None:
        try:
            return own_calendar(name) or self.named(name)
        except UsageError as error:
            logger.warning("%s: its usual calendar is used. %s", symbol, error)
            return None

    def _described(self, symbol: str) -> Calendar | None:
        # Here: symbols of Binance have none.
        from app.market.calendar.partly_known import PartlyKnown
        from storage.sides import session_rows

        with self._pool.borrowed("read the calendar of a symbol") as connection:
            row = connection.execute("SELECT calendar FROM symbols WHERE symbol = %s", (symbol,)).fetchone()
            name = row[0] if row else None
            if not name:
                return None
            if ":" not in name:
                return self._by_name(symbol, name)
            sessions = session_rows.read_sessions(connection, name)
        if not any(one.start_us is not None for one in sessions):
            return None
        return PartlyKnown(name, sessions, usual_calendar(symbol))


def _named(name: str) -> Calendar:
    raise UsageError(f"“{name[:20]}” is no calendar that is known here.")
