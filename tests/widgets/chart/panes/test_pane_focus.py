"""A pane gets all the room by key, mouse, menu and command, and returns by the same."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMenu, QToolButton
from pytestqt.qtbot import QtBot

from tests.widgets.chart.charts import BTC, LEFT_BUTTON, canvas_of, picture, series_of, settle, zigzag
from widgets.chart.chart_widget import ChartWidget
from widgets.chart.interaction.menus import fill_pane_menu
from widgets.chart.model.pane_layout import PRICE, VOLUME, PaneLayout

NONE, ALT = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.AltModifier


@pytest.fixture
def with_rsi(qtbot: QtBot, shown: ChartWidget) -> ChartWidget:
    """Panes of prices, volume and RSI."""
    shown.indicators.add("rsi")
    settle(qtbot, shown)
    return shown


def rsi_of(chart: ChartWidget) -> str:
    (study,) = chart.indicators.studies
    return study.key


def in_view(chart: ChartWidget) -> list[str]:
    """The keys of the panes that the canvas shows any part of."""
    area = chart._scene.layout.panes
    return [pane.key for pane in chart._scene.panes if pane.rect.intersects(area)]


def point_at(chart: ChartWidget, key: str) -> QPoint:
    """The middle of a pane, with the pointer put there."""
    at = chart._scene.pane(key).rect.center().toPoint()
    canvas_of(chart).hovered.emit(QPointF(at))
    return at


def maximise(qtbot: QtBot, chart: ChartWidget) -> None:
    QTest.keyClick(chart.focusProxy(), Qt.Key.Key_Return, ALT)
    settle(qtbot, chart)


def test_one_key_gives_the_pane_under_the_pointer_all_the_room_and_takes_it_back(
    qtbot: QtBot, with_rsi: ChartWidget
) -> None:
    chart, keys = with_rsi, [PRICE, VOLUME, rsi_of(with_rsi)]
    places = [pane.rect.toRect() for pane in chart._scene.panes]
    for key in keys:
        point_at(chart, key)
        maximise(qtbot, chart)
        assert in_view(chart) == [key]
        assert chart._scene.pane(key).rect == chart._scene.layout.panes
        assert chart._scene.separator_at(chart._scene.layout.panes.bottom()) is None
        maximise(qtbot, chart)
        assert [pane.rect.toRect() for pane in chart._scene.panes] == places


def test_the_pane_clicked_last_is_meant_once_the_pointer_has_left(qtbot: QtBot, with_rsi: ChartWidget) -> None:
    chart, viewport = with_rsi, canvas_of(with_rsi).viewport()
    QTest.mouseClick(viewport, LEFT_BUTTON, NONE, point_at(chart, VOLUME))
    canvas_of(chart).left.emit()
    settle(qtbot, chart)
    assert chart.keyboard.commands["maximise_pane"]() is True
    assert in_view(chart) == [VOLUME]


def test_a_double_click_on_a_title_does_it_and_one_beside_it_fits_the_view(qtbot: QtBot, with_rsi: ChartWidget) -> None:
    chart, viewport = with_rsi, canvas_of(with_rsi).viewport()
    entry = next(iter(chart.indicators.entries))
    QTest.mouseDClick(viewport, LEFT_BUTTON, NONE, entry.rect.center().toPoint() - QPoint(10, 0))
    settle(qtbot, chart)
    assert in_view(chart) == [rsi_of(chart)]
    QTest.mouseDClick(viewport, LEFT_BUTTON, NONE, next(iter(chart.indicators.entries)).rect.center().toPoint())
    settle(qtbot, chart)
    assert len(in_view(chart)) == 3
    for key in (PRICE, VOLUME):
        title = chart._scene.pane(key).rect.topLeft().toPoint() + QPoint(24, 20 if key == PRICE else 12)
        QTest.mouseDClick(viewport, LEFT_BUTTON, NONE, title)
        settle(qtbot, chart)
        assert in_view(chart) == [key]
        chart.keyboard.commands["maximise_pane"]()
    QTest.mouseDClick(viewport, LEFT_BUTTON, NONE, chart._scene.price.rect.center().toPoint())
    settle(qtbot, chart)
    assert len(in_view(chart)) == 3


def test_the_next_pane_by_f6_has_all_the_room_then(qtbot: QtBot, with_rsi: ChartWidget) -> None:
    chart = with_rsi
    point_at(chart, PRICE)
    maximise(qtbot, chart)
    seen = []
    for _ in range(3):
        QTest.keyClick(chart.focusProxy(), Qt.Key.Key_F6)
        settle(qtbot, chart)
        seen += in_view(chart)
    assert seen == [VOLUME, rsi_of(chart), PRICE]


def test_it_survives_a_restart_and_another_size(qtbot: QtBot, with_rsi: ChartWidget) -> None:
    chart = with_rsi
    point_at(chart, rsi_of(chart))
    maximise(qtbot, chart)
    values = chart.appearance_values()
    maximise(qtbot, chart)
    assert len(in_view(chart)) == 3
    chart.restore_appearance(values)
    chart.resize(500, 300)
    settle(qtbot, chart)
    assert in_view(chart) == [rsi_of(chart)]
    assert chart.appearance_values()["maximised pane"] == values["maximised pane"] == rsi_of(chart)
    for nonsense in ("nowhere", 7, None, ["price"]):
        chart.restore_appearance({**values, "maximised pane": nonsense})
        assert len(in_view(chart)) == 3


def test_closing_or_opening_a_pane_shows_all_again(qtbot: QtBot, with_rsi: ChartWidget) -> None:
    chart = with_rsi
    point_at(chart, VOLUME)
    maximise(qtbot, chart)
    chart.indicators.add("macd")
    settle(qtbot, chart)
    assert len(in_view(chart)) == 4
    point_at(chart, rsi_of_first(chart))
    maximise(qtbot, chart)
    chart.indicators.remove(rsi_of_first(chart))
    settle(qtbot, chart)
    assert len(in_view(chart)) == 3
    chart.indicators.change(chart.indicators.studies[0].key, {}, {})
    point_at(chart, PRICE)
    maximise(qtbot, chart)
    chart.indicators.change(chart.indicators.studies[0].key, {}, {})  # settings leave the panes as they are
    assert in_view(chart) == [PRICE]


def rsi_of_first(chart: ChartWidget) -> str:
    return chart.indicators.studies[0].key


def test_the_menu_of_a_pane_has_it_and_a_single_pane_has_it_greyed(qtbot: QtBot, with_rsi: ChartWidget) -> None:
    chart = with_rsi
    menu = QMenu()
    fill_pane_menu(menu, chart._panes, VOLUME, chart._pane_focus.toggle)
    (entry,) = [each for each in menu.actions() if each.text().startswith("Maximise Volume")]
    entry.trigger()
    settle(qtbot, chart)
    assert in_view(chart) == [VOLUME]
    menu = QMenu()
    fill_pane_menu(menu, chart._panes, VOLUME, chart._pane_focus.toggle)
    (entry,) = [each for each in menu.actions() if each.text().startswith("Show all panes")]
    entry.trigger()
    assert len(in_view(chart)) == 3
    chart.indicators.remove(rsi_of(chart))
    chart.appearance.set_pane_layout(PaneLayout().without(VOLUME))
    settle(qtbot, chart)
    assert chart.keyboard.reasons["maximise_pane"]() == "The chart has one pane only."
    maximise(qtbot, chart)
    assert chart._panes.maximised is None


def test_a_maximised_pane_is_painted_alone(qtbot: QtBot, with_rsi: ChartWidget) -> None:
    chart = with_rsi
    rising = chart._scene.colours.rising.name()
    for scale in (1.0, 2.0):
        point_at(chart, VOLUME)
        canvas_of(chart).left.emit()
        settle(qtbot, chart)
        chart._panes.maximise(VOLUME)
        settle(qtbot, chart)
        image: QImage = picture(chart, scale)
        panes = chart._scene.layout.panes
        # No line between panes: the row above the time axis is empty beside the columns, as is the axis.
        row = round((panes.bottom() - 1) * scale)
        colours = {image.pixelColor(x, row).name() for x in range(round(panes.width() * scale), image.width() - 1)}
        assert chart._scene.colours.line.name() in colours  # the axis's own edge, alone
        assert len(colours) == 2
        assert rising not in colours
        chart._panes.maximise(None)


def test_a_button_in_the_corner_brings_all_panes_back_and_is_in_no_picture(qtbot: QtBot, with_rsi: ChartWidget) -> None:
    chart = with_rsi
    assert chart.findChildren(QToolButton, "paneReturn") == []
    chart._panes.maximise(VOLUME)
    (button,) = chart.findChildren(QToolButton, "paneReturn")
    for size in ((500, 300), (900, 600)):
        chart.resize(*size)
        settle(qtbot, chart)
        panes = chart._scene.layout.panes.toRect()
        assert panes.contains(button.geometry())
        assert button.geometry().right() > panes.right() - 12
    assert (button.accessibleName(), button.toolTip()) == ("Show all panes", "Show all panes (Alt+Return)")
    taken = chart.picture().toImage()
    button.hide()
    assert chart.picture().toImage() == taken
    button.show()
    button.click()
    settle(qtbot, chart)
    assert len(in_view(chart)) == 3
    assert not button.isVisible()


def test_the_crosshair_steps_through_candles_within_the_pane_in_view(qtbot: QtBot, with_rsi: ChartWidget) -> None:
    chart = with_rsi
    chart._panes.maximise(rsi_of(chart))
    settle(qtbot, chart)
    QTest.keyClick(chart.focusProxy(), Qt.Key.Key_Comma)
    settle(qtbot, chart)
    cross = chart._scene.crosshair
    assert cross is not None
    assert chart._scene.layout.panes.contains(chart._scene.layout.panes.left() + 1, cross.y)


def test_each_pane_can_be_maximised_while_nothing_is_loaded(qtbot: QtBot, chart: ChartWidget) -> None:
    chart.set_series(None, None)
    for key in (VOLUME, PRICE):
        chart._panes.maximise(key)
        settle(qtbot, chart)
        assert in_view(chart) == [key]
        picture(chart)
    chart.set_series(series_of(zigzag(3)), BTC)
    settle(qtbot, chart)
    assert in_view(chart) == [PRICE]
