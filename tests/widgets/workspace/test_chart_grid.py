"""Charts in their grid: places, splitters, the active one, and the one that has all the room."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QCursor, QEnterEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QSplitter, QWidget
from pytestqt.qtbot import QtBot

from app.market.interval import Interval
from app.market.quotes.tick import PriceSide
from tests.widgets.chart.charts import BTC, MINUTE, series_of, zigzag
from tests.widgets.cleanup import close_and_delete
from tests.widgets.conftest import BTCUSDT, SATS
from widgets.chart.chart_widget import ChartWidget
from widgets.chart.model.legend import ComparedFigure, Tone, compare_pieces, legend_pieces, without_name
from widgets.theme.palettes import LIGHT
from widgets.view_values import WatchRow
from widgets.workspace.chart_grid import ChartGrid
from widgets.workspace.grid_layout import Split, grid_of, split_of


@pytest.fixture
def grid(qtbot: QtBot, prepared: QApplication) -> Iterator[ChartGrid]:
    """Four charts in two rows, the first one active."""
    made = ChartGrid()
    for key in (1, 2, 3, 4):
        made.add(key, ChartWidget())
    made.show_layout(grid_of([1, 2, 3, 4], 2))
    made.set_active(1)
    made.resize(1000, 700)
    made.show()
    qtbot.waitExposed(made)
    made.activateWindow()
    made.frames[1].chart.setFocus()
    yield made
    close_and_delete(made)


def place(grid: ChartGrid, key: int) -> tuple[int, int]:
    corner = grid.frames[key].mapTo(grid, QPoint())
    return corner.x(), corner.y()


def test_charts_lie_where_the_layout_says_and_fill_the_room(grid: ChartGrid) -> None:
    assert place(grid, 1) == (0, 0)
    assert place(grid, 2)[0] == pytest.approx(500, abs=2)
    assert place(grid, 3)[1] == pytest.approx((700 - grid.frames[1].chart.bar.height()) / 2, abs=3)
    assert place(grid, 4) == (pytest.approx(place(grid, 2)[0], abs=1), place(grid, 3)[1])
    assert grid.frames[1].width() + grid.frames[2].width() + 1 == 1000


def test_charts_of_another_workspace_have_their_room_at_once(grid: ChartGrid) -> None:
    for key in (1, 2, 3, 4):
        chart = grid.frames[key].chart
        grid.remove(key)
        chart.deleteLater()
    for key in (11, 12, 13, 14):
        grid.add(key, ChartWidget())
    columns = Split(True, (Split(False, (11, 12), (0.5, 0.5)), Split(False, (13, 14), (0.5, 0.5))), (0.5, 0.5))
    grid.show_layout(columns)  # Qt takes new splitters for empty ones until the loop runs
    assert [frame.width() for frame in grid.frames.values()] == [pytest.approx(500, abs=1)] * 4
    grid.show_layout(columns, 12)
    assert grid.frames[12].width() == pytest.approx(1000, abs=2)


def test_a_dragged_splitter_changes_the_shares_and_a_double_click_makes_them_equal(
    grid: ChartGrid, qtbot: QtBot
) -> None:
    outer = next(each for each in grid.findChildren(QSplitter) if each.orientation() is Qt.Orientation.Vertical)
    handle = outer.handle(1)
    middle = handle.rect().center()
    with qtbot.waitSignal(grid.shares_changed):
        QTest.mousePress(handle, Qt.MouseButton.LeftButton, pos=middle)
        QTest.mouseMove(handle, middle + QPoint(0, 100))
        QTest.mouseRelease(handle, Qt.MouseButton.LeftButton, pos=middle + QPoint(0, 100))
    assert isinstance(grid.layout_node, Split)
    assert grid.layout_node.shares[0] > 0.6
    with qtbot.waitSignal(grid.shares_changed):
        QTest.mouseDClick(handle, Qt.MouseButton.LeftButton, pos=handle.rect().center())
    assert grid.layout_node.shares[0] == pytest.approx(0.5, abs=0.01)


def test_the_chart_with_the_focus_asks_to_be_active_and_its_bar_shows(grid: ChartGrid, qtbot: QtBot) -> None:
    with qtbot.waitSignal(grid.activation_requested) as asked:
        QTest.mouseClick(grid.frames[3].chart._canvas.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(100, 100))
    assert asked.args == [3]
    grid.set_active(3)
    assert [key for key, frame in grid.frames.items() if frame.is_framed] == [3]
    assert [key for key, frame in grid.frames.items() if frame.chart.bar.isVisible()] == [3]
    with qtbot.waitSignal(grid.activation_requested) as asked:
        QTest.mouseClick(grid.frames[2].head, Qt.MouseButton.LeftButton)
    assert asked.args == [2]


def test_a_maximised_chart_hides_the_others_and_gives_the_room_back(grid: ChartGrid) -> None:
    before = {key: place(grid, key) for key in grid.frames}
    grid.show_layout(grid_of([1, 2, 3, 4], 2), maximised=2)
    QApplication.processEvents()
    assert [key for key, frame in grid.frames.items() if frame.isVisible()] == [2]
    assert grid.frames[2].width() == 1000
    assert grid.frames[2].head.buttons["maximise_chart"].accessibleName() == "Show all charts"
    grid.show_layout(grid_of([1, 2, 3, 4], 2))
    QApplication.processEvents()
    assert {key: place(grid, key) for key in grid.frames} == before


def test_a_hidden_chart_runs_no_frame(grid: ChartGrid, qtbot: QtBot) -> None:
    grid.show_layout(grid_of([1, 2, 3, 4], 2), maximised=2)
    QApplication.processEvents()
    hidden, shown = grid.frames[1].chart, grid.frames[2].chart
    counts = hidden.frame_count, shown.frame_count
    hidden.series_changed()
    shown.series_changed()
    qtbot.waitUntil(lambda: shown.frame_count > counts[1])
    assert hidden.frame_count == counts[0]


def test_the_buttons_of_a_head_show_while_the_pointer_is_over_the_chart_or_it_is_active(grid: ChartGrid) -> None:
    head = grid.frames[2].head
    assert not head.buttons["close_chart"].isVisible()
    head.set_hovered(True)
    assert head.buttons["close_chart"].isVisible()
    head.set_hovered(False)
    assert not head.buttons["close_chart"].isVisible()
    assert grid.frames[1].head.buttons["close_chart"].isVisible()


def test_the_buttons_of_a_head_hide_when_another_arrangement_takes_the_chart_from_the_pointer(grid: ChartGrid) -> None:
    frame = grid.frames[4]
    QCursor.setPos(frame.mapToGlobal(frame.rect().center()))
    middle = QPointF(frame.rect().center())
    QApplication.sendEvent(frame, QEnterEvent(middle, middle, frame.mapToGlobal(middle)))
    assert frame.head.buttons["close_chart"].isVisible()
    grid.show_layout(grid_of([4, 1, 2, 3], 2))
    QApplication.processEvents()
    assert not frame.head.buttons["close_chart"].isVisible()


def test_a_chart_alone_has_neither_head_nor_frame(grid: ChartGrid) -> None:
    for key in (2, 3, 4):
        chart = grid.frames[key].chart
        grid.remove(key)
        close_and_delete(chart)
    grid.show_layout(1)
    QApplication.processEvents()
    frame = grid.frames[1]
    assert not frame.head.isVisible()
    assert not frame.is_framed
    assert frame.chart.width() == 1000
    assert frame.chart.bar.isVisible()


def test_a_head_names_symbol_and_interval_and_tells_a_reader(grid: ChartGrid, qtbot: QtBot) -> None:
    head = grid.frames[2].head
    head.set_chart(BTCUSDT, Interval.parse("15m"))
    head.set_row(WatchRow(BTCUSDT, 61_654.2, 6.12))
    assert (head.symbol.text(), head.interval.text()) == ("BTC/USDT", "15m")
    assert head.accessibleName() == "BTC/USDT, 15m"
    assert "61,654.20" in head.price.text()
    head.set_chart(SATS, Interval.parse("15m"))
    assert head.price.text() == ""
    with qtbot.waitSignal(grid.command_requested) as asked:
        QTest.mouseClick(grid.frames[1].head.buttons["maximise_chart"], Qt.MouseButton.LeftButton)
    assert asked.args == [1, "maximise_chart"]
    grid.set_palette(LIGHT)


def test_a_narrow_head_leaves_figures_out_rather_than_cut_them(grid: ChartGrid) -> None:
    head = grid.frames[1].head
    head.set_chart(BTCUSDT, Interval.parse("15m"))
    head.set_row(WatchRow(BTCUSDT, 61_654.2, 6.12))
    shown = []
    for width in (1000, 640, 520, 420, 300):
        grid.resize(width, 500)
        QApplication.processEvents()
        parts = (head.interval, head.price, head.change)
        assert all(part.width() >= part.sizeHint().width() for part in parts if part.isVisible()), width
        shown.append([part.isVisible() for part in parts])
    assert shown[0] == [True, True, True]
    assert shown[-1] == [False, False, False]
    assert shown == sorted(shown, reverse=True)


def test_sixteen_charts_fit_into_a_small_window(grid: ChartGrid) -> None:
    for key in range(5, 17):
        grid.add(key, ChartWidget())
    grid.show_layout(grid_of(list(range(1, 17)), 4))
    grid.resize(920, 500)
    QApplication.processEvents()
    assert (grid.width(), grid.height()) == (920, 500)
    rects = [frame.geometry().translated(frame.parentWidget().mapTo(grid, QPoint())) for frame in grid.frames.values()]
    assert all(grid.rect().contains(rect) for rect in rects)
    assert not any(one.intersects(other) for at, one in enumerate(rects) for other in rects[at + 1 :])


@pytest.mark.parametrize("columns", [14, 1])
def test_fourteen_charts_in_a_row_or_column_share_a_small_window_and_grow_with_it(
    grid: ChartGrid, columns: int
) -> None:
    for key in range(5, 15):
        grid.add(key, ChartWidget())
    grid.show_layout(grid_of(list(range(1, 15)), columns))
    for width, height in ((960, 500), (400, 300), (2400, 1600)):
        grid.resize(width, height)
        QApplication.processEvents()
        assert (grid.width(), grid.height()) == (width, height)
        rects = [frame.geometry() for frame in grid.frames.values()]
        bars = grid.frames[1].chart.bar.height()
        assert all(grid.rect().adjusted(0, 0, 0, -bars).contains(rect) for rect in rects)
        assert not any(one.intersects(other) for at, one in enumerate(rects) for other in rects[at + 1 :])
        sizes = [rect.width() if columns > 1 else rect.height() for rect in rects]
        assert max(sizes) - min(sizes) <= 2
    head = grid.frames[1].head
    grid.resize(960, 500)
    if columns > 1:
        QApplication.processEvents()
        assert not any(button.isVisible() for button in head.buttons.values())
        parts = [part for part in head.findChildren(QWidget) if part.isVisible()]
        assert all(head.rect().contains(part.geometry()) for part in parts)


def test_a_split_within_a_split_is_shown(grid: ChartGrid) -> None:
    grid.show_layout(split_of(True, (1, split_of(False, (2, split_of(True, (3, 4))))), (0.25, 0.75)))
    QApplication.processEvents()
    assert place(grid, 2)[0] == pytest.approx(250, abs=3)
    assert place(grid, 4)[0] == pytest.approx(625, abs=4)


def test_a_chart_below_a_head_leaves_its_name_to_it_but_not_in_a_picture(grid: ChartGrid, qtbot: QtBot) -> None:
    chart = grid.frames[1].chart
    chart.set_series(series_of(zigzag(50)), BTC)
    assert "BTC" not in chart.legend_text
    assert chart.legend_text.startswith(("O ", "H ", "C "))
    assert "BTC/USDT · 1m" in chart._canvas.accessibleDescription()
    painted: list[str] = []
    chart.painted.connect(lambda: painted.append(chart.legend_text))
    chart.picture()
    assert any(text.startswith("BTC/USDT · 1m") for text in painted)
    assert "BTC" not in chart.legend_text
    for key in (2, 3, 4):
        grid.remove(key)
    grid.show_layout(1)
    assert chart.legend_text.startswith("BTC/USDT · 1m")


def test_a_legend_without_a_name_keeps_what_stands_nowhere_else() -> None:
    bar = series_of(zigzag(2)).bar(-1)
    named = legend_pieces(BTC, MINUTE, bar)
    assert without_name(named, BTC, PriceSide.MID) == named[1:]
    euro = replace(BTC, name="oanda:EURUSD", base="EUR", quote="USD")
    pieces = without_name(legend_pieces(euro, MINUTE, bar, side=PriceSide.BID), euro, PriceSide.BID)
    assert pieces[0].text.startswith("bid · OANDA")
    assert pieces[0].rank > 0
    compared = compare_pieces(BTC, MINUTE, "27 Nov 05:00", [ComparedFigure("ETH", Tone.LINE_1, 4.3)])
    assert [piece.text for piece in without_name(compared, BTC, PriceSide.MID)][:2] == ["Since 27 Nov 05:00", "■ ETH"]
