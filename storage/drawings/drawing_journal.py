"""
A desktop's own record of its drawings: what it knows of a database, what it has not sent there yet, and its undo.

SQLite's write-ahead log makes an entry whole or absent after a kill or a power failure at any moment. What is kept of
several databases stays apart, each under the database's id. A file that cannot be read is renamed and a new one begun;
what the database has comes back from there.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from app.market.errors import FileError
from app.market.ports.drawings import DrawingChange, JournalEntry, JournalState, KeptStep, StoredDrawing

logger = logging.getLogger(__name__)

FILE_NAME = "drawings.sqlite"
_VERSION = 1
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}  # ERROR: tables that are not ours
_SCHEMA = """
    CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS seen (database TEXT PRIMARY KEY, revision INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS drawings (
        database TEXT, id TEXT, symbol TEXT NOT NULL, revision INTEGER NOT NULL, base_revision INTEGER NOT NULL,
        desktop TEXT NOT NULL, content TEXT, PRIMARY KEY (database, id)
    );
    CREATE TABLE IF NOT EXISTS changes (
        database TEXT, drawing_id TEXT, change_id TEXT NOT NULL, symbol TEXT NOT NULL, content TEXT,
        base_revision INTEGER NOT NULL, PRIMARY KEY (database, drawing_id)
    );
    CREATE TABLE IF NOT EXISTS steps (
        database TEXT, symbol TEXT, number INTEGER, is_undone INTEGER NOT NULL, edits TEXT NOT NULL,
        PRIMARY KEY (database, symbol, number)
    );
"""


class SqliteJournal:
    """
    An `app.market.ports.drawings.DrawingJournal` in the file ``path``. Any thread; every method may raise FileError.

    One program at a time: the lock of the data directory sees to that.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._database_id = ""

    def load(self, database_id: str | None = None) -> JournalState:
        """See `app.market.ports.drawings.DrawingJournal`."""
        with self._lock, _translated(self._path):
            try:
                return self._load(database_id)
            except sqlite3.DatabaseError as error:
                if error.sqlite_errorcode & 0xFF not in _DAMAGED:
                    raise
                self._set_aside(error)
            return self._load(database_id)

    def write(self, entry: JournalEntry) -> None:
        """See `app.market.ports.drawings.DrawingJournal`."""
        with self._lock, _translated(self._path):
            connection = self._opened()
            connection.execute("BEGIN IMMEDIATE")
            try:
                self._write(connection, entry)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    with contextlib.suppress(sqlite3.Error):
                        connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def _load(self, database_id: str | None) -> JournalState:
        connection = self._opened()
        facts = dict(connection.execute("SELECT name, value FROM facts").fetchall())
        last = facts.get("database", "")
        if database_id is None:
            database_id = last
        elif database_id != last:
            connection.execute("BEGIN IMMEDIATE")
            if not last:
                connection.execute("UPDATE OR REPLACE changes SET database = ? WHERE database = ''", (database_id,))
                connection.execute("UPDATE OR REPLACE steps SET database = ? WHERE database = ''", (database_id,))
            connection.execute("INSERT OR REPLACE INTO facts VALUES ('database', ?)", (database_id,))
            connection.execute("COMMIT")
        self._database_id = database_id
        of = (database_id,)
        seen = connection.execute("SELECT revision FROM seen WHERE database = ?", of).fetchone()
        rows = connection.execute(
            "SELECT id, symbol, revision, base_revision, desktop, content FROM drawings WHERE database = ?", of
        )
        changes = connection.execute(
            "SELECT change_id, drawing_id, symbol, content, base_revision FROM changes WHERE database = ?"
            " ORDER BY rowid",
            of,
        )
        steps = connection.execute(
            "SELECT symbol, number, is_undone, edits FROM steps WHERE database = ? ORDER BY symbol, number", of
        )
        return JournalState(
            facts["desktop"],
            database_id,
            0 if seen is None else seen[0],
            [StoredDrawing(*row) for row in rows],
            [DrawingChange(*row) for row in changes],
            [KeptStep(symbol, number, bool(undone), edits) for symbol, number, undone, edits in steps],
        )

    def _write(self, connection: sqlite3.Connection, entry: JournalEntry) -> None:
        of = self._database_id
        many = connection.executemany
        connection.execute("INSERT OR REPLACE INTO seen VALUES (?, ?)", (of, entry.seen))
        many("INSERT OR REPLACE INTO drawings VALUES (?, ?, ?, ?, ?, ?, ?)", ((of, *row) for row in entry.rows))
        many("DELETE FROM drawings WHERE database = ? AND id = ?", ((of, one) for one in entry.gone_rows))
        many(
            "INSERT OR REPLACE INTO changes VALUES (?, ?, ?, ?, ?, ?)",
            ((of, one.drawing_id, one.change_id, one.symbol, one.content, one.base_revision) for one in entry.changes),
        )
        many("DELETE FROM changes WHERE database = ? AND drawing_id = ?", ((of, one) for one in entry.gone_changes))
        many("INSERT OR REPLACE INTO steps VALUES (?, ?, ?, ?, ?)", ((of, *step) for step in entry.steps))
        many(
            "DELETE FROM steps WHERE database = ? AND symbol = ? AND number = ?",
            ((of, *key) for key in entry.gone_steps),
        )

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = _connected(self._path)
        return self._connection

    def _set_aside(self, error: Exception) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        aside = self._path.with_name(f"{self._path.stem}-damaged-{time.time_ns()}{self._path.suffix}")
        for ending in ("", "-wal", "-shm"):  # SQLite finds a file's log by its name
            path = self._path.with_name(self._path.name + ending)
            if path.exists():
                path.rename(aside.with_name(aside.name + ending))
        logger.error(
            "the journal of drawings could not be read and is now %s; drawings that were not in the database yet, and "
            "what could be undone, are in it: %s",
            aside.name,
            error,
        )


def _connected(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, isolation_level=None, timeout=5.0, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        # NORMAL would lose the last entries in a power failure, though `write` says they are on disk.
        connection.execute("PRAGMA synchronous = FULL")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version not in (0, _VERSION):
            raise FileError(f"{path.name} was written by a newer cryptopipe: update this one.")
        connection.executescript(_SCHEMA)
        connection.execute("INSERT OR IGNORE INTO facts VALUES ('desktop', ?)", (str(uuid.uuid4()),))
        connection.execute(f"PRAGMA user_version = {_VERSION}")
    except BaseException:
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise FileError(f"Drawings cannot be written to {path}: make room there, or allow it ({error}).") from error
