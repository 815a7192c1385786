"""
A real TimescaleDB, Apache edition, for tests: Debian 13's packages, only unpacked, run in a chroot.

Nothing is installed. The unpacked folder lies in the user's cache and serves later runs too; the cluster lies inside
it, in a folder of the run's own, and goes with it. It listens on a Unix socket only. It needs root, apt, Debian's
keyring and the mirror that apt itself uses; where one of them is missing, `TimescaleMissing` says which.

    python -m tests.storage.timescale_server      runs one until Enter is pressed, and prints its address
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

import platformdirs
from psycopg.conninfo import make_conninfo

from storage.server.file_lock import FileLock

_PROGRAMS = "/usr/lib/postgresql/17/bin"
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_SUITE = "trixie"
_NOBODY = 65534
_PATIENCE_S = 300
_STOP_S = 30
_MEMORY_NEEDED = 8 * 2**30

# What the server needs to run, its libraries included: nothing resolves dependencies for a folder.
_PACKAGES = """
    postgresql-17 postgresql-client-17 postgresql-17-timescaledb libpq5 libc6 libc-bin libgcc-s1 libstdc++6 libicu76
    libxml2 libssl3t64 libgssapi-krb5-2 libkrb5-3 libk5crypto3 libkrb5support0 libkeyutils1 libcom-err2 libldap2
    libsasl2-2 libpam0g libaudit1 libcap-ng0 libcap2 libsystemd0 liblz4-1 libzstd1 liblzma5 libxxhash0 zlib1g libuuid1
    libselinux1 libpcre2-8-0 libbz2-1.0 libreadline8t64 libtinfo6 dash tzdata
""".split()
_DEVICES = {"null": (1, 3), "zero": (1, 5), "urandom": (1, 9)}

_SETTINGS = """
listen_addresses = ''
unix_socket_directories = '{folder}'
unix_socket_permissions = 0700
shared_preload_libraries = 'timescaledb'
timescaledb.telemetry_level = off
max_locks_per_transaction = 256
max_wal_size = 256MB
shared_buffers = 64MB
fsync = off
full_page_writes = off
jit = off
"""


class TimescaleMissing(Exception):
    """There can be no TimescaleDB on this machine; the sentence says why."""


class TimescaleServer:
    """
    A server of one run: `start` it, use the returned conninfo, `stop` it.

    What runs that were killed have left behind is stopped and removed by the next start.
    """

    def __init__(self) -> None:
        self._root = Path(platformdirs.user_cache_dir("cryptopipe", appauthor=False)) / "timescaledb-apache"
        self._name = f"run-{secrets.token_hex(4)}"
        self._lock: FileLock | None = None

    def start(self) -> str:
        """
        Return the conninfo of a superuser's database. From nothing it takes some ten seconds, and the network.

        Raises:
            TimescaleMissing: If this machine cannot have one.
        """
        _check_machine()
        self._root.mkdir(parents=True, exist_ok=True)
        with FileLock(self._root.with_suffix(".lock")) as lock:
            if not lock.acquire(_PATIENCE_S):
                raise TimescaleMissing("another run has been unpacking TimescaleDB for minutes")
            if not (self._root / ".unpacked").exists():
                _unpack(self._root)
            _remove_left_runs(self._root)
            self._lock = FileLock(self._root / "srv" / f"{self._name}.lock")
            self._lock.acquire()
        folder = self._inside
        data = self._outside
        data.mkdir()
        _mount_memory(data)
        data.chmod(0o700)
        os.chown(data, _NOBODY, _NOBODY)
        _run(self._root, "initdb", "-D", folder, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C")
        with (data / "postgresql.conf").open("a") as settings:
            settings.write(_SETTINGS.format(folder=folder))
        _run(self._root, "pg_ctl", "-w", "-s", "-D", folder, "-l", f"{folder}/server.log", "start")
        return make_conninfo(host=str(data), user="postgres", dbname="postgres")

    def stop(self) -> None:
        """Stop the server and remove its cluster."""
        if self._lock is not None:
            _stop(self._root, self._name)
            self._lock.release()
            self._lock.path.unlink()
            self._lock = None

    @property
    def _inside(self) -> str:
        return f"/srv/{self._name}"

    @property
    def _outside(self) -> Path:
        return self._root / "srv" / self._name


def unpacked_timescale() -> Path:
    """Return the folder that the server's programs were unpacked into, for other uses. Raises TimescaleMissing."""
    _check_machine()
    root = TimescaleServer()._root
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(root.with_suffix(".lock")) as lock:
        if not lock.acquire(_PATIENCE_S):
            raise TimescaleMissing("another run has been unpacking TimescaleDB for minutes")
        if not (root / ".unpacked").exists():
            _unpack(root)
    return root


def _check_machine() -> None:
    if sys.platform != "linux" or os.geteuid() != 0:
        raise TimescaleMissing("TimescaleDB is unpacked and run in a chroot, which takes root on Linux")
    for program in ("apt-get", "dpkg", "chroot", "tar"):
        if shutil.which(program, path=_SYSTEM_PATH) is None:
            raise TimescaleMissing(f"TimescaleDB is unpacked from Debian's packages, which takes {program}")
    if not _KEYRING.exists():
        raise TimescaleMissing("TimescaleDB is unpacked from Debian's packages, which takes debian-archive-keyring")


_SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def _run(root: Path, program: str, *arguments: str) -> None:
    """Run a program inside the chroot as an unprivileged user."""
    command = ["chroot", f"--userspec={_NOBODY}:{_NOBODY}", str(root), f"{_PROGRAMS}/{program}", *arguments]
    environment = {"PATH": f"{_PROGRAMS}:{_SYSTEM_PATH}", "LC_ALL": "C", "HOME": "/"}
    # The server inherits the output, so it must be no pipe that we would wait on.
    subprocess.run(
        command, env=environment, check=True, timeout=_PATIENCE_S, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )


def _stop(root: Path, name: str) -> None:
    folder = root / "srv" / name
    if (folder / "postmaster.pid").exists():
        _run(root, "pg_ctl", "-w", "-s", "-D", f"/srv/{name}", "-m", "immediate", "-t", str(_STOP_S), "stop")
    _remove(folder)


def _mount_memory(folder: Path) -> None:
    """Let files of the folder lie in memory: a disk spends as long on making and removing them as the server works."""
    memory = Path("/dev/shm")
    if memory.is_dir() and shutil.disk_usage(memory).free >= _MEMORY_NEEDED:
        # Refused inside a container; then they lie on the disk.
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], stderr=subprocess.DEVNULL, check=False)


def _remove(folder: Path) -> None:
    if folder.is_mount():
        subprocess.run(["umount", "--lazy", folder], check=False)
    shutil.rmtree(folder, ignore_errors=True)


def _remove_left_runs(root: Path) -> None:
    """Stop and remove the servers of runs that ended without stopping theirs: nobody holds their locks."""
    for path in (root / "srv").glob("run-*.lock"):
        with FileLock(path) as lock:
            if lock.acquire():
                try:
                    _stop(root, path.stem)
                except subprocess.SubprocessError:
                    # It was killed too, and a stale pid file stayed.
                    _remove(root / "srv" / path.stem)
                path.unlink(missing_ok=True)


def _unpack(root: Path) -> None:
    for entry in root.iterdir():  # of an unpacking that was cut short
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    apt = root / ".apt"
    for folder in ("lists/partial", "cache/archives/partial", "packages"):
        (apt / folder).mkdir(parents=True)
    for name in ("etc", "srv", "dev"):
        (root / name).mkdir()
    for name in ("tmp", "dev/shm"):
        (root / name).mkdir()
        (root / name).chmod(0o1777)
    for name in ("bin", "lib", "lib64", "sbin"):
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    root.chmod(0o755)
    _download(apt)
    for package in sorted((apt / "packages").glob("*.deb")):
        with subprocess.Popen(["dpkg", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE) as files:
            subprocess.run(["tar", "-x", "-C", str(root), "--keep-directory-symlink"], stdin=files.stdout, check=True)
        if files.returncode != 0:
            raise subprocess.CalledProcessError(files.returncode, files.args)
    shutil.rmtree(apt)
    shell = root / "usr/bin/sh"
    shell.unlink(missing_ok=True)
    shell.symlink_to("dash")
    (root / "etc/passwd").write_text(f"postgres:x:{_NOBODY}:{_NOBODY}::/:/bin/sh\n")
    for name, (major, minor) in _DEVICES.items():
        os.mknod(root / "dev" / name, 0o20666, os.makedev(major, minor))
        (root / "dev" / name).chmod(0o666)
    subprocess.run(["chroot", str(root), "/usr/sbin/ldconfig"], check=True)
    (root / ".unpacked").touch()


def _download(apt: Path) -> None:
    """Fetch the packages with an apt of our own: its lists, its state, the mirror of the machine's apt."""
    listed = _apt([], "indextargets", "--format", "$(SITE)", "Created-By: Packages").split()
    mirrors = [mirror for mirror in listed if "security" not in mirror]
    if not mirrors:
        raise TimescaleMissing("TimescaleDB is unpacked from Debian's packages, and apt knows no mirror of them")
    (apt / "sources.list").write_text(f"deb [signed-by={_KEYRING}] {mirrors[0]} {_SUITE} main\n")
    (apt / "status").touch()
    options = [
        f"Dir::Etc::sourcelist={apt}/sources.list",
        "Dir::Etc::sourceparts=/dev/null",
        f"Dir::State::lists={apt}/lists",
        f"Dir::State::status={apt}/status",
        f"Dir::Cache={apt}/cache",
        "APT::Sandbox::User=root",
        "Acquire::Languages=none",
    ]
    _apt(options, "-qq", "update")
    _apt(options, "-qq", "download", *_PACKAGES, folder=apt / "packages")


def _apt(options: list[str], *arguments: str, folder: Path | None = None) -> str:
    command = ["apt-get", *(part for option in options for part in ("-o", option)), *arguments]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=_PATIENCE_S, stdin=subprocess.DEVNULL, check=False
    )
    if done.returncode != 0:
        # Its complaint may name the mirror, which no report needs.
        raise TimescaleMissing(f"apt-get could not fetch Debian's TimescaleDB packages (exit code {done.returncode})")
    return done.stdout


if __name__ == "__main__":
    server = TimescaleServer()
    try:
        print(server.start(), flush=True)
        input()
    finally:
        server.stop()
