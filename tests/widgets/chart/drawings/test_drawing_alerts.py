"""Alerts on a drawing: asked for by the bar, the menu and a key; shown by a bell; and what removing it says."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from app.market.drawings.drawing import Drawing, DrawingKind, Extend
from app.market.series.series import CandleSeries
from tests.widgets.chart.charts import FIRST_SLOT, canvas_of, colour_at, picture, place, settle
from tests.widgets.chart.drawings.helpers import Kept, anchor, drawn
from widgets.chart.chart_widget import ChartWidget
from widgets.chart.drawings.bell_places import bell_places
from widgets.chart.drawings.controls.style_bar import StyleBar
from widgets.chart.drawings.drawing_commands import drawing_reasons
from widgets.keys import keys_of

Kind = DrawingKind


def at(chart: ChartWidget, slot: float, price: float) -> QPointF:
    return place(chart, FIRST_SLOT + slot, price)


def bells(chart: ChartWidget) -> list[QPointF]:
    watched = chart.drawings.set.watched()
    return [] if watched is None else bell_places(watched, chart.drawings.set.view(), 9.0)


def line(**style: object) -> Drawing:
    return drawn(Kind.TREND_LINE, anchor(40, 104), anchor(60, 110), **style)


def test_the_bar_the_menu_and_the_key_ask_for_an_alert(qtbot: QtBot, chart: ChartWidget, series: CandleSeries) -> None:
    one, asked = line(), list[Drawing]()
    Kept(chart, [one])
    chart.drawings.alert_requested.connect(asked.append)
    chart.drawings.choose(one.id)
    settle(qtbot, chart)
    bar = canvas_of(chart).findChild(StyleBar)
    QTest.mouseClick(bar.alert, Qt.MouseButton.LeftButton)
    menu = QMenu()
    chart.drawings.fill_menu(menu, one)
    next(action for action in menu.actions() if action.text().startswith("Alert…")).trigger()
    assert keys_of("alert_drawing") == ("Alt+Shift+N",)
    chart.run_command("alert_drawing")
    assert asked == [one, one, one]


def test_a_text_offers_none_and_the_command_says_why(qtbot: QtBot, chart: ChartWidget, series: CandleSeries) -> None:
    one = drawn(Kind.TEXT, anchor(50, 114), text="Here")
    Kept(chart, [one])
    chart.drawings.choose(one.id)
    settle(qtbot, chart)
    assert canvas_of(chart).findChild(StyleBar).alert.isHidden()
    menu = QMenu()
    chart.drawings.fill_menu(menu, one)
    assert not [action for action in menu.actions() if action.text().startswith("Alert")]
    assert drawing_reasons(chart.drawings)["alert_drawing"]() == "A text has no line for the price to cross."


def test_the_bell_stands_at_the_right_end_of_the_line(qtbot: QtBot, chart: ChartWidget, series: CandleSeries) -> None:
    one = line()
    Kept(chart, [one, drawn(Kind.TREND_LINE, anchor(70, 104), anchor(80, 108))])
    assert bells(chart) == []
    chart.drawings.set_alerts({one.id: 1, "gone": 2})
    settle(qtbot, chart)
    (bell,) = bells(chart)
    end = at(chart, 60, 110)
    assert (bell.x(), bell.y()) == pytest.approx((end.x(), end.y()), abs=1.0)
    accent = chart._scene.colours.accent
    image = picture(chart)
    near = [QColor(colour_at(image, bell + QPointF(x, y))) for x in range(-10, 11) for y in range(-10, 11)]
    assert sum(abs(one.red() - accent.red()) + abs(one.blue() - accent.blue()) < 60 for one in near) > 10
    chart.drawings.set_alerts({})
    assert bells(chart) == []


def test_every_kind_with_a_line_has_its_bell_inside_the_pane(
    qtbot: QtBot, chart: ChartWidget, series: CandleSeries
) -> None:
    two, three = (anchor(60, 104), anchor(70, 108)), (anchor(60, 104), anchor(70, 108), anchor(75, 106))
    several = [
        drawn(kind, *({1: two[:1], 2: two, 3: three}[kind.anchors]), extend=extend)
        for kind in Kind
        for extend in Extend
        if kind not in (Kind.TEXT, Kind.NOTE)
    ]
    Kept(chart, several)
    chart.drawings.set_alerts({one.id: 1 for one in several})
    settle(qtbot, chart)
    pane = chart._scene.price.rect
    found = bells(chart)
    assert len(found) == len(several)
    assert all(pane.adjusted(9, 9, -9, -9).contains(bell) for bell in found)
    upright = drawn(Kind.VERTICAL_LINE, anchor(60, 104))
    Kept(chart, [upright])
    chart.drawings.set_alerts({upright.id: 1})
    (bell,) = bells(chart)
    assert bell.y() == pytest.approx(pane.bottom() - 15, abs=1.0)  # not under the legend


def test_removing_a_drawing_says_that_its_alerts_fire_no_more(
    qtbot: QtBot, chart: ChartWidget, series: CandleSeries
) -> None:
    one, other, said = line(), line(), list[str]()
    Kept(chart, [one, other])
    chart.noted.connect(said.append)
    chart.drawings.set_alerts({one.id: 2})
    chart.drawings.remove(other)
    assert said == []
    chart.drawings.remove(one)
    assert [text.split(". ")[0] for text in said] == ["Trend line removed; its 2 alerts fire no more"]
