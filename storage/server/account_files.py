"""
File writes in folders that the server's user owns.

That user could replace any file there with a link, and root would follow it. So when we are root, a shell running as
that user does the writing: it can damage nothing but the user's own files.
"""

from __future__ import annotations

import errno
import os
import stat
import subprocess
from pathlib import Path

from storage.server.disk_space import is_disk_full
from storage.server.run_program import Account, run_program

_SHELL_TIMEOUT_S = 30.0
# Root's own PATH may lack these programs, or find somebody else's under the same names.
_SET_PATH = "PATH=/usr/bin:/bin; "
_WRITE = _SET_PATH + 'umask 077; rm -f "$1.new" && cat > "$1.new" && sync "$1.new" && mv -f "$1.new" "$1"'
_APPEND = _SET_PATH + 'cat >> "$1"'


def write_file(path: Path, text: str, account: Account | None) -> None:
    """Replace a file as ``account`` (None: ourselves), atomically and flushed to disk. Raises OSError."""
    if account is not None:
        _run_shell(_WRITE, path, text, account)
        return
    fresh = path.with_name(path.name + ".new")
    with fresh.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def append_to_file(path: Path, text: str, account: Account | None) -> None:
    """Append to a file as ``account`` (None: ourselves). Raises OSError."""
    if account is not None:
        _run_shell(_APPEND, path, text, account)
        return
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def assign_owner(path: Path, account: Account) -> None:
    """Make ``account`` the owner of a folder; nothing if it already is. Raises OSError, also if ``path`` is a link."""
    facts = path.lstat()
    if not stat.S_ISDIR(facts.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, "it is no folder but a link or a file: remove it", str(path))
    if facts.st_uid != account.uid:
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


def _run_shell(script: str, path: Path, text: str, account: Account) -> None:
    try:
        code, said = run_program(
            ["/bin/sh", "-c", script, "sh", str(path)], account, timeout_s=_SHELL_TIMEOUT_S, standard_input=text
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(errno.ETIMEDOUT, "the disk does not answer", str(path)) from error
    if code != 0:
        raise OSError(errno.ENOSPC if is_disk_full(said) else errno.EIO, said or "it cannot be written", str(path))
