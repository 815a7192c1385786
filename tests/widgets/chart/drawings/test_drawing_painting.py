"""The painted drawings: their pixels, in both themes and at several scales, and what a pan and a tick repaint."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPointF
from PySide6.QtGui import QColor, QImage
from pytestqt.qtbot import QtBot

from app.market.drawings.drawing import DrawingKind
from app.market.series.series import CandleSeries
from tests.widgets.chart.charts import (
    FIRST_SLOT,
    candle,
    colour_at,
    is_drawn_at,
    picture,
    place,
    settle,
)
from tests.widgets.chart.drawings.helpers import anchor, assert_near, drawn, many, shot
from widgets.chart.chart_widget import ChartWidget
from widgets.chart.drawings.label_layout import point_labels
from widgets.chart.drawings.line_painting import colour_of
from widgets.chart.painting.device_pixels import mixed
from widgets.theme.palettes import DARK, LIGHT, Palette

Kind = DrawingKind
CHOSEN_COLOUR = "#ff00ff"


def at(chart: ChartWidget, slot: float, price: float) -> QPointF:
    return place(chart, FIRST_SLOT + slot, price)


@pytest.mark.parametrize("palette", [DARK, LIGHT], ids=lambda palette: palette.name)
@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0])
def test_lines_are_where_their_anchors_say(
    qtbot: QtBot, chart: ChartWidget, series: CandleSeries, palette: Palette, scale: float
) -> None:
    chart.set_palette(palette)
    chart.drawings.set_drawings(
        [
            drawn(Kind.TREND_LINE, anchor(40, 113), anchor(60, 115), colour=CHOSEN_COLOUR, width=2),
            drawn(Kind.HORIZONTAL_LINE, anchor(50, 114.5), colour="line:1"),
            drawn(Kind.RECTANGLE, anchor(62, 111.8), anchor(80, 112.8), colour="line:3", filled=True),
        ]
    )
    settle(qtbot, chart)
    image = picture(chart, scale)
    assert is_drawn_at(image, at(chart, 50, 114), CHOSEN_COLOUR)
    assert is_drawn_at(image, at(chart, 30, 114.5), colour_of(palette, "line:1").name())
    edge = colour_of(palette, "line:3")
    assert is_drawn_at(image, at(chart, 70, 112.8), edge.name())
    inside = at(chart, 70.5, 112.4)
    assert colour_at(image, inside) in (mixed(palette.background, edge, 0.13).name(), palette.grid)


@pytest.mark.parametrize("kind", list(Kind), ids=lambda kind: kind.value)
def test_every_kind_is_painted_and_a_hidden_one_is_not(
    qtbot: QtBot, chart: ChartWidget, series: CandleSeries, kind: DrawingKind
) -> None:
    before = picture(chart)
    spots = ((40, 113.0), (60, 114.0), (50, 112.0))
    count = max(kind.anchors, 2) if kind is Kind.FREEHAND else kind.anchors
    drawing = drawn(kind, *(anchor(*spot) for spot in spots[:count]), text="Supply zone", colour=CHOSEN_COLOUR)
    chart.drawings.set_drawings([drawing])
    settle(qtbot, chart)
    shown = picture(chart)
    assert count_near(shown, CHOSEN_COLOUR) > 10
    assert chart.trouble == ""
    chart.drawings.show_all(shown=False)
    settle(qtbot, chart)
    assert picture(chart) == before
    chart.drawings.show_all(shown=True)
    settle(qtbot, chart)
    assert picture(chart) == shown


def test_the_chosen_drawing_has_handles_and_a_locked_one_has_none(
    qtbot: QtBot, chart: ChartWidget, series: CandleSeries
) -> None:
    line = drawn(Kind.TREND_LINE, anchor(40, 113), anchor(60, 115), colour=CHOSEN_COLOUR)
    chart.drawings.set_drawings([line])
    chart.drawings.choose(line.id)
    settle(qtbot, chart)
    handle = at(chart, 40, 113)
    assert colour_at(picture(chart), handle) == DARK.background
    assert is_drawn_at(picture(chart), handle + QPointF(-4.5, 0), DARK.accent, 0.5)


@pytest.mark.parametrize("scale", [1.0, 1.25, 2.0])
def test_many_are_painted_as_few_are(qtbot: QtBot, chart: ChartWidget, series: CandleSeries, scale: float) -> None:
    drawings = many(30)
    chart.drawings.set_drawings(drawings)
    chart.navigator.pan(61)
    settle(qtbot, chart)
    from_pictures = picture(chart, scale)
    chart.drawings._painter.shift = lambda scale, area: None
    assert_near(from_pictures, picture(chart, scale))


def test_a_pan_moves_the_pictures_to_where_a_whole_paint_has_them(
    qtbot: QtBot, chart: ChartWidget, series: CandleSeries
) -> None:
    chart.drawings.set_drawings(many(40))
    settle(qtbot, chart)
    for by in (40, 33, -12, 300, -200):
        chart.navigator.pan(by)
        settle(qtbot, chart)
    assert_near(shot(chart), picture(chart))


def test_a_tick_repaints_the_drawings_over_the_last_candle(
    qtbot: QtBot, chart: ChartWidget, series: CandleSeries
) -> None:
    chart.drawings.set_drawings(
        [
            drawn(Kind.TREND_LINE, anchor(60, 104), anchor(110, 109), colour=CHOSEN_COLOUR, width=2),
            drawn(Kind.REGRESSION_CHANNEL, anchor(70, 104), anchor(120, 109), filled=True),
            drawn(Kind.HORIZONTAL_LINE, anchor(60, 106)),
        ]
    )
    settle(qtbot, chart)
    for close in (107, 103, 108):
        series.upsert(candle(FIRST_SLOT + 99, 100, close))
        chart.series_changed()
        settle(qtbot, chart)
        assert shot(chart) == picture(chart)


def count_near(image: QImage, colour: str) -> int:
    """How many pixels have about that colour; counted up to some ten."""
    wanted, near = QColor(colour), 0
    for y in range(image.height()):
        for x in range(image.width()):
            seen = QColor(image.pixel(x, y))
            parts = zip(seen.getRgb()[:3], wanted.getRgb()[:3], strict=True)
            near += sum(abs(one - other) for one, other in parts) < 150
        if near > 10:
            break
    return near


def test_a_rectangle_s_caption_stays_inside_and_is_cut_where_it_is_narrow(
    qtbot: QtBot, chart: ChartWidget, series: CandleSeries
) -> None:
    seen = set()
    for start in range(40, 80):
        box = drawn(Kind.RECTANGLE, anchor(start, 111), anchor(80, 113), text="Supply, 14 Nov", filled=True)
        chart.drawings.set_drawings([box])
        settle(qtbot, chart)
        (placed,) = point_labels(chart._scene, chart.drawings.set.groups(), chart.drawings.set.view())
        (text,) = placed.lines
        seen.add("…" if text.endswith("…") else text)
        left, right = at(chart, start, 112).x(), at(chart, 80, 112).x()
        assert not text or left <= placed.rect.left() <= placed.rect.right() <= right
    assert seen == {"Supply, 14 Nov", "…", ""}


@pytest.mark.parametrize(
    ("text", "spot"), [("W" * 200, (-120, 106.0)), ("\n".join(["W" * 20] * 90), (50, 60.0))], ids=["long", "high"]
)
def test_a_text_is_painted_as_long_as_a_part_of_it_is_in_view(
    qtbot: QtBot, chart: ChartWidget, series: CandleSeries, text: str, spot: tuple[float, float]
) -> None:
    first = chart.drawings.set.view().time_scale.slot_at(0.0) - FIRST_SLOT
    chart.drawings.set_drawings([drawn(Kind.TEXT, anchor(first + spot[0], spot[1]), text=text, colour=CHOSEN_COLOUR)])
    settle(qtbot, chart)
    (placed,) = point_labels(chart._scene, chart.drawings.set.groups(), chart.drawings.set.view())
    assert placed.rect.intersects(chart._scene.price.rect)
    assert count_near(picture(chart), CHOSEN_COLOUR) > 10
