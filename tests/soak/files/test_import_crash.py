"""The kills of an import in small, and that the comparison would see what they break."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.program import set_surroundings
from tests.servers import forget
from tests.soak.files.import_crash import ImportCrash

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="its server is ended by signals of Unix")


def test_kills_of_the_import_and_of_its_server_lose_and_double_nothing(
    reachable_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_surroundings(monkeypatch, tmp_path, tmp_path / "data")
    folder = reachable_folder / "import-crash"
    folder.mkdir(mode=0o711)
    try:
        report = ImportCrash(folder, 20_000, seed=3, files=20).run(["import", "server"])
    finally:
        forget(folder / "data")
    assert report.differences == []
    assert report.kills.total() == 2
    assert report.trades == 20_000
