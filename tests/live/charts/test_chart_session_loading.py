"""How a chart loads history: pages, slots without candles, failures, and what a reload repairs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from app.live.charts.candle_merger import CandleMerger
from app.market.candle import Candle
from app.market.errors import StoreUnavailable
from app.market.interval import SECOND_US, Interval
from app.market.trade import Trade
from tests.live.charts.helpers import shown
from tests.live.databases import FakeStore
from tests.live.helpers import PATIENCE_S, START_US, SYMBOL, FakeExchange, HandClock, away, folded, trade, until
from tests.live.market import Market, every_second


async def test_older_pages_are_contiguous_and_end_at_the_beginning() -> None:
    market = Market([trade(number, number * 1.7) for number in range(1, 2000)], now=1990)
    chart = market.chart("1s")
    market.hear(market.trades[1990])
    await chart.session.run()
    added = [await chart.session.load_older() for _ in range(6)]
    assert added[:2] == [1000, 1000]
    assert sum(added) + 1000 >= 3380
    assert added[-1] == 0
    slots = chart.series.slots
    assert list(slots) == list(range(int(slots[0]), int(slots[-1]) + 1))
    assert chart.bars[0].open_time_us == START_US + SECOND_US
    calls = len(market.exchange.kline_calls)
    assert await chart.session.load_older() == 0
    assert len(market.exchange.kline_calls) == calls
    market.close()


async def test_two_requests_for_older_candles_at_once_load_them_once() -> None:
    market = Market([trade(number, number * 1.7) for number in range(1, 2000)], now=1990)
    chart = market.chart("1s")
    market.hear(market.trades[1990])
    await chart.session.run()
    assert sorted(await asyncio.gather(chart.session.load_older(), chart.session.load_older())) == [0, 1000]
    market.close()


async def test_a_failure_does_not_pass_for_the_beginning_of_history() -> None:
    market = Market([trade(number, number * 1.7) for number in range(1, 2000)], now=1990)
    chart = market.chart("1s")
    market.hear(market.trades[1990])
    await chart.session.run()
    market.exchange.failure = away()
    assert await chart.session.load_older() == 0
    market.exchange.failure = None
    assert await chart.session.load_older() == 1000
    market.close()


async def test_a_jump_far_back_is_loaded_and_the_hole_between_when_it_is_asked_for() -> None:
    market = Market([trade(number, number * 2) for number in range(1, 4000)], now=3990)
    chart = market.chart("1s")
    market.hear(market.trades[3990])
    await chart.session.run()
    await chart.session.ensure(START_US + 1000 * SECOND_US, START_US + 1300 * SECOND_US)
    slots = chart.series.slots - chart.session.interval.slot(START_US)
    assert set(range(1000, 1300)) <= set(slots.tolist())
    assert 4000 not in slots
    calls = len(market.exchange.kline_calls)
    await chart.session.ensure(START_US + 1000 * SECOND_US, START_US + 1300 * SECOND_US)
    assert len(market.exchange.kline_calls) == calls
    for _ in range(2):
        await chart.session.ensure(START_US + 200 * SECOND_US, START_US + 7000 * SECOND_US)
    market.hear(market.trades[3991])
    chart.session.tick()
    market.assert_right(chart)
    market.close()


async def test_a_hole_is_filled_by_a_page_that_reaches_beyond_the_first_candle() -> None:
    market = Market([trade(number, number * 10) for number in range(1, 800)], now=700)
    chart = market.chart("5s")
    market.hear(market.trades[700])
    await chart.session.run()
    *closed, newest = market.expected(Interval.parse("5s"))
    whole = [*closed, newest._replace(complete=True)]  # so far
    chart.series.replace([candle for candle in whole if _far_or_new(candle)])
    await chart.session.ensure(START_US + 6000 * SECOND_US, START_US + 7000 * SECOND_US)
    market.assert_right(chart)
    market.close()


def _far_or_new(candle: Candle) -> bool:
    seconds = (candle.open_time_us - START_US) / SECOND_US
    return 5500 < seconds < 6000 or seconds > 6500


async def test_what_cannot_be_loaded_is_asked_for_once() -> None:
    market = Market([trade(number, number * 10) for number in range(1, 800)], now=700)
    chart = market.chart("5s")
    market.hear(market.trades[700])
    await chart.session.run()
    await chart.session.ensure(START_US - 9000 * SECOND_US, START_US - 8000 * SECOND_US)
    calls = len(market.exchange.kline_calls)
    await chart.session.ensure(START_US - 9000 * SECOND_US, START_US - 8000 * SECOND_US)
    assert len(market.exchange.kline_calls) == calls
    market.close()


async def test_the_live_edge_is_left_to_the_trades() -> None:
    market = Market(every_second(100), now=50)
    chart = market.chart("1s")
    market.hear(market.trades[50])
    await chart.session.run()
    market.clock.time_us += 20 * SECOND_US
    calls = len(market.exchange.kline_calls)
    await chart.session.ensure(market.clock.time_us - 30 * SECOND_US, market.clock.time_us + 30 * SECOND_US)
    assert len(market.exchange.kline_calls) == calls
    market.close()


async def test_an_exchange_that_is_away_fails_with_its_reason_and_reloading_helps_when_it_is_back() -> None:
    market = Market(every_second(400), now=200)
    market.exchange.failure = away("The exchange cannot be reached: check the connection.")
    chart = market.chart("1m")
    market.hear(market.trades[200])
    await chart.session.run()
    assert chart.states == [("failed", "The exchange cannot be reached: check the connection.")]
    market.exchange.failure = None
    await chart.session.reload()
    assert chart.states[-2:] == [("loading", ""), ("ready", "")]
    market.hear(*market.trades[201:])
    chart.session.refresh()
    market.assert_right(chart)
    assert len(market.tracker.listeners) == 1
    market.close()


async def test_without_the_exchange_a_chart_shows_what_is_stored() -> None:
    market = Market(every_second(400), now=200)
    market.exchange.failure = away()
    market.store = FakeStore(market.trades[:200])
    chart = market.chart("1m")
    market.hear(market.trades[200])
    await chart.session.run()
    assert chart.states[0] == ("ready", "")
    assert chart.states[-1] == ("ready", str(away()))
    assert chart.session.is_stale
    assert sum(bar.trades for bar in chart.bars) >= 180
    market.close()


class SlowExchange(FakeExchange):
    """Publishes no kline before it is let."""

    def __init__(self, trades: Sequence[Trade], clock: HandClock) -> None:
        super().__init__(trades, clock)
        self.may_answer = asyncio.Event()

    async def klines(self, *arguments: Any, **named: Any) -> list[Candle]:
        await self.may_answer.wait()
        return await super().klines(*arguments, **named)


async def test_a_few_stored_candles_do_not_flash_before_the_published_ones() -> None:
    market = Market(every_second(400), now=380)
    market.exchange = exchange = SlowExchange(market.trades, market.clock)
    market.store = FakeStore(market.trades[300:380])
    chart = market.chart("1s")
    running = asyncio.create_task(chart.session.run())
    await asyncio.to_thread(market.store.coverage, SYMBOL)  # the worker thread of the store has had its turn
    for _ in range(20):
        await asyncio.sleep(0)
    assert (chart.states, len(chart.series)) == ([], 0)
    exchange.may_answer.set()
    market.hear(market.trades[380])
    await running
    market.hear(*market.trades[381:])
    chart.session.refresh()
    market.assert_right(chart)
    market.close()


@pytest.mark.parametrize(("first", "patience_s"), [(0, 60.0), (300, 0.01)])
async def test_stored_candles_show_at_once_where_they_fill_the_chart_or_the_exchange_is_slow(
    first: int, patience_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.live.charts.page_loader._PATIENCE_S", patience_s)
    market = Market(every_second(400), now=379)
    market.exchange = SlowExchange(market.trades, market.clock)
    market.store = FakeStore(market.trades[first:380])
    chart = market.chart("1s")
    running = asyncio.create_task(chart.session.run())
    await until(lambda: len(chart.series), "candles")
    # The first candle of a recording that began in the middle waits for its kline: nobody saw its start.
    assert (chart.states, len(chart.series)) == ([("ready", "")], 380 - first - (first > 0))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    market.close()


class SlowStore(FakeStore):
    """Reads nothing before it is let."""

    def __init__(self, trades: Sequence[Trade]) -> None:
        super().__init__(trades)
        self.may_answer = threading.Event()

    def candles(self, *arguments: Any, **named: Any) -> list[Candle]:
        assert self.may_answer.wait(PATIENCE_S)
        return super().candles(*arguments, **named)


async def test_stored_candles_read_when_patience_is_over_show_although_they_are_few(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("app.live.charts.page_loader._PATIENCE_S", 0)
    market = Market(every_second(400), now=379)
    market.exchange = SlowExchange(market.trades, market.clock)
    market.store = store = SlowStore(market.trades[300:380])
    chart = market.chart("1s")
    running = asyncio.create_task(chart.session.run())
    for _ in range(5):
        await asyncio.sleep(0)
    store.may_answer.set()
    await until(lambda: len(chart.series) == 79, "what is stored, but for the first candle, whose start nobody saw")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    market.close()


async def test_a_few_stored_candles_show_at_once_where_they_are_known_to_be_all() -> None:
    market = Market(every_second(400), now=379)
    market.exchange = SlowExchange(market.trades, market.clock)
    market.store = FakeStore(market.trades[:380])
    market.store.listed_us = START_US
    chart = market.chart("5s")
    running = asyncio.create_task(chart.session.run())
    await until(lambda: len(chart.series), "candles")
    assert (chart.states, len(chart.series)) == ([("ready", "")], 77)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    market.close()


async def test_without_the_database_a_chart_shows_what_is_published() -> None:
    market = Market(every_second(400), now=200)
    market.store = FakeStore()
    market.store.failure = StoreUnavailable("The database is away.")
    chart = market.chart("1m")
    market.hear(market.trades[200])
    await chart.session.run()
    assert chart.states == [("ready", ""), ("ready", "The database is away.")]
    market.hear(*market.trades[201:])
    chart.session.refresh()
    market.assert_right(chart)
    market.close()


async def test_a_reload_that_fails_keeps_what_is_shown() -> None:
    market = Market(every_second(400), now=200)
    chart = market.chart("1m")
    market.hear(market.trades[200])
    await chart.session.run()
    before = [bar.open_time_us for bar in chart.bars]
    market.exchange.failure = away()
    await chart.session.reload()
    assert [bar.open_time_us for bar in chart.bars] == before
    assert chart.states == [("ready", ""), ("ready", str(away()))]
    market.close()


async def test_a_failed_load_is_stale_until_a_reload_fills_it_and_older_candles_stay() -> None:
    market = Market(every_second(1500), now=1300)
    market.store = FakeStore(market.trades[:900])
    market.exchange.failure = away()
    chart = market.chart("1s")
    market.hear(market.trades[1300])
    await chart.session.run()
    assert chart.session.is_stale
    assert chart.session.failure == str(away())
    market.hear(*market.trades[1301:1400])
    chart.session.refresh()
    assert chart.session.failure == str(away()), "a live trade hides no failure"
    oldest_us = chart.bars[0].open_time_us
    market.exchange.failure = None
    await chart.session.reload()
    market.hear(*market.trades[1400:])
    chart.session.refresh()
    assert (chart.session.is_stale, chart.session.failure) == (False, "")
    assert chart.bars[0].open_time_us == oldest_us
    market.assert_right(chart)
    market.close()


async def test_joined_without_its_beginning_the_open_candle_keeps_what_was_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    market = Market(every_second(400), now=200)
    chart = market.chart("1d")

    async def refused(*arguments: object) -> list[Candle] | None:
        raise away()

    with monkeypatch.context() as patched:
        patched.setattr(chart.session.history, "parts", refused)
        market.hear(*market.trades[200:300])
        await chart.session.run()
    market.hear(*market.trades[300:])
    chart.session.refresh()
    assert 390 <= chart.bars[-1].trades <= len(market.trades)
    assert not chart.bars[-1].complete
    assert chart.session.is_stale
    await chart.session.reload()
    chart.session.refresh()
    market.assert_right(chart)
    market.close()


def test_a_page_that_comes_in_parts_loses_no_empty_candle_between_those_that_changed() -> None:
    interval = Interval.parse("1s")
    page = folded([trade(1, 1), trade(2, 5), trade(3, 9)], interval)
    merger = CandleMerger(SYMBOL, interval)
    merger.merge_page(page)
    again = [one._replace(trades=one.trades + 1) if one.trades else one for one in page]
    merger.merge_page(again)
    assert [merger.series.bar(at).trades for at in range(len(merger))] == [one.trades for one in again]


class Waiting(FakeExchange):
    """An exchange that sets ``asked`` when klines are requested, and answers once ``answer`` is set."""

    def __init__(self, trades: Sequence[Trade], clock: HandClock) -> None:
        super().__init__(trades, clock)
        self.asked, self.answer = asyncio.Event(), asyncio.Event()

    async def klines(self, *asked: object, **limits: object) -> list[Candle]:
        self.asked.set()
        await self.answer.wait()
        return await super().klines(*asked, **limits)  # type: ignore[arg-type]  # because they are passed on as they are


async def test_a_database_that_opens_while_the_exchange_is_asked_is_shown_at_once_and_counted_in() -> None:
    market = Market(every_second(900), now=700)
    exchange = market.exchange = Waiting(market.trades, market.clock)
    chart = market.chart("5s")
    market.hear(market.trades[700])
    running = asyncio.ensure_future(chart.session.run())
    await exchange.asked.wait()
    assert chart.states == []
    chart.session.history.store = FakeStore(market.trades[:600])
    assert chart.session.read_again()
    await chart.session.show_stored()
    assert chart.states == [("ready", "")]
    assert len(chart.series) == 121
    assert not running.done()
    asked = len(exchange.kline_calls)
    exchange.answer.set()
    await running
    assert chart.session.joined
    assert not chart.session.read_again()
    again = [call for call in exchange.kline_calls[asked:] if call[1] is not None and call[1] < START_US]
    assert again  # the page was read once more, now with what is stored, before the live trades were joined
    market.hear(*market.trades[701:])
    chart.session.refresh()
    market.assert_right(chart)
    market.close()


async def test_what_is_stored_replaces_no_candle_that_is_there() -> None:
    market = Market(every_second(900), now=700)
    market.store = FakeStore(market.trades[:100])
    chart = market.chart("5s")
    market.hear(market.trades[700])
    await chart.session.run()
    chart.session.refresh()
    changes, before = chart.changes, chart.bars
    await chart.session.show_stored()
    assert (chart.changes, chart.bars) == (changes, before)
    market.close()


async def test_a_database_that_cannot_be_read_leaves_the_chart_to_the_exchange() -> None:
    market = Market(every_second(900), now=700)
    market.store = FakeStore(market.trades[:100])
    market.store.failure = StoreUnavailable("It is away.")
    chart = market.chart("5s")
    await chart.session.show_stored()
    assert chart.states == []
    market.close()


@pytest.mark.parametrize("name", ["1M", "1w", "1d", "13m", "1h+20m"])
@pytest.mark.parametrize("is_early", [True, False], ids=["shown before the exchange is asked", "asked at once"])
async def test_no_candle_without_its_first_trades_shows_while_its_kline_is_on_the_way(
    name: str, is_early: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.live.charts.page_loader._PATIENCE_S", 0.0)
    trades = [trade(number, 700.0 * number, 100 + number % 7) for number in range(1, 300)]
    market = Market(trades, now=290)
    exchange = market.exchange = Waiting(market.trades, market.clock)
    market.store = FakeStore(trades[250:291])  # recorded since yesterday, in the middle of a month, a week and a day
    chart = market.chart(name)
    right = {bar.open_time_us: shown(bar)[:2] for bar in market.expected(chart.session.interval)}
    wrong = []

    def look() -> None:
        wrong.extend(
            bar for bar in chart.bars if bar.trades and (bar.open_time_us, bar.open) != right[bar.open_time_us]
        )

    monkeypatch.setattr(chart.session, "_on_change", look)
    market.hear(trades[290])
    if is_early:
        await chart.session.show_stored()
    running = asyncio.ensure_future(chart.session.run())
    await exchange.asked.wait()
    await asyncio.sleep(0.05)
    look()
    first = chart.session.interval.open_time_us(trades[250].time_us)
    assert first not in [bar.open_time_us for bar in chart.bars]
    assert chart.session.awaits_newest == (bool(len(chart.series)) and name not in ("13m", "1h+20m"))
    exchange.answer.set()
    await running
    chart.session.refresh()
    look()
    assert wrong == []
    assert not chart.session.awaits_newest
    market.assert_right(chart)
    market.close()


async def test_a_candle_without_its_first_trades_shows_as_incomplete_once_the_exchange_does_not_answer() -> None:
    market = Market(every_second(900), now=700)
    market.store = FakeStore(market.trades[300:600])
    market.exchange.failure = away()
    chart = market.chart("1d")
    await chart.session.show_stored()
    assert chart.bars == []
    market.hear(market.trades[700])
    await chart.session.run()
    assert [bar.complete for bar in chart.bars] == [False]
    market.close()
