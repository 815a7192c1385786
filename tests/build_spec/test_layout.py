"""The layout holds: no circle goes unnoticed, no folder grows into a heap, each says what it is for."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.build_spec.scripts import ROOT

ROOTS = ("app", "storage", "widgets")
MOST_MODULES = 20

# A line added to a file, and how the check names what is wrong with it.
CIRCLES = {
    "among files": (
        "app/market/candle.py",
        "from app.market.builder import finish",
        "No cycles are allowed in app.market.",
    ),
    "among files, for types only": (
        "app/market/errors.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from app.market.interval import Interval",
        "No cycles are allowed in app.market.",
    ),
    "among folders": (
        "storage/postgres/pool.py",
        "from storage.schema import migrate",
        "No cycles are allowed in storage.",
    ),
    "inside a folder": (
        "widgets/chart/painting/pane_brush.py",
        "from widgets.chart.painting import scene",
        "No cycles are allowed in widgets.chart.painting.",
    ),
}


def contracts_of(folder: Path) -> subprocess.CompletedProcess[str]:
    """Check the import contracts of the sources in ``folder``."""
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [program, "--no-cache"], cwd=folder, env={"PYTHONPATH": "."}, capture_output=True, text=True, check=False
    )


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A copy of the sources and their contracts."""
    for name in ROOTS:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.mark.parametrize("where", CIRCLES)
def test_a_circle_is_found(sources: Path, where: str) -> None:
    name, line, sentence = CIRCLES[where]
    with (sources / name).open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    checked = contracts_of(sources)
    assert checked.returncode == 1
    assert sentence in checked.stdout


def test_a_new_folder_has_to_take_its_place(sources: Path) -> None:
    (sources / "app" / "live" / "novelty").mkdir()
    (sources / "app" / "live" / "novelty" / "__init__.py").touch()
    checked = contracts_of(sources)
    assert checked.returncode == 1
    assert "novelty" in checked.stdout


def test_no_folder_is_a_heap_and_each_has_a_purpose() -> None:
    for init in (path for root in ROOTS for path in (ROOT / root).rglob("__init__.py")):
        modules = [path for path in init.parent.glob("*.py") if path != init]
        assert len(modules) <= MOST_MODULES, init.parent
        assert ast.get_docstring(ast.parse(init.read_text(encoding="utf-8"))), init.parent


def test_no_folder_of_tests_is_a_heap() -> None:
    for init in (ROOT / "tests").rglob("__init__.py"):
        modules = [path for path in init.parent.glob("*.py") if path != init]
        assert len(modules) <= MOST_MODULES, init.parent
