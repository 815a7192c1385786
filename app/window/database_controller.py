"""
The database dialog's work: tests a database in a worker thread, switches to it, and saves the choice.

config.toml gets the URL without its password. The password goes to the system's keyring if the user ticks that, and
nowhere otherwise.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from app.concurrency.background import in_background
from app.concurrency.tasks import Tasks
from app.config import passwords
from app.config.config_file import write_setting
from app.config.settings import Secret, SettingOrigin, Settings
from app.live.engine import Engine
from app.market.errors import CryptopipeError, SettingsError, StoreError
from app.runtime.open_database import connect_to, database_url, embedded_server, open_database
from storage.postgres.connection import PasswordWanted
from storage.postgres.database_url import is_local, name_of, parts_of, password_in, url_of, without_secrets
from storage.schema.migrate import migrations
from storage.schema.probe import Probe, probe
from storage.server.embedded_server import EmbeddedServer
from widgets.controls.number_format import count, data_size
from widgets.dialogs.database_dialog import DatabaseDialog, Fact
from widgets.dialogs.database_form import DatabaseChoice, DatabaseKind
from widgets.window.main_window import MainWindow

_SLOW_MS = 100.0


def facts_of_probe(found: Probe) -> list[Fact]:
    """Return the lines to show, the most important first."""
    line = {None: "a socket of this machine", True: "encrypted (TLS)", False: "not encrypted"}[found.encrypted]
    return [
        Fact("Server", found.server.label),
        Fact("Round trip", f"{_time(found.latency_ms)}, {line}", "warning" if found.latency_ms > _SLOW_MS else ""),
        Fact("Holds", _holdings(found)),
        Fact("Tables", _tables(found)),
    ]


def verdict(found: Probe) -> tuple[str, str]:
    """Return one sentence about using that database, and its tone."""
    try:
        found.privileges.check_tables()
    except StoreError as error:
        return str(error), "warning"
    if found.privileges.tables_version > migrations()[-1].number:
        return "It was written by a newer cryptopipe: upgrade this program to use it.", "warning"
    if found.privileges.read_only_reason:
        return found.privileges.read_only_reason, "warning"
    return "It works, and trades can be recorded into it.", "rising"


def _holdings(found: Probe) -> str:
    size = data_size(found.size_bytes)
    held = [f"{count(number)} {rows}" for number, rows in ((found.trades, "trades"), (found.ticks, "ticks")) if number]
    if not held:
        return f"no trades yet ({size})"
    symbols = "1 symbol" if found.symbols == 1 else f"{count(found.symbols)} symbols"
    return f"{' and '.join(held)} of {symbols} ({size})"


def _tables(found: Probe) -> str:
    newest, version = migrations()[-1].number, found.privileges.tables_version
    if not version:
        return "none yet; they are made at the first use"
    if version < newest:
        return f"version {version}; brought to version {newest} at the first use"
    return f"version {version}"


def _time(milliseconds: float) -> str:
    return f"{milliseconds:.1f} ms" if milliseconds >= 0.1 else "less than 0.1 ms"


logger = logging.getLogger(__name__)

_NO_KEYRING = "This system has no keyring: set CRYPTOPIPE_DATABASE_PASSWORD, or use ~/.pgpass"
_SIMULATED = (
    "The simulated market keeps its invented trades in a database of its own, so that they never reach yours. Start "
    "cryptopipe without --demo to choose another."
)
_MEANINGS = {
    DatabaseKind.LOCAL: "A PostgreSQL or TimescaleDB that runs here, such as the one that docker compose up starts.",
    DatabaseKind.REMOTE: "A PostgreSQL or TimescaleDB on another machine, which others may share.",
}


class DatabaseController:
    """
    Opens the database dialog over ``window`` and serves its requests, until `stop`.

    ``settings`` describe the database in use; choices are saved in ``config_file``. ``simulated``: the market is a
    simulation, so nothing can be chosen.
    """

    def __init__(
        self, engine: Engine, window: MainWindow, settings: Settings, config_file: Path, *, simulated: bool
    ) -> None:
        self._engine = engine
        self._window = window
        self._settings = self._first_settings = settings
        self._config_file = config_file
        self._simulated = simulated
        self._dialog: DatabaseDialog | None = None
        self._tasks = Tasks("the database dialog")
        self._test: asyncio.Task[None] | None = None
        window.requests.database_requested.connect(self.open)

    def open(self) -> None:
        """Show the dialog, unless it is open; it closes itself."""
        if self._dialog is not None:
            return
        dialog = self._dialog = DatabaseDialog(
            self._current(),
            {DatabaseKind.EMBEDDED: f"A PostgreSQL of cryptopipe's own, in {self._settings.data_dir}.", **_MEANINGS},
            read_url=parts_of,
            note=self._note(),
            locked=_SIMULATED if self._simulated else "",
            parent=self._window,
        )
        dialog.test_requested.connect(lambda choice: self._start_test(dialog, choice))
        dialog.apply_requested.connect(lambda choice: self._tasks.begin(self._apply(dialog, choice)))
        dialog.test_cancelled.connect(self._cancel_test)
        dialog.finished.connect(lambda _: self._closed(dialog))
        dialog.open()
        self._tasks.begin(self._learn_keyring(dialog))

    async def stop(self) -> None:
        """Cancel what runs."""
        await self._tasks.end()

    def _current(self) -> DatabaseChoice:
        """Return the choice in use for the form, without its password."""
        url = self._settings.database_url
        if not url:
            return DatabaseChoice(DatabaseKind.EMBEDDED)
        try:
            parts = parts_of(without_secrets(url))
        except StoreError:
            return DatabaseChoice(DatabaseKind.REMOTE)
        return DatabaseChoice(DatabaseKind.LOCAL if is_local(parts) else DatabaseKind.REMOTE, parts)

    def _note(self) -> str:
        place = self._settings.origins.get("database_url")
        where = {
            SettingOrigin.ENVIRONMENT: "CRYPTOPIPE_DATABASE_URL",
            SettingOrigin.COMMAND_LINE: "--database-url",
        }.get(place or SettingOrigin.FILE)
        if where is None:
            return ""
        return f"{where} names a database. It wins over what is chosen here whenever the program starts with it."

    async def _learn_keyring(self, dialog: DatabaseDialog) -> None:
        can = await in_background(passwords.can_remember, "keyring")
        if dialog is self._dialog:
            dialog.form.set_can_remember(can, _NO_KEYRING)

    def _closed(self, dialog: DatabaseDialog) -> None:
        self._dialog = None
        self._cancel_test()
        dialog.deleteLater()

    # Testing a database

    def _start_test(self, dialog: DatabaseDialog, choice: DatabaseChoice) -> None:
        self._test = self._tasks.begin(self._try(dialog, choice))

    def _cancel_test(self) -> None:
        if self._test is not None:
            self._test.cancel()

    async def _try(self, dialog: DatabaseDialog, choice: DatabaseChoice) -> None:
        settings = self._settings_for(choice)
        if choice.kind is DatabaseKind.EMBEDDED and not EmbeddedServer.exists(settings.data_dir):
            dialog.tested((), f"It will be made in {settings.data_dir} when it is first used.", "dim")
            return
        found = await self._run_probe(dialog, lambda: _probe(settings))
        if found is not None:
            dialog.tested(facts_of_probe(found), *verdict(found))

    # Switching to it

    async def _apply(self, dialog: DatabaseDialog, choice: DatabaseChoice) -> None:
        if self._simulated:  # the dialog is locked; trades of a simulation must not reach a real database even so
            dialog.failed(_SIMULATED)
            return
        settings = self._settings_for(choice)
        try:
            await self._engine.change_database(lambda: open_database(settings))
        except PasswordWanted:
            dialog.want_password()
            return
        except CryptopipeError as error:
            dialog.failed(f"{error} Nothing was changed.")
            return
        except Exception as error:
            logger.critical("the database could not be changed", exc_info=error)
            dialog.failed(f"It failed inside ({type(error).__name__}); the log file tells more.")
            return
        self._settings = settings
        database = self._engine.database
        in_use = f"{database.label} is in use." if database is not None else "It is in use."
        reading = database.read_only_reason if database is not None else ""
        problem = await in_background(lambda: self._keep(choice), "keep-choice")
        words = " ".join(part for part in (in_use, reading, problem) if part)
        dialog.applied(words, "warning" if reading or problem else "rising")

    def _keep(self, choice: DatabaseChoice) -> str:
        """Save the choice for the next start; return one sentence if a part of it could not be saved, else empty."""
        problems = []
        url = url_of(choice.parts) if choice.kind is not DatabaseKind.EMBEDDED else ""
        try:
            write_setting(self._config_file, "database_url", without_secrets(url) if url else None)
        except SettingsError as error:
            problems.append(str(error))
        try:
            if choice.password and choice.remember:
                passwords.remember(url, choice.password)
            elif choice.password:
                passwords.forget(url)  # the keyring may hold an older one
        except SettingsError as error:
            problems.append(str(error))
        return " ".join(problems)

    def _settings_for(self, choice: DatabaseChoice) -> Settings:
        """Return the settings that open the chosen database."""
        if choice.kind is DatabaseKind.EMBEDDED:
            return replace(self._settings, database_url="", database_password=Secret())
        url = url_of(choice.parts)
        password = choice.password or self._known_password(url)
        return replace(self._settings, database_url=url, database_password=Secret(password))

    def _known_password(self, url: str) -> str:
        """
        Return the password for ``url`` if it names the database in use, or the one of the start; else empty.

        A password given to the program without a URL counts for any database.
        """
        for settings in (self._settings, self._first_settings):
            try:
                current = database_url(settings)
                if current and name_of(current) == name_of(url) and (password := password_in(current)):
                    return password
            except StoreError:
                continue
        first = self._first_settings
        return "" if first.database_url else first.database_password.text

    async def _run_probe(self, dialog: DatabaseDialog, work: Callable[[], Probe]) -> Probe | None:
        """Run ``work`` in a worker thread and return its result; None if it failed: then the dialog says why."""
        try:
            return await in_background(work, "try-database")
        except PasswordWanted:
            dialog.want_password()
        except CryptopipeError as error:
            dialog.failed(str(error))
        except Exception as error:
            logger.critical("a database could not be tried", exc_info=error)
            dialog.failed(f"The test failed inside ({type(error).__name__}); the log file tells more.")
        return None


def _probe(settings: Settings) -> Probe:
    """Probe the settings' database; an embedded server is started for that and stopped, unless others use it."""
    if settings.database_url:
        with connect_to(database_url(settings), application_name="cryptopipe test") as connection:
            return probe(connection)
    server = embedded_server(settings)
    try:
        with connect_to(server.start(), application_name="cryptopipe test") as connection:
            return probe(connection, embedded=True)
    finally:
        server.stop()
