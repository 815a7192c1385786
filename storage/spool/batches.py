"""
Packs batches of the spool into rows and back: trades as msgpack with their checksum, and the ranges of their ids.

The ids are packed apart from the trades, so that a file's contents are known without unpacking all of it.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from app.market.trade import Trade
from storage.spool.contents import SpooledIds, SpoolEntry

BATCH_TRADES = 2_000  # packing more at a time would hold up the event loop's thread for more than a millisecond
_LAST_NUMBER = (1 << 63) - 1

Row = tuple[int, int, int, bytes, bytes]
"""Number, count of trades, checksum of the packed trades, packed ids, packed trades."""

_encode = msgspec.msgpack.Encoder().encode
_decode_trades = msgspec.msgpack.Decoder(list[Trade]).decode
_decode_ids = msgspec.msgpack.Decoder(SpooledIds).decode


class SpoolDamaged(Exception):
    """The file holds something else than what was written; ``sqlite3.DatabaseError`` may mean the same."""


def pack_row(number: int, trades: Sequence[Trade]) -> Row:
    """Return the trades as the batch of that number."""
    packed = _packed(trades)
    return number, len(trades), zlib.crc32(packed), _packed(_ids_of(trades)), packed


def unpack_trades(packed: bytes, checksum: int) -> list[Trade]:
    """
    Return a row's trades.

    Raises:
        SpoolDamaged: If they are not what was written.
    """
    # SQLite has no checksums of its own: it would return what a disk has garbled.
    if zlib.crc32(packed) != checksum:
        raise SpoolDamaged("a batch does not have its checksum")
    try:
        return [Trade(*one) for one in json.loads(packed)] if packed[:1] == b"[" else _decode_trades(packed)
    except (msgspec.MsgspecError, ValueError, TypeError) as error:
        raise SpoolDamaged("a batch holds no trades") from error


def unpack_ids(packed: bytes) -> SpooledIds:
    """
    Return a row's ids.

    Raises:
        SpoolDamaged: If they are not what was written.
    """
    try:
        return json.loads(packed) if packed[:1] == b"{" else _decode_ids(packed)
    except (msgspec.MsgspecError, ValueError, TypeError) as error:
        raise SpoolDamaged("a batch does not say its ids") from error


def read_entries(connection: sqlite3.Connection, to: int = _LAST_NUMBER) -> Iterator[SpoolEntry]:
    """
    Yield the entries of the batches up to number ``to``, oldest first.

    Raises:
        SpoolDamaged: If an entry is not what was written.
        sqlite3.Error: If the file cannot be read.
    """
    rows = connection.execute(
        "SELECT number, trades, ids, length(ids) + length(packed) FROM batches WHERE number <= ? ORDER BY number", (to,)
    )
    for number, trades, ids, size in rows:
        yield SpoolEntry(number, trades, unpack_ids(ids), size)


def _packed(values: Sequence[Trade] | SpooledIds) -> bytes:
    try:
        return _encode(values)
    except (OverflowError, UnicodeEncodeError):
        # Integers beyond 64 bits and halves of surrogate pairs: no exchange sends them and the database refuses them,
        # but the spool must not be the place where they are lost.
        return json.dumps(values).encode()


def _ids_of(trades: Iterable[Trade]) -> SpooledIds:
    found: SpooledIds = {}
    for trade in trades:
        ranges = found.setdefault(trade.symbol, [])
        if ranges and ranges[-1][1] == trade.trade_id - 1:
            ranges[-1] = (ranges[-1][0], trade.trade_id)
        else:
            ranges.append((trade.trade_id, trade.trade_id))
    return found
