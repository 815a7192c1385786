"""
Brings a database's tables to this program's version.

The scripts ``migrations/NNNN_name.sql`` run in the order of their numbers, each once, in a transaction of its own and
without a time limit, under the database lock in case several programs start together. The tables are in the first
schema of the session's search path (``public`` unless the URL's options say otherwise). `schema_version` has one row
for each migration that ran.
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

_NAME = re.compile(r"(\d{4})_(\w+)\.sql")


class Migration(NamedTuple):
    """One migration; ``script`` is SQL, any number of statements."""

    number: int
    name: str
    script: str


def migrations() -> list[Migration]:
    """Return this program's migrations, by number."""
    found = []
    for entry in files("storage").joinpath("migrations").iterdir():
        match = _NAME.fullmatch(entry.name)
        if match is not None:
            found.append(Migration(int(match[1]), match[2], entry.read_text(encoding="utf-8")))
    return sorted(found)


@lru_cache
def newest_version() -> int:
    """Return the version of the tables that this program reads and writes."""
    return migrations()[-1].number


def migrate(connection: Connection, steps: Sequence[Migration] | None = None) -> int:
    """
    Run the migrations that this database lacks; return its version afterwards. May wait for another program's run.

    ``steps``: this program's migrations unless given.

    Raises:
        StoreSchemaMismatch: If the database is newer than this program, or not ours. Nothing was changed.
        StoreUnavailable: If the server does not answer, or the user may not create tables.
    """
    steps = migrations() if steps is None else steps
    with translated("prepare the database's tables"):
        if _version(connection, steps) < steps[-1].number:
            with database_lock(connection):
                _run(connection, steps)
    return steps[-1].number


def _run(connection: Connection, steps: Sequence[Migration]) -> None:
    version = _version(connection, steps)
    if version == 0:
        switch_on_timescale(connection)
    for step in steps:
        if step.number <= version:
            continue
        try:
            with connection.transaction():
                if step.number > 1:
                    # Every writer reads this table before it checks the version. So one at work finishes first, and the
                    # next one waits for us, and then finds the version too new to go on.
                    connection.execute("LOCK TABLE coverage IN ACCESS EXCLUSIVE MODE")
                # As bytes: of texts the driver's types accept only literals, and this file of ours is as good as one.
                connection.execute(step.script.encode())
                connection.execute("INSERT INTO schema_version (version, name) VALUES (%s, %s)", step[:2])
        except (psycopg.errors.DuplicateTable, psycopg.errors.DuplicateObject) as error:
            raise StoreSchemaMismatch(
                "The database holds other tables of the same names: choose a database of cryptopipe's own."
            ) from error
        logger.info("Brought the database to version %d (%s)", step.number, step.name)


def _version(connection: Connection, steps: Sequence[Migration]) -> int:
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
