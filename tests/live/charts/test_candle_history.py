"""History: which of two candles is better, and how klines of other lengths add up."""

from __future__ import annotations

import asyncio
import itertools
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.live.charts.candle_history import CandleHistory, join_parts
from app.market.candle import Candle, CandleSource, combine
from app.market.errors import FeedDisconnected, StoreUnavailable
from app.market.interval import SECOND_US, Interval
from app.market.precedence import better
from tests.depth import examples
from tests.live.databases import FakeStore
from tests.live.helpers import START_US, SYMBOL, FakeExchange, HandClock, away, figures, folded, trade

TRADES, KLINE, MIXED = CandleSource.TRADES, CandleSource.KLINE, CandleSource.MIXED
MINUTE = Interval.parse("1m")


def candle(*, source: CandleSource, complete: bool = True, closed: bool = True) -> Candle:
    return Candle(START_US, 1, 1, 1, 1, 1, 1, 1, 0, 0, closed=closed, complete=complete, source=source)


def kline(minute: int, *, closed: bool = True, trades: int = 1) -> Candle:
    open_us = START_US + minute * MINUTE.length_us
    return Candle(open_us, 1, 1, 1, 1, 1, 1, trades, 0, 0, closed=closed, complete=closed, source=KLINE)


RANKED = (
    candle(source=TRADES),
    candle(source=KLINE),
    candle(source=KLINE, closed=False),
    candle(source=TRADES, complete=False),
)


@pytest.mark.parametrize(("good", "bad"), list(itertools.combinations(RANKED, 2)))
def test_the_better_candle_wins_whichever_came_first(good: Candle, bad: Candle) -> None:
    assert better(good, bad) is good
    assert better(bad, good) is good


def test_an_incomplete_candle_from_trades_gives_way_to_a_kline_that_is_open() -> None:
    incomplete = candle(source=TRADES, complete=False)
    assert better(incomplete, candle(source=KLINE, closed=False)).source is KLINE


def test_of_equally_good_candles_the_later_is_taken() -> None:
    first, second = candle(source=KLINE), candle(source=KLINE)._replace(close_e8=2)
    assert better(first, second) is second


def test_parts_of_a_longer_candle_add_up_and_the_last_is_open_until_its_end() -> None:
    three = Interval.parse("3m")
    joined = join_parts([kline(minute) for minute in range(5)], MINUTE, three)
    assert [(one.open_time_us, one.trades, one.closed) for one in joined] == [
        (START_US, 3, True),
        (START_US + 3 * MINUTE.length_us, 2, False),
    ]
    whole = join_parts([kline(minute) for minute in range(6)], MINUTE, three)
    assert whole[-1].closed
    still_open = join_parts([*(kline(minute) for minute in range(5)), kline(5, closed=False)], MINUTE, three)
    assert not still_open[-1].closed


def test_a_first_candle_that_begins_late_is_the_listing_s() -> None:
    joined = join_parts([kline(minute) for minute in range(1, 6)], MINUTE, Interval.parse("3m"))
    assert [(one.open_time_us, one.trades) for one in joined] == [(START_US, 2), (START_US + 3 * MINUTE.length_us, 3)]
    assert join_parts([], MINUTE, MINUTE) == []


def test_a_last_candle_that_ended_long_ago_is_closed_although_its_last_part_never_was() -> None:
    three = Interval.parse("3m")
    ended_us = three.next_open_us(START_US)
    assert join_parts([kline(0)], MINUTE, three, ended_us=ended_us)[-1].closed
    assert not join_parts([kline(0)], MINUTE, three, ended_us=ended_us - 1)[-1].closed


def test_a_candle_followed_by_another_is_closed_although_its_last_part_is_missing() -> None:
    joined = join_parts([kline(0), kline(1), kline(3)], MINUTE, Interval.parse("3m"))
    assert joined[0].closed


def test_joining_parts_of_the_same_length_changes_nothing() -> None:
    klines = [kline(0), kline(1), kline(2, closed=False)]
    assert join_parts(klines, MINUTE, MINUTE) == klines


trade_gaps_s = st.lists(st.sampled_from([0, 0.2, 1, 7, 63, 700, 4000, 90_000]), min_size=1, max_size=30)


@settings(max_examples=examples(30))
@given(trade_gaps_s, st.integers(-200_000, 100_000), st.integers(0, 250_000), st.booleans())
def test_parts_cover_exactly_the_time_asked_for(gaps_s: list[float], start_s: int, length_s: int, align: bool) -> None:
    if align:  # the borders where one length takes over from another
        start_s, length_s = start_s // 3600 * 3600, length_s // 60 * 60
    times = itertools.accumulate(gaps_s, initial=-100_000.0)
    trades = [trade(number, at) for number, at in enumerate(times, 1)]
    start_us, end_us = START_US + start_s * SECOND_US, START_US + (start_s + length_s) * SECOND_US
    exchange = FakeExchange(trades, HandClock(max(end_us + 10 * SECOND_US, trades[-1].time_us + 1)))
    parts = asyncio.run(CandleHistory(exchange).parts(SYMBOL, start_us, end_us))
    assert parts is not None
    assert parts.lacks_us is None
    inside = [one for one in trades if start_us <= one.time_us < end_us]
    traded = [part for part in parts.candles if part.trades]
    if inside:
        total = combine(start_us, traded)
        expected = combine(start_us, folded(inside, Interval.parse("1s")))
        assert figures(total) == figures(expected)
    else:
        assert traded == []
    assert all(start_us <= part.open_time_us < end_us for part in parts.candles)
    asked = [(start, end) for _, start, end in exchange.kline_calls if start]  # from 0 on the listing is sought
    assert all(one[1] == other[0] for one, other in itertools.pairwise(sorted(asked, key=lambda call: call[0] or 0)))
    if length_s:
        assert (min(start or 0 for start, _ in asked), max(end or 0 for _, end in asked)) == (start_us, end_us)
    else:
        assert asked == []


async def published(history: CandleHistory, interval: Interval, start_us: int, end_us: int) -> list[Candle]:
    """Return what `CandleHistory.published` gives of the candles that hold these times."""
    found: list[list[Candle]] = []
    start_us, end_us = interval.open_time_us(start_us), interval.next_open_us(end_us - 1)
    await history.published(SYMBOL, interval, start_us, end_us, found.append)
    return found[0]


async def test_parts_are_not_there_before_a_second_after_the_end_of_the_last() -> None:
    clock = HandClock(START_US + 11 * SECOND_US)
    exchange = FakeExchange([trade(1, 0.5), trade(2, 10.0)], clock)
    history = CandleHistory(exchange)
    assert await history.parts(SYMBOL, START_US, START_US + 11 * SECOND_US) is None
    clock.time_us += SECOND_US
    parts = await history.parts(SYMBOL, START_US, START_US + 11 * SECOND_US)
    assert parts is not None
    assert sum(part.trades for part in parts.candles) == 2


async def test_parts_of_broken_seconds_are_refused() -> None:
    history = CandleHistory(FakeExchange([], HandClock()))
    with pytest.raises(ValueError, match="multiples of 1s"):
        await history.parts(SYMBOL, START_US + 1, START_US + SECOND_US)


@pytest.mark.parametrize(
    "name", ["1s", "90s", "1m", "13m", "181m", "2h", "10m", "2d", "1w", "1M", "2M", "1h+5m", "13m+4m", "1d+90m"]
)
async def test_published_candles_of_any_length_are_the_trades_folded(name: str) -> None:
    interval = Interval.parse(name)
    step_s = interval.length_us / SECOND_US / 7
    trades = [trade(number, number * step_s) for number in range(1, 200)]
    now_us = trades[-1].time_us + 1
    history = CandleHistory(FakeExchange(trades, HandClock(now_us)))
    found = await published(history, interval, START_US, now_us + interval.length_us)
    expected = folded(trades, interval, now_us=now_us)
    assert [figures(one) for one in found] == [figures(one) for one in expected]
    assert [one.closed for one in found] == [one.closed for one in expected]


@pytest.mark.parametrize("name", ["1w", "1M", "12M", "53w"])
async def test_the_exchange_is_never_asked_for_times_before_1970(name: str) -> None:
    exchange = FakeExchange([trade(1)], HandClock(START_US + 10 * SECOND_US))
    interval = Interval.parse(name)
    await published(CandleHistory(exchange), interval, -1000 * interval.length_us, START_US)
    assert all(start is not None and start >= 0 for _, start, _ in exchange.kline_calls)


async def test_final_klines_are_kept_and_of_seconds_the_candles_they_add_up_to() -> None:
    trades = [trade(number, number * 10) for number in range(1, 60)]
    now_us = trades[-1].time_us
    store = FakeStore()
    history = CandleHistory(FakeExchange(trades, HandClock(now_us)), store)
    for name in ("3m", "6m", "1s", "30s"):
        await published(history, Interval.parse(name), START_US, now_us)
    assert {str(interval) for interval in store.kept} == {"3m", "30s"}
    for interval, kept in store.kept.items():
        assert kept
        for one in kept.values():
            assert one.closed
            assert interval.next_open_us(one.open_time_us) <= now_us - 60 * SECOND_US
        assert list(store.fetched[interval]) == [(interval.open_time_us(START_US), max(kept) + interval.length_us - 1)]


async def test_what_is_kept_of_seconds_is_in_memory_and_bounded() -> None:
    trades = [trade(number, number) for number in range(1, 400)]
    history = CandleHistory(FakeExchange(trades, HandClock(trades[-1].time_us)))
    second = Interval.parse("1s")
    await published(history, second, START_US, trades[-1].time_us)
    stored = await history.stored(SYMBOL, second, end_us=trades[-1].time_us, limit=1000)
    until_us = trades[-1].time_us - 60 * SECOND_US
    assert [one.trades for one in stored.candles] == [1] * 338
    assert list(stored.fetched) == [(START_US, until_us - 1)]


async def test_a_database_that_fails_to_keep_klines_hides_none() -> None:
    trades = [trade(number, number * 10) for number in range(1, 30)]
    store = FakeStore()
    store.failure = StoreUnavailable("The database is away.")
    history = CandleHistory(FakeExchange(trades, HandClock(trades[-1].time_us)), store)
    assert await published(history, MINUTE, START_US, trades[-1].time_us)
    with pytest.raises(StoreUnavailable):
        await history.stored(SYMBOL, MINUTE, end_us=START_US, limit=10)


async def test_without_a_database_there_is_nothing_stored_and_a_failing_exchange_says_so() -> None:
    exchange = FakeExchange([], HandClock())
    history = CandleHistory(exchange)
    assert (await history.stored(SYMBOL, MINUTE, end_us=START_US, limit=10)).candles == []
    exchange.failure = away()
    with pytest.raises(FeedDisconnected):
        await published(history, MINUTE, START_US - 10 * MINUTE.length_us, START_US)


async def test_a_database_that_hangs_keeps_nobody_from_finding_the_exchange() -> None:
    class Hanging(FakeStore):
        def candles(self, *_: object, **__: object) -> list[Candle]:
            assert may_answer.wait(30)
            return []

    may_answer = threading.Event()
    history = CandleHistory(FakeExchange([], HandClock()), Hanging([]))
    reading = [
        asyncio.ensure_future(history.stored(SYMBOL, Interval.parse("1m"), end_us=START_US, limit=10))
        for _ in range(40)
    ]
    try:
        await asyncio.sleep(0)
        async with asyncio.timeout(5):
            assert await asyncio.get_running_loop().getaddrinfo("localhost", 80)
    finally:
        may_answer.set()
        await asyncio.gather(*reading)
