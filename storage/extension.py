"""
Keeping TimescaleDB's part of a database in step with its programs.

When the system's packages are upgraded, the library of the version that the database knows is gone, and no statement
works until the extension is updated, by the first command of a session. The embedded server is ours, so we do it.
"""

from __future__ import annotations

import logging

import psycopg

from app.market.errors import StoreUnavailable

logger = logging.getLogger(__name__)

_VERSIONS = """
    SELECT e.extversion, a.default_version
    FROM pg_extension e JOIN pg_available_extensions a ON a.name = e.extname
    WHERE e.extname = 'timescaledb' AND e.extversion <> a.default_version
"""


def update_timescale(conninfo: str, *, connect_timeout_s: int) -> None:
    """
    Update TimescaleDB in the database where the server's version of it is another.

    Raises:
        psycopg.OperationalError: If the server does not answer.
        StoreUnavailable: If there is no way from the one version to the other.
    """
    # This session must not load the library: it may be the one that is gone.
    asleep = "-c timescaledb.disable_load=on"
    with psycopg.connect(conninfo, autocommit=True, options=asleep, connect_timeout=connect_timeout_s) as connection:
        versions = connection.execute(_VERSIONS).fetchone()
    if versions is None:
        return
    held, present = versions
    with psycopg.connect(conninfo, autocommit=True, connect_timeout=connect_timeout_s) as connection:
        try:
            connection.execute("ALTER EXTENSION timescaledb UPDATE")
        except psycopg.OperationalError:
            raise
        except psycopg.Error as error:
            raise StoreUnavailable(
                f"The database was written with TimescaleDB {held} and cannot be used with {present} "
                f"({error.diag.message_primary}): install TimescaleDB {held} again, or a newer one."
            ) from error
    logger.info("Updated TimescaleDB in the database from %s to %s", held, present)
