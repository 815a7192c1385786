"""Where gaps lie in time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.live.charts.gap_placement import PlacedGap, ids_in_view, interval_of_view, placed
from app.market.coverage import IdRanges
from app.market.interval import SECOND_US, Interval
from tests.live.helpers import START_US, folded, trade

TEN_SECONDS = Interval.parse("10s")


def seconds(number: float) -> int:
    return START_US + round(number * SECOND_US)


def place(*ids: int, missing: list[tuple[int, int]]) -> list[PlacedGap]:
    """Place gaps between trades of these ids, of which one comes every second, in candles of ten seconds."""
    traded = [candle for candle in folded(map(trade, ids), TEN_SECONDS) if candle.trades]
    return placed(IdRanges(missing), traded, TEN_SECONDS)


def test_a_gap_reaches_over_every_candle_that_it_touches() -> None:
    assert place(1, 2, 6, 35, missing=[(3, 5), (7, 34)]) == [
        PlacedGap(3, 5, 3, seconds(0), seconds(10) - 1),
        PlacedGap(7, 34, 28, seconds(0), seconds(40) - 1),
    ]


def test_gaps_between_the_same_candles_are_one_and_absent_ids_between_them_count_for_nothing() -> None:
    assert place(9, 21, missing=[(10, 12), (15, 20)]) == [PlacedGap(10, 20, 9, seconds(0), seconds(30) - 1)]


def test_a_gap_outside_of_the_candles_has_no_place() -> None:
    assert place(20, 30, missing=[(1, 5), (31, 40)]) == []
    assert place(missing=[(1, 5)]) == []


@given(st.sets(st.integers(1, 120), min_size=1), st.sets(st.integers(1, 120)))
def test_each_missing_trade_is_in_one_band_that_holds_its_time(held: set[int], absent: set[int]) -> None:
    missing = set(range(min(held), max(held))) - held - absent
    gaps = place(*sorted(held), missing=[(one, one) for one in sorted(missing)])
    assert sum(gap.missing for gap in gaps) == len(missing)
    assert [gap.first_trade_id for gap in gaps] == sorted(gap.first_trade_id for gap in gaps)
    for one in missing:
        (around,) = [gap for gap in gaps if gap.first_trade_id <= one <= gap.last_trade_id]
        assert around.start_us <= trade(one).time_us <= around.end_us
        before, after = max(two for two in held if two < one), min(two for two in held if two > one)
        assert around.start_us == TEN_SECONDS.open_time_us(trade(before).time_us)
        assert around.end_us == TEN_SECONDS.next_open_us(trade(after).time_us) - 1


def test_a_view_of_very_many_candles_is_looked_up_in_longer_ones() -> None:
    day_us = 86_400 * SECOND_US
    assert interval_of_view(TEN_SECONDS, 0, 20_000 * SECOND_US) == TEN_SECONDS
    assert interval_of_view(TEN_SECONDS, 0, day_us) == Interval.parse("1m")
    assert interval_of_view(TEN_SECONDS, 0, 3_650 * day_us) == Interval.parse("3d")
    assert interval_of_view(Interval.parse("1M"), 0, 3_650 * day_us) == Interval.parse("1M")


@pytest.mark.parametrize(
    ("start_us", "end_us", "expected"),
    [
        (0, 2_000, [(2_001, 2_010), (101, 200)]),
        (1_500, 2_000, [(2_001, 2_010)]),
        (0, 1_000, [(101, 200)]),
        (600, 700, [(121, 140)]),
        (0, 600, [(101, 120)]),
        (1_100, 1_200, []),
        (700, 700, []),
    ],
)
def test_the_ids_in_view_are_guessed_from_the_times_around_the_gap(
    start_us: int, end_us: int, expected: list[tuple[int, int]]
) -> None:
    gaps = [PlacedGap(101, 200, 100, 500, 1_000), PlacedGap(2_001, 2_010, 10, 1_600, 1_600)]
    assert ids_in_view(gaps, start_us, end_us) == expected
