"""One connection to the settings' database for a command that needs no more, and the line that tells its progress."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from app.config.settings import Settings
from app.runtime.open_database import connect_to, database_url, embedded_server
from app.runtime.shutdown import on_signals
from storage.postgres.connection import Connection


@contextlib.contextmanager
def connected(settings: Settings, *, statement_timeout_s: float = 60.0) -> Iterator[Connection]:
    """
    Yield a connection to the database of the settings, its tables as they are. Ctrl-C and SIGTERM interrupt what runs.

    Raises:
        StoreError: If it cannot be used; the sentence says why.
        KeyboardInterrupt: On the first signal; what was begun is undone by the server.
    """
    server = None if settings.database_url else embedded_server(settings)
    with on_signals(_interrupt), contextlib.ExitStack() as ending:
        if server is not None:
            ending.callback(server.stop)
        url = database_url(settings) if server is None else server.start()
        connection = connect_to(url, application_name="cryptopipe db", statement_timeout_s=statement_timeout_s)
        yield ending.enter_context(contextlib.closing(connection))


def show_progress(line: str) -> None:
    """Show a line in place of the one before. For people: nothing where standard error is no terminal."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[2K{line[:160]}")
        sys.stderr.flush()


def _interrupt() -> None:
    # Raised in the main thread, where psycopg waits: it cancels the query before it passes this on.
    raise KeyboardInterrupt
