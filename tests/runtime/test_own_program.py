"""Another process of the program is this program, wherever it was started."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from app.config.version import VERSION
from app.runtime.own_program import own_program


def test_a_folder_with_a_package_of_the_same_name_is_not_taken_for_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "app").mkdir()
    for name in ("__init__.py", "main.py"):
        (tmp_path / "app" / name).write_text("print('another program')")
    monkeypatch.setenv("PYTHONPATH", ".")
    done = subprocess.run(own_program("--version"), cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == (f"cryptopipe {VERSION}\n", "")


def test_packaged_the_interpreter_is_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert own_program("import-job") == [sys.executable, "import-job"]
