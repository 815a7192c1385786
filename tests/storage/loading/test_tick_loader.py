"""Ticks of history on their way into the database, and those that arrive live."""

from __future__ import annotations

import io
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.market.errors import StoreError
from app.market.ports.ticks import TickCount, TickDatabase
from app.market.quotes.tick import Tick
from app.market.units import parse_e8
from storage.database import Database
from storage.loading.tick_loader import TickLoader
from storage.postgres.connection import connect
from tests.storage.helpers import PATIENCE_S
from tests.storage.quotes.helpers import START_US, SYMBOL, assert_rollups_match, rollups, some_ticks, stored_ticks
from tests.tick_candles import with_places

DAYS = ("20140501", "20140502", "20140504")


@pytest.fixture
def loader(url: str) -> Iterator[TickLoader]:
    made = TickLoader(lambda: connect(url))
    yield made
    made.close()


def test_ticks_are_counted_as_stored_held_or_refused(url: str, loader: TickLoader) -> None:
    ticks = some_ticks(12_000)
    unfit = ticks[0]._replace(bid_e8=0)
    assert loader.store_ticks([*ticks[:11_000], unfit], (SYMBOL, START_US, ticks[10_999].time_us + 1)) == TickCount(
        11_000, 0, 1
    )
    assert loader.store_ticks([*ticks, ticks[5]._replace(bid_e8=7)]) == TickCount(1_000, 11_000, 1)
    loader.finish()
    with connect(url) as connection:
        assert stored_ticks(connection) == ticks
        assert connection.execute("SELECT count(*) FROM refused_quotes").fetchone() == (2,)


def test_a_loader_that_lost_its_connection_makes_a_new_one(url: str, loader: TickLoader) -> None:
    ticks = some_ticks(300)
    loader.store_ticks(ticks[:100])
    with connect(url) as connection:
        with loader._session.use("store ticks") as ledger:
            pid = ledger.connection.info.backend_pid
        connection.execute("SELECT pg_terminate_backend(%s)", (pid,))
        with pytest.raises(StoreError):
            loader.store_ticks(ticks)
        assert loader.store_ticks(ticks) == TickCount(200, 100)
        assert stored_ticks(connection) == ticks


def test_an_import_that_is_aborted_ends_at_once(url: str, loader: TickLoader) -> None:
    failed: list[StoreError] = []

    def load() -> None:
        try:
            loader.store_ticks(some_ticks(5_000))
        except StoreError as error:
            failed.append(error)

    with connect(url) as connection:
        connection.execute("BEGIN; LOCK TABLE quotes IN ACCESS EXCLUSIVE MODE")
        thread = threading.Thread(target=load)
        thread.start()
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        deadline = time.monotonic() + PATIENCE_S
        while connection.execute(waiting).fetchone() == (0,):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        loader.abort()
        thread.join(PATIENCE_S)
        connection.execute("ROLLBACK")
        assert len(failed) == 1
        assert stored_ticks(connection) == []


def zipped_rows(path: Path) -> list[list[str]]:
    with zipfile.ZipFile(path) as archive, archive.open(archive.namelist()[0]) as lines:
        return [line.strip().split(",") for line in io.TextIOWrapper(lines)]


def midnight_us(day: str) -> int:
    return int(datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC).timestamp()) * 1_000_000


@pytest.mark.embedded_only
def test_the_minutes_of_recorded_ticks_are_the_recorded_minutes(
    url: str, loader: TickLoader, shared_data: Callable[[str], Path]
) -> None:
    folder = shared_data("oanda")
    ticks: list[Tick] = []
    expected: dict[int, list[int]] = {}
    for day in DAYS:
        begin_us = midnight_us(day)
        for since_ms, bid, ask in zipped_rows(folder / f"eurusd_tick_{day}.zip"):
            ticks.append(Tick(SYMBOL, begin_us + int(since_ms) * 1000, 0, parse_e8(bid), parse_e8(ask)))
        for row in zipped_rows(folder / f"eurusd_minute_{day}.zip"):
            expected[begin_us + int(row[0]) * 1000] = [parse_e8(value) for value in (*row[1:5], *row[6:10])]
    ticks = list(with_places(ticks))
    assert len(ticks) == 74_684
    for start in range(0, len(ticks), 7_000):
        assert loader.store_ticks(ticks[start : start + 9_000]).refused == 0  # each overlaps the next one
    with connect(url) as connection:
        assert stored_ticks(connection) == ticks
        minutes = {one.open_time_us: [*one.bid, *one.ask] for one in rollups(connection, "quote_rollup_1m")[SYMBOL]}
        assert len(expected) == 2_742
        assert minutes == expected
        assert_rollups_match(connection, ticks)


@pytest.mark.embedded_only
def test_a_database_writes_live_ticks_in_a_thread_that_it_ends(url: str, tmp_path: Path) -> None:
    ticks = some_ticks(2_000)
    opened = Database.open(url, tmp_path)
    database: TickDatabase = opened
    try:
        writer = database.tick_writer
        assert database.tick_writer is writer
        for start in range(0, len(ticks), 50):
            assert writer.put([*ticks[start : start + 50], ticks[start]])
        assert writer.put([ticks[0]._replace(place=-1)])
    finally:
        assert opened.close()
    assert writer.unwritten() == []
    assert (writer.status.stored, writer.refused) == (2_000, 1)
    with connect(url) as connection:
        assert stored_ticks(connection) == ticks
        assert_rollups_match(connection, ticks)
