"""Instruments and candles of OANDA, page by page, within its limits."""

from __future__ import annotations

import asyncio

import pytest

from app.brokers.oanda.credentials import Credentials
from app.brokers.oanda.http_client import HttpClient
from app.brokers.oanda.rest import OandaKlines, OandaRest
from app.market.candle import CandleSource
from app.market.errors import FeedDisconnected, FeedRejected, UnknownSymbol
from app.market.interval import Interval
from app.market.quotes.tick import PriceSide, Tick
from app.market.quotes.tick_candle import TickCandle
from app.sandbox.oanda.server import ACCOUNT, TOKEN, OandaLimits, OandaSandbox
from app.sandbox.oanda.tape import PriceTape, SimulatedTape
from tests.brokers.binance.helpers import FastClock
from tests.brokers.oanda.conftest import EURUSD, MONDAY_US, Client, MarketClock
from tests.tick_candles import candle_of_tick, combine_ticks

MINUTE = Interval.parse("1m")
HOUR_US, DAY_US = 3_600_000_000, 86_400_000_000


def summed(tape: PriceTape, interval: Interval, start_us: int, end_us: int) -> list[TickCandle]:
    """Return candles of the tape's prices."""
    parts: dict[int, list[TickCandle]] = {}
    for price in tape.prices("EUR_USD", start_us - 1, end_us - 1):
        tick = Tick(EURUSD, price.time_us, 0, price.bid * 1_000, price.ask * 1_000)
        parts.setdefault(interval.open_time_us(price.time_us), []).append(candle_of_tick(price.time_us, tick))
    return [combine_ticks(open_us, parts[open_us]) for open_us in sorted(parts)]


def prices_of(candles: list[TickCandle]) -> list[tuple[object, ...]]:
    return [(one.open_time_us, one.bid, one.ask, one.ticks) for one in candles]


async def test_the_instruments_of_the_account(quiet: Client) -> None:
    symbols = await quiet.rest.symbols()
    assert {symbol.name for symbol in symbols} >= {EURUSD, "oanda:SPX500USD"}
    assert all(symbol.is_trading for symbol in symbols)
    described = {one.name: (one.exchange, one.asset_class, one.calendar, one.time_zone) for one in symbols}
    assert described[EURUSD] == ("OANDA", "forex", "FOREX", "America/New_York")
    assert described["oanda:SPX500USD"] == ("OANDA", "cfd", "", "America/New_York")


async def test_candles_come_page_by_page_and_equal_the_ticks(quiet: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.brokers.oanda.rest.MAX_CANDLES", 50)
    start_us, end_us = MONDAY_US - 4 * HOUR_US + 30_000_000, MONDAY_US - 15 * 60_000_000
    candles = await quiet.rest.quote_candles(EURUSD, MINUTE, start_us, end_us)
    first_us = MONDAY_US - 4 * HOUR_US + 60_000_000
    expected = summed(quiet.server._tape, MINUTE, first_us, end_us)
    assert prices_of([one.candle for one in candles]) == prices_of(expected)
    assert all(one.closed for one in candles)
    assert len(candles) > 150
    assert quiet.server.requests["/instruments/EUR_USD/candles"] >= 4


async def test_a_range_across_a_weekend_has_no_candles_there(quiet: Client) -> None:
    hour = Interval.parse("1h")
    candles = await quiet.rest.quote_candles(EURUSD, hour, MONDAY_US - 4 * DAY_US, MONDAY_US)
    times = [one.candle.open_time_us for one in candles]
    assert len(times) == 4 * 24 - 48
    assert prices_of([one.candle for one in candles]) == prices_of(
        summed(quiet.server._tape, hour, MONDAY_US - 4 * DAY_US, MONDAY_US)
    )


@pytest.mark.parametrize("name", ["5s", "15m", "4h", "1d", "1w", "1M"])
async def test_every_interval_opens_where_ours_does(name: str, quiet: Client) -> None:
    interval = Interval.parse(name)
    start_us = MONDAY_US - (40 * DAY_US if interval.length_us >= DAY_US else 20 * interval.length_us)
    candles = await quiet.rest.quote_candles(EURUSD, interval, start_us, MONDAY_US)
    assert candles
    assert all(interval.open_time_us(one.candle.open_time_us) == one.candle.open_time_us for one in candles)
    first = interval.next_open_us(start_us - 1)
    assert prices_of([one.candle for one in candles if one.closed]) == prices_of(
        summed(quiet.server._tape, interval, first, MONDAY_US)[: sum(one.closed for one in candles)]
    )


async def test_the_open_candle_is_not_closed_and_the_future_is_not_asked_for(quiet: Client) -> None:
    candles = await quiet.rest.quote_candles(EURUSD, MINUTE, MONDAY_US - 5 * 60_000_000, MONDAY_US + 30 * DAY_US)
    assert [one.closed for one in candles].count(False) <= 1
    assert await quiet.rest.quote_candles(EURUSD, MINUTE, MONDAY_US + DAY_US, MONDAY_US + 2 * DAY_US) == []


async def test_an_interval_or_a_symbol_that_oanda_lacks(quiet: Client) -> None:
    assert not quiet.rest.has_candles_of(Interval.parse("7m"))
    with pytest.raises(ValueError, match="no candles"):
        await quiet.rest.quote_candles(EURUSD, Interval.parse("7m"), 0, 1)
    with pytest.raises(UnknownSymbol):
        await quiet.rest.quote_candles("oanda:FOOBAR", MINUTE, MONDAY_US - HOUR_US, MONDAY_US)


@pytest.mark.parametrize("side", PriceSide)
async def test_klines_of_one_price(side: PriceSide, quiet: Client) -> None:
    klines = OandaKlines(quiet.rest, side, clock=MarketClock(quiet.server, quiet.clock))
    start_us = MONDAY_US - HOUR_US
    oldest = await klines.klines(EURUSD, MINUTE, start_us=start_us, end_us=MONDAY_US, limit=10)
    expected = summed(quiet.server._tape, MINUTE, start_us, MONDAY_US)  # minutes without a price have no kline
    latest, expected = expected[-3:], expected[:10]
    assert [one.open_time_us for one in oldest] == [one.open_time_us for one in expected]
    assert [(one.open_e8, one.high_e8, one.low_e8, one.close_e8) for one in oldest] == [
        one.bar(side) for one in expected
    ]
    assert [one.trades for one in oldest] == [one.ticks for one in expected]
    assert [one.volume_e8 for one in oldest] == [one.ticks * 100_000_000 for one in expected]
    assert {one.source for one in oldest} == {CandleSource.KLINE}
    newest = await klines.klines(EURUSD, MINUTE, end_us=MONDAY_US, limit=3)
    assert [one.open_time_us for one in newest] == [one.open_time_us for one in latest]
    threes = await klines.klines(EURUSD, Interval.parse("3m"), start_us=start_us, end_us=MONDAY_US, limit=5)
    assert [one.bar(side) for one in summed(quiet.server._tape, Interval.parse("3m"), start_us, start_us + HOUR_US)][
        :5
    ] == [(one.open_e8, one.high_e8, one.low_e8, one.close_e8) for one in threes]
    assert await klines.klines(EURUSD, Interval.parse("1s"), limit=5) == []
    assert abs(await klines.exchange_time_us() - quiet.server.time.now_us()) < HOUR_US


async def test_answers_that_cannot_be_read_and_faults_are_sentences(quiet: Client) -> None:
    quiet.server.faults.answers.answer_next(b"<html>sign in</html>")
    with pytest.raises(FeedDisconnected, match="cannot be read"):
        await quiet.rest.symbols()
    quiet.server.faults.answers.fail_next(503)
    with pytest.raises(FeedDisconnected, match="HTTP 503"):
        await quiet.rest.symbols()
    quiet.server.faults.answers.fail_next(302)
    with pytest.raises(FeedDisconnected, match="Something other than OANDA"):
        await quiet.rest.symbols()
    quiet.server.faults.answers.fail_next(404, body=b'{"errorMessage":"No such account"}')
    with pytest.raises(FeedRejected, match=r"No such account; check OANDA_ACCOUNT_ID\."):
        await quiet.rest.symbols()
    quiet.server.faults.answers.fail_next(429, retry_after_s=60)
    with pytest.raises(FeedDisconnected, match="too much too fast") as refused:
        await quiet.rest.symbols()
    assert refused.value.retry_after_s == 60
    asked = quiet.server.requests.total()
    with pytest.raises(FeedDisconnected, match="trying again"):
        await quiet.rest.symbols()
    assert quiet.server.requests.total() == asked  # not before its time


async def test_requests_and_new_connections_stay_within_the_limits() -> None:
    clock = FastClock(1)
    server = OandaSandbox(SimulatedTape(), limits=OandaLimits())
    await server.start()
    http = HttpClient(Credentials(TOKEN, ACCOUNT), clock=clock, proxy="none")
    rest = OandaRest(server.url, http, clock=clock)
    async with asyncio.timeout(20):
        await asyncio.gather(*(rest.symbols() for _ in range(150)))
    await http.close()
    await server.stop()
    assert server.requests[f"/accounts/{ACCOUNT}/instruments"] == 150
    assert len(server.connections) <= 4
