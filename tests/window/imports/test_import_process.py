"""
An import in a process beside the window: cancelled, killed, or left by a window that closes or is killed itself.

The test holds the lock of the symbol that is imported, so the import waits with its first batch until it is let go.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
from pytestqt.qtbot import QtBot

from app.market.trade import Trade
from app.sandbox.market.simulated import SimulatedMarket
from storage.postgres.advisory_locks import LOCK_SYMBOLS, SYMBOL_LOCKS
from storage.postgres.connection import connect
from storage.postgres.symbol_ids import add_symbols, symbol_id_of
from storage.schema.migrate import migrate
from storage.server.embedded_server import EmbeddedServer
from tests.commands.play import line
from tests.end_to_end.helpers import Running, open_window, run_on_qt_loop, settings_in, until
from tests.program import needs_signals, servers_in, set_surroundings, wait_for
from tests.sandbox.helpers import serving
from tests.servers import EMBEDDED, empty_schema, forget, shared_server
from tests.storage.helpers import World, some_trades, stored
from widgets.dialogs.import_dialog import ImportDialog, ImportState

SYMBOL = "ADABTC"
FILES, ROWS = 5, 400
TRADES = [trade._replace(time_us=trade.time_us // 1000 * 1000) for trade in some_trades(FILES * ROWS, symbol=SYMBOL)]
PASSWORD = "s3" + "cret"
WAITING = """
    SELECT 1 FROM pg_stat_activity WHERE application_name = 'cryptopipe import' AND wait_event = 'advisory'
"""


def write_files(folder: Path) -> list[Path]:
    """Write files of a batch each."""
    paths = [folder / f"{SYMBOL}-trades-2024-08-{9 + number:02d}.csv" for number in range(FILES)]
    for number, path in enumerate(paths):
        path.write_text("".join(map(line, TRADES[number * ROWS : (number + 1) * ROWS])))
    return paths


@contextlib.contextmanager
def locked(url: str) -> Iterator[None]:
    """Keep everyone from storing trades of the symbol."""
    with connect(url) as connection:
        add_symbols(connection, [SYMBOL])
        number = symbol_id_of(connection, SYMBOL)
        with connection.transaction():
            connection.execute(LOCK_SYMBOLS, (SYMBOL_LOCKS, [number]))
            yield


def what_they_are(dialog: ImportDialog) -> list[str]:
    return [dialog.table.item(row, 1).text() for row in range(dialog.table.rowCount())]


class Scene(NamedTuple):
    running: Running
    url: str
    dialog: ImportDialog

    @property
    def child(self) -> psutil.Process:
        process = self.running.controller.imports.process
        assert process is not None
        return psutil.Process(process.process_id)

    async def begin(self) -> psutil.Process:
        """Start the import; return its process once that waits for the lock."""
        self.dialog.start_button.click()
        await until(lambda: self.running.controller.imports.process is not None)
        child = self.child
        with connect(self.url) as connection:
            await until(lambda: connection.execute(WAITING).fetchone())
        return child


Play = Callable[[Callable[[Scene], Awaitable[None]]], list[Trade]]


@pytest.fixture
def play(qtbot: QtBot, data_dir: Path, tmp_path: Path) -> Play:
    """Run a scene in a window whose import dialog has the files; return the trades stored at its end."""

    def run(scene: Callable[[Scene], Awaitable[None]]) -> list[Trade]:
        paths = write_files(tmp_path)
        with empty_schema(shared_server(EMBEDDED)) as url:
            with connect(url) as connection:
                migrate(connection)

            async def work() -> None:
                async with serving(SimulatedMarket(seed=5)) as server:
                    database = f"{url} password={PASSWORD}"
                    addresses = server.ws_url, server.rest_url
                    settings = settings_in(data_dir, *addresses, symbols="BTCUSDT", database_url=database)
                    async with open_window(settings) as running:
                        await until(lambda: running.engine.database is not None)
                        dialog = running.controller.imports.open(paths)
                        await until(lambda: all(SYMBOL in text for text in what_they_are(dialog)))
                        await scene(Scene(running, url, dialog))

            run_on_qt_loop(work)
            world = World(url)
            try:
                return stored(world.store, SYMBOL)
            finally:
                world.close()

    return run


def test_a_cancelled_and_a_killed_import_keep_whole_batches_and_go_on_when_begun_again(play: Play) -> None:
    async def scene(scene: Scene) -> None:
        dialog = scene.dialog
        with locked(scene.url):
            child = await scene.begin()
            assert not [word for word in child.cmdline() if PASSWORD in word]
            dialog.cancel_button.click()
            assert dialog.state is ImportState.CANCELLING
        await until(lambda: dialog.state is ImportState.DONE)
        assert dialog.outcome.text().startswith(f"{ROWS} rows read: {ROWS} stored")
        assert "The import was cancelled; run it again to go on." in dialog.outcome.text()
        assert not child.is_running()
        dialog.add([])
        with locked(scene.url):
            child = await scene.begin()
            child.kill()
            await until(lambda: dialog.state is ImportState.EDITING)
        sentence = "The process of the import was ended from outside or crashed; what it had stored stays."
        assert dialog.outcome.text().startswith(sentence)
        dialog.start_button.click()
        await until(lambda: dialog.state is ImportState.DONE)
        assert "2,000 rows read: 1,600 stored, 400 held already." in dialog.outcome.text()

    assert play(scene) == TRADES


def test_an_import_in_the_background_is_shown_again_and_its_end_is_announced(play: Play, tmp_path: Path) -> None:
    async def scene(scene: Scene) -> None:
        dialog, imports, toasts = scene.dialog, scene.running.controller.imports, scene.running.window.toasts
        with locked(scene.url):
            await scene.begin()
            dialog.hide_button.click()
            assert not dialog.isVisible()
            # Opened again, and with files dropped on the window, it is the same one, which takes no files now.
            assert imports.open([tmp_path]) is dialog
            assert dialog.isVisible()
            assert dialog.state is ImportState.RUNNING
            assert toasts.shown[-1].text.text() == "An import is running: add more files once it has ended."
            dialog.reject()
        await until(lambda: dialog.state is ImportState.DONE)
        toast = toasts.shown[-1]
        assert toast.text.text().startswith("The import has ended. 2,000 rows read: 2,000 stored")
        toast.button.click()
        assert dialog.isVisible()
        dialog.cancel_button.click()
        again = imports.open()
        assert again is not dialog
        assert again.table.rowCount() == 0

    assert play(scene) == TRADES


def test_a_window_that_closes_cancels_its_import_and_kills_it_where_it_does_not_end(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.window.own_process._LEAVE_S", 0.2)

    async def scene(scene: Scene) -> None:
        with locked(scene.url):
            child = await scene.begin()
            await scene.running.controller.imports.stop()
            assert not child.is_running()

    assert play(scene) == []


# The real program on a data directory; it imports the files named, and prints the id of the process that does.
IMPORTING = """
import asyncio, sys
from pathlib import Path
from app.main import main
from app.window.window_controller import WindowController

really = WindowController.start

def start(controller):
    really(controller)
    controller.importing = asyncio.ensure_future(begin(controller))

async def begin(controller):
    while controller._engine.database is None:
        await asyncio.sleep(0.05)
    dialog = controller.imports.open([Path(name) for name in sys.argv[1:]])
    while any("Looking" in dialog.table.item(row, 1).text() for row in range(dialog.table.rowCount())):
        await asyncio.sleep(0.05)
    dialog.start_button.click()
    while controller.imports.process is None:
        await asyncio.sleep(0.05)
    print(controller.imports.process.process_id, flush=True)

WindowController.start = start
sys.exit(main([]))
"""


@needs_signals
def test_a_window_that_is_killed_takes_its_import_and_its_database_along(
    tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_surroundings(monkeypatch, tmp_path, data_dir)
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    paths = write_files(tmp_path)
    server = EmbeddedServer(data_dir)
    url = server.start()
    try:
        with connect(url) as connection:
            migrate(connection)
        window = subprocess.Popen(
            [sys.executable, "-c", IMPORTING, *map(str, paths)], stdout=subprocess.PIPE, text=True
        )
        try:
            with locked(url), connect(url) as connection:
                assert window.stdout is not None
                child = psutil.Process(int(window.stdout.readline()))
                wait_for(lambda: connection.execute(WAITING).fetchone(), window)
                window.kill()
                window.wait()
                assert child.is_running()
        finally:
            window.kill()
            window.communicate()
        child.wait(60)
        world = World(url)
        try:
            assert stored(world.store, SYMBOL) == TRADES[:ROWS]
        finally:
            world.close()
    finally:
        server.stop()
        assert servers_in(data_dir) == []
        forget(data_dir)
