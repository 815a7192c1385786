"""Rolling windows against the sum of each window's minutes, one by one."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.market.candle import Candle, CandleSource, combine, empty_candle
from app.market.columns.candle_columns import candles_of, columns_of
from app.market.columns.rolling import (
    MINUTE_US,
    WindowStream,
    minute_index,
    rolling_schema,
    rolling_windows,
    stream_windows,
    windows_between,
)
from app.market.file_columns import MINUTE_INDEX
from app.market.interval import ORIGIN_US, Interval
from tests.depth import examples

FIRST_US = ORIGIN_US + 12_345_678 * MINUTE_US
PRICE = st.integers(min_value=1, max_value=10**19 - 1).map(lambda price: min(price, 2**63 - 1))


@st.composite
def minutes(draw: st.DrawFn) -> list[Candle]:
    """Return minutes by rising time: some missing, some without a trade, of several sources, with large sums."""
    found: list[Candle] = []
    close, trade_id = draw(PRICE), 1
    for at in range(draw(st.integers(1, 30))):
        kind = draw(st.sampled_from(("traded", "traded", "empty", "missing")))
        opens_us = FIRST_US + at * MINUTE_US
        if kind == "missing":
            continue
        if kind == "empty":
            one = empty_candle(opens_us, close, complete=draw(st.booleans()))
            found.append(one._replace(source=draw(st.sampled_from((CandleSource.TRADES, CandleSource.KLINE)))))
            continue
        prices = sorted(draw(st.lists(PRICE, min_size=4, max_size=4)))
        low, one, other, high = prices
        close, trades = other, draw(st.integers(0, 10**6))
        has_ids = draw(st.booleans())
        found.append(
            Candle(
                opens_us,
                one,
                high,
                low,
                other,
                draw(st.integers(1, 10**27)),
                draw(st.integers(0, 10**36)),
                trades,
                draw(st.integers(0, 10**27)),
                draw(st.integers(0, 10**36)),
                trade_id if has_ids else None,
                trade_id + trades if has_ids else None,
                closed=draw(st.booleans()),
                complete=draw(st.booleans()),
                source=draw(st.sampled_from((CandleSource.TRADES, CandleSource.KLINE, CandleSource.AGGTRADES))),
            )
        )
        trade_id += trades + 1
    return found


def brute_force(found: list[Candle], length: int) -> list[tuple[Candle, int]]:
    """Return the windows and their indexes, each summed by `combine`."""
    if not found:
        return []
    rows = []
    last_us = found[-1].open_time_us - (length - 1) * MINUTE_US
    for start_us in range(found[0].open_time_us, last_us + 1, MINUTE_US):
        end_us = start_us + length * MINUTE_US
        parts = [one for one in found if start_us <= one.open_time_us < end_us]
        if parts:
            whole = combine(start_us, parts)
            whole = whole._replace(complete=whole.complete and len(parts) == length)
            rows.append((whole, (end_us - ORIGIN_US) // MINUTE_US % length))
    return rows


def rows_of(batch: Any) -> list[tuple[Candle, int]]:
    index = batch.column(MINUTE_INDEX).to_pylist()
    return list(zip(candles_of(batch.drop_columns([MINUTE_INDEX])), index, strict=True))


@settings(max_examples=examples(300))
@given(minutes(), st.integers(1, 31))
def test_every_window_is_the_sum_of_its_minutes(found: list[Candle], length: int) -> None:
    windows = rolling_windows(columns_of(found), length)
    assert windows.schema == rolling_schema()
    assert rows_of(windows) == brute_force(found, length)


@given(minutes(), st.integers(1, 31), st.lists(st.integers(1, 30), max_size=6))
def test_minutes_in_batches_have_the_same_windows(found: list[Candle], length: int, cuts: list[int]) -> None:
    whole = columns_of(found)
    borders = sorted({0, *(cut for cut in cuts if cut < len(found)), len(found)})
    batches = [whole.slice(begin, end - begin) for begin, end in pairwise(borders)]
    streamed = [row for batch in stream_windows(batches, length) for row in rows_of(batch)]
    assert streamed == rows_of(rolling_windows(whole, length))


@given(minutes(), st.integers(1, 31), st.integers(-40, 40), st.integers(0, 60))
def test_a_range_of_windows_has_each_that_a_minute_is_in(
    found: list[Candle], length: int, first: int, count: int
) -> None:
    starts_us = range(FIRST_US + first * MINUTE_US, FIRST_US + (first + count) * MINUTE_US, MINUTE_US)
    expected = []
    for start_us in starts_us:
        parts = [one for one in found if start_us <= one.open_time_us < start_us + length * MINUTE_US]
        if parts:
            whole = combine(start_us, parts)
            expected.append(whole._replace(complete=whole.complete and len(parts) == length))
    windows = windows_between(columns_of(found), length, FIRST_US + first * MINUTE_US, count)
    assert [one for one, _ in rows_of(windows)] == expected


@pytest.mark.parametrize("name", ["5m", "13m", "60m", "181m"])
def test_the_windows_of_index_0_are_the_candles_of_that_length(name: str) -> None:
    interval, dice = Interval.parse(name), np.random.default_rng(7)
    length = interval.seconds // 60
    amounts = dice.integers(1, 10**15, size=(1500, 5)).tolist()
    found = [
        Candle(FIRST_US + at * MINUTE_US, b, max(a, b, c), min(a, b, c), c, d, d * b, 3, e, e * b, at * 3, at * 3 + 2)
        for at, (a, b, c, d, e) in enumerate(amounts)
    ]
    ordinary: dict[int, list[Candle]] = {}
    for one in found:
        ordinary.setdefault(interval.open_time_us(one.open_time_us), []).append(one)
    expected = [combine(at, parts) for at, parts in ordinary.items() if len(parts) == length]

    of_index_0 = [one for one, index in rows_of(rolling_windows(columns_of(found), length)) if index == 0]

    assert of_index_0 == expected
    assert len(expected) > 6


def test_a_missing_minute_marks_every_window_that_covers_it() -> None:
    found = [empty_candle(FIRST_US + at * MINUTE_US, 5) for at in range(20) if at != 10]
    windows = rows_of(rolling_windows(columns_of(found), 4))
    incomplete = [(one.open_time_us - FIRST_US) // MINUTE_US for one, _ in windows if not one.complete]
    assert incomplete == [7, 8, 9, 10]


def test_time_without_any_minute_has_no_row() -> None:
    found = [empty_candle(FIRST_US + at * MINUTE_US, 5) for at in (0, 1, 9, 10)]
    starts = [(one.open_time_us - FIRST_US) // MINUTE_US for one, _ in rows_of(rolling_windows(columns_of(found), 3))]
    assert starts == [0, 1, 7, 8]


def test_fewer_minutes_than_a_window_make_none() -> None:
    assert rolling_windows(columns_of([]), 5).num_rows == 0
    assert rolling_windows(columns_of([empty_candle(FIRST_US, 5)]), 2).num_rows == 0


def test_a_window_without_minutes_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one minute"):
        rolling_windows(columns_of([]), 0)


def test_the_index_counts_from_the_origin_to_the_end_of_the_window() -> None:
    ends_us = np.array([ORIGIN_US, ORIGIN_US + 645 * MINUTE_US, ORIGIN_US - MINUTE_US])
    assert minute_index(ends_us, 60).tolist() == [0, 45, 59]


class Closed:
    """A market that is closed in some minutes."""

    def __init__(self, places: set[int]) -> None:
        self.places = places

    def __call__(self, opens_us: Any) -> Any:
        return np.array([(at - FIRST_US) // MINUTE_US in self.places for at in opens_us.tolist()], dtype=np.bool_)


@settings(max_examples=examples(300))
@given(
    minutes(),
    st.integers(1, 31),
    st.lists(st.integers(1, 30), max_size=6),
    st.integers(-40, 5),
    st.integers(0, 70),
    st.sets(st.integers(-40, 70)),
)
def test_a_stream_between_two_times_has_each_window_that_a_minute_is_in(
    found: list[Candle], length: int, cuts: list[int], first: int, after: int, closed: set[int]
) -> None:
    start_us = FIRST_US + first * MINUTE_US
    end_us = (found[-1].open_time_us if found else FIRST_US) + (1 + after) * MINUTE_US
    expected = []
    for open_us in range(start_us, end_us - length * MINUTE_US + 1, MINUTE_US):
        parts = [one for one in found if open_us <= one.open_time_us < open_us + length * MINUTE_US]
        held = {(one.open_time_us - FIRST_US) // MINUTE_US for one in parts}
        if parts:
            place = (open_us - FIRST_US) // MINUTE_US
            is_whole = all(at in held or at in closed for at in range(place, place + length))
            one = combine(open_us, parts)
            expected.append(one._replace(complete=one.complete and is_whole))
    # The stream begins with the first minute that it is given.
    given_here = [one for one in found if one.open_time_us >= start_us]
    borders = sorted({0, *(cut for cut in cuts if cut < len(given_here)), len(given_here)})
    stream = WindowStream(length, start_us, Closed(closed))
    batches = [columns_of(given_here[begin:end]) for begin, end in pairwise(borders)]
    streamed = [row for batch in batches for windows in stream.add(batch) for row in rows_of(windows)]
    streamed += [row for windows in stream.rest(end_us) for row in rows_of(windows)]
    assert [one for one, _ in streamed] == expected


@given(minutes(), st.integers(1, 31), st.data())
def test_further_amounts_are_added_up_and_unknown_where_one_is(
    found: list[Candle], length: int, data: st.DataObject
) -> None:
    size = st.one_of(st.none(), st.integers(0, 10**27))
    sizes = data.draw(st.lists(size, min_size=len(found), max_size=len(found)))
    kind = pa.decimal128(28, 8)
    column = pa.array([None if one is None else Decimal(one).scaleb(-8) for one in sizes], kind)
    batch = columns_of(found).append_column("bid_volume", column)
    by_time = {one.open_time_us: each for one, each in zip(found, sizes, strict=True)}
    for windows in stream_windows([batch], length):
        opens_us = windows.column("open_time").view(pa.int64()).to_pylist()
        for open_us, total in zip(opens_us, windows.column("bid_volume").to_pylist(), strict=True):
            parts = [each for at, each in by_time.items() if open_us <= at < open_us + length * MINUTE_US]
            known = [each for each in parts if each is not None]
            assert total == (Decimal(sum(known)).scaleb(-8) if len(known) == len(parts) else None)


def test_years_without_a_minute_take_no_room() -> None:
    years = 10 * 525_600
    found = [empty_candle(FIRST_US + at * MINUTE_US, 5) for at in (0, 1, years, years + 1)]
    stream = WindowStream(3, FIRST_US - years * MINUTE_US)
    begun = tracemalloc_peak(lambda: [one for batch in stream.add(columns_of(found)) for one in rows_of(batch)])
    starts = [(one.open_time_us - FIRST_US) // MINUTE_US for one, _ in begun[0]]
    assert starts == [-2, -1, 0, 1, years - 2, years - 1]
    assert begun[1] < 20e6


def tracemalloc_peak(work: Callable[[], Any]) -> tuple[Any, int]:
    tracemalloc.start()
    try:
        return work(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
