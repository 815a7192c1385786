"""
How long the chart takes to draw, beside an empty pyqtgraph plot drawn in the same run.

Run it: ``python tests/benchmarks/chart/bench_chart.py 10000 100000``. Every timing is from the change to the end of a
paint that really happened, and fails where none did. Milliseconds, median / 99th percentile; the ratio compares medians
with panning the empty plot (no grid). A replace includes what the chart does, not the filling of the series. With
``--indicators``: the same with these on, such as ``--indicators ema,vwap,rsi``. With ``--calendar forex``, or an
exchange's code: the same candles in the minutes in which that market is open, with closed time left out.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from time import perf_counter

import numpy as np

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import pyqtgraph as pg
from PySide6.QtCore import QCoreApplication, QEvent, QPointF
from PySide6.QtWidgets import QApplication, QWidget

from app.market.calendar.calendar import Calendar
from app.market.calendar.closed_slots import first_of_open, open_slots
from app.market.candle import Candle
from app.market.interval import Interval
from app.market.series.series import CandleSeries
from app.market.symbol import Symbol
from app.market.units import E8
from app.runtime.calendars import named_calendar
from widgets.chart.chart_widget import ChartWidget
from widgets.chart.painting.canvas import ChartCanvas

SIZE = (1400, 900)
IN_VIEW = 300
MINUTE = Interval.parse("1m")
FIRST_SLOT = 12_000_000
ROUNDS = 120


class PaintCounter(pg.QtCore.QObject):  # type: ignore[misc]  # because pyqtgraph has no types
    """Counts the paints of one widget."""

    def __init__(self, watched: QWidget) -> None:
        super().__init__()
        self.paints = 0
        watched.installEventFilter(self)

    def eventFilter(self, watched: object, event: QEvent) -> bool:
        self.paints += event.type() == QEvent.Type.Paint
        return False


def timed(change: Callable[[int], None], counter: PaintCounter, rounds: int = ROUNDS) -> np.ndarray:
    """Return the milliseconds from each change to the end of the paint that it caused."""
    taken = []
    for number in range(rounds):
        before, start = counter.paints, perf_counter()
        change(number)
        # The scene's own delivery, then the paint itself: QEvent.UpdateRequest is what a screen's refresh would send.
        QCoreApplication.sendPostedEvents(None, QEvent.Type.MetaCall.value)
        QCoreApplication.sendPostedEvents(None, QEvent.Type.UpdateRequest.value)
        taken.append((perf_counter() - start) * 1000)
        assert counter.paints > before, "no paint happened"
        QApplication.processEvents()
    return np.array(taken)


def open_minutes(count: int, calendar: Calendar | None) -> list[int]:
    """The slots of so many minutes in which a market is open."""
    end = first_of_open(calendar, MINUTE, FIRST_SLOT, 1) + 1
    return list(open_slots(calendar, MINUTE, first_of_open(calendar, MINUTE, end - 1, count), end))


def walk(slots: list[int]) -> list[Candle]:
    """A random walk of candles in these slots."""
    count = len(slots)
    random = np.random.default_rng(1)
    closes = (60_000 * np.exp(np.cumsum(random.standard_normal(count)) * 1e-3) * 100).astype(np.int64) * (E8 // 100)
    opens = np.concatenate(([60_000 * E8], closes[:-1]))
    reach = random.integers(1, 4000, (2, count)) * (E8 // 100)
    highs, lows = np.maximum(opens, closes) + reach[0], np.minimum(opens, closes) - reach[1]
    rows = zip(opens.tolist(), highs.tolist(), lows.tolist(), closes.tolist(), reach[0].tolist(), strict=True)
    return [
        Candle(MINUTE.slot_open_us(slot), o, h, low, c, v, v, 9, 0, 0)
        for slot, (o, h, low, c, v) in zip(slots, rows, strict=True)
    ]


def empty_plot() -> np.ndarray:
    """Time panning a pyqtgraph plot without a curve and without a grid."""
    plot = pg.PlotWidget()
    plot.resize(*SIZE)
    plot.disableAutoRange()
    plot.show()
    QApplication.processEvents()
    taken = timed(lambda at: plot.setXRange(at * 3, at * 3 + IN_VIEW, padding=0), PaintCounter(plot.viewport()))
    plot.close()
    return taken


def chart_timings(count: int, indicators: list[str], calendar: Calendar | None) -> dict[str, np.ndarray]:
    """Time the chart over that many bars, crosshair, gaps, legend and these indicators on."""
    candles = walk(open_minutes(count, calendar))
    series, other = CandleSeries("X", MINUTE), CandleSeries("X", MINUTE)
    series.replace(candles)
    other.replace(candles)
    series.set_begins(begins=True)
    other.set_begins(begins=True)
    chart = ChartWidget()
    chart.resize(*SIZE)
    chart.show()
    chart.set_calendar(calendar)
    chart.set_series(series, Symbol("X", "X", "USDT", E8 // 100, 1000))
    for key in indicators:
        chart.indicators.add(key)
    chart.navigator.zoom(chart.width() / IN_VIEW / 7)
    chart.navigator.follow_latest()
    chart.reading_tools.point_at(QPointF(700, 300))
    QApplication.processEvents()
    counter = PaintCounter(chart.findChild(ChartCanvas).viewport())
    last = candles[-1]

    def framed(change: Callable[[int], None]) -> Callable[[int], None]:
        def change_and_frame(at: int) -> None:
            change(at)
            chart.frame_now()

        return change_and_frame

    def tick(at: int) -> None:
        close = last.low_e8 + (last.high_e8 - last.low_e8) * (at * 7 % 100) // 100
        series.upsert(last._replace(close_e8=close, open_time_us=MINUTE.slot_open_us(int(series.slots[-1]))))
        chart.series_changed()

    def append(at: int) -> None:
        following = next(open_slots(calendar, MINUTE, int(series.slots[-1]) + 1, int(series.slots[-1]) + 20_000))
        series.upsert(last._replace(open_time_us=MINUTE.slot_open_us(following)))
        chart.series_changed()

    timings = {"update": timed(framed(tick), counter), "append": timed(framed(append), counter)}
    chart.navigator.pan(IN_VIEW)
    timings["pan"] = timed(framed(lambda at: chart.navigator.pan(13 if at % 2 else -11)), counter)
    symbol = Symbol("X", "X", "USDT", E8 // 100, 1000)
    timings["replace"] = timed(framed(lambda at: chart.set_series((other, series)[at % 2], symbol)), counter, 30)
    chart.navigator.zoom(1e-9)
    timings["all in view"] = timed(framed(lambda at: chart.navigator.pan(5 if at % 2 else -4)), counter)
    chart.close()
    return timings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bars", nargs="*", type=int, default=[10_000, 100_000])
    parser.add_argument("--indicators", default="", help="keys of indicators to have on, separated by commas")
    parser.add_argument("--calendar", help="forex, or the code of an exchange, whose closed time is left out")
    arguments = parser.parse_args()
    calendar = named_calendar(arguments.calendar) if arguments.calendar else None
    bars, indicators = arguments.bars, [key for key in arguments.indicators.split(",") if key]
    app = QApplication.instance() or QApplication([])
    yardstick = float(np.median(empty_plot()))
    print(f"empty pyqtgraph plot, pan: {yardstick:.2f} ms")
    for count in bars:
        for name, taken in chart_timings(count, indicators, calendar).items():
            middle, worst = np.median(taken), np.percentile(taken, 99)
            print(f"{count:>9,} bars  {name:<12} {middle:6.2f} / {worst:6.2f} ms   x{middle / yardstick:.2f}")
    app.processEvents()


if __name__ == "__main__":
    main()
