"""A program that records serves what it receives at once, and tells how it is."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from app.config.settings import Secret, Settings
from app.live.engine import Engine
from app.observability.monitoring import monitoring
from app.runtime.wiring import engine_for
from app.sandbox.market.simulated import SimulatedMarket
from app.sandbox.oanda.server import ACCOUNT, TOKEN, OandaSandbox
from app.sandbox.server.server import SandboxServer
from app.serving.live import live_client, live_messages
from app.serving.serving_engine import ServedEngine, serving_engine
from tests.benchmarks.serving.bench_live import HANDSHAKE, SteadyMarket, text_frame
from tests.end_to_end.helpers import settings_in, until
from tests.keyrings import MemoryKeyring, using
from tests.program import free_port
from tests.sandbox.helpers import serving
from tests.servers import EMBEDDED, shared_server
from tests.serving.test_live import Listener
from tests.tables import our_tables

DEAF, DEAF_BUFFER = 50, 1 << 16  # clients that do not read, and what the system keeps for each of them
TRADE_BYTES = 140


async def status(session: aiohttp.ClientSession, url: str) -> int:
    async with session.get(url) as response:
        return response.status


@asynccontextmanager
async def recording(
    data_dir: Path,
    market: SimulatedMarket | None = None,
    symbols: str = "BTCUSDT,ETHUSDT",
    oanda: OandaSandbox | None = None,
    **options: object,
) -> AsyncIterator[tuple[Engine, ServedEngine, aiohttp.ClientSession, SandboxServer]]:
    """An engine that records a simulated market, and quotes of ``oanda``, served at a free port."""
    async with serving(market or SimulatedMarket(seed=3)) as exchange:
        settings: Settings = settings_in(
            data_dir,
            exchange.ws_url,
            exchange.rest_url,
            symbols=symbols,
            batch_seconds=0.05,
            serve_port=free_port(),
            **options,
        )
        settings = replace(settings, serve_token=Secret("t0ken"))
        if oanda is not None:
            settings = replace(
                settings,
                oanda_rest_url=oanda.url,
                oanda_stream_url=oanda.url,
                oanda_api_key=Secret(TOKEN),
                oanda_account_id=Secret(ACCOUNT),
            )
        with our_tables(shared_server(EMBEDDED)) as url, using(MemoryKeyring()):
            settings = replace(settings, database_url=url)
            async with (
                engine_for(settings) as engine,
                monitoring(engine) as metrics,
                serving_engine(settings, engine, metrics) as served,
                aiohttp.ClientSession(headers={"Authorization": "Bearer t0ken"}) as session,
            ):
                engine.start(settings.symbols)
                try:
                    if engine.recorder.symbols:
                        await until(lambda: engine.recorder.measures.stored.count)
                    while await status(session, f"{served.url}/health") != 200:
                        await asyncio.sleep(0.05)
                    yield engine, served, session, exchange
                finally:
                    await engine.close()


async def test_live_trades_and_quotes_come_at_once_and_resume_over_what_is_stored(data_dir: Path) -> None:
    async with recording(data_dir) as (engine, served, session, _):
        assert engine.database is not None
        async with session.ws_connect(f"{served.url}/ws/market") as socket:
            listener = Listener(socket)
            greeting = await listener.until(lambda one: one["type"] == "connection")
            assert greeting["assets"][:2] == ["BTCUSDT", "ETHUSDT"]
            price = (await listener.until(lambda one: one["type"] == "price_update"))["data"]
            assert price["bidPrice"] <= price["askPrice"]
            store = engine.database.store
            await until(lambda: store.coverage("BTCUSDT").first is not None)
            first = store.coverage("BTCUSDT").first
            await listener.ask(action="subscribe", symbols=["BTC"], types=["trade", "quote", "candle:1s"], since=first)
            for kind in ("quote", "candle:1s", "trade"):
                await listener.until(lambda one, kind=kind: one["type"] == kind)
            tracker = engine.recorder.tracker("BTCUSDT")
            assert tracker is not None
            for _ in range(3):
                newest = tracker.ids.newest
                assert newest is not None
                ids = await listener.ids_until(newest)
                await asyncio.sleep(0.1)
            assert ids == list(range(first or 0, ids[-1] + 1))  # none is missing and none comes twice
            quote = next(one["data"] for one in listener.heard if one["type"] == "quote")
            assert 0 < quote["bidPrice"] < quote["askPrice"]


async def test_health_and_metrics_are_those_of_the_recorder(data_dir: Path) -> None:
    async with recording(data_dir, metrics_port=free_port()) as (engine, served, session, exchange):
        depth = f"{served.url}/api/v3/depth?symbol=BTCUSDT"
        while await status(session, depth) != 200:
            await asyncio.sleep(0.05)
        for path in ("/health", "/health/db", "/health/binance"):
            assert await status(session, served.url + path) == 200
        async with session.get(f"{served.url}/metrics", headers={"Accept": "application/json"}) as response:
            figures = await response.json()
        assert figures["status"]["binanceConnected"] is True
        assert figures["status"]["databaseConnected"] is True
        assert 0 < figures["status"]["totalTrades"] <= engine.recorder.trades_received
        assert figures["status"]["totalBatches"] > 0
        assert figures["performance"]["tradesPerSecond"] > 0
        assert figures["performance"]["batchProcessingTime"] > 0
        # The metrics' own port needs no token, and has nothing else.
        async with aiohttp.ClientSession() as anybody:
            async with anybody.get(served.metrics_url) as response:
                text = await response.text()
            assert "\ncryptopipe_feed_live 1.0\n" in text
            assert "\ncryptopipe_serve_requests_total " in text
            async with anybody.get(served.metrics_url.replace("/metrics", "/api/metadata")) as response:
                assert response.status == 404
            async with anybody.get(served.metrics_url, headers={"Host": "evil.example"}) as response:
                assert response.status == 403
            async with anybody.get(f"{served.url}/metrics") as response:
                assert response.status == 401
        await exchange.stop()
        while await status(session, f"{served.url}/health/binance") == 200:
            await asyncio.sleep(0.05)
        async with session.get(f"{served.url}/health/binance") as response:
            assert (await response.json())["error"].endswith(".")
        assert await status(session, depth) == 400  # of before is not of now
        assert await status(session, f"{served.url}/health") == 503
        assert await status(session, f"{served.url}/health/db") == 200


async def test_serving_is_switched_while_the_engine_records(data_dir: Path) -> None:
    async with recording(data_dir) as (engine, served, session, _):
        url = served.url
        async with session.ws_connect(f"{url}/ws/market") as socket:
            listener = Listener(socket)
            await listener.until(lambda one: one["type"] == "price_update")
            # However quickly: each is carried out, and the last counts.
            await asyncio.gather(*(served.switch(is_on=is_on) for is_on in (False, True, False)))
            assert (served.url, served.requests, engine.recorder.on_event) == ("", 0, None)
            while (message := await socket.receive()).type is not aiohttp.WSMsgType.CLOSE:
                assert message.type is aiohttp.WSMsgType.TEXT
            assert message.data == 1001
        waiting = asyncio.create_task(served.switch(is_on=True))
        await asyncio.sleep(0)
        waiting.cancel()  # the window closes meanwhile
        await asyncio.gather(waiting, return_exceptions=True)
        await served.switch(is_on=True)
        while served.problem:  # the one that was cancelled listens for a moment longer
            await asyncio.sleep(0.05)
            await served.switch(is_on=True)
        assert served.url == url
        async with session.ws_connect(f"{url}/ws/market") as socket:
            await Listener(socket).until(lambda one: one["type"] == "price_update")


async def test_the_book_has_one_level_that_its_changes_lead_to(data_dir: Path) -> None:
    """By the exchange's own instructions for a local order book, from its streams and `depth`."""
    async with recording(data_dir) as (_, served, session, _):
        names = ("@depth@100ms", "@depth5@100ms", "@bookTicker", "@ticker")
        url = f"{served.url}/stream?streams={'/'.join('btcusdt' + name for name in names)}"
        async with session.ws_connect(url) as socket:
            quotes = dict[int, tuple[list[str], list[str]]]()  # the best bid and ask by update id
            events, tops = list[dict[str, Any]](), list[dict[str, Any]]()
            day: dict[str, Any] = {}

            async def listen(is_enough: Callable[[], bool]) -> None:
                async with asyncio.timeout(30):
                    while not is_enough():
                        message = await socket.receive_json()
                        kind, data = message["stream"].removeprefix("btcusdt"), message["data"]
                        if kind == "@bookTicker":
                            quotes[data["u"]] = [data["b"], data["B"]], [data["a"], data["A"]]
                        elif kind == "@depth@100ms":
                            events.append(data)
                        elif kind == "@ticker":
                            day.update(data)
                        else:
                            tops.append(data)

            await listen(lambda: len(events) >= 2)
            async with session.get(f"{served.url}/api/v3/depth?symbol=BTCUSDT") as response:
                snapshot = await response.json()
            await listen(lambda: events[-1]["u"] > snapshot["lastUpdateId"] and len(events) > 8 and bool(day))
    assert all(one["u"] + 1 == two["U"] for one, two in pairwise(events))
    book = {side: dict(map(tuple, snapshot[name])) for side, name in (("b", "bids"), ("a", "asks"))}
    applied = [one for one in events if one["u"] > snapshot["lastUpdateId"]]
    assert applied[0]["U"] <= snapshot["lastUpdateId"] + 1
    for event in applied:
        assert (event["e"], event["s"]) == ("depthUpdate", "BTCUSDT")
        for side, levels in book.items():
            levels.update(map(tuple, event[side]))
            book[side] = {price: quantity for price, quantity in levels.items() if float(quantity)}
        bid, ask = quotes[event["u"]]
        assert book == {"b": {bid[0]: bid[1]}, "a": {ask[0]: ask[1]}}
    assert len(tops) > 5
    for top in tops:
        bid, ask = quotes.get(top["lastUpdateId"], ([], []))
        assert top == {"lastUpdateId": top["lastUpdateId"], "bids": [bid], "asks": [ask]}
    assert {"b", "B", "a", "A"} <= day.keys()


# What the system keeps for a client that does not read, on either side: Linux allows twice what is asked for.
DEAF_SYSTEM_BYTES = 2 * live_client.SENT_BYTES + 2 * DEAF_BUFFER


async def deaf_client(url: str, symbol: str, kinds: Sequence[str]) -> socket.socket:
    """A client that subscribed and reads nothing from then on; its own buffer is small."""
    loop, connection = asyncio.get_running_loop(), socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, DEAF_BUFFER)
    connection.setblocking(False)
    await loop.sock_connect(connection, ("127.0.0.1", int(url.rpartition(":")[2])))
    await loop.sock_sendall(connection, HANDSHAKE.replace(b"Host:", b"Authorization: Bearer t0ken\r\nHost:"))
    await loop.sock_recv(connection, 1 << 10)  # the answer, before which nothing may be sent
    await loop.sock_sendall(connection, text_frame({"action": "subscribe", "symbols": [symbol], "types": kinds}))
    heard = b""
    while b'"subscribed"' not in heard:
        heard = heard[-20:] + await loop.sock_recv(connection, 1 << 10)
    return connection


async def all_of(connection: socket.socket) -> bytes:
    """Read a connection to its end."""
    loop, heard = asyncio.get_running_loop(), b""
    with contextlib.suppress(ConnectionError):
        while part := await loop.sock_recv(connection, 1 << 20):
            heard += part
    return heard


@pytest.mark.parametrize("reads_in_the_end", [True, False])
async def test_clients_that_do_not_read_are_cut_and_neither_readers_nor_the_database_lose_a_trade(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, reads_in_the_end: bool
) -> None:
    monkeypatch.setattr(live_client, "LAST_WORDS_S", 60.0 if reads_in_the_end else 0.1)
    async with recording(data_dir, SteadyMarket(1_500), symbols="BTCUSDT") as (engine, served, session, _):
        async with session.ws_connect(f"{served.url}/ws/market") as one:
            reader = Listener(one)
            await reader.ask(action="subscribe", symbols=["BTC"], types=["trade"])
            connections = served.clients
            deaf = [await deaf_client(served.url, "BTCUSDT", ["trade", "tick"]) for _ in range(DEAF)]
            # As many bytes as may wait for a client, in this program and in the system.
            most = live_client.MOST_UNREAD_BYTES + DEAF_SYSTEM_BYTES
            await reader.until(lambda _: len(reader.ids) * TRADE_BYTES > most)
            if reads_in_the_end:
                for heard in await asyncio.gather(*map(all_of, deaf)):
                    assert len(heard) < most
                    assert b"read too slowly" in heard[-200:]
                    assert heard[-4:] == live_messages.close_frame(1013)
            await until(lambda: served.clients == connections)
            for connection in deaf:
                connection.close()
            newest = reader.ids[-1]
            await reader.until(lambda _: reader.ids[-1] > newest)
            assert reader.ids == list(range(reader.ids[0], reader.ids[-1] + 1))
        assert engine.database is not None
        coverage = engine.database.store.coverage
        await until(lambda: (coverage("BTCUSDT").last or 0) >= reader.ids[-1])
        assert coverage("BTCUSDT").range_count() == 1
        assert engine.feed.counters.reconnects == 0
