"""
A batch of the spool as a row: trades as msgpack with their checksum, and beside them the ranges of their ids.

The ranges are apart, so that it is known what waits without unpacking it.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from app.market.coverage import IdRanges
from app.market.trade import Trade


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

    def add(self, entry: SpoolEntry) -> None:
        """Take in a batch."""
        with self._lock:
            self.trades += entry.trades
            self.size_bytes += entry.size_bytes
            for symbol, ranges in entry.ids.items():
                held = self._held.setdefault(symbol, IdRanges())
                for first, last in ranges:
                    held.add_range(first, last)

    def remove(self, entry: SpoolEntry) -> None:
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


BATCH_TRADES = 2_000  # packing more at a time would hold up the loop's thread for more than a millisecond
_LAST = (1 << 63) - 1

Ids = dict[str, list[tuple[int, int]]]
Row = tuple[int, int, int, bytes, bytes]
"""Number, trades, checksum of the packed trades, packed ranges of ids by symbol, packed trades."""

_encode = msgspec.msgpack.Encoder().encode
_decode_trades = msgspec.msgpack.Decoder(list[Trade]).decode
_decode_ids = msgspec.msgpack.Decoder(Ids).decode


class SpoolDamaged(Exception):
    """The file holds something else than what was written; ``sqlite3.DatabaseError`` may say the same."""


class SpoolEntry(NamedTuple):
    """What is known of a batch without reading it: the ranges of ids by symbol, and its size on disk."""

    number: int
    trades: int
    ids: Ids
    size_bytes: int


def row_of(number: int, trades: Sequence[Trade]) -> Row:
    """Return the batch of that number."""
    packed = _packed(trades)
    return number, len(trades), zlib.crc32(packed), _packed(_ids_of(trades)), packed


def unpacked(packed: bytes, checksum: int) -> list[Trade]:
    """Return a row's trades. Raises SpoolDamaged where they are not what was written."""
    if zlib.crc32(packed) != checksum:
        raise SpoolDamaged("a batch does not have its checksum")
    try:
        return [Trade(*one) for one in json.loads(packed)] if packed[:1] == b"[" else _decode_trades(packed)
    except (msgspec.MsgspecError, ValueError, TypeError) as error:
        raise SpoolDamaged("a batch holds no trades") from error


def ids_in(packed: bytes) -> Ids:
    """Return a row's ranges of ids, in the order they came; ranges may touch or overlap. Raises SpoolDamaged."""
    try:
        return json.loads(packed) if packed[:1] == b"{" else _decode_ids(packed)
    except (msgspec.MsgspecError, ValueError, TypeError) as error:
        raise SpoolDamaged("a batch does not tell its ids") from error


def entries_in(connection: sqlite3.Connection, to: int = _LAST) -> Iterator[SpoolEntry]:
    """Yield what is known of each batch up to that one, oldest first. Raises SpoolDamaged, sqlite3.Error."""
    rows = connection.execute(
        "SELECT number, trades, ids, length(ids) + length(packed) FROM batches WHERE number <= ? ORDER BY number", (to,)
    )
    for number, trades, ids, size in rows:
        yield SpoolEntry(number, trades, ids_in(ids), size)


def _packed(values: Sequence[Trade] | Ids) -> bytes:
    try:
        return _encode(values)
    except (OverflowError, UnicodeEncodeError):  # what no exchange sends, and the database sets aside
        return json.dumps(values).encode()


def _ids_of(trades: Iterable[Trade]) -> Ids:
    found: Ids = {}
    for trade in trades:
        ranges = found.setdefault(trade.symbol, [])
        if ranges and ranges[-1][1] == trade.trade_id - 1:
            ranges[-1] = (ranges[-1][0], trade.trade_id)
        else:
            ranges.append((trade.trade_id, trade.trade_id))
    return found
