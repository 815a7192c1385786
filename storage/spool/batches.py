"""
Packs batches of the spool and unpacks them: trades or ticks as msgpack with their checksum, and the ranges they span.

The ranges, of a trade's ids or a tick's times, are packed apart, so that a file's contents are known without unpacking
all of it.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from app.market.quotes.tick import Tick
from app.market.trade import Trade
from storage.spool.contents import SpooledIds, SpoolEntry

BATCH_ROWS = 2_000  # packing more at a time would hold up the event loop's thread for more than a millisecond
_LAST_NUMBER = (1 << 63) - 1

Row = tuple[int, int, int, bytes, bytes]
"""Number, count of rows, checksum of the packed rows, packed ids, packed rows."""

_encode = msgspec.msgpack.Encoder().encode
_decode_ids = msgspec.msgpack.Decoder(SpooledIds).decode


class SpoolDamaged(Exception):
    """The file holds something else than what was written; ``sqlite3.DatabaseError`` may mean the same."""


Spooled = TypeVar("Spooled")


@dataclass(frozen=True, slots=True)
class RowCodec(Generic[Spooled]):
    """What a spool holds: how its rows are unpacked, and the symbol and the number that place a row in a range."""

    decode: Callable[[bytes], list[Spooled]]
    make: Callable[..., Spooled]
    place_of: Callable[[Spooled], tuple[str, int]]


TRADES = RowCodec(msgspec.msgpack.Decoder(list[Trade]).decode, Trade, lambda trade: (trade.symbol, trade.trade_id))
TICKS = RowCodec(msgspec.msgpack.Decoder(list[Tick]).decode, Tick, lambda tick: (tick.symbol, tick.time_us))


def pack_row(number: int, rows: Sequence[Spooled], codec: RowCodec[Spooled]) -> Row:
    """Return the rows as the batch of that number."""
    packed = _packed(rows)
    return number, len(rows), zlib.crc32(packed), _packed(_ids_of(rows, codec)), packed


def unpack_rows(packed: bytes, checksum: int, codec: RowCodec[Spooled]) -> list[Spooled]:
    """
    Return a batch's rows.

    Raises:
        SpoolDamaged: If they are not what was written.
    """
    # SQLite has no checksums of its own: it would return what a disk has garbled.
    if zlib.crc32(packed) != checksum:
        raise SpoolDamaged("a batch does not have its checksum")
    try:
        return [codec.make(*one) for one in json.loads(packed)] if packed[:1] == b"[" else codec.decode(packed)
    except (msgspec.MsgspecError, ValueError, TypeError) as error:
        raise SpoolDamaged("a batch does not hold what it should") from error


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


def _packed(values: Sequence[Any] | SpooledIds) -> bytes:
    try:
        return _encode(values)
    except (OverflowError, UnicodeEncodeError):
        # Integers beyond 64 bits and halves of surrogate pairs: no exchange sends them and the database refuses them,
        # but the spool must not be the place where they are lost.
        return json.dumps(values).encode()


def _ids_of(rows: Iterable[Spooled], codec: RowCodec[Spooled]) -> SpooledIds:
    found: SpooledIds = {}
    for symbol, number in map(codec.place_of, rows):
        ranges = found.setdefault(symbol, [])
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1] = (ranges[-1][0], number)
        elif not ranges or ranges[-1][1] != number:
            ranges.append((number, number))
    return found
