import asyncio
import json
import math
import time
from contextlib import asynccontextmanager

import aiohttp
import pytest
import websockets

from app.market.errors import UsageError
from app.sandbox.market.recording import RecordedMarket
from app.sandbox.market.simulated import SimulatedMarket
from app.sandbox.server.connection import Limits
from app.sandbox.server.faults import Faults
from app.sandbox.server.garbage import Garbage
from app.sandbox.server.server import SandboxServer
from tests.sandbox.helpers import FIRST_ID, SMALL, get, get_all, newest_connection, serving, small_market, trade_dump

COUNT = 400


@pytest.fixture
def live():
    """A simulated market by the machine's clock."""
    return SimulatedMarket(3, SMALL, rate=400.0)


@pytest.fixture
def recording(tmp_path):
    return RecordedMarket([trade_dump(tmp_path / "dump", COUNT)], speed=math.inf)


def connect(server, path, **options):
    # With a bounded queue a client that stops reading would not see the end of the connection either.
    return websockets.connect(server.ws_url + path, compression=None, max_queue=None, **options)


@asynccontextmanager
async def unanswering(server, path):
    """A client that shows pings rather than answering them."""
    async with aiohttp.ClientSession() as session, session.ws_connect(server.ws_url + path, autoping=False) as client:
        yield client


async def ask(client, **request):
    await client.send(json.dumps(request))
    while True:
        reply = json.loads(await client.recv())
        if "result" in reply or "code" in reply:
            return reply


async def received_ids(client, count):
    """The ids of the next events that are trades; anything else is passed over."""
    found = []
    while len(found) < count:
        try:
            event = json.loads(await client.recv(decode=False))
        except ValueError:
            continue
        event = event.get("data", event)
        if event.get("e") == "trade" and isinstance(event["t"], int):
            found.append(event["t"])
    return found


ALL = list(range(FIRST_ID, FIRST_ID + COUNT))


async def test_a_raw_connection_sends_plain_events_and_a_combined_one_wraps_them(live):
    async with serving(live) as server, connect(server, "/ws/btcusdt@trade") as raw:
        event = json.loads(await raw.recv())
        assert (event["e"], event["s"]) == ("trade", "BTCUSDT")
        async with connect(server, "/stream?streams=btcusdt@trade/adausdt@bookTicker") as combined:
            names = set()
            async with asyncio.timeout(30):
                while len(names) < 2:
                    names.add(json.loads(await combined.recv())["stream"])
        assert names == {"btcusdt@trade", "adausdt@bookTicker"}


@pytest.mark.parametrize(("unit", "digits"), [("", 13), ("?timeUnit=MILLISECOND", 13), ("?timeUnit=MICROSECOND", 16)])
async def test_times_have_the_unit_that_the_address_asks_for(live, unit, digits):
    async with serving(live) as server, connect(server, "/ws/btcusdt@trade" + unit) as client:
        event = json.loads(await client.recv())
    assert len(str(event["E"])) == len(str(event["T"])) == digits


async def test_streams_are_subscribed_listed_and_unsubscribed_on_an_open_connection(live):
    async with serving(live) as server, connect(server, "/ws") as client:
        names = ["btcusdt@trade", "BTCUSDT@trade", "nosuch@trade"]
        assert await ask(client, method="SUBSCRIBE", params=names, id=1) == {"result": None, "id": 1}
        assert len(await received_ids(client, 5)) == 5
        assert (await ask(client, method="LIST_SUBSCRIPTIONS", id=2))["result"] == names
        assert await ask(client, method="UNSUBSCRIBE", params=names, id=3) == {"result": None, "id": 3}
        assert (await ask(client, method="LIST_SUBSCRIPTIONS", id=4)) == {"result": [], "id": 4}


async def test_an_invalid_request_is_answered_and_the_connection_stays_open(live):
    async with serving(live) as server, connect(server, "/stream") as client:
        await client.send("not json")
        assert json.loads(await client.recv())["code"] == 3
        assert (await ask(client, method="JUMP", id=1))["code"] == 2
        assert await ask(client, method="LIST_SUBSCRIPTIONS", id=2) == {"result": [], "id": 2}


async def test_every_kind_of_stream_is_served(live):
    kinds = {"trade", "aggTrade", "bookTicker", "miniTicker", "kline_1s", "kline_1m"}
    path = "/stream?streams=" + "/".join(f"btcusdt@{kind}" for kind in kinds)
    async with serving(live) as server, connect(server, path) as client:
        seen = {}
        while seen.keys() < kinds:
            frame = json.loads(await client.recv())
            seen[frame["stream"].removeprefix("btcusdt@")] = frame["data"]
    assert seen["aggTrade"]["f"] == seen["aggTrade"]["l"] == seen["aggTrade"]["a"]
    assert float(seen["bookTicker"]["b"]) < float(seen["bookTicker"]["a"])
    assert seen["miniTicker"]["e"] == "24hrMiniTicker"
    assert seen["kline_1m"]["k"]["i"] == "1m"


async def test_streams_and_rest_have_the_same_trades(live):
    async with serving(live) as server, connect(server, "/ws/adausdt@trade?timeUnit=MICROSECOND") as client:
        events = [json.loads(await client.recv()) for _ in range(50)]
        rows = await get(server, "historicalTrades", microseconds=True, symbol="ADAUSDT", fromId=events[0]["t"])
    rows_of_rest = [(row["id"], row["price"], row["qty"], row["time"], row["isBuyerMaker"]) for row in rows[:50]]
    assert rows_of_rest == [(event["t"], event["p"], event["q"], event["T"], event["m"]) for event in events]


async def test_kline_streams_close_each_candle_with_the_figures_of_rest(recording):
    async with serving(recording) as server, connect(server, "/ws/abcusdt@kline_1s") as client:
        closed = {}
        while len(closed) < COUNT // 4 - 1:
            kline = json.loads(await client.recv())["k"]
            if kline["x"]:
                closed[kline["t"]] = [kline[key] for key in "otchlvnqVQ"]
        rows = await get(server, "klines", symbol="ABCUSDT", interval="1s", limit=1000)
    assert len(rows) == COUNT // 4
    for row in rows[:-1]:
        opened, high, low, close, volume, _, quote, trades, taker, taker_quote = row[1:11]
        assert closed[row[0]] == [opened, row[0], close, high, low, volume, trades, quote, taker, taker_quote]


async def test_a_sixth_message_within_a_second_closes_with_1008(live):
    async with serving(live) as server, connect(server, "/ws") as client:
        for number in range(6):
            await client.send(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": number}))
        await client.wait_closed()
    assert client.close_code == 1008


async def test_pings_count_as_messages_and_are_answered(live):
    async with serving(live) as server, connect(server, "/ws", ping_interval=None) as client:
        for _ in range(5):
            await (await client.ping())
        await client.ping()
        await client.wait_closed()
    assert client.close_code == 1008


async def test_more_streams_than_allowed_in_the_address_are_refused(live):
    async with serving(live) as server, aiohttp.ClientSession() as session:
        streams = "/".join(f"s{number}@trade" for number in range(1025))
        async with session.get(f"{server.rest_url}/stream?streams={streams}", max_line_size=65536) as response:
            assert response.status == 400
        async with session.get(f"{server.rest_url}/ws/btcusdt@trade?timeUnit=FORTNIGHT") as response:
            assert response.status == 400


async def test_a_client_that_does_not_answer_pings_is_closed(live):
    limits = Limits(ping_every_s=0.05, pong_within_s=0.15, messages_per_s=100)
    async with serving(live, limits=limits) as server, connect(server, "/ws") as polite:
        async with unanswering(server, "/ws") as mute:
            pings = 0
            while (message := await mute.receive()).type is aiohttp.WSMsgType.PING:
                assert int(message.data) > 0
                pings += 1
            assert mute.close_code == 1008
        assert pings >= 2
        assert await ask(polite, method="LIST_SUBSCRIPTIONS", id=1) == {"result": [], "id": 1}


async def test_a_client_that_stops_reading_is_dropped_when_its_pong_is_late(shared_data):
    source = RecordedMarket([shared_data("ws_raw/examples_spot_btcusdt_20240809.gz")], speed=math.inf)
    limits = Limits(ping_every_s=0.1, pong_within_s=0.3)
    async with serving(source, limits=limits) as server:
        client = await websockets.connect(server.ws_url + "/ws/btcusdt@bookTicker", max_queue=1, close_timeout=0.1)
        connection = await newest_connection(server)
        while connection in server.connections:  # the server needs no event for it
            await asyncio.sleep(0.01)
        assert not source.finished
        client.transport.abort()


async def test_a_pong_that_answers_no_ping_does_not_count(live):
    limits = Limits(ping_every_s=0.05, pong_within_s=0.2, messages_per_s=100)
    async with serving(live, limits=limits) as server, unanswering(server, "/ws") as client:
        while (await client.receive()).type is aiohttp.WSMsgType.PING:
            await client.pong(b"hello")
        assert client.close_code == 1008


async def test_symbols_beyond_ascii_have_streams_too(live):
    async with serving(live) as server, connect(server, "/stream") as client:
        await client.send(json.dumps({"method": "SUBSCRIBE", "params": ["币安人生usdt@trade"], "id": 1}))
        assert json.loads(await client.recv()) == {"result": None, "id": 1}
        frame = json.loads(await client.recv())
    assert (frame["stream"], frame["data"]["s"]) == ("币安人生usdt@trade", "币安人生USDT")


async def test_the_end_of_a_connections_lifetime_is_announced(live):
    limits = Limits(lifetime_s=0.3, shutdown_notice_s=0.2)
    async with serving(live, limits=limits) as server, connect(server, "/stream") as client:
        notice = json.loads(await client.recv())
        assert notice["stream"] == "!serverShutdown"
        assert notice["data"]["e"] == "serverShutdown"
        await client.wait_closed()
    assert client.close_code == 1001


async def test_too_many_connections_are_refused(live):
    async with serving(live, limits=Limits(attempts=2)) as server:
        for _ in range(2):
            async with connect(server, "/ws"):
                pass
        with pytest.raises(websockets.InvalidStatus, match="429"):
            await connect(server, "/ws")


async def test_a_port_in_use_is_refused_in_one_sentence(live):
    async with serving(live) as server:
        with pytest.raises(UsageError, match=rf"^Port {server.port} on 127\.0\.0\.1 is in use: [^\n]+$"):
            await SandboxServer(live, port=server.port).start()


@pytest.mark.parametrize("port", [-1, 70_000])
async def test_an_impossible_port_is_refused(live, port):
    with pytest.raises(UsageError, match="cannot listen"):
        await SandboxServer(live, port=port).start()


async def test_stopping_frees_the_port_and_ends_its_clients(live):
    async with serving(live) as server, connect(server, "/ws/btcusdt@trade") as client:
        await client.recv()
        await server.stop()
        await client.wait_closed()
        assert server.connections == []
        async with serving(small_market(), port=server.port):
            pass


async def test_a_cut_ends_the_connection_without_a_close_frame(live):
    async with serving(live) as server, connect(server, "/ws/btcusdt@trade") as client:
        await client.recv()
        (await newest_connection(server)).cut()
        await client.wait_closed()
    assert client.close_code == 1006


async def test_a_cut_within_a_message_ends_it_there(live):
    async with serving(live) as server, connect(server, "/ws") as client:
        (await newest_connection(server)).cut(mid_frame=True)
        with pytest.raises(websockets.ConnectionClosedError):
            await client.recv()
    assert client.close_code == 1006


@pytest.mark.parametrize("code", [1006, 1008, 1011, 1012])
async def test_a_connection_can_be_closed_with_a_code(live, code):
    async with serving(live) as server, connect(server, "/ws") as client:
        await (await newest_connection(server)).close(code, "as asked")
        await client.wait_closed()
    assert client.close_code == code


async def test_a_stalled_connection_still_pings_and_continues_once_cleared(live):
    limits = Limits(ping_every_s=0.05)
    async with serving(live, limits=limits) as server, unanswering(server, "/ws/btcusdt@trade") as client:
        connection = await newest_connection(server)
        await client.receive()
        connection.faults.stalled = True
        pings = 0
        while pings < 3:
            pings += (await client.receive()).type is aiohttp.WSMsgType.PING
        connection.faults.clear()
        while (message := await client.receive()).type is not aiohttp.WSMsgType.TEXT:
            pass
        assert json.loads(message.data)["e"] == "trade"


async def test_a_silent_connection_answers_nothing_at_all(live):
    async with serving(live, limits=Limits(ping_every_s=0.05)) as server, connect(server, "/ws") as client:
        connection = await newest_connection(server)
        connection.faults.silent = True
        await client.send(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": 1}))
        pong = await client.ping()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.recv(), 0.4)
        assert not pong.done()
        connection.cut()


async def test_a_dropped_frame_is_the_only_one_missing(recording):
    faults = Faults()
    faults.streams.drop(times=1)
    async with serving(recording, faults=faults) as server, connect(server, "/ws/abcusdt@trade") as client:
        assert await received_ids(client, COUNT - 1) == ALL[1:]


async def test_a_frame_can_be_sent_twice_or_late(recording):
    faults = Faults()
    faults.streams.duplicate(times=1)
    faults.streams.reorder(times=1)
    async with serving(recording, faults=faults) as server, connect(server, "/stream?streams=abcusdt@trade") as client:
        assert await received_ids(client, COUNT) == [*ALL[1:2], *ALL[:1], *ALL[2:]]


@pytest.mark.parametrize("kind", list(Garbage))
async def test_garbage_arrives_between_whole_events(recording, kind):
    faults = Faults()
    faults.streams.garble(kind, times=1)
    path = "/stream?streams=abcusdt@trade"
    async with serving(recording, faults=faults) as server, connect(server, path, max_size=None) as client:
        await client.recv(decode=False)
        assert await received_ids(client, COUNT) == ALL


async def test_faults_of_one_connection_leave_the_others_alone(live):
    async with serving(live) as server, connect(server, "/ws/btcusdt@trade") as first:
        (await newest_connection(server)).faults.drop()
        async with connect(server, "/ws/btcusdt@trade") as second:
            assert len(await received_ids(second, 20)) == 20
            assert first.close_code is None


async def test_handshakes_can_be_refused_and_delayed(live):
    faults = Faults()
    async with serving(live, faults=faults) as server:
        faults.handshakes.refuse_next(503, times=2)
        for _ in range(2):
            async with aiohttp.ClientSession() as session:
                with pytest.raises(aiohttp.WSServerHandshakeError, match="503"):
                    await session.ws_connect(server.ws_url + "/ws")
        faults.handshakes.delay_s = 0.2
        begin_s = time.monotonic()
        async with connect(server, "/ws"):
            assert time.monotonic() - begin_s >= 0.2


async def test_a_shutdown_can_be_announced_at_once(live):
    async with serving(live) as server, connect(server, "/ws") as client:
        await (await newest_connection(server)).announce_shutdown()
        assert json.loads(await client.recv())["e"] == "serverShutdown"


@pytest.mark.parametrize("status", [403, 418, 429, 500, 503])
async def test_rest_fails_as_often_as_set(live, status):
    async with serving(live) as server:
        server.rest_faults.fail_next(status, path="/time", retry_after_s=3, code=-1003, message="No.")
        failed, body, headers = await get_all(server, "time")
        assert (failed, body, headers["Retry-After"]) == (status, {"code": -1003, "msg": "No."}, "3")
        assert (await get_all(server, "time"))[0] == 200


async def test_rest_answers_can_be_changed_and_cut(live):
    async with serving(live) as server:
        server.rest_faults.change_next(lambda rows: rows[::2], path="/trades")
        assert [len(await get(server, "trades", symbol="BTCUSDT", limit=10)) for _ in range(2)] == [5, 10]
        server.rest_faults.cut_next()
        with pytest.raises(aiohttp.ClientPayloadError):
            await get(server, "trades", symbol="BTCUSDT")


async def test_a_client_gives_up_a_scrambled_connection(live):
    async with serving(live) as server, connect(server, "/ws/btcusdt@trade") as client:
        (await newest_connection(server)).scramble()
        await client.wait_closed()
        assert client.close_code == 1006
        assert client.protocol.close_sent is not None
        assert client.protocol.close_sent.code == 1002


async def test_the_weight_limit_is_published(live):
    async with serving(live, limits=Limits(weight_per_minute=77)) as server:
        assert (await get(server, "exchangeInfo"))["rateLimits"][0]["limit"] == 77


async def test_rest_can_answer_nonsense_and_hang(live):
    async with serving(live) as server:
        server.rest_faults.answer_next(b'{"surprise": []}')
        assert await get(server, "time") == {"surprise": []}
        server.rest_faults.hang_next(30.0)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(get(server, "time"), 0.2)
        assert "serverTime" in await get(server, "time")
