"""The chart's accessibility: the focus frame, and the candle in words for a screen reader."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from tests.widgets.chart.charts import BTC, FIRST_SLOT, LEFT_BUTTON, canvas_of, place, series_of, settle, zigzag
from widgets.chart.chart_widget import ChartWidget
from widgets.chart.interaction.accessibility import FocusFrame
from widgets.chart.popups.zone_picker import ZoneButton
from widgets.theme.palettes import DARK


def test_the_focus_frame_shows_for_keys_and_not_for_the_mouse(qtbot: QtBot, chart: ChartWidget) -> None:
    chart.set_series(series_of(zigzag(50)), BTC)
    canvas, frame = canvas_of(chart), chart.findChild(FocusFrame)
    chart.activateWindow()
    chart.findChild(ZoneButton).setFocus()
    assert frame.isHidden()
    canvas.setFocus(Qt.FocusReason.TabFocusReason)
    settle(qtbot, chart)
    shown = chart.grab().toImage()
    right, bottom = canvas.width() - 1, canvas.height() - 1
    for x, y in ((0, 0), (1, bottom // 2), (right, bottom // 2), (right // 2, bottom)):
        assert shown.pixelColor(x, y).name() == DARK.accent
    QTest.mouseClick(canvas.viewport(), LEFT_BUTTON, Qt.KeyboardModifier.NoModifier, QPoint(300, 200))
    assert frame.isHidden()
    chart.findChild(ZoneButton).setFocus()
    canvas.setFocus(Qt.FocusReason.MouseFocusReason)
    assert frame.isHidden()


def test_a_screen_reader_gets_the_candle_under_the_crosshair(qtbot: QtBot, chart: ChartWidget) -> None:
    chart.set_series(series_of(zigzag(50)), BTC)
    canvas = canvas_of(chart)
    assert canvas.accessibleName() == "Chart"
    assert canvas.accessibleDescription().startswith("BTC/USDT · 1m O 100.00")
    chart.reading_tools.point_at(place(chart, FIRST_SLOT + 40, 105))
    settle(qtbot, chart)
    assert canvas.accessibleDescription().startswith("27 Oct 2022 08:40: BTC/USDT · 1m O 110.00")
    assert canvas.accessibleDescription().endswith(
        "Taker buys 40 % ✓ all trades"
    )  # cut from this legend for want of room
