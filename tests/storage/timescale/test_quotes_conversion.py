"""Conversion of the quotes of a plain database: nothing is lost, and what depends on them goes on."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from storage.database import Database
from storage.integrity.verify import verify
from storage.postgres.connection import connect
from storage.quotes.tick_ledger import TickLedger
from storage.retention.policy import confirm, enforce
from storage.schema.editions import is_being_converted, is_hypertable, switch_on_timescale
from storage.schema.retention_period import RetentionPeriod
from storage.timescale import conversion
from storage.timescale.conversion import conversion_due, due_sentence
from storage.writing.stored_table import QUOTES
from tests.servers import drop_roles
from tests.storage.helpers import World, some_trades
from tests.storage.quotes.helpers import SYMBOL, assert_rollups_match, some_ticks, stored_ticks
from tests.storage.timescale.test_conversion import plain

__all__ = ["plain"]
# Converts in small slices, and prints a line for each.
CONVERTER = """
import sys
from storage.postgres.connection import connect
from storage.timescale import conversion
from storage.writing.stored_table import QUOTES
conversion._SLICE_ROWS = 100
with connect(sys.argv[1]) as connection:
    conversion.convert(connection, lambda done, total: print(done, flush=True), QUOTES)
"""
WEEK_US = 7 * 86_400_000_000
TICKS = [
    tick for week in range(9) for tick in some_ticks(200, seed=week, start_us=1_398_902_400_000_000 + week * WEEK_US)
]


@pytest.mark.timescale_only
def test_quotes_are_converted_when_the_database_is_opened_and_look_the_same(plain: World, tmp_path: Path) -> None:
    with connect(plain.url) as connection:
        ledger = TickLedger(connection)
        ledger.store(TICKS)
        role = f"reading_quotes_{connection.info.backend_pid}"
        connection.execute(
            f"CREATE ROLE {role}; GRANT SELECT ON quotes, market_ticks TO {role};"
            "CREATE VIEW mine AS SELECT max(bid) AS highest FROM quotes".encode()
        )
        try:
            switch_on_timescale(connection)
            assert Database.open(plain.url, tmp_path).close()
            assert is_hypertable(connection, "quotes")
            assert stored_ticks(connection) == TICKS
            assert connection.execute("SELECT count(*) FROM market_ticks").fetchone() == (len(TICKS),)
            highest = max(tick.bid_e8 for tick in TICKS)
            assert connection.execute("SELECT (highest * 100000000)::bigint FROM mine").fetchone() == (highest,)
            for name in ("quotes", "market_ticks"):
                may = connection.execute("SELECT has_table_privilege(%s, %s, 'SELECT')", (role, name)).fetchone()
                assert may == (True,), name
            assert connection.execute("SELECT to_regclass('quotes_plain')").fetchone() == (None,)
            more = some_ticks(100, start_us=TICKS[-1].time_us + WEEK_US)
            assert ledger.store([*TICKS, *more]).fresh == 100  # a writer from before the conversion
            assert TickLedger(connection).store([*TICKS, *more]).fresh == 0
            assert_rollups_match(connection, [*TICKS, *more])
        finally:
            drop_roles(connection, role)


@pytest.mark.timescale_only
def test_many_quotes_are_converted_by_slices_while_a_writer_and_a_reader_go_on(
    plain: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(conversion, "SMALL_ROWS", 10)
    monkeypatch.setattr(conversion, "_SLICE_ROWS", 100)
    with connect(plain.url) as connection, connect(plain.url) as other:
        TickLedger(other).store(TICKS[::3])
        switch_on_timescale(connection)
        with caplog.at_level(logging.WARNING):
            database = Database.open(plain.url, tmp_path)
        assert f"{len(TICKS[::3])} ticks are still in plain partitions: `cryptopipe db convert`" in caplog.text
        assert not is_hypertable(connection, "quotes")
        seen: list[int] = []

        def go_on() -> None:
            ledger = TickLedger(other)
            for start in range(0, len(TICKS), 40):
                ledger.store(TICKS[start : start + 40])
                seen.append(len(database.ticks.ticks(SYMBOL, 0, 2**62)))

        writer = threading.Thread(target=go_on)
        reported: list[tuple[int, int]] = []

        def report(done: int, total: int) -> None:
            if not reported:
                writer.start()
            reported.append((done, total))

        assert conversion.convert(connection, report, QUOTES)
        writer.join()
        try:
            assert reported[0] == (0, len(TICKS[::3]))
            assert len(reported) > 5
            assert is_hypertable(connection, "quotes")
            assert not is_being_converted(connection)
            assert seen == sorted(seen)
            assert seen[-1] == len(TICKS)
            assert database.ticks.ticks(SYMBOL, 0, 2**62) == TICKS
            assert_rollups_match(connection, TICKS)
            assert not verify(connection).totals
        finally:
            assert database.close()


@pytest.mark.timescale_only
def test_a_conversion_of_quotes_that_is_killed_is_resumed_and_ends_with_every_tick(plain: World) -> None:
    with connect(plain.url) as connection:
        ledger = TickLedger(connection)
        ledger.store(TICKS[::2])
        switch_on_timescale(connection)
        program = subprocess.Popen([sys.executable, "-c", CONVERTER, plain.url], stdout=subprocess.PIPE, text=True)
        assert program.stdout is not None
        with program.stdout:
            while int(program.stdout.readline()) < 400:
                pass
            program.send_signal(signal.SIGKILL)
            program.wait()
        assert is_being_converted(connection)
        due = conversion_due(connection, QUOTES)
        assert due is not None
        assert due.begun
        assert "partly converted" in due_sentence(due)
        assert ledger.store(TICKS).fresh == len(TICKS) - len(TICKS[::2])  # of copied slices and of others
        confirm(connection, RetentionPeriod.parse("30d"))
        assert enforce(connection) is None  # retention waits for the conversion
        confirm(connection, None)
        reached: list[int] = []
        assert conversion.convert(connection, lambda done, total: reached.append(done), QUOTES)
        assert reached[0] >= 400  # it was resumed, not restarted
        assert is_hypertable(connection, "quotes")
        assert stored_ticks(connection) == TICKS
        assert_rollups_match(connection, TICKS)


@pytest.mark.timescale_only
def test_a_conversion_of_trades_that_waits_does_not_keep_the_quotes_in_their_partitions(
    plain: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain.record(some_trades(600))
    with connect(plain.url) as connection:
        TickLedger(connection).store(TICKS[:100])
        monkeypatch.setattr(conversion, "SMALL_ROWS", 500)
        switch_on_timescale(connection)
        assert Database.open(plain.url, tmp_path).close()
        assert not is_hypertable(connection, "trades")
        assert is_hypertable(connection, "quotes")
        assert stored_ticks(connection) == TICKS[:100]
