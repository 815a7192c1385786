"""
Whose a PostgreSQL process is: of one cluster, of another, or not to be told.

A process that works in the cluster's folder is of that cluster. Root who lacks the right to look into others' processes
(CAP_SYS_PTRACE, which containers withhold) may not ask where they work; there the account that they run as and the
folder on their command line, or on their parent's, decide. What stays open is said, never guessed: a live server taken
for a dead one would lose its files, and a stranger's taken for ours its life.
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
_CLOCK_TOLERANCE_S = 10.0  # the server reads the clock a moment after its process began


class ProcessOwner(enum.Enum):
    """Of the folders in question, of others, or not to be told by us."""

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
    Tell whether ``process``, whose name begins with one of ``names``, works in one of ``folders``.

    ``account``: whom our programs run as, None for ourselves. ``started_s``: when the process must have begun, in
    seconds since 1970, where that is known; it is asked only where nothing better can be had.
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
    # A server's children have titles in place of command lines, and an upgrade's may name no folder.
    family = [process, *(parent for parent in process.parents() if _runs_as(parent, account))]
    folder = next(filter(None, map(_named_folder, family)), None)
    if folder is None:
        return ProcessOwner.UNKNOWN
    if not os.path.isabs(folder):
        # From where is not known; ours are started by their whole paths, but someone may have started one by hand.
        is_named_so = os.path.basename(folder) in (".", "..", *(path.name for path in folders))
        return ProcessOwner.UNKNOWN if is_named_so else ProcessOwner.OTHER
    found = _owner_by_folder(folder, folders)
    if (
        found is ProcessOwner.OURS
        and started_s is not None
        and abs(process.create_time() - started_s) > _CLOCK_TOLERANCE_S
    ):
        return ProcessOwner.UNKNOWN  # another process with that number, or the clock was set since
    return found


def _runs_as(process: psutil.Process, account: Account | None) -> bool:
    if sys.platform == "win32":
        with contextlib.suppress(psutil.AccessDenied):
            return process.username() == psutil.Process().username()
        return False  # of one's own programs that is not refused
    return bool(process.uids().effective == (account.uid if account is not None else os.geteuid()))


def _named_folder(process: psutil.Process) -> str | None:
    """Return the data folder on the command line of ``process``, None where there is none."""
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
