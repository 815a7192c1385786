"""
Takes the chart to trades that are missing: the newest first, and with each further request to older ones.

Missing trades have ids but no times. The stored trade beside them has one; it is looked up in a thread.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from app.concurrency.background import in_background
from app.concurrency.tasks import Tasks
from app.live.engine import Engine
from app.market.coverage import IdRanges
from app.market.errors import StoreError
from app.market.ports.storage import TradeReader
from app.window.charts.open_charts import OpenCharts
from widgets.controls.context_menu import context_menu, pop_up
from widgets.controls.number_format import count
from widgets.window.main_window import MainWindow

logger = logging.getLogger(__name__)

_MOST_LOOK_UPS = 200  # of gaps that are in view already
_NONE_LEFT = "No trades are missing any more."
Span = tuple[int, int]


class MissingTrades:
    """
    Answers the window's requests to show missing trades.

    ``chosen`` returns the active chart's symbol.
    """

    def __init__(self, engine: Engine, window: MainWindow, charts: OpenCharts, chosen: Callable[[], str]) -> None:
        self._engine, self._window, self._charts, self._chosen = engine, window, charts, chosen
        self._tasks = Tasks("missing trades")
        self._looking: asyncio.Task[None] | None = None
        self._shown: tuple[str, int] = ("", 0)  # the symbol and the first id of the gap last shown
        window.requests.missing_requested.connect(self.show_any)
        window.requests.missing_here_requested.connect(lambda: self.show(chosen()))

    def counts(self) -> dict[str, int]:
        """Return how many trades are missing, by symbol; the chart's symbol first, then those that miss most."""
        trackers = {name: self._engine.recorder.tracker(name) for name in self._engine.recorder.symbols}
        found = {name: tracker.missing() for name, tracker in trackers.items() if tracker is not None}
        names = sorted(found, key=lambda name: (name != self._chosen(), -found[name]))
        return {name: found[name] for name in names if found[name]}

    def show_any(self) -> None:
        """Show missing trades of the one symbol that lacks some; where several do, ask which."""
        counts = self.counts()
        if len(counts) > 1:
            self._ask(counts)
        elif counts:
            self.show(next(iter(counts)))
        else:
            self._window.toasts.show(_NONE_LEFT)

    def show(self, name: str) -> None:
        """Show a symbol's newest missing trades, or, where they were shown last, those before them."""
        tracker = self._engine.recorder.tracker(name)
        missing = IdRanges() if tracker is None else tracker.missing_ids()
        if tracker is None or not missing:
            self._window.toasts.show(_NONE_LEFT)
            return
        if self._looking is not None:
            self._looking.cancel()
        last_us = None if tracker.last_trade is None else tracker.last_trade.time_us
        self._looking = self._tasks.begin(self._show(name, missing, last_us))

    async def stop(self) -> None:
        """Stop looking."""
        await self._tasks.end()

    async def _show(self, name: str, missing: IdRanges, last_us: int | None) -> None:
        before = self._shown[1] if self._shown[0] == name else None
        ranges = in_turn(missing, before)
        is_shown = before is not None and name == self._chosen()
        view = self._charts.active.controller.visible_history_us() if is_shown else None
        database = self._engine.database
        first, time_us = ranges[0][0], last_us
        if database is not None:
            store = database.store
            try:
                found = await in_background(lambda: _first_outside(store, name, ranges, view), "read-gaps")
            except StoreError as error:
                logger.info("the missing trades were not looked up: %s", error)
                self._window.toasts.show(f"The missing trades cannot be looked up now: {error}")
                return
            first, time_us = found if found is not None else (first, last_us)
        self._shown = (name, first)
        if name != self._chosen():
            self._window.requests.symbol_requested.emit(name)
        if time_us is not None:
            self._charts.active.controller.jump_when_ready(time_us, "the missing trades")

    def _ask(self, counts: dict[str, int]) -> None:
        link = self._window.status_bar.missing
        menu = context_menu(link)
        for name, number in counts.items():
            shown = self._engine.symbol(name).full_name
            menu.addAction(f"{shown}\t{count(number)} missing", partial(self.show, name))
        menu.setActiveAction(menu.actions()[0])
        pop_up(menu, link.mapToGlobal(link.rect().topLeft()))


def in_turn(missing: IdRanges, before: int | None) -> list[Span]:
    """Return the missing ranges of ids, newest first; those that end before that id lead, the others follow."""
    newest_first = list(reversed(missing))
    older = [one for one in newest_first if before is not None and one[1] < before]
    return older + newest_first[: len(newest_first) - len(older)]


def _first_outside(store: TradeReader, symbol: str, ranges: list[Span], view: Span | None) -> tuple[int, int] | None:
    """Return the first id and the time of the first of the ranges outside ``view``; None if none has a time."""
    found = None
    for first, last in ranges[:_MOST_LOOK_UPS]:
        time_us = _time_beside(store, symbol, first, last)
        if time_us is None:
            continue
        if view is None or not view[0] <= time_us < view[1]:
            return first, time_us
        found = found or (first, time_us)
    return found


def _time_beside(store: TradeReader, symbol: str, first: int, last: int) -> int | None:
    """Return the time of the stored trade before or after these ids; that of its hour, where retention dropped it."""
    for trade_id in (first - 1, last + 1):
        if trades := store.trades(symbol, trade_id, trade_id):
            return trades[0].time_us
    hours = store.hours_of(symbol, first - 1, last + 1)
    return None if hours is None else hours[0]
