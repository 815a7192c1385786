"""Quotes that TimescaleDB Community has compressed: stored once, read, checked, mended and dropped as all others."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from app.market.interval import MENU_INTERVALS, Interval
from app.market.quotes.tick import Tick
from storage.integrity.rebuild import rebuild
from storage.integrity.status import read_status
from storage.integrity.verify import verify
from storage.postgres.connection import Connection, Edition, connect, facts_of
from storage.postgres.pool import ConnectionPool
from storage.quotes.tick_ledger import TickLedger
from storage.quotes.tick_store import TickStore
from storage.retention.policy import confirm, enforce
from storage.schema.editions import timescale_schema
from storage.schema.retention_period import RetentionPeriod
from storage.timescale.edition_setup import set_up_edition
from storage.writing.batch_writer import BatchResult
from tests.storage.helpers import compress
from tests.storage.quotes.helpers import START_US, SYMBOL, assert_rollups_match, some_ticks, stored_ticks

pytestmark = pytest.mark.timescale_only

WEEK_US = 7 * 86_400_000_000
INTERVALS = [*MENU_INTERVALS, *(Interval.parse(name) for name in ("2s", "7s", "90s", "13m", "181m", "1441m"))]
FIRST_US = START_US + 60_000_000  # a minute into a chunk of TimescaleDB
TICKS = [tick for week in range(3) for tick in some_ticks(2_500, seed=week, start_us=FIRST_US + week * WEEK_US)]


@pytest.fixture
def community(url: str) -> Iterator[Connection]:
    """An empty database on the Community edition; skips on others."""
    with connect(url) as connection:
        edition = facts_of(connection).edition
        if edition is not Edition.TIMESCALE_COMMUNITY:
            pytest.skip(f"only the Community edition compresses, and this is {edition}")
        set_up_edition(connection)
        yield connection


def chunks(connection: Connection) -> list[bool]:
    """Return, oldest first, whether each chunk of quotes is compressed."""
    query = """
        SELECT is_compressed FROM timescaledb_information.chunks
        WHERE hypertable_schema = current_schema() AND hypertable_name = 'quotes' ORDER BY range_start
    """
    return [is_compressed for (is_compressed,) in connection.execute(query)]


def test_the_policy_compresses_the_weeks_that_ended_a_week_ago(community: Connection) -> None:
    fresh = some_ticks(200, seed=9, start_us=time.time_ns() // 1_000 - 3_600_000_000)
    TickLedger(community).store([*TICKS, *fresh])
    job = community.execute(
        "SELECT job_id FROM timescaledb_information.jobs WHERE proc_name = 'policy_compression'"
        " AND hypertable_schema = current_schema() AND hypertable_name = 'quotes'"
    ).fetchone()
    assert job is not None
    community.execute(sql.SQL("CALL {}.run_job({})").format(timescale_schema(community), sql.Literal(job[0])))
    assert chunks(community) == [True, True, True, False]
    assert stored_ticks(community) == [*TICKS, *fresh]
    status = read_status(community)
    assert status.tick_parts is not None
    assert (status.tick_parts.kind, status.tick_parts.count) == ("chunks", 4)
    assert status.tick_compression is not None
    assert status.tick_compression.chunks == 3
    assert status.tick_compression.ratio > 1


def test_candles_of_every_interval_are_those_of_before_the_compression(community: Connection) -> None:
    TickLedger(community).store(TICKS)
    store = TickStore(ConnectionPool(lambda: community))
    before = [(store.tick_candles(SYMBOL, one), store.tick_candles(SYMBOL, one, limit=30)) for one in INTERVALS]
    assert compress(community, "quotes")
    assert chunks(community) == [True] * 3
    for interval, expected in zip(INTERVALS, before, strict=True):
        found = store.tick_candles(SYMBOL, interval), store.tick_candles(SYMBOL, interval, limit=30)
        assert found == expected, str(interval)
    assert store.ticks(SYMBOL, 0, 2**62) == TICKS


def test_ticks_that_come_again_or_late_into_compressed_weeks_are_stored_once(community: Connection) -> None:
    TickLedger(community).store(TICKS[::2])
    assert compress(community, "quotes")
    assert TickLedger(community).store(TICKS[::2]) == BatchResult(0, 0)
    contradicting = TICKS[0]._replace(bid_e8=TICKS[0].bid_e8 + 1)
    fetched = (SYMBOL, TICKS[0].time_us, TICKS[-1].time_us + 1)
    result = TickLedger(community).store([contradicting, *TICKS[1:]], fetched)
    assert result == BatchResult(len(TICKS) // 2, 1)
    check(community, TICKS)
    assert compress(community, "quotes")  # as the policy will
    assert TickLedger(community).store(TICKS) == BatchResult(0, 0)
    check(community, TICKS)


def check(connection: Connection, ticks: list[Tick]) -> None:
    assert stored_ticks(connection) == ticks
    assert_rollups_match(connection, ticks)
    assert not verify(connection).totals


def test_damaged_candles_of_compressed_ticks_are_found_and_mended(community: Connection) -> None:
    TickLedger(community).store(TICKS)
    assert compress(community, "quotes")
    community.execute("UPDATE quote_rollup_1m SET ticks = ticks + 1")
    community.execute("DELETE FROM quote_rollup_5s WHERE symbol_id = 1 AND ticks > 2")
    assert len(verify(community).totals) == 2
    assert not rebuild(community).remaining.totals
    check(community, TICKS)
    assert chunks(community) == [True] * 3


def test_retention_drops_compressed_weeks_and_their_candles_stay(community: Connection) -> None:
    TickLedger(community).store(TICKS)
    assert compress(community, "quotes")
    confirm(community, RetentionPeriod.parse("1y"))
    done = enforce(community)
    assert done is not None
    assert done.ticks is not None
    assert (done.ticks.rows, sum(part.rows for part in done.ticks.spared)) == (0, len(TICKS))  # stored just now
    community.execute("UPDATE late_quote_days SET stored_at = stored_at - interval '30 days'")
    done = enforce(community)
    assert done is not None
    assert done.ticks is not None
    assert done.ticks.rows == len(TICKS)
    assert chunks(community) == stored_ticks(community) == []
    assert_rollups_match(community, TICKS)
    assert TickLedger(community).store(TICKS) == BatchResult(0, 0, len(TICKS))
    assert not verify(community).totals


def test_two_programs_and_the_policy_at_work_on_the_same_weeks_store_each_tick_once(
    community: Connection, url: str
) -> None:
    TickLedger(community).store(TICKS[::2])
    assert compress(community, "quotes")
    is_done = threading.Event()

    def compress_again() -> None:
        with connect(url) as connection:
            while not is_done.wait(0.05):
                with contextlib.suppress(psycopg.errors.DeadlockDetected):  # the next round tries again
                    compress(connection, "quotes")

    fresh: list[int] = []

    def write(ticks: list[Tick]) -> None:
        with connect(url) as connection:
            ledger = TickLedger(connection)
            fresh.extend(ledger.store(ticks[start : start + 400]).fresh for start in range(0, len(ticks), 400))

    policy = threading.Thread(target=compress_again)
    writers = [threading.Thread(target=write, args=(some,)) for some in (TICKS, TICKS[::-1])]
    for thread in (policy, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    is_done.set()
    policy.join()
    assert sum(fresh) == len(TICKS) // 2
    check(community, TICKS)
