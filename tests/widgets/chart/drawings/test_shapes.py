"""What drawings consist of: levels, channels, regressions, figures of a price range."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.market.drawings.drawing import DrawingKind, Extend
from tests.widgets.chart.charts import FIRST_SLOT, candle, series_of
from tests.widgets.chart.drawings.helpers import anchor, drawn
from widgets.chart.drawings.shapes import Where, regression, shape_of

Kind = DrawingKind


def test_a_retracement_counts_from_the_end_of_the_move() -> None:
    shape = shape_of(drawn(Kind.FIBONACCI_RETRACEMENT, anchor(0, 60_792), anchor(9, 62_382)), 2, None)
    texts = [label.text for label in shape.labels]
    assert texts[0] == "0 · 62,382.00"
    assert texts[2] == "0.382 · 61,774.62"
    assert texts[-1] == "1 · 60,792.00"


def test_an_extension_projects_the_move_from_its_third_anchor() -> None:
    drawing = drawn(Kind.FIBONACCI_EXTENSION, anchor(0, 100), anchor(5, 140), anchor(8, 120), levels=(0.0, 1.0, 1.618))
    prices = [label.price for label in shape_of(drawing, 2, None).labels]
    assert prices == pytest.approx([120, 160, 184.72])


@pytest.mark.parametrize("kind", [Kind.FIBONACCI_RETRACEMENT, Kind.FIBONACCI_EXTENSION])
def test_levels_are_named_where_their_lines_end(kind: DrawingKind) -> None:
    for extend, where in ((Extend.NONE, Where.BESIDE), (Extend.RIGHT, Where.MARGIN), (Extend.BOTH, Where.MARGIN)):
        shape = shape_of(drawn(kind, anchor(0, 100), anchor(5, 140), anchor(8, 120), extend=extend), 2, None)
        assert {label.where for label in shape.labels} == {where}
        levels = [stroke for stroke in shape.strokes if not stroke.is_soft]
        assert [label.price for label in shape.labels] == [stroke.end for stroke in levels]
        if where is Where.BESIDE:
            assert [label.time_us for label in shape.labels] == [stroke.end_us for stroke in levels]


def test_a_channels_other_edge_passes_its_third_anchor() -> None:
    channel = drawn(Kind.PARALLEL_CHANNEL, anchor(0, 100), anchor(10, 120), anchor(5, 125), filled=True)
    shape = shape_of(channel, 2, None)
    edges = [(stroke.start, stroke.end) for stroke in shape.strokes if not stroke.is_soft]
    assert edges == [(100, 120), (115, 135)]
    (middle,) = [(stroke.start, stroke.end) for stroke in shape.strokes if stroke.is_soft]
    assert middle == (107.5, 127.5)
    assert len(shape.fills) == 1


@pytest.mark.parametrize("extend", list(Extend))
@pytest.mark.parametrize("slots", [(0, 10), (10, 0)])
def test_right_is_later_whichever_end_was_placed_first(extend: Extend, slots: tuple[int, int]) -> None:
    (stroke,) = shape_of(
        drawn(Kind.TREND_LINE, anchor(slots[0], 1), anchor(slots[1], 2), extend=extend), 2, None
    ).strokes
    later, earlier = (stroke.after, stroke.before) if slots[0] < slots[1] else (stroke.before, stroke.after)
    assert later == (extend is not Extend.NONE)
    assert earlier == (extend is Extend.BOTH)


def test_a_ray_goes_on_where_its_second_anchor_points() -> None:
    (stroke,) = shape_of(drawn(Kind.RAY, anchor(10, 1), anchor(0, 2)), 2, None).strokes
    assert (stroke.before, stroke.after) == (False, True)


def test_a_price_range_says_difference_and_percent() -> None:
    (label,) = shape_of(drawn(Kind.PRICE_RANGE, anchor(0, 200), anchor(5, 190)), 2, None).labels
    assert (label.where, label.text, label.is_rising) == (Where.RANGE, "−10.00 (−5.00 %)", False)
    (label,) = shape_of(drawn(Kind.PRICE_RANGE, anchor(0, 0), anchor(5, 10)), 2, None).labels
    assert label.text == "+10.00"


def test_level_and_upright_lines_have_no_ends() -> None:
    (level,) = shape_of(drawn(Kind.HORIZONTAL_LINE, anchor(0, 5)), 2, None).strokes
    (upright,) = shape_of(drawn(Kind.VERTICAL_LINE, anchor(0, 5)), 2, None).strokes
    assert (level.start_us, level.end_us) == (-inf, inf)
    assert (upright.start, upright.end) == (-inf, inf)


@given(st.lists(st.floats(1, 1000), min_size=2, max_size=40), st.data())
def test_a_regression_is_numpys_over_the_candles_between(closes: list[float], data: st.DataObject) -> None:
    series = series_of(candle(FIRST_SLOT + at, close, close) for at, close in enumerate(closes))
    first = data.draw(st.integers(0, len(closes) - 2))
    last = data.draw(st.integers(first + 1, len(closes) - 1))
    found = regression(series, anchor(last, 0).time_us, anchor(first, 0).time_us)
    assert found is not None
    at, values = np.arange(first, last + 1), series.column("close")[first : last + 1]
    slope, base = np.polyfit(at, values, 1)
    away = values - (base + slope * at)
    assert found == pytest.approx(
        (base + slope * last, base + slope * first, np.sqrt((away**2).mean())), rel=1e-6, abs=1e-4
    )


def test_a_regression_without_candles_is_none() -> None:
    series = series_of(candle(FIRST_SLOT + at, 100, 110) for at in range(5))
    assert regression(series, anchor(100, 0).time_us, anchor(120, 0).time_us) is None
    assert regression(None, 0, 1) is None


@pytest.mark.parametrize("kind", list(Kind), ids=lambda kind: kind.value)
def test_a_drawing_that_is_not_complete_has_what_can_be_shown(kind: DrawingKind) -> None:
    for count in range(1, kind.anchors + 1):
        shape_of(drawn(kind, *(anchor(at, 100 + at) for at in range(count)), filled=True), 2, None)


@pytest.mark.parametrize("kind", list(Kind), ids=lambda kind: kind.value)
def test_anchors_in_one_point_do_no_harm(kind: DrawingKind) -> None:
    for series in (None, series_of(candle(FIRST_SLOT + at, 100, 110) for at in range(5))):
        shape = shape_of(drawn(kind, *[anchor(3, 100)] * kind.anchors, filled=True), 2, series)
        assert all(np.isfinite(price) for fill in shape.fills for price in fill[2:6])
