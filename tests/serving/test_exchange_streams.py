"""The exchange's own streams, from a database that others record into: a feed of the exchange reads them unchanged."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp

from app.brokers.binance.feed import BinanceFeed
from app.concurrency.system_clock import SystemClock
from app.market.interval import Interval
from app.market.trade import MarketEvent, Trade
from app.market.units import format_e8
from storage.database import Database
from tests.live.helpers import until
from tests.serving.helpers import StillClock, record, served
from tests.serving.test_exchange import twins
from tests.storage.helpers import folded, some_trades


async def test_a_feed_of_the_exchange_hears_what_is_stored(database: Database) -> None:
    trades = some_trades(300, first_id=1)
    record(database, trades[:10])
    heard: list[Trade] = []

    def hear(event: MarketEvent, received_us: int) -> None:
        if isinstance(event, Trade):
            heard.append(event)

    async with served(database) as client:
        feed = BinanceFeed(client.service.url.replace("http", "ws"), clock=SystemClock(), proxy="none")
        feed.set_symbols(["BTCUSDT"])
        running = asyncio.create_task(feed.run(hear))
        try:
            await until(lambda: client.service.live_clients)
            number = 10
            while not heard:  # the feed asks for its streams once it is connected
                number += 1
                record(database, trades[:number])
                await asyncio.sleep(0.1)
            record(database, trades)
            await until(lambda: heard[-1].trade_id == 300)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    whole = [one._replace(time_us=one.time_us // 1000 * 1000) for one in trades]
    rounded = [one._replace(time_us=one.time_us // 1000 * 1000) for one in heard]
    assert rounded == whole[heard[0].trade_id - 1 :]


async def test_streams_are_raw_or_named_and_requests_are_answered_as_by_the_exchange(database: Database) -> None:
    trades = some_trades(40, first_id=1)
    record(database, trades[:10])
    clock = StillClock(trades[-1].time_us)
    async with served(database, clock=clock) as client, aiohttp.ClientSession() as session:

        async def next_of(socket: aiohttp.ClientWebSocketResponse, kind: str) -> Any:
            async with asyncio.timeout(30):
                while True:
                    message = await socket.receive_json()
                    if message.get("data", message).get("e") == kind:
                        return message

        async with (
            session.ws_connect(
                f"{client.service.url}/ws/btcusdt@trade/btcusdt@kline_1m/btcusdt@miniTicker/nosuch@trade"
            ) as raw,
            session.ws_connect(f"{client.service.url}/stream?streams=btcusdt@aggTrade") as named,
        ):
            await named.send_str(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": 7}))
            assert await named.receive_json() == {"result": ["btcusdt@aggTrade"], "id": 7}
            await raw.send_str(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": 8}))
            assert (await raw.receive_json())["id"] == 8
            record(database, trades[:20])
            event = await next_of(raw, "trade")
            assert (event["t"], event["p"], event["s"]) == (11, format_e8(trades[10].price_e8), "BTCUSDT")
            event = await next_of(named, "aggTrade")
            assert (event["stream"], event["data"]["a"]) == ("btcusdt@aggTrade", 11)
            kline = (await next_of(raw, "kline"))["k"]
            newest = folded(trades[:20], Interval.parse("1m"))[-1]
            assert (kline["i"], kline["c"], kline["n"]) == ("1m", format_e8(newest.close_e8), newest.trades)
            day = await next_of(raw, "24hrMiniTicker")
            assert day["c"] == format_e8(trades[19].price_e8)
            assert day["h"] == format_e8(max(one.price_e8 for one in trades[:20]))
            await named.send_str(json.dumps({"method": "UNSUBSCRIBE", "params": ["btcusdt@aggTrade"], "id": 9}))
            while (await named.receive_json()) != {"result": None, "id": 9}:
                pass
            await raw.send_str("{")
            while "code" not in (answer := await raw.receive_json()):
                pass
            assert answer["code"] == 3
        assert (await client.get("/ws/btcusdt@trade")).status == 400


async def test_aggregated_trades_are_those_of_rest_however_they_are_stored(database: Database) -> None:
    trades = twins(300)
    record(database, trades[:10])
    pieces = [(10, 11), (11, 50), (50, 52), (52, 160), (200, 250), (160, 200), (250, 299), (299, 300)]
    async with served(database) as client, aiohttp.ClientSession() as session:
        async with session.ws_connect(f"{client.service.url}/ws/btcusdt@aggTrade") as socket:
            await socket.send_str(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": 7}))
            await socket.receive_json()
            for first, end in pieces:
                record(database, trades[first:end])
                await asyncio.sleep(0.2)
            heard: dict[int, dict[str, Any]] = {}
            async with asyncio.timeout(30):
                while max(heard, default=0) < 298:
                    event = await socket.receive_json()
                    assert event["a"] not in heard
                    heard[event["a"]] = event
        answer = await client.get("/api/v3/aggTrades", symbol="BTCUSDT", fromId=1, limit=1000)
    rows = {row["a"]: row for row in answer.body}
    found = {key: {name: event[name] for name in rows[1]} for key, event in heard.items() if key in rows}
    # Trades of the first were stored before: it is nobody's news. 201 began where its beginning was not stored yet.
    assert sorted(heard.keys() - found.keys()) == [201]
    differ = {key for key, row in found.items() if row != rows[key]}
    assert differ <= {199}
    assert sorted(found) == [key for key in rows if key > 10]


async def test_days_of_one_and_of_all_symbols_come_as_far_as_they_are_known(database: Database) -> None:
    trades = {symbol: some_trades(40, symbol=symbol, first_id=1) for symbol in ("BTCUSDT", "ETHUSDT", "ADAUSDT")}
    for symbol in trades:
        record(database, trades[symbol][:10])
    clock = StillClock(trades["BTCUSDT"][-1].time_us)
    streams = ["btcusdt@ticker", "!ticker@arr", "!miniTicker@arr", "btcusdt@depth", "btcusdt@depth5@100ms"]
    async with served(database, clock=clock) as client, aiohttp.ClientSession() as session:
        async with session.ws_connect(f"{client.service.url}/stream?streams={'/'.join(streams)}") as socket:
            await socket.send_str(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": 7}))
            assert (await socket.receive_json())["result"] == streams
            record(database, trades["BTCUSDT"])
            record(database, trades["ETHUSDT"])
            heard: dict[str, Any] = {}
            seen: dict[str, set[str]] = {"!ticker@arr": set(), "!miniTicker@arr": set()}
            async with asyncio.timeout(30):
                while (
                    len(heard) < 3
                    or heard["btcusdt@ticker"]["L"] != 40
                    or any(len(found) < 2 for found in seen.values())
                ):
                    message = await socket.receive_json()
                    heard[message["stream"]] = message["data"]
                    if message["stream"] in seen:
                        seen[message["stream"]] |= {one["s"] for one in message["data"]}
        rest = (await client.get("/api/v3/ticker/24hr", symbol="BTCUSDT")).body
    assert set(heard) == set(streams[:3])  # this server has no book
    assert all(found == {"BTCUSDT", "ETHUSDT"} for found in seen.values())  # the third had no trades
    day = heard["btcusdt@ticker"]
    assert list(day) == [
        *("e", "E", "s", "p", "P", "w", "x", "c", "Q", "o", "h", "l", "v", "q", "O", "C", "F", "L", "n")
    ]
    assert (day["e"], day["E"], day["s"]) == ("24hrTicker", clock.time_us // 1000, "BTCUSDT")
    assert sorted(map(str, list(day.values())[2:])) == sorted(map(str, rest.values()))
    assert (day["x"], day["c"], day["n"]) == (rest["prevClosePrice"], rest["lastPrice"], rest["count"])
    mini = heard["!miniTicker@arr"][0]
    assert list(mini) == ["e", "E", "s", "c", "o", "h", "l", "v", "q"]
    assert mini["e"] == "24hrMiniTicker"


async def test_no_kline_is_sent_while_it_lacks_a_trade(database: Database) -> None:
    trades = some_trades(60, first_id=1)
    record(database, trades[:10])
    minute = Interval.parse("1m")
    assert minute.open_time_us(trades[0].time_us) == minute.open_time_us(trades[-1].time_us)
    async with (
        served(database, clock=StillClock(trades[-1].time_us)) as client,
        client.session.ws_connect(f"{client.service.url}/ws/btcusdt@kline_1m") as socket,
    ):
        await socket.send_str(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": 7}))
        await socket.receive_json()
        record(database, trades[:20])
        counts = set[int]()
        async with asyncio.timeout(30):
            while 20 not in counts:
                counts.add((await socket.receive_json())["k"]["n"])
            record(database, trades[30:50])
            await asyncio.sleep(1.5)  # in which the candle is read again
            record(database, trades[:50])
            while 50 not in counts:
                counts.add((await socket.receive_json())["k"]["n"])
        assert counts == {20, 50}
