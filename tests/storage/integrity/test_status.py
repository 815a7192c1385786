from __future__ import annotations

import pytest
from psycopg.conninfo import make_conninfo

from app.market.errors import StoreSchemaMismatch, StoreUnavailable
from storage.integrity.status import DatabaseStatus, address_of, read_status
from storage.postgres.connection import Edition, connect
from tests.servers import drop_roles
from tests.storage.helpers import START_US, World, some_trades


def status_of(world: World) -> DatabaseStatus:
    with world.connect() as connection:
        return read_status(connection)


def test_status_counts_the_trades_of_each_symbol(world: World) -> None:
    bitcoin = [trade for trade in some_trades(500) if not 200 <= trade.trade_id < 250 and trade.trade_id != 300]
    ether = some_trades(40, symbol="ETHUSDT", first_id=7, seed=2)
    world.record([*bitcoin, *ether])
    status = status_of(world)
    first, second = status.symbols
    assert (first.name, first.trades, first.ranges, first.missing) == ("BTCUSDT", 449, 3, 51)
    assert (first.first_trade_id, first.last_trade_id) == (100, 599)
    assert (first.oldest_us, first.newest_us) == (bitcoin[0].time_us, bitcoin[-1].time_us)
    assert (second.name, second.trades, second.ranges, second.missing) == ("ETHUSDT", 40, 1, 0)
    assert (second.oldest_us, second.newest_us) == (ether[0].time_us, ether[-1].time_us)
    tables = {table.name: table for table in status.tables}
    assert (tables["trades"].rows, tables["trades"].exact) == (489, True)
    assert tables["rollup_1m"].rows == world.rows("SELECT count(*) FROM rollup_1m")[0][0]
    assert all(table.total > 0 for table in status.tables if table.name != "quotes")  # which has no partition yet
    assert first.bytes + second.bytes == pytest.approx(tables["trades"].total, abs=2)
    assert first.bytes > 10 * second.bytes
    assert status.writable
    assert status.refused == 0
    assert 0 < status.latency_ms < 1_000
    assert status.version == status.program_version


def test_status_describes_the_partitions_or_chunks_of_trades(world: World) -> None:
    parts = status_of(world).parts
    assert (parts.count, parts.start_us, parts.end_us, parts.largest) == (0, None, None, 0)
    month_us = 40 * 86_400 * 1_000_000
    for number, trade in enumerate(some_trades(3)):
        world.record([trade._replace(time_us=START_US + number * month_us)])
    status = status_of(world)
    parts = status.parts
    assert parts.kind == ("monthly partitions" if status.facts.edition is Edition.PLAIN else "chunks")
    assert parts.count == 3
    assert parts.start_us is not None
    assert parts.end_us is not None
    assert parts.start_us <= START_US < START_US + 2 * month_us < parts.end_us
    assert parts.largest > 0


def test_an_empty_database_has_a_status_and_one_of_another_program_none(url: str, server_url: str) -> None:
    with connect(url) as connection:
        assert read_status(connection).symbols == []
    elsewhere = make_conninfo(server_url, options="-csearch_path=pg_temp")
    with connect(elsewhere) as connection, pytest.raises(StoreSchemaMismatch, match="no tables of cryptopipe: record"):
        read_status(connection)


def test_a_role_that_may_read_gets_the_status_and_one_that_may_not_gets_an_error(world: World) -> None:
    world.record(some_trades(10))
    with world.connect() as connection:
        schema = connection.execute("SELECT current_schema()").fetchone()
        assert schema is not None
        connection.execute(
            "CREATE ROLE looking LOGIN PASSWORD 'looking'; CREATE ROLE stranger LOGIN PASSWORD 'stranger'"
        )
        try:
            connection.execute(
                f"GRANT USAGE ON SCHEMA {schema[0]} TO looking, stranger;"
                f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema[0]} TO looking"
            )
            with connect(make_conninfo(world.url, user="looking", password="looking")) as looking:
                status = read_status(looking)
            assert not status.writable
            assert status.symbols[0].trades == 10
            refused = make_conninfo(world.url, user="stranger", password="stranger")
            with connect(refused) as stranger, pytest.raises(StoreUnavailable, match="lacks the right"):
                read_status(stranger)
        finally:
            drop_roles(connection, "looking", "stranger")


def test_an_address_connects_to_the_same_database_and_has_no_password(url: str) -> None:
    with connect(make_conninfo(url, password="secret word")) as connection:
        address = address_of(connection)
        where = connection.execute("SELECT current_schema(), inet_server_port()").fetchone()
    assert "secret" not in address
    with connect(address) as connection:
        assert connection.execute("SELECT current_schema(), inet_server_port()").fetchone() == where


def test_trades_that_retention_dropped_count_as_recorded_but_not_as_stored(world: World) -> None:
    day_us = 86_400_000_000
    trades = [trade._replace(time_us=START_US + number * day_us) for number, trade in enumerate(some_trades(10))]
    world.record(trades)
    kept_us = (START_US // day_us + 4) * day_us
    with world.connect() as connection:
        kept = connection.execute("SELECT to_timestamp(%s)", (kept_us // 1_000_000,)).fetchone()
        connection.execute("DELETE FROM trades WHERE time < %s", kept)
        connection.execute("UPDATE retention SET kept_from = %s", kept)
    status = status_of(world)
    assert status.kept_from_us == kept_us
    assert (status.symbols[0].trades, status.symbols[0].stored, status.symbols[0].missing) == (10, 6, 0)
    assert status.symbols[0].oldest_us == trades[4].time_us
    trades_table = status.tables[0]
    assert (trades_table.name, trades_table.rows, trades_table.exact) == ("trades", 6, False)
