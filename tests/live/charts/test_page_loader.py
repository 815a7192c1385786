"""What a page requests: a real database, the sandbox's klines over real sockets, every request counted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.brokers.binance.rest import BinanceRest
from app.concurrency.system_clock import SystemClock
from app.live.charts.candle_history import CandleHistory
from app.live.charts.kline_cache import KlineCache
from app.live.charts.page_loader import Page, load_page, missing_slots, plan
from app.market.candle import Candle, CandleSource, has_prices_alone
from app.market.coverage import IdRanges
from app.market.interval import SECOND_US, Interval
from app.sandbox.market.simulated import Listing, SimulatedMarket
from app.sandbox.server.server import SandboxServer
from tests.live.helpers import PATIENCE_S
from tests.storage.helpers import World

SYMBOL = "BTCUSDT"
MINUTE = Interval.parse("1m")


class CountedMarket(SimulatedMarket):
    """Counts the requests for klines; has none that open in ``outage``."""

    outage = (0, 0)
    asked = 0

    async def klines(
        self, symbol: str, interval: Interval, *, start_us: int | None, end_us: int | None, limit: int
    ) -> list[Candle]:
        self.asked += 1
        found = await super().klines(symbol, interval, start_us=start_us, end_us=end_us, limit=limit)
        first_us, after_us = self.outage
        return [one for one in found if not first_us <= one.open_time_us < after_us]


class SkewedClock(SystemClock):
    """A computer whose clock is an hour fast."""

    def now_us(self) -> int:
        return super().now_us() + 3_600 * SECOND_US


class StandingClock(SystemClock):
    """The exchange's, standing within a candle of each interval: on a slow machine, too, no candle closes meanwhile."""

    def __init__(self) -> None:
        self._now_us = super().now_us() // MINUTE.length_us * MINUTE.length_us + 10 * SECOND_US

    def now_us(self) -> int:
        return self._now_us


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine, too, what is stored is known before the exchange is asked."""
    monkeypatch.setattr("app.live.charts.page_loader._STORE_PATIENCE_S", PATIENCE_S)


@asynccontextmanager
async def exchange(market: CountedMarket) -> AsyncIterator[BinanceRest]:
    server = SandboxServer(market)
    await server.start()
    rest = BinanceRest(server.rest_url, clock=SkewedClock())
    try:
        yield rest
    finally:
        await rest.close()
        await server.stop()


def market_of(hours: int) -> CountedMarket:
    return CountedMarket(
        5,
        [Listing("BTC", "60000", "0.01", "0.00001", 1.0)],
        history=timedelta(hours=hours),
        rate=0.05,
        clock=StandingClock(),
    )


@pytest.mark.parametrize("name", ["1m", "13m", "30s"])
async def test_what_is_closed_is_fetched_once_also_by_the_next_run(world: World, name: str) -> None:
    market, interval = market_of(60), Interval.parse(name)
    async with exchange(market) as rest:
        end_us = interval.next_open_us(market.now_us())
        first = await load_page(CandleHistory(rest, world.store), SYMBOL, interval, end_us, limit=500)
        assert (first.failure, first.candles[-1].closed) == ("", False)
        older_us = first.candles[0].open_time_us
        older = await load_page(CandleHistory(rest, world.store), SYMBOL, interval, older_us, limit=500)
        market.asked = 0
        again = await load_page(CandleHistory(rest, world.store), SYMBOL, interval, end_us, limit=500)
        assert market.asked <= 1
        opens = [one.open_time_us for one in first.candles]
        assert [one.open_time_us for one in again.candles][-len(opens) :] == opens
        market.asked = 0
        again = await load_page(CandleHistory(rest, world.store), SYMBOL, interval, older_us, limit=500)
        assert again.candles == older.candles
        assert market.asked == 0


async def test_scrolling_back_ends_at_the_listing_which_is_asked_for_once(world: World) -> None:
    market = market_of(30)
    async with exchange(market) as rest:
        for most in (5, 0):
            market.asked = 0
            history = CandleHistory(rest, world.store)
            end_us, loaded = market.now_us() // MINUTE.length_us * MINUTE.length_us - 5 * MINUTE.length_us, 0
            while not (page := await load_page(history, SYMBOL, MINUTE, end_us)).begins:
                loaded += len(page.candles)
                end_us = page.candles[0].open_time_us
            assert loaded + len(page.candles) > 1_700
            assert market.asked <= most


async def test_an_outage_of_the_exchange_is_asked_for_once_and_the_candles_beside_it_are_whole(world: World) -> None:
    market = market_of(20)
    now_us = Interval.parse("1h").open_time_us(market.now_us())
    market.outage = (now_us - 4 * 3_600 * SECOND_US, now_us - 3 * 3_600 * SECOND_US)
    thirteen = Interval.parse("13m")
    async with exchange(market) as rest:
        for name, asked in ((MINUTE, None), (MINUTE, 0), (thirteen, None), (thirteen, 0)):
            market.asked = 0
            end_us, minutes = name.open_time_us(now_us - 1800 * SECOND_US), name.seconds // 60
            page = await load_page(CandleHistory(rest, world.store), SYMBOL, name, end_us, limit=300 // minutes)
            assert asked is None or market.asked == asked
            assert all(one.closed and one.complete for one in page.candles)
            assert len(page.candles) >= 300 // minutes - 60 // minutes  # those that fit into the outage are not there
            within = [one for one in page.candles if market.outage[0] <= one.open_time_us < market.outage[1]]
            assert all(name.next_open_us(one.open_time_us) > market.outage[1] for one in within)


async def test_the_unfinished_kline_is_never_kept_whatever_our_clock_says(world: World) -> None:
    market = market_of(3)
    async with exchange(market) as rest:
        asked_us = market.now_us()
        for name in ("1h", "5m", "1m", "30s"):
            interval = Interval.parse(name)
            await load_page(CandleHistory(rest, world.store), SYMBOL, interval, interval.next_open_us(asked_us + 10**9))
        kept = world.rows("SELECT seconds, max(extract(epoch FROM open_time)::bigint) FROM klines GROUP BY 1")
        assert {seconds for seconds, _ in kept} == {60, 300, 30, 3600}
        until_us = market.now_us() - 60 * SECOND_US
        assert all((seconds + opened) * SECOND_US <= until_us for seconds, opened in kept)
        ranges = world.rows("SELECT seconds, max(extract(epoch FROM end_time)::bigint) FROM kline_ranges GROUP BY 1")
        assert all(end * SECOND_US <= until_us for _, end in ranges)


def test_only_what_lacks_is_asked_for_and_neighbours_in_one_request() -> None:
    opens = [MINUTE.slot_open_us(slot) for slot in range(100)]
    known = [Candle(opens[slot], 1, 1, 1, 1, 1, 1, 1, 0, 0) for slot in (0, 1, 2, 50)]
    fetched = IdRanges([(opens[3], opens[40] - 1)])
    slots = missing_slots(MINUTE, 0, 60, known, fetched)
    assert slots == [*range(40, 50), *range(51, 61)]
    assert plan(MINUTE, 0, slots) == ([(opens[40], opens[61])], 0)
    assert plan(MINUTE, 0, []) == ([], 0)


def test_a_candle_of_prices_and_volume_alone_is_asked_for_until_it_has_been() -> None:
    opens = [MINUTE.slot_open_us(slot) for slot in range(11)]
    known = [Candle(at, 1, 1, 1, 1, 1, 0 if slot in (3, 4, 8) else 1, 1, 0, 0) for slot, at in enumerate(opens)]
    fetched = IdRanges([(opens[8], opens[9] - 1)])
    assert missing_slots(MINUTE, 0, 10, known, fetched) == [3, 4]


@given(
    interval=st.sampled_from([MINUTE, Interval.parse("7s"), Interval.parse("1M")]),
    known=st.sets(st.integers(0, 12)),
    ranges=st.lists(
        st.tuples(st.integers(-2, 14), st.integers(0, 1), st.integers(0, 4), st.integers(0, 1)), max_size=4
    ),
)
def test_a_slot_lacks_what_was_not_fetched_to_its_end(
    interval: Interval, known: set[int], ranges: list[tuple[int, int, int, int]]
) -> None:
    open_us = interval.slot_open_us
    fetched = IdRanges()
    for begin, late_us, slots, early_us in ranges:  # whole slots, or a microsecond less
        if open_us(begin) + late_us < open_us(begin + slots) - early_us:
            fetched.add_range(open_us(begin) + late_us, open_us(begin + slots) - 1 - early_us)
    candles = [Candle(open_us(slot), 1, 1, 1, 1, 1, 1, 1, 0, 0) for slot in known]
    lacking = [slot for slot in range(13) if fetched.missing(open_us(slot), open_us(slot + 1) - 1)]
    assert missing_slots(interval, 0, 12, candles, fetched) == [slot for slot in lacking if slot not in known]


def test_a_complete_candle_of_ticks_has_no_more_to_ask_for() -> None:
    candle = Candle(MINUTE.slot_open_us(7), 5, 6, 4, 5, 3, 0, 3, 0, 0, source=CandleSource.TICKS)
    assert missing_slots(MINUTE, 7, 7, [candle], IdRanges()) == []
    assert missing_slots(MINUTE, 7, 7, [candle._replace(source=CandleSource.KLINE)], IdRanges()) == [7]


def bare_hour(market: CountedMarket) -> list[Candle]:
    """The candles of an hour long past, as a file without quote volumes has them."""
    now_us = MINUTE.open_time_us(market.now_us()) - 3 * 3_600 * SECOND_US
    opens = range(now_us - 60 * MINUTE.length_us, now_us, MINUTE.length_us)
    return [Candle(at, 7, 9, 5, 8, 3, 0, 1, 0, 0, source=CandleSource.KLINE) for at in opens]


async def test_a_page_of_imported_prices_is_replaced_by_the_exchanges_candles_once(world: World) -> None:
    market = market_of(20)
    bare = bare_hour(market)
    world.store.save_klines(SYMBOL, MINUTE, bare)
    end_us = bare[-1].open_time_us + MINUTE.length_us
    async with exchange(market) as rest:
        for most in (2, 0):
            market.asked = 0
            page = await load_page(CandleHistory(rest, world.store), SYMBOL, MINUTE, end_us, limit=60)
            assert not page.failure
            assert not any(one.high_e8 == 9 or has_prices_alone(one) for one in page.candles)
            assert market.asked <= most


async def test_a_page_of_imported_prices_lacks_nothing_if_the_exchange_has_no_such_symbol(world: World) -> None:
    market = market_of(20)
    bare = bare_hour(market)
    world.store.save_klines("GOLDUSD", MINUTE, bare)
    end_us = bare[-1].open_time_us + MINUTE.length_us
    async with exchange(market) as rest:
        page = await load_page(CandleHistory(rest, world.store), "GOLDUSD", MINUTE, end_us, limit=60)
    assert page == Page(bare)


def test_a_page_of_too_many_requests_gives_up_its_oldest_part() -> None:
    thirty = Interval.parse("30s")
    requests, first = plan(thirty, 0, range(1000))
    assert len(requests) == 24
    assert requests[0][0] == thirty.slot_open_us(first)
    assert requests[-1][1] == thirty.slot_open_us(1000)


def test_memory_of_seconds_forgets_what_was_looked_at_longest_ago() -> None:
    memory = KlineCache(most=10)

    def seconds(begin: int, end: int) -> list[Candle]:
        return [Candle(at * SECOND_US, 1, 1, 1, 1, 1, 1, 1, 0, 0) for at in range(begin, end)]

    memory.keep("A", seconds(0, 6), 0, 6 * SECOND_US)
    memory.keep("B", seconds(0, 4), 0, 4 * SECOND_US)
    assert len(memory.klines("A", 0, 10**9)) == 6
    memory.keep("C", seconds(0, 3), 0, 3 * SECOND_US)
    assert (memory.klines("B", 0, 10**9), list(memory.fetched("B"))) == ([], [])
    memory.keep("A", seconds(6, 16), 6 * SECOND_US, 16 * SECOND_US)
    assert len(memory) <= 10
    assert list(memory.fetched("A")) == [(8 * SECOND_US, 16 * SECOND_US - 1)]
