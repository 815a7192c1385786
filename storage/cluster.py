"""
The files of the embedded database: where they lie, how they are made, what the server is told.

In the data directory, `database/` holds our locks and, where the server's user can reach it, the server's *home*: the
cluster, its log and its socket. Elsewhere the home lies in a folder that he can reach, and `database/location` names
it; nobody's permissions are widened for that. A cluster is made beside its place and renamed into it, so that one
half made is never taken for one.
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

from app.market.errors import StoreSchemaMismatch, StoreUnavailable
from storage.binaries import Account, Postgres, run_program, shared_home

USER = DATABASE = "cryptopipe"
SOCKET_PORT = 5432  # only names the socket file; nothing listens on that port
_LONGEST_SOCKET_FOLDER = 80  # of the 107 (macOS: 103) bytes of a socket's path, the rest is for its name
_INITDB_TIMEOUT_S = 120.0

_SETTINGS = """\
# Written by cryptopipe at each start: changes here are lost.
listen_addresses = '{listen}'
port = {port}
unix_socket_directories = '{sockets}'
unix_socket_permissions = 0700
max_connections = 40
shared_buffers = 128MB
work_mem = 16MB
maintenance_work_mem = 64MB
max_wal_size = 1GB
wal_compression = on
random_page_cost = 1.1
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
logging_collector = on
log_directory = '{log}'
log_filename = 'postgresql-%a.log'
log_truncate_on_rotation = on
log_rotation_age = 1d
log_rotation_size = 0
"""


@dataclass(frozen=True, slots=True)
class Home:
    """The folders of one embedded server, and the user it runs as (None: ourselves)."""

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
        """What the server says before its own log is open."""
        return self.log / "start.log"

    @property
    def password_file(self) -> Path:
        """Windows only: the generated password, readable by the user alone."""
        return self.path / "password"

    def make_folder(self, path: Path) -> Path:
        """Make a folder that only the server's user may enter; return it. Raises OSError."""
        path.mkdir(mode=0o700, exist_ok=True)
        if self.account is not None:
            os.chown(path, self.account.uid, self.account.gid)
        return path


def has_cluster(base: Path) -> bool:
    """Whether there is a cluster for ``base``, the data directory's `database/`; changes nothing."""
    location = base / "location"
    try:
        path = Path(location.read_text(encoding="utf-8").strip()) if location.exists() else base
        return Home(path, None).cluster.exists()
    except OSError:
        return True  # whoever opens it says what is wrong with it


def find_home(base: Path, account: Account | None) -> Home:
    """Return the server's home for ``base``, the data directory's `database/`; make it at the first time."""
    location = base / "location"
    if location.exists():
        path = Path(location.read_text(encoding="utf-8").strip())
    elif account is None or account.reaches(base):
        path = base
    else:
        key = hashlib.sha256(bytes(base)).hexdigest()[:12]
        path = shared_home() / f"{key}-{secrets.token_hex(4)}"
        path.mkdir(mode=0o700)
        (path / "belongs-to").write_text(f"{base}\n", encoding="utf-8")
        location.write_text(f"{path}\n", encoding="utf-8")
    home = Home(path, account)
    home.make_folder(path)
    home.make_folder(home.log)
    return home


def choose_postgres(home: Home, installed: list[Postgres]) -> Postgres:
    """
    Return the installation that can run the home's cluster; the newest where there is none yet.

    Raises:
        StoreSchemaMismatch: If none can. Nothing was changed.
        StoreUnavailable: If the cluster has lost its version file.
    """
    if not home.cluster.exists():
        return installed[0]
    try:
        major = int((home.cluster / "PG_VERSION").read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        raise StoreUnavailable(
            f"The database in {home.cluster} is damaged, its file PG_VERSION cannot be read: restore the folder from a "
            "copy, or move it away to begin with an empty one."
        ) from error
    for postgres in installed:
        if postgres.major == major:
            return postgres
    raise StoreSchemaMismatch(
        f"The database in {home.cluster} was made by PostgreSQL {major}, and this is PostgreSQL {installed[0].major}: "
        f"set postgres_bin to the programs of PostgreSQL {major}, or move the folder away to begin with an empty one."
    )


def make_cluster(home: Home, postgres: Postgres) -> None:
    """
    Make the home's cluster where there is none.

    Raises:
        OSError: If the files cannot be written.
        StoreUnavailable: If initdb fails.
    """
    if home.cluster.exists():
        return
    partial = home.path / "cluster.new"
    shutil.rmtree(partial, ignore_errors=True)
    arguments = ["-D", str(partial), "-U", USER, "--encoding=UTF8", "--locale=C", "--no-instructions"]
    if sys.platform == "win32":
        home.password_file.write_text(secrets.token_urlsafe(24), encoding="ascii")
        arguments += ["--auth=scram-sha-256", f"--pwfile={home.password_file}"]
    else:
        # Whoever can enter the socket's folder is the server's user or root.
        arguments += ["--auth-local=trust", "--auth-host=reject"]
    try:
        code, said = run_program([postgres.program("initdb"), *arguments], home.account, timeout_s=_INITDB_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        code, said = -1, f"it took longer than {_INITDB_TIMEOUT_S:.0f} s"
    if code != 0:
        shutil.rmtree(partial, ignore_errors=True)
        reason = said.splitlines()[-1] if said else f"initdb ended with {code}"
        raise StoreUnavailable(f"The embedded database could not be made in {home.path}: {reason}.")
    with (partial / "postgresql.conf").open("a", encoding="utf-8") as settings:
        settings.write("\ninclude 'cryptopipe.conf'\n")
    partial.rename(home.cluster)


def write_settings(home: Home, *, sockets: Path | None, port: int) -> None:
    """Tell the next start of the server its settings; ``sockets`` None: on loopback instead. Raises OSError."""
    text = _SETTINGS.format(
        listen="127.0.0.1" if sockets is None else "",
        port=port,
        sockets="" if sockets is None else _quoted(f'"{sockets}"'),
        log=_quoted(home.log.as_posix()),
    )
    path = home.cluster / "cryptopipe.conf"
    fresh = path.with_suffix(".new")
    fresh.write_text(text, encoding="utf-8")
    if home.account is not None:
        os.chown(fresh, home.account.uid, home.account.gid)
    fresh.replace(path)


def socket_folder(home: Home) -> Path:
    """
    Return the private folder of the server's socket: in the home where the path is short enough, else a short one.

    The same at each start as long as it is there and still private, so that other processes find the server again.
    """
    inside = home.path / "run"
    if len(bytes(inside)) <= _LONGEST_SOCKET_FOLDER:
        return home.make_folder(inside)
    note = home.path / "socket-folder"
    with contextlib.suppress(OSError):
        known = Path(note.read_text(encoding="utf-8").strip())
        if _is_private(known, home.account):
            return known
    made = Path(tempfile.mkdtemp(prefix="cryptopipe-", dir=_short_parent(home.account)))
    home.make_folder(made)
    note.write_text(f"{made}\n", encoding="utf-8")
    return made


def forget_socket_folder(home: Home) -> None:
    """Remove the short socket folder of a server that has ended."""
    note = home.path / "socket-folder"
    with contextlib.suppress(OSError):
        known = Path(note.read_text(encoding="utf-8").strip())
        if _is_private(known, home.account):
            shutil.rmtree(known, ignore_errors=True)
        note.unlink()


def _short_parent(account: Account | None) -> str | None:
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if account is None and runtime and len(runtime) < _LONGEST_SOCKET_FOLDER - 24 and os.access(runtime, os.W_OK):
        return runtime
    usual = tempfile.gettempdir()
    fits = len(usual) < _LONGEST_SOCKET_FOLDER - 24 and (account is None or account.reaches(Path(usual)))
    return usual if fits else "/tmp"  # noqa: S108  # because mkdtemp makes our own folder in it


def _is_private(folder: Path, account: Account | None) -> bool:
    facts = folder.lstat()
    owner = account.uid if account is not None else os.geteuid()
    return stat.S_ISDIR(facts.st_mode) and facts.st_uid == owner and not facts.st_mode & 0o077


def _quoted(text: str) -> str:
    return text.replace("'", "''")
