"""Panes on the chart: dragged, chosen, moved and closed by mouse and keyboard, and the layers painted in them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QContextMenuEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu
from pytestqt.qtbot import QtBot

from app.market.series.series import CandleSeries
from tests.widgets.chart.charts import (
    BTC,
    FIRST_SLOT,
    LEFT_BUTTON,
    canvas_of,
    colour_at,
    count_of,
    picture,
    place,
    series_of,
    settle,
    zigzag,
)
from widgets.chart.chart_widget import ChartWidget
from widgets.chart.model.pane_layout import PaneLayout
from widgets.chart.painting.pane import VisibleBars
from widgets.chart.painting.pane_brush import PaneBrush
from widgets.chart.painting.scene import NO_BARS
from widgets.theme.palettes import DARK

CONTROL, SHIFT, NONE = (
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.NoModifier,
)


@pytest.fixture
def shown(qtbot: QtBot, chart: ChartWidget) -> ChartWidget:
    chart.set_series(series_of(zigzag(200)), BTC)
    settle(qtbot, chart)
    return chart


def top_of(chart: ChartWidget, key: str) -> int:
    return canvas_of(chart).box_of(key).sceneBoundingRect().toRect().top()


def press(qtbot: QtBot, chart: ChartWidget, key: Qt.Key, modifiers: Qt.KeyboardModifier = NONE) -> None:
    QTest.keyClick(chart.focusProxy(), key, modifiers)
    settle(qtbot, chart)


def test_a_dragged_separator_stays_where_it_is_released(qtbot: QtBot, shown: ChartWidget) -> None:
    reported: list[PaneLayout] = []
    shown.appearance_changed.connect(lambda: reported.append(shown.appearance.pane_layout))
    edge, viewport = top_of(shown, "volume"), canvas_of(shown).viewport()
    QTest.mouseMove(viewport, QPoint(300, edge + 1))
    assert canvas_of(shown).cursor().shape() is Qt.CursorShape.SplitVCursor
    QTest.mousePress(viewport, LEFT_BUTTON, NONE, QPoint(300, edge + 1))
    for y in (edge - 40, 5, edge - 100):  # also past a limit and back
        QTest.mouseMove(viewport, QPoint(310, y))
    QTest.mouseRelease(viewport, LEFT_BUTTON, NONE, QPoint(310, edge - 100))
    settle(qtbot, shown)
    assert top_of(shown, "volume") == edge - 100
    assert reported[-1] == shown.appearance.pane_layout
    shown.resize(800, shown.height() + 400)
    settle(qtbot, shown)
    assert top_of(shown, "volume") == pytest.approx((edge - 100) * 872 / 472, abs=2)


def test_the_chosen_pane_grows_moves_and_closes_by_keys(qtbot: QtBot, shown: ChartWidget) -> None:
    edge = top_of(shown, "volume")
    press(qtbot, shown, Qt.Key.Key_F6)
    press(qtbot, shown, Qt.Key.Key_F6)
    press(qtbot, shown, Qt.Key.Key_Up, CONTROL)
    assert top_of(shown, "volume") == edge - 24
    press(qtbot, shown, Qt.Key.Key_Up, CONTROL | SHIFT)
    assert shown.appearance.pane_layout.keys == ("volume", "price")
    press(qtbot, shown, Qt.Key.Key_Delete)
    assert shown.appearance.pane_layout.keys == ("price",)
    press(qtbot, shown, Qt.Key.Key_Delete)
    assert shown.appearance.pane_layout.keys == ("price",)


def test_a_chosen_pane_is_marked_until_escape(qtbot: QtBot, shown: ChartWidget) -> None:
    press(qtbot, shown, Qt.Key.Key_F6)
    assert count_of(picture(shown), DARK.accent) > 20
    press(qtbot, shown, Qt.Key.Key_Escape)
    assert count_of(picture(shown), DARK.accent) == 0


def test_a_closed_pane_comes_back_by_the_menu(qtbot: QtBot, shown: ChartWidget) -> None:
    def choose(text: str, y: int) -> None:
        viewport = canvas_of(shown).viewport()
        where = QPoint(200, y)
        event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, where, viewport.mapToGlobal(where))
        QApplication.sendEvent(viewport, event)
        menu = shown.findChildren(QMenu, options=Qt.FindChildOption.FindDirectChildrenOnly)[-1]
        next(action for action in menu.actions() if action.text().startswith(text)).trigger()
        menu.close()
        settle(qtbot, shown)

    price_alone = picture(shown)
    choose("Close Volume", top_of(shown, "volume") + 30)
    assert shown.appearance.pane_layout.keys == ("price",)
    assert "Volume" not in shown.legend_text
    choose("Show Volume", 200)
    assert shown.appearance.pane_layout.keys == ("price", "volume")
    assert picture(shown) == price_alone


def test_a_pane_layout_is_restored_without_unknown_panes(qtbot: QtBot, shown: ChartWidget) -> None:
    shown.appearance.set_pane_layout(
        PaneLayout.from_values(
            [{"pane": "volume", "share": 0.5}, {"pane": "moon", "share": 0.2}, {"pane": "price", "share": 0.5}]
        )
    )
    settle(qtbot, shown)
    assert shown.appearance.pane_layout.keys == ("volume", "price")
    assert top_of(shown, "price") == 472 / 2


def test_a_drag_on_an_axis_stretches_that_pane_alone(qtbot: QtBot, shown: ChartWidget) -> None:
    ranges = {key: canvas_of(shown).box_of(key).viewRange()[1] for key in ("price", "volume")}
    axis = QPoint(shown.width() - 20, top_of(shown, "volume") + 40)
    viewport = canvas_of(shown).viewport()
    QTest.mousePress(viewport, LEFT_BUTTON, NONE, axis)
    QTest.mouseMove(viewport, axis + QPoint(0, 60))
    QTest.mouseRelease(viewport, LEFT_BUTTON, NONE, axis + QPoint(0, 60))
    settle(qtbot, shown)
    now = {key: canvas_of(shown).box_of(key).viewRange()[1] for key in ("price", "volume")}
    assert now["price"] == ranges["price"]
    assert now["volume"][0] == 0
    assert now["volume"][1] > 1.1 * ranges["volume"][1]
    QTest.mouseDClick(viewport, LEFT_BUTTON, NONE, axis)
    settle(qtbot, shown)
    assert canvas_of(shown).box_of("volume").viewRange()[1] == ranges["volume"]


class Painted:
    """A layer that paints by a test's function."""

    def __init__(self, paint: Callable[[PaneBrush, object], None]) -> None:
        self._paint, self._bars = paint, NO_BARS

    def update(self, series: CandleSeries, visible: VisibleBars, height_px: float) -> None:
        self._bars = visible.bars

    def extent(self) -> tuple[float, float] | None:
        return None

    def paint_behind(self, brush: PaneBrush) -> None:
        pass

    def paint(self, brush: PaneBrush) -> None:
        self._paint(brush, self._bars)


PINK = QColor("#ff00ff")


def with_layer(qtbot: QtBot, chart: ChartWidget, paint: Callable[[PaneBrush, object], None]) -> None:
    chart._scene.price.layers[:] = [Painted(paint)]
    chart.navigator.fit()
    settle(qtbot, chart)


@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0])
def test_a_line_goes_through_its_values_and_breaks_at_nan(qtbot: QtBot, shown: ChartWidget, scale: float) -> None:
    def line(brush: PaneBrush, bars: object) -> None:
        close = np.where(bars.slot == FIRST_SLOT + 180, np.nan, 105.0)
        brush.line_through(PINK, bars._replace(high=close, low=close, open=close, close=close), 3.0)

    with_layer(qtbot, shown, line)
    image = picture(shown, scale)
    assert colour_at(image, place(shown, FIRST_SLOT + 150, 105)) == "#ff00ff"
    assert colour_at(image, place(shown, FIRST_SLOT + 150.5, 105)) == "#ff00ff"
    assert colour_at(image, place(shown, FIRST_SLOT + 180, 105)) != "#ff00ff"


def test_a_band_fills_between_two_lines(qtbot: QtBot, shown: ChartWidget) -> None:
    with_layer(qtbot, shown, lambda brush, bars: brush.band_between(PINK, bars, bars.low, bars.low + 4))
    image = picture(shown)
    assert colour_at(image, place(shown, FIRST_SLOT + 150, 100)) == "#ff00ff"
    assert colour_at(image, place(shown, FIRST_SLOT + 150, 103)) != "#ff00ff"


def test_dots_and_columns_stand_at_their_values(qtbot: QtBot, shown: ChartWidget) -> None:
    def both(brush: PaneBrush, bars: object) -> None:
        brush.dots_at(PINK, bars, np.where(bars.slot % 2, 106.0, np.nan), 4.0)
        brush.columns_from(QColor("#00ff00"), bars, np.full(len(bars.slot), 102.0), base=100.0)

    with_layer(qtbot, shown, both)
    image = picture(shown)
    odd = FIRST_SLOT + 151
    assert colour_at(image, place(shown, odd, 106)) == "#ff00ff"
    assert colour_at(image, place(shown, odd - 1, 106)) != "#ff00ff"
    assert colour_at(image, place(shown, odd, 101)) == "#00ff00"
    assert colour_at(image, place(shown, odd, 99)) != "#00ff00"


def test_a_line_over_many_bars_per_pixel_reaches_from_the_lowest_to_the_highest(
    qtbot: QtBot, chart: ChartWidget
) -> None:
    chart.set_series(series_of(zigzag(20_000)), BTC)
    chart._scene.price.layers[:] = [Painted(lambda brush, bars: brush.line_through(PINK, bars))]
    chart.navigator.zoom(1e-9)
    settle(qtbot, chart)
    image = picture(chart)
    for price in (99, 105, 111):
        assert colour_at(image, place(chart, FIRST_SLOT + 10_000, price)) == "#ff00ff"
