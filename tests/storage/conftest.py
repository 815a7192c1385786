"""A real server for every test here: one for the session, a schema of its own for each test."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo

from storage.connection import connect
from storage.embedded import EmbeddedServer
from storage.migrate import migrate
from tests.storage.helpers import World

_numbers = itertools.count(1)


def forget(data_dir: Path) -> None:
    """Remove the server's files where they lie outside the data directory."""
    location = data_dir / "database" / "location"
    if location.exists():
        shutil.rmtree(location.read_text().strip(), ignore_errors=True)


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    data_dir = tmp_path_factory.mktemp("session") / "data"
    server = EmbeddedServer(data_dir)
    try:
        yield server.start()
    finally:
        assert server.stop()
        forget(data_dir)


@pytest.fixture
def empty_url(server_url: str) -> Iterator[str]:
    """An empty schema, as a URL."""
    schema = f"test_{next(_numbers)}"
    with connect(server_url) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
        yield make_conninfo(server_url, options=f"-csearch_path={schema}")
        connection.execute("SET client_min_messages = warning")
        connection.execute(f"DROP SCHEMA {schema} CASCADE")


@pytest.fixture
def url(empty_url: str) -> str:
    """A schema with our tables, as a URL."""
    with connect(empty_url) as connection:
        migrate(connection)
    return empty_url


@pytest.fixture
def world(url: str) -> Iterator[World]:
    """A writer and a store on tables of their own."""
    made = World(url)
    yield made
    made.close()


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """A data directory for a server of the test's own; nothing of it stays."""
    path = tmp_path / "data"
    yield path
    server = EmbeddedServer(path)
    if (path / "database").exists():
        # Joining and leaving stops whatever a failed test has left running.
        try:
            server.start()
        except Exception as error:  # noqa: BLE001 — some tests leave what cannot be started
            print(error)
        server.stop()
        forget(path)


@pytest.fixture
def servers(data_dir: Path) -> Iterator[Callable[..., EmbeddedServer]]:
    """Make users of the test's own server; those left are stopped."""
    made: list[EmbeddedServer] = []

    def make(path: Path = data_dir, **options: object) -> EmbeddedServer:
        made.append(EmbeddedServer(path, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for server in made:
        server.stop()
