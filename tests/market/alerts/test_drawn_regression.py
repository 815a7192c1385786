"""The lines of a regression channel, against the standard library's regression, and exact to the last digit."""

from __future__ import annotations

import statistics
import uuid
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.market.alerts.drawn_regression import DEVIATIONS, are_of, regression_lines
from app.market.drawings.drawing import Anchor, Drawing, DrawingKind, DrawingStyle, Extend
from app.market.errors import UsageError

MINUTE_US = 60_000_000
closes = st.lists(
    st.tuples(st.integers(0, 10**6), st.integers(1, 10**14)), min_size=2, max_size=40, unique_by=lambda one: one[0]
)


def channel(start_us: int, end_us: int, extend: Extend = Extend.NONE) -> Drawing:
    anchors = Anchor(end_us, 1.0), Anchor(start_us, 2.0)  # their prices, and which is first, do not count
    style = DrawingStyle(extend=extend)
    return Drawing(str(uuid.uuid4()), "BTCUSDT", DrawingKind.REGRESSION_CHANNEL, anchors, style)


@given(closes)
def test_it_is_the_line_of_least_squares_with_two_deviations_to_each_side(found: list[tuple[int, int]]) -> None:
    found.sort()
    times, values = [1_700_000_000_000_000 + at * MINUTE_US for at, _ in found], [close for _, close in found]
    lines = regression_lines(channel(times[0], times[-1]), times, values)
    # In fractions, as floats of times and prices in 1e-8 are too coarse.
    xs = [Fraction(time - times[0]) for time in times]
    mean_x, mean_y = statistics.mean(xs), statistics.mean(map(Fraction, values))
    slope = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, values, strict=True)) / sum(
        (x - mean_x) ** 2 for x in xs
    )
    ends = [mean_y + slope * (x - mean_x) for x in (xs[0], xs[-1])]
    away = [y - mean_y - slope * (x - mean_x) for x, y in zip(xs, values, strict=True)]
    reach = DEVIATIONS * (float(sum(one * one for one in away) / len(away)) ** 0.5)
    middle = lines[len(lines) // 2]
    assert abs(middle.price0_e8 - ends[0]) <= Fraction(1, 2)
    assert abs(middle.price1_e8 - ends[1]) <= Fraction(1, 2)
    assert lines[-1].price0_e8 - middle.price0_e8 == pytest.approx(reach, rel=1e-9, abs=1)
    assert [(one.time0_us, one.time1_us) for one in lines] == [(times[0], times[-1])] * len(lines)
    assert [middle.price1_e8 - one.price1_e8 for one in lines] == [middle.price0_e8 - one.price0_e8 for one in lines]


def test_closes_on_a_line_have_no_edges_beside_it() -> None:
    times = [at * MINUTE_US for at in range(5)]
    (line,) = regression_lines(channel(0, 8 * MINUTE_US, Extend.RIGHT), times, [100, 110, 120, 130, 140])
    assert (line.price0_e8, line.price1_e8, line.start_us, line.end_us) == (100, 180, 0, None)


def test_one_minute_is_too_short() -> None:
    with pytest.raises(UsageError, match="too short"):
        regression_lines(channel(0, MINUTE_US), [0], [100])
    with pytest.raises(UsageError, match="too short"):
        regression_lines(channel(5, 5), [0, MINUTE_US], [100, 101])


def test_lines_are_of_a_channel_until_its_times_or_its_length_change() -> None:
    times = [at * MINUTE_US for at in range(3)]
    lines = regression_lines(channel(0, 9), times, [100, 90, 120])
    assert are_of(channel(0, 9), lines)
    assert not are_of(channel(0, 10), lines)
    assert not are_of(channel(0, 9, Extend.RIGHT), lines)
    assert not are_of(channel(0, 9), ())
