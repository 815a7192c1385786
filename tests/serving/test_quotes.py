"""Live messages of symbols with quotes: each once and in order, from a database and from a program that records."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from app.market.interval import SECOND_US, Interval
from app.market.quotes.tick import PriceSide, Tick, number_at
from app.market.units import E8
from app.sandbox.oanda.server import OandaSandbox
from app.sandbox.oanda.tape import RecordedTape, SimulatedTape
from app.serving.live import live_client, live_messages, stored_follower, tick_follower
from app.serving.live.live_client import MOST_UNREAD_BYTES
from storage.database import Database
from tests.end_to_end.helpers import until
from tests.serving.helpers import record, served
from tests.serving.test_live import Listener, listening
from tests.serving.test_recorder import DEAF_SYSTEM_BYTES, all_of, deaf_client, recording, status
from tests.storage.helpers import some_trades
from tests.storage.quotes.helpers import some_ticks

EUR = "oanda:EURUSD"


def store(database: Database, ticks: Sequence[Tick]) -> None:
    """Store the ticks, as a recorder does."""
    assert database.tick_writer.put(list(ticks))
    assert database.tick_writer.drain(30.0)


def as_quote(tick: Tick) -> dict[str, Any]:
    return {
        "type": "quote",
        "symbol": tick.symbol,
        "data": {
            "bid": tick.bid_e8 / E8,
            "ask": tick.ask_e8 / E8,
            "bidSize": tick.bid_size_e8 / E8,
            "askSize": tick.ask_size_e8 / E8,
            "timestamp": tick.time_us // 1_000,
            "position": f"{tick.time_us}-{tick.place}",
        },
    }


async def quotes_until(listener: Listener, tick: Tick) -> list[dict[str, Any]]:
    """Return all quotes heard, once that tick is among them."""
    wanted = as_quote(tick)
    if wanted not in listener.heard:
        await listener.until(lambda one: one == wanted)
    return [one for one in listener.heard if one["type"] == "quote"]


async def test_stored_quotes_and_their_candles_come_to_clients_of_a_server_that_only_reads(database: Database) -> None:
    ticks = some_ticks(60)
    await asyncio.to_thread(store, database, ticks[:20])
    record(database, some_trades(5))
    async with served(database) as client, listening(client, "/") as listener:
        assert listener.heard[0]["assets"] == ["BTCUSDT", EUR]
        await asyncio.to_thread(store, database, ticks[20:21])
        price = await listener.until(lambda one: one["type"] == "price_update")
        tick = ticks[20]
        assert price["data"] == {
            "symbol": EUR,
            "originalPrice": tick.mid_e8 / E8,
            "bidPrice": tick.bid_e8 / E8,
            "askPrice": tick.ask_e8 / E8,
            "timestamp": tick.time_us // 1_000,
        }
        kinds = ["quote", "candle:1m:mid", "candle:60s:bid"]
        answer = await listener.ask(action="subscribe", broker="oanda", symbols=["EUR/USD"], types=kinds)
        assert (answer["broker"], answer["subscriptions"]) == (
            "oanda",
            [{"symbol": EUR, "types": ["candle:1m", "candle:1m:bid", "quote"]}],
        )
        await asyncio.to_thread(store, database, ticks[21:])
        assert await quotes_until(listener, ticks[-1]) == list(map(as_quote, ticks[21:]))
        minute = Interval.parse("1m")
        for kind, side in (("candle:1m", PriceSide.MID), ("candle:1m:bid", PriceSide.BID)):
            newest = database.store.of_side(side).candles(EUR, minute, limit=1)[-1]
            frame = live_messages.candle_message(EUR, kind, newest)
            expected = json.loads(frame[frame.index(b"{") :])
            if expected not in listener.heard:
                await listener.until(lambda one, expected=expected: one == expected)
            assert expected["data"]["volume"] == newest.trades > 0


async def test_quotes_stored_while_a_client_is_greeted_come_to_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = some_ticks(30)
    await asyncio.to_thread(store, database, ticks[:20])
    record(database, some_trades(5))
    read, later = stored_follower._ends, ticks[20:]

    def read_slowly(*arguments: Any) -> dict[str, int]:
        if later:
            time.sleep(4 * stored_follower.POLL_S)
            store(database, later)
            later.clear()
        return read(*arguments)

    monkeypatch.setattr(stored_follower, "_ends", read_slowly)
    async with served(database) as client, listening(client, "/") as listener:
        for tick in ticks[20:]:
            price = await listener.until(lambda one: one["type"] == "price_update")
            assert price["data"]["bidPrice"] == tick.bid_e8 / E8


async def test_a_client_resumes_at_a_position_or_a_time_while_recording_goes_on(database: Database) -> None:
    ticks = some_ticks(4_000)
    await asyncio.to_thread(store, database, ticks[:2_500])
    async with served(database) as client, listening(client) as first:
        await first.ask(action="subscribe", symbols=[EUR], types=["quote"], since=0)
        recording = asyncio.create_task(_store_slowly(database, ticks[2_500:]))
        async with listening(client) as second, listening(client) as third, listening(client) as fourth:
            at = ticks[1_234]
            position = as_quote(at)["data"]["position"]
            await second.ask(action="subscribe", symbols=[EUR], types=["quote", "tick"], since=position)
            await third.ask(action="subscribe", symbols=[EUR], types=["quote"], since={EUR: at.time_us // 1_000})
            await fourth.ask(action="subscribe", symbols=[EUR], types=["quote"], since=ticks[-1].time_us // 1_000 + 1)
            await recording
            assert await quotes_until(first, ticks[-1]) == list(map(as_quote, ticks))
            assert await quotes_until(second, ticks[-1]) == list(map(as_quote, ticks[1_235:]))
            since_then = [one for one in ticks if one.time_us >= at.time_us // 1_000 * 1_000]
            assert await quotes_until(third, ticks[-1]) == list(map(as_quote, since_then))
            later = some_ticks(50, seed=2, start_us=ticks[-1].time_us + SECOND_US)
            await asyncio.to_thread(store, database, later)
            assert await quotes_until(fourth, later[-1]) == list(map(as_quote, later))
            assert (await quotes_until(first, later[-1]))[len(ticks) :] == list(map(as_quote, later))
            late = some_ticks(5, seed=3, start_us=ticks[0].time_us - 10**9)  # history is no live message
            newest = some_ticks(1, seed=4, start_us=later[-1].time_us + SECOND_US)
            await asyncio.to_thread(store, database, [*late, *newest])
            assert (await quotes_until(first, newest[0]))[len(ticks) + len(later) :] == [as_quote(newest[0])]


async def _store_slowly(database: Database, ticks: list[Tick]) -> None:
    for begin in range(0, len(ticks), 100):
        await asyncio.to_thread(store, database, ticks[begin : begin + 100])


async def test_what_cannot_be_subscribed_is_answered_with_a_sentence(database: Database) -> None:
    await asyncio.to_thread(store, database, some_ticks(3))
    record(database, some_trades(3))
    wrong: list[tuple[dict[str, object], str]] = [
        ({"symbols": [EUR], "types": ["trade"]}, f"{EUR} has quotes and no trades"),
        ({"symbols": ["BTC"], "types": ["quote"]}, "Quotes of BTCUSDT are not stored"),
        ({"symbols": ["BTC"], "types": ["candle:1m:bid"]}, "Candles of BTCUSDT are of its trades: write candle:1m."),
        ({"symbols": [EUR], "types": ["candle:1m:last"]}, "“last” is no price of a candle"),
        ({"symbols": [EUR], "types": ["tick"], "since": 5}, "name the type quote with it"),
        ({"symbols": [EUR], "types": ["quote"], "since": -5}, "since cannot be that time"),
        ({"symbols": [EUR], "types": ["quote"], "since": "yesterday"}, "“yesterday” is no position"),
        ({"symbols": [EUR], "types": ["quote"], "since": f"{1 << 60}-0"}, "is no position"),
        ({"symbols": [EUR], "types": ["quote"], "since": "5-99999"}, "is no position"),
        ({"symbols": ["BTC"], "types": ["trade"], "since": "5-0"}, "since is the id of a trade"),
        ({"symbols": ["EURUSD"], "types": ["quote"]}, "“EURUSD” is not in the database"),
        ({"symbols": ["EURUSD"], "types": ["quote"], "broker": "dukascopy"}, "“dukascopy:EURUSD” is not in"),
    ]
    async with served(database) as client, listening(client) as listener:
        for message, sentence in wrong:
            answer = await listener.ask(action="subscribe", **message)
            assert (answer["type"], sentence in answer["message"]) == ("error", True), answer
            assert answer["message"].endswith((".", "?"))
        assert (await listener.ask(action="subscribe", symbols=[EUR], types=["quote"]))["type"] == "subscribed"


async def test_a_client_that_does_not_read_quotes_is_cut_while_others_hear_each_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_client, "LAST_WORDS_S", 60.0)  # it reads once the others have heard all
    ticks = some_ticks(40_000)
    await asyncio.to_thread(store, database, ticks[:100])
    async with served(database) as client, listening(client) as good:
        await good.ask(action="subscribe", symbols=[EUR], types=["quote"])
        with contextlib.closing(await deaf_client(client.service.url, EUR, ["quote", "tick"])) as deaf:
            writing = asyncio.create_task(_store_many(database, ticks[100:]))
            assert await quotes_until(good, ticks[-1]) == list(map(as_quote, ticks[100:]))
            await writing
            async with asyncio.timeout(30):
                heard = await all_of(deaf)
        assert b"read too slowly" in heard[-200:]
        assert heard[-4:] == live_messages.close_frame(1013)
        # The ticks of one look are written at once, however many bytes wait already.
        messages = [len(live_messages.tick_message(one) + live_messages.tick_price(one)) for one in ticks]
        at_once = tick_follower.MOST_AT_ONCE * max(messages)
        assert len(heard) < MOST_UNREAD_BYTES + DEAF_SYSTEM_BYTES + at_once < sum(messages) / 4


async def _store_many(database: Database, ticks: list[Tick]) -> None:
    for begin in range(0, len(ticks), 5_000):
        await asyncio.to_thread(store, database, ticks[begin : begin + 5_000])


@asynccontextmanager
async def quoting(tape: SimulatedTape | RecordedTape, **options: Any) -> AsyncIterator[OandaSandbox]:
    """A loopback OANDA of that tape."""
    oanda = OandaSandbox(tape, **options)
    await oanda.start()
    try:
        yield oanda
    finally:
        await oanda.stop()


SIMULATED = SimulatedTape(seed=3, prices_per_s=8.0, always_open=True)


async def subscribed(listener: Listener, **message: object) -> None:
    """Subscribe, as soon as the symbol is stored."""
    async with asyncio.timeout(30):
        while (await listener.ask(action="subscribe", **message))["type"] == "error":
            await asyncio.sleep(0.05)


async def test_received_quotes_come_at_once_and_resume_over_what_is_stored(data_dir: Path) -> None:
    async with (
        quoting(SIMULATED, heartbeat_s=1.0) as oanda,
        recording(data_dir, symbols=f"BTCUSDT,{EUR}", oanda=oanda) as (engine, served, session, _),
        session.ws_connect(f"{served.url}/ws/market") as socket,
    ):
        assert engine.database is not None
        listener = Listener(socket)
        greeting = await listener.until(lambda one: one["type"] == "connection")
        assert greeting["assets"][:2] == ["BTCUSDT", EUR]
        await listener.until(lambda one: one["type"] == "price_update" and one["symbol"] == EUR)
        await subscribed(listener, symbols=[EUR], types=["quote", "candle:5s", "candle:5s:ask"], since=0)
        for kind in ("candle:5s", "candle:5s:ask"):
            await listener.until(lambda one, kind=kind: one["type"] == kind and one["data"]["volume"] > 0)
        tracker = engine.quotes.recorder.tracker(EUR)
        assert tracker is not None
        for _ in range(3):
            assert tracker.last is not None
            heard = await quotes_until(listener, tracker.last)
            await asyncio.sleep(0.6)
        numbers = [number_at(one["data"]["position"]) or 0 for one in heard]
        assert all(one < two for one, two in pairwise(numbers))  # none comes twice
        stored: list[Tick] = []

        def is_stored() -> bool:
            assert engine.database is not None
            stored[:] = engine.database.ticks.ticks(EUR, 0, 1 << 52)
            return bool(stored) and stored[-1].number >= numbers[-1]

        await until(is_stored)
        assert heard == [as_quote(one) for one in stored if one.number <= numbers[-1]]  # none is missing
        # What is not stored yet comes from memory.
        async with session.ws_connect(f"{served.url}/ws/market") as other:
            resumed = Listener(other)
            middle = heard[len(heard) // 2]["data"]["position"]
            await subscribed(resumed, symbols=[EUR], types=["quote"], since=middle)
            assert tracker.last is not None
            again = await quotes_until(resumed, tracker.last)
            both = await quotes_until(listener, tracker.last)
            assert again[0]["data"]["position"] > middle
            assert again == both[len(heard) // 2 + 1 :][: len(again)]


async def test_health_and_metrics_name_the_brokers_stream(data_dir: Path) -> None:
    async with (
        quoting(SIMULATED, heartbeat_s=1.0) as oanda,
        recording(data_dir, symbols=EUR, oanda=oanda) as (engine, served, session, _),
    ):

        async def read(path: str, **headers: str) -> tuple[int, Any]:
            async with session.get(served.url + path, headers=headers) as response:
                return response.status, await response.json()

        await until(lambda: engine.quotes.recorder.ticks_received)
        assert await read("/health/oanda") == (200, {"status": "ok", "brokers": [{"broker": "oanda", "state": "live"}]})
        assert (await read("/health"))[0] == 200  # the exchange of trades is not wanted
        figures = (await read("/metrics", Accept="application/json"))[1]
        assert figures["brokers"] == [{"broker": "oanda", "state": "live"}]
        assert figures["status"]["totalTicks"] > 0
        assert figures["status"]["binanceConnected"] is False
        async with session.get(f"{served.url}/metrics") as response:
            assert '\ncryptopipe_broker_live{broker="oanda"} 1.0\n' in await response.text()
        await oanda.stop()
        while await status(session, f"{served.url}/health/oanda") == 200:
            await asyncio.sleep(0.05)
        refused, body = await read("/health/oanda")
        assert (refused, body["error"][-1], body["brokers"][0]["broker"]) == (503, ".", "oanda")
        assert (await read("/health"))[0] == 503


async def test_every_recorded_quote_reaches_clients_of_the_recorder_and_of_a_server_beside_it(
    data_dir: Path, shared_data: Callable[[str], Path]
) -> None:
    tape = RecordedTape([shared_data("oanda/eurusd_tick_20140501.zip")])
    async with (
        quoting(tape, begin_us=tape.start_us - 1, speed=math.inf, sampled=False) as oanda,
        recording(data_dir, symbols=EUR, oanda=oanda) as (engine, served_engine, session, _),
    ):
        assert engine.database is not None
        async with (
            served(engine.database) as beside,
            listening(beside, max_msg_size=0) as follower,
            session.ws_connect(f"{served_engine.url}/ws/market", max_msg_size=0) as socket,
        ):
            prices = tape.prices("EUR_USD", tape.start_us - 1, tape.end_us)
            expected = [(one.time_us // 1_000, one.bid / 1e5, one.ask / 1e5) for one in prices]
            last = as_quote(Tick(EUR, prices[-1].time_us, 0, 0, 0))["data"]["position"]
            for found in await asyncio.gather(*(_quotes_up_to(one, last) for one in (Listener(socket), follower))):
                assert len(found) == len(expected)
                assert found == expected


async def _quotes_up_to(listener: Listener, position: str) -> list[tuple[int, float, float]]:
    """Subscribe, and return time, bid and ask of all quotes until that one."""
    await subscribed(listener, symbols=[EUR], types=["quote"], since=0)
    found = [one["data"] for one in listener.heard if one["type"] == "quote"]
    while not found or found[-1]["position"] != position:
        found.append((await listener.until(lambda one: one["type"] == "quote"))["data"])
    return [(one["timestamp"], one["bid"], one["ask"]) for one in found]
