"""A command whose output nobody reads any more ends quietly, as other tools do."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.program import PROGRAM


@pytest.mark.parametrize("arguments", [["settings", "list"], ["--version"], ["--help"], ["completion", "bash"]])
def test_a_command_ends_quietly_when_its_reader_is_gone(tmp_path: Path, arguments: list[str]) -> None:
    environment = {**os.environ, "CRYPTOPIPE_DATA_DIR": str(tmp_path / "data"), "XDG_CONFIG_HOME": str(tmp_path)}
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [*PROGRAM, *arguments], stdout=writing, stderr=subprocess.PIPE, env=environment, timeout=60, check=False
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")
