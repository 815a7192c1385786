"""What differs between the editions, and the statements for each version of TimescaleDB."""

from __future__ import annotations

from functools import partial

import pytest
from psycopg import sql

from app.market.errors import StoreSchemaMismatch
from storage.integrity.rebuild import rebuild
from storage.integrity.status import read_status
from storage.integrity.verify import verify
from storage.postgres.connection import Connection, Edition, connect, facts_of
from storage.retention.policy import confirm, enforce, plan
from storage.schema.editions import compression_statements, is_hypertable, timescale_schema
from storage.schema.migrate import migrate
from storage.schema.retention_period import RetentionPeriod
from storage.timescale.edition_setup import set_up_edition
from tests.servers import APACHE, EMBEDDED, NAMED, empty_schema, shared_server
from tests.storage.helpers import World, compress, some_trades, stored


@pytest.fixture
def community(world: World) -> World:
    """A world on the Community edition; skips on others."""
    with world.connect() as connection:
        edition = facts_of(connection).edition
        if edition is not Edition.TIMESCALE_COMMUNITY:
            pytest.skip(f"only the Community edition compresses, and this is {edition}")
        set_up_edition(connection)
    return world


@pytest.mark.parametrize("kind", [EMBEDDED, APACHE, NAMED])
def test_each_edition_is_detected_and_stores_trades_in_its_own_kind_of_table(kind: str) -> None:
    with empty_schema(shared_server(kind)) as url, connect(url) as connection:
        migrate(connection)
        edition = facts_of(connection).edition
        assert is_hypertable(connection) == (edition is not Edition.PLAIN)
        assert (timescale_schema(connection) is None) == (edition is Edition.PLAIN)
        if kind == APACHE:
            assert edition is Edition.TIMESCALE_APACHE


def test_several_schemas_of_one_database_share_the_extension(url: str, server_url: str) -> None:
    with empty_schema(server_url) as other, connect(other) as second, connect(url) as first:
        migrate(second)
        assert is_hypertable(second) == is_hypertable(first)
        assert timescale_schema(second) == timescale_schema(first)
        tables = second.execute("SELECT to_regclass('trades') = to_regclass(%s)", (schema_of(first),)).fetchone()
        assert tables == (False,)


def schema_of(connection: Connection) -> str:
    row = connection.execute("SELECT quote_ident(current_schema()) || '.trades'").fetchone()
    assert row is not None
    return str(row[0])


def test_the_edition_set_up_changes_no_data_and_may_be_repeated(world: World) -> None:
    trades = some_trades(300)
    world.record(trades)
    for _ in range(2):
        with world.connect() as connection:
            set_up_edition(connection)
    assert stored(world.store) == trades


@pytest.mark.timescale_only
def test_compressed_trades_on_an_edition_that_cannot_read_them_are_refused_with_a_sentence(world: World) -> None:
    with world.connect() as connection:
        if facts_of(connection).edition is not Edition.TIMESCALE_APACHE:
            pytest.skip("every edition but TimescaleDB Apache reads what it holds")
        world.record(some_trades(10))
        mark = """
            UPDATE _timescaledb_catalog.chunk SET status = %s WHERE hypertable_id = (SELECT id FROM
                _timescaledb_catalog.hypertable WHERE schema_name = current_schema() AND table_name = 'trades')
        """
        connection.execute(mark, (1,))  # what the catalogue says of a chunk that Community has compressed
        with pytest.raises(StoreSchemaMismatch, match=r"Apache edition cannot read them.*Nothing was changed"):
            set_up_edition(connection)
        confirm(connection, month := RetentionPeriod(30, "d"))
        for read in (read_status, verify, rebuild, partial(plan, keep=month), enforce):
            with pytest.raises(StoreSchemaMismatch, match=r"set timescaledb.license to timescale on the server"):
                read(connection)
        connection.execute(mark, (0,))
        set_up_edition(connection)


@pytest.mark.parametrize(
    ("version", "enable", "policy"),
    [
        (
            "2.13.1",
            "ALTER TABLE \"trades\" SET (timescaledb.compress = true, timescaledb.compress_segmentby = 'symbol_id',"
            " timescaledb.compress_orderby = 'time, trade_id')",
            """SELECT "public".add_compression_policy('trades', compress_after => interval '7 days',"""
            " if_not_exists => true)",
        ),
        (
            "2.18.0",
            "ALTER TABLE \"trades\" SET (timescaledb.enable_columnstore = true, timescaledb.segmentby = 'symbol_id',"
            " timescaledb.orderby = 'time, trade_id')",
            """CALL "public".add_columnstore_policy('trades', after => interval '7 days', if_not_exists => true)""",
        ),
    ],
)
def test_compression_is_switched_on_in_the_syntax_of_each_version(version: str, enable: str, policy: str) -> None:
    schema = sql.Identifier("public")
    statements = [statement.as_string() for statement in compression_statements(schema, version, "trades")]
    assert statements == [enable, policy]
    newer = compression_statements(schema, "2.30.0-dev", "trades")
    assert ("columnstore" in statements[0]) == ([one.as_string() for one in newer] == statements)


@pytest.mark.timescale_only
def test_community_compresses_after_a_week_without_a_setting(community: World) -> None:
    settings = community.rows(
        "SELECT attname, segmentby_column_index, orderby_column_index FROM timescaledb_information.compression_settings"
        " WHERE hypertable_schema = current_schema() AND hypertable_name = 'trades' ORDER BY 2, 3"
    )
    assert settings == [("symbol_id", 1, None), ("time", None, 1), ("trade_id", None, 2)]
    policies = community.rows(
        "SELECT (config ->> 'compress_after')::interval = interval '7 days' FROM timescaledb_information.jobs"
        " WHERE proc_name = 'policy_compression' AND hypertable_schema = current_schema()"
    )
    assert policies == [(True,), (True,)]  # of trades and of quotes


@pytest.mark.timescale_only
def test_community_stores_backfilled_trades_in_compressed_chunks_and_reads_them(community: World) -> None:
    trades = some_trades(6_000)
    community.record(trades[::2])
    with community.connect() as connection:
        assert compress(connection)
        # Next to nothing is allowed by the server's settings: the writer asks for more.
        limit = (
            sql.Identifier(connection.info.dbname),
            sql.SQL("timescaledb.max_tuples_decompressed_per_dml_transaction"),
        )
        connection.execute(sql.SQL("ALTER ROLE CURRENT_USER IN DATABASE {} SET {} = 10").format(*limit))
        try:
            late = World(community.url)
            try:
                late.record(trades)
                assert late.writer.refused == 0
            finally:
                late.close()
        finally:
            connection.execute(sql.SQL("ALTER ROLE CURRENT_USER IN DATABASE {} RESET {}").format(*limit))
    assert stored(community.store) == trades
