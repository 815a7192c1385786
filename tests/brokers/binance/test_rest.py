"""The REST client against a real HTTP server: its requests, and the exchange's limits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from app.brokers.binance.endpoints import HISTORICAL_TRADES, KLINES, exchange_of
from app.brokers.binance.http_client import HttpClient
from app.brokers.binance.rest import BinanceRest
from app.brokers.rate_limit import WeightBudget
from app.market.errors import FeedBanned, FeedDisconnected, FeedRejected, SettingsError
from app.market.exchange_ban import ExchangeBan
from app.market.interval import Interval
from tests.brokers.binance.helpers import PATIENCE_S, FastClock, ManualClock, until

MINUTE = Interval.parse("1m")
NOW_MS = 1_723_161_255_000


def kline(open_ms: int) -> list[Any]:
    return [open_ms, "1.0", "2.0", "0.5", "1.5", "10", open_ms + 59_999, "15", 3, "4", "6", "0"]


class RestServer:
    """A loopback exchange that answers each path with what the test put there, and notes what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.headers: list[dict[str, str]] = []
        self.answers: dict[str, Any] = {"/api/v3/time": {"serverTime": NOW_MS}}
        self.refusals: list[tuple[int, dict[str, str], bytes]] = []
        self.used_weight = "1"
        self.hang = False
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append((request.path, dict(request.query)))
        self.headers.append(dict(request.headers))
        if self.hang:
            await asyncio.sleep(3600)
        if self.refusals:
            status, headers, body = self.refusals.pop(0)
            return web.Response(status=status, headers=headers, body=body)
        answer = self.answers[request.path]
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        return web.Response(body=body, headers={"X-MBX-USED-WEIGHT-1M": self.used_weight})


@pytest.fixture
async def server() -> AsyncIterator[RestServer]:
    server = RestServer()
    app = web.Application()
    app.router.add_get("/{path:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    server.url = f"http://{host}:{port}"
    yield server
    await runner.cleanup()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(now_us=NOW_MS * 1000)


@pytest.fixture
async def rest(server: RestServer, clock: ManualClock) -> AsyncIterator[BinanceRest]:
    rest = BinanceRest(server.url, clock=clock)
    yield rest
    await rest.close()


async def test_klines_are_requested_by_open_time_with_an_exclusive_end(rest: BinanceRest, server: RestServer) -> None:
    server.answers["/api/v3/klines"] = [kline(NOW_MS - 135_000), kline(NOW_MS - 75_000), kline(NOW_MS - 15_000)]
    candles = await rest.klines("BTCUSDT", MINUTE, start_us=60_000_001, end_us=180_000_000, limit=5000)
    assert server.asked[-1] == (
        "/api/v3/klines",
        {"symbol": "BTCUSDT", "interval": "1m", "limit": "1000", "startTime": "60001", "endTime": "179999"},
    )
    assert [candle.closed for candle in candles] == [True, True, False]
    assert server.headers[-1]["X-MBX-TIME-UNIT"] == "MICROSECOND"


async def test_a_kline_is_closed_by_the_exchanges_clock_not_ours(server: RestServer) -> None:
    server.answers["/api/v3/klines"] = [kline(NOW_MS - 15_000)]
    wrong_by_a_year = ManualClock(now_us=(NOW_MS + 31_536_000_000) * 1000)
    rest = BinanceRest(server.url, clock=wrong_by_a_year)
    assert [candle.closed for candle in await rest.klines("BTCUSDT", MINUTE)] == [False]
    await wrong_by_a_year.advance(44.9)
    assert [candle.closed for candle in await rest.klines("BTCUSDT", MINUTE)] == [False]
    await wrong_by_a_year.advance(0.2)
    assert [candle.closed for candle in await rest.klines("BTCUSDT", MINUTE)] == [True]
    await rest.close()
    assert [path for path, _ in server.asked].count("/api/v3/time") == 1


async def test_intervals_are_named_as_the_exchange_does(rest: BinanceRest, server: RestServer) -> None:
    server.answers["/api/v3/klines"] = []
    for text, name in (("60m", "1h"), ("7d", "1w"), ("1M", "1M"), ("24h", "1d"), ("60s", "1m")):
        await rest.klines("BTCUSDT", Interval.parse(text))
        assert server.asked[-1][1]["interval"] == name
    with pytest.raises(FeedRejected, match="no klines of 13m"):
        await rest.klines("BTCUSDT", Interval.parse("13m"))


async def test_trades_are_requested_by_id_and_come_in_ascending_order(rest: BinanceRest, server: RestServer) -> None:
    rows = [
        {"id": number, "price": "1.5", "qty": "2", "quoteQty": "3", "time": NOW_MS, "isBuyerMaker": True}
        for number in (9, 8, 7)
    ]
    server.answers["/api/v3/historicalTrades"] = server.answers["/api/v3/trades"] = rows
    assert [trade.trade_id for trade in await rest.trades_from("BTCUSDT", 8, limit=2)] == [8, 9]
    assert server.asked[-1] == ("/api/v3/historicalTrades", {"symbol": "BTCUSDT", "fromId": "8", "limit": "2"})
    assert [trade.trade_id for trade in await rest.recent_trades("BTCUSDT")] == [7, 8, 9]


async def test_the_first_trade_since_a_time_is_found_to_the_microsecond(rest: BinanceRest, server: RestServer) -> None:
    base = {"a": 1, "p": "1", "q": "1", "m": True, "M": True}
    server.answers["/api/v3/aggTrades"] = [
        base | {"f": -1, "l": -1, "T": NOW_MS * 1000 + 999},
        base | {"f": 10, "l": 11, "T": NOW_MS * 1000 + 300},
        base | {"f": 12, "l": 19, "T": NOW_MS * 1000 + 500},
        base | {"f": 20, "l": 20, "T": NOW_MS * 1000 + 900},
    ]
    assert await rest.first_trade_id_since("BTCUSDT", NOW_MS * 1000 + 400) == 12
    assert await rest.first_trade_id_since("BTCUSDT", NOW_MS * 1000 + 999) is None
    query = server.asked[-1][1]
    assert (query["startTime"], query["endTime"]) == (str(NOW_MS), str(NOW_MS + 3_600_000))


async def test_rolling_days_are_requested_with_the_least_weight(rest: BinanceRest, server: RestServer) -> None:
    row = {
        "symbol": "BTCUSDT",
        "openPrice": "1",
        "highPrice": "3",
        "lowPrice": "1",
        "lastPrice": "2",
        "volume": "5",
        "quoteVolume": "9",
        "openTime": NOW_MS,
        "closeTime": NOW_MS,
        "firstId": 1,
        "lastId": 2,
        "count": 2,
    }
    server.answers["/api/v3/ticker/24hr"] = [row, row | {"symbol": "OTHER"}]
    assert await rest.day_tickers([]) == []
    assert server.asked == []
    tickers = await rest.day_tickers(["BTCUSDT", "币安人生USDT"])
    assert [ticker.symbol for ticker in tickers] == ["BTCUSDT"]
    assert tickers[0].change_percent == 100
    assert server.asked[-1][1] == {"type": "MINI", "symbols": '["BTCUSDT","币安人生USDT"]'}
    await rest.day_tickers(["BTCUSDT", *(f"C{number}" for number in range(100))])
    assert server.asked[-1][1] == {"type": "MINI"}


async def test_a_symbol_in_another_script_reaches_the_exchange_whole(rest: BinanceRest, server: RestServer) -> None:
    server.answers["/api/v3/trades"] = []
    await rest.recent_trades("币安人生USDT&limit=1")
    assert server.asked[-1][1] == {"symbol": "币安人生USDT&limit=1", "limit": "1000"}


async def test_an_unknown_symbol_is_named(rest: BinanceRest, server: RestServer) -> None:
    server.refusals = [(400, {}, b'{"code":-1121,"msg":"Invalid symbol."}')]
    with pytest.raises(FeedRejected, match=r"^“BTCUSDX” is not a symbol of the exchange\.$") as caught:
        await rest.recent_trades("BTCUSDX")
    assert caught.value.code == -1121


@pytest.mark.parametrize(
    ("status", "body", "error", "sentence"),
    [
        (400, b'{"code":-1102,"msg":"Mandatory parameter missing."}', FeedRejected, "Mandatory parameter missing"),
        (400, b"<html>", FeedRejected, "HTTP 400"),
        (404, b"", FeedRejected, "HTTP 404"),
        (451, b"{}", FeedRejected, "HTTP 451"),
        (500, b"", FeedDisconnected, "HTTP 500"),
        (503, b'{"code":-1000,"msg":"x"}', FeedDisconnected, "HTTP 503"),
        (200, b'{"nonsense', FeedDisconnected, "cannot be read"),
        (200, b"[1,2]", FeedDisconnected, "cannot be read"),
    ],
)
async def test_every_other_answer_becomes_one_sentence(
    rest: BinanceRest, server: RestServer, status: int, body: bytes, error: type[Exception], sentence: str
) -> None:
    server.refusals = [(status, {}, body)]
    with pytest.raises(error, match=sentence):
        await rest.recent_trades("BTCUSDT")
    server.answers["/api/v3/trades"] = []
    assert await rest.recent_trades("BTCUSDT") == []


@pytest.mark.parametrize(
    ("status", "body"),
    [(429, b'{"code":-1003,"msg":"Too much"}'), (418, b""), (403, b"<html>"), (400, b'{"code":-1003,"msg":"x"}')],
)
async def test_a_ban_stops_every_later_call(
    rest: BinanceRest, server: RestServer, clock: ManualClock, status: int, body: bytes
) -> None:
    server.answers["/api/v3/trades"] = []
    server.refusals = [(status, {"Retry-After": "30"}, body)]
    with pytest.raises(FeedDisconnected) as caught:
        await rest.recent_trades("BTCUSDT")
    assert caught.value.retry_after_s == 30
    await clock.advance(10)
    with pytest.raises(FeedDisconnected, match=r"answers again in (20|19) s") as caught:
        await rest.server_time_us()
    assert caught.value.retry_after_s == 20
    assert len(server.asked) == 1
    await clock.advance(18)
    waiting = asyncio.create_task(rest.recent_trades("BTCUSDT"))
    await until(lambda: clock.sleepers)
    assert len(server.asked) == 1
    await clock.advance(2)
    assert await waiting == []


async def test_a_failing_host_is_named_and_stops_no_other(server: RestServer, clock: ManualClock) -> None:
    home = "http://data-api.binance.vision"
    requests = HttpClient(home, clock=clock, timeout_s=5.0, proxy="none", ban=ExchangeBan(), budget=WeightBudget(6000))
    other, host = server.url, server.url.removeprefix("http://")
    server.refusals = [(451, {}, b"{}"), (503, {"Retry-After": "30"}, b"")]
    with pytest.raises(FeedRejected, match=rf"^{host} does not serve this location"):
        await requests.get(HISTORICAL_TRADES, {}, bytes, base=other)
    with pytest.raises(FeedDisconnected, match=rf"^{host} has a fault of its own"):
        await requests.get(HISTORICAL_TRADES, {}, bytes, base=other)
    with pytest.raises(FeedDisconnected, match="answers again in 30 s"):
        await requests.get(HISTORICAL_TRADES, {}, bytes, base=other)
    server.answers["/api/v3/klines"] = []
    assert await requests.get(KLINES, {}, bytes, base=other.replace("127.0.0.1", "localhost")) == b"[]"
    await requests.close()


@pytest.mark.parametrize("status", [403, 418, 429])
async def test_a_ban_by_a_host_of_another_exchange_only_concerns_that_host(
    server: RestServer, clock: ManualClock, status: int
) -> None:
    """As where single trades come from a host whose firewall turns away this country, and all else does not."""
    home, other = server.url.replace("127.0.0.1", "localhost"), server.url
    ban = ExchangeBan({exchange_of(home)})
    requests = HttpClient(home, clock=clock, timeout_s=5.0, proxy="none", ban=ban, budget=WeightBudget(6000))
    server.answers["/api/v3/klines"] = []
    server.refusals = [(status, {"Retry-After": "300"}, b"")]
    with pytest.raises(FeedBanned):
        await requests.get(HISTORICAL_TRADES, {}, bytes, base=other)
    with pytest.raises(FeedDisconnected, match="answers again in 5 min"):
        await requests.get(HISTORICAL_TRADES, {}, bytes, base=other)
    assert await requests.get(KLINES, {}, bytes) == b"[]"
    server.refusals = [(status, {"Retry-After": "300"}, b"")]
    with pytest.raises(FeedBanned):
        await requests.get(KLINES, {}, bytes)
    assert ban.left_s(clock.monotonic_s()) == 300
    await requests.close()


async def test_the_weight_of_a_minute_is_never_exceeded(
    rest: BinanceRest, server: RestServer, clock: ManualClock
) -> None:
    server.answers["/api/v3/trades"] = []
    server.used_weight = "5390"
    await rest.recent_trades("BTCUSDT")
    waiting = asyncio.create_task(rest.recent_trades("BTCUSDT"))
    await until(lambda: clock.sleepers)
    assert len(server.asked) == 1
    server.used_weight = "25"
    await clock.advance(45)  # the minute of the test's clock has 45 s left
    assert await waiting == []
    assert rest.used_weight == 25


async def test_a_download_leaves_a_share_of_each_minute_to_the_window_beside_it(
    server: RestServer, clock: ManualClock
) -> None:
    """The exchange counts what both use, so the header tells a client of the other's requests."""
    rest = BinanceRest(server.url, clock=clock, share=0.6)
    server.answers["/api/v3/trades"] = []
    server.used_weight = "3590"
    await rest.recent_trades("BTCUSDT")
    waiting = asyncio.create_task(rest.recent_trades("BTCUSDT"))
    await until(lambda: clock.sleepers)
    assert len(server.asked) == 1
    await clock.advance(45)
    assert await waiting == []
    await rest.close()


async def test_the_exchange_states_the_weight_limit(rest: BinanceRest, server: RestServer) -> None:
    server.answers["/api/v3/exchangeInfo"] = {
        "rateLimits": [{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 1200}],
        "symbols": [
            {"symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT", "filters": []}
        ],
    }
    assert [symbol.display_name for symbol in await rest.symbols()] == ["BTC/USDT"]
    assert rest.weight_per_minute == 1200


async def test_a_request_without_an_answer_times_out(server: RestServer) -> None:
    server.hang = True
    rest = BinanceRest(server.url, clock=FastClock(), timeout_s=0.1)
    with pytest.raises(FeedDisconnected, match=r"Cannot reach .* \(no answer in time\)"):
        await rest.server_time_us()
    await rest.close()


async def test_a_request_cut_in_its_answer_by_new_connections_fails_at_once(clock: ManualClock) -> None:
    """aiohttp lets whoever reads a body wait for the time-out when its connection is closed under them."""
    halves: list[asyncio.StreamWriter] = []

    async def answer_half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"serverTime":')
        halves.append(writer)

    server = await asyncio.start_server(answer_half, "127.0.0.1", 0)
    rest = BinanceRest(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", clock=clock, timeout_s=3600.0)
    for end in (rest.renew, rest.close):
        asked = asyncio.ensure_future(rest.server_time_us())
        await until(lambda: halves, "half an answer")
        for _ in range(20):  # until it is being read
            await asyncio.sleep(0)
        if (closing := end()) is not None:
            await closing
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(FeedDisconnected, match="was given up before it answered"):
                await asked
        halves.pop().close()
    server.close()
    await rest.close()


async def test_an_unreachable_exchange_is_reported(unused_tcp_port: int) -> None:
    rest = BinanceRest(f"http://127.0.0.1:{unused_tcp_port}", clock=FastClock())
    with pytest.raises(FeedDisconnected, match=rf"^Cannot reach 127.0.0.1:{unused_tcp_port} \(connection refused\)\.$"):
        await rest.server_time_us()
    await rest.close()
    await rest.close()


@pytest.mark.parametrize("url", ["", "ws://x", "https://api.binance.com/api", "https://", "http://a b", "https://x?y"])
def test_an_invalid_address_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match=r"is no address of the exchange"):
        BinanceRest(url, clock=ManualClock())
