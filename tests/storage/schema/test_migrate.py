"""Migrations of empty, foreign and newer databases."""

from __future__ import annotations

import secrets
import threading

import pytest

from app.market.errors import StoreSchemaMismatch
from storage.postgres.connection import connect
from storage.postgres.symbol_ids import add_symbols, broker_and_name, known_symbols, symbol_ids_of
from storage.schema.migrate import Migration, migrate, migrations
from tests.servers import drop_roles


def test_the_migrations_are_numbered_without_a_hole() -> None:
    assert [step.number for step in migrations()] == list(range(1, len(migrations()) + 1))


def test_several_programs_starting_together_run_each_migration_once(empty_url: str) -> None:
    versions: list[int] = []

    def start() -> None:
        with connect(empty_url) as connection:
            versions.append(migrate(connection))

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert versions == [len(migrations())] * 6
    with connect(empty_url) as connection:
        assert connection.execute("SELECT count(*) FROM schema_version").fetchone() == (len(migrations()),)


def test_a_newer_database_is_refused_and_left_alone(url: str) -> None:
    with connect(url) as connection:
        connection.execute("INSERT INTO schema_version (version, name) VALUES (999, 'of the future')")
        with pytest.raises(StoreSchemaMismatch, match=r"newer cryptopipe.*upgrade the program"):
            migrate(connection)
        assert connection.execute("SELECT max(version) FROM schema_version").fetchone() == (999,)


def test_a_database_with_other_tables_of_our_names_is_refused_and_left_alone(empty_url: str) -> None:
    with connect(empty_url) as connection:
        connection.execute("CREATE TABLE trades (mine text)")
        with pytest.raises(StoreSchemaMismatch, match=r"cryptopipe's own"):
            migrate(connection)
        tables = connection.execute("SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace")
        assert ("symbols",) not in tables.fetchall()


def test_a_migration_that_fails_leaves_the_version_before_it(url: str) -> None:
    broken = Migration(len(migrations()) + 1, "broken", "CREATE TABLE half (); SELECT 1 / 0;")
    with connect(url) as connection:
        with pytest.raises(Exception, match="division by zero"):
            migrate(connection, [*migrations(), broken])
        assert connection.execute("SELECT to_regclass('half')").fetchone() == (None,)
        assert migrate(connection) == len(migrations())


def test_who_may_read_a_view_may_read_its_like_for_other_recorders_and_a_table_of_that_name_is_kept(
    empty_url: str,
) -> None:
    role = f"grafana_{secrets.token_hex(3)}"
    with connect(empty_url) as connection:
        migrate(connection, migrations()[:6])
        connection.execute(
            f"CREATE ROLE {role}; GRANT SELECT ON trade_log, candles_1m TO {role};"
            "CREATE TABLE trades_5m (mine text); INSERT INTO trades_5m VALUES ('kept')".encode()
        )
        try:
            migrate(connection)
            readable = connection.execute(
                "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'v'"
                " AND has_table_privilege(%s, oid, 'SELECT') ORDER BY 1",
                (role,),
            ).fetchall()
            assert readable == [
                (name,) for name in ("candles_1m", "kline_log", "market_ticks", "raw_trades", "trade_log", "trades_1m")
            ]
            assert connection.execute("SELECT mine FROM trades_5m").fetchall() == [("kept",)]
        finally:
            drop_roles(connection, role)


def test_a_symbol_stored_with_its_broker_is_split_and_every_view_still_names_it_in_one_string(empty_url: str) -> None:
    names = ["BTCUSDT", "coinbase:BTC-USD", "a:b:c", "binance:X", ":Y", "Z:", "oanda:EURUSD"]
    with connect(empty_url) as connection:
        migrate(connection, migrations()[:9])
        connection.execute("INSERT INTO symbols (name) SELECT unnest(%s::text[])", (names,))
        connection.execute(
            "INSERT INTO klines SELECT id, 60, 0, timestamptz '2024-05-01', 1, 1, 1, 1, 1, 1, 1, 1, 1 FROM symbols"
        )
        migrate(connection)
        rows = connection.execute("SELECT broker, name, symbol FROM symbols ORDER BY id").fetchall()
        assert rows == [(*broker_and_name(name), name) for name in names]
        assert [row[:2] for row in rows] == [
            ("binance", "BTCUSDT"),
            ("coinbase", "BTC-USD"),
            ("a", "b:c"),
            ("binance", "binance:X"),
            ("binance", ":Y"),
            ("binance", "Z:"),
            ("oanda", "EURUSD"),
        ]
        assert connection.execute("SELECT symbol FROM kline_log ORDER BY 1").fetchall() == sorted(
            (name,) for name in names
        )
        add_symbols(connection, [*names, "dukascopy:EURUSD"])
        assert known_symbols(connection) == {*names, "dukascopy:EURUSD"}
        assert symbol_ids_of(connection, names) == {name: number for number, name in enumerate(names, 1)}


def test_a_session_gap_follows_from_its_two_prices(url: str) -> None:
    with connect(url) as connection:
        connection.execute(
            "INSERT INTO session_gaps (symbol, session_date, prior_close, current_open) VALUES"
            " ('oanda:EURUSD', '2024-05-05', 1.25, 1.30), ('oanda:EURUSD', '2024-05-12', 1.25, 1.0),"
            " ('oanda:EURUSD', '2024-05-19', 0, 0)"
        )
        rows = connection.execute(
            "SELECT gap_amount::float, gap_percent::float, gap_direction FROM session_gaps ORDER BY session_date"
        ).fetchall()
    assert rows == [(0.05, 4.0, "up"), (-0.25, -20.0, "down"), (0.0, None, "flat")]
