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
            assert (event["stream"], event["data"]["f"]) == ("btcusdt@aggTrade", 11)
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
