"""A short version of the killings of `tests.soak.desktop.workspace_crash`, which `make workspacecrash` runs in full."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.depth import repeats
from tests.soak.desktop.workspace_crash import normal, run

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows kills otherwise")


def test_a_killed_window_is_restored_as_it_was(tmp_path: Path) -> None:
    # How soon it is saved is measured by the long version: another test may keep this machine busy.
    report = run(tmp_path, kills=repeats(2, deep=3), seed=4, progress=lambda line: None, most_age_s=60.0)
    assert report.problems == []
    assert report.states > 3


def test_equal_arrangements_with_other_keys_are_equal() -> None:
    def document(first: int, second: int, *, swapped: bool = False) -> dict:
        layout = {"split": "rows", "parts": [first, second], "shares": [0.5, 0.5]}
        home = {**layout, "parts": [second, first]}  # of a chart that has been in a window of its own
        charts = [
            {"key": first, "symbol": "BTCUSDT", "window": -1, "home": None},
            {"key": second, "symbol": "ETHUSDT", "window": -1, "home": home},
        ]
        workspace = {
            "charts": charts[::-1] if swapped else charts,
            "layout": layout,
            "windows": [],
            "active": second,
            "maximised": None,
        }
        return {"symbol": "BTCUSDT", "interval": "1m", "workspaces": {"workspaces": [workspace]}}

    assert normal(document(1, 2)) == normal(document(7, 3, swapped=True))
    assert normal(document(1, 2)) != normal({**document(1, 2), "symbol": "ETHUSDT"})
