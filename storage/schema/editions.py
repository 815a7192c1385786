"""
The differences between the editions: plain PostgreSQL, TimescaleDB Apache, TimescaleDB Community.

An edition is detected, never configured. Statements of TimescaleDB's own name its schema, which need not be in the
search path. `storage.timescale` changes a database to fit its edition; this module asks, and says how.
"""

from __future__ import annotations

import logging
import re

import psycopg
from psycopg import sql

from app.market.errors import StoreSchemaMismatch
from storage.postgres.connection import Connection, Edition, facts_of

logger = logging.getLogger(__name__)

COMPRESS_AFTER = "7 days"

# Rows of a symbol are compressed together, by time and then id or place. Each compressed batch then knows the bounds of
# both, so that reading by either, and the key's check for a backfilled row, decompress only the batches concerned.
_SEGMENT_BY = "symbol_id"
COMPRESSED_TABLES = {"trades": "time, trade_id", "quotes": "time, place"}
"""The tables that are compressed, and the order of their rows in it."""

_HAS_COMPRESSED_CHUNKS = """
    SELECT EXISTS (SELECT FROM timescaledb_information.chunks
        WHERE hypertable_schema = current_schema() AND hypertable_name IN ('trades', 'quotes') AND is_compressed)
"""


def timescale_schema(connection: Connection) -> sql.Identifier | None:
    """Return the schema of TimescaleDB's functions; None if the extension is not switched on in this database."""
    row = connection.execute(
        "SELECT nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE extname = 'timescaledb'"
    ).fetchone()
    return None if row is None else sql.Identifier(row[0])


def is_hypertable(connection: Connection, table: str = "trades") -> bool:
    """Whether trades, or quotes, is a hypertable; otherwise it has native partitions."""
    row = connection.execute("SELECT relkind = 'r' FROM pg_class WHERE oid = %s::regclass", (table,)).fetchone()
    return row == (True,)


def conversion_state(table: str) -> str:
    """Return the name of the table that exists while trades, or quotes, is being converted to a hypertable."""
    return f"{table}_conversion"


def is_being_converted(connection: Connection, *tables: str) -> bool:
    """Whether a conversion of one of these tables, by default of any, was begun and is not finished."""
    states = [conversion_state(table) for table in tables or COMPRESSED_TABLES]
    query = "SELECT EXISTS (SELECT FROM unnest(%s::text[]) AS state WHERE to_regclass(state) IS NOT NULL)"
    return connection.execute(query, (states,)).fetchone() == (True,)


def owns_trades(connection: Connection) -> bool:
    """Whether this user may change how trades is stored; a recording or a reading role may not."""
    row = connection.execute(
        "SELECT pg_has_role(relowner, 'USAGE') AND current_setting('transaction_read_only') = 'off'"
        " FROM pg_class WHERE oid = 'trades'::regclass"
    ).fetchone()
    return row == (True,)


def refuse_unreadable_trades(connection: Connection) -> None:
    """
    Do nothing where this edition can read the trades.

    Raises:
        StoreSchemaMismatch: If Community has compressed trades and this server's edition cannot read them.
    """
    is_apache = facts_of(connection).edition is Edition.TIMESCALE_APACHE
    if is_apache and connection.execute(_HAS_COMPRESSED_CHUNKS).fetchone() == (True,):
        # The Apache edition refuses some queries of compressed trades, and leaves those out of others' results.
        raise StoreSchemaMismatch(
            "The database holds trades that TimescaleDB's Community edition has compressed, and this server's Apache "
            "edition cannot read them: set timescaledb.license to timescale on the server, or use one of the Community "
            "edition. Nothing was changed."
        )


def switch_on_timescale(connection: Connection) -> None:
    """Switch TimescaleDB on in this database if the server has loaded it and the user may; else do nothing."""
    row = connection.execute(
        # If the library is loaded, its settings exist. The list of loaded libraries itself is hidden from most users.
        "SELECT EXISTS (SELECT FROM pg_settings WHERE name LIKE 'timescaledb.%')"
        " AND EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb' AND installed_version IS NULL)"
        " AND has_database_privilege(current_database(), 'CREATE'), to_regnamespace('public') IS NOT NULL"
    ).fetchone()
    if row is None or not row[0]:
        return
    # Not in our schema: one database may hold several sets of our tables, and they share the extension.
    place = sql.SQL("SCHEMA public" if row[1] else "")
    try:
        connection.execute(sql.SQL("CREATE EXTENSION IF NOT EXISTS timescaledb {}").format(place))
    except (psycopg.errors.UniqueViolation, psycopg.errors.DuplicateObject):
        logger.debug("Another program has switched TimescaleDB on at the same moment")
    except psycopg.Error as error:
        logger.warning("TimescaleDB is installed but could not be switched on: %s", error.diag.message_primary)


def compression_statements(schema: sql.Identifier, timescale_version: str, table: str) -> list[sql.Composed]:
    """
    Return the statements that make a hypertable compress old chunks, in that TimescaleDB version's syntax.

    ``table``: one of `COMPRESSED_TABLES`.
    """
    settings = {
        "table": sql.Identifier(table),
        "segment": sql.Literal(_SEGMENT_BY),
        "order": sql.Literal(COMPRESSED_TABLES[table]),
    }
    policy = {"schema": schema, "table": sql.Literal(table), "after": sql.Literal(COMPRESS_AFTER)}
    if version_numbers(timescale_version) >= (2, 18):  # which renamed compression to columnstore
        return [
            sql.SQL(
                "ALTER TABLE {table} SET (timescaledb.enable_columnstore = true, timescaledb.segmentby = {segment},"
                " timescaledb.orderby = {order})"
            ).format(**settings),
            sql.SQL(
                "CALL {schema}.add_columnstore_policy({table}, after => interval {after}, if_not_exists => true)"
            ).format(**policy),
        ]
    return [
        sql.SQL(
            "ALTER TABLE {table} SET (timescaledb.compress = true, timescaledb.compress_segmentby = {segment},"
            " timescaledb.compress_orderby = {order})"
        ).format(**settings),
        sql.SQL(
            "SELECT {schema}.add_compression_policy({table}, compress_after => interval {after}, if_not_exists => true)"
        ).format(**policy),
    ]


def version_numbers(text: str) -> tuple[int, ...]:
    """Return ``"2.19.3"`` or ``"2.30.0-dev"`` as (2, 19) or (2, 30)."""
    return tuple(int(number) for number in re.findall(r"\d+", text)[:2])
