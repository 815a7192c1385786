"""The series against a plain dict of candles, and its levels against folding by hand."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.market.candle import Candle, CandleSource
from app.market.interval import Interval
from app.market.series.series import CLOSED, COMPLETE, CandleSeries
from app.market.units import E8, E16

MINUTE = Interval.parse("1m")


def candle(slot: int, price: int = 100, *, interval: Interval = MINUTE, **fields: Any) -> Candle:
    """A candle of that slot with round figures around ``price``, in whole units."""
    usual = Candle(
        interval.slot_open_us(slot),
        price * E8,
        (price + 2) * E8,
        (price - 2) * E8,
        (price + 1) * E8,
        3 * E8,
        300 * E16,
        7,
        1 * E8,
        100 * E16,
        slot * 10,
        slot * 10 + 6,
    )
    return usual._replace(**fields)


def slots_of(series: CandleSeries) -> list[int]:
    return [int(slot) for slot in series.slots]


def test_replace_and_upsert_write_the_same_figures() -> None:
    candles = [
        candle(1),
        candle(2, 101, closed=False, complete=False, source=CandleSource.MIXED),
        candle(5, 99, first_trade_id=None, last_trade_id=None, source=CandleSource.KLINE),
        candle(6, volume_e8=1234567890123456789012, quote_volume_e16=987654321098765432109876543210),
    ]
    whole, one_by_one = CandleSeries("X", MINUTE), CandleSeries("X", MINUTE)
    whole.replace(candles)
    for each in candles:
        one_by_one.upsert(each)
    assert [whole.bar(i) for i in range(4)] == [one_by_one.bar(i) for i in range(4)]
    assert whole.bar(3).volume == 1234567890123456789012 / E8
    assert whole.bar(3).quote_volume == 987654321098765432109876543210 / E16
    assert whole.bar(2).first_trade_id == -1


AMOUNTS = st.sampled_from([0, 1, E8, 10**24])


@given(
    st.lists(
        st.builds(
            dict,
            high_e8=st.sampled_from([98 * E8, 102 * E8, 102 * E8 + 1]),
            low_e8=st.just(98 * E8),
            volume_e8=AMOUNTS,
            quote_volume_e16=AMOUNTS,
            trades=st.integers(0, 2),
            taker_buy_volume_e8=AMOUNTS,
            first_trade_id=st.sampled_from([None, 1]),
            closed=st.booleans(),
            complete=st.booleans(),
            source=st.sampled_from(CandleSource),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_a_page_is_written_as_its_candles_are_one_by_one(fields: list[dict[str, Any]]) -> None:
    candles = [candle(slot, **each) for slot, each in enumerate(fields)]
    page, one_by_one = CandleSeries("X", MINUTE), CandleSeries("X", MINUTE)
    page.merge(candles)
    for each in candles:
        one_by_one.upsert(each)
    assert [page.bar(at) for at in range(len(candles))] == [one_by_one.bar(at) for at in range(len(candles))]
    assert page.column("flags").tolist() == one_by_one.column("flags").tolist()


def test_columns_make_the_series_that_their_candles_make() -> None:
    candles = [candle(slot, 100 + slot, first_trade_id=None, last_trade_id=None) for slot in (1, 2, 5)]
    read, given_columns = CandleSeries("X", MINUTE), CandleSeries("X", MINUTE)
    read.replace(candles)
    given_columns.replace(candles[:1])
    names = [
        name for name in read.bar(0)._fields if name not in {"slot", "open_time_us", "closed", "complete", "source"}
    ]
    shape = given_columns.shape_revision
    given_columns.replace_columns(read.column("open_time_us"), **{name: read.column(name) for name in names})
    assert [given_columns.bar(at) for at in range(3)] == [read.bar(at) for at in range(3)]
    assert given_columns.shape_revision > shape
    given_columns.upsert(candle(6))
    assert slots_of(given_columns) == [1, 2, 5, 6]
    assert len(read) == 3


def test_columns_that_do_not_fit_change_nothing() -> None:
    series = CandleSeries("X", MINUTE)
    series.replace([candle(1)])
    times, prices = np.array([MINUTE.slot_open_us(at) for at in (3, 4)]), np.array([1.0, 2.0])
    with pytest.raises(ValueError, match=r"missing: .'close', 'open'"):
        series.replace_columns(times, high=prices, low=prices)
    with pytest.raises(ValueError, match=r"wrong: .'volume'"):
        series.replace_columns(times, open=prices, high=prices, low=prices, close=prices, volume=prices[:1])
    with pytest.raises(ValueError, match=r"wrong: .'colour'"):
        series.replace_columns(times, open=prices, high=prices, low=prices, close=prices, colour=prices)
    assert slots_of(series) == [1]
    series.replace_columns(times, open=prices, high=prices, low=prices, close=prices)
    assert (series.bar(1).close, series.bar(1).volume, series.bar(1).last_trade_id) == (2.0, 0.0, -1)


def test_months_have_slots_by_the_calendar() -> None:
    month = Interval.parse("1M")
    series = CandleSeries("X", month)
    series.replace([candle(slot, interval=month) for slot in (290, 291, 293)])
    assert slots_of(series) == [290, 291, 293]


def test_prepend_passes_over_what_is_not_older() -> None:
    series = CandleSeries("X", MINUTE)
    series.replace([candle(10), candle(11)])
    assert series.prepend([candle(8), candle(9), candle(10, 500), candle(12)]) == 2
    assert slots_of(series) == [8, 9, 10, 11]
    assert series.bar(2).open == 100
    assert series.prepend([candle(10)]) == 0


def test_revisions_tell_a_new_last_bar_from_moved_bars() -> None:
    series = CandleSeries("X", MINUTE)
    series.replace([candle(10), candle(11)])
    shape, revision = series.shape_revision, series.revision
    series.upsert(candle(11, 120))
    series.upsert(candle(13))
    assert (series.shape_revision, series.revision) == (shape, revision + 2)
    series.upsert(candle(12))
    series.upsert(candle(10, 90))
    series.prepend([candle(1)])
    assert series.shape_revision == shape + 3


def test_a_doubted_candle_is_redrawn_and_moves_no_other() -> None:
    series = CandleSeries("X", MINUTE)
    series.replace([candle(10), candle(11)])
    whole = series.bar(0)
    shape, revision = series.shape_revision, series.revision
    series.mark_incomplete(1)
    assert (series.shape_revision, series.revision) == (shape, revision + 1)
    assert [series.bar(at).complete for at in (0, 1)] == [True, False]
    series.mark_incomplete(0)
    assert series.shape_revision == shape + 1, "views keep what they drew of all but the last"
    assert series.bar(0) == whole._replace(complete=False)


def test_bar_outside_the_series_is_an_index_error() -> None:
    series = CandleSeries("X", MINUTE)
    with pytest.raises(IndexError):
        series.bar(0)
    series.upsert(candle(3))
    assert series.bar(-1) == series.bar(0)
    with pytest.raises(IndexError):
        series.bar(-2)


@pytest.mark.parametrize(("slot", "index"), [(4, -1), (5, 0), (6.9, 0), (7, 1), (99, 1)])
def test_index_at_slot_is_the_bar_at_or_before(slot: float, index: int) -> None:
    series = CandleSeries("X", MINUTE)
    series.replace([candle(5), candle(7)])
    assert series.index_at_slot(slot) == index


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("upsert"), st.integers(0, 60), st.integers(50, 150)),
        st.tuples(st.just("prepend"), st.integers(-40, 20), st.integers(1, 30)),
        st.tuples(st.just("replace"), st.integers(0, 30), st.integers(0, 40)),
        st.tuples(st.just("merge"), st.integers(-20, 60), st.integers(1, 30)),
        st.tuples(st.just("doubt"), st.integers(0, 60), st.just(0)),
        st.tuples(st.just("look"), st.integers(0, 5), st.just(0)),
    ),
    max_size=25,
)


@given(STEPS)
def test_any_changes_leave_the_candles_of_a_dict_and_true_levels(steps: list[tuple[str, int, int]]) -> None:
    series, expected = CandleSeries("X", MINUTE), dict[int, Candle]()
    for what, at, size in steps:
        if what == "upsert":
            expected[at] = candle(at, size, complete=size % 3 > 0)
            series.upsert(expected[at])
        elif what == "replace":
            expected = {slot: candle(slot, 60 + slot) for slot in range(at, at + size)}
            series.replace(list(expected.values()))
        elif what == "prepend":
            older = {slot: candle(slot, 100 + slot) for slot in range(at, at + size) if slot % 4}
            first = min(expected, default=10**9)
            series.prepend(list(older.values()))
            expected |= {slot: each for slot, each in older.items() if slot < first}
        elif what == "merge":
            newer = {slot: candle(slot, 80 + slot) for slot in range(at, at + size) if slot % 3}
            kept = [slot for slot in expected if newer and min(newer) <= slot <= max(newer)]
            series.merge(list(newer.values()))
            expected = {slot: each for slot, each in expected.items() if slot not in kept} | newer
        elif what == "doubt":
            if expected:
                slot = sorted(expected)[at % len(expected)]
                series.mark_incomplete(at % len(expected))
                expected[slot] = expected[slot]._replace(complete=False)
        else:
            assert_level_is_true(series, expected, at)
    ordered = [expected[slot] for slot in sorted(expected)]
    fresh = CandleSeries("X", MINUTE)
    fresh.replace(ordered)
    assert [series.bar(i) for i in range(len(series))] == [fresh.bar(i) for i in range(len(fresh))]
    for level in range(5):
        assert_level_is_true(series, expected, level)


def assert_level_is_true(series: CandleSeries, expected: dict[int, Candle], level: int) -> None:
    bars = series.bars_between(-(10**6), 10**6, level)
    groups = groupby(sorted(expected), key=lambda slot: slot >> level)
    by_hand = []
    for block, slots in groups:
        parts = [expected[slot] for slot in slots]
        by_hand.append(
            (
                block << level,
                parts[0].open_e8 / E8,
                max(part.high_e8 for part in parts) / E8,
                min(part.low_e8 for part in parts) / E8,
                parts[-1].close_e8 / E8,
                sum(part.volume_e8 for part in parts) / E8,
                all(part.complete for part in parts),
            )
        )
    complete = (bars.flags & COMPLETE) > 0
    columns = (bars.slot, bars.open, bars.high, bars.low, bars.close, bars.volume, complete)
    drawn = list(zip(*(column.tolist() for column in columns), strict=True))
    assert drawn == by_hand
    assert bars.span == 2**level


def test_bars_between_includes_the_blocks_that_the_ends_cut() -> None:
    series = CandleSeries("X", MINUTE)
    series.replace([candle(slot) for slot in range(32)])
    assert series.bars_between(5, 6).slot.tolist() == [5, 6]
    assert series.bars_between(5, 9, 2).slot.tolist() == [4, 8]
    assert series.bars_between(40, 50, 2).slot.tolist() == []
    assert np.all(series.bars_between(0, 31, 3).flags & CLOSED)
