"""The field in which a drawing's text is typed: in view whatever is typed, and nothing typed is lost."""

from __future__ import annotations

import pytest
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.market.drawings.drawing import DrawingKind
from tests.widgets.chart.charts import BTC, canvas_of, place, series_of, settle, zigzag
from tests.widgets.chart.drawings.helpers import Kept, anchor, click, drawn
from widgets.chart.chart_widget import ChartWidget
from widgets.chart.drawings.controls.text_entry import TextEntry

FIRST = 12_000_000
NOTE = drawn(DrawingKind.NOTE, anchor(195, 105), text="Note")


@pytest.fixture
def kept(qtbot: QtBot, chart: ChartWidget) -> Kept:
    """A chart of 200 candles with a note near its right edge."""
    chart.set_series(series_of(zigzag(200)), BTC)
    settle(qtbot, chart)
    return Kept(chart, [NOTE])


def opened(chart: ChartWidget) -> TextEntry:
    chart.drawings.choose(NOTE.id)
    chart.run_command("edit_drawing")
    return chart.findChild(TextEntry)


@pytest.mark.parametrize(
    "text",
    ["x" * 30, "x" * 500, "line\n" * 60, "مرحبا " * 40, "🙂" * 100],
    ids=["long", "longer", "high", "rtl", "emoji"],
)
def test_the_field_stays_inside_the_chart_with_its_cursor_in_view(
    qtbot: QtBot, chart: ChartWidget, kept: Kept, text: str
) -> None:
    entry = opened(chart)
    entry.insertPlainText(text)
    settle(qtbot, chart)
    assert canvas_of(chart).rect().contains(entry.geometry())
    assert entry.viewport().rect().adjusted(-2, 0, 2, 0).contains(entry.cursorRect())
    entry.enter()
    assert kept.only.text == text.strip()
    settle(qtbot, chart)
    assert chart.trouble == ""


@pytest.mark.parametrize("is_new", [False, True])
def test_what_is_typed_is_taken_as_the_chart_goes_out_of_view(
    qtbot: QtBot, chart: ChartWidget, kept: Kept, is_new: bool
) -> None:
    if is_new:
        kept.remove(NOTE.id)
        chart.drawings.take_tool(DrawingKind.NOTE)
        click(chart, place(chart, FIRST + 190, 104.0))
        entry = chart.findChild(TextEntry)
    else:
        entry = opened(chart)
    QTest.keyClicks(entry, "Typed")
    chart.hide()
    assert kept.only.text == "Typed"
    assert not entry.isVisibleTo(chart)
