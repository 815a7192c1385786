"""Upgrades of clusters from real older PostgreSQL versions to the wheel's newest, interrupted at every point."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.market.errors import StoreUnavailable
from storage.database import Database
from storage.postgres.connection import connect
from storage.server import upgrade
from storage.server.cluster import ServerHome, major_version
from storage.server.embedded_server import EmbeddedServer
from storage.server.installations import Installation, make_reachable, wheel_postgres
from storage.server.run_program import server_account
from tests.depth import mostly_deep
from tests.storage.helpers import some_trades, stored
from tests.storage.installations import older_postgres

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processes are ended as Unix does")

Servers = Callable[..., EmbeddedServer]
NEWEST = wheel_postgres()[0]
TRADES = some_trades(3_000)


MAJORS = [postgres.major for postgres in older_postgres()] or [None]


@pytest.fixture(params=mostly_deep(MAJORS, MAJORS[:1]))
def old(request: pytest.FixtureRequest) -> Installation:
    """Each older PostgreSQL installed here."""
    for postgres in older_postgres():
        if postgres.major == request.param:
            return postgres
    pytest.skip("neither the wheel nor the system has an older PostgreSQL")


@pytest.fixture
def one_old() -> Installation:
    for postgres in older_postgres():
        return postgres
    pytest.skip("neither the wheel nor the system has an older PostgreSQL")


def record(data_dir: Path, postgres: Installation) -> ServerHome:
    """Store trades with that version; return the server's home."""
    database = Database.open(None, data_dir, postgres.bin_dir)
    assert database.label == f"Embedded PostgreSQL {postgres.version}"
    assert database.writer.put(TRADES)
    assert database.close()
    assert database._server is not None
    assert database._server.home is not None
    return ServerHome(database._server.home, server_account())


def check(data_dir: Path, version: str = NEWEST.version) -> None:
    """Check that all trades are there, on that version, and that more can be stored."""
    database = Database.open(None, data_dir)
    try:
        assert database.label == f"Embedded PostgreSQL {version}"
        assert stored(database.store) == TRADES
        assert database.writer.put(some_trades(10, symbol="ETHUSDT"))
        assert database.writer.drain(30)
    finally:
        assert database.close()


def test_an_older_cluster_is_upgraded_with_all_its_data(old: Installation, data_dir: Path) -> None:
    home = record(data_dir, old)
    check(data_dir)
    assert major_version(home) == NEWEST.major
    assert sorted(path.name for path in home.path.glob("cluster*")) == ["cluster"]
    assert not (home.path / "upgrade").exists()
    check(data_dir)


def test_a_crashed_cluster_is_upgraded_too(one_old: Installation, data_dir: Path, servers: Servers) -> None:
    record(data_dir, one_old)
    server = servers(postgres_bin=one_old.bin_dir)
    server.start()
    kill_server(server)
    server.stop()
    check(data_dir)


def test_an_older_server_is_shared_while_in_use_and_otherwise_upgraded(
    one_old: Installation, data_dir: Path, servers: Servers
) -> None:
    record(data_dir, one_old)
    other = servers(postgres_bin=one_old.bin_dir)
    other.start()
    check(data_dir, one_old.version)
    other._unregister_user()  # as when its process is killed: the server stays, and nobody uses it
    check(data_dir)


def test_a_cluster_that_cannot_be_upgraded_is_unchanged_and_the_error_says_why(
    one_old: Installation, data_dir: Path, servers: Servers
) -> None:
    record(data_dir, one_old)
    server = servers(postgres_bin=one_old.bin_dir)
    with connect(server.start()) as connection:
        # pg_upgrade refuses columns of this type.
        connection.execute("CREATE TABLE in_the_way (procedure regproc)")
    assert server.stop()
    check(data_dir, one_old.version)
    with pytest.raises(StoreUnavailable, match=r"could not be upgraded from .*upgrade\.log, or set postgres_bin to"):
        servers(postgres_bin=NEWEST.bin_dir).start()
    check(data_dir, one_old.version)


def test_an_upgrade_killed_at_any_moment_is_undone_or_finished_by_the_next_start(
    one_old: Installation, data_dir: Path
) -> None:
    home = record(data_dir, one_old)
    script = (
        "import sys; from pathlib import Path; from storage.server.embedded_server import EmbeddedServer as Server;"
    )
    program = subprocess.Popen([sys.executable, "-c", script + "Server(Path(sys.argv[1])).start()", str(data_dir)])
    deadline = time.monotonic() + 30
    while not (home.path / "upgrade").exists() and program.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(random.uniform(0.0, 3.0))
    program.send_signal(signal.SIGKILL)
    program.wait()
    check(data_dir)


def test_an_upgrade_cut_short_between_its_last_steps_is_whole(
    one_old: Installation, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = record(data_dir, one_old)

    class CutShort(BaseException):
        pass

    def cut(home: ServerHome) -> None:
        raise CutShort

    with monkeypatch.context() as patched:
        patched.setattr(upgrade, "resolve_interrupted_upgrade", cut)
        with pytest.raises(CutShort):
            upgrade.upgrade(home, one_old, make_reachable(NEWEST, home.account))
    assert (home.path / "upgrade" / "done").exists()
    home.cluster.rename(home.path / "cluster.old")
    assert EmbeddedServer.exists(data_dir)
    check(data_dir)
    assert major_version(home) == NEWEST.major


def kill_server(server: EmbeddedServer) -> None:
    assert server.home is not None
    pid = int((server.home / "cluster" / "postmaster.pid").read_text().splitlines()[0])
    os.kill(pid, signal.SIGKILL)
