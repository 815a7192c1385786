"""
What waits in a spool on disk, told beside the program that fills it, or after one that was killed.

Looking changes nothing of what waits. Trades may be on their way to the database meanwhile: what is told here may be
stored a moment later, so ask this first and the database afterwards.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from app.market.coverage import IdRanges
from app.market.trade import Trade
from storage.spool.batches import SpoolContents, SpoolDamaged, entries_in, unpacked

_PATIENCE_S = 1.0


@dataclass(frozen=True, slots=True)
class SpoolSummary:
    """
    ``trades`` counts repeats; ``ids`` are their ranges by symbol. ``first_us`` and ``last_us`` are the times (UTC
    microseconds) of the trade that has waited longest and of the one that came last; None where there is none.
    ``problem``: why it is not known what waits, for a sentence; else empty.
    """

    trades: int = 0
    ids: dict[str, IdRanges] = field(default_factory=dict)
    first_us: int | None = None
    last_us: int | None = None
    problem: str = ""


def read_summary(path: Path) -> SpoolSummary:
    """Return what the spool file ``path`` holds; nothing where there is none."""
    if not path.exists():
        return SpoolSummary()
    try:
        with _snapshot(path) as connection:
            contents = SpoolContents()
            for entry in entries_in(connection):
                contents.add(entry)
            if not contents.trades:
                return SpoolSummary()
            ends = connection.execute("SELECT min(number), max(number) FROM batches").fetchone()
            first, last = (_batch(connection, number) for number in ends)
            return SpoolSummary(contents.trades, contents.all_held(), first[0].time_us, last[-1].time_us)
    except (sqlite3.Error, SpoolDamaged) as error:
        return SpoolSummary(problem=str(error))


@contextlib.contextmanager
def _snapshot(path: Path) -> Iterator[sqlite3.Connection]:
    address = f"{path.absolute().as_uri()}?mode=ro"
    with contextlib.closing(
        sqlite3.connect(address, uri=True, timeout=_PATIENCE_S, isolation_level=None)
    ) as connection:
        connection.execute("BEGIN")
        yield connection


def _batch(connection: sqlite3.Connection, number: int) -> list[Trade]:
    rows = connection.execute("SELECT packed, checksum FROM batches WHERE number = ?", (number,))
    packed, checksum = rows.fetchone()
    return unpacked(packed, checksum)
