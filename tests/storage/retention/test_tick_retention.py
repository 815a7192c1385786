"""Dropping old ticks: with the period that was confirmed for them, spared after a backfill; candles stay."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from app.commands.reports.retention_report import plan_json, plan_text
from app.market.interval import Interval
from storage.postgres.connection import Connection, connect
from storage.postgres.pool import ConnectionPool
from storage.quotes.tick_ledger import TickLedger
from storage.quotes.tick_store import TickStore
from storage.retention.policy import confirm, enforce, plan
from storage.schema.retention_period import RetentionPeriod
from storage.schema.retention_record import quotes_kept_from
from storage.writing.batch_writer import BatchResult
from tests.storage.quotes.helpers import SYMBOL, assert_rollups_match, candles_of, some_ticks, stored_ticks

DAY_US = 86_400_000_000
YEAR = RetentionPeriod.parse("1y")
NOW_US = time.time_ns() // 1000
OLD = some_ticks(200, start_us=NOW_US - 900 * DAY_US)
YOUNG = some_ticks(200, seed=2, start_us=NOW_US - 100 * DAY_US)


@pytest.fixture
def connection(url: str) -> Iterator[Connection]:
    """Ticks of two and a half years, stored long ago."""
    with connect(url) as made:
        TickLedger(made).store([*OLD, *YOUNG])
        made.execute("UPDATE late_quote_days SET stored_at = stored_at - interval '30 days'")
        yield made


def test_old_ticks_are_dropped_and_their_candles_stay(connection: Connection) -> None:
    planned = plan(connection, YEAR)
    assert planned.rows == 0
    assert planned.ticks is not None
    assert (planned.ticks.rows, planned.ticks.symbols) == (200, [SYMBOL])
    assert "Keeping ticks for 1 year drops 200 ticks of oanda:EURUSD, from " in plan_text(planned)
    assert plan_json(planned)["ticks"]["trades"] == 200
    confirm(connection, YEAR)
    done = enforce(connection)
    assert done is not None
    assert done.ticks is not None
    assert done.ticks.rows == 200
    assert stored_ticks(connection) == YOUNG
    assert_rollups_match(connection, [*OLD, *YOUNG])
    kept_from_us = quotes_kept_from(connection)
    assert kept_from_us is not None
    assert OLD[-1].time_us < kept_from_us <= YOUNG[0].time_us
    assert TickLedger(connection).store(OLD) == BatchResult(0, 0, 200)
    assert_rollups_match(connection, [*OLD, *YOUNG])


def test_candles_that_need_ticks_begin_where_all_are_kept(connection: Connection) -> None:
    confirm(connection, YEAR)
    enforce(connection)
    store = TickStore(ConnectionPool(lambda: connection))
    assert store.tick_candles(SYMBOL, Interval.parse("5s")) == candles_of([*OLD, *YOUNG], 5_000_000)
    assert store.tick_candles(SYMBOL, Interval.parse("1s")) == candles_of(YOUNG, 1_000_000)


def test_a_period_that_was_confirmed_for_trades_alone_drops_no_tick(connection: Connection) -> None:
    connection.execute("UPDATE retention SET keep = '1y', keep_for = '1 year', confirmed_at = now()")
    done = enforce(connection)
    assert done is not None
    assert done.ticks is None
    assert stored_ticks(connection) == [*OLD, *YOUNG]


def test_ticks_of_long_ago_that_were_stored_just_now_are_spared(connection: Connection) -> None:
    backfilled = some_ticks(50, seed=7, start_us=OLD[-1].time_us + 60_000_000)
    TickLedger(connection).store(backfilled)
    confirm(connection, YEAR)
    done = enforce(connection)
    assert done is not None
    assert done.ticks is not None
    assert done.ticks.parts == []
    assert sum(part.rows for part in done.ticks.spared) == 250
    assert stored_ticks(connection) == [*OLD, *backfilled, *YOUNG]
