"""The database dialog in the window, over the real engine, the simulated market and real servers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from app.config.settings import Settings, load
from app.sandbox.market.simulated import SimulatedMarket
from app.sandbox.server.server import SandboxServer
from storage.database import Database
from storage.postgres.connection import connect
from tests.end_to_end.helpers import Running, open_window, run_on_qt_loop, until
from tests.keyrings import MemoryKeyring, using
from tests.program import silent_server
from tests.sandbox.helpers import serving
from tests.storage.listening import listening
from widgets.dialogs.database_dialog import DatabaseDialog, DialogState
from widgets.dialogs.database_form import DatabaseKind

Scene = Callable[[Running], Awaitable[None]]
PASSWORD = "s3" + "cret"


@pytest.fixture(scope="module")
def server_port(reachable_folder: Path) -> Iterator[int]:
    """A server on loopback. Its user recorder has a password and a database of that name; viewer may only read that."""
    rules = "host all recorder 127.0.0.1/32 scram-sha-256\n"
    with listening(reachable_folder / "page", rules=rules) as port:
        url = f"host=127.0.0.1 port={port} user=cryptopipe"
        with psycopg.connect(f"{url} dbname=postgres", autocommit=True) as connection:
            connection.execute(f"CREATE ROLE recorder LOGIN PASSWORD '{PASSWORD}'")
            connection.execute("CREATE ROLE viewer LOGIN")
            connection.execute("CREATE DATABASE recorder OWNER recorder")
        yield port


@pytest.fixture
def play(qtbot: QtBot, data_dir: Path, tmp_path: Path) -> Callable[..., None]:
    """Run a scene in a window on the simulated market, its choices kept in ``tmp_path``."""

    def run(
        scene: Scene,
        *,
        simulated: bool = False,
        environment: dict[str, str] | None = None,
        ring: MemoryKeyring | None = None,
    ) -> None:
        async def work() -> None:
            async with serving(SimulatedMarket(seed=5)) as server:
                settings = settings_on(server, data_dir, tmp_path, environment or {})
                async with open_window(settings, simulated=simulated, config_file=tmp_path / "config.toml") as running:
                    await until(lambda: running.engine.database and running.engine.recorder.trades_received)
                    await scene(running)

        with using(ring or MemoryKeyring()):
            run_on_qt_loop(work)

    return run


def settings_on(server: SandboxServer, data_dir: Path, folder: Path, environment: dict[str, str]) -> Settings:
    options = {
        "data_dir": str(data_dir),
        "symbols": "BTCUSDT,ETHUSDT",
        "binance_ws_url": server.ws_url,
        "binance_rest_url": server.rest_url,
    }
    return load(options, environment=environment, file=folder / "config.toml")


async def opened(running: Running) -> DatabaseDialog:
    running.window.requests.database_requested.emit()
    running.window.requests.database_requested.emit()  # twice is once
    (dialog,) = running.window.findChildren(DatabaseDialog)
    # The keyring is looked for meanwhile.
    await until(lambda: dialog.state is not DialogState.EDITING or dialog.form._can_remember)
    return dialog


def fill(dialog: DatabaseDialog, port: int, user: str, password: str = "") -> None:
    form = dialog.form
    form.local.click()
    for edit, text in (
        (form.host, "127.0.0.1"),
        (form.port, str(port)),
        (form.database, "recorder"),
        (form.user, user),
        (form.password, password),
    ):
        edit.setText(text)


async def done(dialog: DatabaseDialog) -> str:
    """Wait for the dialog's work to end; return what it says."""
    await until(lambda: dialog.state in (DialogState.EDITING, DialogState.DONE))
    return dialog.outcome.text()


def facts(dialog: DatabaseDialog) -> dict[str, str]:
    texts = [one.text() for one in dialog.facts.findChildren(QLabel)]
    return dict(zip(texts[::2], texts[1::2], strict=True))


def test_a_server_is_tested_switched_to_and_remembered_without_its_password(
    play: Callable[..., None], server_port: int, data_dir: Path, tmp_path: Path
) -> None:
    (tmp_path / "config.toml").write_text("# mine\nbatch_trades = 10  # small\n", encoding="utf-8")
    ring = MemoryKeyring()

    async def scene(running: Running) -> None:
        before = running.engine.database
        assert before is not None
        await until(lambda: before.store.coverage("BTCUSDT").count())  # trades may come of the other symbol alone
        dialog = await opened(running)
        assert dialog.form.kind() is DatabaseKind.EMBEDDED
        fill(dialog, server_port, "recorder")
        dialog.test_button.click()
        assert await done(dialog) == "The server wants a password: enter it."
        fill(dialog, server_port, "recorder", "wr0ng")
        dialog.test_button.click()
        assert "refused the user name or the password" in await done(dialog)
        fill(dialog, server_port, "recorder", PASSWORD)
        dialog.test_button.click()
        assert await done(dialog) == "It works, and trades can be recorded into it."
        found = facts(dialog)
        assert found["Server"].startswith("PostgreSQL ")
        assert found["Round trip"].endswith("ms, not encrypted")
        assert found["Holds"].startswith("no trades yet (")
        assert found["Tables"] == "none yet; they are made at the first use"

        dialog.form.remember.click()
        dialog.apply_button.click()
        assert (await done(dialog)).startswith("PostgreSQL ")
        assert dialog.outcome.text().endswith(" is in use.")
        dialog.cancel_button.click()
        assert not dialog.isVisible()

        # The chart, the panels and the recording are the new database's.
        database = running.engine.database
        assert database is not None
        await until(lambda: database.writer.status.stored > 20)
        await until(lambda: running.session is not None and running.session.joined)
        await until(lambda: running.window.status_bar.database.text().startswith(database.label))
        assert running.engine.history.store is database.store

    play(scene, ring=ring)
    url = f"postgresql://recorder@127.0.0.1:{server_port}/recorder"
    text = (tmp_path / "config.toml").read_text(encoding="utf-8")
    assert text == f'# mine\nbatch_trades = 10  # small\ndatabase_url = "{url}"\n'
    assert list(ring.kept.values()) == [PASSWORD]
    for path in data_dir.rglob("*.log"):
        assert PASSWORD not in path.read_text(encoding="utf-8", errors="replace")
    embedded = Database.open(None, data_dir)
    stored = embedded.store.coverage("BTCUSDT").count()
    assert embedded.close()  # whatever it holds: a connection left open fails the test after this one
    assert stored > 0

    async def next_start(running: Running) -> None:
        assert running.engine.database.label.startswith("PostgreSQL ")  # by the file, with the keyring's password
        dialog = await opened(running)
        assert dialog.form.kind() is DatabaseKind.LOCAL
        assert dialog.form.user.text() == "recorder"
        assert dialog.form.password.text() == ""
        dialog.form.embedded.click()
        dialog.apply_button.click()
        assert await done(dialog) == f"{running.engine.database.label} is in use."
        assert running.engine.database.label.startswith("Embedded PostgreSQL ")

    play(next_start, ring=ring)
    assert (tmp_path / "config.toml").read_text(encoding="utf-8") == "# mine\nbatch_trades = 10  # small\n"


def test_with_a_read_only_database_the_chart_works_and_the_window_says_that_nothing_is_recorded(
    play: Callable[..., None], server_port: int
) -> None:
    owner = f"host=127.0.0.1 port={server_port} user=cryptopipe dbname=recorder"
    url = f"host=127.0.0.1 port={server_port} user=recorder password={PASSWORD} dbname=recorder"
    assert Database.open(url, Path("unused")).close()
    with connect(owner) as connection:
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO viewer")
        (before,) = connection.execute("SELECT count(*) FROM trades").fetchone()

    async def scene(running: Running) -> None:
        dialog = await opened(running)
        fill(dialog, server_port, "viewer")
        dialog.test_button.click()
        said = "Reading only: the user “viewer” may only read this database, so trades are not recorded."
        assert await done(dialog) == said
        dialog.apply_button.click()
        assert said in await done(dialog)
        dialog.cancel_button.click()
        bar = running.window.status_bar
        await until(lambda: bar.database.text().endswith(" · Reading only: not recording"))
        await until(lambda: running.session is not None and running.session.joined)
        received = running.engine.recorder.trades_received
        await until(lambda: running.engine.recorder.trades_received > received + 20)
        await until(lambda: bar.queue.text() == "Queue 0")
        assert running.engine.recorder.missing() == 0
        assert running.session.failure == ""

    play(scene)
    with connect(owner) as connection:
        assert connection.execute("SELECT count(*) FROM trades").fetchone() == (before,)


def test_a_change_that_fails_leaves_everything_as_it_was(
    play: Callable[..., None], server_port: int, tmp_path: Path
) -> None:
    async def scene(running: Running) -> None:
        before = running.engine.database
        dialog = await opened(running)
        fill(dialog, server_port, "recorder", "wr0ng")
        dialog.apply_button.click()
        assert "refused the user name or the password" in await done(dialog)
        assert dialog.outcome.text().endswith("Nothing was changed.")
        assert running.engine.database is before
        assert dialog.form.host.isEnabled()
        stored = before.writer.status.stored
        await until(lambda: before.writer.status.stored > stored)

    play(scene)
    assert not (tmp_path / "config.toml").exists()


def test_the_window_stays_responsive_while_a_server_is_silent_and_the_test_can_be_cancelled(
    play: Callable[..., None],
) -> None:
    async def scene(running: Running) -> None:
        with silent_server() as server:
            port = server.address.partition(":")[2]
            dialog = await opened(running)
            fill(dialog, int(port), "recorder")
            dialog.test_button.click()
            await until(lambda: server.connections)
            received, painted = running.engine.recorder.trades_received, running.chart.paint_count
            await until(lambda: running.engine.recorder.trades_received > received + 20)
            await until(lambda: running.chart.paint_count > painted)
            assert dialog.state is DialogState.TESTING
            dialog.reject()
            assert dialog.outcome.text() == "The test was given up."
            dialog.test_button.click()
            # And the window can be closed meanwhile: the end of this scene does.

    play(scene)


def test_the_simulated_market_can_choose_no_database_and_says_why(play: Callable[..., None]) -> None:
    async def scene(running: Running) -> None:
        running.window.requests.database_requested.emit()
        (dialog,) = running.window.findChildren(DatabaseDialog)
        assert "so that they never reach yours" in dialog.note.text()
        for button in (dialog.test_button, dialog.apply_button, dialog.form.remote):
            assert not button.isEnabled()
        before = running.engine.database
        dialog._apply()
        assert dialog.state is DialogState.EDITING
        dialog._locked = ""  # as if a fault let it through
        dialog._apply()
        assert "so that they never reach yours" in await done(dialog)
        assert running.engine.database is before

    play(scene, simulated=True)


def test_the_dialog_says_that_a_database_of_the_environment_wins_at_the_next_start(
    play: Callable[..., None], server_port: int
) -> None:
    url = f"postgresql://cryptopipe@127.0.0.1:{server_port}/recorder"

    async def scene(running: Running) -> None:
        dialog = await opened(running)
        assert dialog.note.text().startswith("CRYPTOPIPE_DATABASE_URL names a database. It wins")
        assert dialog.form.host.text() == "127.0.0.1"

    play(scene, environment={"CRYPTOPIPE_DATABASE_URL": url})


def test_a_keyring_that_refuses_is_reported_and_the_database_is_used_all_the_same(
    play: Callable[..., None], server_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: MemoryKeyring, service: str, username: str, password: str) -> None:
        raise PermissionError(password)

    monkeypatch.setattr(MemoryKeyring, "set_password", refuse)

    async def scene(running: Running) -> None:
        dialog = await opened(running)
        fill(dialog, server_port, "recorder", PASSWORD)
        dialog.form.remember.click()
        dialog.apply_button.click()
        said = await done(dialog)
        assert "is in use. The password could not be remembered, because the keyring refuses" in said
        assert PASSWORD not in said
        assert running.engine.database.label in said

    play(scene)


def test_a_password_of_the_environment_without_a_url_counts_for_any_server(
    play: Callable[..., None], server_port: int
) -> None:
    async def scene(running: Running) -> None:
        for chosen in ("server", "embedded", "server"):  # once there and back, the password is still known
            dialog = await opened(running)
            if chosen == "server":
                fill(dialog, server_port, "recorder")
            else:
                dialog.form.embedded.click()
            dialog.apply_button.click()
            assert "is in use." in await done(dialog)
            assert running.engine.database.label.startswith("Embedded") is (chosen == "embedded")
            dialog.cancel_button.click()
            await until(lambda: not running.window.findChildren(DatabaseDialog))

    play(scene, environment={"CRYPTOPIPE_DATABASE_PASSWORD": PASSWORD})
