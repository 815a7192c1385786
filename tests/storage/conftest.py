"""A real server of each edition for every test here: one for the session, a schema of its own for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from storage.server import run_program
from storage.server.embedded_server import EmbeddedServer
from tests.servers import empty_schema, forget, shared_server, spread_over_editions
from tests.storage.helpers import World
from tests.storage.listening import TlsServer, listening, make_certificate, make_guarded_user, postgres_with_tls
from tests.tables import our_tables

pytest_generate_tests = spread_over_editions


@pytest.fixture(scope="session", autouse=True)
def _homes_beside_the_data(reachable_folder: Path) -> Iterator[None]:
    """Where another user runs the server, its files lie with the tests' and not on the system's disk."""
    homes = run_program.SHARED_HOMES
    run_program.SHARED_HOMES = (reachable_folder / "homes", *homes)
    yield
    run_program.SHARED_HOMES = homes


@pytest.fixture(scope="session")
def server_url(request: pytest.FixtureRequest) -> str:
    """A running server as a URL, once for each edition."""
    return shared_server(request.param)


@pytest.fixture(scope="session")
def listening_url(reachable_folder: Path) -> Iterator[str]:
    """A server on loopback without TLS; its user guarded has the password s3cret. A conninfo."""
    with listening(reachable_folder / "listening", rules="host all guarded 127.0.0.1/32 scram-sha-256\n") as port:
        make_guarded_user(port)
        yield f"host=127.0.0.1 port={port} user=cryptopipe dbname=postgres"


@pytest.fixture(scope="session")
def tls_server(reachable_folder: Path) -> Iterator[TlsServer]:
    postgres = postgres_with_tls()
    if postgres is None:
        pytest.skip("no PostgreSQL with TLS is installed (the embedded one has none)")
    folder = reachable_folder / "tls"
    folder.mkdir()
    certificate = make_certificate(folder, "server", "db.example")
    other = make_certificate(reachable_folder, "other", "db.example")
    settings = f"ssl = on\nssl_cert_file = '{certificate}'\nssl_key_file = '{certificate.with_suffix('.key')}'"
    with listening(folder, postgres, settings=settings) as port:
        yield TlsServer(port, certificate, other)


@pytest.fixture
def empty_url(server_url: str) -> Iterator[str]:
    """An empty schema, as a URL."""
    with empty_schema(server_url) as url:
        yield url


@pytest.fixture
def url(server_url: str) -> Iterator[str]:
    """A schema with our tables, as a URL."""
    with our_tables(server_url) as url:
        yield url


@pytest.fixture
def world(url: str) -> Iterator[World]:
    """A writer and a store on tables of their own."""
    made = World(url)
    yield made
    made.close()


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """A data directory for a server of the test's own; it is cleaned up afterwards."""
    path = tmp_path / "data"
    yield path
    server = EmbeddedServer(path)
    if (path / "database").exists():
        # Joining and leaving stops whatever a failed test has left running.
        try:
            server.start()
        except Exception as error:  # noqa: BLE001  # because some tests leave what cannot be started
            print(error)
        server.stop()
        forget(path)


@pytest.fixture
def servers(data_dir: Path) -> Iterator[Callable[..., EmbeddedServer]]:
    """Make users of the test's own server; they are stopped afterwards."""
    made: list[EmbeddedServer] = []

    def make(path: Path = data_dir, **options: Any) -> EmbeddedServer:
        made.append(EmbeddedServer(path, **options))
        return made[-1]

    yield make
    for server in made:
        server.stop()
