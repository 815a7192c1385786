"""
What differs between the editions: plain PostgreSQL, TimescaleDB Apache, TimescaleDB Community.

`settle` brings a database to what its server can do today; it is called at each opening, and where nothing has changed
it looks and does nothing. Everything else asks `is_hypertable`, and the few statements of TimescaleDB's own name its
schema, which need not be in the search path.
"""

from __future__ import annotations

import logging
import re

import psycopg
from psycopg import sql

from app.market.errors import StoreSchemaMismatch
from storage.connection import Connection, Edition, ServerFacts, facts_of, translated
from storage.maintenance import alone

logger = logging.getLogger(__name__)

COMPRESS_AFTER = "7 days"

# Rows of a symbol are kept together, by time and then id: so both bounds of a batch are known for both columns, and
# reading by time, by id, and the check of the key for a late trade open only the batches concerned.
_SEGMENT_BY = "symbol_id"
_ORDER_BY = "time, trade_id"

_COMPRESSED = """
    SELECT EXISTS (SELECT FROM timescaledb_information.chunks
        WHERE hypertable_schema = current_schema() AND hypertable_name = 'trades' AND is_compressed)
"""
_COMPRESSION_SET = """
    SELECT compression_enabled, EXISTS (SELECT FROM timescaledb_information.jobs j
        WHERE j.hypertable_schema = h.hypertable_schema AND j.hypertable_name = h.hypertable_name
            AND j.proc_name = 'policy_compression')
    FROM timescaledb_information.hypertables h
    WHERE h.hypertable_schema = current_schema() AND h.hypertable_name = 'trades'
"""


def timescale_schema(connection: Connection) -> sql.Identifier | None:
    """Return the schema of TimescaleDB's functions in this database; None where it is not switched on."""
    row = connection.execute(
        "SELECT nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE extname = 'timescaledb'"
    ).fetchone()
    return None if row is None else sql.Identifier(row[0])


def is_hypertable(connection: Connection) -> bool:
    """Whether trades is one; it is made of native partitions otherwise."""
    row = connection.execute("SELECT relkind = 'r' FROM pg_class WHERE oid = 'trades'::regclass").fetchone()
    return row == (True,)


def owns_trades(connection: Connection) -> bool:
    """Whether this user may change how trades is stored; a role that only records or reads may not."""
    row = connection.execute(
        "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = 'trades'::regclass"
    ).fetchone()
    return row == (True,)


def switch_on_timescale(connection: Connection) -> None:
    """Switch TimescaleDB on in this database where the server has it loaded and the user may."""
    row = connection.execute(
        # Its settings are there where the library is loaded; the list of libraries is not for every user to read.
        "SELECT EXISTS (SELECT FROM pg_settings WHERE name LIKE 'timescaledb.%')"
        " AND EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb' AND installed_version IS NULL)"
        " AND has_database_privilege(current_database(), 'CREATE'), to_regnamespace('public') IS NOT NULL"
    ).fetchone()
    if row is None or not row[0]:
        return
    # Not in our schema, which may be one of several in this database: all share the extension.
    place = sql.SQL("SCHEMA public" if row[1] else "")
    try:
        connection.execute(sql.SQL("CREATE EXTENSION IF NOT EXISTS timescaledb {}").format(place))
    except psycopg.Error as error:
        logger.warning("TimescaleDB is there but could not be switched on: %s", error.diag.message_primary)


def settle(connection: Connection) -> None:
    """
    Have a Community edition compress trades after a week; refuse an edition that cannot read what is compressed.

    Raises:
        StoreSchemaMismatch: If trades are compressed and this edition cannot read them. Nothing was changed.
        StoreUnavailable: If the server does not answer.
    """
    with translated("prepare the database's tables"):
        facts = facts_of(connection)
        if facts.edition is Edition.PLAIN or not is_hypertable(connection):
            return
        if facts.edition is Edition.TIMESCALE_COMMUNITY:
            _compress(connection, facts)
        elif connection.execute(_COMPRESSED).fetchone() == (True,):
            # It would leave them out of every answer without a word.
            raise StoreSchemaMismatch(
                "The database holds trades that TimescaleDB's Community edition has compressed, and this server's "
                "Apache edition cannot read them: set timescaledb.license to timescale on the server, or use one of "
                "the Community edition. Nothing was changed."
            )


def _compress(connection: Connection, facts: ServerFacts) -> None:
    if connection.execute(_COMPRESSION_SET).fetchone() == (True, True) or not owns_trades(connection):
        return
    schema = timescale_schema(connection)
    assert schema is not None
    try:
        with alone(connection), connection.transaction():
            for statement in compression_statements(schema, facts.timescale_version):
                connection.execute(statement)
    except psycopg.errors.FeatureNotSupported as error:
        # The licence says Community, the programs are Apache's.
        logger.info("Trades are not compressed: %s", error.diag.message_primary)
    else:
        logger.info("Trades are compressed after %s", COMPRESS_AFTER)


def compression_statements(schema: sql.Identifier, timescale_version: str) -> list[sql.Composed]:
    """Return what makes a hypertable compress its chunks by itself, in the words of that version of TimescaleDB."""
    settings = {"segment": sql.Literal(_SEGMENT_BY), "order": sql.Literal(_ORDER_BY)}
    policy = {"schema": schema, "after": sql.Literal(COMPRESS_AFTER)}
    if _version(timescale_version) >= (2, 18):
        return [
            sql.SQL(
                "ALTER TABLE trades SET (timescaledb.enable_columnstore = true, timescaledb.segmentby = {segment},"
                " timescaledb.orderby = {order})"
            ).format(**settings),
            sql.SQL(
                "CALL {schema}.add_columnstore_policy('trades', after => interval {after}, if_not_exists => true)"
            ).format(**policy),
        ]
    return [
        sql.SQL(
            "ALTER TABLE trades SET (timescaledb.compress = true, timescaledb.compress_segmentby = {segment},"
            " timescaledb.compress_orderby = {order})"
        ).format(**settings),
        sql.SQL(
            "SELECT {schema}.add_compression_policy('trades', compress_after => interval {after},"
            " if_not_exists => true)"
        ).format(**policy),
    ]


def _version(text: str) -> tuple[int, ...]:
    """Return ``"2.19.3"`` or ``"2.30.0-dev"`` as (2, 19) or (2, 30)."""
    return tuple(int(number) for number in re.findall(r"\d+", text)[:2])
