from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import psycopg
import pytest

from app.market.errors import StoreSchemaMismatch, StoreUnavailable
from storage.postgres.connection import connect
from storage.server.embedded_server import EmbeddedServer
from storage.server.file_lock import FileLock

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and sockets as Unix has them")

Servers = Callable[..., EmbeddedServer]

HOLDER = """
import sys, time
from pathlib import Path
from storage.server.embedded_server import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]))
print(server.start(), flush=True)
sys.stdin.readline()
server.stop()
"""


def hold(data_dir: Path) -> subprocess.Popen[str]:
    """Start another program that uses the server until its input ends."""
    program = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(data_dir)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert program.stdout is not None
    assert program.stdout.readline()
    return program


def stop_holder(program: subprocess.Popen[str]) -> None:
    program.communicate("\n", timeout=30)


def cluster_of(server: EmbeddedServer) -> Path:
    assert server.home is not None
    return server.home / "cluster"


def pid_of(server: EmbeddedServer) -> int:
    return int((cluster_of(server) / "postmaster.pid").read_text().splitlines()[0])


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def answers(url: str) -> bool:
    try:
        connect(url).close()
    except StoreUnavailable:
        return False
    return True


def test_it_is_created_without_any_programs_on_the_path(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert answers(servers().start())


def test_it_starts_stops_and_keeps_its_data(servers: Servers) -> None:
    server = servers()
    url = server.start()
    assert server.version.split(".")[0].isdigit()
    with connect(url) as connection:
        connection.execute("CREATE TABLE kept (n int)")
    assert server.start() == url
    pid = pid_of(server)
    assert server.stop()
    assert not runs(pid)
    assert not answers(url)
    with connect(server.start()) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)


def test_only_its_owner_can_reach_it(servers: Servers) -> None:
    server = servers()
    with connect(server.start()) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        folder = Path(connection.info.host)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(cluster_of(server).stat().st_mode) == 0o700
    assert server.home is not None
    assert stat.S_IMODE(server.home.stat().st_mode) == 0o700


def test_the_permissions_of_the_folders_above_stay_as_they_were(servers: Servers, data_dir: Path) -> None:
    above = [folder for folder in data_dir.parents if folder.exists()]
    before = [folder.stat().st_mode for folder in above]
    servers().start()
    assert [folder.stat().st_mode for folder in above] == before


def test_the_last_of_several_programs_stops_it(servers: Servers, data_dir: Path) -> None:
    here = servers()
    url = here.start()
    pid = pid_of(here)
    other = hold(data_dir)
    second_here = servers()
    assert second_here.start() == url
    assert here.stop()
    assert runs(pid)
    assert second_here.stop()
    assert answers(url)
    stop_holder(other)
    assert not runs(pid)


def test_the_next_program_adopts_and_stops_the_server_of_a_killed_one(servers: Servers, data_dir: Path) -> None:
    killed = hold(data_dir)
    killed.kill()
    killed.communicate()
    server = servers()
    server.start()
    pid = pid_of(server)
    log = (server.home or Path()) / "log"
    assert sum(path.read_text().count("ready to accept connections") for path in log.glob("*.log")) == 1
    assert server.stop()
    assert not runs(pid)


def test_a_killed_server_recovers_at_the_same_address(servers: Servers) -> None:
    server = servers()
    url = server.start()
    with connect(url) as connection:
        connection.execute("CREATE TABLE kept (n int)")
        connection.execute("INSERT INTO kept VALUES (1)")
    os.kill(pid_of(server), signal.SIGKILL)
    assert server.start() == url
    with connect(url) as connection:
        assert connection.execute("SELECT n FROM kept").fetchall() == [(1,)]


@pytest.mark.parametrize("victim_is_postgres_by_name", [False, True])
def test_a_stale_pid_file_never_harms_the_process_that_now_has_the_pid(
    servers: Servers, tmp_path: Path, victim_is_postgres_by_name: bool
) -> None:
    server = servers()
    url = server.start()
    pid_file = cluster_of(server) / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    os.kill(int(lines[0]), signal.SIGKILL)
    sleeper = Path("/bin/sleep")
    if victim_is_postgres_by_name:
        (tmp_path / "postgres").symlink_to(sleeper)
        sleeper = tmp_path / "postgres"
    victim = subprocess.Popen([sleeper, "600"], cwd=tmp_path)
    try:
        pid_file.write_text("\n".join([str(victim.pid), *lines[1:]]) + "\n")
        socket_lock = Path(lines[4]) / ".s.PGSQL.5432.lock"
        socket_lock.write_text("\n".join([str(victim.pid), *lines[1:5]]) + "\n")
        assert server.start() == url
        assert answers(url)
        # Stale once more; this time `stop` finds it.
        os.kill(pid_of(server), signal.SIGKILL)
        pid_file.write_text("\n".join([str(victim.pid), *lines[1:]]) + "\n")
        assert server.stop()
        assert victim.poll() is None
    finally:
        victim.kill()
        victim.wait()


def test_a_data_directory_with_a_long_path_and_odd_characters_works(
    tmp_path: Path, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_dir = tmp_path / ("it's a “long”, path " + "x" * 60) / ("y" * 80) / "data"
    server = servers(data_dir)
    try:
        assert answers(server.start())
        assert server.stop()
        # The home itself has a long path, as for a user who is not root.
        home = server.home
        assert home is not None
        location = data_dir / "database" / "location"
        if location.exists():
            longer = home.parent / ("it's-" + "z" * 100)
            home.rename(longer)
            location.write_text(str(longer))
            url = server.start()
            folder = Path(str(psycopg.conninfo.conninfo_to_dict(url)["host"]))
            assert answers(url)
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            os.kill(pid_of(server), signal.SIGKILL)
            assert server.start() == url
            assert server.stop()
            assert not folder.exists()
    finally:
        from tests.storage.conftest import forget

        server.stop()
        forget(data_dir)


def test_many_starting_and_stopping_at_once_share_one_server(servers: Servers) -> None:
    users = [servers() for _ in range(6)]
    urls: list[str] = []
    threads = [threading.Thread(target=lambda user=user: urls.append(user.start())) for user in users]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(urls) == 6
    assert len(set(urls)) == 1
    pid = pid_of(users[0])
    for user in users[:-1]:
        user.stop()
    assert runs(pid)
    users[-1].stop()
    assert not runs(pid)


def test_a_cluster_of_another_version_is_refused_and_unchanged(servers: Servers) -> None:
    server = servers()
    server.start()
    server.stop()
    version = cluster_of(server) / "PG_VERSION"
    version.write_text("9\n")
    with pytest.raises(StoreSchemaMismatch, match=r"made by PostgreSQL 9.*set postgres_bin"):
        server.start()
    assert version.read_text() == "9\n"
    version.write_text("rubbish\n")
    with pytest.raises(StoreUnavailable, match="damaged"):
        server.start()


def test_a_cluster_that_cannot_start_says_why(servers: Servers) -> None:
    server = servers()
    server.start()
    server.stop()
    (cluster_of(server) / "global" / "pg_control").write_bytes(b"")
    with pytest.raises(StoreUnavailable, match=r"did not start: .*pg_control"):
        server.start()


def test_an_interrupted_initdb_is_repeated(servers: Servers, data_dir: Path) -> None:
    server = servers()
    server.start()
    server.stop()
    cluster = cluster_of(server)
    cluster.rename(cluster.with_name("cluster.new"))
    assert answers(server.start())


def test_a_folder_without_programs_is_refused(servers: Servers, tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match=r"No PostgreSQL programs run from .*postgres_bin"):
        servers(postgres_bin=tmp_path).start()


def test_a_data_directory_that_cannot_be_created_is_named(servers: Servers, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreUnavailable, match="CRYPTOPIPE_DATA_DIR"):
        EmbeddedServer(tmp_path / "file" / "data").start()


def test_stopping_is_bounded_while_a_client_is_busy(servers: Servers) -> None:
    server = servers()
    connection = connect(server.start())
    connection.execute("BEGIN")
    began = time.monotonic()
    assert server.stop(timeout_s=10.0)
    assert time.monotonic() - began < 10.0
    connection.close()


def test_stopping_is_bounded_while_another_program_holds_the_lock(servers: Servers, data_dir: Path) -> None:
    server = servers()
    url = server.start()
    with FileLock(data_dir / "database" / "server.lock") as lock:
        assert lock.acquire()
        began = time.monotonic()
        assert not server.stop(timeout_s=1.0)
        assert 0.9 < time.monotonic() - began < 4.0
    assert answers(url)
    # It is no longer registered as a user, so the next program to stop is the last one.
    other = servers()
    other.start()
    assert other.stop()
    assert not answers(url)


def test_a_closed_server_cannot_be_started(servers: Servers) -> None:
    server = servers()
    url = server.start()
    assert server.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        server.start()
    assert not answers(url)


def test_a_start_in_progress_stops_the_server_if_it_was_closed(servers: Servers, data_dir: Path) -> None:
    server = servers()
    url = server.start()
    assert server.stop()
    outcome: list[str | StoreUnavailable] = []

    def start() -> None:
        try:
            outcome.append(server.start())
        except StoreUnavailable as error:
            outcome.append(error)

    with FileLock(data_dir / "database" / "server.lock") as lock:
        assert lock.acquire()
        starting = threading.Thread(target=start)
        starting.start()
        time.sleep(0.2)
        began = time.monotonic()
        assert not server.close(timeout_s=0.5)
        assert time.monotonic() - began < 3.0
    starting.join(60)
    assert isinstance(outcome[0], StoreUnavailable)
    assert not answers(url)
    assert list((data_dir / "database" / "users").iterdir()) == []
