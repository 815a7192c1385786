"""Root without the right to inspect other processes, as in a container: no live server is mistaken for dead."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from storage.postgres.connection import connect
from storage.server import upgrade
from storage.server.cluster import ServerHome
from storage.server.embedded_server import EmbeddedServer
from storage.server.run_program import server_account

IS_ROOT = sys.platform == "linux" and os.geteuid() == 0 and shutil.which("setpriv") is not None
pytestmark = pytest.mark.skipif(not IS_ROOT, reason="takes root, and setpriv to take a right from him")

Servers = Callable[..., EmbeddedServer]

BLIND = ["setpriv", "--bounding-set", "-sys_ptrace", "--inh-caps", "-sys_ptrace"]

PREAMBLE = """
import sys, psutil
from pathlib import Path
from app.market.errors import StoreUnavailable
from storage.server import upgrade
from storage.server.cluster import ServerHome
from storage.server.embedded_server import EmbeddedServer
from storage.server.run_program import server_account

def is_blind(pid):
    try:
        psutil.Process(pid).cwd()
    except psutil.AccessDenied:
        return True

path = Path(sys.argv[1])
"""


def blindly(script: str, *arguments: object) -> str:
    """Run ``script`` as root without that right; return what it prints."""
    command = [*BLIND, sys.executable, "-c", PREAMBLE + script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def home_of(server: EmbeddedServer) -> ServerHome:
    assert server.home is not None
    return ServerHome(server.home, server_account())


def pid_file_of(server: EmbeddedServer) -> Path:
    return home_of(server).cluster / "postmaster.pid"


def process_of(server: EmbeddedServer) -> psutil.Process:
    return psutil.Process(int(pid_file_of(server).read_text().splitlines()[0]))


def runs(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def test_a_server_is_adopted_and_stopped(servers: Servers, data_dir: Path) -> None:
    server = servers()
    url = server.start()
    process = process_of(server)
    server._unregister_user()  # as when its process is killed
    script = """
server = EmbeddedServer(path)
print(server.start())
assert is_blind(int(sys.argv[2]))
assert server.stop()
"""
    assert blindly(script, data_dir, process.pid) == url
    assert not runs(process)
    assert not pid_file_of(server).exists()


def test_a_killed_servers_processes_are_awaited_beside_another_clusters_server(
    servers: Servers, data_dir: Path, tmp_path: Path
) -> None:
    server, other = servers(), servers(tmp_path / "other")
    try:
        url, other_url = server.start(), other.start()
        server._unregister_user()
        process_of(server).kill()
        script = "server = EmbeddedServer(path); print(server.start()); assert server.stop()"
        assert blindly(script, data_dir) == url
        connect(other_url).close()
    finally:
        from tests.storage.conftest import forget

        other.stop()
        forget(tmp_path / "other")


def test_an_unidentified_process_is_not_stopped_and_nothing_starts_beside_it(servers: Servers, data_dir: Path) -> None:
    server = servers()
    url = server.start()
    process, pid_file = process_of(server), pid_file_of(server)
    said = pid_file.read_text()
    lines = said.splitlines()
    lines[2] = str(int(lines[2]) - 3600)
    pid_file.write_text("\n".join(lines) + "\n")
    script = """
try:
    EmbeddedServer(path).start()
except StoreUnavailable as error:
    print(error)
"""
    assert f"Process {process.pid} may be the server" in blindly(script, data_dir)
    assert pid_file.exists()
    pid_file.write_text(said)
    assert runs(process)
    connect(url).close()


def test_processes_of_an_interrupted_upgrade_are_ended(servers: Servers) -> None:
    server = servers()
    server.start()
    process, home = process_of(server), home_of(server)
    home.make_folder(home.path / "upgrade")
    blindly("upgrade.resolve_interrupted_upgrade(ServerHome(path, server_account()))", home.path)
    assert not runs(process)
    assert not (home.path / "upgrade").exists()
    assert not upgrade.was_upgraded(home)
