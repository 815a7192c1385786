"""The loopback OANDA: its protocol, its limits, recorded and simulated prices, and faults on demand."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import io
import json
import math
import zipfile
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from app.market.errors import UsageError
from app.sandbox.oanda.server import ACCOUNT, TOKEN, OandaLimits, OandaSandbox
from app.sandbox.oanda.stream import price_text
from app.sandbox.oanda.tape import RecordedTape, SimulatedTape, TapePrice
from tests.brokers.binance.helpers import FastClock

HOUR_US = 3_600_000_000
MONDAY_US = int(datetime(2026, 7, 13, 12, tzinfo=UTC).timestamp()) * 1_000_000
STREAM = f"/v3/accounts/{ACCOUNT}/pricing/stream"


class Client:
    """Asks a server with the right token."""

    def __init__(self, server: OandaSandbox, session: aiohttp.ClientSession) -> None:
        self.server = server
        self.session = session

    async def get(self, path: str, **parameters: str) -> tuple[int, Any]:
        async with self.session.get(self.server.url + path, params=parameters) as response:
            body = await response.read()
            return response.status, json.loads(body) if body else None

    async def lines(self, count: int, **parameters: str) -> list[Any]:
        """Return the first lines of a new stream."""
        found: list[Any] = []
        async with self.session.get(self.server.url + STREAM, params=parameters) as response:
            assert response.status == 200
            async for line in response.content:
                found.append(json.loads(line))
                if len(found) == count:
                    return found
        return found


@contextlib.asynccontextmanager
async def serving(server: OandaSandbox, token: str = TOKEN) -> AsyncIterator[Client]:
    await server.start()
    try:
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session:
            yield Client(server, session)
    finally:
        await server.stop()


def simulated(**options: Any) -> OandaSandbox:
    """Return a server of a simulated Monday noon, 50 times as fast."""
    clock = FastClock(50)
    options = {"begin_us": MONDAY_US, "limits": OandaLimits(connections_per_s=1_000), "clock": clock} | options
    return OandaSandbox(SimulatedTape(3), **options)


async def test_a_stream_begins_with_the_last_price_of_each_instrument_and_goes_on_with_heartbeats() -> None:
    async with serving(simulated()) as client:
        lines = await client.lines(60, instruments="EUR_USD,USD_JPY")
        assert {line["instrument"] for line in lines[:2]} == {"EUR_USD", "USD_JPY"}
        for last in lines[:2]:
            later = [line["time"] for line in lines[2:] if line.get("instrument") == last["instrument"]]
            assert last["time"] < min(later)
        assert {line["type"] for line in lines} == {"PRICE", "HEARTBEAT"}
        price = next(line for line in lines if line.get("instrument") == "USD_JPY")
        assert len(price["bids"][0]["price"].partition(".")[2]) == 3
        assert len(price["time"]) == len("2026-07-13T12:00:00.123456789Z")
        plain = await client.lines(3, instruments="EUR_USD", snapshot="false")
        assert all(line["time"] > "2026-07-13T12:00:00" for line in plain)


async def test_prices_are_sampled_four_times_a_second() -> None:
    tape = SimulatedTape(3, prices_per_s=60)
    server = OandaSandbox(tape, begin_us=MONDAY_US, clock=FastClock(50), limits=OandaLimits(connections_per_s=99))
    async with serving(server) as client:
        prices = [line for line in await client.lines(80, instruments="EUR_USD") if line["type"] == "PRICE"][1:]
    times = [datetime.fromisoformat(line["time"]) for line in prices]
    windows = [round(at.timestamp() * 1e6) for at in times]
    assert len({price["time"][:19] for price in prices}) >= len(prices) / 5
    assert all(later - earlier > 0 for earlier, later in pairwise(windows))
    assert all(windows[place + 5] - windows[place] > 1_000_000 for place in range(len(windows) - 5))


async def test_a_recording_is_replayed_as_it_is_at_any_speed(shared_data: Callable[[str], Path]) -> None:
    file = shared_data("oanda/eurusd_tick_20140504.zip")
    with zipfile.ZipFile(file) as archive:
        rows = list(csv.reader(io.TextIOWrapper(archive.open(archive.namelist()[0]), "ascii")))
    tape = RecordedTape([file])
    server = OandaSandbox(tape, begin_us=tape.start_us, speed=math.inf, sampled=False)
    async with serving(server) as client:
        lines = await client.lines(len(rows), instruments="EUR_USD")
    assert [(line["bids"][0]["price"], line["asks"][0]["price"]) for line in lines] == [
        (bid, ask) for _, bid, ask in rows
    ]
    assert lines[0]["time"] == "2014-05-04T21:00:00.462000000Z"
    assert server.time.now_us() == tape.end_us


async def test_candles_are_those_of_the_prices() -> None:
    async with serving(simulated()) as client:
        parameters = {"granularity": "M1", "price": "MBA", "from": "2026-07-13T11:00:00Z", "count": "30"}
        _, answer = await client.get("/v3/instruments/EUR_USD/candles", **parameters)
        candles = answer["candles"]
        assert [candle["time"] for candle in candles[:2]] == [
            "2026-07-13T11:00:00.000000000Z",
            "2026-07-13T11:01:00.000000000Z",
        ]
        assert len(candles) == 30
        prices = SimulatedTape(3).prices("EUR_USD", MONDAY_US - HOUR_US - 1, MONDAY_US - HOUR_US + 60_000_000 - 1)
        first = candles[0]
        assert first["volume"] == len(prices)
        assert first["complete"] is True
        bids = [price.bid for price in prices]
        assert first["bid"] == {
            name: price_text(points, 5)
            for name, points in zip("ohlc", (bids[0], max(bids), min(bids), bids[-1]), strict=True)
        }
        _, answer = await client.get("/v3/instruments/EUR_USD/candles", granularity="M1", count="3")
        assert [candle["complete"] for candle in answer["candles"]] == [True, True, False]
        assert "bid" not in answer["candles"][0]


async def test_a_weekend_has_no_candles_and_a_count_reaches_across_it() -> None:
    saturday_us = MONDAY_US - 2 * 24 * HOUR_US
    async with serving(simulated(begin_us=saturday_us)) as client:
        _, answer = await client.get("/v3/instruments/EUR_USD/candles", granularity="H1", count="3")
        assert [candle["time"][:13] for candle in answer["candles"]] == [
            "2026-07-10T18",
            "2026-07-10T19",
            "2026-07-10T20",
        ]
    async with serving(simulated()) as client:
        parameters = {"granularity": "H1", "from": "2026-07-10T20:00:00Z", "count": "2"}
        _, answer = await client.get("/v3/instruments/EUR_USD/candles", **parameters)
        assert [candle["time"][:13] for candle in answer["candles"]] == ["2026-07-10T20", "2026-07-12T21"]


@pytest.mark.parametrize(
    ("path", "parameters", "status"),
    [
        ("/v3/accounts", {}, 200),
        (f"/v3/accounts/{ACCOUNT}/summary", {}, 200),
        (f"/v3/accounts/{ACCOUNT}/instruments", {}, 200),
        ("/v3/accounts/101-9/summary", {}, 403),
        (STREAM, {"instruments": "FOO_BAR"}, 400),
        (STREAM, {}, 400),
        ("/v3/instruments/FOO_BAR/candles", {}, 400),
        ("/v3/instruments/EUR_USD/candles", {"granularity": "M7"}, 400),
        ("/v3/instruments/EUR_USD/candles", {"count": "5001"}, 400),
        ("/v3/instruments/EUR_USD/candles", {"from": "2030-01-01T00:00:00Z"}, 400),
        (
            "/v3/instruments/EUR_USD/candles",
            {"count": "5", "from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"},
            400,
        ),
        ("/v3/nothing", {}, 404),
    ],
)
async def test_what_cannot_be_asked_is_refused_in_oandas_words(
    path: str, parameters: dict[str, str], status: int
) -> None:
    async with serving(simulated()) as client:
        answered, answer = await client.get(path, **parameters)
        assert answered == status
        assert ("errorMessage" in answer) == (status != 200)


async def test_another_token_opens_nothing() -> None:
    async with serving(simulated(), token="other") as client:
        for path in ("/v3/accounts", STREAM, "/v3/instruments/EUR_USD/candles"):
            status, answer = await client.get(path)
            assert (status, answer["errorMessage"]) == (401, "Insufficient authorization to perform request.")


async def test_limits_of_requests_connections_and_streams() -> None:
    server = OandaSandbox(SimulatedTape(3), limits=OandaLimits(requests_per_s=5, connections_per_s=99, streams=1))
    async with serving(server) as client:
        statuses = [(await client.get("/v3/accounts"))[0] for _ in range(20)]
        assert 429 in statuses
        server.limits = OandaLimits(connections_per_s=99, streams=1)
        async with client.session.get(server.url + STREAM, params={"instruments": "EUR_USD"}) as response:
            assert response.status == 200
            assert (await client.get(STREAM, instruments="EUR_USD"))[0] == 429
        server.limits = OandaLimits(connections_per_s=0)
        async with aiohttp.ClientSession() as session, session.get(server.url + "/v3/accounts") as response:
            assert response.status == 429


async def test_streams_end_and_fall_silent_on_demand() -> None:
    async with serving(simulated()) as client:
        server = client.server
        async with client.session.get(server.url + STREAM, params={"instruments": "EUR_USD"}) as response:
            await response.content.readline()
            server.streams[0].cut(mid_line=True)
            with pytest.raises(aiohttp.ClientError):
                await response.read()
        async with client.session.get(server.url + STREAM, params={"instruments": "EUR_USD"}) as response:
            await response.content.readline()
            server.streams[-1].end()
            await response.read()
            assert response.content.at_eof()
        server.faults.streams.stalled = True
        lines = await client.lines(4, instruments="EUR_USD")
        assert [line["type"] for line in lines] == ["PRICE", *["HEARTBEAT"] * 3]  # the snapshot comes all the same
        server.faults.streams.silent = True
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await client.lines(1, instruments="EUR_USD")
        server.faults.clear()
        server.faults.answers.fail_next(503, path="/pricing/stream", retry_after_s=2)
        assert (await client.get(STREAM, instruments="EUR_USD"))[0] == 503
        assert len(await client.lines(2, instruments="EUR_USD")) == 2


def test_a_file_that_is_no_recording_is_one_sentence(tmp_path: Path) -> None:
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("20140501_eurusd_minute_quote.csv", "1,2,3")
    for path in (other, tmp_path / "none.zip"):
        with pytest.raises(UsageError, match="is no recording of OANDA's prices"):
            RecordedTape([path])


def test_simulated_prices_are_the_same_for_their_seed_and_closed_at_weekends() -> None:
    one, other = SimulatedTape(3), SimulatedTape(3)
    whole = one.prices("EUR_USD", MONDAY_US, MONDAY_US + 2 * HOUR_US)
    halves = [*other.prices("EUR_USD", MONDAY_US, MONDAY_US + HOUR_US + 5)]
    halves += other.prices("EUR_USD", MONDAY_US + HOUR_US + 5, MONDAY_US + 2 * HOUR_US)
    assert list(whole) == halves
    assert len(whole) > 5_000
    saturday_us = MONDAY_US - 2 * 24 * HOUR_US
    assert one.prices("EUR_USD", saturday_us, saturday_us + HOUR_US) == []
    last = one.last("EUR_USD", saturday_us)
    assert isinstance(last, TapePrice)
    assert datetime.fromtimestamp(last.time_us // 1_000_000, UTC).hour == 20  # Friday, 17:00 New York
    assert SimulatedTape(3, always_open=True).prices("EUR_USD", saturday_us, saturday_us + HOUR_US)
    assert one.prices("FOO_BAR", 0, HOUR_US) == []
    assert one.last("FOO_BAR", HOUR_US) is None
