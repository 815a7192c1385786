"""
What a spool holds, known without reading its trades: how many, how large, and which ids.

`storage.spool.sqlite_file` keeps it up to date while the program runs, `storage.spool.inspection` makes it from a file.
"""

from __future__ import annotations

import threading
from typing import NamedTuple

from app.market.coverage import IdRanges

SpooledIds = dict[str, list[tuple[int, int]]]
"""The ids of a batch by symbol, as inclusive ranges in the order they came: ranges may touch and overlap."""


class SpoolEntry(NamedTuple):
    """A batch without its trades; ``trades`` counts them, ``size_bytes`` is their size in the file."""

    number: int
    trades: int
    ids: SpooledIds
    size_bytes: int


class SpoolContents:
    """
    Sums of the batches that were added and not removed; any thread may ask.

    ``trades`` counts repeats. An id that several batches hold is gone with the first of them that is removed: a batch
    is removed once a database has its trades, and the id's trade is one of those.
    """

    def __init__(self) -> None:
        self.trades = 0
        self.size_bytes = 0
        # By symbol rather than by batch: a day of small batches must not take more memory than a few.
        self._held: dict[str, IdRanges] = {}
        self._lock = threading.Lock()

    def add(self, entry: SpoolEntry) -> None:
        """Count a batch in."""
        with self._lock:
            self.trades += entry.trades
            self.size_bytes += entry.size_bytes
            for symbol, ranges in entry.ids.items():
                held = self._held.setdefault(symbol, IdRanges())
                for first, last in ranges:
                    held.add_range(first, last)

    def remove(self, entry: SpoolEntry) -> None:
        """Count a batch out that was added."""
        with self._lock:
            self.trades -= entry.trades
            self.size_bytes -= entry.size_bytes
            for symbol, ranges in entry.ids.items():
                held = self._held.get(symbol, IdRanges())
                for first, last in ranges:
                    held.remove_range(first, last)
                if not held:
                    self._held.pop(symbol, None)

    def clear(self) -> None:
        """Count every batch out."""
        with self._lock:
            self.trades = self.size_bytes = 0
            self._held.clear()

    def held(self, symbol: str) -> IdRanges:
        """Return the ids held of a symbol, as a copy."""
        with self._lock:
            return IdRanges(self._held.get(symbol, ()))

    def all_held(self) -> dict[str, IdRanges]:
        """Return the ids held of every symbol, as copies."""
        with self._lock:
            return {symbol: IdRanges(ids) for symbol, ids in self._held.items()}
