"""
Random switches of symbol and interval in a running window, quick and slow, and the wait for each to be on the screen.

A turn moves the chart at times, asks for one to six switches with pauses of nothing to a third of a second between
them, and waits until the candles of the last one have been painted. So a switch comes while the former is being read,
joined, shown or painted, or in peace.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence

from PySide6.QtCore import QCoreApplication, QEvent

from app.market.interval import MENU_INTERVALS
from app.market.series.series import CandleSeries
from tests.end_to_end.helpers import Running, until

BURSTS = (1, 1, 1, 2, 3, 6)
PAUSES_S = (0.0, 0.0, 0.001, 0.005, 0.01, 0.02, 0.04, 0.1, 0.3)


class Switcher:
    """
    Switches by ``seed`` among ``symbols``; the chart is moved at most ``back_us`` microseconds into the past.

    ``took_s``: how long the last switch of each turn took to be painted.
    """

    def __init__(self, running: Running, symbols: Sequence[str], *, seed: int, back_us: int) -> None:
        self._running, self._symbols, self._back_us = running, symbols, back_us
        self._dice = random.Random(seed)
        self._painted: CandleSeries | None = None  # of which candles were on the last picture
        self.took_s: list[float] = []
        running.chart.painted.connect(self._on_painted)

    def stop(self) -> None:
        self._running.chart.painted.disconnect(self._on_painted)

    async def turn(self, *, seconds: float = 30.0) -> None:
        """Switch, and wait until it is painted; TimeoutError tells what was there instead."""
        self._move()
        for _ in range(self._dice.choice(BURSTS)):
            began_s = time.perf_counter()
            wanted = self._ask()
            if self._dice.random() < 0.6:
                await asyncio.sleep(self._dice.choice(PAUSES_S))
        session = self._running.session
        assert (session.symbol, session.interval.name) == wanted
        try:
            await until(lambda: self._painted is session.series, seconds=seconds)
        except TimeoutError:
            raise TimeoutError(f"{wanted} not painted: {self.told()}") from None
        self.took_s.append(time.perf_counter() - began_s)
        await asyncio.sleep(self._dice.choice((0.0, 0.0, 0.01, 0.05, 0.3)))

    def told(self) -> str:
        """Return what there is instead of a picture."""
        session, chart = self._running.session, self._running.chart
        return (
            f"{session.state} {session.failure!r}, {len(session.series)} candles, given: "
            f"{chart.series is session.series}, in view: {len(chart._scene.bars.slot)} of {chart.visible_range_us()}, "
            f"up to date: {chart.is_up_to_date}, following: {chart.is_following}"
        )

    def _ask(self) -> tuple[str, str]:
        """Ask for another symbol or interval; return what is then to be shown."""
        window, session = self._running.window, self._running.session
        if self._dice.random() < 0.4:
            symbol = self._dice.choice(self._symbols)
            window.requests.symbol_requested.emit(symbol)
            return symbol, session.interval.name
        interval = self._dice.choice(MENU_INTERVALS)
        window.requests.interval_requested.emit(interval)
        return session.symbol, interval.name

    def _move(self) -> None:
        chart, chance = self._running.chart, self._dice.random()
        if chance < 0.08:
            chart.show_time(time.time_ns() // 1000 - int(self._dice.random() * self._back_us))
        elif chance < 0.2:
            chart.navigator.follow_latest()
        elif chance < 0.3:
            chart.navigator.zoom(self._dice.choice((0.3, 0.5, 2.0, 4.0)))

    def _on_painted(self) -> None:
        chart = self._running.chart
        self._painted = chart.series if len(chart._scene.bars.slot) else None


async def assert_shows_what_it_would_paint(running: Running) -> None:
    """Compare what is on the screen with a paint of everything: neither may be an older picture."""
    window, chart = running.window, running.chart
    await until(lambda: chart.is_up_to_date)
    # What Qt was asked to lay out and to paint is due, too.
    QCoreApplication.sendPostedEvents(None, QEvent.Type.LayoutRequest.value)
    QCoreApplication.sendPostedEvents(window, QEvent.Type.UpdateRequest.value)
    area = chart.geometry()
    area.moveTopLeft(chart.mapTo(window, chart.rect().topLeft()))
    seen = window.screen().grabWindow(window.winId()).copy(area).toImage()
    fresh = chart.grab().toImage()
    assert seen.convertToFormat(fresh.format()) == fresh
