"""Where lines run, against points that must lie on them."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.market.drawings.drawing import Anchor, Drawing, DrawingKind, DrawingStyle, Extend
from app.market.drawings.geometry import RETRACEMENT_LEVELS, lines_of

ID = "01234567-89ab-4cde-8f01-23456789abcd"
prices = st.floats(1e-6, 1e6)
points = st.builds(Anchor, st.integers(0, 10**15), prices)


def lines(kind: DrawingKind, *anchors: tuple[int, float], extend: Extend = Extend.NONE, levels: tuple[float, ...] = ()):
    style = DrawingStyle(extend=extend, levels=levels)
    return lines_of(Drawing(ID, "BTCUSDT", kind, tuple(Anchor(*one) for one in anchors), style))


def prices_at(time_us: int, kind: DrawingKind, *anchors: tuple[int, float], **style: object) -> list[float]:
    found = [one.price(time_us) for one in lines(kind, *anchors, **style)]
    return sorted(one for one in found if one is not None)


@given(points, points, st.sampled_from(Extend))
def test_a_line_goes_through_its_anchors_whichever_comes_first(first: Anchor, second: Anchor, extend: Extend) -> None:
    assume(first.time_us != second.time_us)
    for kind in (DrawingKind.TREND_LINE, DrawingKind.ARROW, DrawingKind.RAY):
        for anchors in ((first, second), (second, first)):
            (line,) = lines(kind, *anchors, extend=extend)
            for anchor in anchors:
                assert line.price(anchor.time_us) == pytest.approx(anchor.price, rel=1e-9, abs=1e-9)


@given(points, points, points)
def test_the_edges_of_a_channel_are_parallel_and_meet_its_anchors(a: Anchor, b: Anchor, c: Anchor) -> None:
    assume(abs(a.time_us - b.time_us) > 1000)
    assume(abs(c.time_us - a.time_us) < 10 * abs(b.time_us - a.time_us))
    found = lines(DrawingKind.PARALLEL_CHANNEL, a, b, c, extend=Extend.BOTH)
    ours = [one.unbounded_price(c.time_us) for one in found]
    assert any(one == pytest.approx(c.price, rel=1e-6, abs=1e-3) for one in ours)
    if len(found) == 2:
        apart = [found[1].unbounded_price(one.time_us) - found[0].unbounded_price(one.time_us) for one in (a, b)]
        assert apart[0] == pytest.approx(apart[1], rel=1e-6, abs=1e-3)


def test_ends_belong_to_a_line_and_nothing_beyond() -> None:
    both = ((10, 1.0), (20, 2.0))
    line = DrawingKind.TREND_LINE
    assert [prices_at(time, line, *both) for time in (9, 10, 15, 20, 21)] == [[], [1.0], [1.5], [2.0], []]
    assert [prices_at(time, line, *both, extend=Extend.RIGHT) for time in (9, 30)] == [[], [3.0]]
    assert [prices_at(time, line, *both, extend=Extend.BOTH) for time in (0, 30)] == [[0.0], [3.0]]
    assert [prices_at(time, DrawingKind.RAY, *both) for time in (9, 30)] == [[], [3.0]]
    assert [prices_at(time, DrawingKind.RAY, *reversed(both)) for time in (0, 20, 21)] == [[0.0], [2.0], []]


def test_levels_are_prices_between_the_anchors() -> None:
    both = ((10, 100.0), (20, 200.0))
    assert prices_at(15, DrawingKind.HORIZONTAL_LINE, (3, 7.0)) == [7.0]
    assert prices_at(15, DrawingKind.RECTANGLE, *both) == [100.0, 200.0]
    assert prices_at(21, DrawingKind.PRICE_RANGE, *both) == []
    found = prices_at(15, DrawingKind.FIBONACCI_RETRACEMENT, *both)
    assert found == pytest.approx(sorted(200 - 100 * level for level in RETRACEMENT_LEVELS))
    assert prices_at(15, DrawingKind.FIBONACCI_RETRACEMENT, *both, levels=(0.5,)) == [150.0]
    three = (*both, (30, 150.0))
    assert prices_at(25, DrawingKind.FIBONACCI_EXTENSION, *three, levels=(0.0, 1.0)) == [150.0, 250.0]
    assert prices_at(15, DrawingKind.FIBONACCI_EXTENSION, *three) == []


def test_what_has_no_price_at_a_time_has_no_line() -> None:
    upright = ((10, 1.0), (10, 2.0))
    assert lines(DrawingKind.TREND_LINE, *upright) == ()
    assert lines(DrawingKind.RAY, *upright) == ()
    assert lines(DrawingKind.PARALLEL_CHANNEL, *upright, (5, 1.0)) == ()
    for kind in (DrawingKind.VERTICAL_LINE, DrawingKind.TEXT, DrawingKind.NOTE):
        assert lines(kind, (1, 1.0)) == ()
    assert lines(DrawingKind.FREEHAND, (1, 1.0), (2, 2.0)) == ()
