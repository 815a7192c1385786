"""One batch, one transaction: contradictions, repeats, other programs, rollups that equal their trades."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from psycopg import ClientCursor

from app.market.errors import StoreSchemaMismatch
from app.market.trade import Trade
from storage.postgres.connection import connect
from storage.rollups.levels import LEVELS
from storage.trades.trade_ledger import BatchResult, TradeLedger
from tests.storage.helpers import START_US, World, some_trades, stored

TRADE = Trade("BTCUSDT", 500, START_US, 6_000_000_000_000, 150_000_000, False)
CONTRADICTIONS = [
    {"price_e8": TRADE.price_e8 + 1},
    {"quantity_e8": TRADE.quantity_e8 - 1},
    {"is_buyer_maker": True},
    {"time_us": TRADE.time_us + 1_000},
    {"time_us": TRADE.time_us - 40 * 86_400_000_000},
]


@pytest.fixture
def ledger(url: str) -> Iterator[TradeLedger]:
    with connect(url) as connection:
        yield TradeLedger(connection)


def refused(world: World) -> list[tuple[object, ...]]:
    return world.rows("SELECT symbol, trade_id, trade, stored FROM refused_trades ORDER BY id")


@pytest.mark.parametrize("change", CONTRADICTIONS)
def test_a_trade_that_contradicts_the_stored_one_goes_into_refused_trades(
    world: World, change: dict[str, object]
) -> None:
    other = TRADE._replace(**change)
    world.record([TRADE, *some_trades(50, first_id=501)])
    world.record([other, *some_trades(60, first_id=501)])
    assert stored(world.store) == [TRADE, *some_trades(60, first_id=501)]
    assert refused(world) == [("BTCUSDT", 500, other._asdict(), TRADE._asdict())]
    assert world.writer.status.contradictions == 1
    assert rollups_differ(world) == []
    world.record([other])  # as after a reconnect: it comes again and is recorded once
    assert len(refused(world)) == 1


@pytest.mark.parametrize("change", CONTRADICTIONS)
def test_of_two_trades_of_one_id_in_one_batch_the_first_stands(ledger: TradeLedger, change: dict[str, object]) -> None:
    other = TRADE._replace(**change)
    assert ledger.store([TRADE, other, TRADE]) == BatchResult(fresh=1, refused=1)
    rows = ledger.connection.execute("SELECT trade::text, stored::text FROM refused_trades").fetchall()
    assert [tuple(map(json.loads, row)) for row in rows] == [(other._asdict(), TRADE._asdict())]


def test_contradictions_of_many_stored_trades_are_all_found(world: World) -> None:
    trades = [*some_trades(3_000), *some_trades(3_000, symbol="ETHUSDT", seed=2)]
    world.record(trades)
    dice = random.Random(3)
    changed = set(dice.sample(range(len(trades)), 40))
    again = [trade._replace(price_e8=trade.price_e8 + (at in changed)) for at, trade in enumerate(trades)]
    dice.shuffle(again)
    world.record(again)
    assert stored(world.store) == trades[:3_000]
    assert {(row[0], row[1]) for row in refused(world)} == {trades[at][:2] for at in changed}


def test_times_in_milliseconds_and_in_microseconds_are_the_same_trade_in_either_order(world: World) -> None:
    precise = [trade._replace(time_us=trade.time_us // 1000 * 1000 + 7) for trade in some_trades(2_000)]
    coarse = [trade._replace(time_us=trade.time_us - 7) for trade in precise]
    world.record(precise[:1_000])
    world.record(coarse)
    world.record(precise)
    assert stored(world.store) == precise[:1_000] + coarse[1_000:]
    assert refused(world) == []
    assert rollups_differ(world) == []


def test_a_repeat_of_a_trade_that_retention_dropped_contradicts_nothing_and_is_counted(ledger: TradeLedger) -> None:
    trades = some_trades(100)
    ledger.store(trades)
    ledger.connection.execute("TRUNCATE trades")
    assert ledger.store(trades) == BatchResult(fresh=0, refused=0, dropped=100)
    assert ledger.store([trade._replace(price_e8=1) for trade in trades]) == BatchResult(
        fresh=0, refused=0, dropped=100
    )
    assert ledger.connection.execute("SELECT count(*) FROM refused_trades").fetchone() == (0,)


def test_a_trade_that_claims_a_time_retention_has_dropped_still_contradicts_the_stored_one(ledger: TradeLedger) -> None:
    ledger.store([TRADE])
    kept_from = datetime.fromtimestamp(TRADE.time_us / 1e6, UTC)
    ledger.connection.execute("UPDATE retention SET kept_from = %s", (kept_from,))
    assert ledger.store([TRADE._replace(time_us=TRADE.time_us - 10**13)]) == BatchResult(fresh=0, refused=1, dropped=0)


def test_ten_thousand_contradictions_take_few_queries(ledger: TradeLedger) -> None:
    trades = some_trades(10_000)
    ledger.store(trades)
    asked = 0

    class Counting(ClientCursor[tuple[object, ...]]):
        def execute(self, *arguments: Any, **options: Any) -> Counting:
            nonlocal asked
            asked += 1
            super().execute(*arguments, **options)
            return self

    ledger.connection.cursor_factory = Counting
    done = ledger.store([trade._replace(quantity_e8=trade.quantity_e8 + 1) for trade in trades])
    assert done == BatchResult(fresh=0, refused=10_000, dropped=0)
    assert asked < 30


def test_a_writer_of_an_older_version_stops_when_the_tables_have_become_newer(ledger: TradeLedger) -> None:
    trades = some_trades(100)
    ledger.store(trades[:10])
    ledger.connection.execute("INSERT INTO schema_version (version, name) VALUES (9999, 'later')")
    for part in (trades[10:20], trades[50:60]):  # one that goes on where the last ended, one that does not
        with pytest.raises(StoreSchemaMismatch, match="restart this one"):
            ledger.store(part)
    assert ledger.connection.execute("SELECT count(*) FROM trades").fetchone() == (10,)
    ledger.connection.execute("DELETE FROM schema_version WHERE version = 9999")
    assert ledger.store(trades) == BatchResult(fresh=90, refused=0)


def test_a_partition_that_another_program_dropped_is_created_again(world: World) -> None:
    world.record(some_trades(10))
    with world.connect() as connection:
        partitions = connection.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'trades'::regclass"
        ).fetchall()
        for (name,) in partitions:
            connection.execute(f"DROP TABLE {name} CASCADE")
    world.record(some_trades(10, first_id=110))
    assert len(stored(world.store)) == 10


def test_a_failed_batch_leaves_nothing_and_the_connection_usable(ledger: TradeLedger) -> None:
    connection = ledger.connection
    ledger.store(some_trades(10))
    connection.execute("ALTER TABLE rollup_1d ADD CONSTRAINT few CHECK (trades <= 10)")
    with pytest.raises(Exception, match="few"):
        ledger.store(some_trades(20))
    connection.execute("ALTER TABLE rollup_1d DROP CONSTRAINT few")
    assert connection.execute("SELECT count(*) FROM trades").fetchone() == (10,)
    assert ledger.store(some_trades(20)) == BatchResult(fresh=10, refused=0)


@pytest.mark.parametrize("theirs", [(10, 20), (12, 14), (25, 26), (30, 35), (0, 5)])
def test_a_batch_that_goes_on_is_stored_once_whatever_another_program_stored_meanwhile(
    world: World, ledger: TradeLedger, theirs: tuple[int, int]
) -> None:
    trades = some_trades(40)
    assert ledger.store(trades[5:10]) == BatchResult(fresh=5, refused=0)
    world.record(trades[slice(*theirs)])
    held = set(range(5, 10)) | set(range(*theirs))
    for start, end in ((10, 25), (25, 30), (30, 40)):
        assert ledger.store(trades[start:end]).fresh == len(set(range(start, end)) - held)
    first = min(5, theirs[0])
    assert stored(world.store) == trades[first:]
    assert list(world.store.coverage("BTCUSDT")) == [(100 + first, 139)]
    assert rollups_differ(world) == []


def test_trades_whose_times_run_against_their_ids_open_and_close_by_id(world: World) -> None:
    trades = [trade._replace(time_us=START_US - trade.trade_id * 20_000_000) for trade in some_trades(300)]
    random.Random(5).shuffle(trades)
    for start in range(0, len(trades), 37):
        world.record(trades[start : start + 37])
    assert rollups_differ(world) == []


def rollups_differ(world: World) -> list[tuple[object, ...]]:
    """Return the rows of each rollup that the trades do not give, and those that they give and it lacks."""
    differences = []
    for level in LEVELS:
        from_trades = f"""
            SELECT symbol_id, date_bin('{level.length_us // 1_000_000} s', time, 'epoch'),
                (array_agg(price ORDER BY trade_id))[1], max(price), min(price),
                (array_agg(price ORDER BY trade_id DESC))[1], sum(quantity), sum(price * quantity), count(*),
                coalesce(sum(quantity) FILTER (WHERE NOT is_buyer_maker), 0),
                coalesce(sum(price * quantity) FILTER (WHERE NOT is_buyer_maker), 0), min(trade_id), max(trade_id)
            FROM trades GROUP BY 1, 2"""
        kept = f"SELECT * FROM {level.table}"
        for one, other in ((kept, from_trades), (from_trades, kept)):
            differences += world.rows(f"{one} EXCEPT ALL ({other})")
    return differences
