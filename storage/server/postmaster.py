"""
One PostgreSQL server process: found, started, waited for, ended.

A pid in a file proves nothing: a process is taken for our server only when `storage.server.process_ownership` says so,
and only then is it ever sent a signal. Where that cannot be told, nothing is begun, removed or ended.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
from psycopg.conninfo import make_conninfo

from app.market.errors import StoreUnavailable
from storage.server.cluster import DATABASE, SOCKET_PORT, USER, ServerHome, is_private, mark_timescale, socket_folder
from storage.server.disk_space import disk_full_error, has_room, is_disk_full
from storage.server.installations import Installation
from storage.server.process_ownership import ProcessOwner, owner_of
from storage.server.run_program import run_program
from storage.server.server_config import write_settings

logger = logging.getLogger(__name__)

POLL_S = 0.02
_UNIDENTIFIED = (
    "The process {pid} may be the server of the database in {cluster}, and this one may not look at it: give it that "
    "right (containers: --cap-add SYS_PTRACE), or end that process."
)
_PG_CTL_TIMEOUT_S = 10.0
_IDENTIFY_TIMEOUT_S = 10.0  # what a killed server left behind ends by itself sooner, as a rule
_SIGNAL_SCHEDULE = ((5.0, "SIGQUIT"), (10.0, "SIGKILL"), (math.inf, ""))  # with what a killed server left behind


class StillStarting(StoreUnavailable):
    """The server is alive but takes no connections yet, as while it reads much of its log again; it is left at it."""


def find_server(home: ServerHome) -> psutil.Process | None:
    """
    Return the running server of that home, or None; never a process that merely has its number.

    Raises:
        StoreUnavailable: If a process has that number of which cannot be told whether it is the server.
    """
    try:
        lines = (home.cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        process = psutil.Process(abs(int(lines[0])))
        started_s = float(lines[2])
    except (OSError, ValueError, IndexError, psutil.NoSuchProcess):
        return None
    answer = _owner_of(process, home, started_s)
    if answer is ProcessOwner.UNKNOWN:
        raise StoreUnavailable(_UNIDENTIFIED.format(pid=process.pid, cluster=home.cluster))
    return process if answer is ProcessOwner.OURS else None


def is_running_from(process: psutil.Process, postgres: Installation) -> bool:
    """Whether that server runs from that installation; True where the system will not tell."""
    try:
        return os.path.samefile(process.exe(), postgres.program("postgres"))
    except (OSError, psutil.Error):
        return True


def state_of(home: ServerHome) -> str:
    """Return the running server's own word in its pid file: starting, ready or stopping; see pg_ctl."""
    with contextlib.suppress(OSError, IndexError):
        return (home.cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()[7].strip()
    return "starting"


def wait_ready(home: ServerHome, process: psutil.Process, deadline: float) -> bool:
    """Wait until that server takes connections; False where it ends. Raises StillStarting past ``deadline``."""
    while process.is_running() and _owner_of(process, home) is ProcessOwner.OURS:
        if state_of(home) == "ready":
            return True
        if time.monotonic() >= deadline:
            raise StillStarting(
                f"The embedded database is still starting or stopping: wait and retry; {home.log} says what it does."
            )
        time.sleep(POLL_S)
    return False


def launch(home: ServerHome, postgres: Installation, deadline: float) -> None:
    """
    Start the home's server and wait until it takes connections.

    Raises:
        OSError: If its settings cannot be written.
        StillStarting: If it is not ready by ``deadline``; it goes on.
        StoreUnavailable: If it does not start; the sentence says why.
    """
    _clear_stale_files(home, deadline)
    on_socket = sys.platform != "win32"
    if postgres.timescale:
        mark_timescale(home)
    write_settings(
        home,
        sockets=socket_folder(home) if on_socket else None,
        port=SOCKET_PORT if on_socket else _free_port(),
        timescale=bool(postgres.timescale),
    )
    home.start_log.unlink(missing_ok=True)
    before = _log_sizes(home)
    wait_s = max(1, int(deadline - time.monotonic()))
    arguments = ["start", "-D", str(home.cluster), "-l", str(home.start_log), "-w", "-t", str(wait_s), "-s"]
    try:
        code, said = run_program([postgres.program("pg_ctl"), *arguments], home.account, timeout_s=wait_s + 5)
    except subprocess.TimeoutExpired:
        code, said = -1, f"no answer within {wait_s} s"
    if code != 0:
        if (process := find_server(home)) is not None:
            wait_ready(home, process, deadline)
        words = _failure_reason(home, before) or said
        if is_disk_full(words) or not has_room(home.path):
            raise disk_full_error(home.path)
        raise StoreUnavailable(f"The embedded database did not start: {words}")
    logger.info("Started %s for %s", postgres, home.cluster)


def stop_server(process: psutil.Process, timeout_s: float) -> bool:
    """Ask a verified server to stop, and once more with less patience; whether it did within ``timeout_s``."""
    return _stop_with(process, "SIGINT", timeout_s * 0.75) or _stop_with(process, "SIGQUIT", timeout_s * 0.25)


def conninfo_of(home: ServerHome) -> str:
    """Return how to connect to the home's running server. Raises OSError or IndexError where it has just ended."""
    lines = (home.cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    host, port = lines[4].strip(), lines[3].strip()
    if host:
        return make_conninfo(host=host, port=port, user=USER, dbname=DATABASE)
    password = home.password_file.read_text(encoding="ascii")
    return make_conninfo(host="127.0.0.1", port=port, user=USER, dbname=DATABASE, password=password)


def _owner_of(process: psutil.Process, home: ServerHome, started_s: float | None = None) -> ProcessOwner:
    """Whether ``process`` is a postgres that works in the home's cluster."""
    return owner_of(process, [home.cluster], ("postgres",), home.account, started_s)


def _clear_stale_files(home: ServerHome, deadline: float) -> None:
    """
    Remove what a server that is dead for certain has left.

    PostgreSQL would refuse to start where the number in its pid file belongs, by now, to any other process of its user.
    Children that outlive a killed server for a moment still hold its memory; they are waited for, and ended where they
    stay.
    """
    pid_file = home.cluster / "postmaster.pid"
    if not pid_file.exists():
        return
    schedule = iter(_SIGNAL_SCHEDULE)
    wait_s, signal_name = next(schedule)
    began = time.monotonic()
    while survivors := _surviving_processes(home):
        unidentified = [process for process, answer in survivors.items() if answer is ProcessOwner.UNKNOWN]
        if unidentified and time.monotonic() >= min(deadline, began + _IDENTIFY_TIMEOUT_S):
            raise StoreUnavailable(_UNIDENTIFIED.format(pid=unidentified[0].pid, cluster=home.cluster))
        if time.monotonic() >= deadline:
            raise StoreUnavailable(
                "Parts of a database server that was killed are still running: restart the computer, or end the "
                "processes named postgres."
            )
        if time.monotonic() >= began + wait_s:
            ours = [process for process, answer in survivors.items() if answer is ProcessOwner.OURS]
            logger.warning("Ending what a killed database server left: %s", [process.pid for process in ours])
            for process in ours:
                _send_signal(process, signal_name)
            wait_s, signal_name = next(schedule)
        time.sleep(POLL_S)
    with contextlib.suppress(OSError, IndexError):
        folder = Path(pid_file.read_text(encoding="utf-8").splitlines()[4])
        if folder.name and is_private(folder, home.account):
            for name in (f".s.PGSQL.{SOCKET_PORT}", f".s.PGSQL.{SOCKET_PORT}.lock"):
                (folder / name).unlink(missing_ok=True)
    pid_file.unlink(missing_ok=True)


def _surviving_processes(home: ServerHome) -> dict[psutil.Process, ProcessOwner]:
    """Return the processes that are the cluster's or may be."""
    answers = {process: _owner_of(process, home) for process in psutil.process_iter()}
    return {process: answer for process, answer in answers.items() if answer is not ProcessOwner.OTHER}


def _send_signal(process: psutil.Process, signal_name: str) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        if sys.platform == "win32":
            _send_by_pg_ctl(process, signal_name)
        else:
            process.send_signal(signal.Signals[signal_name])


def _send_by_pg_ctl(process: psutil.Process, signal_name: str) -> None:
    """PostgreSQL's signals are pipes on Windows, which its own pg_ctl knows; a server terminated must recover."""
    mode = {"SIGINT": "fast", "SIGQUIT": "immediate"}.get(signal_name)
    with contextlib.suppress(OSError, subprocess.TimeoutExpired, psutil.AccessDenied):
        program = Path(process.exe()).with_name("pg_ctl.exe")
        arguments = ["stop", "-D", process.cwd(), "-m", mode or "", "-W", "-s"]
        if mode is not None and run_program([str(program), *arguments], None, timeout_s=_PG_CTL_TIMEOUT_S)[0] == 0:
            return
    process.terminate()


def _stop_with(process: psutil.Process, signal_name: str, timeout_s: float) -> bool:
    _send_signal(process, signal_name)
    deadline = time.monotonic() + timeout_s
    with contextlib.suppress(psutil.NoSuchProcess):
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_S)
    return True


def _log_sizes(home: ServerHome) -> dict[Path, int]:
    return {path: path.stat().st_size for path in home.log.glob("*.log")}


def _failure_reason(home: ServerHome, before: dict[Path, int]) -> str:
    """Return the server's own reason for not starting, from what its logs say more than ``before``."""
    for path in sorted(home.log.glob("*.log"), key=lambda path: path.stat().st_mtime, reverse=True):
        with contextlib.suppress(OSError):
            size = before.get(path, 0)
            said = path.read_bytes()
            fresh = said[size if len(said) >= size else 0 :].decode(errors="replace").splitlines()
            for line in reversed(fresh):
                if ("FATAL:" in line or "PANIC:" in line) and "the database system is" not in line:
                    return line.split(": ", 1)[-1].strip().rstrip(".") + f"; its log is in {home.log}."
    return ""


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
