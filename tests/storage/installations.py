"""PostgreSQL installations to test with: pretended ones that only name their version, and real ones."""

from __future__ import annotations

import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from storage.server.file_lock import FileLock
from storage.server.installations import Installation, system_postgres, wheel_postgres
from tests.storage.timescale_server import TimescaleMissing, unpacked_timescale

_PROGRAMS = ("postgres", "initdb", "pg_ctl", "pg_config")


def pretend(folder: Path, version: str, *, timescale: str = "", says: str = "") -> Path:
    """Make an installation that only answers questions about itself; return the folder of its programs."""
    bin_dir, share, libraries = folder / "bin", folder / "share", folder / "lib"
    (share / "extension").mkdir(parents=True)
    for made in (bin_dir, libraries):
        made.mkdir()
    write_program(bin_dir / "initdb", "echo 'initdb: error: it only pretends' >&2; exit 1")
    write_program(bin_dir / "postgres", f"echo '{says or f'postgres (PostgreSQL) {version}'}'")
    write_program(
        bin_dir / "pg_config",
        f"case $1 in --sharedir) echo '{share}';; --pkglibdir) echo '{libraries}';; --bindir) echo '{bin_dir}';; esac",
    )
    if timescale:
        (share / "extension" / "timescaledb.control").write_text(f"default_version = '{timescale}'\n")
        (share / "extension" / f"timescaledb--{timescale}.sql").touch()
        for name in ("timescaledb.so", f"timescaledb-{timescale}.so"):
            (libraries / name).touch()
    return bin_dir


def write_program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def older_postgres() -> list[Installation]:
    """Return real installations that the wheel's newest can take over from: the wheel's own and the system's."""
    found = [*wheel_postgres(), *system_postgres()]
    newest = wheel_postgres()[0]
    fit = (one for one in reversed(found) if one.major < newest.major and not newest.came_out_before(one))
    return list({postgres.major: postgres for postgres in fit}.values())


def real_timescale(folder: Path) -> Path:
    """
    Copy a real PostgreSQL with TimescaleDB into ``folder``, so that it runs there; return the folder of its programs.

    The programs are those of the tests' own server, whose C library may be newer than this machine's, so they are
    patched to load the libraries beside them. Skips the test if that cannot be done.
    """
    try:
        root = unpacked_timescale()
    except TimescaleMissing as missing:
        pytest.skip(f"no system PostgreSQL with TimescaleDB can be had: {missing}")
    patchelf = _patchelf(root.parent)
    if not folder.exists():
        for part in ("lib/postgresql", "lib/x86_64-linux-gnu", "share/postgresql"):
            if not (root / "usr" / part).exists():
                pytest.skip(f"the unpacked TimescaleDB has no {part} (another processor?)")
            shutil.copytree(root / "usr" / part, folder / "usr" / part, symlinks=True)
        libraries = folder / "usr/lib/x86_64-linux-gnu"
        for program in _programs_of(folder).iterdir():
            if not program.is_symlink() and program.read_bytes()[:4] == b"\x7fELF":
                loader = libraries / "ld-linux-x86-64.so.2"
                command = [patchelf, "--set-interpreter", loader, "--force-rpath", "--set-rpath", libraries, program]
                subprocess.run(command, check=True)
    return _programs_of(folder)


def _programs_of(folder: Path) -> Path:
    (found,) = (folder / "usr/lib/postgresql").glob("*/bin")
    return found


def _patchelf(cache: Path) -> str:
    if present := shutil.which("patchelf"):
        return present
    unpacked = cache / "patchelf"
    with FileLock(cache / "patchelf.lock") as lock:
        lock.acquire(60.0)
        if not (unpacked / "usr/bin/patchelf").exists():
            unpacked.mkdir(exist_ok=True)
            fetched = subprocess.run(["apt-get", "-qq", "download", "patchelf"], cwd=unpacked, capture_output=True)
            packages = list(unpacked.glob("patchelf_*.deb"))
            if fetched.returncode != 0 or not packages:
                pytest.skip("a system PostgreSQL with TimescaleDB takes patchelf, which apt-get could not fetch")
            subprocess.run(["dpkg", "-x", packages[0], unpacked], check=True)
            packages[0].unlink()
    return str(unpacked / "usr/bin/patchelf")


def break_library(bin_dir: Path) -> None:
    """Overwrite TimescaleDB's library, so that the file exists and cannot be loaded."""
    for library in (bin_dir.parent / "lib").glob("timescaledb*.so"):
        library.chmod(stat.S_IMODE(library.stat().st_mode) | stat.S_IWUSR)
        library.write_bytes(b"\x7fELF, once")
