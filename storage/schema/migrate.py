"""
Migrates a database's tables to this program's version.

The scripts ``migrations/NNNN_name.sql`` run in the order of their numbers, each once and in a transaction of its own.
`schema_version` has one row for each migration that ran. The database lock keeps programs that start together from
migrating twice, and lifts the session's time limit. The tables are in the first schema of the session's search path:
``public``, unless the URL's options name another.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple

import psycopg

from app.market.errors import StoreError, StoreSchemaMismatch
from storage.postgres.advisory_locks import database_lock
from storage.postgres.connection import Connection, translated
from storage.schema.editions import switch_on_timescale

logger = logging.getLogger(__name__)

_FILE_NAME = re.compile(r"(\d{4})_(\w+)\.sql")


class Migration(NamedTuple):
    """One migration; ``script`` is SQL, any number of statements."""

    number: int
    name: str
    script: str


def migrations() -> list[Migration]:
    """Return this program's migrations, in the order of their numbers."""
    found = []
    for entry in files("storage").joinpath("migrations").iterdir():
        match = _FILE_NAME.fullmatch(entry.name)
        if match is not None:
            found.append(Migration(int(match[1]), match[2], entry.read_text(encoding="utf-8")))
    return sorted(found)


@lru_cache
def newest_version() -> int:
    """Return the version of the tables that this program reads and writes."""
    return migrations()[-1].number


def migrate(connection: Connection, steps: Sequence[Migration] | None = None) -> int:
    """
    Run the migrations that this database lacks, and return its version afterwards.

    Has no time limit: it waits while another program migrates, and a migration may rewrite large tables. After an
    error, the migrations that were completed stay. ``steps`` defaults to this program's migrations.

    Raises:
        StoreSchemaMismatch: If the database is newer than this program, or its tables are not ours. It is unchanged.
        StoreError: If the search path names no schema that exists.
        StoreUnavailable: If the server does not answer, or the user may not create tables.
    """
    steps = migrations() if steps is None else steps
    with translated("prepare the database's tables"):
        if _checked_version(connection, steps) < steps[-1].number:
            with database_lock(connection):
                _run_missing(connection, steps)
    return steps[-1].number


def _run_missing(connection: Connection, steps: Sequence[Migration]) -> None:
    # Read again: another program may have migrated while this one waited for the lock.
    version = _checked_version(connection, steps)
    if version == 0:
        switch_on_timescale(connection)  # before the first migration, which makes trades a hypertable if it can
    for step in steps:
        if step.number <= version:
            continue
        try:
            with connection.transaction():
                if step.number > 1:
                    # Every writer reads coverage before it checks the version. A writer at work finishes first; the
                    # next one waits for this migration, then finds the new version and stops.
                    connection.execute("LOCK TABLE coverage IN ACCESS EXCLUSIVE MODE")
                # As bytes: psycopg's types guard against injection and accept only literals as text. The script is
                # part of the program, so it is as safe as a literal.
                connection.execute(step.script.encode())
                connection.execute(
                    "INSERT INTO schema_version (version, name) VALUES (%s, %s)", (step.number, step.name)
                )
        except (psycopg.errors.DuplicateTable, psycopg.errors.DuplicateObject) as error:
            raise StoreSchemaMismatch(
                "The database holds other tables of the same names: choose a database of cryptopipe's own."
            ) from error
        logger.info("Migrated the database to version %d (%s)", step.number, step.name)


def _checked_version(connection: Connection, steps: Sequence[Migration]) -> int:
    """Return the database's version, 0 without our tables. Raises StoreSchemaMismatch if it is newer than ours."""
    row = connection.execute(
        "SELECT to_regclass(quote_ident(current_schema()) || '.schema_version') IS NOT NULL, current_schema()"
    ).fetchone()
    assert row is not None
    if row[1] is None:
        raise StoreError("The database has no schema to make tables in: correct the search_path of its user.")
    if not row[0]:
        return 0
    row = connection.execute("SELECT coalesce(max(version), 0) FROM schema_version").fetchone()
    assert row is not None
    version: int = row[0]
    if version > steps[-1].number:
        raise StoreSchemaMismatch(
            f"The database was written by a newer cryptopipe (its version is {version}, this program knows "
            f"{steps[-1].number}): upgrade the program. Nothing was changed."
        )
    return version
