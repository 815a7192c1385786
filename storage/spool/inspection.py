"""
Reads a spool's summary from its file: while a program fills it, or after one was killed.

It changes nothing in the file. A program may be moving the spooled trades to the database meanwhile, so read the
summary first and the database afterwards: then a trade may be seen in both, and none is overlooked.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from app.market.coverage import IdRanges
from app.market.trade import Trade
from storage.spool.batches import TRADES, SpoolDamaged, read_entries, unpack_rows
from storage.spool.contents import SpoolContents

_LOCK_TIMEOUT_S = 1.0  # SQLite's, for the moments when the program that fills the spool holds the file


@dataclass(frozen=True, slots=True)
class SpoolSummary:
    """
    What a spool holds.

    ``trades`` counts repeats; ``ids`` are theirs by symbol. ``first_us`` and ``last_us`` are the times (UTC
    microseconds) of the trade appended first and of the one appended last, None if there is none. ``problem`` is a
    clause that says why the file cannot be read, else empty.
    """

    trades: int = 0
    ids: dict[str, IdRanges] = field(default_factory=dict)
    first_us: int | None = None
    last_us: int | None = None
    problem: str = ""


def read_summary(path: Path) -> SpoolSummary:
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
            first, last = (_read_batch(connection, number) for number in ends)
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


def _read_batch(connection: sqlite3.Connection, number: int) -> list[Trade]:
    rows = connection.execute("SELECT packed, checksum FROM batches WHERE number = ?", (number,))
    packed, checksum = rows.fetchone()
    return unpack_rows(packed, checksum, TRADES)
