"""
What all batches of a spool hold together, in sums: a day of batches costs no more memory than an hour.

Filled in the spool's thread, asked from any.
"""

from __future__ import annotations

import threading

from app.market.coverage import IdRanges
from storage.spool_batch import Entry


class SpoolContents:
    """
    ``trades``, repeats counted, and ``size_bytes`` of the batches added and not removed.

    An id counts as gone with the first batch that held it, because a database has its trade by then.
    """

    def __init__(self) -> None:
        self.trades = 0
        self.size_bytes = 0
        self._held: dict[str, IdRanges] = {}
        self._lock = threading.Lock()

    def add(self, entry: Entry) -> None:
        """Take in a batch."""
        with self._lock:
            self.trades += entry.trades
            self.size_bytes += entry.size_bytes
            for symbol, ranges in entry.ids.items():
                held = self._held.setdefault(symbol, IdRanges())
                for first, last in ranges:
                    held.add_range(first, last)

    def remove(self, entry: Entry) -> None:
        """Let go of a batch that was added."""
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
        """Let go of everything."""
        with self._lock:
            self.trades = self.size_bytes = 0
            self._held.clear()

    def held(self, symbol: str) -> IdRanges:
        """Return the ids held of a symbol."""
        with self._lock:
            return IdRanges(self._held.get(symbol, ()))

    def all_held(self) -> dict[str, IdRanges]:
        """Return the ids held of every symbol."""
        with self._lock:
            return {symbol: IdRanges(ids) for symbol, ids in self._held.items()}
