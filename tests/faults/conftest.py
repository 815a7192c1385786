"""One database server for all faults, and its tables, made once and empty for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg import sql

from storage.postgres.connection import Connection, connect
from storage.schema.migrate import migrate
from tests.faults.world import DatabaseServer
from tests.servers import empty_schema, forget

_TABLES = """
    SELECT relname FROM pg_class
    WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
"""


class Tables:
    """The program's tables in a schema of their own, ``url``, and which of them hold nothing at the beginning."""

    def __init__(self, url: str) -> None:
        self.url = url
        with connect(url) as connection:
            migrate(connection)
            names = [sql.Identifier(name) for (name,) in connection.execute(_TABLES)]
            self._to_empty = sql.SQL(", ").join([name for name in names if not _has_rows(connection, name)])

    def empty(self) -> None:
        """Make them as they were: half a second quicker than making them again."""
        with connect(self.url) as connection:
            connection.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY").format(self._to_empty))


def _has_rows(connection: Connection, table: sql.Identifier) -> bool:
    return connection.execute(sql.SQL("SELECT FROM {} LIMIT 1").format(table)).fetchone() is not None


@pytest.fixture(scope="session")
def database(reachable_folder: Path) -> Iterator[DatabaseServer]:
    """The server; a fault that stops it starts it again."""
    data_dir = reachable_folder / "faults"
    server = DatabaseServer(data_dir)
    yield server
    assert server.end()
    forget(data_dir)


@pytest.fixture(scope="session")
def tables(database: DatabaseServer) -> Iterator[Tables]:
    database.start()
    with empty_schema(database.url) as url:
        yield Tables(url)
        database.start()


@pytest.fixture
def url(database: DatabaseServer, tables: Tables) -> Iterator[str]:
    """The server's empty tables, as a URL."""
    database.start()
    tables.empty()
    yield tables.url
    database.start()
