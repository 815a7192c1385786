"""Many trades, or ticks, that come late into a compressed chunk: whatever happens meanwhile, each is stored once."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psycopg
import pytest

from app.market.trade import Trade
from storage.integrity.verify import verify
from storage.postgres.batch_columns import trade_columns
from storage.postgres.connection import Edition, connect, facts_of
from storage.quotes.tick_ledger import TickLedger
from storage.trades.encoded_batch import copy_pieces
from storage.trades.trade_ledger import TradeLedger
from tests.storage.helpers import World, compress, some_trades, stored
from tests.storage.quotes.helpers import assert_rollups_match, some_ticks, stored_ticks

DAY_US = 86_400_000_000
MONDAY_US = 1_398_988_800_000_000 + 3 * DAY_US  # 2014-05-05; the week's chunk is from Thursday to Thursday
TRADES = some_trades(9_000)
FIRST, LATE = TRADES[::2], TRADES[1::2]
BATCH = 900


@pytest.fixture
def dense(world: World) -> Iterator[World]:
    """Every second trade of some minutes is stored, and compressed where that can be."""
    world.record(FIRST)
    with world.connect() as connection:
        compress(connection)
    yield world
    with world.connect() as connection:
        assert verify(connection).totals == {}
        assert stored(world.store) == TRADES
        if compress(connection):  # as the policy will
            assert stored(world.store) == TRADES
            assert verify(connection).totals == {}


def store_late(ledger: TradeLedger, trades: list[Trade]) -> int:
    """Store the trades in batches; return how many were not stored before."""
    return sum(ledger.store(trades[start : start + BATCH]).fresh for start in range(0, len(trades), BATCH))


def compressed_chunks(world: World) -> int:
    query = "SELECT FROM timescaledb_information.chunks WHERE hypertable_schema = current_schema() AND is_compressed"
    return len(world.rows(query))


@pytest.mark.timescale_only
def test_a_day_is_decompressed_once_many_late_trades_came_into_it(dense: World) -> None:
    with dense.connect() as connection:
        is_community = facts_of(connection).edition is Edition.TIMESCALE_COMMUNITY
        ledger = TradeLedger(connection)
        store_late(ledger, LATE[: 2 * BATCH])
        before = compressed_chunks(dense)
        store_late(ledger, LATE[2 * BATCH :])
    assert (before, compressed_chunks(dense)) == (1 if is_community else 0, 0)


def test_two_programs_and_the_policy_at_work_on_the_same_day_store_each_trade_once(dense: World) -> None:
    is_done = threading.Event()

    def compress_again() -> None:
        while not is_done.wait(0.05):
            with dense.connect() as connection:
                try:
                    compress(connection)
                except psycopg.errors.DeadlockDetected:
                    continue

    fresh: list[int] = []

    def write(trades: list[Trade]) -> None:
        with dense.connect() as connection:
            fresh.append(store_late(TradeLedger(connection), trades))

    policy = threading.Thread(target=compress_again)
    writers = [threading.Thread(target=write, args=(some,)) for some in (LATE, LATE[::-1])]
    for thread in (policy, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    is_done.set()
    policy.join()
    assert sum(fresh) == len(LATE)


def test_a_writer_that_ends_between_decompressing_and_storing_has_harmed_nothing(dense: World) -> None:
    with dense.connect() as connection:
        ledger = TradeLedger(connection)
        store_late(ledger, LATE[: 3 * BATCH])
        batch, _ = trade_columns(LATE[3 * BATCH : 4 * BATCH], ledger.symbol_ids({"BTCUSDT"}))
        ledger._partitions.make(batch.time_us)
        connection.execute("BEGIN")
        ledger._copy(copy_pieces(batch))
        connection.close()  # as a program that is killed leaves its transaction
    with dense.connect() as connection:
        assert store_late(TradeLedger(connection), LATE) == len(LATE) - 3 * BATCH


@pytest.mark.timescale_only
def test_a_week_of_ticks_is_decompressed_once_many_late_ones_came_into_its_days(world: World) -> None:
    days = [some_ticks(4_600, seed=day, start_us=MONDAY_US + day * DAY_US) for day in range(3)]
    late = [day[1::2] for day in days]
    with connect(world.url) as connection:
        first = [tick for day in days for tick in day[::2]]
        more = some_ticks(31_000, seed=9, start_us=MONDAY_US - 2 * DAY_US)
        TickLedger(connection).store([*more, *first])
        is_community = compress(connection, "quotes")
        ledger = TickLedger(connection)
        compressed = []
        for some in late:  # no day has many, but the week has
            fresh = sum(ledger.store(some[start : start + 460]).fresh for start in range(0, len(some), 460))
            assert fresh == len(some)
            compressed.append(compressed_chunks(world))
        assert compressed == ([1, 0, 0] if is_community else [0, 0, 0])
        everything = [*more, *(tick for day in days for tick in day)]
        assert stored_ticks(connection) == everything
        assert_rollups_match(connection, everything)
        assert not verify(connection).totals
        if compress(connection, "quotes"):  # as the policy will
            assert TickLedger(connection).store(everything).fresh == 0
            assert stored_ticks(connection) == everything
