"""
``cryptopipe db …``: the commands that look after the database itself.

Each is prepared first, which refuses what cannot be before anything is made, and then run for its exit code. They hold
one connection and no writer, so they work beside a program that records, and the looking ones with a reading role.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from functools import partial

from app.databases import connect_to, database_url, embedded_server, has_database
from app.market.errors import UsageError
from app.settings import Settings
from app.status_text import status_json, status_text
from app.stopping import on_signals
from storage.connection import Connection
from storage.status import address_of, read_status

_STATUS_TIMEOUT_S = 15.0

Command = Callable[[Settings, argparse.Namespace], int]


def prepare(settings: Settings, options: argparse.Namespace) -> Callable[[], int]:
    """
    Return what runs the ``db`` command that ``options`` name.

    Raises:
        UsageError: If there is no database yet. Nothing was made.
    """
    if not has_database(settings):
        raise UsageError(
            f"Nothing is recorded in {settings.data_dir} yet: record with the window or cryptopipe collect first, or "
            "name another --data-dir."
        )
    return partial(_run, _COMMANDS[options.db_command], settings, options)


def _run(command: Command, settings: Settings, options: argparse.Namespace) -> int:
    try:
        return command(settings, options)
    except KeyboardInterrupt:
        _progress("")
        print("cryptopipe: interrupted before it was done.", file=sys.stderr)
        return 1


def _status(settings: Settings, options: argparse.Namespace) -> int:
    with _connected(settings, statement_timeout_s=_STATUS_TIMEOUT_S) as connection:
        status = read_status(connection, embedded=not settings.database_url)
    print(json.dumps(status_json(status), indent=2) if options.as_json else status_text(status))
    return 0


def _url(settings: Settings, options: argparse.Namespace) -> int:
    del options
    with _connected(settings) as connection:
        print(address_of(connection))
    return 0


_COMMANDS: dict[str, Command] = {"status": _status, "url": _url}


@contextlib.contextmanager
def _connected(settings: Settings, *, statement_timeout_s: float = 60.0) -> Iterator[Connection]:
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


def _interrupt() -> None:
    # Raised in the main thread, where psycopg waits: it cancels the query before it passes this on.
    raise KeyboardInterrupt


def _progress(line: str) -> None:
    """Progress is for people: nothing where standard error is no terminal."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[2K{line[:160]}")
        sys.stderr.flush()
