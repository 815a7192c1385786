from itertools import pairwise

import aiohttp
import pytest

from app.market.interval import EXCHANGE_INTERVALS
from app.sandbox.server.connection import Limits
from app.sandbox.server.rest import ApiError, RestApi
from app.sandbox.server.server import SandboxServer
from tests.sandbox.helpers import NOW_US, get, get_all, serving, small_market

MARKET = small_market(rate=5.0)


@pytest.fixture
async def server():
    async with serving(MARKET) as server:
        yield server


async def asked(path, microseconds=False, **parameters):
    texts = {name: str(value) for name, value in parameters.items()}
    return await RestApi(MARKET).answer(f"/api/v3/{path}", texts, microseconds=microseconds)


async def test_time_and_ping(server: SandboxServer):
    assert await get(server, "ping") == {}
    assert await get(server, "time") == {"serverTime": NOW_US // 1000}
    assert await get(server, "time", microseconds=True) == {"serverTime": NOW_US}


async def test_exchange_info_describes_symbols_their_steps_and_the_budget(server: SandboxServer):
    info = await get(server, "exchangeInfo")
    assert {symbol["symbol"]: symbol["status"] for symbol in info["symbols"]} == {
        "BTCUSDT": "TRADING",
        "ADAUSDT": "TRADING",
        "币安人生USDT": "TRADING",
        "LUNAUSDT": "BREAK",
    }
    ada = next(symbol for symbol in info["symbols"] if symbol["symbol"] == "ADAUSDT")
    filters = {entry["filterType"]: entry for entry in ada["filters"]}
    assert filters["PRICE_FILTER"]["tickSize"] == "0.00010000"
    assert filters["LOT_SIZE"]["stepSize"] == "0.10000000"
    assert (ada["baseAsset"], ada["quoteAsset"], ada["baseAssetPrecision"]) == ("ADA", "USDT", 8)
    weight = next(limit for limit in info["rateLimits"] if limit["rateLimitType"] == "REQUEST_WEIGHT")
    assert (weight["limit"], weight["interval"], weight["intervalNum"]) == (6000, "MINUTE", 1)


async def test_exchange_info_can_be_asked_for_some_symbols():
    one = await asked("exchangeInfo", symbol="ADAUSDT")
    assert [symbol["symbol"] for symbol in one["symbols"]] == ["ADAUSDT"]
    two = await asked("exchangeInfo", symbols='["BTCUSDT","币安人生USDT"]')
    assert [symbol["symbol"] for symbol in two["symbols"]] == ["BTCUSDT", "币安人生USDT"]
    halted = await asked("exchangeInfo", symbolStatus="BREAK")
    assert [symbol["symbol"] for symbol in halted["symbols"]] == ["LUNAUSDT"]


@pytest.mark.parametrize("interval", EXCHANGE_INTERVALS, ids=str)
@pytest.mark.parametrize("path", ["klines", "uiKlines"])
async def test_klines_of_every_interval_are_consecutive(path, interval):
    rows = await asked(path, symbol="BTCUSDT", interval=interval, limit=20)
    assert rows
    for row in rows:
        assert len(row) == 12
        assert row[6] == interval.next_open_us(row[0] * 1000) // 1000 - 1
    assert all(earlier[6] + 1 == later[0] for earlier, later in pairwise(rows))
    assert rows[-1][0] <= NOW_US // 1000 <= rows[-1][6]


async def test_klines_come_oldest_first_from_a_start_and_newest_before_an_end():
    newest = await asked("klines", symbol="BTCUSDT", interval="1m")
    assert len(newest) == 500
    begin, end = newest[100][0], newest[110][0]
    between = await asked("klines", symbol="BTCUSDT", interval="1m", startTime=begin, endTime=end)
    assert between == newest[100:111]
    assert await asked("klines", symbol="BTCUSDT", interval="1m", startTime=begin, limit=3) == newest[100:103]
    assert await asked("klines", symbol="BTCUSDT", interval="1m", endTime=end, limit=3) == newest[108:111]
    assert await asked("klines", symbol="BTCUSDT", interval="1m", startTime=end, endTime=begin) == []
    assert len(await asked("klines", symbol="BTCUSDT", interval="1s", limit=5000)) == 1000


async def test_times_of_requests_and_answers_may_be_in_microseconds():
    rows = await asked("klines", symbol="BTCUSDT", interval="1m", limit=2, microseconds=True)
    assert rows[0][0] % 60_000_000 == 0
    assert rows[0][6] == rows[1][0] - 1
    again = await asked("klines", symbol="BTCUSDT", interval="1m", startTime=rows[0][0], limit=1)
    assert again[0][0] * 1000 == rows[0][0]


async def test_trades_are_the_newest_and_historical_trades_continue_from_an_id():
    newest = await asked("trades", symbol="BTCUSDT", limit=10)
    assert [row["id"] for row in newest] == list(range(newest[0]["id"], newest[0]["id"] + 10))
    assert await asked("historicalTrades", symbol="BTCUSDT", limit=10) == newest
    page = await asked("historicalTrades", symbol="BTCUSDT", fromId=newest[4]["id"])
    assert page == newest[4:]
    assert await asked("historicalTrades", symbol="BTCUSDT", fromId=newest[-1]["id"] + 1) == []
    oldest = await asked("historicalTrades", symbol="BTCUSDT", fromId=0, limit=2)
    assert oldest[0]["id"] == MARKET.trade_ids("BTCUSDT")[0]


async def test_aggregates_are_found_by_id_and_by_time():
    trades = await asked("historicalTrades", symbol="ADAUSDT", limit=1000)
    rows = await asked("aggTrades", symbol="ADAUSDT", limit=1000)
    assert [(row["a"], row["f"], row["l"], row["p"], row["q"], row["T"], row["m"]) for row in rows] == [
        (*[trade["id"]] * 3, trade["price"], trade["qty"], trade["time"], trade["isBuyerMaker"]) for trade in trades
    ]
    assert await asked("aggTrades", symbol="ADAUSDT", fromId=rows[7]["a"], limit=5) == rows[7:12]
    begin, end = rows[100]["T"], rows[300]["T"]
    # The window's ends are milliseconds; trades differ by microseconds.
    inside = await asked("aggTrades", symbol="ADAUSDT", startTime=begin, endTime=end, limit=1000)
    assert inside == [row for row in rows if begin <= row["T"] < end or row["a"] in {row["a"] for row in inside}]
    assert inside[0]["T"] == begin
    before = await asked("aggTrades", symbol="ADAUSDT", endTime=end, limit=5)
    assert before == inside[-5:]


async def test_the_rolling_day_comes_for_one_some_or_all_symbols_full_or_mini():
    one = await asked("ticker/24hr", symbol="BTCUSDT")
    assert one["lastPrice"] == (await asked("trades", symbol="BTCUSDT", limit=1))[0]["price"]
    assert float(one["lowPrice"]) <= float(one["weightedAvgPrice"]) <= float(one["highPrice"])
    assert one["count"] == one["lastId"] - one["firstId"] + 1
    mini = await asked("ticker/24hr", symbol="BTCUSDT", type="MINI")
    assert mini.items() <= one.items()
    assert "bidPrice" not in mini
    every = await asked("ticker/24hr")
    assert [row["symbol"] for row in every] == ["BTCUSDT", "ADAUSDT", "币安人生USDT", "LUNAUSDT"]
    assert await asked("ticker/24hr", symbol="LUNAUSDT") == every[3]
    assert (every[3]["count"], every[3]["lastPrice"]) == (0, "0.00000000")
    assert await asked("ticker/24hr", symbols='["ADAUSDT"]') == every[1:2]


@pytest.mark.parametrize(
    ("path", "parameters", "code"),
    [
        ("klines", {"interval": "1m"}, -1102),
        ("klines", {"symbol": "BTCUSDT"}, -1102),
        ("klines", {"symbol": "", "interval": "1m"}, -1102),
        ("klines", {"symbol": "BTCUSD", "interval": "1m"}, -1121),
        ("klines", {"symbol": "btcusdt", "interval": "1m"}, -1100),
        ("klines", {"symbol": "BTC/USDT", "interval": "1m"}, -1100),
        ("klines", {"symbol": "BTCUSDT", "interval": "7m"}, -1120),
        ("klines", {"symbol": "BTCUSDT", "interval": "1m", "limit": "many"}, -1100),
        ("klines", {"symbol": "BTCUSDT", "interval": "1m", "limit": "-1"}, -1100),
        ("klines", {"symbol": "BTCUSDT", "interval": "1m", "limit": "0"}, -1130),
        ("klines", {"symbol": "BTCUSDT", "interval": "1m", "startTime": "noon"}, -1100),
        ("klines", {"symbol": "BTCUSDT", "interval": "1m", "colour": "red"}, -1104),
        ("aggTrades", {"symbol": "BTCUSDT", "fromId": "1", "startTime": "1"}, -1128),
        ("exchangeInfo", {"symbol": "BTCUSDT", "symbols": '["BTCUSDT"]'}, -1128),
        ("exchangeInfo", {"symbols": "BTCUSDT"}, -1100),
        ("ticker/24hr", {"symbol": "BTCUSDT", "type": "HUGE"}, -1139),
    ],
)
async def test_wrong_parameters_get_the_exchanges_code(path, parameters, code):
    with pytest.raises(ApiError) as refusal:
        await asked(path, **parameters)
    assert (refusal.value.status, refusal.value.code) == (400, code)


async def test_errors_have_the_exchanges_format(server: SandboxServer):
    status, body, headers = await get_all(server, "klines", symbol="NOPE", interval="1m")
    assert (status, body) == (400, {"code": -1121, "msg": "Invalid symbol."})
    assert headers["Content-Type"].startswith("application/json")
    assert (await get_all(server, "openOrders", symbol="BTCUSDT"))[0] == 404


async def test_symbols_beyond_ascii_are_requested_url_encoded(server: SandboxServer):
    async with aiohttp.ClientSession() as session:
        encoded = "%E5%B8%81%E5%AE%89%E4%BA%BA%E7%94%9FUSDT"
        async with session.get(f"{server.rest_url}/api/v3/trades?symbol={encoded}&limit=3") as response:
            assert response.status == 200
            assert len(await response.json()) == 3


async def test_the_weight_used_is_counted_in_the_headers(server: SandboxServer):
    first = (await get_all(server, "time"))[2]["X-MBX-USED-WEIGHT-1M"]
    second = (await get_all(server, "trades", symbol="BTCUSDT"))[2]["X-MBX-USED-WEIGHT-1M"]
    third = (await get_all(server, "ticker/24hr"))[2]["X-MBX-USED-WEIGHT-1M"]
    assert (first, second, third) == ("1", "26", "106")


async def test_beyond_the_budget_requests_get_429_and_then_a_ban_with_the_time_to_wait():
    async with serving(MARKET, limits=Limits(weight_per_minute=20)) as server:
        assert (await get_all(server, "exchangeInfo"))[0] == 200
        statuses = []
        for _ in range(12):
            status, body, headers = await get_all(server, "time")
            statuses.append(status)
            assert body["code"] == -1003
            assert int(headers["Retry-After"]) > 0
        assert statuses == [429] * 10 + [418] * 2


async def test_prices_and_the_best_bid_and_ask():
    newest = (await asked("trades", symbol="BTCUSDT", limit=1))[0]
    assert await asked("ticker/price", symbol="BTCUSDT") == {"symbol": "BTCUSDT", "price": newest["price"]}
    prices = await asked("ticker/price", symbols='["ADAUSDT","BTCUSDT"]')
    assert [one["symbol"] for one in prices] == ["ADAUSDT", "BTCUSDT"]
    quote = await asked("ticker/bookTicker", symbol="BTCUSDT")
    depth = await asked("depth", symbol="BTCUSDT", limit=5)
    assert depth["bids"] == [[quote["bidPrice"], quote["bidQty"]]]
    assert depth["asks"] == [[quote["askPrice"], quote["askQty"]]]
    assert float(quote["bidPrice"]) < float(quote["askPrice"])
