"""
Finding, starting, awaiting and stopping one PostgreSQL server process.

A pid in a file proves nothing: a process counts as our server, and is sent a signal, only if
`storage.server.process_ownership` confirms it. If the owner cannot be determined, nothing is started, removed or ended.
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
    "Process {pid} may be the server of the database in {cluster}, but cryptopipe lacks the right to inspect it: grant "
    "that (containers: --cap-add SYS_PTRACE), or end that process."
)
_PG_CTL_TIMEOUT_S = 10.0
_IDENTIFY_TIMEOUT_S = 10.0  # a killed server's children usually end by themselves sooner
# The signals for a killed server's children, each with its time since the first look; after SIGKILL we only wait.
_SIGNAL_SCHEDULE = ((5.0, "SIGQUIT"), (10.0, "SIGKILL"), (math.inf, ""))


class StillStarting(StoreUnavailable):
    """The server is alive but accepts no connections yet, for example during crash recovery; it keeps running."""


def find_server(home: ServerHome) -> psutil.Process | None:
    """
    Return the home's running server, or None; never an unrelated process that has got the same pid.

    Raises:
        StoreUnavailable: If a process has that pid and cannot be inspected.
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
    """Whether the server runs from that installation; True if its program cannot be determined."""
    try:
        return os.path.samefile(process.exe(), postgres.program("postgres"))
    except (OSError, psutil.Error):
        return True


def state_of(home: ServerHome) -> str:
    """Return the state in the running server's pid file: starting, ready or stopping; see pg_ctl."""
    with contextlib.suppress(OSError, IndexError):
        return (home.cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()[7].strip()
    return "starting"


def wait_ready(home: ServerHome, process: psutil.Process, deadline: float) -> bool:
    """Wait until the server accepts connections; False if it ends. Raises StillStarting after ``deadline``."""
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
    Start the home's server and wait until it accepts connections.

    Raises:
        OSError: If its settings cannot be written.
        StillStarting: If it is not ready by ``deadline``; it keeps starting.
        StoreUnavailable: If it does not start; the message says why.
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
    # Only output of this start may be reported as the reason if it fails.
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
    """
    Stop a verified server; return whether it stopped within ``timeout_s``.

    A fast shutdown gets three quarters of that time, then an immediate one, which needs recovery, gets the rest.
    """
    return _stop_with(process, "SIGINT", timeout_s * 0.75) or _stop_with(process, "SIGQUIT", timeout_s * 0.25)


def conninfo_of(home: ServerHome) -> str:
    """Return the conninfo of the home's running server. Raises OSError or IndexError if it has just ended."""
    lines = (home.cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    host, port = lines[4].strip(), lines[3].strip()
    if host:
        return make_conninfo(host=host, port=port, user=USER, dbname=DATABASE)
    password = home.password_file.read_text(encoding="ascii")
    return make_conninfo(host="127.0.0.1", port=port, user=USER, dbname=DATABASE, password=password)


def _owner_of(process: psutil.Process, home: ServerHome, started_s: float | None = None) -> ProcessOwner:
    """Return whether a postgres process works in the home's cluster."""
    return owner_of(process, [home.cluster], ("postgres",), home.account, started_s)


def _clear_stale_files(home: ServerHome, deadline: float) -> None:
    """
    Remove the files of a server that is certainly dead.

    PostgreSQL would refuse to start if the pid in its pid file now belonged to any other process of its user. A killed
    server's children hold its shared memory until they end: wait for them, and end the ones that stay.
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
                "Processes of a killed database server are still running: restart the computer, or end the processes "
                "named postgres."
            )
        if time.monotonic() >= began + wait_s:
            ours = [process for process, answer in survivors.items() if answer is ProcessOwner.OURS]
            logger.warning("Ending processes of a killed database server: %s", [process.pid for process in ours])
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
    """Return the processes that belong to the cluster, or may belong to it."""
    answers = {process: _owner_of(process, home) for process in psutil.process_iter()}
    return {process: answer for process, answer in answers.items() if answer is not ProcessOwner.OTHER}


def _send_signal(process: psutil.Process, signal_name: str) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        if sys.platform == "win32":
            _send_by_pg_ctl(process, signal_name)
        else:
            process.send_signal(signal.Signals[signal_name])


def _send_by_pg_ctl(process: psutil.Process, signal_name: str) -> None:
    """Use pg_ctl, because PostgreSQL's signals are pipes on Windows; terminate the process only if that fails."""
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
    """Return the server's reason for not starting, from the lines added to its logs since ``before``; else empty."""
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
