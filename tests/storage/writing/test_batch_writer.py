"""The writer against a real server: nothing lost, nothing doubled, whatever goes away meanwhile."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.market.errors import StoreUnavailable
from app.market.trade import Trade
from app.market.units import parse_e8
from storage.postgres.connection import Connection, connect
from storage.trades.trade_writer import TRADE_ROWS, TradeBatchWriter
from storage.writing.batch_writer import BatchWriter
from tests.storage.helpers import PATIENCE_S, World, held_of, some_trades, stored
from tests.storage.trades.test_trade_ledger import rollups_differ


def recorded_trades(path: Path) -> list[Trade]:
    trades = []
    with gzip.open(path, "rt") as lines:
        for line in lines:
            event = json.loads(line.split(" ", 1)[1]).get("data", {})
            if event.get("e") == "trade":
                price, quantity = parse_e8(event["p"]), parse_e8(event["q"])
                trades.append(Trade(event["s"], event["t"], event["T"] * 1000, price, quantity, event["m"]))
    return trades


class Gate:
    """A way to the database that can be shut."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.open = True
        self._made: list[Connection] = []

    def connect(self) -> Connection:
        if not self.open:
            raise StoreUnavailable("The database is away for a test; wait.")
        self._made.append(connect(self._url))
        return self._made[-1]

    def shut(self) -> None:
        """Refuse new connections and break those there are, on the server's side."""
        self.open = False
        with connect(self._url) as connection:
            for made in self._made:
                if not made.closed:
                    connection.execute("SELECT pg_terminate_backend(%s)", (made.info.backend_pid,))


@pytest.fixture
def writers(url: str) -> Iterator[Callable[..., TradeBatchWriter]]:
    made: list[TradeBatchWriter] = []

    def make(
        connect_by: Callable[[], Connection] = lambda: connect(url),
        *,
        batch_seconds: float = 1.0,
        queue_limit: int = 200_000,
    ) -> TradeBatchWriter:
        made.append(BatchWriter(connect_by, TRADE_ROWS, batch_seconds=batch_seconds, queue_limit=queue_limit))
        return made[-1]

    yield make
    for writer in made:
        writer.close(0.0)
    assert not any(writer.is_running for writer in made)


def test_the_recording_comes_back_to_the_digit(world: World, shared_data: Callable[[str], Path]) -> None:
    trades = [
        trade
        for day in ("20240808", "20240809")
        for trade in recorded_trades(shared_data(f"ws_raw/examples_spot_btcusdt_{day}.gz"))
    ]
    assert len(trades) == 19_904
    world.record(trades)
    assert stored(world.store) == sorted(trades, key=lambda trade: trade.trade_id)
    text = world.rows("SELECT price::text, quantity::text FROM trade_log WHERE trade_id = 3735683259")
    assert text == [("61837.63000000", "0.02000000")]
    assert world.store.coverage("BTCUSDT") == held_of(trades)


def test_times_keep_their_microseconds_and_amounts_their_digits(world: World) -> None:
    trades = [
        Trade("A", 1, 1_723_161_255_342_001, 1, 2**63 - 1, True),
        Trade("A", 2, 1_723_161_255_342_999, 2**63 - 1, 1, False),
        Trade("A", 3, 4_102_444_799_999_999, 10_000_000_000, 99_999_999, False),
        Trade("A", 2**63 - 2, 1_230_768_000_000_000, 123_456_789, 10**16, True),
    ]
    world.record(trades)
    assert stored(world.store, "A") == trades[:3]
    assert world.store.trades("A", 2**63 - 2, 2**63 - 2) == trades[3:]


def test_every_trade_is_stored_once_however_often_and_late_it_comes(world: World) -> None:
    trades = some_trades(3000)
    dice = random.Random(7)
    shuffled = trades + dice.sample(trades, 1000)
    dice.shuffle(shuffled)
    for start in range(0, len(shuffled), 700):
        world.record(shuffled[start : start + 700])
    assert stored(world.store) == trades
    assert world.writer.status.stored == len(trades)
    assert list(world.store.coverage("BTCUSDT")) == [(100, 3099)]


def test_two_writers_of_the_same_symbols_lose_and_double_nothing(
    world: World, writers: Callable[..., TradeBatchWriter]
) -> None:
    trades = [*some_trades(10_000), *some_trades(10_000, symbol="ETHUSDT", seed=2)]
    pair = [writers(), writers()]
    for writer, seed in zip(pair, (1, 2), strict=True):
        dice = random.Random(seed)
        mixed = trades + dice.sample(trades, 4_000)
        dice.shuffle(mixed)
        for start in range(0, len(mixed), 250):
            assert writer.put(mixed[start : start + 250])
    assert all(writer.drain(PATIENCE_S) for writer in pair)
    assert sum(writer.status.stored for writer in pair) == len(trades)
    for symbol in ("BTCUSDT", "ETHUSDT"):
        assert stored(world.store, symbol) == [trade for trade in trades if trade.symbol == symbol]
        assert list(world.store.coverage(symbol)) == [(100, 10_099)]
    assert rollups_differ(world) == []


def test_a_hundred_trades_are_written_at_once_and_fewer_after_the_wait(
    world: World, writers: Callable[..., TradeBatchWriter]
) -> None:
    patient = writers(batch_seconds=3600.0)
    trades = some_trades(150)
    patient.put(trades[:99])
    assert patient.status.queued == 99
    patient.put(trades[99:100])
    wait_until(lambda: patient.status.stored == 100)

    quick = writers(batch_seconds=0.05)
    quick.put(trades[100:])
    wait_until(lambda: quick.status.stored == 50)


async def test_flush_commits_what_was_put_without_the_wait(writers: Callable[..., TradeBatchWriter]) -> None:
    writer = writers(batch_seconds=3600.0)
    writer.put(some_trades(5))
    assert await writer.flush(PATIENCE_S)
    assert writer.status.stored == 5
    assert await writer.flush(0.0)


async def test_a_full_queue_takes_nothing_and_says_when_there_is_room(
    url: str, writers: Callable[..., TradeBatchWriter]
) -> None:
    gate = Gate(url)
    gate.open = False
    writer = writers(gate.connect, queue_limit=100)
    trades = some_trades(200)
    assert writer.put(trades[:90])
    assert not writer.put(trades[90:101])
    assert writer.status.queued == 90
    assert writer.put(trades[90:100])
    assert not await writer.wait_for_room(0.05)
    assert not await writer.flush(0.05)
    waiting = asyncio.create_task(writer.wait_for_room(PATIENCE_S))
    await asyncio.sleep(0)
    gate.open = True
    assert await waiting
    assert writer.put(trades[100:])
    assert await writer.flush(PATIENCE_S)
    assert writer.status.stored == 200


def test_a_database_that_goes_away_and_comes_back_loses_nothing(
    url: str, world: World, writers: Callable[..., TradeBatchWriter]
) -> None:
    gate = Gate(url)
    writer = writers(gate.connect)
    trades = some_trades(900)
    writer.put(trades[:300])
    assert writer.drain(PATIENCE_S)
    gate.shut()
    writer.put(trades[300:])
    wait_until(lambda: writer.status.reason != "")
    assert writer.status.queued == 600
    gate.open = True
    assert writer.drain(PATIENCE_S)
    wait_until(lambda: writer.status.reason == "")
    assert stored(world.store) == trades


def test_a_trade_that_the_database_refuses_is_set_aside_and_the_rest_goes_on(world: World) -> None:
    trades = some_trades(50)
    with world.connect() as connection:
        # A rule of the database that our own checks do not know.
        connection.execute("ALTER TABLE rollup_1m ADD CHECK (high < 100000)")
    bad = [trades[20]._replace(price_e8=10**14), trades[30]._replace(time_us=-1)]
    world.record([*trades[:20], bad[0], *trades[21:30], bad[1], *trades[31:]])
    kept = [trade for index, trade in enumerate(trades) if index not in (20, 30)]
    assert stored(world.store) == kept
    assert world.writer.refused == 2
    assert world.store.coverage("BTCUSDT") == held_of(kept)
    ids = world.rows("SELECT (trade->>'trade_id')::int FROM refused_trades WHERE reason <> '' ORDER BY 1")
    assert ids == [(120,), (130,)]


def test_stored_trades_that_the_coverage_lost_are_retried_until_it_is_rebuilt_and_not_refused(world: World) -> None:
    trades = some_trades(20)
    world.record(trades)
    with world.connect() as connection:
        connection.execute("DELETE FROM coverage")
        assert world.writer.put(some_trades(25))
        assert not world.writer.drain(0.5)
        assert "cryptopipe db rebuild" in world.writer.status.reason
        connection.execute("INSERT INTO coverage SELECT id, 100, 119 FROM symbols")
    assert world.writer.drain(PATIENCE_S)
    assert stored(world.store) == some_trades(25)
    assert world.rows("SELECT count(*) FROM refused_trades") == [(0,)]


@pytest.mark.parametrize("symbol", ["half of \ud83d", "A" * 9_000, "A\0B"])
def test_a_symbol_that_is_no_name_is_set_aside_and_the_rest_goes_on(world: World, symbol: str) -> None:
    trades = some_trades(20)
    world.record([*trades[:10], trades[10]._replace(symbol=symbol), *trades[10:]])
    assert stored(world.store) == trades
    assert world.writer.refused == 1


def test_closing_while_the_database_is_away_is_bounded_and_hands_back_what_is_left(
    url: str, writers: Callable[..., TradeBatchWriter]
) -> None:
    gate = Gate(url)
    gate.open = False
    writer = writers(gate.connect)
    trades = some_trades(250)
    writer.put(trades[:150])
    wait_until(lambda: writer.status.reason != "")
    writer.put(trades[150:])  # more than the batch in hand
    began = time.monotonic()
    assert not writer.close(0.3)
    assert time.monotonic() - began < 3.0
    assert writer.unwritten() == trades
    assert not writer.put(trades)


def test_a_statement_that_hangs_does_not_delay_the_close(
    url: str, world: World, writers: Callable[..., TradeBatchWriter]
) -> None:
    world.record(some_trades(1))
    writer = writers()
    with world.connect() as other, other.transaction():
        other.execute("LOCK TABLE coverage")
        writer.put(some_trades(10, first_id=200))
        began = time.monotonic()
        assert not writer.close(0.3)
        assert time.monotonic() - began < 5.0
    assert len(writer.unwritten()) == 10


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot stop a process for a while")
def test_a_server_that_stopped_answering_leaves_no_thread_behind(
    url: str, writers: Callable[..., TradeBatchWriter]
) -> None:
    writer = writers()
    writer.put(some_trades(1))
    assert writer.drain(PATIENCE_S)
    assert writer._ledger is not None
    server = writer._ledger.connection.info.backend_pid
    os.kill(server, signal.SIGSTOP)
    try:
        writer.put(some_trades(10, first_id=200))
        assert not writer.close(0.1)
        assert not writer.is_running
    finally:
        os.kill(server, signal.SIGCONT)
    assert len(writer.unwritten()) == 10


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_each_batch_is_a_line_at_debug_with_its_size_its_time_and_what_waits_behind_it(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "storage.writing.batch_writer"):
        world.record(some_trades(250))
        # The line follows the batch's end, for which `record` waits.
        wait_until(lambda: sum(vars(record).get("batchSize", 0) for record in caplog.records) == 250)
    lines = [vars(record) for record in caplog.records if "batchSize" in vars(record)]
    assert all(line["levelno"] == logging.DEBUG and line["processingTime"] > 0 for line in lines)
    assert lines[-1]["bufferSize"] == 0
    caplog.clear()
    with caplog.at_level(logging.INFO, "storage.writing.batch_writer"):
        world.record(some_trades(10, first_id=90_000))
    assert not caplog.records
