"""
The database that needs no set-up: a private PostgreSQL server in the data directory.

Several processes may use one data directory at a time. Each holds a lock file of its own in `database/users/` for as
long as it uses the server; starting and stopping happen under `database/server.lock`. So the first to come starts the
server or adopts the one that a killed process left running, and the last to leave stops it.

A pid in a file proves nothing: a process is taken for our server only when it is a postgres whose working directory is
our cluster, and only then is it ever sent a signal.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
from psycopg.conninfo import make_conninfo

from app.market.errors import StoreUnavailable
from storage.binaries import Postgres, find_postgres, run_program, server_account, within_reach
from storage.cluster import (
    DATABASE,
    SOCKET_PORT,
    USER,
    Home,
    choose_postgres,
    find_home,
    forget_socket_folder,
    has_cluster,
    make_cluster,
    socket_folder,
    write_settings,
)
from storage.filelock import FileLock

logger = logging.getLogger(__name__)

_POLL_S = 0.02
_LOCK_TIMEOUT_S = 90.0
_CONNECT_TIMEOUT_S = 5


class EmbeddedServer:
    """
    One user of the data directory's server. `start` it, use the returned conninfo, `stop` it.

    May be called from any thread. ``postgres_bin`` names the folder of other PostgreSQL programs than the wheel's.
    """

    def __init__(self, data_dir: Path, *, postgres_bin: Path | None = None, start_timeout_s: float = 60.0) -> None:
        self._base = data_dir.resolve() / "database"
        self._postgres_bin = postgres_bin
        self._start_timeout_s = start_timeout_s
        self._mutex = threading.Lock()
        self._user: FileLock | None = None
        self._postgres: Postgres | None = None
        self._home: Home | None = None

    @staticmethod
    def exists(data_dir: Path) -> bool:
        """Whether a database was ever made in ``data_dir``; changes nothing."""
        return has_cluster(data_dir.resolve() / "database")

    @property
    def version(self) -> str:
        """The server's version such as ``"18.4"``; empty before the first start."""
        return self._postgres.version if self._postgres is not None else ""

    @property
    def home(self) -> Path | None:
        """The folder that holds the cluster and its log; None before the first start."""
        return self._home.path if self._home is not None else None

    def start(self) -> str:
        """
        Make sure the server runs and return its conninfo; blocks for some .2 s, the first time of all 1 s.

        Call again at any time: a server that has died is started again, at the same address.

        Raises:
            StoreUnavailable: If it cannot be started; the sentence says why.
            StoreSchemaMismatch: If the cluster is of another PostgreSQL version. Nothing was changed.
        """
        with self._mutex, self._alone():
            try:
                return self._start()
            except OSError as error:
                raise StoreUnavailable(
                    f"The embedded database in {self._base} could not be started: {error}."
                ) from error
            finally:
                if self._user is not None and not self._is_running():
                    self._leave()

    def stop(self, timeout_s: float = 20.0) -> bool:
        """
        Leave; the last to leave stops the server, within about ``timeout_s``. False where it would not stop in time.

        Nothing where it was not started.
        """
        with self._mutex:
            if self._user is None or self._home is None:
                return True
            with self._alone():
                self._leave()
                if self._has_users():
                    return True
                return self._stop(self._home, timeout_s)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the lock under which servers are started and stopped."""
        lock = FileLock(self._base / "server.lock")
        try:
            self._base.parent.mkdir(parents=True, exist_ok=True)
            self._base.mkdir(mode=0o711 if server_account() else 0o700, exist_ok=True)
            acquired = lock.acquire(_LOCK_TIMEOUT_S)
        except OSError as error:
            raise StoreUnavailable(
                f"The data directory {self._base.parent} cannot be written ({error.strerror}): make it writable, or "
                "choose another with CRYPTOPIPE_DATA_DIR."
            ) from error
        if not acquired:
            raise StoreUnavailable("Another cryptopipe has been starting the same database for too long: close it.")
        with lock:
            yield

    def _start(self) -> str:
        account = server_account()
        home = self._home = find_home(self._base, account)
        postgres = choose_postgres(home, find_postgres(self._postgres_bin))
        postgres = self._postgres = within_reach(postgres, account)
        make_cluster(home, postgres)
        self._join()
        deadline = time.monotonic() + self._start_timeout_s
        while True:
            running = _find_server(home)
            if running is None or not _wait_ready(home, running, deadline):
                _launch(home, postgres, deadline)
            conninfo = _conninfo(home)
            try:
                _make_database(conninfo)
            except psycopg.OperationalError as error:
                # A server that is being killed looks ready until it is gone.
                if time.monotonic() >= deadline:
                    raise StoreUnavailable(
                        f"The embedded database runs but does not answer: retry; {home.log} says what it does."
                    ) from error
                time.sleep(_POLL_S)
            else:
                return conninfo

    def _stop(self, home: Home, timeout_s: float) -> bool:
        process = _find_server(home)
        if process is None:
            return True
        stopped = _ended(process, "fast", timeout_s * 0.75) or _ended(process, "immediate", timeout_s * 0.25)
        if stopped:
            forget_socket_folder(home)
            logger.info("Stopped the database server")
        else:
            logger.error("The database server, pid %d, would not stop within %.0f s", process.pid, timeout_s)
        return stopped

    def _is_running(self) -> bool:
        return self._home is not None and _find_server(self._home) is not None

    def _join(self) -> None:
        if self._user is None:
            users = self._base / "users"
            users.mkdir(mode=0o700, exist_ok=True)
            self._user = FileLock(users / f"{os.getpid()}-{secrets.token_hex(4)}")
            self._user.acquire()

    def _leave(self) -> None:
        if self._user is not None:
            self._user.release()
            self._user.path.unlink(missing_ok=True)
            self._user = None

    def _has_users(self) -> bool:
        """Whether another process, or another object of this one, uses the server; forgets those that died."""
        alive = False
        for path in (self._base / "users").glob("*"):
            with FileLock(path) as lock:
                if lock.acquire():
                    lock.release()
                    path.unlink(missing_ok=True)
                else:
                    alive = True
        return alive


def _find_server(home: Home) -> psutil.Process | None:
    """Return the running server of that home, or None; never a process that merely has its number."""
    try:
        pid = int((home.cluster / "postmaster.pid").read_text(encoding="utf-8").split("\n", 1)[0])
        process = psutil.Process(abs(pid))
        return process if _is_of(process, home) else None
    except (OSError, ValueError, psutil.Error):
        return None


def _is_of(process: psutil.Process, home: Home) -> bool:
    """Whether ``process`` is a postgres that works in the home's cluster."""
    try:
        if process.status() == psutil.STATUS_ZOMBIE or not process.name().startswith("postgres"):
            return False
        return os.path.samefile(process.cwd(), home.cluster)
    except (OSError, psutil.Error):
        return False


def _wait_ready(home: Home, process: psutil.Process, deadline: float) -> bool:
    """Wait until that server takes connections; False where it ends. Raises StoreUnavailable past ``deadline``."""
    while process.is_running() and _is_of(process, home):
        with contextlib.suppress(OSError, IndexError):
            lines = (home.cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()
            # The last line is PostgreSQL's own word on its state; see pg_ctl.
            if lines[7].strip() == "ready":
                return True
        if time.monotonic() >= deadline:
            raise StoreUnavailable(
                f"The embedded database is still starting or stopping: wait and retry; {home.log} says what it does."
            )
        time.sleep(_POLL_S)
    return False


def _launch(home: Home, postgres: Postgres, deadline: float) -> None:
    _clear_stale_files(home, deadline)
    on_socket = sys.platform != "win32"
    write_settings(
        home,
        sockets=socket_folder(home) if on_socket else None,
        port=SOCKET_PORT if on_socket else _free_port(),
    )
    wait_s = max(1, int(deadline - time.monotonic()))
    home.start_log.unlink(missing_ok=True)
    arguments = ["start", "-D", str(home.cluster), "-l", str(home.start_log), "-w", "-t", str(wait_s), "-s"]
    try:
        code, said = run_program([postgres.program("pg_ctl"), *arguments], home.account, timeout_s=wait_s + 5)
    except subprocess.TimeoutExpired:
        code, said = -1, f"no answer within {wait_s} s"
    if code != 0:
        logger.error("pg_ctl start ended with %d: %s", code, said)
        raise StoreUnavailable(f"The embedded database did not start: {_last_words(home) or said}")
    logger.info("Started PostgreSQL %s in %s", postgres.version, home.cluster)


def _clear_stale_files(home: Home, deadline: float) -> None:
    """
    Remove what a server that is dead for certain has left.

    PostgreSQL would refuse to start where the number in its pid file belongs, by now, to any other process of its user.
    Children that outlive a killed server for a moment still hold its memory; they are waited for.
    """
    pid_file = home.cluster / "postmaster.pid"
    if not pid_file.exists():
        return
    while any(_is_of(process, home) for process in psutil.process_iter()):
        if time.monotonic() >= deadline:
            raise StoreUnavailable(
                "Parts of a database server that was killed are still running: restart the computer, or end the "
                "processes named postgres."
            )
        time.sleep(_POLL_S)
    with contextlib.suppress(OSError, IndexError):
        folder = Path(pid_file.read_text(encoding="utf-8").splitlines()[4])
        if folder.name:
            for name in (f".s.PGSQL.{SOCKET_PORT}", f".s.PGSQL.{SOCKET_PORT}.lock"):
                (folder / name).unlink(missing_ok=True)
    pid_file.unlink(missing_ok=True)


def _ended(process: psutil.Process, mode: str, timeout_s: float) -> bool:
    """Ask a verified server to stop; whether it did in time."""
    try:
        if sys.platform == "win32":
            # PostgreSQL's signals are pipes there; without them a terminated server recovers at its next start.
            process.terminate()
        else:
            import signal

            process.send_signal(signal.SIGINT if mode == "fast" else signal.SIGQUIT)
        deadline = time.monotonic() + timeout_s
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_S)
    except psutil.NoSuchProcess:
        pass
    return True


def _conninfo(home: Home) -> str:
    lines = (home.cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    host, port = lines[4].strip(), lines[3].strip()
    if host:
        return make_conninfo(host=host, port=port, user=USER, dbname=DATABASE)
    password = home.password_file.read_text(encoding="ascii")
    return make_conninfo(host="127.0.0.1", port=port, user=USER, dbname=DATABASE, password=password)


def _make_database(conninfo: str) -> None:
    with psycopg.connect(
        conninfo, dbname="postgres", autocommit=True, connect_timeout=_CONNECT_TIMEOUT_S
    ) as connection:
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone()
        if known is None:
            connection.execute(f"CREATE DATABASE {DATABASE}")


def _last_words(home: Home) -> str:
    """Return the server's own reason for not starting, from its logs."""
    logs = sorted(home.log.glob("*.log"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in logs:
        with contextlib.suppress(OSError):
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-40:]
            for line in reversed(lines):
                if "FATAL:" in line or "PANIC:" in line:
                    return line.split(": ", 1)[-1].strip().rstrip(".") + f"; its log is in {home.log}."
    return ""


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
