"""Drawings changed by real events, while they are locked, hidden, or changed by somebody else meanwhile."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.market.drawings.drawing import Drawing, DrawingKind
from app.market.drawings.drawing_json import file_text
from tests.widgets.chart.charts import BTC, LEFT_BUTTON, canvas_of, place, series_of, settle, slot_at, zigzag
from tests.widgets.chart.drawings.helpers import NO_KEYS, Kept, anchor, click, drawn
from widgets.chart.chart_widget import ChartWidget
from widgets.chart.drawings.controls.text_entry import TextEntry

FIRST = 12_000_000
LINE = drawn(DrawingKind.TREND_LINE, anchor(130, 102), anchor(150, 108), text="Trend")


@pytest.fixture
def kept(qtbot: QtBot, chart: ChartWidget) -> Kept:
    """A chart of 200 candles with one chosen trend line."""
    chart.set_series(series_of(zigzag(200)), BTC)
    chart.navigator.pan(60)
    settle(qtbot, chart)
    made = Kept(chart, [LINE])
    chart.drawings.choose(LINE.id)
    return made


def at(chart: ChartWidget, slot: float, price: float) -> QPointF:
    return place(chart, FIRST + slot, price)


def entry_of(chart: ChartWidget) -> TextEntry | None:
    return chart.findChild(TextEntry)


def begin_drag(chart: ChartWidget) -> None:
    viewport = canvas_of(chart).viewport()
    QTest.mousePress(viewport, LEFT_BUTTON, NO_KEYS, at(chart, 140, 105).toPoint())
    QTest.mouseMove(viewport, at(chart, 146, 103).toPoint())


def end_drag(chart: ChartWidget) -> None:
    QTest.mouseRelease(canvas_of(chart).viewport(), LEFT_BUTTON, NO_KEYS, at(chart, 146, 103).toPoint())


@pytest.mark.parametrize("is_all", [False, True])
def test_a_locked_drawing_keeps_its_text_style_and_place(
    qtbot: QtBot, chart: ChartWidget, kept: Kept, is_all: bool
) -> None:
    if is_all:
        chart.drawings.lock_all(locked=True)
        chart.drawings.choose(LINE.id)
    else:
        kept.put((replace(LINE, locked=True),))
    before = kept.only
    viewport = canvas_of(chart).viewport()
    QTest.mouseDClick(viewport, LEFT_BUTTON, NO_KEYS, at(chart, 140, 105).toPoint())
    chart.drawings.choose(LINE.id)
    chart.run_command("edit_drawing")
    assert entry_of(chart) is None
    assert "unlock" in chart.sentence
    for command in ("drawing_left", "drawing_up", "remove_drawing", "cut_drawing"):
        chart.run_command(command)
    chart.drawings.change_style(LINE, width=4)
    assert kept.only == before
    chart.run_command("lock_drawings" if is_all else "lock_drawing")
    chart.drawings.choose(LINE.id)
    chart.run_command("remove_drawing")
    assert not kept.drawings


def test_a_menu_opened_before_another_change_keeps_that_change(qtbot: QtBot, chart: ChartWidget, kept: Kept) -> None:
    moved = replace(LINE, anchors=(anchor(131, 103), anchor(151, 109)))
    kept.put((moved,))  # while the menu or a dialog is open
    chart.drawings.change_style(LINE, colour="#ff0000")
    chart.drawings.change(LINE, hidden=True)
    assert kept.only == replace(moved, hidden=True, style=replace(LINE.style, colour="#ff0000"))


def test_a_menu_of_a_drawing_that_is_gone_brings_nothing_back(qtbot: QtBot, chart: ChartWidget, kept: Kept) -> None:
    kept.remove(LINE.id)
    chart.drawings.change_style(LINE, colour="#ff0000")
    chart.drawings.change(LINE, locked=True)
    chart.drawings.bring_to_front(LINE)
    assert not kept.drawings
    assert chart.sentence == "Trend line: it is not on this chart any more."


def test_a_drag_keeps_what_was_changed_elsewhere_meanwhile(qtbot: QtBot, chart: ChartWidget, kept: Kept) -> None:
    begin_drag(chart)
    styled = replace(LINE, style=replace(LINE.style, width=4), text="Theirs")
    kept.put((styled,))
    end_drag(chart)
    assert kept.only.anchors[0].time_us == anchor(136, 0).time_us
    assert replace(kept.only, anchors=LINE.anchors) == styled


def test_a_drag_of_a_drawing_that_is_removed_meanwhile_ends(qtbot: QtBot, chart: ChartWidget, kept: Kept) -> None:
    begin_drag(chart)
    QTest.keyClick(chart.focusProxy(), Qt.Key.Key_Delete)
    assert chart.drawings.set.preview is None
    end_drag(chart)
    assert not kept.drawings


@pytest.mark.parametrize("typed", ["", "Mine"])
def test_a_text_typed_while_the_drawing_is_moved_elsewhere_keeps_that_place(
    qtbot: QtBot, chart: ChartWidget, kept: Kept, typed: str
) -> None:
    chart.run_command("edit_drawing")
    moved = replace(LINE, anchors=(anchor(131, 103), anchor(151, 109)))
    kept.put((moved,))
    QTest.keyClicks(entry_of(chart), typed)
    QTest.keyClick(entry_of(chart), Qt.Key.Key_Return)
    assert kept.only == replace(moved, text=typed or "Trend")


def test_a_text_field_left_as_it_was_brings_no_removed_drawing_back(
    qtbot: QtBot, chart: ChartWidget, kept: Kept
) -> None:
    chart.run_command("edit_drawing")
    kept.remove(LINE.id)
    QTest.keyClick(entry_of(chart), Qt.Key.Key_Return)
    assert not kept.drawings


def test_the_arrows_move_the_chart_and_not_a_drawing_that_cannot_be_seen(
    qtbot: QtBot, chart: ChartWidget, kept: Kept
) -> None:
    chart.run_command("hide_drawing")
    slot = slot_at(chart, 300.0)
    QTest.keyClick(chart.focusProxy(), Qt.Key.Key_Left)
    settle(qtbot, chart)
    assert kept.only.anchors == LINE.anchors
    assert slot_at(chart, 300.0) != slot


def test_a_drawing_that_cannot_be_seen_has_no_handles(qtbot: QtBot, chart: ChartWidget, kept: Kept) -> None:
    chart.drawings.show_all(shown=False)
    chart.drawings.choose(LINE.id)  # in the list
    slot = slot_at(chart, 300.0)
    viewport = canvas_of(chart).viewport()
    QTest.mousePress(viewport, LEFT_BUTTON, NO_KEYS, at(chart, 150, 108).toPoint())
    QTest.mouseMove(viewport, at(chart, 158, 104).toPoint())
    QTest.mouseRelease(viewport, LEFT_BUTTON, NO_KEYS, at(chart, 158, 104).toPoint())
    assert kept.only == LINE
    assert slot_at(chart, 300.0) != slot


def test_a_new_drawing_shows_the_hidden_ones_again(qtbot: QtBot, chart: ChartWidget, kept: Kept) -> None:
    chart.run_command("copy_drawing")
    for place_one in (
        lambda: chart.drawings.take_tool(DrawingKind.HORIZONTAL_LINE),
        lambda: chart.run_command("paste_drawing"),
        lambda: chart.drawings.duplicate(LINE),
    ):
        chart.drawings.show_all(shown=False)
        place_one()
        assert chart.drawings.is_shown
    chart.drawings.take_tool(None)
    chart.drawings.show_all(shown=False)
    click(chart, at(chart, 120, 101))
    assert not chart.drawings.is_shown


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("61,500", "The clipboard has no drawing."),
        (file_text([LINE]).replace("trend_line", "pitchfork"), "Nothing was pasted. Drawing 1 of 1: Its kind is"),
        (file_text([LINE]).replace(", 108]", ", 1e300]"), "Nothing was pasted. Drawing 1 of 1: The price"),
        (file_text([LINE], {"new": json.loads("[" * 300 + "]" * 300)}), "Nothing was pasted. It has fields nested"),
        (f'{{"format": "cryptopipe-drawings", "new": {"[" * 9000}', "Nothing was pasted. This is not JSON"),
    ],
    ids=["text", "kind", "price", "nested", "broken"],
)
def test_what_cannot_be_pasted_says_why_and_changes_nothing(
    qtbot: QtBot, chart: ChartWidget, kept: Kept, text: str, said: str
) -> None:
    QGuiApplication.clipboard().setText(text)
    chart.run_command("paste_drawing")
    assert chart.sentence.startswith(said)
    assert kept.only == LINE


@pytest.mark.parametrize(
    ("drawings", "said"),
    [
        ([LINE], "Pasted: trend line."),
        ([drawn(DrawingKind.RECTANGLE, anchor(130, 60_000), anchor(150, 61_000))], "Pasted: rectangle, above the"),
        ([drawn(DrawingKind.HORIZONTAL_LINE, anchor(130, 0.5))], "Pasted: horizontal line, below the prices in view."),
        ([drawn(DrawingKind.VERTICAL_LINE, anchor(130, 0.5))], "Pasted: vertical line."),
        ([drawn(DrawingKind.HORIZONTAL_LINE, anchor(130, 0.5)), LINE], "Pasted the drawings."),
    ],
)
def test_a_paste_says_where_drawings_of_another_symbols_prices_are(
    qtbot: QtBot, chart: ChartWidget, kept: Kept, drawings: list[Drawing], said: str
) -> None:
    QGuiApplication.clipboard().setText(file_text(drawings))
    chart.run_command("paste_drawing")
    assert chart.sentence.startswith(said)


def test_pasted_drawings_lie_above_each_other_as_they_did(qtbot: QtBot, chart: ChartWidget, kept: Kept) -> None:
    above, below = (drawn(DrawingKind.RECTANGLE, *LINE.anchors, order=order, width=order) for order in (4, 1))
    QGuiApplication.clipboard().setText(file_text([above, below]))
    chart.run_command("paste_drawing")
    first, second = chart.drawings.drawings[1:]
    assert kept.steps == 1
    assert first.order > LINE.order
    assert second.order > first.order
    assert (first.style, second.style) == (below.style, above.style)
    assert chart.drawings.chosen == second
