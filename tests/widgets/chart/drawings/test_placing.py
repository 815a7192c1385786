"""Drawings placed, chosen, moved and removed by real events on a visible chart."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.market.drawings.drawing import DrawingKind, check
from app.market.interval import Interval
from app.market.series.series import CandleSeries
from tests.widgets.chart.charts import BTC, ETH, LEFT_BUTTON, canvas_of, place, series_of, settle, slot_at, zigzag
from tests.widgets.chart.drawings.helpers import NO_KEYS, Kept, anchor, click, drag, drawn
from widgets.chart.chart_widget import ChartWidget
from widgets.chart.drawings.controls.text_entry import TextEntry
from widgets.chart.drawings.drawing_commands import drawing_commands
from widgets.chart.drawings.kinds import KINDS

Key = Qt.Key
CONTROL, SHIFT, ALT = (
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.AltModifier,
)
BY_CLICKS = [kind for kind in DrawingKind if kind is not DrawingKind.FREEHAND]


@pytest.fixture
def kept(qtbot: QtBot, chart: ChartWidget) -> Kept:
    """A chart of 200 candles without a drawing."""
    chart.set_series(series_of(zigzag(200)), BTC)
    chart.navigator.pan(60)
    settle(qtbot, chart)
    return Kept(chart)


def at(chart: ChartWidget, slot: float, price: float) -> QPointF:
    return place(
        chart, anchor(slot, price).time_us // 60_000_000 - anchor(0, 0).time_us // 60_000_000 + 12_000_000, price
    )


def press(chart: ChartWidget, key: Qt.Key, keys: Qt.KeyboardModifier = NO_KEYS) -> None:
    QTest.keyClick(chart.focusProxy(), key, keys)


def enter_text(chart: ChartWidget, text: str) -> None:
    entry = chart.findChild(TextEntry)
    assert entry.isVisible()
    QTest.keyClicks(entry, text)
    QTest.keyClick(entry, Key.Key_Return)


def test_a_chart_without_candles_says_why_a_click_places_nothing(qtbot: QtBot, chart: ChartWidget, kept: Kept) -> None:
    noted: list[str] = []
    chart.noted.connect(noted.append)
    chart.set_series(CandleSeries(ETH.name, Interval.parse("1m")), ETH)
    settle(qtbot, chart)
    chart.drawings.take_tool(DrawingKind.HORIZONTAL_LINE)
    click(chart, QPointF(200, 150))
    assert noted[-1] == "A drawing is placed at the time of a candle: wait until the chart has some."
    assert chart.drawings.tool is DrawingKind.HORIZONTAL_LINE
    assert not kept.drawings
    chart.set_series(series_of(zigzag(200)), BTC)
    settle(qtbot, chart)
    click(chart, at(chart, 195, 103.0))
    assert kept.only.kind is DrawingKind.HORIZONTAL_LINE


@pytest.mark.parametrize("kind", BY_CLICKS, ids=lambda kind: kind.value)
def test_clicks_place_a_drawing_at_candles_and_prices(
    qtbot: QtBot, chart: ChartWidget, kept: Kept, kind: DrawingKind
) -> None:
    chart.drawings.take_tool(kind)
    slots, prices = (130, 150, 170), (103.0, 108.0, 101.0)
    for number in range(kind.anchors):
        click(chart, at(chart, slots[number], prices[number]))
    if kind in (DrawingKind.TEXT, DrawingKind.NOTE):
        enter_text(chart, "Supply")
    check(kept.only)
    assert kept.only.kind is kind
    assert kept.only.symbol == "BTCUSDT"
    for number, placed in enumerate(kept.only.anchors):
        assert placed.time_us == anchor(slots[number], 0).time_us
        assert placed.price == pytest.approx(prices[number], abs=0.1)
    assert chart.drawings.tool is None
    assert chart.drawings.chosen == kept.only


def test_a_second_quick_click_is_the_second_anchor(qtbot: QtBot, chart: ChartWidget, kept: Kept) -> None:
    chart.drawings.take_tool(DrawingKind.TREND_LINE)
    viewport = canvas_of(chart).viewport()
    click(chart, at(chart, 130, 103))
    QTest.mouseMove(viewport, at(chart, 150, 105).toPoint())
    QTest.mouseDClick(viewport, Qt.MouseButton.LeftButton, NO_KEYS, at(chart, 150, 105).toPoint())
    assert [each.time_us for each in kept.only.anchors] == [anchor(130, 0).time_us, anchor(150, 0).time_us]


@pytest.mark.parametrize("kind", [DrawingKind.TREND_LINE, DrawingKind.REGRESSION_CHANNEL, DrawingKind.PARALLEL_CHANNEL])
def test_a_point_on_the_first_one_is_not_taken(qtbot: QtBot, chart: ChartWidget, kept: Kept, kind: DrawingKind) -> None:
    chart.drawings.take_tool(kind)
    viewport = canvas_of(chart).viewport()
    click(chart, at(chart, 130, 103))
    QTest.mouseDClick(viewport, Qt.MouseButton.LeftButton, NO_KEYS, at(chart, 130, 103).toPoint())
    assert not kept.drawings
    for slot in range(150, 150 + kind.anchors - 1):
        click(chart, at(chart, slot, 105))
    assert [each.time_us for each in kept.only.anchors[:2]] == [anchor(130, 0).time_us, anchor(150, 0).time_us]


def test_a_drag_places_both_anchors(qtbot: QtBot, chart: ChartWidget, kept: Kept) -> None:
    chart.drawings.take_tool(DrawingKind.RECTANGLE)
    drag(chart, at(chart, 130, 103), at(chart, 150, 108))
    assert [each.time_us for each in kept.only.anchors] == [anchor(130, 0).time_us, anchor(150, 0).time_us]


def test_freehand_follows_the_drag(qtbot: QtBot, chart: ChartWidget, kept: Kept) -> None:
    chart.drawings.take_tool(DrawingKind.FREEHAND)
    viewport = canvas_of(chart).viewport()
    points = [at(chart, 130 + step, 103 + 4 * (step // 4 % 2)) for step in range(0, 30, 4)]
    QTest.mousePress(viewport, Qt.MouseButton.LeftButton, NO_KEYS, points[0].toPoint())
    for point in points[1:]:
        QTest.mouseMove(viewport, point.toPoint())
    QTest.mouseRelease(viewport, Qt.MouseButton.LeftButton, NO_KEYS, points[-1].toPoint())
    check(kept.only)
    assert len(kept.only.anchors) == len(points)
    assert kept.only.anchors[0].price == pytest.approx(103, abs=0.1)


def test_the_magnet_takes_a_price_of_the_candle(qtbot: QtBot, chart: ChartWidget, kept: Kept) -> None:
    chart.appearance.toggle_price_snap()
    chart.drawings.take_tool(DrawingKind.HORIZONTAL_LINE)
    click(chart, at(chart, 150, 111.6))
    assert kept.only.anchors[0].price == pytest.approx(112.0, abs=1e-6)  # its high


def test_shift_straightens(qtbot: QtBot, chart: ChartWidget, kept: Kept) -> None:
    chart.drawings.take_tool(DrawingKind.TREND_LINE)
    click(chart, at(chart, 130, 105))
    click(chart, at(chart, 160, 105.6), SHIFT)
    one, other = kept.only.anchors
    assert one.price == other.price
    assert one.time_us < other.time_us


def test_esc_gives_up_what_is_placed_then_the_tool_then_the_choice(
    qtbot: QtBot, chart: ChartWidget, kept: Kept
) -> None:
    line = drawn(DrawingKind.HORIZONTAL_LINE, anchor(150, 104))
    kept.put((line,))
    chart.drawings.take_tool(DrawingKind.TREND_LINE)
    click(chart, at(chart, 130, 105))
    press(chart, Key.Key_Escape)
    assert chart.drawings.tool is DrawingKind.TREND_LINE
    assert chart.drawings.set.preview is None
    press(chart, Key.Key_Escape)
    assert chart.drawings.tool is None
    chart.drawings.choose(line.id)
    press(chart, Key.Key_Escape)
    assert chart.drawings.chosen is None
    assert kept.only == line


def test_a_drag_moves_a_drawing_and_a_handle_one_anchor(qtbot: QtBot, chart: ChartWidget, kept: Kept) -> None:
    line = drawn(DrawingKind.TREND_LINE, anchor(130, 102), anchor(150, 108))
    kept.put((line,))
    drag(chart, at(chart, 140, 105), at(chart, 146, 103))
    moved = kept.only
    assert [each.time_us - old.time_us for each, old in zip(moved.anchors, line.anchors, strict=True)] == [
        360_000_000
    ] * 2
    assert [each.price for each in moved.anchors] == pytest.approx([100, 106], abs=0.1)
    drag(chart, at(chart, 156, 106), at(chart, 170, 109))
    assert kept.only.anchors[0] == moved.anchors[0]
    assert kept.only.anchors[1].time_us == anchor(170, 0).time_us
    assert kept.only.anchors[1].price == pytest.approx(109, abs=0.1)
    assert kept.steps == 3


def test_a_click_chooses_and_stores_nothing(qtbot: QtBot, chart: ChartWidget, kept: Kept) -> None:
    line = drawn(DrawingKind.TREND_LINE, anchor(130, 102), anchor(150, 108))
    kept.put((line,))
    click(chart, at(chart, 140, 105))
    assert chart.drawings.chosen == line
    assert (kept.only, kept.steps) == (line, 1)
    centre = chart.center_time_us()
    click(chart, at(chart, 140, 109))
    assert chart.drawings.chosen is None
    assert chart.center_time_us() == centre


@pytest.mark.parametrize(
    ("kind", "slots", "across"),
    [
        (DrawingKind.HORIZONTAL_LINE, (130,), QPointF(0, 1)),
        (DrawingKind.VERTICAL_LINE, (140,), QPointF(1, 0)),
        (DrawingKind.TREND_LINE, (130, 150), QPointF(0, 1)),
        (DrawingKind.FREEHAND, (130, 150), QPointF(0, 1)),
    ],
    ids=lambda value: getattr(value, "value", None),
)
def test_a_line_is_taken_from_six_pixels_away(
    qtbot: QtBot, chart: ChartWidget, kept: Kept, kind: DrawingKind, slots: tuple[int, ...], across: QPointF
) -> None:
    line = drawn(kind, *(anchor(slot, 104 if across.y() else 109) for slot in slots))  # no handle is near
    kept.put((line,))
    for by, chosen in ((5, line), (8, None), (-5, line), (-8, None)):
        click(chart, at(chart, 140, 104) + across * by)
        assert chart.drawings.chosen == chosen


def test_beside_drawings_the_chart_is_dragged(qtbot: QtBot, chart: ChartWidget, kept: Kept) -> None:
    kept.put((drawn(DrawingKind.RECTANGLE, anchor(120, 102), anchor(160, 108), filled=True),))
    slot = slot_at(chart, 300.0)
    drag(chart, at(chart, 140, 105), at(chart, 150, 105))
    assert slot_at(chart, 300.0) != slot


def test_a_locked_drawing_is_chosen_and_not_moved(qtbot: QtBot, chart: ChartWidget, kept: Kept) -> None:
    line = drawn(DrawingKind.TREND_LINE, anchor(130, 102), anchor(150, 108))
    kept.put((line,))
    chart.drawings.choose(line.id)
    press(chart, Key.Key_L, CONTROL | SHIFT)
    locked = kept.only
    assert locked.locked
    drag(chart, at(chart, 140, 105), at(chart, 146, 103))
    press(chart, Key.Key_Left)
    press(chart, Key.Key_Delete)
    assert kept.only == locked


def test_keys_move_duplicate_and_remove_the_chosen_drawing(qtbot: QtBot, chart: ChartWidget, kept: Kept) -> None:
    line = drawn(DrawingKind.TREND_LINE, anchor(130, 102), anchor(150, 108))
    kept.put((line,))
    press(chart, Key.Key_PageDown, ALT)
    assert chart.drawings.chosen == line
    press(chart, Key.Key_Right)
    press(chart, Key.Key_Up)
    assert [each.time_us for each in kept.only.anchors] == [anchor(131, 0).time_us, anchor(151, 0).time_us]
    assert kept.only.anchors[0].price > 102
    press(chart, Key.Key_U, CONTROL | SHIFT)
    assert len(kept.drawings) == 2
    copy = chart.drawings.chosen
    assert copy.id != line.id
    assert copy.order > line.order
    press(chart, Key.Key_Delete)
    press(chart, Key.Key_Escape)
    assert kept.only.id == line.id


def test_without_a_choice_the_keys_are_the_charts(qtbot: QtBot, chart: ChartWidget, kept: Kept) -> None:
    kept.put((drawn(DrawingKind.HORIZONTAL_LINE, anchor(150, 104)),))
    centre = chart.center_time_us()
    press(chart, Key.Key_Left)
    assert chart.center_time_us() < centre
    assert kept.steps == 1


def test_a_drawing_is_placed_by_keys_alone(qtbot: QtBot, chart: ChartWidget, kept: Kept) -> None:
    press(chart, Key.Key_T, ALT)
    press(chart, Key.Key_Comma)
    settle(qtbot, chart)
    press(chart, Key.Key_Space)
    for _ in range(5):
        press(chart, Key.Key_Comma)
        settle(qtbot, chart)
    press(chart, Key.Key_Space)
    one, other = kept.only.anchors
    assert one.time_us - other.time_us == 5 * 60_000_000


def test_what_is_placed_by_keys_follows_the_crosshair(qtbot: QtBot, chart: ChartWidget, kept: Kept) -> None:
    chart.drawings.take_tool(DrawingKind.TREND_LINE)
    press(chart, Key.Key_Left)  # the crosshair comes to the latest candle in view
    settle(qtbot, chart)
    press(chart, Key.Key_Space)
    press(chart, Key.Key_Left, SHIFT)
    settle(qtbot, chart)
    press(chart, Key.Key_Up, SHIFT)
    press(chart, Key.Key_Down)
    settle(qtbot, chart)
    start, end = chart.drawings.set.preview.anchors
    assert start.time_us - end.time_us == 10 * 60_000_000
    assert at(chart, 0, start.price).y() - at(chart, 0, end.price).y() == pytest.approx(9, abs=0.2)
    press(chart, Key.Key_Space)
    assert kept.only.anchors == (start, end)


def test_keys_move_one_point_of_the_chosen_drawing(qtbot: QtBot, chart: ChartWidget, kept: Kept) -> None:
    line = drawn(DrawingKind.TREND_LINE, anchor(130, 102), anchor(150, 108))
    kept.put((line,))
    chart.drawings.choose(line.id)
    for _ in range(2):
        press(chart, Key.Key_Space, SHIFT)
    press(chart, Key.Key_Right)
    press(chart, Key.Key_Up, SHIFT)
    assert kept.only.anchors[0] == line.anchors[0]
    assert kept.only.anchors[1].time_us == anchor(151, 0).time_us
    assert at(chart, 0, 108).y() - at(chart, 0, kept.only.anchors[1].price).y() == pytest.approx(10, abs=0.2)
    press(chart, Key.Key_Escape)
    assert chart.drawings.chosen == kept.only
    press(chart, Key.Key_Left)
    assert kept.only.anchors[0].time_us == anchor(129, 0).time_us


def test_placing_goes_on_in_another_interval_and_ends_with_the_symbol(
    qtbot: QtBot, chart: ChartWidget, kept: Kept
) -> None:
    minutes = chart.series
    hour = Interval.parse("1h")
    hours = series_of(zigzag(20, hour.slot(anchor(0, 0).time_us) - 10, hour), hour)
    chart.drawings.take_tool(DrawingKind.TREND_LINE)
    click(chart, at(chart, 130, 103))
    for series in (None, hours, None, minutes):
        chart.set_series(series, BTC)
    settle(qtbot, chart)
    click(chart, at(chart, 150, 105))
    assert [each.time_us for each in kept.only.anchors] == [anchor(130, 0).time_us, anchor(150, 0).time_us]
    chart.drawings.take_tool(DrawingKind.TREND_LINE)
    click(chart, at(chart, 130, 103))
    chart.set_series(None, ETH)
    chart.set_series(minutes, ETH)
    settle(qtbot, chart)
    assert chart.drawings.set.preview is None
    assert chart.drawings.tool is DrawingKind.TREND_LINE


def test_what_to_do_with_a_tool_is_said_until_it_is_used_or_put_down(
    qtbot: QtBot, chart: ChartWidget, kept: Kept
) -> None:
    uses = (
        lambda: click(chart, at(chart, 150, 104)),
        lambda: press(chart, Key.Key_Escape),
        lambda: chart.drawings.take_tool(None),
    )
    for use in uses:
        chart.drawings.take_tool(DrawingKind.HORIZONTAL_LINE)
        assert chart.sentence == "Horizontal line: click its price."
        use()
        assert chart.sentence == ""


def test_a_right_click_puts_the_tool_down(qtbot: QtBot, chart: ChartWidget, kept: Kept) -> None:
    chart.drawings.take_tool(DrawingKind.TREND_LINE)
    click(chart, at(chart, 130, 103))
    canvas_of(chart).menu_requested.emit(at(chart, 150, 105), QPoint(10, 10))
    assert chart.drawings.tool is None
    assert chart.drawings.set.preview is None
    assert QApplication.activePopupWidget() is None
    assert not kept.drawings


def test_the_pointer_says_what_a_drag_does(qtbot: QtBot, chart: ChartWidget, kept: Kept) -> None:
    kept.put((drawn(DrawingKind.TREND_LINE, anchor(130, 102), anchor(150, 108)),))
    canvas, on_line = canvas_of(chart), at(chart, 140, 105)
    shapes = [canvas.cursor().shape()]
    for keys in (NO_KEYS, CONTROL):
        QTest.mousePress(canvas.viewport(), LEFT_BUTTON, keys, on_line.toPoint())
        on_line += QPointF(30, 0)
        QTest.mouseMove(canvas.viewport(), on_line.toPoint())
        shapes.append(canvas.cursor().shape())
        QTest.mouseRelease(canvas.viewport(), LEFT_BUTTON, keys, on_line.toPoint())
        shapes.append(canvas.cursor().shape())
    closed, copies, points = (
        Qt.CursorShape.ClosedHandCursor,
        Qt.CursorShape.DragCopyCursor,
        Qt.CursorShape.PointingHandCursor,
    )
    assert shapes == [Qt.CursorShape.CrossCursor, closed, points, copies, points]
    assert len(kept.drawings) == 2


def test_each_paste_lands_beside_the_one_before(qtbot: QtBot, chart: ChartWidget, kept: Kept) -> None:
    line = drawn(DrawingKind.TREND_LINE, anchor(130, 102), anchor(150, 108))
    kept.put((line,))
    chart.drawings.choose(line.id)
    press(chart, Key.Key_C, CONTROL)
    for _ in range(3):
        press(chart, Key.Key_V, CONTROL)
    assert len({one.anchors for one in kept.drawings.values()}) == 4


def test_a_drawing_goes_through_the_clipboard_as_json(qtbot: QtBot, chart: ChartWidget, kept: Kept) -> None:
    line = drawn(DrawingKind.TREND_LINE, anchor(130, 102), anchor(150, 108), width=3, text="Trend")
    kept.put((line,))
    chart.drawings.choose(line.id)
    press(chart, Key.Key_X, CONTROL)
    assert not kept.drawings
    assert '"cryptopipe-drawings"' in QGuiApplication.clipboard().text()
    press(chart, Key.Key_V, CONTROL)
    pasted = kept.only
    assert (pasted.anchors, pasted.style, pasted.text) == (line.anchors, line.style, line.text)
    assert pasted.id != line.id
    QGuiApplication.clipboard().setText("61,500")
    press(chart, Key.Key_V, CONTROL)
    assert kept.only == pasted


def test_a_text_is_typed_in_its_place_and_an_empty_one_is_not_placed(
    qtbot: QtBot, chart: ChartWidget, kept: Kept
) -> None:
    chart.drawings.take_tool(DrawingKind.NOTE)
    click(chart, at(chart, 150, 104))
    QTest.keyClick(chart.findChild(TextEntry), Key.Key_Return)
    assert not kept.drawings
    chart.drawings.take_tool(DrawingKind.NOTE)
    click(chart, at(chart, 150, 104))
    enter_text(chart, "Leg 1")
    assert kept.only.text == "Leg 1"
    press(chart, Key.Key_F2)
    QTest.keyClicks(chart.findChild(TextEntry), "gone")
    QTest.keyClick(chart.findChild(TextEntry), Key.Key_Escape)
    assert kept.only.text == "Leg 1"


def test_another_interval_scale_or_zone_changes_no_drawing(qtbot: QtBot, chart: ChartWidget, kept: Kept) -> None:
    lines = tuple(
        drawn(kind, *(anchor(130 + 7 * number, 102 + number) for number in range(kind.anchors)), text="x")
        for kind in DrawingKind
    )
    kept.put(lines)
    hour = Interval.parse("1h")
    first = hour.slot(anchor(0, 0).time_us)
    chart.set_series(series_of(zigzag(20, first - 10, hour), hour), BTC)
    settle(qtbot, chart)
    for key in (Key.Key_L, Key.Key_P, Key.Key_I):
        press(chart, key, ALT)
        settle(qtbot, chart)
    assert set(chart.drawings.drawings) == set(lines)
    assert kept.steps == 1
    assert chart.trouble == ""


def test_every_kind_has_a_key_and_steps(series: CandleSeries, chart: ChartWidget) -> None:
    assert set(KINDS) == set(DrawingKind)
    commands = drawing_commands(chart.drawings)
    assert all(info.command in commands and info.steps for info in KINDS.values())
