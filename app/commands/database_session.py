"""
A command's one connection to the settings' database, or all of it, whether it may record there, and its progress line.

The connection is for commands that neither record nor read candles: those open a `storage.database.Database`, and by
`app.commands.cancellable_database` where they run on a loop.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

from app.config.settings import Settings
from app.market.errors import StoreError
from app.runtime.open_database import connect_to, database_url, embedded_server, open_database
from app.runtime.shutdown import on_signals
from storage.database import Database
from storage.postgres.connection import Connection

_CLOSE_S = 10.0


@contextlib.contextmanager
def database_session(settings: Settings, *, statement_timeout_s: float = 60.0) -> Iterator[Connection]:
    """
    Yield a connection to the settings' database; nothing is migrated. Ctrl-C and SIGTERM cancel the running query.

    Raises:
        StoreError: If it cannot be used; the sentence says why.
        KeyboardInterrupt: On the first signal; the server rolls the transaction back.
    """
    server = None if settings.database_url else embedded_server(settings)
    with on_signals(_interrupt), contextlib.ExitStack() as ending:
        if server is not None:
            ending.callback(server.stop)
        url = database_url(settings) if server is None else server.start()
        connection = connect_to(url, application_name="cryptopipe db", statement_timeout_s=statement_timeout_s)
        yield ending.enter_context(contextlib.closing(connection))


@contextlib.contextmanager
def whole_database(settings: Settings, begin_shutdown: Callable[[], None]) -> Iterator[Database]:
    """
    Yield the settings' database, opened; it is closed after ``begin_shutdown`` was called. Blocks.

    Raises:
        StoreError: If it cannot be opened; the sentence says why.
    """
    database = open_database(settings)
    try:
        yield database
    finally:
        begin_shutdown()
        database.close(_CLOSE_S)


def check_may_record(read_only_reason: str) -> None:
    """Raise StoreError, with advice, if the database may only be read; ``read_only_reason`` is empty otherwise."""
    if read_only_reason:
        raise StoreError(f"{read_only_reason} Name a user who may record: docs/database.md says how.")


def show_progress(line: str) -> None:
    """Replace the progress line on standard error; do nothing unless that is a terminal."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[2K{line[:160]}")
        sys.stderr.flush()


def _interrupt() -> None:
    # Raised in the main thread, where psycopg waits: psycopg cancels the query, then raises this again.
    raise KeyboardInterrupt
