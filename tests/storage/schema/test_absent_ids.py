"""Ids that the exchange itself has no trades of: no gap, not among the trades, and corrected when one turns up."""

from __future__ import annotations

import random
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.market.builder import CandleBuilder, finish
from app.market.coverage import IdRanges
from app.market.errors import StoreError
from app.market.interval import Interval
from storage.integrity.rebuild import rebuild
from storage.integrity.status import read_status
from storage.integrity.verify import verify
from storage.postgres.connection import connect
from storage.schema.id_ranges import ABSENT, COVERAGE, read, record_absent
from storage.schema.migrate import Migration, migrate, migrations
from storage.trades.trade_ledger import BatchResult, TradeLedger
from tests.depth import examples
from tests.storage.damage import clear
from tests.storage.helpers import World, some_trades, stored
from tests.tables import our_tables

INTERVALS = [Interval.parse(name) for name in ("1s", "5s", "13m", "1h")]


def absent_of(world: World) -> list[tuple[int, int]]:
    return list(world.store.absent_of(["BTCUSDT"])["BTCUSDT"])


def agree(world: World) -> bool:
    with world.connect() as connection:
        return not verify(connection).totals


def test_absent_ids_are_covered_and_the_candles_around_them_complete(world: World) -> None:
    trades = [trade for trade in some_trades(300) if not 140 <= trade.trade_id < 150]
    world.record(trades)
    assert list(world.store.coverage("BTCUSDT")) == [(100, 139), (150, 399)]
    assert not all(candle.complete for candle in world.store.candles("BTCUSDT", INTERVALS[0]))
    world.store.save_absent("BTCUSDT", [(140, 149)])
    held = world.store.coverage("BTCUSDT")
    assert list(held) == [(100, 399)]
    assert absent_of(world) == [(140, 149)]
    for interval in INTERVALS:
        builder = CandleBuilder(interval)
        for trade in trades:
            builder.add(trade)
        live = finish(builder.candles(), interval, held)
        assert world.store.candles("BTCUSDT", interval) == live
        assert all(candle.complete for candle in live[1:-1])
    assert agree(world)
    with world.connect() as connection:
        (symbol,) = read_status(connection).symbols
    assert (symbol.trades, symbol.stored, symbol.missing, symbol.ranges) == (290, 290, 0, 1)


def test_a_trade_that_is_stored_is_never_called_absent(world: World) -> None:
    world.record(some_trades(20))
    world.store.save_absent("BTCUSDT", [(90, 130)])
    assert absent_of(world) == [(90, 99), (120, 130)]
    assert list(world.store.coverage("BTCUSDT")) == [(90, 130)]
    assert stored(world.store) == some_trades(20)
    assert agree(world)


def test_a_trade_that_turns_up_after_all_is_stored_and_the_record_corrected(world: World) -> None:
    trades = some_trades(300)
    world.record([*trades[:100], *trades[200:]])
    world.store.save_absent("BTCUSDT", [(200, 299)])
    world.record(trades[150:153])
    world.record(trades[150:153])
    assert stored(world.store) == [*trades[:100], *trades[150:153], *trades[200:]]
    assert absent_of(world) == [(200, 249), (253, 299)]
    assert list(world.store.coverage("BTCUSDT")) == [(100, 399)]
    assert world.writer.status.contradictions == world.writer.refused == 0
    assert agree(world)
    world.record(trades)
    assert stored(world.store) == trades
    assert absent_of(world) == []
    assert agree(world)


def test_a_contradiction_of_a_trade_that_turned_up_goes_into_refused_trades(world: World) -> None:
    trades = some_trades(30)
    world.record([*trades[:10], *trades[20:]])
    world.store.save_absent("BTCUSDT", [(110, 119)])
    world.record([trades[12]])
    world.record([trades[12]._replace(price_e8=7)])
    assert trades[12] in stored(world.store)
    assert world.writer.status.contradictions == 1


def test_what_retention_dropped_is_not_stored_again_though_other_ids_are_absent(url: str) -> None:
    with connect(url) as connection:
        ledger = TradeLedger(connection)
        trades = some_trades(60)
        ledger.store([*trades[:20], *trades[40:]])
        record_absent(connection, "BTCUSDT", [(120, 139)])
        connection.execute("TRUNCATE trades")
        assert ledger.store(trades) == BatchResult(fresh=20, refused=0, dropped=40)


def test_recording_goes_on_after_absent_ids_at_the_end(world: World) -> None:
    trades = some_trades(40)
    world.record(trades[:10])
    world.store.save_absent("BTCUSDT", [(110, 114)])
    world.record(trades[15:20])
    world.record(trades[20:])
    assert list(world.store.coverage("BTCUSDT")) == [(100, 139)]
    assert agree(world)


def test_trades_and_absences_may_be_recorded_at_once(world: World) -> None:
    trades = some_trades(2_000)
    noting = [
        threading.Thread(target=world.store.save_absent, args=("BTCUSDT", [(first, first + 399)]))
        for first in (100, 400, 900, 1_700)
    ]
    for thread in noting:
        thread.start()
    for start in range(0, 2_000, 100):
        world.record(trades[start : start + 100])
    for thread in noting:
        thread.join()
    assert stored(world.store) == trades
    assert absent_of(world) == []
    assert agree(world)


def test_no_absence_is_recorded_in_the_tables_of_a_newer_program(url: str) -> None:
    newer = Migration(len(migrations()) + 1, "newer", "CREATE TABLE newer ()")
    with connect(url) as connection:
        migrate(connection, [*migrations(), newer])
        with pytest.raises(StoreError, match="newer version"):
            record_absent(connection, "BTCUSDT", [(1, 2)])
        assert connection.execute("SELECT count(*) FROM absent_trades").fetchone() == (0,)


@pytest.fixture(scope="module")
def shared_url(server_url: str):
    with our_tables(server_url) as url:
        yield url


IDS = st.integers(0, 40)


@pytest.mark.mostly_embedded
@settings(max_examples=examples(40), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.booleans(), IDS, st.integers(1, 6), st.integers(1, 3)), max_size=12))
def test_both_tables_are_those_of_plain_sets(shared_url: str, steps: list[tuple[bool, int, int, int]]) -> None:
    trades = some_trades(60, first_id=0)
    held: set[int] = set()
    absent: set[int] = set()
    with connect(shared_url) as connection:
        clear(connection)
        ledger = TradeLedger(connection)
        ledger.store([trades[59]])
        symbol_id = ledger.symbol_ids(["BTCUSDT"])["BTCUSDT"]
        held.add(59)
        for is_trade, first, length, every in steps:
            ids = set(range(first, first + length, every))
            if is_trade:
                ledger.store([trades[number] for number in random.Random(first).sample(sorted(ids), len(ids))])
                held |= ids
                absent -= ids
            else:
                runs = list(IdRanges((number, number) for number in sorted(ids)))
                assert record_absent(connection, "BTCUSDT", runs) == len(ids - held - absent)
                absent |= ids - held
        assert read(connection, ABSENT, symbol_id) == IdRanges((one, one) for one in sorted(absent))
        assert read(connection, COVERAGE, symbol_id) == IdRanges((one, one) for one in sorted(absent | held))
        assert not verify(connection).totals


def test_rebuilding_turns_an_absence_outside_the_coverage_into_a_gap(url: str) -> None:
    with connect(url) as connection:
        TradeLedger(connection).store(some_trades(10))
        connection.execute("INSERT INTO absent_trades SELECT id, 100, 120 FROM symbols")
        assert [(one.number, one.what) for one in verify(connection).listed] == [
            (10, "said to exist nowhere, but among the trades"),
            (11, "said to exist nowhere, but not held by the ranges"),
        ]
        assert not rebuild(connection).remaining.totals
        assert connection.execute("SELECT count(*) FROM absent_trades").fetchone() == (0,)
