"""Conversion of a plain database: nothing is lost, whatever writes in the meantime and however it is interrupted."""

from __future__ import annotations

import contextlib
import logging
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from app.market.errors import StoreError, StoreUnavailable
from app.market.interval import Interval
from app.market.trade import Trade
from storage.database import Database
from storage.postgres.connection import Connection, connect
from storage.retention.policy import confirm, enforce
from storage.schema.editions import is_being_converted, is_hypertable, switch_on_timescale
from storage.schema.migrate import migrations
from storage.schema.retention_period import RetentionPeriod
from storage.timescale import conversion, table_swap
from storage.timescale.conversion import Conversion, conversion_due, convert_if_small, due_sentence
from tests.servers import drop_roles, empty_database
from tests.storage.helpers import PATIENCE_S, START_US, World, folded, held_of, some_trades, stored

DAY_US = 86_400_000_000

# Converts in small slices, and prints a line for each.
CONVERTER = """
import sys
from storage.timescale import conversion
from storage.postgres.connection import connect
conversion._SLICE_ROWS = 400
with connect(sys.argv[1]) as connection:
    print("end", conversion.convert(connection, lambda done, total: print(done, flush=True)), flush=True)
"""


@pytest.fixture
def plain(server_url: str) -> Iterator[World]:
    """A database of plain partitions on a server that has TimescaleDB, which is not switched on."""
    with connect(server_url) as connection:
        available = "SELECT count(*) FROM pg_available_extensions WHERE name = 'timescaledb'"
        if connection.execute(available).fetchone() == (0,):
            pytest.skip("this server has no TimescaleDB")
    with empty_database(server_url) as url:
        with connect(url) as connection:
            for step in migrations():
                connection.execute(step.script.encode())
                connection.execute("INSERT INTO schema_version (version, name) VALUES (%s, %s)", step[:2])
        world = World(url)
        yield world
        world.close()


def months_of_trades(count: int = 6_000, symbol: str = "BTCUSDT", seed: int = 1) -> list[Trade]:
    """Return trades of seven months, most of them on one day."""
    return [
        trade._replace(time_us=START_US + min(number // 10, 200) * DAY_US + number * 10_000)
        for number, trade in enumerate(some_trades(count, symbol=symbol, seed=seed))
    ]


def enable_timescaledb(world: World) -> None:
    with world.connect() as connection:
        switch_on_timescale(connection)


def described(connection: Connection) -> list[object]:
    """Return the views with their identities, and the privileges: other programs rely on them."""
    return [
        connection.execute(query).fetchall()
        for query in (
            "SELECT oid, relname, relacl::text, reloptions FROM pg_class WHERE relkind = 'v'"
            " AND relnamespace = current_schema()::regnamespace ORDER BY relname",
            "SELECT pg_get_viewdef(oid) FROM pg_class WHERE relkind = 'v'"
            " AND relnamespace = current_schema()::regnamespace ORDER BY relname",
            "SELECT unnest(relacl)::text FROM pg_class WHERE oid = 'trades'::regclass ORDER BY 1",
            "SELECT attname, atttypid::regtype, attnotnull, attacl::text FROM pg_attribute"
            " WHERE attrelid = 'trades'::regclass AND attnum > 0 ORDER BY attnum",
            "SELECT indexname FROM pg_indexes WHERE tablename = 'trades' AND schemaname = current_schema()",
            "SELECT * FROM mine ORDER BY 1, 2",
            "SELECT * FROM on_mine",
            "SELECT * FROM trade_log ORDER BY symbol, trade_id",
            "SELECT * FROM candles_30s ORDER BY 1, 2",
        )
    ]


@pytest.fixture
def used(plain: World) -> Iterator[World]:
    """The plain database with trades, the user's own views, and grants."""
    plain.record([*months_of_trades(), *months_of_trades(2_000, "ETHUSDT", 2)])
    with plain.connect() as connection:
        role = f"reading_{connection.info.backend_pid}"
        connection.execute(f"CREATE ROLE {role}")
        connection.execute(
            f"""
            CREATE VIEW mine WITH (security_barrier = true) AS
                SELECT symbol_id, max(price) AS highest FROM trades GROUP BY 1;
            CREATE VIEW on_mine AS SELECT count(*) FROM mine;
            GRANT SELECT ON mine, trade_log, trades TO {role};
            GRANT INSERT ON trades TO {role} WITH GRANT OPTION;
            GRANT UPDATE (price) ON trades TO {role};
            GRANT SELECT ON trades TO PUBLIC;
            """
        )
        try:
            yield plain
        finally:
            drop_roles(connection, role)


@pytest.mark.timescale_only
def test_a_small_database_is_converted_when_opened_and_looks_the_same(used: World, tmp_path: Path) -> None:
    with used.connect() as connection:
        before = described(connection)
    enable_timescaledb(used)
    database = Database.open(used.url, tmp_path)
    try:
        assert database.facts.label.startswith("TimescaleDB")
        with used.connect() as connection:
            assert is_hypertable(connection)
            assert described(connection) == before
            assert conversion_due(connection) is None
            left = "SELECT relname FROM pg_class WHERE relname LIKE 'trades\\_%' AND relkind IN ('r', 'p')"
            assert connection.execute(left).fetchall() == []
        trades = months_of_trades()
        assert stored(database.store) == trades
        for name in ("1m", "4h", "1M"):
            interval = Interval.parse(name)
            assert database.store.candles("BTCUSDT", interval) == folded(trades, interval)
    finally:
        assert database.close()
    # A writer from before the conversion still works, even for a month without trades.
    new = some_trades(100, first_id=10_000)
    used.record([trade._replace(time_us=trade.time_us + 400 * DAY_US) for trade in new])
    assert used.writer.refused == 0
    assert used.store.coverage("BTCUSDT") == held_of([*trades, *new])


@pytest.mark.timescale_only
def test_a_large_database_only_logs_that_a_conversion_is_due(
    used: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(conversion, "SMALL_ROWS", 7_999)
    enable_timescaledb(used)
    with caplog.at_level(logging.WARNING):
        assert Database.open(used.url, tmp_path).close()
    assert "8000 trades are still in plain partitions: `cryptopipe db convert`" in caplog.text
    with used.connect() as connection:
        assert not is_hypertable(connection)
        monkeypatch.setattr(conversion, "_SLICE_ROWS", 300)
        reported: list[tuple[int, int]] = []
        assert conversion.convert(connection, lambda done, total: reported.append((done, total)))
        assert not conversion.convert(connection)
    assert reported[0] == (0, 8_000)
    assert reported[-1] == (8_000, 8_000)
    assert reported == sorted(reported)
    assert len(reported) > 10
    assert stored(used.store) == months_of_trades()


@pytest.mark.timescale_only
def test_a_conversion_that_is_killed_again_and_again_ends_with_every_trade(used: World) -> None:
    enable_timescaledb(used)
    expected = months_of_trades()
    reached = 0
    for number in range(4):
        with converting(used) as process:
            assert process.stdout is not None
            for line in process.stdout:
                reached = int(line)
                if reached >= 1_500 * (number + 1):
                    break
            process.send_signal(signal.SIGKILL)
        # The copied slices stay; in the meantime trades of old and new days are stored.
        late = some_trades(50, first_id=20_000 + 100 * number)
        late = [trade._replace(time_us=trade.time_us + number * 50 * DAY_US) for trade in late]
        used.record(late)
        expected += late
        assert stored(used.store) == expected
        with used.connect() as connection:
            due = conversion_due(connection)
            assert due is not None
            assert due.begun
            assert "partly converted" in due_sentence(due)
            confirm(connection, RetentionPeriod.parse("30d"))
            assert enforce(connection) is None  # retention waits for the conversion
            confirm(connection, None)
    with converting(used) as process:
        assert process.stdout is not None
        lines = process.stdout.read().split("\n")
    assert int(lines[0]) >= 4_000  # it was resumed, not restarted
    assert lines[-2] == "end True"
    assert stored(used.store) == expected
    assert used.store.coverage("BTCUSDT") == held_of(expected)
    with used.connect() as connection:
        assert is_hypertable(connection)
        assert not is_being_converted(connection)


@contextlib.contextmanager
def converting(world: World) -> Iterator[subprocess.Popen[str]]:
    """A process that converts until it is done or killed."""
    process = subprocess.Popen([sys.executable, "-c", CONVERTER, world.url], stdout=subprocess.PIPE, text=True)
    try:
        yield process
        assert process.wait(PATIENCE_S) in (0, -signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@pytest.mark.timescale_only
def test_two_writers_and_a_reader_go_on_while_it_converts(used: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversion, "_SLICE_ROWS", 200)
    enable_timescaledb(used)
    worlds = [World(used.url), World(used.url)]
    fresh = [
        trade._replace(time_us=START_US + (trade.trade_id % 300) * DAY_US + trade.trade_id)
        for trade in some_trades(1_500, first_id=50_000)
    ]
    done = threading.Event()

    def write(world: World, trades: list[Trade]) -> None:
        for start in range(0, len(trades), 40):
            world.record(trades[start : start + 40])

    threads = [
        threading.Thread(target=write, args=(worlds[0], fresh)),
        threading.Thread(target=write, args=(worlds[1], fresh[::-1])),
    ]
    seen: list[int] = []

    def read() -> None:
        while not done.is_set():
            seen.append(len(stored(used.store, "ETHUSDT")))

    reader = threading.Thread(target=read)
    for thread in (*threads, reader):
        thread.start()
    with used.connect() as connection:
        assert conversion.convert(connection)
    for thread in threads:
        thread.join()
    done.set()
    reader.join()
    for world in worlds:
        assert world.writer.refused == 0
        world.close()
    assert set(seen) == {2_000}
    assert sorted(stored(used.store)) == sorted([*months_of_trades(), *fresh])


@pytest.mark.timescale_only
def test_a_batch_that_waits_while_the_tables_are_swapped_is_stored_where_readers_find_it(
    used: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    enable_timescaledb(used)
    late = some_trades(300, first_id=50_000)
    writer = threading.Thread(target=used.record, args=(late,))
    swap = table_swap.swap_locked_tables
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'trades'::regclass"

    def swap_once_the_writer_waits(connection: Connection, table: str) -> None:
        writer.start()
        deadline = time.monotonic() + PATIENCE_S
        while used.rows(waiting) == [(0,)]:
            assert time.monotonic() < deadline
        swap(connection, table)

    monkeypatch.setattr(table_swap, "swap_locked_tables", swap_once_the_writer_waits)
    with used.connect() as connection:
        assert conversion.convert(connection)
    writer.join()
    assert sorted(stored(used.store)) == sorted([*months_of_trades(), *late])


@pytest.mark.timescale_only
def test_only_one_of_several_programs_converts(used: World) -> None:
    enable_timescaledb(used)
    done: list[bool] = []

    def go() -> None:
        with used.connect() as connection:
            done.append(conversion.convert(connection))

    threads = [threading.Thread(target=go) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [False, False, True]
    assert stored(used.store) == months_of_trades()


@pytest.mark.timescale_only
def test_an_object_that_depends_on_the_old_table_is_named_and_nothing_changes(
    used: World, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    with used.connect() as connection:
        connection.execute(
            "CREATE MATERIALIZED VIEW daily AS SELECT date(time) AS day, count(*) FROM trades GROUP BY 1"
        )
        enable_timescaledb(used)
        with pytest.raises(StoreError, match=r"materialized view daily.*drop that, run `cryptopipe db convert`"):
            conversion.convert(connection)
        with caplog.at_level(logging.WARNING):
            assert Database.open(used.url, tmp_path).close()
        assert "materialized view daily" in caplog.text
        assert not is_hypertable(connection)
        assert stored(used.store) == months_of_trades()
        connection.execute("DROP MATERIALIZED VIEW daily")
        convert_if_small(connection)
        assert is_hypertable(connection)
    assert stored(used.store) == months_of_trades()


@pytest.mark.timescale_only
def test_an_empty_database_is_converted_too(plain: World) -> None:
    enable_timescaledb(plain)
    with plain.connect() as connection:
        convert_if_small(connection)
        assert is_hypertable(connection)
    plain.record(months_of_trades(100))
    assert stored(plain.store) == months_of_trades(100)


@pytest.mark.timescale_only
def test_a_copy_that_lacks_a_trade_is_not_put_in_place(used: World) -> None:
    enable_timescaledb(used)
    with used.connect() as connection:

        def lose(done: int, total: int) -> None:
            if done == total:
                with used.connect() as other:
                    other.execute("DELETE FROM trades_hypertable WHERE trade_id = 5000")

        with pytest.raises(StoreError, match="The copy holds 7999 trades of 8000, so it was not put in place"):
            conversion.convert(connection, lose)
        assert not is_hypertable(connection)
    assert stored(used.store) == months_of_trades()


@pytest.mark.embedded_only
def test_too_little_space_is_reported_before_anything_is_changed(server_url: str) -> None:
    with connect(server_url) as connection:
        conversion._check_free_space(connection, Conversion(rows=1, bytes=1, begun=False))
        with pytest.raises(StoreUnavailable, match=r"needs 1200000000\.0 GB of free space for a while, and there are"):
            conversion._check_free_space(connection, Conversion(rows=1, bytes=10**18, begun=False))


@pytest.mark.embedded_only
def test_a_plain_server_has_nothing_to_convert(url: str) -> None:
    with connect(url) as connection:
        assert conversion_due(connection) is None
        assert not conversion.convert(connection)
        with pytest.raises(psycopg.errors.UndefinedTable):
            connection.execute("SELECT FROM trades_conversion")
