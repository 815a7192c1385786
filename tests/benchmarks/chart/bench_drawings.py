"""
How long the chart takes to draw with drawings on it, beside the same chart without any, in one run.

Run it: ``python tests/benchmarks/chart/bench_drawings.py 0 100 1000``. The drawings are of all kinds in turn, all of
them on screen. Every timing is from the change to the end of a paint that really happened. Milliseconds, median / 99th
percentile. "rest" is the proper paint of lines that follows once a moving view with very many of them rests; "drag"
moves one of the drawings; "choose" paints its handles. With ``--log``: on a logarithmic axis.
"""

from __future__ import annotations

import argparse
import os
import random
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import numpy as np

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QPointF
from PySide6.QtWidgets import QApplication

from app.market.drawings.drawing import Anchor, Drawing, DrawingKind
from app.market.series.series import CandleSeries
from app.market.symbol import Symbol
from app.market.units import E8
from tests.benchmarks.chart.bench_chart import IN_VIEW, MINUTE, SIZE, PaintCounter, open_minutes, timed, walk
from widgets.chart.chart_widget import ChartWidget
from widgets.chart.drawings.editing import moved, usual_style
from widgets.chart.model.chart_style import ChartStyle
from widgets.chart.painting.canvas import ChartCanvas
from widgets.chart.scales.value_scale import ScaleMode

BARS = 10_000
FREEHAND_POINTS = 24
NAMED = (DrawingKind.TEXT, DrawingKind.NOTE, DrawingKind.RECTANGLE)
SYMBOL = Symbol("X", "X", "USDT", E8 // 100, 1000)


def drawings_in_view(series: CandleSeries, count: int) -> list[Drawing]:
    """So many drawings of all kinds in turn, their anchors among the candles in the middle of the view."""
    chance, kinds = random.Random(1), list(DrawingKind)
    opens, closes = series.column("open_time_us"), series.column("close")
    first = len(series) - IN_VIEW - IN_VIEW // 2

    def anchor(near: int) -> Anchor:
        at = min(max(first + near, 0), len(series) - 1)
        return Anchor(int(opens[at]) + 30_000_000, float(closes[at]) * (1 + chance.uniform(-0.004, 0.004)))

    made = []
    for number in range(count):
        kind = kinds[number % len(kinds)]
        start, length = chance.randrange(IN_VIEW - 60), chance.randrange(10, 60)
        points = FREEHAND_POINTS if kind is DrawingKind.FREEHAND else kind.anchors
        anchors = tuple(anchor(start + length * at // max(points - 1, 1)) for at in range(points))
        name = str(UUID(int=chance.getrandbits(128)))
        text = "Supply" if kind in NAMED else ""
        made.append(Drawing(name, "X", kind, anchors, usual_style(kind), text, order=float(number)))
    return made


def timings(count: int, *, log: bool) -> dict[str, np.ndarray]:
    """Time a chart with that many drawings in view."""
    series = CandleSeries("X", MINUTE)
    series.replace(candles := walk(open_minutes(BARS, None)))
    series.set_begins(begins=True)
    chart = ChartWidget()
    chart.resize(*SIZE)
    chart.show()
    chart.set_series(series, SYMBOL)
    if log:
        chart.appearance.set_chart_style(ChartStyle(scale_mode=ScaleMode.LOG))
    chart.navigator.zoom(chart.width() / IN_VIEW / 7)
    chart.navigator.follow_latest()
    chart.navigator.pan(IN_VIEW * 2)
    drawings = drawings_in_view(series, count)
    chart.drawings.set_drawings(drawings)
    chart.reading_tools.point_at(QPointF(700, 300))
    QApplication.processEvents()
    counter = PaintCounter(chart.findChild(ChartCanvas).viewport())
    last = candles[-1]

    def framed(change: Callable[[int], object]) -> Callable[[int], None]:
        def change_and_frame(at: int) -> None:
            change(at)
            chart.frame_now()

        return change_and_frame

    def tick(at: int) -> None:
        series.upsert(last._replace(close_e8=last.low_e8 + (last.high_e8 - last.low_e8) * (at * 7 % 100) // 100))
        chart.series_changed()

    def rest(at: int) -> None:
        chart.drawings.sharpen()
        chart.drawings.set.set_shown(shown=True)
        chart.drawings.choose(drawings[at % count].id)

    results = {"pan": timed(framed(lambda at: chart.navigator.pan(13 if at % 2 else -11)), counter)}
    results["update"] = timed(framed(tick), counter)
    results["zoom"] = timed(framed(lambda at: chart.navigator.zoom(1.02 if at % 2 else 0.98)), counter)
    results["crosshair"] = timed(
        framed(lambda at: chart.reading_tools.point_at(QPointF(400 + at, 250 + at % 7))), counter
    )
    if count:
        results["rest"] = timed(framed(rest), counter, 30)
        original, group = drawings[2], chart.drawings.set
        by = [moved(chart._scene, MINUTE, original, QPointF(7 * at, 3)) for at in (1, 2)]
        results["drag"] = timed(framed(lambda at: (group.set_preview(by[at % 2]), chart._repaint_all())), counter)
        group.set_preview(None)
        changed = [replace(original, text=text) for text in ("one", "two")]
        results["set"] = timed(
            framed(lambda at: chart.drawings.set_drawings([*drawings[:2], changed[at % 2], *drawings[3:]])), counter, 30
        )
    chart.close()
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("counts", nargs="*", type=int, default=[0, 100, 1000])
    parser.add_argument("--log", action="store_true", help="a logarithmic price axis")
    arguments = parser.parse_args()
    app = QApplication.instance() or QApplication([])
    for count in arguments.counts:
        for name, taken in timings(count, log=arguments.log).items():
            print(f"{count:>6,} drawings  {name:<10} {np.median(taken):6.2f} / {np.percentile(taken, 99):6.2f} ms")
    app.processEvents()


if __name__ == "__main__":
    main()
