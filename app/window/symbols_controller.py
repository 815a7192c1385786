"""
Answers the dialog of stored symbols: reads what is stored in worker threads, and takes the chart to a day.

The list is read again each time the dialog opens. Days are read for the symbol chosen last; an answer for one that was
left meanwhile is dropped by the dialog.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial

from shiboken6 import isValid

from app.concurrency.background import in_background
from app.concurrency.tasks import Tasks
from app.live.engine import Engine
from app.market.errors import StoreError
from app.market.ports.database import OpenedDatabase
from app.window.charts.open_charts import OpenCharts
from widgets.symbols.completeness_calendar import day_in_words
from widgets.symbols.stored_symbols_dialog import StoredSymbolsDialog
from widgets.window.main_window import MainWindow

logger = logging.getLogger(__name__)

_NOON_US = 43_200_000_000


class SymbolsController:
    """Opens the dialog over ``window``; goes to its days on the active one of ``charts``."""

    def __init__(self, engine: Engine, window: MainWindow, charts: OpenCharts) -> None:
        self._engine, self._window, self._charts = engine, window, charts
        self._tasks = Tasks("the stored symbols")
        self._reading_days: asyncio.Task[None] | None = None

    def open(self, chosen: str) -> StoredSymbolsDialog:
        """Show the dialog with the symbol ``chosen``, and return it; it closes itself."""
        dialog = StoredSymbolsDialog(chosen, palette=self._window.colours, parent=self._window)
        dialog.symbols_requested.connect(lambda: self._tasks.begin(self._tell_symbols(dialog)))
        dialog.days_requested.connect(lambda name: self._read_days(dialog, name))
        dialog.chart_requested.connect(lambda name: self._show(dialog, name, None))
        dialog.day_requested.connect(lambda name, day_us: self._show(dialog, name, day_us))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()
        dialog.ask()
        return dialog

    async def stop(self) -> None:
        """Stop reading."""
        await self._tasks.end()

    def _database(self) -> OpenedDatabase:
        """Return the database in use. Raises StoreError."""
        if self._engine.database is None:
            raise StoreError(self._engine.database_reason or "The database is not open yet: wait a moment.")
        return self._engine.database

    async def _tell_symbols(self, dialog: StoredSymbolsDialog) -> None:
        try:
            found = await in_background(self._database().store.stored_symbols, "read-stored-symbols")
        except StoreError as error:
            logger.info("what is stored is not known: %s", error)
            if isValid(dialog):
                dialog.failed(str(error))
            return
        if isValid(dialog):  # it may have been closed meanwhile
            dialog.set_symbols(found, self._engine.recorded)

    def _read_days(self, dialog: StoredSymbolsDialog, name: str) -> None:
        if self._reading_days is not None:
            self._reading_days.cancel()
        self._reading_days = self._tasks.begin(self._tell_days(dialog, name))

    async def _tell_days(self, dialog: StoredSymbolsDialog, name: str) -> None:
        try:
            days = await in_background(partial(self._database().store.stored_days, name), "read-stored-days")
        except StoreError as error:
            logger.info("the days of %s are not known: %s", name, error, extra={"symbol": name})
            if isValid(dialog):
                dialog.set_days(name, None, str(error))
            return
        if isValid(dialog):
            dialog.set_days(name, days)

    def _show(self, dialog: StoredSymbolsDialog, name: str, day_us: int | None) -> None:
        """Close the dialog, and show the symbol, at that day if one is given."""
        dialog.accept()
        self._window.requests.symbol_requested.emit(name)
        if day_us is not None:
            self._charts.active.controller.jump_when_ready(day_us + _NOON_US, day_in_words(day_us))
