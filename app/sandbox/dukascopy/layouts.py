"""
Ticks and candles in Dukascopy's two layouts: .bi5 records packed by LZMA, and JSON columns of differences.

It is written independently of `app.brokers.dukascopy`, so that each checks the other.
"""

from __future__ import annotations

import json
import lzma
import struct
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple

HOUR_MS = 3_600_000
_TICK = struct.Struct(">IIIff")
_CANDLE = struct.Struct(">IIIIIf")
_MILLION = 1_000_000


class TickRow(NamedTuple):
    """A tick within its hour: milliseconds from its start, ask and bid in points, their sizes in millions."""

    ms: int
    ask: int
    bid: int
    ask_size: float
    bid_size: float


class CandleRow(NamedTuple):
    """A candle within its bucket: seconds from its start, prices in points in the files' order, volume in millions."""

    second: int
    open: int
    close: int
    low: int
    high: int
    volume: float


def packed_ticks(rows: Sequence[TickRow]) -> bytes:
    """Return an hour's .bi5 file; without ticks it has 0 bytes."""
    return _packed(b"".join(_TICK.pack(*row) for row in rows))


def packed_candles(rows: Sequence[CandleRow]) -> bytes:
    """Return a bucket's .bi5 file."""
    return _packed(b"".join(_CANDLE.pack(*row) for row in rows))


def unpacked_ticks(body: bytes) -> list[TickRow]:
    """Return the ticks of a .bi5 file."""
    return [TickRow(*record) for record in _TICK.iter_unpack(_unpacked(body))]


def unpacked_candles(body: bytes) -> list[CandleRow]:
    """Return the candles of a .bi5 file."""
    return [CandleRow(*record) for record in _CANDLE.iter_unpack(_unpacked(body))]


def tick_json(rows: Sequence[TickRow], start_ms: int, places: int) -> bytes:
    """Return the JSON interface's answer about an hour; prices have that many decimal places."""
    first = rows[0] if rows else None
    answer: dict[str, Any] = {
        "timestamp": start_ms,
        "multiplier": _Plain(f"1.0E-{places}"),
        "ask": None if first is None else _price(first.ask, places),
        "bid": None if first is None else _price(first.bid, places),
        "times": _differences([row.ms for row in rows], 0),
        "asks": _differences([row.ask for row in rows]),
        "bids": _differences([row.bid for row in rows]),
        "askVolumes": [_units(row.ask_size) for row in rows],
        "bidVolumes": [_units(row.bid_size) for row in rows],
    }
    return _json(answer)


def candle_json(rows: Sequence[CandleRow], start_ms: int, shift_s: int, places: int) -> bytes:
    """Return the JSON interface's answer about a bucket of candles; those that fill time without ticks are left out."""
    rows = [row for row in rows if row.volume or row.low != row.high]
    first = rows[0] if rows else None
    answer: dict[str, Any] = {"timestamp": start_ms, "multiplier": _Plain(f"1.0E-{places}")}
    names = ("open", "high", "low", "close")
    answer |= {name: None if first is None else _price(getattr(first, name), places) for name in names}
    answer |= {"shift": shift_s * 1_000, "times": _differences([row.second // shift_s for row in rows], 0)}
    answer |= {f"{name}s": _differences([getattr(row, name) for row in rows]) for name in names}
    answer["volumes"] = [_units(row.volume) for row in rows]
    return _json(answer)


class _Plain(str):
    """A number that is written as it stands."""

    __slots__ = ()


def _json(answer: dict[str, Any]) -> bytes:
    def written(value: object) -> str:
        if isinstance(value, list):
            return f"[{','.join(map(written, value))}]"
        return str(value) if isinstance(value, _Plain) else json.dumps(value)

    return ("{" + ",".join(f'"{name}":{written(value)}' for name, value in answer.items()) + "}").encode()


def _differences(values: Sequence[int], first: int | None = None) -> list[int]:
    """Return each value's difference from the one before; the first one's from ``first``, or 0 without one."""
    if not values:
        return []
    return [0 if first is None else values[0] - first, *(after - before for before, after in pairwise(values))]


def _price(points: int, places: int) -> _Plain:
    return _Plain(Decimal(points).scaleb(-places))


def _units(millions: float) -> _Plain:
    """Return a size in units: of the shortest decimal that is this float32."""
    shortest = next(
        text for digits in range(1, 10) if _float32(float(text := f"{millions:.{digits}g}")) == _float32(millions)
    )
    return _Plain(f"{(Decimal(shortest) * _MILLION).normalize():f}")


def _float32(value: float) -> bytes:
    return struct.pack(">f", value)


def _packed(records: bytes) -> bytes:
    return lzma.compress(records, lzma.FORMAT_ALONE, preset=1) if records else b""


def _unpacked(body: bytes) -> bytes:
    return lzma.decompress(body, lzma.FORMAT_ALONE) if body else b""
