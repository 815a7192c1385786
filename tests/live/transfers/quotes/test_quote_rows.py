"""The quotes of a file get their places by its order, however it is cut into batches."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.live.transfers.quotes.quote_rows import NumberedTicks, collected_ticks
from app.market.ports.row_files import QuoteBatch, RefusedRow

rising_times = st.lists(st.integers(0, 3), max_size=30).map(lambda steps: np.cumsum(steps, dtype=np.int64).tolist())


def batch(times: list[int], first_bid: int = 1, **options: object) -> QuoteBatch:
    """Return a batch of quotes of these times, whose bids count them."""
    bids = np.arange(first_bid, first_bid + len(times), dtype=np.int64)
    zeros = np.zeros(len(times), np.int64)
    time_us = np.array(times, dtype=np.int64)
    return QuoteBatch("oanda:EURUSD", len(times), time_us, bids, bids + 1, zeros, zeros, **options)


def rows(found: list[NumberedTicks]) -> list[tuple[int, int, int, int]]:
    """Return time, place, bid and number in the file of each."""
    return [
        (tick.time_us, tick.place, tick.bid_e8, int(number))
        for one in found
        for tick, number in zip(one.ticks, one.numbers, strict=True)
    ]


@given(rising_times, st.lists(st.integers(0, 30), max_size=5), st.integers(1, 12))
def test_places_do_not_depend_on_how_the_file_is_cut(times: list[int], cuts: list[int], largest: int) -> None:
    ends = sorted({0, len(times), *(cut for cut in cuts if cut < len(times))})
    parts = [batch(times[start:end], start + 1) for start, end in pairwise(ends)]
    seen: Counter[int] = Counter()
    expected = []
    for number, time in enumerate(times, 1):
        expected.append((time, seen[time], number, number))
        seen[time] += 1
    assert rows(list(collected_ticks(parts, largest))) == expected


@given(st.lists(st.integers(0, 5), max_size=30))
def test_rows_of_a_batch_are_put_in_order_and_those_of_one_time_keep_theirs(times: list[int]) -> None:
    found = rows(list(collected_ticks([batch(times)])))
    assert [row[:2] for row in found] == sorted((time, times[:at].count(time)) for at, time in enumerate(times))
    assert [(time, number) for time, _, _, number in found] == sorted((time, at + 1) for at, time in enumerate(times))


def test_a_row_of_a_time_that_went_by_is_refused_and_one_of_the_latest_time_goes_on() -> None:
    first, second = collected_ticks([batch([10, 20, 20]), batch([20, 19, 30], 4)], largest=3)
    assert rows([first]) == [(10, 0, 1, 1), (20, 0, 2, 2), (20, 1, 3, 3)]
    assert rows([second]) == [(20, 2, 4, 4), (30, 0, 6, 6)]
    (refused,) = second.unread
    assert refused[:2] == (5, "its time is before that of rows read long before: sort the file by time")
    assert refused.text.startswith("19,0.00000005,")


def test_a_whole_time_is_a_batch_of_its_own_even_without_a_row() -> None:
    found = list(collected_ticks([batch([1]), batch([5, 5], 2, whole=(5, 9)), batch([], 4, whole=(9, 12))]))
    assert [(one.rows, one.whole) for one in found] == [(1, None), (2, (5, 9)), (0, (9, 12))]


def test_refused_rows_are_counted_beside_the_others() -> None:
    unread = (RefusedRow(2, "bid is empty", ""),)
    (found,) = collected_ticks([QuoteBatch(*_columns(batch([1, 2], refused=unread)))])
    assert (found.rows, found.unread) == (3, unread)
    assert rows([found]) == [(1, 0, 1, 1), (2, 0, 2, 3)]


def _columns(one: QuoteBatch) -> list[object]:
    columns = [one.time_us, one.bid_e8, one.ask_e8, one.bid_size_e8, one.ask_size_e8]
    return [one.symbol, one.rows + len(one.refused), *columns, one.refused]
