"""Lines of alerts on a real chart: painted, pointed at, dragged by the mouse, given up by Esc."""

from __future__ import annotations

from itertools import pairwise

from PySide6.QtCore import QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.market.series.series import CandleSeries
from tests.widgets.chart.charts import BTC, settle
from widgets.chart.alert_lines.alert_line import AlertLine
from widgets.chart.chart_widget import ChartWidget
from widgets.chart.painting.axes import last_price_place
from widgets.theme.palettes import DARK

LINE = AlertLine(1, 105.0, "Crosses up", "once")


def shown(qtbot: QtBot, chart: ChartWidget, *lines: AlertLine) -> None:
    chart.alert_lines.set_lines(BTC.name, lines)
    settle(qtbot, chart)


def y_of(chart: ChartWidget, price: float) -> float:
    y = chart.alert_lines.painting.y_of(price)
    assert y is not None
    return y


def accents(chart: ChartWidget, y: float) -> int:
    """Count the accent's pixels in the row of a height, left of the axis."""
    image = chart._canvas.grab().toImage()
    ratio = image.devicePixelRatio()
    accent, width = QColor(DARK.accent).rgb(), int(chart._scene.layout.panes.width() * ratio)
    rows = range(int((y - 1) * ratio), int((y + 2) * ratio))
    return max(sum(image.pixel(x, row) == accent for x in range(width)) for row in rows)


def test_a_line_is_painted_and_goes_with_its_alert(qtbot: QtBot, chart: ChartWidget, series: CandleSeries) -> None:
    before = accents(chart, chart._scene.price.y_of(105.0))
    shown(qtbot, chart, LINE)
    assert accents(chart, y_of(chart, 105.0)) > before + 100
    shown(qtbot, chart)
    assert accents(chart, chart._scene.price.y_of(105.0)) == before
    assert chart.trouble == ""


def test_lines_of_another_symbol_are_not_painted(qtbot: QtBot, chart: ChartWidget, series: CandleSeries) -> None:
    chart.alert_lines.set_lines("ETHUSDT", [LINE])
    settle(qtbot, chart)
    assert chart.alert_lines.painting.visible() == []
    assert chart.alert_lines.line_at(QPointF(100, chart._scene.price.y_of(105.0))) is None


def test_a_label_beside_the_last_price_stands_on_its_line_s_side(
    qtbot: QtBot, chart: ChartWidget, series: CandleSeries
) -> None:
    last = chart._scene.last.close
    for price, is_above in ((last + 0.01, True), (last - 0.01, False)):
        shown(qtbot, chart, AlertLine(1, price, "Crosses", "once"))
        (label,) = chart.alert_lines.painting.areas()
        block = last_price_place(chart._scene)
        assert (label.bottom() <= block.top(), label.top() >= block.bottom()) == (is_above, not is_above)


def test_the_mouse_drags_a_line_and_not_the_chart(qtbot: QtBot, chart: ChartWidget, series: CandleSeries) -> None:
    shown(qtbot, chart, LINE)
    dropped: list[tuple[AlertLine, float]] = []
    chart.alert_lines.moved = lambda line, price: dropped.append((line, price))
    view, at = chart._canvas.viewport(), QPoint(200, round(y_of(chart, 105.0)))
    before_us = chart.visible_range_us()
    QTest.mouseMove(view, at)
    assert chart._canvas.cursor().shape() is Qt.CursorShape.SizeVerCursor
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=at)
    QTest.mouseMove(view, at + QPoint(30, 40))
    settle(qtbot, chart)
    drag = chart.alert_lines.painting.drag
    assert drag is not None
    assert drag.price < 105.0
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=at + QPoint(30, 40))
    (one,) = dropped
    assert one[0] == LINE
    assert one[1] == drag.price
    assert round(one[1] / (BTC.tick_size_e8 / 1e8), 6) % 1 == 0
    assert chart.visible_range_us() == before_us


def test_esc_puts_a_dragged_line_back_and_a_click_moves_nothing(
    qtbot: QtBot, chart: ChartWidget, series: CandleSeries
) -> None:
    shown(qtbot, chart, LINE)
    dropped: list[float] = []
    chart.alert_lines.moved = lambda line, price: dropped.append(price)
    view, at = chart._canvas.viewport(), QPoint(200, round(y_of(chart, 105.0)))
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=at)
    QTest.mouseMove(view, at + QPoint(0, 50))
    QTest.keyClick(chart._canvas, Qt.Key.Key_Escape)
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=at + QPoint(0, 50))
    QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=at)
    assert dropped == []
    assert chart.alert_lines.painting.drag is None


def test_a_double_click_chooses_a_line_and_elsewhere_fits_the_view(
    qtbot: QtBot, chart: ChartWidget, series: CandleSeries
) -> None:
    shown(qtbot, chart, LINE, AlertLine(2, 101.0, "Crosses"))
    chosen: list[int] = []
    chart.alert_lines.chosen = lambda line: chosen.append(line.alert_id)
    view = chart._canvas.viewport()
    QTest.mouseDClick(view, Qt.MouseButton.LeftButton, pos=QPoint(200, round(y_of(chart, 101.0))))
    QTest.mouseDClick(view, Qt.MouseButton.LeftButton, pos=QPoint(200, round(y_of(chart, 103.0))))
    assert chosen == [2]


def test_a_label_makes_room_for_the_last_price(qtbot: QtBot, chart: ChartWidget, series: CandleSeries) -> None:
    from widgets.chart.painting.axes import last_price_place

    last = chart.last_price
    assert last is not None
    shown(qtbot, chart, AlertLine(1, last, "Crosses"))
    (label,) = chart.alert_lines.painting.areas()
    assert not label.intersects(last_price_place(chart._scene))


def test_a_label_covers_none_of_an_indicators(qtbot: QtBot, chart: ChartWidget, series: CandleSeries) -> None:
    chart.indicators.add("sma", {"period": 20})
    settle(qtbot, chart)
    (value,) = [label.value_y for label in chart._scene.price.labels]
    assert value is not None
    for by in (-18, -6, 4, 15):
        shown(qtbot, chart, AlertLine(1, chart._scene.price.value_at(value + by), "Crosses"))
        (label,), (own,) = chart.alert_lines.painting.areas(), chart._scene.price.labels
        assert not label.intersects(own.rect)
        assert not label.intersects(last_price_place(chart._scene))


def shown_at(qtbot: QtBot, chart: ChartWidget, *heights: float) -> list[QRectF]:
    """Show an alert's line at each of these heights; return the labels on the axis."""
    prices = [chart._scene.price.value_at(y) for y in heights]
    shown(qtbot, chart, *[AlertLine(number, price, "Crosses") for number, price in enumerate(prices)])
    return chart.alert_lines.painting.areas()


def test_no_label_covers_another_one_beside_the_last_price(
    qtbot: QtBot, chart: ChartWidget, series: CandleSeries
) -> None:
    block = last_price_place(chart._scene)
    labels = shown_at(qtbot, chart, *[block.top() + by for by in (-22, -12, 4, 14, 20, 40, 52)])
    assert len(labels) >= 5
    blocks = sorted([*labels, last_price_place(chart._scene)], key=QRectF.top)
    assert all(one.bottom() <= other.top() for one, other in pairwise(blocks))


def test_lines_without_room_for_a_label_have_a_tick_in_the_gutter_and_a_name_beside_it(
    qtbot: QtBot, chart: ChartWidget, series: CandleSeries
) -> None:
    labels = shown_at(qtbot, chart, *[300.0 + 2 * by for by in range(8)])
    assert 2 <= len(labels) <= 4
    ticks = [mark.area.center().y() for mark in chart._scene.price.gutter_marks]
    assert ticks
    assert all(299 < y < 315 for y in ticks)
    axis = chart._scene.layout.value_axis
    QTest.mouseMove(chart._canvas.viewport(), QPoint(round(axis.center().x()), 100))
    settle(qtbot, chart)
    assert [name.text for name in chart._scene.price.names] == ["Crosses"] * len(ticks)


def test_a_label_beside_its_line_has_a_leader_and_takes_the_pointer(
    qtbot: QtBot, chart: ChartWidget, series: CandleSeries
) -> None:
    axis, painting = chart._scene.layout.value_axis, chart.alert_lines.painting
    one, other = shown_at(qtbot, chart, 150.0, 152.0)
    assert one.left() == other.left() > axis.left()
    by_label = {painting.labelled_at(label.center()).alert_id for label in (one, other)}
    assert by_label == {0, 1}
    for label in (one, other):
        line = chart.alert_lines.line_at(QPointF(label.center().x(), label.center().y()))
        assert line is painting.labelled_at(label.center())
    assert shown_at(qtbot, chart, 150.0)[0].left() == axis.left()


def test_a_thousand_lines_are_labelled_within_a_frame(qtbot: QtBot, chart: ChartWidget, series: CandleSeries) -> None:
    height = chart._scene.price.rect.height()
    labels = shown_at(qtbot, chart, *[height * number / 1000 for number in range(1, 1000)])
    blocks = sorted([*labels, last_price_place(chart._scene)], key=QRectF.top)
    assert all(one.bottom() <= other.top() for one, other in pairwise(blocks))
    assert len(chart.alert_lines.painting.label_heights()) < 200
