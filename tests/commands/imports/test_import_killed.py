"""An import that is interrupted, or runs out of disk, has lost nothing and is begun again; kills: `tests.soak`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from app.market.trade import Trade
from storage.database import Database
from storage.postgres.connection import connect
from storage.schema.migrate import migrate
from tests.commands.play import line
from tests.program import needs_signals, set_surroundings
from tests.servers import EMBEDDED, empty_schema, forget, shared_server
from tests.storage.helpers import World, some_trades, stored
from tests.storage.small_disk import MB, mounted

FILES, ROWS = 12, 4_000
PATIENCE_S = 60.0
TRADES = [trade._replace(time_us=trade.time_us // 1000 * 1000) for trade in some_trades(FILES * ROWS)]


def write_archives(folder: Path, trades: list[Trade]) -> Path:
    folder.mkdir()
    for number in range(FILES):
        name = f"BTCUSDT-trades-2024-08-{number + 9:02d}"
        part = trades[number * len(trades) // FILES : (number + 1) * len(trades) // FILES]
        with zipfile.ZipFile(folder / f"{name}.zip", "w") as packed:
            packed.writestr(f"{name}.csv", "".join(map(line, part)))
    return folder


class Place(NamedTuple):
    world: World
    folder: Path


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    set_surroundings(monkeypatch, tmp_path, tmp_path / "data")
    with empty_schema(shared_server(EMBEDDED)) as url:
        monkeypatch.setenv("CRYPTOPIPE_DATABASE_URL", url)
        with connect(url) as connection:
            migrate(connection)
        world = World(url)
        yield Place(world, write_archives(tmp_path / "files", TRADES))
        world.close()


def started_import(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "app.main", "import", str(folder), "--json"], stdout=subprocess.PIPE, text=True
    )


def wait_until_stored(world: World, process: subprocess.Popen[str], count: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while world.store.coverage("BTCUSDT").count() < count and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.005)


@needs_signals
def test_an_interrupted_import_says_what_it_stored_and_to_begin_again(place: Place) -> None:
    process = started_import(place.folder)
    wait_until_stored(place.world, process, 1)
    process.send_signal(signal.SIGINT)
    report = json.loads(process.communicate(timeout=PATIENCE_S)[0])
    if report["stored"] < len(TRADES):
        assert process.returncode == 1
        assert report["stopped_because"] == "The import was cancelled; run it again to go on."
    assert stored(place.world.store) == TRADES[: report["stored"]]


def test_a_full_disk_is_one_sentence_and_the_import_goes_on_once_there_is_room(
    reachable_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_surroundings(monkeypatch, tmp_path, tmp_path / "data")
    folder = write_archives(tmp_path / "files", TRADES)
    with mounted(reachable_folder / "import-disk", "size=128m,mode=0711") as disk:
        data_dir = disk.path / "data"
        database = Database.open(None, data_dir)
        try:
            surroundings = {**os.environ, "CRYPTOPIPE_DATABASE_URL": database.url}
            command = [sys.executable, "-m", "app.main", "import", str(folder), "--json"]
            disk.fill(leave=2 * MB)
            failed = subprocess.run(command, env=surroundings, capture_output=True, text=True)
            report = json.loads(failed.stdout)
            assert failed.returncode == 1
            assert "the disk is full; free some space" in report["stopped_because"]
            assert failed.stderr.count("\n") == 1
            disk.make_room()
            done = subprocess.run(command, env=surroundings, capture_output=True, text=True)
            assert (done.returncode, done.stderr) == (0, "")
            assert stored(database.store) == TRADES
        finally:
            database.close()
            forget(data_dir)
