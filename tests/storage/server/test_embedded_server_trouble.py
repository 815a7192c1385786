"""Failures that the embedded server survives without help."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from app.market.errors import StoreUnavailable
from storage.postgres.connection import connect, translated
from storage.server import postmaster
from storage.server.cluster import ServerHome, make_cluster
from storage.server.embedded_server import EmbeddedServer
from storage.server.installations import make_reachable, wheel_postgres
from storage.server.postmaster import StillStarting
from storage.server.run_program import Account

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and sockets as Unix has them")

Servers = Callable[..., EmbeddedServer]

BUSY = """
import sys
from storage.postgres.connection import connect, translated
with connect(sys.argv[1]) as connection:
    connection.execute("SELECT pg_advisory_lock(1)")
    print("locked", flush=True)
    connection.execute("SELECT pg_sleep(600)")
"""


def pid_file_of(server: EmbeddedServer) -> Path:
    assert server.home is not None
    return server.home / "cluster" / "postmaster.pid"


def process_of(server: EmbeddedServer) -> psutil.Process:
    return psutil.Process(int(pid_file_of(server).read_text().splitlines()[0]))


def test_processes_that_outlive_a_killed_server_are_ended(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postmaster, "_SIGNAL_SCHEDULE", ((0.1, "SIGQUIT"), (0.5, "SIGKILL"), (60.0, "SIGKILL")))
    server = servers()
    connection = connect(server.start())
    stuck = psutil.Process(connection.info.backend_pid)
    stuck.suspend()  # so it ignores all signals but SIGKILL, and holds the shared memory
    process_of(server).kill()
    url = server.start()
    assert not stuck.is_running() or stuck.status() == psutil.STATUS_ZOMBIE
    connect(url).close()
    connection.close()


def test_a_connection_whose_server_was_killed_says_so(servers: Servers) -> None:
    server = servers()
    connection = connect(server.start())
    process_of(server).kill()
    psutil.Process(connection.info.backend_pid).wait(20)
    with pytest.raises(StoreUnavailable, match="the server is shutting down; wait"), translated("read"):
        connection.execute("SELECT 1")
    with (
        pytest.raises(StoreUnavailable, match="the connection to the database broke; the next try reconnects"),
        translated("read"),
    ):
        connection.execute("SELECT 1")
    connection.close()


def test_a_server_that_is_still_starting_is_awaited_and_not_stopped(servers: Servers) -> None:
    server = servers()
    url = server.start()
    process, pid_file = process_of(server), pid_file_of(server)
    ready = pid_file.read_text()
    pid_file.write_text(ready.replace("ready", "starting"))
    impatient = servers(start_timeout_s=0.3)
    with pytest.raises(StillStarting, match="still starting or stopping: wait and retry"):
        impatient.start()
    assert impatient.stop()
    assert server.stop()
    assert process.is_running()
    pid_file.write_text(ready)
    assert server.start() == url
    assert process_of(server) == process
    assert server.stop()
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the server of a client that has gone")
def test_the_statement_of_a_killed_program_ends_soon_and_frees_its_locks(servers: Servers) -> None:
    url = servers().start()
    busy = subprocess.Popen([sys.executable, "-c", BUSY, url], stdout=subprocess.PIPE, text=True)
    assert busy.stdout is not None
    assert busy.stdout.readline() == "locked\n"
    busy.kill()
    busy.communicate()
    with connect(url, statement_timeout_s=20.0) as connection:
        connection.execute("SELECT pg_advisory_lock(1)")


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can give a folder away")
def test_another_users_database_is_refused_and_unchanged(servers: Servers, data_dir: Path) -> None:
    base = data_dir / "database"
    base.mkdir(parents=True)
    (base / "cluster").mkdir(mode=0o700)
    os.chown(base, 54321, 54321)
    with pytest.raises(StoreUnavailable, match=r"belongs to the user number 54321: start cryptopipe as that user"):
        servers().start()
    assert [path.name for path in base.iterdir()] == ["cluster"]
    assert base.stat().st_uid == 54321
    shutil.rmtree(base)


def test_a_home_that_is_gone_is_not_recreated(servers: Servers, data_dir: Path) -> None:
    server = servers()
    server.start()
    assert server.stop()
    location = data_dir / "database" / "location"
    was = location.read_text() if location.exists() else None
    location.write_text(str(data_dir.parent / "gone"))
    with pytest.raises(StoreUnavailable, match=r"lay in .*gone, which is gone: bring that folder back, or remove"):
        server.start()
    assert not (data_dir.parent / "gone").exists()
    location.unlink()
    if was is not None:
        location.write_text(was)
    connect(server.start()).close()


def test_a_start_that_fails_leaves_no_socket_folder_behind(servers: Servers, data_dir: Path) -> None:
    long = data_dir / ("x" * 100)
    server = servers(long)
    server.start()
    home = server.home
    assert server.stop()
    assert home is not None
    if not home.is_relative_to(long):  # root's home is elsewhere
        (home.parent / ("y" * 100)).mkdir()
        home = home.rename(home.parent / ("y" * 100) / "home")
        (long / "database" / "location").write_text(str(home))
    (home / "cluster" / "postgresql.conf").write_text("shared_buffers = nonsense\n")
    with pytest.raises(StoreUnavailable):
        server.start()
    assert not (home / "socket-folder").exists()
    shutil.rmtree(home.parent if not home.is_relative_to(long) else home)


def test_an_older_error_in_the_log_is_not_reported_as_the_reason(servers: Servers) -> None:
    server = servers()
    server.start()
    assert server.stop()
    assert server.home is not None
    for log in (server.home / "log").glob("postgresql-*.log"):
        with log.open("a") as file:
            file.write("2020-01-01 00:00:00 UTC [1] FATAL:  an old complaint\n")
    (server.home / "cluster" / "postgresql.conf").write_text("shared_buffers = nonsense\n")
    with pytest.raises(StoreUnavailable) as refusal:
        server.start()
    assert "an old complaint" not in str(refusal.value)
    assert "contains errors" in str(refusal.value)


def test_the_log_does_not_repeat_the_statements_that_failed(servers: Servers) -> None:
    server = servers()
    with connect(server.start()) as connection, pytest.raises(Exception, match="division by zero"):
        connection.execute("SELECT 12345 / 0")
    assert server.stop()
    assert server.home is not None
    logged = "".join(path.read_text() for path in (server.home / "log").glob("postgresql-*.log"))
    assert "division by zero" in logged
    assert "12345" not in logged


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can be any user")
def test_the_error_for_a_user_without_a_name_says_what_to_do(reachable_folder: Path) -> None:
    path = reachable_folder / "nameless"
    path.mkdir()
    home = ServerHome(path, Account(54321, 54321))
    home.make_folder(path)
    postgres = make_reachable(wheel_postgres()[0], home.account)
    with pytest.raises(StoreUnavailable, match=r"number 54321 has none: start cryptopipe as a user of /etc/passwd"):
        make_cluster(home, postgres)
    assert list(path.iterdir()) == []
