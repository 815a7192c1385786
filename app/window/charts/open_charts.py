"""
The charts of one window: each with its widget, its controller and what it shows; one of them is active.

The one place where a chart's objects are made and ended: what a chart needs more is made in `OpenCharts.open`, or by
whoever listens to ``opened``. The arrangement on the screen is not known here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from app.live.charts.shared_sessions import SharedSessions
from app.market.interval import Interval
from app.window.charts.chart_controller import ChartController
from widgets.chart.frames.frame_timer import FrameTurns

if TYPE_CHECKING:
    from app.live.engine import Engine
    from widgets.chart.chart_widget import ChartWidget


class OpenChart:
    """One chart; ``key`` is its own for the window's life, ``symbol`` and ``interval`` are what it shows."""

    def __init__(
        self, key: int, chart: ChartWidget, controller: ChartController, symbol: str, interval: Interval
    ) -> None:
        self.key, self.chart, self.controller = key, chart, controller
        self.symbol, self.interval = symbol, interval


class OpenCharts(QObject):
    """
    The charts of one window, at least one; the first opened is active at first.

    ``simulated``: the market is a simulation. ``sessions``: what the charts share.

    Signals:
        opened(OpenChart): a chart was opened; it shows nothing yet.
        closing(OpenChart): a chart is about to end, and is no longer among `all`.
        activated(OpenChart): another chart is active.
        changed(OpenChart): a chart shows another symbol or interval.
    """

    opened = Signal(object)
    closing = Signal(object)
    activated = Signal(object)
    changed = Signal(object)

    def __init__(self, engine: Engine, *, simulated: bool, parent: QObject) -> None:
        super().__init__(parent)
        self._engine, self._simulated = engine, simulated
        self.sessions = SharedSessions()
        self._turns = FrameTurns(self)  # the charts of all windows share the main thread
        self._all: list[OpenChart] = []
        self._next_key = 1
        self._ending: set[asyncio.Task[None]] = set()
        self.active: OpenChart

    @property
    def all(self) -> tuple[OpenChart, ...]:
        """All charts, in the order they were opened."""
        return tuple(self._all)

    @property
    def symbols(self) -> list[str]:
        """The symbols of all charts, the active one's first, then those they compare with."""
        compared = (name for one in self._all for name in one.controller.compared)
        return list(dict.fromkeys([self.active.symbol, *(one.symbol for one in self._all), *compared]))

    def showing(self, symbol: str) -> Iterator[OpenChart]:
        """Yield the charts of a symbol, the active one first."""
        yield from (one for one in self.active_first if one.symbol == symbol)

    @property
    def active_first(self) -> list[OpenChart]:
        """All charts, the active one first."""
        return sorted(self._all, key=lambda each: each is not self.active)

    def with_key(self, key: int) -> OpenChart | None:
        """Return the chart of that key, if it is open."""
        return next((one for one in self._all if one.key == key), None)

    def open(self, chart: ChartWidget, symbol: str, interval: Interval) -> OpenChart:
        """Take a chart in; nothing is loaded until its controller's `ChartController.show`."""
        controller = ChartController(self._engine, chart, simulated=self._simulated, sessions=self.sessions)
        one = OpenChart(self._next_key, chart, controller, symbol, interval)
        self._next_key += 1
        self._all.append(one)
        chart.share_frames(self._turns)
        if len(self._all) == 1:
            self.active = one
        chart.set_active(active=one is self.active)
        self.opened.emit(one)
        return one

    def activate(self, one: OpenChart) -> None:
        """Make a chart the active one."""
        if one is not self.active:
            self.active.chart.set_active(active=False)
            self.active = one
            one.chart.set_active(active=True)
            self.activated.emit(one)

    def close(self, one: OpenChart) -> None:
        """
        Take a chart out, and delete its widget once its work has ended. The owner has made another one active.

        Raises:
            ValueError: If it is the active one.
        """
        if one is self.active:
            raise ValueError("the active chart cannot be closed")
        self._all.remove(one)
        self.closing.emit(one)
        one.chart.forget_popups()
        one.chart.hide()
        ending = asyncio.get_event_loop().create_task(self._end(one))
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def _end(self, one: OpenChart) -> None:
        await one.controller.stop()
        one.chart.deleteLater()

    async def stop(self) -> None:
        """Stop all charts' work; the widgets keep their last candles."""
        for one in self._all:
            await one.controller.stop()
        await asyncio.gather(*self._ending)
