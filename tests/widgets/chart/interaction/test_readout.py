"""The readout: the candle under the crosshair, and the legend."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QPoint
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.market.series.series import CandleSeries
from tests.widgets.chart.charts import (
    BTC,
    MINUTE,
    canvas_of,
    place,
    price_range,
    settle,
    slot_at,
)
from widgets.chart.chart_widget import ChartWidget

MINUTE_US = 60_000_000


def test_the_crosshair_reads_the_candle_under_the_pointer(
    qtbot: QtBot, chart: ChartWidget, series: CandleSeries
) -> None:
    reported: list[object] = []
    chart.crosshair_moved.connect(reported.append)
    slot = round(slot_at(chart, 300))
    middle = place(chart, slot, 100).toPoint()
    for by in (-2, 0, 2):
        QTest.mouseMove(canvas_of(chart).viewport(), middle + QPoint(by, by))
        settle(qtbot, chart)
    assert [bar.slot for bar in reported] == [slot]
    QApplication.sendEvent(canvas_of(chart), QEvent(QEvent.Type.Leave))
    settle(qtbot, chart)
    assert reported[-1] is None


def test_a_narrow_chart_names_the_volume_by_its_figure_alone_and_never_cuts_that(
    qtbot: QtBot, chart: ChartWidget, series: CandleSeries
) -> None:
    size = chart.size()
    texts = [piece.text for piece in chart._scene.pane("volume").title]
    assert texts[0] == "Volume"
    chart.resize(200, size.height())
    settle(qtbot, chart)
    title = chart._scene.pane("volume").title
    assert [piece.text for piece in title] == texts[1:]
    chart.resize(size)
    settle(qtbot, chart)
    assert [piece.text for piece in chart._scene.pane("volume").title] == texts


def test_the_recorded_candles_are_in_the_legend_to_the_digit(
    qtbot: QtBot, chart: ChartWidget, recorded: Callable[[], CandleSeries]
) -> None:
    series = recorded()
    chart.resize(1000, 500)
    chart.set_series(series, BTC)
    settle(qtbot, chart)
    assert len(series) == 43_209
    low, high = price_range(chart)
    first, last = (series.index_at_slot(slot_at(chart, x)) for x in (0.0, 700.0))
    assert low < series.column("low")[first : last + 1].min()
    assert high > series.column("high")[first : last + 1].max()
    slot = MINUTE.slot(1_723_161_300_000_000)  # 2024-08-08T23:55Z
    chart.set_series(series, BTC, keep_time_us=MINUTE.slot_open_us(slot) + MINUTE_US // 2, follow=False)
    settle(qtbot, chart)
    middle = canvas_of(chart).box_of("price").sceneBoundingRect().center()
    chart.reading_tools.point_at(middle)
    settle(qtbot, chart)
    bar = series.bar(series.index_at_slot(slot))
    assert chart.legend_text.startswith(
        f"BTC/USDT · 1m O {bar.open:,.2f} H {bar.high:,.2f} L {bar.low:,.2f} C {bar.close:,.2f}"
    )
