"""Dropping old trades: which parts are dropped or spared, what the plan shows, and that all else is unchanged."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from psycopg import sql

from app.market.errors import UsageError
from app.market.interval import Interval
from app.market.trade import Trade
from storage.postgres.connection import Edition, connect, facts_of
from storage.retention import droppable_parts
from storage.retention.job import RetentionJob
from storage.retention.policy import confirm, enforce, plan, unconfirmed_notice
from storage.schema.editions import timescale_schema
from storage.schema.retention_period import OFF, RetentionPeriod
from storage.schema.retention_record import read_retention, trades_kept_from
from tests.servers import drop_roles
from tests.storage.helpers import PATIENCE_S, World, folded, held_of, some_trades, stored

DAY_US = 86_400_000_000
YEAR = RetentionPeriod.parse("1y")
NOW_US = time.time_ns() // 1000


def trades_of_age(days: int, count: int = 20, *, first_id: int, symbol: str = "BTCUSDT") -> list[Trade]:
    """Return trades within a few minutes, that many days ago."""
    start_us = NOW_US - days * DAY_US
    trades = some_trades(count, first_id=first_id, symbol=symbol)
    return [trade._replace(time_us=start_us + number * 1_000_000) for number, trade in enumerate(trades)]


OLDEST = trades_of_age(900, first_id=100)
OLDER = trades_of_age(800, first_id=120)
YOUNG = trades_of_age(100, first_id=140)
ETHER = trades_of_age(900, 5, first_id=7, symbol="ETHUSDT")


@pytest.fixture
def aged(world: World) -> World:
    """A world with two and a half years of trades, stored long ago."""
    world.record([*OLDEST, *OLDER, *YOUNG, *ETHER])
    make_stored_long_ago(world)
    return world


def make_stored_long_ago(world: World) -> None:
    with world.connect() as connection:
        connection.execute("UPDATE late_days SET stored_at = stored_at - interval '30 days'")


def enforced(world: World, proposed: RetentionPeriod | str | None = None) -> list[int]:
    """Enforce retention; return the numbers of trades in the dropped and in the spared parts."""
    with world.connect() as connection:
        done = enforce(connection, proposed)
        wait_for_policy(world)
        return [] if done is None else [done.rows, sum(part.rows for part in done.spared)]


def wait_for_policy(world: World) -> None:
    """Wait for TimescaleDB Community's policy, which drops in the background; elsewhere do nothing."""
    with world.connect() as connection:
        if facts_of(connection).edition is not Edition.TIMESCALE_COMMUNITY:
            return
        run = """
            SELECT format('CALL %I.run_job(%s)', nspname, job_id)
            FROM timescaledb_information.jobs, pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
            WHERE extname = 'timescaledb' AND proc_name = 'policy_retention' AND hypertable_schema = current_schema()
                AND coalesce(next_start, initial_start) <= now()
        """
        for (statement,) in connection.execute(run).fetchall():
            connection.execute(statement)


@pytest.mark.parametrize("text", ["", "2", "y", "2Y", "-1y", "0d", "29d", "4w", "101y", "99999d", "2 y", "for ever"])
def test_an_invalid_or_too_short_period_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"write 90d|give 30d"):
        RetentionPeriod.parse(text)


@pytest.mark.parametrize(
    ("text", "words", "interval"),
    [
        ("30d", "30 days", "30 days"),
        ("1y", "1 year", "1 years"),
        ("18M", "18 months", "18 months"),
        ("26w", "26 weeks", "26 weeks"),
    ],
)
def test_a_period_reads_as_it_was_written(text: str, words: str, interval: str) -> None:
    keep = RetentionPeriod.parse(f" {text} ")
    assert (str(keep), keep.words, keep.interval) == (text, words, interval)


def test_nothing_is_dropped_until_somebody_has_confirmed_it(aged: World, caplog: pytest.LogCaptureFixture) -> None:
    assert enforced(aged) == []
    with caplog.at_level(logging.WARNING):
        assert enforced(aged, YEAR) == []
    assert "`cryptopipe db retention 1y` shows what would be dropped" in caplog.text
    assert stored(aged.store) == [*OLDEST, *OLDER, *YOUNG]
    with aged.connect() as connection:
        assert trades_kept_from(connection) is None


def test_the_plan_counts_exactly_the_trades_that_are_then_dropped(aged: World) -> None:
    with aged.connect() as connection:
        shown = plan(connection, YEAR)
        assert shown.rows == len(OLDEST) + len(OLDER) + len(ETHER)
        assert shown.symbols == ["BTCUSDT", "ETHUSDT"]
        assert shown.bytes > 0
        assert shown.spared == []
        assert shown.parts[0].start_us <= OLDEST[0].time_us
        assert OLDER[-1].time_us < shown.parts[-1].end_us <= YOUNG[0].time_us
        assert stored(aged.store) == [*OLDEST, *OLDER, *YOUNG]
        confirm(connection, YEAR)
        assert read_retention(connection).keep == YEAR
    assert enforced(aged) == [shown.rows, 0]
    assert stored(aged.store) == YOUNG
    assert stored(aged.store, "ETHUSDT") == []
    with aged.connect() as connection:
        kept_from = trades_kept_from(connection)
    assert kept_from is not None
    assert kept_from % DAY_US == 0
    assert shown.parts[-1].end_us <= kept_from < YOUNG[0].time_us
    assert enforced(aged) == [0, 0]


def test_candles_and_coverage_stay_and_the_dropped_are_not_stored_again(aged: World) -> None:
    everything = [*OLDEST, *OLDER, *YOUNG]
    coarse = [Interval.parse(name) for name in ("4h", "1d", "1w", "1M")]
    start_us = OLDEST[0].time_us - 3_600_000_000
    fine = [(Interval.parse(name), start_us, start_us + 7_200_000_000) for name in ("5s", "30s", "1m", "13m")]
    seen = [aged.store.candles("BTCUSDT", one, start_us=first, end_us=last) for one, first, last in fine]
    with aged.connect() as connection:
        confirm(connection, YEAR)
    enforced(aged)
    before = aged.writer.status.stored
    aged.record(everything)
    assert aged.writer.status.stored == before
    assert aged.writer.refused == aged.writer.status.contradictions == 0
    assert stored(aged.store) == YOUNG
    assert aged.store.coverage("BTCUSDT") == held_of(everything)
    for interval in coarse:
        assert aged.store.candles("BTCUSDT", interval) == folded(everything, interval)
    assert [aged.store.candles("BTCUSDT", one, start_us=first, end_us=last) for one, first, last in fine] == seen
    assert any(candle.complete and candle.trades for candles in seen for candle in candles)


def test_a_part_that_was_backfilled_recently_is_spared_and_logged(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.record([*OLDEST, *YOUNG])
    make_stored_long_ago(world)
    imported = World(world.url)  # another program, which has recorded no backfilled day yet
    try:
        imported.record(OLDER)
    finally:
        imported.close()
    with world.connect() as connection:
        confirm(connection, YEAR)
        shown = plan(connection, YEAR)
        assert [part.rows for part in shown.spared] == [len(OLDER)]
        until_us = shown.spared[0].spared_until_us
        assert until_us is not None
        assert abs(until_us - NOW_US - 7 * DAY_US) < DAY_US / 4
    with caplog.at_level(logging.INFO):
        assert enforced(world) == [len(OLDEST), len(OLDER)]
    assert f"kept until {datetime.fromtimestamp(until_us / 1e6, UTC):%Y-%m-%d}" in caplog.text
    assert stored(world.store) == [*OLDER, *YOUNG]
    make_stored_long_ago(world)
    with world.connect() as connection:
        # A week passes: Community's policy was postponed until then.
        if facts_of(connection).edition is Edition.TIMESCALE_COMMUNITY:
            connection.execute(
                sql.SQL(
                    "SELECT {}.alter_job(job_id, next_start => now()) FROM timescaledb_information.jobs"
                    " WHERE proc_name = 'policy_retention' AND hypertable_schema = current_schema()"
                ).format(timescale_schema(connection))
            )
    enforced(world)
    assert stored(world.store) == YOUNG


def test_an_old_trade_that_was_never_stored_is_stored_after_dropping_and_spared(aged: World) -> None:
    with aged.connect() as connection:
        confirm(connection, YEAR)
    enforced(aged)
    found = trades_of_age(901, 10, first_id=50)
    aged.record(found)  # the writer has cached the month's partition, which is gone
    assert aged.writer.refused == 0
    assert stored(aged.store) == [*found, *YOUNG]
    assert enforced(aged) == [0, len(found)]
    assert stored(aged.store) == [*found, *YOUNG]


def test_trades_that_arrive_while_their_part_is_being_dropped_are_stored(aged: World) -> None:
    """Their day is recorded first, so the drop either finds that record or has finished before they are stored."""
    with aged.connect() as connection:
        confirm(connection, YEAR)
        found = plan(connection, YEAR).parts[0]
        with aged.connect() as reading, reading.transaction():
            reading.execute("SELECT count(*) FROM trades")  # delays the drop
            outcome: list[bool] = []

            def go() -> None:
                with aged.connect() as own:
                    outcome.append(droppable_parts.drop(own, found))

            dropping = threading.Thread(target=go)
            dropping.start()
            wait_until_waiting(aged)
            other = World(aged.url)
            fresh = trades_of_age(900, 10, first_id=60)
            assert other.writer.put(fresh)
            time.sleep(0.3)
        dropping.join()
        assert other.writer.drain(PATIENCE_S)
        other.close()
    assert other.writer.refused == 0
    held = stored(aged.store)
    assert [trade for trade in held if trade.trade_id < 100] == fresh
    assert (OLDEST[0] in held) == (outcome == [False])


def wait_until_waiting(world: World) -> None:
    waiting = """
        SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation IN
            (SELECT 'trades'::regclass UNION ALL SELECT inhrelid FROM pg_inherits WHERE inhparent = 'trades'::regclass))
    """
    deadline = time.monotonic() + PATIENCE_S
    with world.connect() as connection:
        while connection.execute(waiting).fetchone() != (True,):
            assert time.monotonic() < deadline
            time.sleep(0.005)


def test_a_long_read_delays_dropping_and_dropping_delays_nobody_for_long(
    aged: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(droppable_parts, "_ATTEMPTS", 2)
    monkeypatch.setattr(droppable_parts, "_BETWEEN_ATTEMPTS_S", 0.05)
    with aged.connect() as connection:
        confirm(connection, YEAR)
        if facts_of(connection).edition is Edition.TIMESCALE_COMMUNITY:
            pytest.skip("TimescaleDB Community drops by itself")
        with aged.connect() as reading, reading.transaction():
            reading.execute("SELECT count(*) FROM trades")
            outcome: list[object] = []
            dropping = threading.Thread(target=lambda: outcome.append(enforced(aged)))
            dropping.start()
            wait_until_waiting(aged)
            began = time.monotonic()
            assert stored(aged.store)[0] == OLDEST[0]
            assert time.monotonic() - began < 3.0
            dropping.join()
            assert outcome == [[0, 0]]
        assert trades_kept_from(connection) is None
    assert enforced(aged)[0] == len(OLDEST) + len(OLDER) + len(ETHER)


def test_a_longer_setting_applies_at_once_and_a_shorter_one_waits(
    aged: World, caplog: pytest.LogCaptureFixture
) -> None:
    with aged.connect() as connection:
        confirm(connection, YEAR)
        enforced(aged, RetentionPeriod.parse("850d"))
        assert stored(aged.store) == [*OLDER, *YOUNG]
        held = read_retention(connection)
        assert str(held.keep) == "850d"
        assert unconfirmed_notice(held, None) == unconfirmed_notice(held, RetentionPeriod.parse("3y")) == ""
        assert "are kept for 850 days" in unconfirmed_notice(held, YEAR)
        with caplog.at_level(logging.WARNING):
            enforced(aged, YEAR)
        assert "nobody has confirmed" in caplog.text
        assert stored(aged.store) == [*OLDER, *YOUNG]
        enforced(aged, OFF)
        held = read_retention(connection)
        assert (held.keep, held.confirmed_at_us, held.by_policy) == (None, None, False)
        assert "all trades are kept" in unconfirmed_notice(held, YEAR)
        assert held.kept_from_us is not None


def test_several_programs_at_once_drop_each_part_once(aged: World) -> None:
    with aged.connect() as connection:
        confirm(connection, YEAR)
    done: list[int] = []

    def start() -> None:
        with aged.connect() as own:
            outcome = enforce(own)
            done.append(0 if outcome is None else outcome.rows)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_for_policy(aged)
    assert len(done) == 4
    assert max(done) == len(OLDEST) + len(OLDER) + len(ETHER)
    assert stored(aged.store) == YOUNG


@pytest.fixture
def retention_jobs(world: World) -> Iterator[list[RetentionJob]]:
    made: list[RetentionJob] = []
    yield made
    for keeper in made:
        keeper.close()


def test_the_job_runs_soon_after_the_start_and_ends_with_the_program(
    aged: World, retention_jobs: list[RetentionJob]
) -> None:
    with aged.connect() as connection:
        confirm(connection, YEAR)
    retention_jobs.append(RetentionJob(aged.connect, None, first_after_s=0.0))
    deadline = time.monotonic() + PATIENCE_S
    while stored(aged.store) != YOUNG:
        assert time.monotonic() < deadline
        wait_for_policy(aged)
        time.sleep(0.02)
    began = time.monotonic()
    retention_jobs[0].close()
    assert time.monotonic() - began < 3.0
    assert "retention" not in [one.name for one in threading.enumerate()]


def test_a_user_who_only_records_drops_nothing(aged: World) -> None:
    with aged.connect() as connection:
        confirm(connection, YEAR)
        name = f"recording_{time.time_ns()}"
        connection.execute(f"CREATE ROLE {name}")
        try:
            connection.execute(f"GRANT {name} TO CURRENT_USER")
            schema = connection.execute("SELECT current_schema()").fetchone()
            assert schema is not None
            connection.execute(
                f"GRANT USAGE ON SCHEMA {schema[0]} TO {name};"
                f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema[0]} TO {name}"
            )
            with connect(aged.url) as theirs:
                theirs.execute(f"SET ROLE {name}")
                assert enforce(theirs) is None
        finally:
            drop_roles(connection, name)
    assert stored(aged.store) == [*OLDEST, *OLDER, *YOUNG]


def test_the_ages_of_these_tests_are_those_of_the_days(aged: World) -> None:
    oldest = datetime.now(UTC) - timedelta(days=900)
    assert aged.rows("SELECT min(day) FROM late_days") == [(oldest.date(),)]
