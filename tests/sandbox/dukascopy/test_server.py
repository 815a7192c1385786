"""The loopback Dukascopy: both layouts of the same market, as the real one answers, and faults on demand."""

from __future__ import annotations

import asyncio
import contextlib
import json
import lzma
import struct
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest

from app.market.errors import UsageError
from app.sandbox.dukascopy.server import DukascopySandbox
from app.sandbox.dukascopy.sources import RecordedArchive, SimulatedArchive

END_MS = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp()) * 1_000
TICKS_PATH, TREE_PATH = "/v1/ticks/EUR-USD/2026/10/14/9", "/datafeed/EURUSD/2026/09/14/09h_ticks.bi5"


class Answers:
    """What a server answers: status and body."""

    def __init__(self, server: DukascopySandbox, session: aiohttp.ClientSession) -> None:
        self.server = server
        self._session = session

    async def get(self, path: str) -> tuple[int, bytes]:
        async with self._session.get(self.server.url + path) as response:
            return response.status, await response.read()


@contextlib.asynccontextmanager
async def serving(server: DukascopySandbox) -> AsyncIterator[Answers]:
    """Run the server within the context."""
    await server.start()
    try:
        async with aiohttp.ClientSession() as session:
            yield Answers(server, session)
    finally:
        await server.stop()


@pytest.fixture
async def answers() -> AsyncIterator[Answers]:
    async with serving(DukascopySandbox(SimulatedArchive(7, end_ms=END_MS, ticks_per_hour=50))) as answers:
        yield answers


async def test_both_layouts_hold_the_same_hour(answers: Answers) -> None:
    status, body = await answers.get(TICKS_PATH)
    answer = json.loads(body)
    _, packed = await answers.get(TREE_PATH)
    records = list(struct.iter_unpack(">IIIff", lzma.decompress(packed, lzma.FORMAT_ALONE)))
    assert status == 200
    assert len(records) == len(answer["times"]) == 50
    assert answer["timestamp"] + answer["times"][0] == 1_791_968_400_000 + records[0][0]
    assert round(answer["ask"] * 100_000) == records[0][1]
    assert [records[place + 1][2] - records[place][2] for place in range(49)] == answer["bids"][1:]
    assert [round(size * 1e6, 3) for *_, size, _ in records] == pytest.approx(answer["askVolumes"])


async def test_closed_hours_are_empty_and_what_is_not_there_is_404(answers: Answers) -> None:
    status, body = await answers.get("/v1/ticks/EUR-USD/2026/10/17/9")
    assert (status, json.loads(body)["times"], json.loads(body)["ask"]) == (200, [], None)
    assert await answers.get("/datafeed/EURUSD/2026/09/17/09h_ticks.bi5") == (200, b"")
    for path in (
        "/v1/ticks/EUR-USD/2026/11/1/0",  # the market ends before
        "/v1/ticks/FOO-BAR/2026/10/14/9",
        "/v1/ticks/EUR-USD/2026/13/1/0",
        "/datafeed/EURUSD/2026/12/01/00h_ticks.bi5",
        "/v1/instruments/FOO-BAR",
        "/",
    ):
        assert await answers.get(path) == (404, b"")


async def test_the_candles_are_those_of_the_ticks(answers: Answers) -> None:
    _, body = await answers.get("/v1/candles/hour/EUR-USD/BID/2026/9")
    hours = json.loads(body)
    assert hours["shift"] == 3_600_000
    _, body = await answers.get("/v1/ticks/EUR-USD/2026/9/1/0")  # a Tuesday
    ticks = json.loads(body)
    assert hours["timestamp"] + hours["times"][0] * 3_600_000 == ticks["timestamp"]
    assert hours["open"] == ticks["bid"]
    assert hours["volumes"][0] == pytest.approx(sum(ticks["bidVolumes"]))
    assert len(hours["times"]) == 22 * 24  # 22 working days; what Fridays lack, Sundays have


async def test_the_market_is_the_same_for_its_seed(answers: Answers) -> None:
    before = await answers.get(TICKS_PATH)
    await answers.get("/v1/ticks/USD-JPY/2026/10/14/9")
    assert await answers.get(TICKS_PATH) == before
    assert SimulatedArchive(8, end_ms=END_MS).ticks("EURUSD", END_MS - 86_400_000 * 3) != SimulatedArchive(
        7, end_ms=END_MS
    ).ticks("EURUSD", END_MS - 86_400_000 * 3)


async def test_faults_happen_on_demand_and_are_counted(answers: Answers) -> None:
    faults = answers.server.faults
    faults.fail_next(503, path="/v1/", retry_after_s=3)
    faults.answer_next(b"", path=TREE_PATH)
    faults.cut_next(path="/v1/")
    assert await answers.get(TREE_PATH) == (200, b"")
    assert (await answers.get(TICKS_PATH))[0] == 503
    with pytest.raises(aiohttp.ClientPayloadError):
        await answers.get(TICKS_PATH)
    assert (await answers.get(TICKS_PATH))[0] == 200
    faults.fail_next(429, times=None)
    assert [(await answers.get(TICKS_PATH))[0] for _ in range(3)] == [429] * 3
    faults.clear()
    faults.hang_next(30)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await answers.get(TICKS_PATH)
    assert faults.counts == {"503": 1, "answered": 1, "cut": 1, "429": 3, "hung": 1}
    assert answers.server.requests == {TICKS_PATH: 7, TREE_PATH: 1}


async def test_more_requests_at_once_than_allowed_are_refused() -> None:
    server = DukascopySandbox(SimulatedArchive(end_ms=END_MS), pause_s=60.0, most_allowed=3)
    async with serving(server) as answers:
        waiting = {asyncio.create_task(answers.get(TREE_PATH)) for _ in range(5)}
        for _ in range(2):
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            assert {task.result()[0] for task in done} == {429}
            if len(waiting) == 3:
                break
        assert len(waiting) == 3
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
    assert server.most_at_once > 3


async def test_recordings_are_served_as_they_are_and_nothing_beside_them(shared_data: Callable[[str], Path]) -> None:
    folder = shared_data("dukascopy")
    recorded = folder / "datafeed/EURUSD/2019/01/04/08h_ticks.bi5"
    async with serving(DukascopySandbox(RecordedArchive(folder))) as answers:
        assert await answers.get("/datafeed/EURUSD/2019/01/04/08h_ticks.bi5") == (200, recorded.read_bytes())
        _, body = await answers.get("/v1/ticks/BTC-USD/2023/2/20/12")
        assert body == (folder / "json/ticks-BTC-USD-2023-2-20-12.json").read_bytes()
        status, body = await answers.get("/v1/ticks/EUR-USD/2019/2/4/8")  # made of the file
        records = len(lzma.decompress(recorded.read_bytes(), lzma.FORMAT_ALONE)) // 20
        assert (status, len(json.loads(body)["times"])) == (200, records)
        assert (await answers.get("/datafeed/../README.md"))[0] == 404
        assert (await answers.get("/datafeed/%2e%2e/%2e%2e/README.md"))[0] == 404


async def test_a_port_in_use_is_one_sentence(answers: Answers) -> None:
    port = int(answers.server.url.rpartition(":")[2])
    with pytest.raises(UsageError, match=f"Port {port} on 127.0.0.1 is in use"):
        await DukascopySandbox(SimulatedArchive(end_ms=END_MS), port=port).start()
