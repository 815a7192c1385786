"""
Which cluster a PostgreSQL process belongs to: ours, another, or unknown.

A process belongs to a cluster if its working directory is the cluster's folder. In containers, root may lack the right
to read other processes' working directories (CAP_SYS_PTRACE); then the account they run as and the data folder on their
command line, or on a parent's, decide. If that is not enough, the answer is UNKNOWN, never a guess: a live server taken
for dead would lose its files, and another cluster's server taken for ours would be killed.
"""

from __future__ import annotations

import contextlib
import enum
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil

from storage.server.run_program import Account

_FOLDER_OPTIONS = ("--pgdata=", "--new-datadir=")
_CLOCK_TOLERANCE_S = 10.0  # the pid file's time is read a moment after the process began


class ProcessOwner(enum.Enum):
    """Whether a process belongs to our folders, to others, or cannot be inspected."""

    OURS = enum.auto()
    OTHER = enum.auto()
    UNKNOWN = enum.auto()


def owner_of(
    process: psutil.Process,
    folders: Sequence[Path],
    names: tuple[str, ...],
    account: Account | None,
    started_s: float | None = None,
) -> ProcessOwner:
    """
    Return whether ``process`` works in one of ``folders``; OTHER unless its name begins with one of ``names``.

    ``account`` is the user that our programs run as, None for ourselves. ``started_s`` is the time the process must
    have started, in seconds since 1970, if known; it is compared only if the working directory cannot be read.
    """
    try:
        if process.status() == psutil.STATUS_ZOMBIE or not process.name().startswith(names):
            return ProcessOwner.OTHER
        try:
            return _owner_by_folder(process.cwd(), folders)
        except psutil.AccessDenied:
            return _owner_by_command_line(process, folders, account, started_s)
    except (OSError, psutil.NoSuchProcess):
        return ProcessOwner.OTHER
    except psutil.Error:
        return ProcessOwner.UNKNOWN


def _owner_by_command_line(
    process: psutil.Process, folders: Sequence[Path], account: Account | None, started_s: float | None
) -> ProcessOwner:
    if not _runs_as(process, account):
        return ProcessOwner.OTHER
    # A server's children overwrite their command lines with titles, and an upgrade's children may name no folder.
    family = [process, *(parent for parent in process.parents() if _runs_as(parent, account))]
    folder = next(filter(None, map(_named_folder, family)), None)
    if folder is None:
        return ProcessOwner.UNKNOWN
    if not os.path.isabs(folder):
        # The working directory is unknown. We always pass absolute paths, but someone may have started one by hand.
        is_named_so = os.path.basename(folder) in (".", "..", *(path.name for path in folders))
        return ProcessOwner.UNKNOWN if is_named_so else ProcessOwner.OTHER
    found = _owner_by_folder(folder, folders)
    if (
        found is ProcessOwner.OURS
        and started_s is not None
        and abs(process.create_time() - started_s) > _CLOCK_TOLERANCE_S
    ):
        return ProcessOwner.UNKNOWN  # another process with that pid, or the clock was set since
    return found


def _runs_as(process: psutil.Process, account: Account | None) -> bool:
    if sys.platform == "win32":
        with contextlib.suppress(psutil.AccessDenied):
            return process.username() == psutil.Process().username()
        return False  # access to one's own processes is never denied
    return bool(process.uids().effective == (account.uid if account is not None else os.geteuid()))


def _named_folder(process: psutil.Process) -> str | None:
    """Return the data folder on the process's command line, or None."""
    arguments = process.cmdline()
    for number, argument in enumerate(arguments[1:], start=1):
        folder = ""
        if argument == "-D" and number + 1 < len(arguments):
            folder = arguments[number + 1]
        elif argument.startswith("-D"):
            folder = argument[2:]
        for option in _FOLDER_OPTIONS:
            folder = folder or (argument.removeprefix(option) if argument.startswith(option) else "")
        if folder:
            return os.path.normpath(folder)
    return None


def _owner_by_folder(path: str, folders: Sequence[Path]) -> ProcessOwner:
    for folder in folders:
        with contextlib.suppress(OSError):
            if path == str(folder) or os.path.samefile(path, folder):
                return ProcessOwner.OURS
    return ProcessOwner.OTHER
