"""What is missing in a range is exactly what the slots say, whatever is stored of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.market.candle import Candle
from app.market.columns.candle_columns import columns_of
from app.market.coverage import IdRanges
from app.market.errors import StoreUnavailable
from app.market.interval import SECOND_US, Interval
from app.serving import candle_ranges
from app.serving.answers import EncodedAnswer
from app.serving.candle_ranges import CLOSED_MAX_AGE_S, CandleQuery, judged, passes_for_kline, read_candles
from storage.database import Database
from tests.serving.helpers import record
from tests.storage.helpers import some_trades

INTERVALS = [Interval.parse(name) for name in ("1s", "13s", "1m", "181m", "3d", "1M")]
FIRST = 300  # a slot of the year 2000 or later, of every interval


def candle(interval: Interval, slot: int, *, complete: bool) -> Candle:
    price = 100
    return Candle(interval.slot_open_us(slot), *[price] * 4, 1, 1, 1, 0, 0, slot, slot, True, complete)


@given(
    st.sampled_from(INTERVALS),
    st.dictionaries(st.integers(0, 30), st.booleans()),
    st.integers(-3, 33),
    st.integers(0, 33),
    st.integers(0, 40),
)
def test_missing_candles_are_those_of_the_range_that_are_over_and_not_complete(
    interval: Interval, stored: dict[int, bool], start: int, length: int, now: int
) -> None:
    start_us, end_us = interval.slot_open_us(FIRST + start), interval.slot_open_us(FIRST + start + length)
    now_us = interval.slot_open_us(FIRST + now) + 3 * SECOND_US  # all before that slot is over and settled
    inside = {slot: complete for slot, complete in sorted(stored.items()) if start <= slot <= start + length}
    batch = columns_of([candle(interval, FIRST + slot, complete=whole) for slot, whole in inside.items()])
    query = CandleQuery("BTCUSDT", interval, start_us, end_us, 1_000)
    found = judged(batch, query, now_us, is_cut=False)
    settled = range(start, min(start + length, interval.slot(now_us - 3 * SECOND_US) - FIRST - 1) + 1)
    expected = {slot for slot in settled if not inside.get(slot)}
    told = {
        slot - FIRST
        for begin_us, until_us in found.missing
        for slot in range(interval.slot(begin_us), interval.slot(until_us))
    }
    assert told == expected
    assert not (found.is_complete and expected)
    is_over = start + length < interval.slot(now_us - 3 * SECOND_US) - FIRST
    assert (found.max_age_s == CLOSED_MAX_AGE_S) == (is_over and not expected)
    if is_over:
        assert found.is_complete == (not expected)
    else:
        assert found.max_age_s <= interval.length_us * 31 // 30 // SECOND_US + 86_400
    assert not judged(batch, query, now_us, is_cut=True).is_complete


@given(st.sets(st.integers(1, 30), min_size=1), st.integers(1, 30), st.integers(0, 6))
def test_a_candle_passes_for_a_kline_unless_a_trade_between_stored_ones_is_missing(
    ids: set[int], first: int, more: int
) -> None:
    own = [one for one in range(first, first + more + 1) if one in ids]  # of the candle's time
    around = range(max(first - 1, min(ids)), min(first + more + 1, max(ids)) + 1)
    if not own:
        return
    one = candle(INTERVALS[0], FIRST, complete=False)._replace(first_trade_id=own[0], last_trade_id=own[-1])
    held = IdRanges((one, one) for one in sorted(ids))
    assert passes_for_kline(one, held) == (set(around) <= ids)
    assert passes_for_kline(one._replace(complete=True), IdRanges())


def test_an_answer_with_a_candle_that_may_still_get_trades_is_not_kept() -> None:
    day = Interval.parse("1d")
    begin_us, end_us, now_us = (day.slot_open_us(FIRST + number) for number in (0, 2, 3))
    batch = columns_of([candle(day, FIRST + number, complete=True) for number in range(3)])

    def kept_s(query_end_us: int | None, *, after_s: int = 0, is_cut: bool = False, limit: int = 3) -> int:
        query = CandleQuery("BTCUSDT", day, None if limit > 3 else begin_us, query_end_us, limit)
        return judged(batch, query, now_us + after_s * SECOND_US, is_cut=is_cut).max_age_s

    assert kept_s(end_us) == kept_s(None) == kept_s(None, is_cut=True) == 0
    assert kept_s(end_us, after_s=3) == kept_s(None, after_s=3, is_cut=True) == CLOSED_MAX_AGE_S
    assert kept_s(None, after_s=3) == 86_400 - 3
    assert kept_s(end_us, after_s=3, limit=4) == 0  # an older one may be imported


@pytest.mark.parametrize("limit", [5_001, 8_000, 11_000, 100_000])
def test_a_long_range_is_the_same_in_two_halves(
    database: Database, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    second = INTERVALS[0]
    trades = [one._replace(time_us=one.time_us + one.trade_id * 20 * SECOND_US) for one in some_trades(600)]
    record(database, [one for one in trades if not 350 < one.trade_id < 360])
    end_us = trades[-1].time_us + 100 * SECOND_US
    for start_us, until_us in ((trades[0].time_us - 100 * SECOND_US, end_us), (trades[9].time_us, None)):
        query = CandleQuery("BTCUSDT", second, start_us, until_us, limit)
        found = []
        for many in (1 << 40, 10):
            monkeypatch.setattr(candle_ranges, "MANY_SLOTS", many)
            found.append(read_candles(database.store, query, end_us, lambda: None))
        assert found[0].table.num_rows > 5_000
        assert found[0].table.equals(found[1].table)
        assert found[0][1:] == found[1][1:]


def test_a_long_range_past_its_deadline_is_given_up(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candle_ranges, "MANY_SLOTS", 10)
    trades = some_trades(100)
    record(database, trades)

    def too_late() -> None:
        raise StoreUnavailable("The read was given up.")

    query = CandleQuery("BTCUSDT", INTERVALS[0], trades[0].time_us, trades[-1].time_us + 100 * SECOND_US, 10_000)
    with pytest.raises(StoreUnavailable, match="given up"):
        read_candles(database.store, query, trades[-1].time_us, too_late)


@given(st.lists(st.lists(st.integers(), max_size=3), max_size=4))
def test_an_array_in_parts_is_encoded_as_the_whole(parts: list[list[int]]) -> None:
    whole = [one for part in parts for one in part]
    assert EncodedAnswer.of_parts(parts) == EncodedAnswer.of(whole)


def test_the_parts_of_a_range_are_the_whole_in_order() -> None:
    second = INTERVALS[0]
    batch = columns_of([candle(second, FIRST + number, complete=True) for number in range(5_000)])
    query = CandleQuery("BTCUSDT", second, 0, None, 10_000)
    found = judged(batch, query, second.slot_open_us(FIRST + 5_000), is_cut=False)
    times = [part.numbers("time")[0] for part in found.parts()]
    assert len(times) == 3
    assert [one for part in times for one in part] == found.numbers("time")[0]
