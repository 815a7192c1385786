"""
Reads a spool's summary from its file: while a program fills it, or after one was killed.

It changes nothing in the file. A program may be moving the spooled rows to the database meanwhile, so read the summary
first and the database afterwards: then a row may be seen in both, and none is overlooked.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.market.coverage import IdRanges
from storage.spool.batches import TICKS, TRADES, RowCodec, SpoolDamaged, Spooled, read_entries, unpack_rows
from storage.spool.contents import SpoolContents
from storage.spool.disk_spool import FILE_NAME, TICK_FILE_NAME

_LOCK_TIMEOUT_S = 1.0  # SQLite's, for the moments when the program that fills the spool holds the file


@dataclass(frozen=True, slots=True)
class SpoolSummary:
    """
    What a spool holds.

    ``rows`` counts repeats; ``ids`` are those of the trades, or the times of the ticks, by symbol. ``first_us`` and
    ``last_us`` are the times (UTC microseconds) of the row appended first and of the one appended last, None if there
    is none. ``problem`` is a clause that says why the file cannot be read, else empty.
    """

    rows: int = 0
    ids: dict[str, IdRanges] = field(default_factory=dict)
    first_us: int | None = None
    last_us: int | None = None
    problem: str = ""


def read_summaries(data_dir: Path) -> dict[str, SpoolSummary]:
    """Return the summaries of a data directory's spools, that of ``"trades"`` and that of ``"ticks"``."""
    return {
        "trades": read_summary(data_dir / FILE_NAME, TRADES),
        "ticks": read_summary(data_dir / TICK_FILE_NAME, TICKS),
    }


def read_summary(path: Path, codec: RowCodec[Any] = TRADES) -> SpoolSummary:
    """Return the summary of the spool file ``path``; an empty one if there is no file. Never raises sqlite3.Error."""
    if not path.exists():
        return SpoolSummary()
    try:
        with _snapshot(path) as connection:
            contents = SpoolContents()
            for entry in read_entries(connection):
                contents.add(entry)
            if not contents.trades:
                return SpoolSummary()
            ends = connection.execute("SELECT min(number), max(number) FROM batches").fetchone()
            first, last = (_read_batch(connection, number, codec) for number in ends)
            return SpoolSummary(contents.trades, contents.all_held(), first[0].time_us, last[-1].time_us)
    except (sqlite3.Error, SpoolDamaged) as error:
        return SpoolSummary(problem=str(error))


@contextlib.contextmanager
def _snapshot(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the file read-only, in one transaction, so that all that is read belongs together."""
    address = f"{path.absolute().as_uri()}?mode=ro"
    with contextlib.closing(
        sqlite3.connect(address, uri=True, timeout=_LOCK_TIMEOUT_S, isolation_level=None)
    ) as connection:
        connection.execute("BEGIN")
        yield connection


def _read_batch(connection: sqlite3.Connection, number: int, codec: RowCodec[Spooled]) -> list[Spooled]:
    rows = connection.execute("SELECT packed, checksum FROM batches WHERE number = ?", (number,))
    packed, checksum = rows.fetchone()
    return unpack_rows(packed, checksum, codec)
