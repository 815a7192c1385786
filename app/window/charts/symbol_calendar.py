"""When the market of a chart's symbol is open: the usual times at once, better ones once the database was read."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from app.concurrency.background import in_background
from app.concurrency.tasks import Begin
from app.live.engine import Engine
from app.market.calendar.calendar import Calendar
from app.market.calendar.of_symbol import usual_calendar
from app.market.errors import StoreError
from app.market.ports.database import OpenedDatabase

logger = logging.getLogger(__name__)


class SymbolCalendar:
    """
    Reads the calendar of one symbol at a time, the last that `follow` was called with.

    ``begin`` starts a task on the loop and keeps it. ``use``: called with a calendar, or with None: always open.
    """

    def __init__(self, engine: Engine, begin: Begin, use: Callable[[Calendar | None], object]) -> None:
        self._engine, self._begin, self._use = engine, begin, use
        self._symbol = ""

    def follow(self, symbol: str) -> None:
        """Use the calendar of this symbol, and read it again if the database that is open may have another."""
        self._symbol = symbol
        database = self._engine.database
        known = None if database is None else database.store.calendar_at_once(symbol)
        self._tell(known or usual_calendar(symbol))
        if known is None and database is not None:
            self._begin(self._read(database, symbol))

    async def _read(self, database: OpenedDatabase, symbol: str) -> None:
        try:
            calendar = await in_background(partial(database.store.calendar_of, symbol), "read-calendar")
        except StoreError as error:
            logger.info("the calendar of %s was not read: %s", symbol, error)
            return
        if symbol == self._symbol and database is self._engine.database:
            self._tell(calendar)

    def _tell(self, calendar: Calendar) -> None:
        self._use(calendar if calendar.closes else None)
