"""The trades of a file: each stored once, whatever came before, and whatever comes again."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.market.errors import StoreUnavailable
from app.market.ports.loading import LoadResult, RefusedPlace
from app.market.trade import Trade
from storage.integrity.verify import verify
from storage.loading.bulk_loader import BulkLoader
from storage.loading.dry_run import DryRunLoader
from storage.loading.trade_batches import CONTRADICTION
from storage.postgres.connection import connect
from storage.trades.repeated_trades import unconfirmed
from storage.trades.stored_columns import read_columns
from tests.row_files import trade_batch
from tests.storage.helpers import World, compress, some_trades, stored
from tests.tables import our_tables

STORED_OTHERWISE = "it contradicts the stored trade of the same id"


@pytest.fixture
def loader(url: str) -> Iterator[BulkLoader]:
    made = BulkLoader(lambda: connect(url))
    yield made
    made.close()


def load(loader: BulkLoader | DryRunLoader, trades: Sequence[Trade]) -> LoadResult:
    return loader.load(loader.prepare(trade_batch(trades)))


def assert_true(world: World) -> None:
    """Coverage and candles are those of the trades."""
    with world.connect() as connection:
        assert not verify(connection).totals


def test_large_batches_are_stored_with_their_coverage_and_candles(world: World, loader: BulkLoader) -> None:
    trades = some_trades(30_000)
    assert load(loader, trades[:20_000]) == LoadResult(20_000, 0)
    assert load(loader, trades[20_000:]) == LoadResult(10_000, 0)
    loader.finish()
    assert stored(world.store) == trades
    assert list(world.store.coverage("BTCUSDT")) == [(100, 30_099)]
    assert_true(world)


def test_trades_that_are_stored_count_as_held_and_those_that_differ_are_refused(
    world: World, loader: BulkLoader
) -> None:
    trades = some_trades(12_000)
    world.record(trades[2_000:9_000])
    changed = {2_001, 5_000, 8_999}
    given_again = [trade._replace(price_e8=trade.price_e8 + (at in changed)) for at, trade in enumerate(trades)]
    result = load(loader, given_again)
    assert result == LoadResult(5_000, 6_997, tuple(RefusedPlace(at, STORED_OTHERWISE) for at in sorted(changed)))
    assert stored(world.store) == trades
    assert world.rows("SELECT count(*) FROM refused_trades") == [(0,)]  # they are in their file
    assert_true(world)
    assert load(loader, trades) == LoadResult(0, 12_000)


def test_repeats_inside_a_batch_are_held_and_the_first_of_two_stays(world: World, loader: BulkLoader) -> None:
    trades = some_trades(50)
    other = trades[7]._replace(quantity_e8=5)
    rows = [*trades[:30], trades[3], other, *trades[30:]]
    assert load(loader, rows) == LoadResult(50, 1, (RefusedPlace(31, CONTRADICTION),))
    assert stored(world.store) == trades


def test_rows_out_of_order_are_stored_all_the_same_and_a_refused_one_is_found_at_its_place(
    world: World, loader: BulkLoader
) -> None:
    trades = some_trades(4_000)
    load(loader, trades[:1])
    rows = [trades[0]._replace(is_buyer_maker=not trades[0].is_buyer_maker), *trades[1:]]
    random.Random(5).shuffle(rows)
    place = next(at for at, trade in enumerate(rows) if trade.trade_id == trades[0].trade_id)
    assert load(loader, rows) == LoadResult(3_999, 0, (RefusedPlace(place, STORED_OTHERWISE),))
    assert stored(world.store) == trades


def test_what_no_database_can_hold_is_refused_with_its_reason(world: World, loader: BulkLoader) -> None:
    good, *others = some_trades(4)
    bad = [others[0]._replace(trade_id=-1), others[1]._replace(time_us=5), others[2]._replace(quantity_e8=0)]
    result = load(loader, [*bad, good])
    assert (result.stored, result.held) == (1, 0)
    assert [place for place, _ in result.refused] == [0, 1, 2]
    assert [reason for _, reason in result.refused] == [
        "its id is out of range",
        "its time is out of range",
        "its price or quantity is out of range",
    ]
    assert stored(world.store) == [good]


def test_a_batch_over_several_months_and_years_makes_their_partitions(world: World, loader: BulkLoader) -> None:
    month_us = 31 * 86_400_000_000
    trades = [trade._replace(time_us=trade.time_us - (40 - at) * month_us) for at, trade in enumerate(some_trades(40))]
    assert load(loader, trades) == LoadResult(40, 0)
    assert stored(world.store) == trades
    assert_true(world)


def test_late_trades_go_into_compressed_days(world: World, loader: BulkLoader) -> None:
    trades = some_trades(20_000)
    load(loader, [trade for trade in trades if trade.trade_id % 4])
    with world.connect() as connection:
        compress(connection)
    assert load(loader, trades) == LoadResult(5_000, 15_000)
    assert load(loader, trades) == LoadResult(0, 20_000)
    assert stored(world.store) == trades
    assert_true(world)


def test_recording_goes_on_while_batches_are_loaded(world: World, loader: BulkLoader) -> None:
    trades = some_trades(20_000)
    live = some_trades(2_000, first_id=20_100, seed=2)
    for start in range(0, 20_000, 4_000):
        assert world.writer.put(live[start // 10 : start // 10 + 400])
        load(loader, trades[start : start + 4_000])
    assert world.writer.drain(30.0)
    assert list(world.store.coverage("BTCUSDT")) == [(100, 22_099)]
    assert_true(world)


@pytest.mark.embedded_only
def test_after_a_failure_the_next_batch_has_a_new_connection(world: World, loader: BulkLoader) -> None:
    trades = some_trades(100)
    load(loader, trades[:50])
    world.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        " AND query LIKE '%COMMIT%' AND datname = current_database()"
    )
    with contextlib.suppress(StoreUnavailable):
        load(loader, trades)
    assert load(loader, trades).refused == ()
    assert stored(world.store) == trades


@pytest.mark.embedded_only
@given(st.data())
def test_stored_columns_are_what_lookups_find(trial_world: World, data: st.DataObject) -> None:
    """However many trades come again, those are unconfirmed that are not stored exactly so."""
    trades = some_trades(3_000, seed=9)
    changed = data.draw(st.sets(st.integers(0, 2_999), max_size=5))
    step = data.draw(st.sampled_from([1, 1, 3, 700]))
    again = [trade._replace(time_us=trade.time_us + (at in changed) * 1_000) for at, trade in enumerate(trades)][::step]
    with trial_world.connect() as connection:
        number = connection.execute("SELECT id FROM symbols WHERE name = 'BTCUSDT'").fetchone()[0]
        loader = BulkLoader(trial_world.connect)
        columns = loader.prepare(trade_batch(again)).columns
        found = unconfirmed(connection, columns)
        assert {*found.trade_id.tolist()} == {
            trade.trade_id for at, trade in enumerate(trades) if at in changed and not at % step
        }
        read = read_columns(connection, number, 100, 3_099, 0, 4_000_000_000_000_000)
        assert np.array_equal(read.trade_id, np.arange(100, 3_100))


@pytest.fixture(scope="module")
def trial_world(server_url: str) -> Iterator[World]:
    with our_tables(server_url) as url:
        made = World(url)
        made.record(some_trades(3_000, seed=9))
        yield made
        made.close()


def test_a_dry_run_counts_what_would_be_stored() -> None:
    trades = some_trades(100)
    dry = DryRunLoader()
    assert load(dry, trades[:60]) == LoadResult(60, 0)
    assert load(dry, [*trades[50:], trades[99]._replace(price_e8=1)]) == LoadResult(
        40, 10, (RefusedPlace(50, CONTRADICTION),)
    )
    assert list(dry.held("BTCUSDT", 0, 10**6)) == [(100, 199)]
