"""What commands run in, and a database for ``cryptopipe import`` on the embedded server that the tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.play import Play
from tests.program import set_surroundings, unchanged_process
from tests.servers import EMBEDDED, shared_server
from tests.storage.helpers import World
from tests.tables import our_tables


@pytest.fixture
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, data_dir: Path) -> Iterator[None]:
    """Settings of the test's own, and a data directory that is not made yet; the process is left as it was."""
    set_surroundings(monkeypatch, tmp_path, data_dir)
    with unchanged_process():
        yield


@pytest.fixture
def named_tables(surroundings: None, tables_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """As `surroundings`, and the settings name our tables, empty, on the shared server; their URL."""
    monkeypatch.setenv("CRYPTOPIPE_DATABASE_URL", tables_url)
    return tables_url


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Play]:
    set_surroundings(monkeypatch, tmp_path, tmp_path / "data")
    with our_tables(shared_server(EMBEDDED)) as url, unchanged_process():
        monkeypatch.setenv("CRYPTOPIPE_DATABASE_URL", url)
        world = World(url)
        folder = tmp_path / "files"
        folder.mkdir()
        yield Play(world, folder, capsys)
        world.close()
