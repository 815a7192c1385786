"""The kills of pushes and pulls in small, on a folder and on a bucket."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.object_server import ObjectServer
from tests.program import set_surroundings
from tests.soak.files.lake_crash import LakeCrash

# The seeds strike at once after one to three objects of a push, and after the first day of a pull, before all is done.
DAY_ROWS = [500, 6_000, 2_000, 2_000, 2_000, 500]


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    set_surroundings(monkeypatch, tmp_path, tmp_path / "data")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def test_a_kill_of_each_loses_and_doubles_nothing_in_a_folder(tmp_path: Path) -> None:
    crash = LakeCrash(tmp_path, {"CRYPTOPIPE_LAKE": str(tmp_path / "lake")}, DAY_ROWS, seed=18)
    report = crash.run(1)
    assert report.differences == []
    assert len(report.kills) == 2


@pytest.mark.deep
def test_a_kill_of_each_loses_and_doubles_nothing_in_a_bucket(tmp_path: Path, object_server: ObjectServer) -> None:
    object_server.make_bucket("crash")
    report = LakeCrash(tmp_path, object_server.variables("crash", "lake"), DAY_ROWS, seed=149).run(1)
    assert report.differences == []
    assert len(report.kills) == 2
