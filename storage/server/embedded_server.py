"""
The embedded database: a private PostgreSQL server in the data directory, which needs no set-up.

Several processes may share one data directory. Each holds its own lock file in `database/users/` while it uses the
server; starting and stopping happen under `database/server.lock`. So the first process starts the server, or adopts
one that a killed process left running, and the last one stops it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import psycopg

from app.market.errors import StoreUnavailable
from storage.server import installation_choice, upgrade
from storage.server.cluster import (
    DATABASE,
    ServerHome,
    check_own_folder,
    check_owner,
    find_home,
    forget_socket_folder,
    has_cluster,
    make_cluster,
    needs_timescale,
)
from storage.server.disk_space import disk_full_error, is_disk_full
from storage.server.file_lock import FileLock
from storage.server.installations import Installation, make_reachable
from storage.server.postmaster import (
    POLL_S,
    conninfo_of,
    find_server,
    is_running_from,
    launch,
    state_of,
    stop_server,
    wait_ready,
)
from storage.server.run_program import server_account
from storage.server.upgrade import update_timescale

logger = logging.getLogger(__name__)

_LOCK_TIMEOUT_S = 90.0
_CONNECT_TIMEOUT_S = 5
_MIN_STOP_S = 1.0


class _ServerLockTimeout(StoreUnavailable):
    """Another program held the server's lock for too long."""


class EmbeddedServer:
    """
    One user of the data directory's server. `start` it, use the returned conninfo, `stop` it, or `close` it for good.

    May be called from any thread. ``postgres_bin`` is the folder of the PostgreSQL programs to use, and
    ``system_folders`` are the folders to search for others; see `storage.server.installation_choice`.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        postgres_bin: Path | None = None,
        system_folders: Iterable[Path] | None = None,
        start_timeout_s: float = 60.0,
    ) -> None:
        self._base = data_dir.resolve() / "database"
        self._postgres_bin = postgres_bin
        self._system_folders = list(system_folders) if system_folders is not None else None
        self._start_timeout_s = start_timeout_s
        self._mutex = threading.Lock()
        self._user_lock: FileLock | None = None
        self._postgres: Installation | None = None
        self._home: ServerHome | None = None
        self._closed = False

    @staticmethod
    def exists(data_dir: Path) -> bool:
        """Whether ``data_dir`` has an embedded database; changes nothing."""
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
        Make sure the server runs and return its conninfo; blocks for about 0.2 s, or 1 s if it creates the cluster.

        Call again at any time: a server that has died is restarted, at the same address.

        Raises:
            StoreUnavailable: If it cannot be started, or is closed; the message says why.
            StoreSchemaMismatch: If no PostgreSQL here can run the cluster. Nothing was changed.
        """
        self._check_open()  # before waiting for the locks
        with self._mutex, self._server_lock():
            self._check_open()
            was_user = self._user_lock is not None
            try:
                conninfo = self._start()
                self._check_open()
                return conninfo
            except OSError as error:
                if is_disk_full(error):
                    raise disk_full_error(self._base) from error
                raise StoreUnavailable(
                    f"The embedded database in {self._base} could not be started: {error}."
                ) from error
            finally:
                # `close` may have given up waiting for this start, so the server has to be stopped here.
                if self._closed and self._home is not None:
                    self._unregister_user()
                    if not self._has_users():
                        self._stop(self._home, self._start_timeout_s)
                elif self._home is not None and not self._is_running():
                    self._unregister_user()
                    # A restart must find the same address, so only a first start removes the socket's folder.
                    if not was_user and not self._has_users():
                        forget_socket_folder(self._home)

    def stop(self, timeout_s: float = 20.0) -> bool:
        """
        Stop using the server, and stop it if nobody else uses it. Blocks for about ``timeout_s`` at most.

        Return False if it did not stop in time, or if another thread or program was starting or upgrading it the whole
        time; that program stops it when it is done. Does nothing if it was not started. A server that is still starting
        keeps running, and the next start adopts it: if it were stopped while it recovers from a crash, recovery would
        have to start over.
        """
        deadline = time.monotonic() + timeout_s
        if not self._mutex.acquire(timeout=max(0.0, timeout_s)):
            logger.warning("The database server is not stopped, because another thread is starting it")
            return False
        try:
            if self._user_lock is None or self._home is None:
                return True
            with self._server_lock(max(0.0, deadline - time.monotonic())):
                self._unregister_user()
                if self._has_users():
                    return True
                return self._stop(self._home, max(_MIN_STOP_S, deadline - time.monotonic()))
        except _ServerLockTimeout:
            logger.warning("The database server is not stopped, because another program is starting or upgrading it")
            self._unregister_user()
            return False
        finally:
            self._mutex.release()

    def close(self, timeout_s: float = 20.0) -> bool:
        """`stop` for good: `start` raises from now on, and a start in progress stops the server again."""
        self._closed = True
        return self.stop(timeout_s)

    @contextlib.contextmanager
    def _server_lock(self, timeout_s: float = _LOCK_TIMEOUT_S) -> Iterator[None]:
        """Hold the lock for starting and stopping the server; raises _ServerLockTimeout after ``timeout_s``."""
        lock = FileLock(self._base / "server.lock")
        try:
            account = server_account()
            check_owner(self._base, account)
            self._base.parent.mkdir(parents=True, exist_ok=True)
            self._base.mkdir(mode=0o711 if account else 0o700, exist_ok=True)
            acquired = lock.acquire(timeout_s)
        except OSError as error:
            if is_disk_full(error):
                raise disk_full_error(self._base) from error
            raise StoreUnavailable(
                f"The data directory {self._base.parent} cannot be written ({error.strerror}): make it writable, or "
                "choose another with CRYPTOPIPE_DATA_DIR."
            ) from error
        if not acquired:
            raise _ServerLockTimeout(
                "Another cryptopipe is still starting or upgrading the same database: wait, or close it."
            )
        with lock:
            yield

    def _check_open(self) -> None:
        if self._closed:
            raise StoreUnavailable("The embedded database has been closed: open it again.")

    def _start(self) -> str:
        account = server_account()
        home = self._home = find_home(self._base, account)
        is_shared = self._has_users()
        if not is_shared:  # the first user has resolved it already
            upgrade.resolve_interrupted_upgrade(home)
        self._postgres = self._prepare_cluster(home, is_shared)
        self._register_user()
        deadline = time.monotonic() + self._start_timeout_s
        while True:
            running = find_server(home)
            if running is None or not wait_ready(home, running, deadline):
                launch(home, self._postgres, deadline)
            try:
                conninfo = conninfo_of(home)
                _make_database(conninfo)
                if needs_timescale(home):
                    update_timescale(conninfo, connect_timeout_s=_CONNECT_TIMEOUT_S)
                if upgrade.was_upgraded(home):
                    _finish_upgrade(home, conninfo)
            except (psycopg.OperationalError, IndexError, FileNotFoundError) as error:
                # A server that is being killed looks ready until it is gone: try again.
                if time.monotonic() >= deadline:
                    raise StoreUnavailable(
                        f"The embedded database runs but does not answer: retry; {home.log} says what it does."
                    ) from error
                time.sleep(POLL_S)
            else:
                return conninfo

    def _prepare_cluster(self, home: ServerHome, is_shared: bool) -> Installation:
        """Create or upgrade the cluster if needed; return the installation to run it, made reachable."""
        if not home.cluster.exists():
            if upgrade.was_upgraded(home):
                raise StoreUnavailable(
                    f"The database in {home.cluster} is gone, and beside it is {home.path / 'cluster.old'}, from "
                    "before an upgrade: bring the first back, or move the second away too to start with an empty one."
                )
            return self._make_cluster(home)
        chosen = installation_choice.for_cluster(home, self._postgres_bin, self._system_folders)
        postgres = make_reachable(chosen.postgres, home.account)
        running = find_server(home)
        # A server that a killed program left running may be of another version; one in use is never replaced.
        if (
            running is not None
            and not is_shared
            and (chosen.upgrade_to is not None or not is_running_from(running, postgres))
        ):
            logger.info("Stopping the running database server, which another PostgreSQL will replace")
            stop_server(running, self._start_timeout_s)
            running = find_server(home)
        if chosen.upgrade_to is None or running is not None:
            return postgres
        newer = make_reachable(chosen.upgrade_to, home.account)
        try:
            self._upgrade(home, postgres, newer)
        except (OSError, StoreUnavailable) as error:
            if chosen.must_upgrade:
                raise
            logger.warning("The database stays with PostgreSQL %s: %s", postgres.version, error)
            return postgres
        return newer

    def _make_cluster(self, home: ServerHome) -> Installation:
        candidates = installation_choice.for_new_cluster(self._postgres_bin, self._system_folders)
        for candidate in candidates[:-1]:
            try:
                return _make_cluster_with(candidate, home)
            except (OSError, StoreUnavailable) as error:
                logger.warning("Trying the next PostgreSQL: %s", error)
        return _make_cluster_with(candidates[-1], home)

    def _upgrade(self, home: ServerHome, old: Installation, new: Installation) -> None:
        if not upgrade.is_shut_down(home, old):
            launch(home, old, time.monotonic() + self._start_timeout_s)
            server = find_server(home)
            if server is not None and not stop_server(server, self._start_timeout_s):
                raise StoreUnavailable("The database server did not stop to be upgraded: retry.")
        upgrade.upgrade(home, old, new)

    def _stop(self, home: ServerHome, timeout_s: float) -> bool:
        try:
            process = find_server(home)
        except StoreUnavailable as error:
            logger.error("The database server keeps running: %s", error)
            return False
        if process is None:
            forget_socket_folder(home)
            return True
        if state_of(home) == "starting":
            logger.warning("The database server, pid %d, is still starting; the next start adopts it", process.pid)
            return True
        stopped = stop_server(process, timeout_s)
        if stopped:
            forget_socket_folder(home)
            logger.info("Stopped the database server")
        else:
            logger.error("The database server, pid %d, did not stop within %.0f s", process.pid, timeout_s)
        return stopped

    def _is_running(self) -> bool:
        """Whether the server runs; True if that is uncertain."""
        try:
            return self._home is not None and find_server(self._home) is not None
        except StoreUnavailable:
            return True

    def _register_user(self) -> None:
        if self._user_lock is None:
            users = self._base / "users"
            users.mkdir(mode=0o700, exist_ok=True)
            check_own_folder(users)
            self._user_lock = FileLock(users / f"{os.getpid()}-{secrets.token_hex(4)}")
            self._user_lock.acquire()

    def _unregister_user(self) -> None:
        if self._user_lock is not None:
            self._user_lock.release()
            self._user_lock.path.unlink(missing_ok=True)
            self._user_lock = None

    def _has_users(self) -> bool:
        """Whether another process, or another object in this one, uses the server; removes dead users' lock files."""
        alive = False
        users = self._base / "users"
        if users.exists():
            check_own_folder(users)
        for path in users.glob("*"):
            with FileLock(path) as lock:
                if lock.acquire():  # its process has died, or it would hold the lock
                    lock.release()
                    path.unlink(missing_ok=True)
                else:
                    alive = True
        return alive


def _make_cluster_with(postgres: Installation, home: ServerHome) -> Installation:
    postgres = make_reachable(postgres, home.account)
    make_cluster(home, postgres)
    return postgres


def _make_database(conninfo: str) -> None:
    with psycopg.connect(
        conninfo, dbname="postgres", autocommit=True, connect_timeout=_CONNECT_TIMEOUT_S
    ) as connection:
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone()
        if known is None:
            connection.execute(f"CREATE DATABASE {DATABASE}")


def _finish_upgrade(home: ServerHome, conninfo: str) -> None:
    with psycopg.connect(conninfo, autocommit=True, connect_timeout=_CONNECT_TIMEOUT_S) as connection:
        connection.execute("ANALYZE")  # pg_upgrade does not carry over the planner's statistics
    upgrade.remove_old_cluster(home)
