"""
From every earlier version, with data in it, to today's: nothing tells the result from a database made today.

``versions/NNNN.sql`` is what was out there: run up to a number they make a database of that version, trades, rollups
and all, without a line of today's program. They are never changed; a new migration brings the file of the version
before it.
"""

from __future__ import annotations

import functools
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from app.market.builder import CandleBuilder, finish
from app.market.candle import Candle
from app.market.coverage import IdRanges
from app.market.interval import MENU_INTERVALS, Interval
from app.market.trade import Trade
from storage.integrity.status import DatabaseStatus, read_status
from storage.integrity.verify import verify
from storage.postgres.advisory_locks import database_lock
from storage.postgres.connection import Connection, Edition, connect, facts_of
from storage.rollups.levels import LEVELS
from storage.schema.editions import compression_statements, switch_on_timescale, timescale_schema
from storage.schema.migrate import Migration, migrate, migrations
from storage.schema.retention_period import RetentionPeriod
from storage.schema.retention_record import read_retention
from storage.timescale.edition_setup import set_up_edition
from tests.depth import mostly_deep
from tests.servers import empty_schema
from tests.storage.helpers import PATIENCE_S, World, compress_chunks, stored
from tests.tables import our_tables

VERSIONS = sorted((Path(__file__).parents[1] / "versions").glob("*.sql"))
EXTREMES = (1, len(VERSIONS))  # of which migrations made most, and least
SOME = (*range(1, len(VERSIONS), 3), len(VERSIONS))  # make deeptest has all
MIGRATE = """
import sys
from storage.postgres.connection import connect
from storage.schema.migrate import migrate
with connect(sys.argv[1]) as connection:
    print(migrate(connection))
"""

# What a schema consists of, without its name, its numbers and the parts of trades.
CATALOGUE = {
    "tables": """
        SELECT relname, relkind, reloptions, relacl::text FROM pg_class
        WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v', 'S', 'm')
            AND relname !~ '^trades_\\d{4}_\\d{2}$' ORDER BY 1
    """,
    "columns": """
        SELECT table_name, column_name, ordinal_position, column_default, is_nullable, data_type, numeric_precision,
            numeric_scale, is_identity, identity_generation
        FROM information_schema.columns
        WHERE table_schema = current_schema() AND table_name !~ '^trades_\\d{4}_\\d{2}$' ORDER BY 1, 3
    """,
    "indexes": """
        SELECT tablename, indexname, replace(indexdef, current_schema(), '') FROM pg_indexes
        WHERE schemaname = current_schema() AND tablename !~ '^trades_\\d{4}_\\d{2}$' ORDER BY 1, 2
    """,
    "constraints": """
        SELECT conrelid::regclass::text, conname, contype, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = current_schema()::regnamespace
            AND conrelid::regclass::text !~ '^trades_\\d{4}_\\d{2}$' ORDER BY 1, 2
    """,
    "views": """
        SELECT relname, pg_get_viewdef(oid) FROM pg_class
        WHERE relnamespace = current_schema()::regnamespace AND relkind = 'v' ORDER BY 1
    """,
    "functions": """
        SELECT proname, replace(pg_get_functiondef(oid), current_schema(), ''), proacl::text FROM pg_proc
        WHERE pronamespace = current_schema()::regnamespace ORDER BY 1
    """,
    "partitions": """
        SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'trades'::regclass AND c.relpartbound IS NOT NULL ORDER BY 1
    """,
    "applied": "SELECT version, name FROM schema_version ORDER BY 1",
}
VIEWS = """
    SELECT relname FROM pg_class
    WHERE relnamespace = current_schema()::regnamespace AND relkind = 'v' AND relname <> 'kline_log'
        AND relname !~ '^(market_ticks|forex_candles_)' ORDER BY 1
"""


def make_version(connection: Connection, number: int) -> None:
    """Make a database as that version left it."""
    switch_on_timescale(connection)
    for path in VERSIONS[:number]:
        connection.execute(path.read_text(encoding="utf-8").encode())


def compress_as_the_policy_did(connection: Connection) -> None:
    """Compress all trades, as TimescaleDB Community had done by the time of the update."""
    facts = facts_of(connection)
    if facts.edition is Edition.TIMESCALE_COMMUNITY:
        schema = timescale_schema(connection)
        assert schema is not None
        for statement in compression_statements(schema, facts.timescale_version, "trades"):
            connection.execute(statement)
        compress_chunks(connection, "trades")


@pytest.fixture(scope="module", params=mostly_deep(range(1, len(VERSIONS) + 1), SOME))
def version(request: pytest.FixtureRequest) -> int:
    """Each earlier version."""
    return int(request.param)


@pytest.fixture
def old_url(version: int, empty_url: str) -> str:
    """A database of that version, as a URL."""
    with connect(empty_url) as connection:
        make_version(connection, version)
    return empty_url


class Worlds(NamedTuple):
    """
    A database of an earlier version brought up to date, and one made today that was given the same trades.

    ``status``: of the first before it was brought up to date.
    """

    migrated: World
    fresh: World
    status: DatabaseStatus


@pytest.fixture(scope="module")
def worlds(version: int, server_url: str) -> Iterator[Worlds]:
    """The two databases; the tests share them, and only the last one changes them."""
    with empty_schema(server_url) as old_url, our_tables(server_url) as fresh_url:
        with connect(old_url) as connection:
            make_version(connection, version)
            status = read_status(connection)
            compress_as_the_policy_did(connection)
            assert migrate(connection) == migrations()[-1].number
            set_up_edition(connection)
        with connect(fresh_url) as connection:
            set_up_edition(connection)
        migrated, fresh = World(old_url), World(fresh_url)
        for symbol in ("BTCUSDT", "ETHUSDT"):
            fresh.record(stored(migrated.store, symbol))
        yield Worlds(migrated, fresh, status)
        migrated.close()
        fresh.close()


def test_every_version_but_todays_is_frozen_here() -> None:
    assert [int(path.stem) for path in VERSIONS] == [step.number for step in migrations()[:-1]]


def test_the_state_can_be_read_before_the_database_is_brought_up_to_date(worlds: Worlds, version: int) -> None:
    status = worlds.status
    assert (status.version, status.program_version) == (version, migrations()[-1].number)
    assert [(one.name, one.trades) for one in status.symbols] == [("BTCUSDT", 36), ("ETHUSDT", 22)]


def test_tables_views_and_functions_are_those_of_a_database_made_today(worlds: Worlds) -> None:
    migrated, fresh, _ = worlds
    for what, query in CATALOGUE.items():
        assert migrated.rows(query) == fresh.rows(query), what


def test_all_data_equal_those_of_a_database_made_today_from_the_same_trades(worlds: Worlds, version: int) -> None:
    migrated, fresh, _ = worlds
    assert len(stored(migrated.store)) == 36
    tables = ["trades", "coverage", *(level.table for level in LEVELS)]
    for table in tables:
        attributes = f"""
            SELECT string_agg(attname, ', ' ORDER BY attnum) FROM pg_attribute
            WHERE attrelid = '{table}'::regclass AND attnum > 0 AND attname <> 'symbol_id'
        """
        query = f"SELECT name, {migrated.rows(attributes)[0][0]} FROM {table} JOIN symbols s ON s.id = symbol_id"
        rows = migrated.rows(query)
        assert rows, table
        assert sorted(rows) == sorted(fresh.rows(query)), table
    if version not in EXTREMES:
        return  # the definitions of its views are compared above
    for (view,) in migrated.rows(VIEWS):
        query = f"SELECT * FROM {view} ORDER BY 1, 2, 3, 4, 5, 6"  # trades of one time and price go by their id
        assert migrated.rows(query) == fresh.rows(query) != [], view


@functools.cache  # most versions and editions hold the same trades
def candles_of(trades: tuple[Trade, ...], interval: Interval) -> list[Candle]:
    builder = CandleBuilder(interval)
    for trade in trades:
        builder.add(trade)
    return finish(builder.candles(), interval, IdRanges((trade.trade_id, trade.trade_id) for trade in trades))


OTHER_INTERVALS = tuple(map(Interval.parse, ("7s", "90s", "13m", "181m", "1441m")))
SOME_INTERVALS = tuple(map(Interval.parse, ("5s", "15m", "181m", "1d")))


def test_candles_of_every_interval_are_those_of_their_trades(worlds: Worlds, version: int) -> None:
    migrated = worlds.migrated
    # The rows that they are made of are compared above. So all intervals are read from the databases that migrations
    # made most of, and least of, and of the others one for each way of making them.
    intervals = (*MENU_INTERVALS, *OTHER_INTERVALS) if version in EXTREMES else SOME_INTERVALS
    for symbol in ("BTCUSDT", "ETHUSDT"):
        trades = stored(migrated.store, symbol)
        for interval in intervals:
            if symbol == "BTCUSDT" and str(interval) in ("1m", "1M"):
                continue  # the exchange's klines are among those
            assert migrated.store.candles(symbol, interval) == candles_of(tuple(trades), interval)


def test_verify_finds_no_difference(worlds: Worlds) -> None:
    migrated = worlds.migrated
    with migrated.connect() as connection:
        assert not verify(connection).totals


def test_data_that_are_not_made_from_trades_are_kept(worlds: Worlds) -> None:
    migrated = worlds.migrated
    assert migrated.rows("SELECT symbol_id, seconds, months, open::float, trades FROM klines ORDER BY 2, 3") == [
        (1, 0, 1, 42000.0, 70_000_000),
        (1, 60, 0, 61000.0, 90),
        (3, 86400, 0, 0.6, 40_000),
    ]
    assert migrated.rows("SELECT symbol, months, trades, source, complete FROM kline_log ORDER BY trades DESC") == [
        ("BTCUSDT", 1, 70_000_000, "kline", True),
        ("ADAUSDT", 0, 40_000, "kline", True),
        ("BTCUSDT", 0, 90, "kline", True),
    ]
    assert migrated.rows("SELECT name, base, status FROM symbols ORDER BY id") == [
        ("BTCUSDT", "BTC", "TRADING"),
        ("ETHUSDT", "", None),
        ("ADAUSDT", "ADA", "BREAK"),
    ]
    assert migrated.rows("SELECT reason, symbol, trade_id, trade ->> 'trade_id' FROM refused_trades ORDER BY id") == [
        ("its time is out of range", "BTCUSDT", 5, "5"),
        ("its id is out of range", "BTCUSDT", None, "99999999999999999999"),
    ]
    with migrated.connect() as connection:
        period = read_retention(connection).keep
        was = connection.execute("SELECT EXISTS (SELECT FROM late_days WHERE stored_at < '2024-04-01')").fetchone()
    assert period == (RetentionPeriod(90, "y") if was == (True,) else None)


def test_sessions_and_gaps_of_a_database_that_had_them_are_kept(worlds: Worlds, version: int) -> None:
    migrated = worlds.migrated
    had = version >= 10
    assert migrated.rows("SELECT exchange, total_minutes, notes FROM trading_sessions") == (
        [("FOREX", 1440, "as stored")] if had else []
    )
    assert migrated.rows("SELECT symbol, gap_direction FROM session_gaps") == ([("oanda:EURUSD", "up")] if had else [])


def test_recording_goes_on_where_it_was(worlds: Worlds) -> None:
    both = worlds.migrated, worlds.fresh
    missing = [
        trade._replace(trade_id=trade_id, time_us=trade.time_us + 1)
        for trade, trade_id in zip(stored(both[0].store)[8:12], (1009, 1010, 1011, 1020), strict=True)
    ]
    for world in both:
        world.record([*missing, *stored(world.store)])
        assert world.writer.refused == world.writer.status.contradictions == 0
        assert list(world.store.coverage("BTCUSDT")) == [(1000, 1039)]
        with world.connect() as connection:
            assert not verify(connection).totals


# What they do at once does not depend on the version: the one with the most steps to run, and the one with the fewest.
@pytest.mark.parametrize("version", EXTREMES, indirect=True, scope="module")
def test_several_programs_that_start_together_migrate_once(old_url: str) -> None:
    programs = [
        subprocess.Popen([sys.executable, "-c", MIGRATE, old_url], stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    printed = [program.communicate()[0] for program in programs]
    assert printed == [f"{migrations()[-1].number}\n"] * 4
    with connect(old_url) as connection:
        count = connection.execute("SELECT count(*), count(DISTINCT version) FROM schema_version").fetchone()
        assert count == (len(migrations()), len(migrations()))
        assert not verify(connection).totals


@pytest.mark.embedded_only
def test_the_limits_of_a_session_cut_off_neither_a_migration_nor_the_wait_for_one_and_stay_as_they_were(
    url: str,
) -> None:
    limited = "CREATE TABLE limited AS SELECT current_setting('statement_timeout') AS to_time"
    steps = [*migrations(), Migration(len(migrations()) + 1, "limited", limited)]
    reached: list[object] = []

    def start() -> None:
        with connect(url) as connection:
            connection.execute("SET statement_timeout = '3s'")
            reached.append(migrate(connection, steps))
            reached.append(connection.execute("SHOW statement_timeout").fetchone())

    program = threading.Thread(target=start)
    waiting = """
        SELECT count(*) FROM pg_stat_activity
        WHERE wait_event = 'advisory' AND clock_timestamp() > query_start + interval '3.3 s'
            AND datname = current_database()
    """
    with connect(url) as connection:
        with database_lock(connection):
            program.start()
            while connection.execute(waiting).fetchone() == (0,):
                assert program.is_alive()  # not cut off
                time.sleep(0.05)
        program.join()
        assert reached == [steps[-1].number, ("3s",)]
        assert connection.execute("SELECT * FROM limited").fetchall() == [("0",)]


def test_a_program_killed_while_it_migrates_leaves_the_version_before_and_blocks_no_other(url: str) -> None:
    number = len(migrations()) + 1
    program = (
        "import sys\nfrom storage.postgres.connection import connect\nfrom storage.schema.migrate import *\n"
        "with connect(sys.argv[1]) as connection:\n"
        f"    slow = Migration({number}, 'slow', 'CREATE TABLE slow (); SELECT pg_sleep(60)')\n"
        "    migrate(connection, [*migrations(), slow])\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program, url])
    deadline = time.monotonic() + PATIENCE_S
    with connect(url) as connection:
        asleep = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%%pg_sleep(60)%%' AND pid <> pg_backend_pid()"
        while connection.execute(asleep).fetchone() == (0,):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        began = time.monotonic()
        quick = Migration(number, "quick", "CREATE TABLE quick ()")
        assert migrate(connection, [*migrations(), quick]) == number
        assert time.monotonic() - began < 55.0  # not when the killed one's statement would have ended
        tables = connection.execute("SELECT to_regclass('slow'), to_regclass('quick')::text").fetchone()
        assert tables == (None, "quick")
