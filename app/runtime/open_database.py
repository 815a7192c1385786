"""Opens the database that the settings name, with its password from wherever that is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from app.config import passwords
from app.config.settings import SettingOrigin, Settings
from app.market.errors import StoreError
from storage.database import Database
from storage.postgres.connection import Connection, connect
from storage.postgres.database_url import holds_secret, password_in, with_password
from storage.schema.retention_period import proposal
from storage.server.embedded_server import EmbeddedServer


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
        ask_password=passwords.remembered,
    )


def embedded_server(settings: Settings) -> EmbeddedServer:
    """Return the server of the settings' data directory, not started."""
    folder = Path(settings.postgres_bin) if settings.postgres_bin else None
    return EmbeddedServer(settings.data_dir, postgres_bin=folder)


def connect_to(url: str, **options: Any) -> Connection:
    """`storage.postgres.connection.connect`, with the password of the keyring where one is wanted."""
    return connect(url, ask_password=passwords.remembered, **options)


def database_url(settings: Settings) -> str:
    """
    Return the URL of the settings' database, to connect with: it may hold a password. Empty: the embedded one.

    Raises:
        StoreUnavailable: If it cannot be read.
    """
    url, password = settings.database_url, settings.database_password.text
    return with_password(url, password) if url and password and not password_in(url) else url


def has_database(settings: Settings) -> bool:
    """Whether there is a database to read: one that is named, or an embedded one that has been made."""
    return bool(settings.database_url) or EmbeddedServer.exists(settings.data_dir)


def password_warning(settings: Settings) -> str:
    """Return one sentence where the database's password stands where others can read it, else an empty text."""
    place = settings.places.get("database_url")
    try:
        is_exposed = place in (SettingOrigin.FILE, SettingOrigin.COMMAND_LINE) and holds_secret(settings.database_url)
    except StoreError:
        return ""  # said when it is to be opened
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
