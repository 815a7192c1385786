"""Opens the settings' database, with its password from the URL, the environment or the keyring."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.config import passwords
from app.config.settings import SettingOrigin, Settings
from app.market.errors import StoreError
from app.market.symbol import read_calendars
from app.runtime.calendars import named_calendar
from storage.database import Database
from storage.postgres.connection import Connection, connect
from storage.postgres.database_url import holds_secret, password_in, with_password, with_timeout
from storage.schema.retention_period import proposal
from storage.server.embedded_server import EmbeddedServer

if TYPE_CHECKING:
    from storage.lake.lake import Lake


def open_database(settings: Settings) -> Database:
    """
    Open the database the settings name. Blocks.

    Raises:
        StoreError: If it cannot be used; the sentence says why.
    """
    return Database.open(
        url=database_url(settings) or None,
        data_dir=settings.data_dir,
        postgres_bin=Path(settings.postgres_bin) if settings.postgres_bin else None,
        batch_trades=settings.batch_trades,
        batch_seconds=settings.batch_seconds,
        queue_limit=settings.queue_trades,
        keep_trades=proposal(settings.keep_trades),
        most_readers=settings.database_connections,
        ask_password=passwords.remembered,
        calendars=read_calendars(settings.calendars),
        named_calendar=named_calendar,
        open_lake=lake_opener(settings),
    )


def lake_opener(settings: Settings) -> Callable[[str], Lake]:
    """Return the function that opens the lake which a database's record of retention names."""

    def opened(text: str) -> Lake:
        from app.runtime.lakes import open_lake  # here: few databases have a lake

        return open_lake(settings, text)

    return opened


def embedded_server(settings: Settings) -> EmbeddedServer:
    """Return the embedded server of the settings' data directory, not started."""
    folder = Path(settings.postgres_bin) if settings.postgres_bin else None
    return EmbeddedServer(settings.data_dir, postgres_bin=folder)


def connect_to(url: str, **options: Any) -> Connection:
    """Connect as `storage.postgres.connection.connect` does; if a password is wanted, ask the keyring."""
    return connect(url, ask_password=passwords.remembered, **options)


def database_url(settings: Settings) -> str:
    """
    Return the settings' database URL to connect with, which may hold a password; empty for the embedded database.

    Raises:
        StoreUnavailable: If it cannot be read.
    """
    url, password = settings.database_url, settings.database_password.text
    if url and "database_timeout_seconds" in settings.origins:
        url = with_timeout(url, settings.database_timeout_seconds)
    return with_password(url, password) if url and password and not password_in(url) else url


def has_database(settings: Settings) -> bool:
    """Whether there is a database to read: the settings name one, or the embedded one exists."""
    return bool(settings.database_url) or EmbeddedServer.exists(settings.data_dir)


def password_warning(settings: Settings) -> str:
    """Return one sentence if others can read the database's password, else empty."""
    place = settings.origins.get("database_url")
    try:
        is_exposed = place in (SettingOrigin.FILE, SettingOrigin.COMMAND_LINE) and holds_secret(settings.database_url)
    except StoreError:
        return ""  # opening the database reports it
    if not is_exposed:
        return ""
    where = (
        "--database-url, which other programs of this machine can read"
        if place is SettingOrigin.COMMAND_LINE
        else "config.toml, in plain text"
    )
    return (
        f"The database's password stands in {where}: leave it out there, and set CRYPTOPIPE_DATABASE_PASSWORD or let "
        "the window's database settings remember it."
    )
