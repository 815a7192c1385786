"""
The spool's file: batches of trades or ticks in SQLite, in the order they came.

SQLite's write-ahead log makes a batch whole or absent after a kill or a power failure at any moment; a checksum per
batch finds what the disk has garbled since. A file that cannot be read is renamed, so that somebody can look at it, and
its readable batches are copied into a new one. `storage.spool.disk_spool` decides when, and owns the thread.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Generic

from app.market.ports.storage import SpooledBatch
from storage.spool.batches import (
    BATCH_ROWS,
    Row,
    RowCodec,
    SpoolDamaged,
    Spooled,
    pack_row,
    read_entries,
    unpack_ids,
    unpack_rows,
)
from storage.spool.contents import SpoolContents, SpoolEntry

_VERSION = 1
_SHRINK_FROM = 16 << 20  # a smaller file keeps its room for the next outage
_PAGE_BYTES = 16_384  # a batch has some 100 kB: with SQLite's 4 kB pages it would be a longer chain of pages
_BAD_READ, _SHORT_READ = 266, 522  # SQLITE_IOERR_READ, as of a bad sector, and SQLITE_IOERR_SHORT_READ
# SQLITE_ERROR by itself means tables that are not ours; its extended codes mean other things.
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, _BAD_READ, _SHORT_READ}

_SCHEMA = """
    CREATE TABLE IF NOT EXISTS batches (
        number INTEGER PRIMARY KEY, trades INTEGER NOT NULL, checksum INTEGER NOT NULL, ids BLOB NOT NULL,
        packed BLOB NOT NULL
    )
"""


class SpoolFile(Generic[Spooled]):
    """
    The batches in ``path``. One thread at a time; only ``contents`` may be asked by any.

    Every method may raise sqlite3.Error or OSError, and has changed nothing then. After an error that `is_damage`,
    `set_aside` helps.
    """

    def __init__(self, path: Path, codec: RowCodec[Spooled]) -> None:
        self.path = path
        self._codec = codec
        self.contents = SpoolContents()
        self.last_number = 0
        self._connection: sqlite3.Connection | None = None

    def open(self) -> None:
        """Open the file unless it is open; create it if there is none. Raises SpoolDamaged."""
        if self._connection is not None:
            return
        connection = _open_connection(self.path)
        self.contents.clear()
        try:
            for entry in read_entries(connection):
                self.contents.add(entry)
                self.last_number = max(self.last_number, entry.number)
        except BaseException:
            self.contents.clear()
            connection.close()
            raise
        self._connection = connection

    def append(self, rows: Sequence[Spooled]) -> None:
        """Append the rows, in one transaction that is on disk when this returns."""
        packed: list[Row] = []
        for start in range(0, len(rows), BATCH_ROWS):
            batch = rows[start : start + BATCH_ROWS]
            packed.append(pack_row(self.last_number + len(packed) + 1, batch, self._codec))
        self._insert(packed)

    def read(self, after: int, limit: int) -> SpooledBatch[Spooled] | None:
        """See `app.market.ports.storage.RowSpool`. Raises SpoolDamaged if a batch is not what was written."""
        found: list[Spooled] = []
        last = after
        statement = "SELECT number, packed, checksum FROM batches WHERE number > ? ORDER BY 1"
        with contextlib.closing(self._opened().execute(statement, (after,))) as rows:
            for number, packed, checksum in rows:
                found += unpack_rows(packed, checksum, self._codec)
                last = number
                if len(found) + BATCH_ROWS > limit:
                    break
        return SpooledBatch(last, found) if found else None

    def forget(self, number: int) -> None:
        """Delete the batches up to this one; a large file that is empty then gives its room back to the disk."""
        connection = self._opened()
        gone = list(read_entries(connection, number))
        try:
            connection.execute("DELETE FROM batches WHERE number <= ?", (number,))
        except sqlite3.OperationalError:
            if number < self.last_number:
                raise
            # Deleting takes room for the log, and the disk may be full. All batches may go, so the file may, too.
            self._delete_file()
            return
        for entry in gone:
            self.contents.remove(entry)
        if not self.contents.trades and self.path.stat().st_size > _SHRINK_FROM:
            connection.execute("VACUUM")

    def set_aside(self) -> Path:
        """Rename the file, copy its readable batches into a new one, and return the renamed file's path."""
        self.close()
        aside = _free_name(self.path)
        _move(self.path, aside)
        self.contents.clear()
        self.open()
        with contextlib.suppress(sqlite3.Error, OSError):  # what finds no room stays in the renamed file
            for row in _readable_rows(aside, self._codec):
                self._insert([row])
        return aside

    def close(self) -> None:
        """Close the file; its batches stay in it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _opened(self) -> sqlite3.Connection:
        self.open()
        assert self._connection is not None
        return self._connection

    def _insert(self, rows: Sequence[Row]) -> None:
        connection = self._opened()
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.executemany("INSERT INTO batches VALUES (?, ?, ?, ?, ?)", rows)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
            raise
        for number, count, _, ids, packed in rows:
            self.contents.add(SpoolEntry(number, count, unpack_ids(ids), len(ids) + len(packed)))
            self.last_number = number

    def _delete_file(self) -> None:
        self.close()
        for path in _paths(self.path):
            path.unlink(missing_ok=True)
        self.contents.clear()


def is_damage(error: Exception) -> bool:
    """Whether the error means that the file's contents are damaged, rather than that the disk cannot be used."""
    if isinstance(error, SpoolDamaged):
        return True
    return isinstance(error, sqlite3.DatabaseError) and (
        error.sqlite_errorcode in _DAMAGED or error.sqlite_errorcode & 0xFF in _DAMAGED - {sqlite3.SQLITE_ERROR}
    )


def _open_connection(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, isolation_level=None, timeout=5.0, check_same_thread=False)
    try:
        connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
        connection.execute("PRAGMA journal_mode = WAL")
        # NORMAL would lose the last commits of the log in a power failure, though `append` says they are on disk.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA journal_size_limit = {_SHRINK_FROM}")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version not in (0, _VERSION):
            raise SpoolDamaged(f"it is of version {version}, not {_VERSION}")
        connection.execute(_SCHEMA)
        connection.execute(f"PRAGMA user_version = {_VERSION}")
    except BaseException:
        connection.close()
        raise
    return connection


def _readable_rows(path: Path, codec: RowCodec[Spooled]) -> Iterator[Row]:
    """Yield the batches of a damaged file that are as they were written, up to where SQLite can read no further."""
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(path, isolation_level=None)) as old:
        for number, trades, checksum, ids, packed in old.execute("SELECT * FROM batches ORDER BY number"):
            with contextlib.suppress(SpoolDamaged, TypeError):
                if len(unpack_rows(packed, checksum, codec)) == trades and unpack_ids(ids):
                    yield number, trades, checksum, ids, packed


def _paths(path: Path) -> list[Path]:
    """Return the paths of the file and of what SQLite keeps beside it."""
    return [path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")]


def _free_name(path: Path) -> Path:
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    for number in range(1, 1_000):
        name = path.with_name(f"{path.stem}-damaged-{stamp}-{number}{path.suffix}")
        if not name.exists():
            return name
    raise OSError(f"there are too many damaged files beside {path.name}")


def _move(path: Path, to: Path) -> None:
    # SQLite finds a file's log by its name: left behind, it would be applied to the new file.
    for old, new in zip(_paths(path), _paths(to), strict=True):
        if old.exists():
            old.rename(new)
