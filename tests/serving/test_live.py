"""Live messages of a database that others record into: nothing is missing, nothing comes twice, nobody waits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import WSMsgType

from app.market.interval import Interval
from app.market.quotes.tick import Tick
from app.market.trade import Trade
from app.market.units import E8
from app.serving.access import Access
from app.serving.live.live_client import MOST_UNREAD_BYTES
from storage.database import Database
from storage.postgres.connection import connect
from tests.serving.helpers import Client, record, served
from tests.storage.helpers import folded, some_trades

Socket = aiohttp.ClientWebSocketResponse
PATIENCE_S = 30.0


class Listener:
    """A client of the WebSocket; ``heard`` are all its messages so far."""

    def __init__(self, socket: Socket) -> None:
        self.socket = socket
        self.heard: list[dict[str, Any]] = []
        self.ids: list[int] = []

    async def ask(self, **message: object) -> dict[str, Any]:
        """Send a message and return the answer to it."""
        await self.socket.send_str(json.dumps(message))
        return await self.until(lambda one: one["type"] in ("subscribed", "unsubscribed", "error"))

    async def until(self, wanted: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """Return the next message that is wanted."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                self.heard.append(await self.socket.receive_json())
                if self.heard[-1]["type"] == "trade":
                    self.ids.append(self.heard[-1]["data"]["id"])
                if wanted(self.heard[-1]):
                    return self.heard[-1]

    async def ids_until(self, last: int) -> list[int]:
        """Return the ids of all trades heard, once ``last`` is among them."""
        if last not in self.ids:
            await self.until(lambda one: one["type"] == "trade" and one["data"]["id"] == last)
        return self.ids


@asynccontextmanager
async def listening(client: Client, path: str = "/ws/market", **options: Any) -> AsyncIterator[Listener]:
    """A listener that was greeted."""
    async with client.session.ws_connect(client.service.url + path, **options) as socket:
        listener = Listener(socket)
        await listener.until(lambda one: one["type"] == "connection")
        yield listener


def as_trade(one: Trade) -> dict[str, Any]:
    return {
        "type": "trade",
        "symbol": one.symbol,
        "data": {
            "id": one.trade_id,
            "price": one.price_e8 / E8,
            "quantity": one.quantity_e8 / E8,
            "timestamp": one.time_us // 1000,
            "isBuyerMaker": one.is_buyer_maker,
        },
    }


async def test_a_client_hears_prices_unasked_and_from_its_first_subscription_on_what_it_asks_for(
    database: Database,
) -> None:
    trades = some_trades(30)
    record(database, [*trades[:10], *some_trades(5, symbol="ETHUSDT")])
    async with served(database) as client, listening(client, "/") as listener:
        greeting = listener.heard[0]
        assert list(greeting) == ["type", "message", "assets"]
        assert greeting["assets"] == ["BTCUSDT", "ETHUSDT"]
        record(database, trades[10:11])
        price = await listener.until(lambda one: one["type"] == "price_update")
        value = trades[10].price_e8 / E8
        assert price == {
            "type": "price_update",
            "symbol": "BTCUSDT",
            "data": {
                "symbol": "BTCUSDT",
                "originalPrice": value,
                "bidPrice": value,
                "askPrice": value,
                "timestamp": trades[10].time_us // 1000,
            },
        }
        answer = await listener.ask(
            action="subscribe", broker="binance", symbols=["btc"], types=["trade", "candle:60s"]
        )
        assert answer["subscriptions"] == [{"symbol": "BTCUSDT", "types": ["candle:1m", "trade"]}]
        record(database, trades[11:])
        assert await listener.ids_until(trades[-1].trade_id) == [one.trade_id for one in trades[11:]]
        assert [one for one in listener.heard if one["type"] == "trade"] == [as_trade(one) for one in trades[11:]]
        expected = folded(trades, Interval.parse("1m"))[-1]

        def is_whole(one: dict[str, Any]) -> bool:
            return one["type"] == "candle:1m" and one["data"]["volume"] == expected.trades

        candle = next(filter(is_whole, listener.heard), None) or await listener.until(is_whole)
        assert candle["data"]["close"] == expected.close_e8 / E8
        assert not [one for one in listener.heard[3:] if one["type"] == "price_update"]
        answer = await listener.ask(action="unsubscribe", symbols=["BTCUSDT"], types=["candle:1m"])
        assert (answer["type"], answer["subscriptions"]) == (
            "unsubscribed",
            [{"symbol": "BTCUSDT", "types": ["trade"]}],
        )


async def test_a_message_that_cannot_be_used_gets_a_sentence_and_the_connection_stays(database: Database) -> None:
    record(database, some_trades(10))
    database.tick_writer.put([Tick("oanda:EURUSD", 1_783_504_800_000_000, 0, 117_000_000, 117_002_000)])
    assert await database.tick_writer.flush(10.0)
    wrong: list[tuple[object, str]] = [
        ("{", "This message cannot be used"),
        ("[]", "This message cannot be used"),
        ("[" * 8_000, "This message cannot be used"),
        ({"action": "subscribe", "symbols": "BTC"}, "This message cannot be used"),
        ({"action": "buy", "symbols": ["BTC"]}, "“buy” is no action"),
        ({"action": "subscribe"}, "names no symbols"),
        ({"action": "subscribe", "symbols": ["DOGE"]}, "“DOGE” is not in the database"),
        ({"action": "subscribe", "symbols": ["BTC"], "types": ["depth"]}, "“depth” is no type"),
        ({"action": "subscribe", "symbols": ["BTC"], "types": ["candle:5x"]}, "“5x” is not an interval"),
        ({"action": "subscribe", "symbols": ["BTC"], "types": ["quote"]}, "Quotes of BTCUSDT are not stored"),
        ({"action": "subscribe", "symbols": ["oanda:EURUSD"], "types": ["trade"]}, "oanda:EURUSD has quotes"),
        ({"action": "subscribe", "symbols": ["BTC"], "broker": "kraken"}, "“kraken” is no broker here"),
        ({"action": "subscribe", "symbols": ["BTC"], "since": 5}, "since is the id of a trade"),
        ({"action": "subscribe", "symbols": ["BTC"], "types": ["trade"], "since": -5}, "from 0 on"),
        ({"action": "subscribe", "symbols": ["BTC"], "types": ["trade"] * 1_025}, "1024 pairs"),
    ]
    async with served(database) as client, listening(client) as listener:
        for message, sentence in wrong:
            await listener.socket.send_str(message if isinstance(message, str) else json.dumps(message))
            told = await listener.until(lambda one: one["type"] == "error")
            assert sentence in told["message"], message
            assert told["message"].endswith((".", "?"))
        await listener.socket.send_bytes(b"\xff\xfe")
        assert "cannot be used" in (await listener.until(lambda one: one["type"] == "error"))["message"]
        assert (await listener.ask(action="subscribe", symbols=["BTC"]))["type"] == "subscribed"


async def test_a_client_resumes_without_a_gap_or_a_repeat_while_recording_goes_on(database: Database) -> None:
    trades = some_trades(6_000, first_id=1)
    record(database, trades[:3_000])
    async with served(database) as client, listening(client) as first:
        await first.ask(action="subscribe", symbols=["BTC"], types=["trade"], since=1)
        recording = asyncio.create_task(_record_slowly(database, trades[3_000:]))
        assert await first.ids_until(3_000) == list(range(1, 3_001))
        async with listening(client) as second, listening(client) as third:
            await second.ask(action="subscribe", symbols=["BTC"], types=["trade"], since=2_500)
            await third.ask(action="subscribe", symbols=["BTC"], types=["trade"], since={"BTCUSDT": 10_000})
            await recording
            assert await first.ids_until(6_000) == list(range(1, 6_001))
            assert await second.ids_until(6_000) == list(range(2_500, 6_001))
            record(database, some_trades(4_010, first_id=6_001))
            assert await second.ids_until(10_010) == list(range(2_500, 10_011))
            assert await third.ids_until(10_010) == list(range(10_000, 10_011))


async def _record_slowly(database: Database, trades: list[Trade]) -> None:
    for begin in range(0, len(trades), 100):
        await asyncio.to_thread(record, database, trades[begin : begin + 100])


async def test_trades_that_fill_a_hole_come_once_they_are_stored(database: Database) -> None:
    trades = some_trades(40, first_id=1)
    record(database, trades[:10])
    async with served(database) as client, listening(client) as listener:
        await listener.ask(action="subscribe", symbols=["BTC"], types=["trade"])
        record(database, trades[20:30])
        assert await listener.ids_until(30) == list(range(21, 31))
        record(database, trades[8:25])
        assert (await listener.ids_until(20))[10:] == list(range(11, 21))
        record(database, trades)
        assert (await listener.ids_until(40))[20:] == list(range(31, 41))


async def test_a_client_that_resumed_gets_what_fills_holes_it_passed_and_each_trade_once(database: Database) -> None:
    trades = some_trades(60, first_id=101)
    record(database, [*trades[:10], *trades[20:30]])
    async with served(database) as client, listening(client) as newest, listening(client) as resumed:
        await newest.ask(action="subscribe", symbols=["BTC"], types=["trade"])
        await resumed.ask(action="subscribe", symbols=["BTC"], types=["trade"], since=1)
        assert await resumed.ids_until(130) == [*range(101, 111), *range(121, 131)]
        record(database, trades[40:45])  # after a hole that everybody hears of
        assert await newest.ids_until(145) == list(range(141, 146))
        record(database, trades[10:15])
        assert (await resumed.ids_until(115))[20:] == [*range(141, 146), *range(111, 116)]
        record(database, trades[:50])
        await newest.ids_until(150)
        missing = {*range(116, 121), *range(131, 141), *range(146, 151)}
        while len(resumed.ids) < 50:
            await resumed.until(lambda one: one["type"] == "trade")
        assert set(resumed.ids[30:]) == missing
        record(database, trades)
        assert (await resumed.ids_until(160))[50:] == list(range(151, 161))
        assert await newest.ids_until(160) == [*range(141, 146), *range(131, 141), *range(146, 161)]
        record(database, some_trades(5, first_id=96))  # older than all that was stored
        record(database, some_trades(1, first_id=161))
        assert (await resumed.ids_until(161))[60:] == [161]


async def test_a_client_that_does_not_read_is_told_and_cut_while_others_hear_everything(database: Database) -> None:
    trades = some_trades(60_000, first_id=1)
    record(database, trades[:100])
    async with served(database) as client, listening(client) as good:
        await good.ask(action="subscribe", symbols=["BTC"], types=["trade"])
        url = client.service.url + "/ws/market"
        async with aiohttp.ClientSession(read_bufsize=1024) as session, session.ws_connect(url) as slow:
            await slow.send_str(json.dumps({"action": "subscribe", "symbols": ["BTC"], "types": ["trade"]}))
            wire = slow._response.connection.transport
            wire.pause_reading()
            recording = asyncio.create_task(asyncio.to_thread(record, database, trades[100:]))
            assert await good.ids_until(60_000) == list(range(101, 60_001))
            await recording
            while client.service.live_clients > 1:
                await asyncio.sleep(0.02)
            wire.resume_reading()
            size = 0
            async with asyncio.timeout(PATIENCE_S):
                while (message := await slow.receive()).type is WSMsgType.TEXT:
                    size, last = size + len(message.data), json.loads(message.data)
            assert size < 60_000 * 100
            if message.type is WSMsgType.CLOSE:  # the sentence may be lost with the connection
                assert message.data == 1013
                assert last["type"] == "error"
        assert MOST_UNREAD_BYTES <= 1 << 20


async def test_floods_and_foreign_pages_are_refused(database: Database) -> None:
    record(database, some_trades(10))
    access = Access(token="t0ken", origins=frozenset({"https://charts.example"}))
    async with served(database, access=access) as client:
        for headers, path, status in [
            ({}, "/ws/market", 401),
            ({}, "/ws/market?token=no", 401),
            ({"Origin": "https://evil.example"}, "/ws/market?token=t0ken", 403),
        ]:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                async with listening(client, path, headers=headers):
                    pass
            assert refused.value.status == status
        async with listening(client, "/?token=t0ken", headers={"Origin": "https://charts.example"}) as listener:
            assert (await listener.ask(action="subscribe", symbols=["BTC"]))["type"] == "subscribed"
        async with listening(client, headers={"Authorization": "Bearer t0ken"}) as listener:
            for _ in range(200):
                await listener.socket.send_str("{}")
            message = await listener.socket.receive()
            while message.type is WSMsgType.TEXT:
                last, message = message, await listener.socket.receive()
            assert "in a second are too many" in json.loads(last.data)["message"]
            assert message.data == 1008
        async with listening(client, headers={"Authorization": "Bearer t0ken"}) as listener:
            await listener.socket.send_str("A" * 20_000)
            while (message := await listener.socket.receive()).type is WSMsgType.TEXT:
                pass
            assert message.type in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.ERROR)


async def test_clients_are_told_when_the_server_ends(database: Database) -> None:
    record(database, some_trades(10))
    async with aiohttp.ClientSession() as session:
        async with served(database) as client:
            socket = await session.ws_connect(client.service.url + "/ws/market")
            await socket.receive()
        last = json.loads((await socket.receive()).data)
        assert last == {"type": "error", "message": "The server is ending: connect again later."}
        closing = await socket.receive()
        assert (closing.type, closing.data) == (WSMsgType.CLOSE, 1001)
        await socket.close()


async def test_hundreds_of_clients_subscribe_at_once_while_the_database_is_slow(database: Database) -> None:
    record(database, some_trades(10))
    async with (
        served(database, deadline_s=30.0) as client,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
        AsyncExitStack() as leaving,
    ):
        connecting = session.ws_connect
        sockets = [await leaving.enter_async_context(connecting(f"{client.service.url}/ws/market")) for _ in range(200)]
        with connect(database.url) as locking, locking.transaction():
            locking.execute("LOCK TABLE symbols IN ACCESS EXCLUSIVE MODE")
            asking = [
                asyncio.create_task(Listener(one).ask(action="subscribe", symbols=["BTC"], types=["trade"]))
                for one in sockets
            ]
            await asyncio.sleep(0.5)  # more of them wait than reads may wait for the database
        answers = await asyncio.gather(*asking)
    assert [answer["type"] for answer in answers] == ["subscribed"] * 200
