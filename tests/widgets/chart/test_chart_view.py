"""The frames of the chart: the series' changes in them, and the paints they spare."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPointF
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.market.series.series import CandleSeries
from tests.widgets.chart.charts import (
    BTC,
    FIRST_SLOT,
    MINUTE,
    candle,
    picture,
    price_range,
    series_of,
    settle,
    zigzag,
)
from widgets.chart.chart_widget import ChartWidget
from widgets.chart.painting.axes import countdown_rect, last_price_rect


def pixels(image: QImage) -> np.ndarray:
    """Return the image as rows of pixels of four bytes."""
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine() // 4, 4)
    return rows[:, : image.width()].copy()


def test_a_tick_and_older_bars_show_when_all_bars_are_in_view(qtbot: QtBot, chart: ChartWidget) -> None:
    series = series_of(zigzag(20_000))
    chart.set_series(series, BTC)
    chart.navigator.zoom(1e-9)
    chart.navigator.follow_latest()
    settle(qtbot, chart)
    assert chart.visible_range_us()[0] < MINUTE.slot_open_us(FIRST_SLOT)
    series.upsert(candle(FIRST_SLOT + 19_999, 100, 150))
    series.prepend(zigzag(30, FIRST_SLOT - 30))
    chart.series_changed()
    settle(qtbot, chart)
    low, high = price_range(chart)
    assert high > 152
    ticked = picture(chart)
    chart.set_series(series_of([*zigzag(20_029, FIRST_SLOT - 30), candle(FIRST_SLOT + 19_999, 100, 150)]), BTC)
    settle(qtbot, chart)
    assert price_range(chart) == (low, high)
    chart.navigator.follow_latest()
    settle(qtbot, chart)
    assert picture(chart) == ticked


def test_a_minimised_window_paints_nothing(qtbot: QtBot, chart: ChartWidget, series: CandleSeries) -> None:
    chart.showMinimized()
    QApplication.processEvents()
    paints, frames = chart.paint_count, chart.frame_count
    series.upsert(candle(FIRST_SLOT + 1000, 100, 123))
    chart.series_changed()
    qtbot.wait(60)  # some frames
    assert (chart.paint_count, chart.frame_count) == (paints, frames)
    chart.showNormal()
    settle(qtbot, chart)
    assert "C 123.00" in chart.legend_text


def test_the_countdown_repaints_only_when_its_text_changes(
    qtbot: QtBot, chart: ChartWidget, series: CandleSeries
) -> None:
    series.upsert(candle(FIRST_SLOT + 1000, 100, 105, closed=False))
    chart.series_changed()
    settle(qtbot, chart)
    opened = MINUTE.slot_open_us(FIRST_SLOT + 1000)
    paints = []
    for now_us in (opened + 20_000_000, opened + 20_900_000, opened + 21_000_000):
        before = chart.paint_count
        chart.set_now(now_us)
        settle(qtbot, chart)
        paints.append(chart.paint_count - before)
    assert paints == [1, 0, 1]


@pytest.mark.parametrize("text_px", [13, 17, 26])
def test_the_part_repainted_for_the_countdown_holds_all_of_its_digits(
    qtbot: QtBot, chart: ChartWidget, series: CandleSeries, text_px: int
) -> None:
    font = chart.font()
    font.setPixelSize(text_px)
    chart.setFont(font)
    series.upsert(candle(FIRST_SLOT + 1000, 100, 105, closed=False))
    chart.series_changed()
    opened = MINUTE.slot_open_us(FIRST_SLOT + 1000)
    images = []
    for second in (11, 22):
        chart.set_now(opened + second * 1_000_000)
        settle(qtbot, chart)
        images.append(pixels(picture(chart)))
    changed = np.argwhere((images[0] != images[1]).any(axis=2))
    assert len(changed) > 10
    repainted, label = countdown_rect(chart._scene), last_price_rect(chart._scene)
    assert all(repainted.contains(QPointF(x + 0.5, y + 0.5)) for y, x in changed)
    assert repainted.bottom() == label.bottom()
    assert repainted.top() - label.top() > label.height() / 3  # the price keeps its pixels
