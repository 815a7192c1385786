"""
Upgrades a cluster to a newer PostgreSQL with pg_upgrade, and survives any interruption.

The new cluster is created in `upgrade/` beside the old one and hard-links its files, so the time does not depend on the
database's size. The file `upgrade/done` marks success: without it the old cluster is restored, with it the new one
replaces the old. The old cluster's links are removed once the new server has answered.
"""

from __future__ import annotations

import contextlib
import logging
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import psycopg

from app.market.errors import StoreUnavailable
from storage.server import cluster
from storage.server.account_files import write_file
from storage.server.cluster import ServerHome
from storage.server.disk_space import disk_full_error, is_disk_full
from storage.server.installations import Installation
from storage.server.process_ownership import ProcessOwner, owner_of
from storage.server.run_program import run_program

logger = logging.getLogger(__name__)

_UPGRADE_TIMEOUT_S = 3600.0
_COMMAND_TIMEOUT_S = 20.0
_POLL_S = 0.1
_STARTER_PROGRAMS = ("initdb", "pg_", "psql", "vacuumdb")
_CHECKSUMS = re.compile(r"Data page checksum version:\s+(\d+)")
_STATE = re.compile(r"Database cluster state:\s+(.+)")
_TIMESCALE_VERSIONS = """
    SELECT e.extversion, a.default_version
    FROM pg_extension e JOIN pg_available_extensions a ON a.name = e.extname
    WHERE e.extname = 'timescaledb' AND e.extversion <> a.default_version
"""


def update_timescale(conninfo: str, *, connect_timeout_s: int) -> None:
    """
    Update TimescaleDB in the database if the server has a different version of it.

    Raises:
        psycopg.OperationalError: If the server does not answer.
        StoreUnavailable: If there is no update from the database's version to the server's.
    """
    # This session must not load the library: the version that the database names may no longer be installed.
    asleep = "-c timescaledb.disable_load=on"
    with psycopg.connect(conninfo, autocommit=True, options=asleep, connect_timeout=connect_timeout_s) as connection:
        versions = connection.execute(_TIMESCALE_VERSIONS).fetchone()
    if versions is None:
        return
    held, present = versions
    with psycopg.connect(conninfo, autocommit=True, connect_timeout=connect_timeout_s) as connection:
        try:
            connection.execute("ALTER EXTENSION timescaledb UPDATE")
        except psycopg.OperationalError:
            raise
        except psycopg.Error as error:
            raise StoreUnavailable(
                f"The database was written with TimescaleDB {held} and cannot be used with {present} "
                f"({error.diag.message_primary}): install TimescaleDB {held} again, or a newer one."
            ) from error
    logger.info("Updated TimescaleDB in the database from %s to %s", held, present)


def is_shut_down(home: ServerHome, postgres: Installation) -> bool:
    """Whether the home's server was shut down cleanly, as an upgrade requires. Raises OSError."""
    return _control_data(home, postgres, _STATE) == "shut down"


def upgrade(home: ServerHome, old: Installation, new: Installation) -> None:
    """
    Upgrade the home's cluster from ``old`` to ``new``; takes seconds, whatever its size.

    The server must have been shut down cleanly (`is_shut_down`).

    Raises:
        OSError, StoreUnavailable: If it fails; the cluster is unchanged.
    """
    logger.info("Upgrading the database from PostgreSQL %s to %s", old.version, new.version)
    began = time.monotonic()
    work = home.make_folder(_work_folder(home))
    try:
        # pg_upgrade refuses clusters that differ in this.
        checksums = _control_data(home, old, _CHECKSUMS) != "0"
        cluster.init_cluster(home, new, work / "cluster", checksums=checksums)
        _run_pg_upgrade(home, old, new)
        # From here on the new cluster counts, even if this process is killed before it is in place.
        write_file(work / "done", "The new cluster is whole.\n", home.account)
    except BaseException:
        resolve_interrupted_upgrade(home)
        raise
    resolve_interrupted_upgrade(home)
    logger.info("Upgraded the database in %.1f s", time.monotonic() - began)


def resolve_interrupted_upgrade(home: ServerHome) -> None:
    """
    Finish an interrupted upgrade if pg_upgrade had succeeded, else undo it. Raises OSError and StoreUnavailable.

    Call it before anything else reads the cluster; nothing happens if there was no upgrade.
    """
    work = _work_folder(home)
    if not work.exists():
        return
    _end_processes(home)
    if (work / "done").exists():
        made = work / "cluster"
        if made.exists():
            if home.cluster.exists():
                home.cluster.rename(home.path / "cluster.old")
            made.rename(home.cluster)
    else:
        # pg_upgrade renames the old cluster's pg_control so that two servers never run on the same files.
        hidden = home.cluster / "global" / "pg_control.old"
        if hidden.exists():
            hidden.rename(hidden.with_name("pg_control"))
    shutil.rmtree(work)


def was_upgraded(home: ServerHome) -> bool:
    """Whether an upgraded server has not answered yet: it still needs ANALYZE, then `remove_old_cluster`."""
    return (home.path / "cluster.old").exists()


def remove_old_cluster(home: ServerHome) -> None:
    """Remove the cluster from before the upgrade."""
    shutil.rmtree(home.path / "cluster.old", ignore_errors=True)


def _run_pg_upgrade(home: ServerHome, old: Installation, new: Installation) -> None:
    work = _work_folder(home)
    arguments = [
        new.program("pg_upgrade"),
        f"--old-bindir={old.bin_dir}",
        f"--new-bindir={new.bin_dir}",
        f"--old-datadir={home.cluster}",
        f"--new-datadir={work / 'cluster'}",
        f"--username={cluster.USER}",
        "--link",
    ]
    password = ""
    if sys.platform == "win32":
        password = home.password_file.read_text(encoding="ascii")
    else:
        arguments.append(f"--socketdir={cluster.socket_folder(home)}")
    try:
        code, said = run_program(arguments, home.account, timeout_s=_UPGRADE_TIMEOUT_S, folder=work, password=password)
    except subprocess.TimeoutExpired:
        code, said = -1, "it took too long"
    with contextlib.suppress(OSError):
        write_file(home.log / "upgrade.log", said, home.account)
    if code == 0:
        return
    if is_disk_full(said):
        raise disk_full_error(home.path)
    raise StoreUnavailable(
        f"The database could not be upgraded from PostgreSQL {old.version} to {new.version}: see "
        f"{home.log / 'upgrade.log'}, or set postgres_bin to {old.bin_dir} to stay with the old version."
    )


def _control_data(home: ServerHome, postgres: Installation, wanted: re.Pattern[str]) -> str:
    arguments = [postgres.program("pg_controldata"), "-D", str(home.cluster)]
    try:
        code, said = run_program(arguments, home.account, timeout_s=_COMMAND_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return ""
    found = wanted.search(said)
    return found[1] if code == 0 and found is not None else ""


def _end_processes(home: ServerHome) -> None:
    """
    End the processes of an upgrade whose cryptopipe was killed.

    Programs that start others are ended first, so that no new process appears; then the servers, which recover at their
    next start.
    """
    work = _work_folder(home)
    folders = [work, work / "cluster", home.cluster]
    for names in (_STARTER_PROGRAMS, (*_STARTER_PROGRAMS, "postgres")):
        deadline = time.monotonic() + _COMMAND_TIMEOUT_S
        while True:
            answers = {process: owner_of(process, folders, names, home.account) for process in psutil.process_iter()}
            left = [process for process, answer in answers.items() if answer is ProcessOwner.OURS]
            unidentified = [process.pid for process, answer in answers.items() if answer is ProcessOwner.UNKNOWN]
            if not left and not unidentified:
                break
            if time.monotonic() >= deadline and unidentified:
                raise StoreUnavailable(
                    f"Process {unidentified[0]} may belong to an interrupted upgrade of the database, but cryptopipe "
                    "lacks the right to inspect it: grant that (containers: --cap-add SYS_PTRACE), or end that process."
                )
            if time.monotonic() >= deadline:
                raise StoreUnavailable("An interrupted upgrade of the database is still running: wait, and retry.")
            for process in left:
                logger.warning("Ending process %d of an interrupted upgrade", process.pid)
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(left, timeout=1.0)
            if not left:
                time.sleep(_POLL_S)


def _work_folder(home: ServerHome) -> Path:
    return home.path / "upgrade"
