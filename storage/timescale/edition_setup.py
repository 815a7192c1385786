"""
Adapts a database to its server's edition: plain PostgreSQL, TimescaleDB Apache or TimescaleDB Community.

The edition may have changed since the last opening: TimescaleDB was installed, or its licence changed. So this runs at
each opening; if nothing has changed, it does nothing.
"""

from __future__ import annotations

import logging

import psycopg

from app.market.errors import StoreError
from storage.postgres.advisory_locks import database_lock
from storage.postgres.connection import Connection, Edition, ServerFacts, facts_of, translated
from storage.schema.editions import (
    COMPRESS_AFTER,
    COMPRESSED_TABLES,
    compression_statements,
    is_hypertable,
    owns_trades,
    refuse_unreadable_trades,
    switch_on_timescale,
    timescale_schema,
)
from storage.timescale.conversion import CONVERTED, convert_if_small

logger = logging.getLogger(__name__)

_COMPRESSION_SETTINGS = """
    SELECT compression_enabled, EXISTS (SELECT FROM timescaledb_information.jobs j
        WHERE j.hypertable_schema = h.hypertable_schema AND j.hypertable_name = h.hypertable_name
            AND j.proc_name = 'policy_compression')
    FROM timescaledb_information.hypertables h
    WHERE h.hypertable_schema = current_schema() AND h.hypertable_name = %s
"""


def set_up_edition(connection: Connection) -> None:
    """
    Use TimescaleDB if the server has it: convert trades and ticks, or log that it is due; on Community compress both.

    Raises:
        StoreSchemaMismatch: If trades are compressed and this edition cannot read them. Nothing was changed.
        StoreUnavailable: If the server does not answer.
    """
    with translated("prepare the database's tables"):
        if owns_trades(connection):
            switch_on_timescale(connection)
            _convert_small_tables(connection)
        facts = facts_of(connection)
        if facts.edition is Edition.PLAIN:
            return
        if facts.edition is Edition.TIMESCALE_COMMUNITY:
            for table in COMPRESSED_TABLES:
                _set_compression(connection, facts, table)
        else:
            refuse_unreadable_trades(connection)


def _convert_small_tables(connection: Connection) -> None:
    for table in CONVERTED:
        try:
            convert_if_small(connection, table)
        except StoreError as error:
            if connection.closed:
                raise
            # The plain partitions still work, so the database can be opened all the same.
            logger.warning(str(error))


def _set_compression(connection: Connection, facts: ServerFacts, table: str) -> None:
    if not is_hypertable(connection, table):
        return
    if connection.execute(_COMPRESSION_SETTINGS, (table,)).fetchone() == (True, True) or not owns_trades(connection):
        return
    schema = timescale_schema(connection)
    assert schema is not None
    try:
        with database_lock(connection), connection.transaction():
            for statement in compression_statements(schema, facts.timescale_version, table):
                connection.execute(statement)
    except psycopg.errors.FeatureNotSupported as error:
        # The licence setting says Community, but the installed library is the Apache one.
        logger.info("%s are not compressed: %s", table.capitalize(), error.diag.message_primary)
    else:
        logger.info("%s are compressed after %s", table.capitalize(), COMPRESS_AFTER)
