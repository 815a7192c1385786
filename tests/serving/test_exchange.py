"""The exchange's own protocol from the database: its clients read here what is stored, to the digit."""

from __future__ import annotations

from itertools import pairwise

import pytest

from app.brokers.binance.rest import BinanceRest
from app.concurrency.system_clock import SystemClock
from app.live.environment.clocks import ExchangeClock
from app.market.errors import FeedRejected, StoreUnavailable
from app.market.interval import Interval
from app.market.symbol import Symbol
from app.market.trade import Trade
from app.market.units import format_e8
from app.serving.stored_market import StoredMarket
from storage.database import Database
from tests.serving.helpers import StillClock, record, served
from tests.storage.helpers import START_US, folded, some_trades

MINUTE = Interval.parse("1m")


def twins(count: int) -> list[Trade]:
    """Trades of which every three belong to one aggregate."""
    trades = some_trades(count, first_id=1)
    return [
        one._replace(
            time_us=trades[number // 3 * 3].time_us // 1000 * 1000,
            price_e8=trades[number // 3 * 3].price_e8,
            is_buyer_maker=trades[number // 3 * 3].is_buyer_maker,
        )
        for number, one in enumerate(trades)
    ]


async def test_a_client_of_the_exchange_reads_what_is_stored_to_the_digit(database: Database) -> None:
    trades = some_trades(2_500, first_id=1)
    record(database, trades)
    database.store.save_symbols([Symbol("BTCUSDT", "BTC", "USDT", 10**6, 10**3), Symbol("ADAUSDT", "ADA", "USDT")])
    async with served(database, clock=StillClock(trades[-1].time_us + 10)) as client:
        rest = BinanceRest(client.service.url, clock=ExchangeClock(SystemClock()), proxy="none")
        try:
            assert [one.name for one in await rest.symbols()] == ["BTCUSDT"]
            assert await rest.trades_from("BTCUSDT", 700, limit=1000) == trades[699:1699]
            assert await rest.recent_trades("BTCUSDT", limit=5) == trades[-5:]
            expected = folded(trades, MINUTE)
            klines = await rest.klines("BTCUSDT", MINUTE, start_us=expected[0].open_time_us, limit=1000)
            # The exchange cuts sums of products at eight places.
            assert [(*one[:6], *one[7:9]) for one in klines] == [(*one[:6], *one[7:9]) for one in expected]
            day = (await rest.day_tickers(["BTCUSDT"]))[0]
            assert day.close_e8 == trades[-1].price_e8
            assert day.volume_e8 == sum(one.quantity_e8 for one in trades)
            with pytest.raises(FeedRejected):
                await rest.klines("ADAUSDT", MINUTE)
        finally:
            await rest.close()


async def test_aggregates_join_trades_of_one_time_price_and_side_and_pages_of_them_never_overlap(
    database: Database,
) -> None:
    trades = twins(1_200)
    record(database, trades)
    async with served(database) as client:

        async def page(**parameters: object) -> list[dict[str, object]]:
            answer = await client.get("/api/v3/aggTrades", symbol="BTCUSDT", **parameters)
            assert answer.status == 200
            rows: list[dict[str, object]] = answer.body
            return rows

        rows, next_id = [], 1
        while found := await page(fromId=next_id, limit=150):
            rows += found
            next_id = int(str(found[-1]["a"])) + 1
        assert [(one["f"], one["l"]) for one in rows] == [(first, first + 2) for first in range(1, 1_200, 3)]
        assert all(one["l"] + 1 == two["f"] for one, two in pairwise(rows))
        assert rows[7]["q"] == format_e8(sum(one.quantity_e8 for one in trades[21:24]))
        assert (rows[7]["T"], rows[7]["a"]) == (trades[21].time_us // 1000, 22)
        newest = await page(limit=10)
        assert newest == rows[-10:]
        start, end = trades[300].time_us // 1000, trades[330].time_us // 1000
        timed = await page(startTime=start, endTime=end)
        assert {one["T"] for one in timed} <= set(range(start, end + 1))
        assert timed == [one for one in rows if start <= one["T"] <= end]


async def test_a_kline_that_lacks_a_trade_is_left_out_and_a_page_is_filled_up_with_later_ones(
    database: Database,
) -> None:
    begin_us = MINUTE.open_time_us(START_US)
    times = [begin_us + number * 10_000_000 for number in range(3, 240)]  # the first minute is half over
    trades = [
        one._replace(time_us=time_us) for one, time_us in zip(some_trades(237, first_id=1_000), times, strict=True)
    ]
    whole = [one.open_time_us // 1000 for one in folded(trades, MINUTE)]
    stored = [one for number, one in enumerate(trades) if number not in (20, 21, 60, 129)]
    record(database, stored)
    lacking = {MINUTE.open_time_us(trades[number].time_us) // 1000 for number in (20, 60, 129)}
    # A hole at a minute's end hides where that minute ended and the next began.
    lacking |= {MINUTE.open_time_us(trades[number].time_us) // 1000 for number in (19, 22, 59, 61, 128, 130)}
    expected = [one for one in whole if one not in lacking]
    now_us = trades[-1].time_us + 10_000_000
    async with served(database, clock=StillClock(now_us)) as client:

        async def opens(**more: object) -> tuple[list[int], str]:
            answer = await client.get("/api/v3/klines", symbol="BTCUSDT", interval="1m", **more)
            assert answer.status == 200
            return [row[0] for row in answer.body], answer.headers["X-Cryptopipe-Complete"]

        assert len(lacking) > 3
        assert await opens() == (expected, "false")
        assert await opens(startTime=0) == (expected, "false")
        assert await opens(startTime=whole[0], limit=8) == (expected[:8], "false")  # with no row less
        assert await opens(endTime=whole[-1], limit=25) == (expected[-25:], "false")
        assert await opens(startTime=whole[1], endTime=whole[2]) == (whole[1:3], "true")
        read, first = list[int](), whole[0]
        while page := (await opens(startTime=first, limit=7))[0]:
            read, first = read + page, page[-1] + 1
            if len(page) < 7:
                break
        assert read == expected
        hole = sorted(lacking)[0]
        refused = await client.get("/api/v3/klines", symbol="BTCUSDT", interval="1m", startTime=hole, endTime=hole)
        assert (refused.status, refused.body["code"]) == (400, -1000)
        hours = await client.get("/api/v3/klines", symbol="BTCUSDT", interval="1h")
        assert hours.status == 400  # the only hour that there is lacks trades
        record(database, trades)
        assert await opens(startTime=whole[1], endTime=whole[-2]) == (whole[1:-1], "true")
        future = await client.get("/api/v3/klines", symbol="BTCUSDT", interval="1m", startTime=now_us // 1000 + 10**9)
        assert (future.status, future.body) == (200, [])  # as from the exchange


async def test_a_search_for_whole_klines_ends_at_the_deadline(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    trades = [
        one._replace(time_us=START_US + number * 10_000_000) for number, one in enumerate(some_trades(240, first_id=1))
    ]
    record(database, [one for one in trades if one.trade_id % 4])  # no minute is whole
    looks = 0

    def check_deadline() -> None:
        nonlocal looks
        looks += 1
        if looks == 5:
            raise StoreUnavailable("The read was given up: it took too long.")

    monkeypatch.setattr(StoredMarket, "deadline", lambda _: check_deadline)
    async with served(database, clock=StillClock(trades[-1].time_us)) as client:
        for start in ({}, {"startTime": trades[0].time_us // 1000}):
            looks = 0
            answer = await client.get("/api/v3/klines", symbol="BTCUSDT", interval="1m", limit=1, **start)
            assert (answer.status, answer.body["code"], looks) == (503, -1001, 5)


async def test_what_is_not_stored_is_an_error_of_the_exchange(database: Database) -> None:
    trades = some_trades(100, first_id=1_000)
    record(database, [*trades[:40], *trades[50:]])
    kline = folded(some_trades(100, symbol="ETHUSDT"), MINUTE)[0]._replace(closed=True)
    database.store.save_klines("ETHUSDT", MINUTE, [kline])
    async with served(database, clock=StillClock(trades[-1].time_us)) as client:
        for path, parameters, status, code in [
            ("klines", {"symbol": "ADAUSDT", "interval": "1m"}, 400, -1121),
            ("ticker/price", {"symbol": "ETHUSDT"}, 400, -1000),
            ("klines", {"symbol": "BTCUSDT", "interval": "7m"}, 400, -1120),
            (
                "klines",
                {"symbol": "BTCUSDT", "interval": "1m", "startTime": 1_500_000_000_000, "endTime": 1_500_000_900_000},
                400,
                -1000,
            ),
            ("historicalTrades", {"symbol": "BTCUSDT", "fromId": 5}, 400, -1000),
            ("depth", {"symbol": "BTCUSDT"}, 400, -1000),
            ("ticker/bookTicker", {"symbol": "BTCUSDT"}, 400, -1000),
            ("trades", {"symbol": "BTCUSDT", "limit": "ten"}, 400, -1100),
            ("order", {}, 404, -1000),
            ("ticker/price", {"symbols": "[" * 2_000}, 400, -1100),
            ("klines", {"symbol": "BTCUSDT", "interval": "1m", "limit": "0"}, 400, -1130),
            ("klines", {"symbol": "btcusdt", "interval": "1m"}, 400, -1100),
            ("klines", {"symbol": "币安USDT", "interval": "1m"}, 400, -1121),
        ]:
            answer = await client.get(f"/api/v3/{path}", {"X-MBX-APIKEY": "anything"}, **parameters)
            assert (answer.status, answer.body["code"]) == (status, code), (path, answer.body)
            assert list(answer.body) == ["code", "msg"]
        until_hole = await client.get("/api/v3/historicalTrades", symbol="BTCUSDT", fromId=1_030, limit=20)
        assert [one["id"] for one in until_hole.body] == list(range(1_030, 1_040))
        assert until_hole.headers["X-Cryptopipe-Complete"] == "false"
        whole = await client.get("/api/v3/historicalTrades", symbol="BTCUSDT", fromId=1_030, limit=10)
        assert whole.headers["X-Cryptopipe-Complete"] == "true"
        for path in ("trades", "aggTrades"):  # more are wanted than there are since the hole
            newest = await client.get(f"/api/v3/{path}", symbol="BTCUSDT")
            assert [one.get("id", one.get("a")) for one in newest.body] == list(range(1_050, 1_100))
            assert newest.headers["X-Cryptopipe-Complete"] == "false"
        for parameters in ({"fromId": 1_000}, {"startTime": 1_500_000_000_000}):
            joined = await client.get("/api/v3/aggTrades", symbol="BTCUSDT", **parameters)
            assert [one["a"] for one in joined.body] == list(range(1_000, 1_040))
            assert joined.headers["X-Cryptopipe-Complete"] == "false"
        twice = await client.request("GET", "/api/v3/ticker/price?symbol=BTCUSDT&symbol=ETHUSDT")
        assert (twice.status, twice.body["code"]) == (400, -1101)
        beyond = await client.get("/api/v3/historicalTrades", symbol="BTCUSDT", fromId="9" * 20)
        assert (beyond.status, beyond.body) == (200, [])
        refused = await client.request("POST", "/api/v3/order")
        assert (refused.status, refused.body) == (405, {"code": -1000, "msg": "Only GET is answered here."})
        assert (await client.get("/api/v3/ping")).body == {}
        price = await client.get("/api/v3/ticker/price", symbol="BTCUSDT")
        assert price.body == {"symbol": "BTCUSDT", "price": format_e8(trades[-1].price_e8)}
        prices = await client.get("/api/v3/ticker/price")
        assert prices.body == [price.body]  # of another symbol only klines are stored
        days = await client.get("/api/v3/ticker/24hr")
        assert [one["symbol"] for one in days.body] == ["BTCUSDT"]
    async with served(None) as client:
        away = await client.get("/api/v3/time")
        assert (away.status, away.body["code"]) == (503, -1001)
