"""
The embedded database's files: where they are and how they are created.

`database/` in the data directory holds our locks and, if the server's user can reach it, the server's *home*: the
cluster, its log and its socket. Otherwise the home is in a folder that this user can reach, and `database/location`
names it; no permissions are widened. A cluster is created beside its final path and then renamed, so a half-made one
is never mistaken for a cluster.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
import stat
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from app.market.errors import StoreUnavailable
from storage.server.account_files import append_to_file, assign_owner, write_file
from storage.server.disk_space import disk_full_error, is_disk_full
from storage.server.installations import Installation
from storage.server.run_program import Account, run_program, shared_home

USER = DATABASE = "cryptopipe"
SOCKET_PORT = 5432  # only names the socket file; nothing listens on that port
_MAX_SOCKET_FOLDER_BYTES = 80  # a socket's path has 107 bytes at most (macOS: 103); the rest is for the file name
_INITDB_TIMEOUT_S = 120.0
_CHECKSUMS_BY_DEFAULT = 18  # initdb of this major version and newer enables checksums by default
_OTHER_OWNER = (
    "The database in {base} belongs to the user {owner}: start cryptopipe as that user, or choose another data "
    "directory with CRYPTOPIPE_DATA_DIR."
)
_UNTRUSTED_LOCATION = (
    "The file {location}, which names the database's folder, is not root's own: the server's user could have written "
    "it. Remove it if you do not know it, or start cryptopipe as the user who owns it."
)
_UNNAMED_USER = (
    "The embedded database needs a user with a name, and number {uid} has none: start cryptopipe as a user of "
    "/etc/passwd (containers: add an entry, or choose another --user), or set CRYPTOPIPE_DATABASE_URL."
)
_TIMESCALE_MARK = "needs-timescaledb"


@dataclass(frozen=True, slots=True)
class ServerHome:
    """One embedded server's folders, and the user it runs as (None: ourselves)."""

    path: Path
    account: Account | None

    @property
    def cluster(self) -> Path:
        return self.path / "cluster"

    @property
    def log(self) -> Path:
        return self.path / "log"

    @property
    def start_log(self) -> Path:
        """The server's output before it has opened its own log."""
        return self.log / "start.log"

    @property
    def password_file(self) -> Path:
        """Windows only: the generated password, readable only by the user."""
        return self.path / "password"

    def make_folder(self, path: Path) -> Path:
        """Create a folder that only the server's user may enter; return it. Raises OSError."""
        path.mkdir(mode=0o700, exist_ok=True)
        if self.account is not None:
            assign_owner(path, self.account)
        return path


def has_cluster(base: Path) -> bool:
    """Whether ``base``, the data directory's `database/`, has a cluster; changes nothing."""
    location = base / "location"
    try:
        path = Path(location.read_text(encoding="utf-8").strip()) if location.exists() else base
        return any((path / name).exists() for name in ("cluster", "cluster.old"))
    except OSError:
        return True  # opening the database will report this error properly


def check_owner(base: Path, account: Account | None) -> None:
    """
    Raise StoreUnavailable if ``base``, the data directory's `database/`, belongs to another user.

    Root could write there, but would take over the owner's files or start a second database beside the owner's.
    """
    if sys.platform == "win32" or not base.exists():
        return
    owner = base.stat().st_uid
    if owner != os.geteuid() and (account is None or owner != account.uid):
        import pwd

        with contextlib.suppress(KeyError):
            raise StoreUnavailable(_OTHER_OWNER.format(base=base, owner=pwd.getpwuid(owner).pw_name))
        raise StoreUnavailable(_OTHER_OWNER.format(base=base, owner=f"number {owner}"))


def check_own_folder(path: Path) -> None:
    """Raise StoreUnavailable unless ``path`` is a folder of our own: another user may have put a link there."""
    facts = path.lstat()
    if not stat.S_ISDIR(facts.st_mode) or (sys.platform != "win32" and facts.st_uid != os.geteuid()):
        raise StoreUnavailable(f"{path} is a link or another user's: remove it, and start cryptopipe again.")


def find_home(base: Path, account: Account | None) -> ServerHome:
    """
    Return the server's home for ``base``, the data directory's `database/`; create it on first use.

    Raises:
        OSError: If it cannot be created.
        StoreUnavailable: If it was created elsewhere and is gone, or an untrusted file names it.
    """
    location = base / "location"
    if location.exists():
        if account is not None and not all(_is_owned_by_root(place) for place in (base, location)):
            raise StoreUnavailable(_UNTRUSTED_LOCATION.format(location=location))
        path = Path(location.read_text(encoding="utf-8").strip())
        if not path.is_dir():
            raise StoreUnavailable(
                f"The database of {base.parent} lay in {path}, which is gone: bring that folder back, or remove "
                f"{location} to begin with an empty one."
            )
    elif account is None or account.reaches(base):
        path = base
    else:
        key = hashlib.sha256(bytes(base)).hexdigest()[:12]
        path = shared_home() / f"{key}-{secrets.token_hex(4)}"
        path.mkdir(mode=0o700)
        (path / "belongs-to").write_text(f"{base}\n", encoding="utf-8")
        location.write_text(f"{path}\n", encoding="utf-8")
    home = ServerHome(path, account)
    home.make_folder(path)
    home.make_folder(home.log)
    return home


def major_version(home: ServerHome) -> int:
    """Return the cluster's major PostgreSQL version. Raises StoreUnavailable if its version file cannot be read."""
    try:
        return int((home.cluster / "PG_VERSION").read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        raise StoreUnavailable(
            f"The database in {home.cluster} is damaged: its file PG_VERSION cannot be read. Restore the folder from a "
            "backup, or move it away to start with an empty database."
        ) from error


def needs_timescale(home: ServerHome) -> bool:
    """Whether the cluster has run with TimescaleDB, so that its tables may be unreadable without it."""
    return (home.path / _TIMESCALE_MARK).exists()


def mark_timescale(home: ServerHome) -> None:
    """Record that the cluster runs with TimescaleDB from now on. Raises OSError."""
    write_file(
        home.path / _TIMESCALE_MARK,
        "This database has run with TimescaleDB and must not run without: its tables could not be read.\n",
        home.account,
    )


def make_cluster(home: ServerHome, postgres: Installation) -> None:
    """
    Create the home's cluster, which must not exist yet; keep it only if ``postgres`` runs on it.

    Raises:
        OSError: If the files cannot be written.
        StoreUnavailable: If initdb fails or the server does not run.
    """
    partial = home.path / "cluster.new"
    init_cluster(home, postgres, partial)
    # The wheel's programs were tested when they were packed. A system's may lack libraries, or its TimescaleDB may
    # have been built for another PostgreSQL.
    if not postgres.from_wheel:
        try:
            _check_runs(home, postgres, partial)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
    partial.rename(home.cluster)


def init_cluster(home: ServerHome, postgres: Installation, folder: Path, *, checksums: bool = True) -> None:
    """Create an empty cluster in ``folder``, replacing its contents. Raises OSError and StoreUnavailable."""
    shutil.rmtree(folder, ignore_errors=True)
    arguments = ["-D", str(folder), "-U", USER, "--encoding=UTF8", "--locale=C", "--no-instructions"]
    if checksums:
        arguments.append("--data-checksums")
    elif postgres.major >= _CHECKSUMS_BY_DEFAULT:
        arguments.append("--no-data-checksums")
    if sys.platform == "win32":
        if not home.password_file.exists():
            home.password_file.write_text(secrets.token_urlsafe(24), encoding="ascii")
        arguments += ["--auth=scram-sha-256", f"--pwfile={home.password_file}"]
    else:
        # Only the server's user and root can enter the socket's folder.
        arguments += ["--auth-local=trust", "--auth-host=reject"]
    try:
        code, said = run_program(
            [postgres.program("initdb"), *arguments], home.account, timeout_s=_INITDB_TIMEOUT_S, folder=folder.parent
        )
    except subprocess.TimeoutExpired:
        code, said = -1, f"it took longer than {_INITDB_TIMEOUT_S:.0f} s"
    if code != 0:
        shutil.rmtree(folder, ignore_errors=True)
        if is_disk_full(said):
            raise disk_full_error(home.path)
        if "could not look up effective user ID" in said:
            raise StoreUnavailable(_UNNAMED_USER.format(uid=home.account.uid if home.account else os.geteuid()))
        blamed = [line for line in said.splitlines() if "error:" in line or "FATAL:" in line]
        reason = (blamed or said.splitlines() or [f"initdb ended with {code}"])[-1]
        raise StoreUnavailable(f"The embedded database could not be made in {home.path}: {reason}.")
    append_to_file(folder / "postgresql.conf", "\ninclude_if_exists 'cryptopipe.conf'\n", home.account)


def _check_runs(home: ServerHome, postgres: Installation, folder: Path) -> None:
    """Run one statement on the cluster in ``folder``, in single-user mode. Raises OSError and StoreUnavailable."""
    arguments = [postgres.program("postgres"), "--single", "-D", str(folder)]
    statement = "SELECT 'it runs';\n"
    if postgres.timescale:
        arguments += ["-c", "shared_preload_libraries=timescaledb", "-c", "timescaledb.telemetry_level=off"]
        statement = "CREATE EXTENSION timescaledb;\n" + statement + "DROP EXTENSION timescaledb;\n"
    try:
        code, said = run_program(
            [*arguments, "postgres"], home.account, timeout_s=_INITDB_TIMEOUT_S, standard_input=statement
        )
    except subprocess.TimeoutExpired:
        code, said = -1, "it does not answer"
    if code != 0 or "it runs" not in said or "ERROR:" in said or "FATAL:" in said:
        blamed = [line for line in said.splitlines() if "ERROR:" in line or "FATAL:" in line]
        raise StoreUnavailable(
            f"{postgres} does not run ({blamed[0] if blamed else said or code}): repair it, or remove it."
        )


def socket_folder(home: ServerHome) -> Path:
    """
    Return the private folder for the server's socket: in the home if the path is short enough, else a temporary one.

    It stays the same across starts while it exists and is private, so that other processes find the server again.
    """
    inside = home.path / "run"
    if len(bytes(inside)) <= _MAX_SOCKET_FOLDER_BYTES:
        return home.make_folder(inside)
    note = home.path / "socket-folder"
    with contextlib.suppress(OSError):
        known = Path(note.read_text(encoding="utf-8").strip())
        if is_private(known, home.account):
            return known
    made = Path(tempfile.mkdtemp(prefix="cryptopipe-", dir=_short_temporary_folder(home.account)))
    home.make_folder(made)
    write_file(note, f"{made}\n", home.account)
    return made


def forget_socket_folder(home: ServerHome) -> None:
    """Remove the temporary socket folder of a server that has stopped."""
    note = home.path / "socket-folder"
    with contextlib.suppress(OSError):
        known = Path(note.read_text(encoding="utf-8").strip())
        if is_private(known, home.account):
            shutil.rmtree(known, ignore_errors=True)
        note.unlink()


def _short_temporary_folder(account: Account | None) -> str | None:
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if account is None and runtime and len(runtime) < _MAX_SOCKET_FOLDER_BYTES - 24 and os.access(runtime, os.W_OK):
        return runtime
    usual = tempfile.gettempdir()
    fits = len(usual) < _MAX_SOCKET_FOLDER_BYTES - 24 and (account is None or account.reaches(Path(usual)))
    return usual if fits else "/tmp"  # noqa: S108  # because mkdtemp creates a folder of our own in it


def _is_owned_by_root(place: Path) -> bool:
    facts = place.lstat()
    return facts.st_uid == 0 and not stat.S_ISLNK(facts.st_mode)


def is_private(folder: Path, account: Account | None) -> bool:
    """Whether the server's user owns ``folder`` and nobody else may enter it. Raises OSError if it does not exist."""
    facts = folder.lstat()
    owner = account.uid if account is not None else os.geteuid()
    return stat.S_ISDIR(facts.st_mode) and facts.st_uid == owner and not facts.st_mode & 0o077
