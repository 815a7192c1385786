from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Self

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.market.errors import StoreError, UsageError
from app.market.trade import Trade
from storage.integrity.differences import MAX_LISTED, DifferenceKind
from storage.integrity.rebuild import rebuild
from storage.integrity.verify import verify
from storage.postgres.connection import Connection, connect
from storage.schema.editions import COMPRESSED_TABLES, conversion_state
from storage.schema.id_ranges import union_and_overlaps
from storage.trades.trade_ledger import TradeLedger
from tests.depth import examples, mostly_deep
from tests.servers import drop_roles
from tests.storage.damage import DAMAGERS, DAY_US, LEVEL_TABLES, Damager, clear, content, expected_differences, mended
from tests.storage.helpers import PATIENCE_S, START_US, World, compress, some_trades
from tests.tables import our_tables

SECOND_US = 1_000_000


@pytest.fixture(scope="module")
def connection(server_url: str) -> Iterator[Connection]:
    """Tables shared by this module's tests; each test first clears them."""
    with our_tables(server_url) as url, connect(url) as made:
        yield made


def some_history(dice: random.Random) -> list[Trade]:
    """Trades of two symbols over minutes to weeks, ids partly missing, times mostly rising with the ids."""
    trades = []
    for symbol in ("AAA", "BBB"):
        spacing_us = dice.choice([300_000, 20 * SECOND_US, 3_000 * SECOND_US, DAY_US])
        missing = dice.choice([0.0, 0.05, 0.4])
        first_id = dice.choice([0, 1, 5_000_000_000])
        trades += [
            Trade(
                symbol,
                first_id + number,
                START_US + number * spacing_us + dice.randrange(2 * spacing_us) // 1000 * dice.choice([1, 1000]),
                dice.randrange(1, 10 ** dice.randrange(1, 18)),
                dice.randrange(1, 10 ** dice.randrange(1, 18)),
                dice.random() < 0.5,
            )
            for number in range(dice.randrange(1, 80))
            if number == 0 or dice.random() >= missing
        ]
    return trades


def store(connection: Connection, trades: list[Trade]) -> None:
    clear(connection)
    TradeLedger(connection).store(trades)


@settings(max_examples=examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), damagers=st.lists(st.sampled_from(DAMAGERS), max_size=6))
def test_verify_finds_exactly_the_differences_and_rebuild_corrects_them(
    connection: Connection, seed: int, damagers: list[Damager]
) -> None:
    dice = random.Random(seed)
    store(connection, some_history(dice))
    assert not verify(connection).totals
    for damage in damagers:
        damage(connection, dice)
    damaged = content(connection)
    expected = expected_differences(damaged)
    assert verify(connection).totals == expected
    rebuilt = rebuild(connection)
    assert rebuilt.found == expected
    assert not rebuilt.remaining.totals
    assert content(connection) == mended(damaged)
    assert not verify(connection).totals


@pytest.mark.parametrize("damage", DAMAGERS, ids=lambda damage: damage.__name__)
def test_each_damage_is_one_that_verify_knows(connection: Connection, damage: Damager) -> None:
    store(connection, some_trades(60))
    damage(connection, random.Random(4))
    assert expected_differences(content(connection))
    assert verify(connection).listed


def test_only_the_named_symbols_are_verified(connection: Connection) -> None:
    store(connection, [*some_trades(20), *some_trades(20, symbol="ETHUSDT")])
    connection.execute("DELETE FROM rollup_1m")
    report = verify(connection, ["ETHUSDT"])
    assert (report.symbols, report.differing, report.trades) == (["ETHUSDT"], ["ETHUSDT"], 20)
    rebuild(connection, ["ETHUSDT"])
    assert verify(connection).differing == ["BTCUSDT"]
    with pytest.raises(UsageError, match="“LUNA” is not in the database"):
        verify(connection, ["LUNA", "BTCUSDT"])


def test_a_difference_says_where_and_what(connection: Connection) -> None:
    trades = some_trades(40)
    store(connection, trades)
    connection.execute("UPDATE rollup_1d SET volume = volume - 0.5, trades = 7")
    connection.execute("DELETE FROM trades WHERE trade_id = 120")
    listed = {(one.kind, one.table): one for one in verify(connection).listed}
    day = listed[DifferenceKind.CANDLE_DIFFERENT, "rollup_1d"]
    assert day.open_time_us == START_US // DAY_US * DAY_US
    assert "trades 7 instead of 39" in day.what
    missing = listed[DifferenceKind.MISSING, None]
    assert (missing.symbol, missing.number) == ("BTCUSDT", 1)
    assert (missing.first_trade_id, missing.last_trade_id) == (120, 120)


def test_many_differences_are_counted_and_the_first_of_them_listed(connection: Connection) -> None:
    trades = [
        trade._replace(time_us=START_US + number * 60 * SECOND_US) for number, trade in enumerate(some_trades(400))
    ]
    store(connection, trades)
    connection.execute("TRUNCATE rollup_5s; UPDATE rollup_1m SET volume = volume + 1")
    report = verify(connection)
    assert report.totals["BTCUSDT", DifferenceKind.CANDLE_MISSING] == 400
    assert report.totals["BTCUSDT", DifferenceKind.CANDLE_DIFFERENT] == 400
    for kind, table in ((DifferenceKind.CANDLE_MISSING, "rollup_5s"), (DifferenceKind.CANDLE_DIFFERENT, "rollup_1m")):
        times = [one.open_time_us for one in report.listed if (one.kind, one.table) == (kind, table)]
        assert len(times) == MAX_LISTED
        assert times[0] == START_US // SECOND_US // (5 if table == "rollup_5s" else 60) * SECOND_US * (
            5 if table == "rollup_5s" else 60
        )


def test_of_two_trades_with_one_id_the_more_precise_stays_and_the_other_is_kept_aside(connection: Connection) -> None:
    first, second = some_trades(2)
    first = first._replace(time_us=START_US + 456)
    second = second._replace(time_us=START_US + 2_000)
    store(connection, [first, second])
    connection.execute(
        "INSERT INTO trades SELECT symbol_id, date_trunc('milliseconds', time), trade_id, price, quantity,"
        " is_buyer_maker FROM trades WHERE trade_id = %s",
        (first.trade_id,),
    )
    connection.execute(
        "INSERT INTO trades SELECT symbol_id, time + interval '1 minute', trade_id, price + 1, quantity,"
        " is_buyer_maker FROM trades WHERE trade_id = %s",
        (second.trade_id,),
    )
    assert rebuild(connection).found["BTCUSDT", DifferenceKind.DUPLICATE] == 2
    assert content(connection)["BTCUSDT"].trades == [first, second]
    aside = connection.execute(
        "SELECT symbol, trade_id, trade, stored FROM refused_trades ORDER BY trade_id"
    ).fetchall()
    later = second._replace(time_us=second.time_us + 60 * SECOND_US, price_e8=second.price_e8 + 10**8)
    assert [row[:2] for row in aside] == [("BTCUSDT", first.trade_id), ("BTCUSDT", second.trade_id)]
    assert aside[0][2:] == (first._replace(time_us=START_US)._asdict(), first._asdict())
    assert aside[1][2:] == (later._asdict(), second._asdict())


def test_verify_only_needs_to_read(world: World) -> None:
    world.record(some_trades(30))
    with world.connect() as connection:
        row = connection.execute("SELECT current_schema()").fetchone()
        assert row is not None
        connection.execute("CREATE ROLE verifying LOGIN")
        try:
            connection.execute(
                f"GRANT USAGE ON SCHEMA {row[0]} TO verifying;"
                f" GRANT SELECT ON ALL TABLES IN SCHEMA {row[0]} TO verifying"
            )
            connection.execute("SET SESSION AUTHORIZATION verifying")
            report = verify(connection)
            assert (report.trades, report.totals) == (30, {})
            connection.execute("RESET SESSION AUTHORIZATION")
        finally:
            drop_roles(connection, "verifying")


class Recording:
    """Stores trades batch by batch in a thread of its own, as long as the block lasts and they do."""

    def __init__(self, url: str, trades: list[Trade]) -> None:
        self._url, self._trades = url, trades
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        with connect(self._url) as connection:
            ledger = TradeLedger(connection)
            for start in range(0, len(self._trades), 20):
                ledger.store(self._trades[start : start + 20])
                if self._stop.is_set():
                    ledger.store(self._trades[start + 20 :] or self._trades[-1:])
                    return

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def test_nothing_differs_while_others_record(world: World) -> None:
    trades = some_trades(30_000)
    dice = random.Random(3)
    dice.shuffle(trades)
    looks, deadline = [], time.monotonic() + PATIENCE_S
    with Recording(world.url, trades[:15_000]), Recording(world.url, trades[10_000:]), world.connect() as connection:
        while len({look.trades for look in looks}) < 5 and time.monotonic() < deadline:
            looks.append(verify(connection))
    assert len({look.trades for look in looks}) == 5
    assert [look.listed for look in looks if look.totals] == []


def test_rebuild_corrects_differences_while_others_record(world: World) -> None:
    trades = some_trades(20_000)
    dice = random.Random(5)
    dice.shuffle(trades)
    world.record(trades[:2_000])
    with world.connect() as connection:
        connection.execute(
            "UPDATE rollup_1m SET volume = volume + 1; DELETE FROM rollup_5s WHERE first_trade_id % 3 = 0"
        )
        connection.execute("DELETE FROM coverage WHERE first_trade_id % 2 = 0")
        with Recording(world.url, trades[2_000:]):
            rebuilt = rebuild(connection)
        assert rebuilt.found
        # Trades that lost their coverage may have been recorded again; the next rebuild finds nothing to correct.
        rebuild(connection)
        assert verify(connection).listed == []
        assert sorted(content(connection)["BTCUSDT"].trades) == sorted(trades)


class ExplainingCursor(psycopg.Cursor[Any]):
    """Notes how the server is about to delete trades, for the very statement and values."""

    plans: ClassVar[list[str]] = []

    def execute(self, query: Any, params: Any = None, **how: Any) -> Self:
        if isinstance(query, str) and "DELETE FROM trades" in query:
            rows = super().execute(f"EXPLAIN (COSTS OFF) {query}", params, **how).fetchall()
            self.plans.append("\n".join(line for (line,) in rows))
        return super().execute(query, params, **how)


def test_setting_a_repeated_trade_aside_opens_only_its_part_of_the_table(world: World) -> None:
    trades = [
        trade._replace(time_us=START_US + number * 20 * DAY_US + 7) for number, trade in enumerate(some_trades(12))
    ]
    repeated = trades[5]
    world.record(trades)
    with world.connect() as connection:
        connection.execute(
            "INSERT INTO trades SELECT symbol_id, date_trunc('milliseconds', time), trade_id, price, quantity,"
            " is_buyer_maker FROM trades WHERE trade_id = %s",
            (repeated.trade_id,),
        )
        parts = connection.execute(
            "SELECT relname, EXISTS (SELECT FROM trades t WHERE t.tableoid = c.oid AND t.trade_id = %s)"
            " FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = 'trades'::regclass",
            (repeated.trade_id,),
        ).fetchall()
        compress(connection)
        connection.cursor_factory = ExplainingCursor
        ExplainingCursor.plans.clear()
        assert rebuild(connection).found
        assert content(connection)["BTCUSDT"].trades == trades
        assert not verify(connection).totals
    (plan,) = ExplainingCursor.plans
    opened = [name for name, _ in parts if re.search(rf"\b{name}\b", plan)]
    assert opened == [name for name, is_home in parts if is_home], plan
    assert len(parts) > len(opened) == 1


class Killed(Exception):
    pass


@pytest.mark.parametrize("steps", mostly_deep(range(1, 40, 4), (1, 13, 37)))
def test_an_interrupted_rebuild_is_finished_by_the_next(world: World, steps: int) -> None:
    trades = some_history(random.Random(11))
    world.record(trades)
    dice = random.Random(steps)
    with world.connect() as connection:
        for damage in DAMAGERS:
            damage(connection, dice)
        damaged = content(connection)
    left = steps

    def say(*_: object) -> None:
        nonlocal left
        left -= 1
        if not left:
            raise Killed

    with world.connect() as connection:
        try:
            rebuild(connection, progress=say)
        except Killed:
            connection.close()
    with world.connect() as connection:
        assert verify(connection).totals == expected_differences(content(connection))
        rebuild(connection)
        assert verify(connection).listed == []
        assert content(connection) == mended(damaged)


def test_one_rebuild_runs_at_a_time(world: World) -> None:
    world.record(some_trades(10))
    with world.connect() as connection, world.connect() as other:

        def say(*_: object) -> None:
            with pytest.raises(StoreError, match="Another program is rebuilding, converting or clearing up"):
                rebuild(other)

        rebuild(connection, progress=say)
        assert not rebuild(other).found


@pytest.mark.parametrize("table", COMPRESSED_TABLES)
def test_a_half_converted_database_is_not_rebuilt(world: World, table: str) -> None:
    world.record(some_trades(10))
    with world.connect() as connection:
        connection.execute(f"CREATE TABLE {conversion_state(table)} (copied_to timestamptz)")
        with pytest.raises(StoreError, match="conversion of this database is unfinished"):
            rebuild(connection)
        connection.execute(f"DROP TABLE {conversion_state(table)}")
        assert not rebuild(connection).found


def dropped_to(connection: Connection, kept_us: int) -> None:
    """Drop the trades before that time, as retention does."""
    kept = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=kept_us)
    connection.execute("DELETE FROM trades WHERE time < %s", (kept,))
    connection.execute("UPDATE retention SET kept_from = %s", (kept,))


def candles_of(connection: Connection) -> dict[str, list[tuple[object, ...]]]:
    return {table: connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in LEVEL_TABLES}


def old_and_new(connection: Connection) -> int:
    """Store five days of trades and drop the first two, but for some that came late; return where the third begins."""
    trades = [trade._replace(time_us=START_US + number * DAY_US // 40) for number, trade in enumerate(some_trades(200))]
    store(connection, trades)
    kept_us = (START_US // DAY_US + 2) * DAY_US
    dropped_to(connection, kept_us)
    TradeLedger(connection).store([trade._replace(trade_id=trade.trade_id + 10_000) for trade in trades[:3]])
    return kept_us


def test_candles_whose_trades_were_dropped_are_no_difference_and_stay(connection: Connection) -> None:
    old_and_new(connection)
    before = candles_of(connection)
    assert verify(connection).listed == []
    assert not rebuild(connection).found
    assert candles_of(connection) == before


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM rollup_1h WHERE open_time < %s",
        "DELETE FROM rollup_1d",
        "UPDATE rollup_15m SET volume = volume + 1 WHERE open_time < %s",
        "UPDATE rollup_1m SET trades = trades - 1 WHERE open_time < %s",
        "TRUNCATE rollup_1m, rollup_15m",
        "DELETE FROM rollup_5s WHERE open_time >= %s",
        "UPDATE coverage SET last_trade_id = last_trade_id + 5 WHERE first_trade_id > 10000",
    ],
)
def test_candles_whose_trades_were_dropped_are_rebuilt_from_the_finer_ones(connection: Connection, damage: str) -> None:
    kept_us = old_and_new(connection)
    before, held = candles_of(connection), content(connection)["BTCUSDT"].ranges
    kept = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=kept_us)
    connection.execute(damage, (kept,) if "%s" in damage else ())
    assert verify(connection).listed
    assert not rebuild(connection).remaining.listed
    assert candles_of(connection) == before
    assert content(connection)["BTCUSDT"].ranges == held


def test_candles_that_cannot_be_rebuilt_are_reported_and_kept(connection: Connection) -> None:
    kept_us = old_and_new(connection)
    kept = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=kept_us)
    connection.execute(
        "DELETE FROM rollup_5s WHERE open_time = (SELECT max(open_time) FROM rollup_5s WHERE open_time < %s)", (kept,)
    )
    before = candles_of(connection)
    rebuilt = rebuild(connection)
    assert not rebuilt.found
    # One candle of each coarser level has more trades than the finest ones, and one trade is in no finest candle.
    assert rebuilt.remaining.totals == {
        ("BTCUSDT", DifferenceKind.CANDLE_UNFOUNDED): 4,
        ("BTCUSDT", DifferenceKind.UNCOUNTED): 1,
    }
    assert candles_of(connection) == before


ranges = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 8)).map(lambda pair: (pair[0], sum(pair))), max_size=12)


@given(left=ranges, right=ranges)
def test_sets_of_ids_are_subtracted_and_overlaid_exactly(
    left: list[tuple[int, int]], right: list[tuple[int, int]]
) -> None:
    ids = [[trade_id for first, last in one for trade_id in range(first, last + 1)] for one in (left, right)]
    every, several = union_and_overlaps(left)
    assert [one for first, last in every for one in range(first, last + 1)] == sorted(set(ids[0]))
    repeated = {one for one in ids[0] if ids[0].count(one) > 1}
    assert [one for first, last in several for one in range(first, last + 1)] == sorted(repeated)
    rest = every - union_and_overlaps(right)[0]
    assert [one for first, last in rest for one in range(first, last + 1)] == sorted(set(ids[0]) - set(ids[1]))
