"""
This chart as one of the charts that a benchmark drives through the same work, each in a process of its own.

The driver calls it with numpy columns ``t`` (seconds), ``o``, ``h``, ``l``, ``c`` and ``v``, and times each call to the
end of a paint that really happened. It puts the base classes of its adapters among this module's names before it runs
it. Everything that a user sees is on: grid, crosshair, last price, volume pane, legend, countdown.
See tests/benchmarks/chart/peers.md for how to run it and for what it printed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QCoreApplication, QEvent, QPointF
from PySide6.QtGui import QRegion
from PySide6.QtWidgets import QApplication, QWidget

from app.market.candle import Candle
from app.market.interval import Interval
from app.market.series.series import CandleSeries
from app.market.symbol import Symbol
from app.market.units import E8
from widgets.chart.chart_widget import ChartWidget
from widgets.chart.painting.canvas import ChartCanvas

if TYPE_CHECKING:
    from typing import Any as Pg

Columns = dict[str, np.ndarray]
MINUTE = Interval.parse("1m")
SYMBOL = Symbol("PEER", "PEER", "USDT", E8 // 100, 1000)
MINUTE_US = 60_000_000
IN_VIEW = 300


class Adapter(Pg):  # type: ignore[misc]  # because the driver defines it
    """The driver's own sizes: 1400x900, the last 300 bars in view."""

    app: QApplication
    win: ChartWidget

    def conv(self, columns: Columns) -> Columns:
        return columns

    def open(self, columns: Columns) -> None:
        self.app = QApplication.instance() or QApplication([])
        self.QC = QCoreApplication
        self.win = ChartWidget()
        self.win.resize(1400, 900)
        self.canvas = self.win.findChild(ChartCanvas)
        self.win.show()
        self.series: CandleSeries | None = None
        self.set_data(columns)
        self.win.reading_tools.point_at(QPointF(700, 300))

    def target(self) -> QWidget:
        return self.canvas.viewport()

    def set_data(self, columns: Columns) -> None:
        series = CandleSeries("PEER", MINUTE)
        series.replace_columns(
            columns["t"].astype(np.int64) * 1_000_000,
            open=columns["o"],
            high=columns["h"],
            low=columns["l"],
            close=columns["c"],
            volume=columns["v"],
        )
        self.series = series
        self.win.set_series(series, SYMBOL)
        count = len(series)
        self.view(count - IN_VIEW, count)

    def view(self, first: float, last: float) -> None:
        origin_us = int(self.series.column("open_time_us")[0])
        self.win.navigator.show_between(origin_us + round(first * MINUTE_US), origin_us + round(last * MINUTE_US))

    def update_last(self, o: float, h: float, low: float, c: float, v: float) -> None:
        self._upsert(int(self.series.column("open_time_us")[-1]), o, h, low, c, v)

    def append(self, t: float, o: float, h: float, low: float, c: float, v: float) -> None:
        self._upsert(int(t) * 1_000_000, o, h, low, c, v)

    def region(self) -> QRegion | None:
        return None  # the chart knows what is dirty

    def paint(self, region: Any = None) -> None:
        before = self.paints
        self.win.frame_now()
        self.flush()
        if self.paints == before:
            # What a screen's refresh sends: it paints what the chart marked, where `repaint` would paint everything.
            self.QC.sendPostedEvents(None, QEvent.Type.UpdateRequest.value)
        if self.paints == before:
            self.target().repaint()

    def _upsert(self, open_us: int, o: float, h: float, low: float, c: float, v: float) -> None:
        o_e8, h_e8, low_e8, c_e8, v_e8 = (round(value * E8) for value in (o, h, low, c, v))
        self.series.upsert(Candle(open_us, o_e8, h_e8, low_e8, c_e8, v_e8, 0, 1, 0, 0, None, None, False))
        self.win.series_changed()
