"""
Running PostgreSQL's programs: the account, the environment, and folders which that account can reach.

PostgreSQL refuses to run as root, so when we are root its programs run as ``nobody``. Files which that user needs but
cannot reach (a virtual environment or a data directory below /root) are put into a shared folder.
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
"""Where root puts files that ``nobody`` must reach; the first one that can be created is used."""


@dataclass(frozen=True, slots=True)
class Account:
    """The unprivileged user that runs the server when we are root."""

    uid: int
    gid: int

    def reaches(self, path: Path) -> bool:
        """Whether this user may enter the folder ``path`` and every folder above it."""
        return all(self._enters(folder) for folder in (path, *path.parents))

    def _enters(self, folder: Path) -> bool:
        facts = folder.stat()
        bit = 0o100 if facts.st_uid == self.uid else 0o010 if facts.st_gid == self.gid else 0o001
        return bool(facts.st_mode & bit)


def server_account() -> Account | None:
    """
    Return the account that must run the server: None for ourselves, ``nobody`` when we are root.

    Raises:
        StoreUnavailable: If we are root and there is no user ``nobody``.
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
    """Return a folder of root's that everybody may enter but not list or change. Raises OSError if there is none."""
    refusal: OSError | None = None
    for home in SHARED_HOMES:
        try:
            home.mkdir(mode=0o711, exist_ok=True)
            facts = home.lstat()
        except OSError as error:
            refusal = error
            continue
        # Anyone could have created this folder in /var/tmp before us; trust only our own.
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
    Run one of PostgreSQL's programs as ``account``, in ``folder``; return its exit code and its stripped output.

    ``password`` is used for the connections that the program makes.

    Raises:
        OSError: If it cannot be run.
        subprocess.TimeoutExpired: If it takes longer than ``timeout_s``; it is ended then.
    """
    # Files, not pipes: a server that the program starts would keep a pipe open, and reading it would never end.
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
        given.write(standard_input.encode())
        given.seek(0)
        done = subprocess.run(  # noqa: S603  # because the programs belong to an installation that was inspected
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
    # The user's PG* variables must not configure our server, and a frozen program's library path must not reach its
    # programs. The C locale keeps their messages in the English that we search for.
    foreign = ("PG", "LD_LIBRARY_PATH", "DYLD_", "LC_", "LANG")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)} | {"LC_ALL": "C"}
