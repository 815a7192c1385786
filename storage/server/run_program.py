"""
Running PostgreSQL's programs: as whom, with what surroundings, and from where he can reach them.

The server refuses to run as root, so there its programs run as ``nobody``. What he must reach and cannot (a virtual
environment or a data directory below /root) is put where he can.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.market.errors import StoreUnavailable

SHARED_HOMES = (Path("/var/lib/cryptopipe"), Path("/var/tmp/cryptopipe"))  # noqa: S108  # because its owner is checked
"""Where root puts what ``nobody`` must reach, the first that can be made."""


@dataclass(frozen=True, slots=True)
class Account:
    """The unprivileged user that the server runs as when we are root."""

    uid: int
    gid: int

    def reaches(self, path: Path) -> bool:
        """Whether this user may go into ``path``, a folder, and each folder above it."""
        return all(self._enters(folder) for folder in (path, *path.parents))

    def _enters(self, folder: Path) -> bool:
        facts = folder.stat()
        bit = 0o100 if facts.st_uid == self.uid else 0o010 if facts.st_gid == self.gid else 0o001
        return bool(facts.st_mode & bit)


def server_account() -> Account | None:
    """
    Return whom the server must run as: None for ourselves, ``nobody`` when we are root.

    Raises:
        StoreUnavailable: If we are root and there is no such user.
    """
    if sys.platform == "win32" or os.geteuid() != 0:
        return None
    import pwd

    try:
        entry = pwd.getpwnam("nobody")
    except KeyError as error:
        raise StoreUnavailable(
            "The embedded database cannot run as root and this system has no user “nobody”: start cryptopipe as an "
            "ordinary user, or set CRYPTOPIPE_DATABASE_URL."
        ) from error
    return Account(entry.pw_uid, entry.pw_gid)


def shared_home() -> Path:
    """Return a folder of root's that everybody may enter but not list or change. Raises OSError where none can be."""
    refusal: OSError | None = None
    for home in SHARED_HOMES:
        try:
            home.mkdir(mode=0o711, exist_ok=True)
            facts = home.lstat()
        except OSError as error:
            refusal = error
            continue
        # Anyone can make a folder in /var/tmp before us; only our own is to be trusted.
        if home.is_dir() and not home.is_symlink() and facts.st_uid == os.geteuid() and not facts.st_mode & 0o022:
            return home
    raise refusal or PermissionError(f"{SHARED_HOMES[-1]} belongs to another user")


def run_program(
    arguments: Sequence[str],
    account: Account | None,
    *,
    timeout_s: float,
    folder: Path | None = None,
    standard_input: str = "",
    password: str = "",
) -> tuple[int, str]:
    """
    Run one of PostgreSQL's programs as the server's user, in ``folder``; return its exit code and what it said.

    ``password`` is for the connections that it makes.

    Its words go through a file: a server that it starts would keep a pipe open.

    Raises:
        OSError: If it cannot be run.
        subprocess.TimeoutExpired: If it takes longer; it is ended then.
    """
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
        given.write(standard_input.encode())
        given.seek(0)
        done = subprocess.run(  # noqa: S603  # because the programs are those of an installation that was looked at
            arguments,
            stdin=given,
            stdout=said,
            stderr=subprocess.STDOUT,
            timeout=timeout_s,
            cwd=folder if folder is not None or sys.platform == "win32" else "/",
            env=_environment() | ({"PGPASSWORD": password} if password else {}),
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            start_new_session=True,  # Ctrl-C in the terminal is for us, not for the server
            check=False,
        )
        said.seek(0)
        return done.returncode, said.read().decode(errors="replace").strip()


def _environment() -> dict[str, str]:
    # PG* variables of the user's shell must not steer our server, nor the libraries of a frozen program its programs.
    foreign = ("PG", "LD_LIBRARY_PATH", "DYLD_", "LC_", "LANG")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)} | {"LC_ALL": "C"}
