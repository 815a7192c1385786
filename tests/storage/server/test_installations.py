from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from app.market.errors import StoreUnavailable
from storage.server.installations import configured_postgres, system_folders, system_postgres, wheel_postgres
from tests.storage.installations import older_postgres, pretend, real_timescale, write_program

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the pretended programs are shell scripts")


def test_the_wheels_programs_come_newest_first_and_run() -> None:
    found = wheel_postgres()
    assert found
    assert [postgres.major for postgres in found] == sorted((postgres.major for postgres in found), reverse=True)
    assert all(postgres.from_wheel and not postgres.timescale for postgres in found)


def test_systems_programs_come_with_timescaledb_first_then_newest_first(tmp_path: Path) -> None:
    plain = pretend(tmp_path / "a", "17.10")
    older_plain = pretend(tmp_path / "b", "17.9")
    with_timescale = pretend(tmp_path / "c", "16.2 (Debian 16.2-1)", timescale="2.19.3")
    found = system_postgres([older_plain, plain, with_timescale, plain, tmp_path / "nowhere"])
    assert [(postgres.bin_dir, postgres.version, postgres.major, postgres.timescale) for postgres in found] == [
        (with_timescale, "16.2", 16, "2.19.3"),
        (plain, "17.10", 17, ""),
        (older_plain, "17.9", 17, ""),
    ]


def test_foreign_damaged_or_too_old_programs_are_left_out(tmp_path: Path) -> None:
    garbage = pretend(tmp_path / "garbage", "17.1")
    (garbage / "postgres").write_bytes(b"\x7fELF but no program")
    failing = pretend(tmp_path / "failing", "17.1")
    write_program(failing / "postgres", "echo 'error while loading shared libraries' >&2; exit 127")
    foreign = pretend(tmp_path / "foreign", "", says="EnterpriseDB says hello")
    old = pretend(tmp_path / "old", "13.20")
    file = tmp_path / "file"
    file.touch()
    assert system_postgres([garbage, failing, foreign, old, file, file / "bin"]) == []


@pytest.mark.parametrize(
    "missing",
    [
        "share/extension/timescaledb.control",
        "share/extension/timescaledb--2.1.sql",
        "lib/timescaledb.so",
        "lib/timescaledb-2.1.so",
        "bin/pg_config",
    ],
)
def test_timescaledb_counts_only_if_it_is_complete(tmp_path: Path, missing: str) -> None:
    bin_dir = pretend(tmp_path / "pg", "16.2", timescale="2.1")
    (tmp_path / "pg" / missing).unlink()
    (found,) = system_postgres([bin_dir])
    assert found.timescale == ""


def test_pg_config_on_the_path_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bin_dir = pretend(tmp_path / "pg", "16.2")
    monkeypatch.setenv("PATH", str(bin_dir), prepend=os.pathsep)
    assert bin_dir in list(system_folders())
    write_program(bin_dir / "pg_config", "exit 1")
    assert bin_dir not in list(system_folders())


def test_the_systems_own_installations_are_found() -> None:
    installed = [folder for folder in Path("/usr/lib/postgresql").glob("*/bin") if (folder / "initdb").exists()]
    if not installed:
        pytest.skip("this system has no PostgreSQL in Debian's place")
    assert {folder.resolve() for folder in installed} <= {postgres.bin_dir for postgres in system_postgres()}


def test_a_configured_installation_that_does_not_run_or_is_too_old_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match=r"No PostgreSQL programs run from .*postgres_bin"):
        configured_postgres(tmp_path)
    with pytest.raises(StoreUnavailable, match=r"13\.20 .* is too old: set postgres_bin to version 14 or newer"):
        configured_postgres(pretend(tmp_path / "old", "13.20"))
    for postgres in older_postgres():
        assert configured_postgres(postgres.bin_dir).version == postgres.version


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="root alone has rights to lose")
def test_a_program_that_another_user_could_have_planted_is_not_run_as_root(reachable_folder: Path) -> None:
    bin_dir = pretend(reachable_folder / "foreign", "16.2")
    for question in ("postgres", "pg_config"):
        write_program(bin_dir / question, 'echo "postgres (PostgreSQL) 16.$(id -u)"')
    assert [postgres.version for postgres in system_postgres([bin_dir])] == ["16.0"]
    os.chown(bin_dir, 54321, 54321)
    assert [postgres.version for postgres in system_postgres([bin_dir])] == ["16.65534"]


def test_a_real_timescaledb_is_recognized(reachable_folder: Path) -> None:
    bin_dir = real_timescale(reachable_folder / "timescale")
    (found,) = system_postgres([bin_dir])
    assert found.major >= 17
    assert found.timescale.count(".") == 2
