"""Takes the pictures: of a window, or of what lies over it, each into one folder under the name of its scene."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from PySide6.QtCore import QPointF
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QWidget

from app.concurrency.system_clock import SystemClock
from app.config.settings import Settings, load
from tests.conftest import SHARED_DATA
from tests.end_to_end.helpers import RECORDED_TRADES, RECORDING, Running, open_window, replay, until
from tests.sandbox.helpers import serving

ARCHIVE = ("archive/BTCUSDT-5m-2024-08.csv.gz",)


class Shooting:
    """One process's work: a folder for data, one for pictures, the theme and the size."""

    def __init__(self, data_dir: Path, pictures: Path, theme: str, size: tuple[int, int], suffix: str) -> None:
        self.data_dir, self.pictures, self.theme, self.size, self.suffix = data_dir, pictures, theme, size, suffix

    def settings(self, **named: Any) -> Settings:
        options = {"data_dir": str(self.data_dir), "theme": self.theme, "symbols": "BTCUSDT", **named}
        return load(options, environment={}, file=self.data_dir / "none.toml")

    async def take(self, running: Running, name: str) -> None:
        running.window.resize(*self.size)
        await asyncio.sleep(1.2)  # the panels' pace, and the loading state's own delay
        self._save(running.window, name)

    async def take_dialog(self, widget: QWidget, name: str) -> None:
        """Take what lies over the window by itself."""
        await asyncio.sleep(0.3)
        self._save(widget, name)

    def _save(self, widget: QWidget, name: str) -> None:
        picture: QImage = widget.grab().toImage()
        path = self.pictures / f"{name}{self.suffix}.png"
        assert picture.save(str(path)), path
        print(f"{path.relative_to(self.pictures.parent)}  {picture.width()}x{picture.height()}")


class RecordersClock(SystemClock):
    """A clock that was set, rightly, when the recording began: a window beside today's would call itself years fast."""

    def __init__(self) -> None:
        self._back_us = super().now_us() - 1_723_161_255_200_000  # 2024-08-08 23:54:15.2 UTC by the exchange's

    def now_us(self) -> int:
        return super().now_us() - self._back_us


@asynccontextmanager
async def recording_served(shooting: Shooting) -> AsyncIterator[Settings]:
    """Replay the recording, with the archive's candles before it, and yield the settings to show it with."""
    async with serving(replay([SHARED_DATA / name for name in (*RECORDING, *ARCHIVE)])) as server:
        yield shooting.settings(
            binance_ws_url=server.ws_url, binance_rest_url=server.rest_url, interval="5m", queue_trades=200_000
        )


@asynccontextmanager
async def window_on_recording(settings: Settings) -> AsyncIterator[Running]:
    """Yield a window once all that was recorded is shown and stored."""
    async with open_window(settings, clock=RecordersClock()) as running:
        await until(lambda: running.engine.recorder.trades_received == RECORDED_TRADES, seconds=600)
        await until(lambda: running.session.joined and running.engine.database is not None)
        await until(lambda: running.engine.database.writer.status.queued == 0)
        yield running


@asynccontextmanager
async def recorded_window(shooting: Shooting) -> AsyncIterator[Running]:
    """Yield a window that shows the recording."""
    async with recording_served(shooting) as settings, window_on_recording(settings) as running:
        yield running


def point(running: Running, x: float, y: float) -> None:
    """Hold the crosshair there, as shares of the chart."""
    chart = running.chart
    chart.reading_tools.point_at(QPointF(chart.width() * x, chart.height() * y))
