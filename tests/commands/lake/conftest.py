"""The commands of the lake on a database with five days of trades, three of which are complete."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from app.main import main
from app.market.trade import Trade
from tests.program import set_surroundings, unchanged_process
from tests.servers import EMBEDDED, shared_server
from tests.storage.helpers import World, stored
from tests.storage.lake.trades import days_of_trades, on_days
from tests.tables import our_tables

TRADES = days_of_trades(5, 400)
INSIDE = on_days(TRADES, 1, 3)
DAYS = ["2024-08-10", "2024-08-11", "2024-08-12"]


class Place(NamedTuple):
    """``folder``: of a lake that is not there yet; ``url``: the database's; ``other``: that of an empty one."""

    folder: Path
    url: str
    other: str
    capsys: pytest.CaptureFixture[str]
    setenv: Callable[[str, str], None]

    def run(self, *arguments: object) -> tuple[int, str, str]:
        """Return the exit code, standard output and standard error of ``cryptopipe lake``."""
        code = main(["lake", *map(str, arguments)])
        return code, *self.capsys.readouterr()

    def document(self, *arguments: object) -> tuple[int, Any]:
        """Return the exit code and what ``--json`` prints."""
        code, printed, complaints = self.run(*arguments, "--json")
        assert printed, complaints
        return code, json.loads(printed)

    def use(self, variables: dict[str, str]) -> None:
        for name, value in variables.items():
            self.setenv(name, value)

    def use_empty_database(self) -> None:
        self.setenv("CRYPTOPIPE_DATABASE_URL", self.other)

    def stored(self) -> list[Trade]:
        """Return what the empty database holds by now."""
        world = World(self.other)
        try:
            return stored(world.store)
        finally:
            world.close()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Place]:
    set_surroundings(monkeypatch, tmp_path, tmp_path / "data")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))  # or this machine's profile has a key
    monkeypatch.chdir(tmp_path)
    server = shared_server(EMBEDDED)
    with our_tables(server) as url, our_tables(server) as other, unchanged_process():
        monkeypatch.setenv("CRYPTOPIPE_DATABASE_URL", url)
        world = World(url)
        world.record(TRADES)
        world.close()
        yield Place(tmp_path / "lake", url, other, capsys, monkeypatch.setenv)


def started(*arguments: object) -> subprocess.Popen[str]:
    """Start ``cryptopipe lake`` as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "app.main", "lake", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )
