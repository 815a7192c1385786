"""
The servers that tests of the storage run on: the embedded one always, and each other edition that can be had.

A test that asks for ``server_url`` runs on every one of `editions`; one whose module or function is marked
``embedded_only`` does not depend on the edition and runs on the embedded server, one marked ``timescale_only`` on the
others. One marked ``mostly_embedded`` only reads, by statements that all editions share: on the others it is ``deep``
(see `tests.depth`). What cannot be had is skipped and says why; that no server is named is said once, in test_editions.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from app.market.errors import StoreError
from storage.postgres.connection import Connection, connect
from storage.server.embedded_server import EmbeddedServer
from tests.depth import mostly_deep
from tests.storage.timescale_server import TimescaleMissing, TimescaleServer

EMBEDDED, APACHE, NAMED = "embedded", "timescaledb-apache", "named"
NAMED_VARIABLE = "CRYPTOPIPE_TEST_DATABASE_URL"
_ATTEMPTS = 5
_RUN = secrets.token_hex(3)
_numbers = itertools.count(1)


def editions() -> list[str]:
    """Return the editions that tests of this run are for."""
    return [EMBEDDED, APACHE, *([NAMED] if os.environ.get(NAMED_VARIABLE) else [])]


def spread_over_editions(metafunc: pytest.Metafunc) -> None:
    """Run the test on every edition: for ``pytest_generate_tests``."""
    if "server_url" in metafunc.fixturenames:
        wanted = editions()
        if metafunc.definition.get_closest_marker("embedded_only"):
            wanted = [EMBEDDED]
        elif metafunc.definition.get_closest_marker("timescale_only"):
            wanted.remove(EMBEDDED)
        usual = [EMBEDDED] if metafunc.definition.get_closest_marker("mostly_embedded") else wanted
        metafunc.parametrize("server_url", mostly_deep(wanted, usual), indirect=True, scope="session")


def shared_server(edition: str) -> str:
    """
    Return the conninfo of a server of that edition, which the tests of this process share until `stop_shared_servers`.

    Started at the first call: fixtures that held one each would start a new one for every file and edition. Skips the
    test where there can be none.
    """
    if edition == NAMED:
        url = os.environ.get(NAMED_VARIABLE)
        if not url:
            pytest.skip(f"{NAMED_VARIABLE} names no server to test on")
        return url
    if edition not in _shared:
        _shared[edition] = _stopping.enter_context(_apache() if edition == APACHE else _embedded())
    return _shared[edition]


def is_shared_server(server_url: str) -> bool:
    """Whether this process has started it, as a `shared_server`."""
    return server_url in _shared.values()


def stop_shared_servers() -> None:
    """Stop what `shared_server` started and remove its files."""
    _shared.clear()
    _stopping.close()


_shared: dict[str, str] = {}
_stopping = contextlib.ExitStack()


@contextlib.contextmanager
def empty_schema(server_url: str) -> Iterator[str]:
    """Yield a conninfo whose search path is an empty schema of its own."""
    schema = f"cryptopipe_test_{_RUN}_{next(_numbers)}"
    with connect(server_url) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
    try:
        yield make_conninfo(server_url, options=f"-csearch_path={schema}")
    finally:
        _drop_schema(server_url, schema)


@contextlib.contextmanager
def empty_database(server_url: str) -> Iterator[str]:
    """Yield a conninfo of an empty database of its own, without any extension; skips where the user may make none."""
    name = sql.Identifier(f"cryptopipe_test_{_RUN}_{next(_numbers)}")
    with connect(server_url) as connection:
        try:
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(name))
        except psycopg.errors.InsufficientPrivilege:
            pytest.skip("the user of the server may not make databases")
        try:
            yield make_conninfo(server_url, dbname=name.as_string(connection).strip('"'))
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def forget(data_dir: Path) -> None:
    """Remove the server's files where they lie outside the data directory."""
    location = data_dir / "database" / "location"
    if location.exists():
        shutil.rmtree(location.read_text().strip(), ignore_errors=True)


@contextlib.contextmanager
def _apache() -> Iterator[str]:
    server = TimescaleServer()
    try:
        try:
            url = server.start()
        except TimescaleMissing as missing:
            pytest.skip(f"no TimescaleDB Apache: {missing}")
        yield url
    finally:
        server.stop()


@contextlib.contextmanager
def _embedded() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="cryptopipe-tests-") as folder:
        Path(folder).chmod(0o711)  # the user whom root starts the server as can enter it, so its files lie here too
        data_dir = Path(folder) / "data"
        server = EmbeddedServer(data_dir)
        try:
            url = server.start()
            _set_unsafe(url)
            yield url
        finally:
            assert server.stop()
            forget(data_dir)


def _set_unsafe(url: str) -> None:
    """Let a server spend nothing on surviving a crash of the machine: it ends with the tests."""
    with psycopg.connect(url, autocommit=True) as connection:
        for name in ("fsync", "full_page_writes", "wal_compression"):
            connection.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(name)))
        connection.execute("SELECT pg_reload_conf()")


_EXTENSION = "SELECT count(*) FROM pg_extension WHERE extname = 'timescaledb'"


def note_named_server() -> bool | None:
    """Return whether the server that is named for the tests has the extension; None where none is named, or answers."""
    url = os.environ.get(NAMED_VARIABLE)
    if not url:
        return None
    with contextlib.suppress(StoreError), connect(url) as connection:
        return connection.execute(_EXTENSION).fetchone() == (1,)
    return None


def drop_roles(connection: Connection, *names: str) -> None:
    """Drop the roles, with all that they own and were granted in this database."""
    roles = sql.SQL(", ").join(map(sql.Identifier, names))
    _persist(lambda: connection.execute(sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(roles)))


def leave_named_server(had_extension: bool | None) -> None:
    """Drop the extension where our tables were the first to need it; once, when no test uses the server any more."""
    if had_extension is False:
        with connect(os.environ[NAMED_VARIABLE]) as connection:
            connection.execute("DROP EXTENSION IF EXISTS timescaledb")


def _drop_schema(server_url: str, schema: str) -> None:
    with connect(server_url) as connection:
        connection.execute("SET client_min_messages = warning")
        # The hypertables by themselves: with their schema, newer versions of TimescaleDB leave some of them behind.
        for table in ("trades", "quotes"):
            drop = f"DROP TABLE IF EXISTS {schema}.{table} CASCADE".encode()
            _persist(functools.partial(connection.execute, drop))
        _persist(lambda: connection.execute(f"DROP SCHEMA {schema} CASCADE".encode()))


def _persist(work: Callable[[], object]) -> None:
    """Do the work, again if it collides with a policy that the server runs on the same tables."""
    for _ in range(_ATTEMPTS - 1):
        with contextlib.suppress(psycopg.errors.DeadlockDetected, psycopg.errors.InternalError_):
            work()
            return
    work()
