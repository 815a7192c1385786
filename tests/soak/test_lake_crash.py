"""The kills of pushes and pulls in small, on a folder and on a bucket."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.object_server import ObjectServer
from tests.program import set_surroundings
from tests.soak.lake_crash import LakeCrash

DAY_ROWS = [500, 9_000, 3_000, 3_000, 3_000, 500]


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    set_surroundings(monkeypatch, tmp_path, tmp_path / "data")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def test_kills_of_pushes_and_pulls_lose_and_double_nothing_in_a_folder(tmp_path: Path) -> None:
    crash = LakeCrash(tmp_path, {"CRYPTOPIPE_LAKE": str(tmp_path / "lake")}, DAY_ROWS, seed=5)
    report = crash.run(2)
    assert report.differences == []
    assert len(report.kills) == 4


def test_a_kill_of_each_loses_and_doubles_nothing_in_a_bucket(tmp_path: Path, object_server: ObjectServer) -> None:
    object_server.make_bucket("crash")
    report = LakeCrash(tmp_path, object_server.variables("crash", "lake"), DAY_ROWS, seed=6).run(1)
    assert report.differences == []
    assert len(report.kills) == 2
