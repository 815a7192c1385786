"""
Dukascopy's .bi5 files: an hour of ticks, or the candles of one side, packed by LZMA. No I/O.

An empty file stands for a time without ticks. A price is an integer of the instrument's points; the sizes are float32
millions, of which the shortest decimal is the published one. A candle that is flat and has no volume fills a time
without ticks, as the JSON interface leaves it out; so it is left out here, too.

Source: the public clients of the datafeed tree; recorded files.
"""

from __future__ import annotations

import lzma
from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np
from numpy.typing import NDArray

from app.market.errors import MalformedMessage
from app.market.interval import SECOND_US
from app.market.quotes.side_candle import SideCandle
from app.market.quotes.tick_candle import PriceBar
from app.market.quotes.tick_columns import Ints, TickColumns, no_ticks, tick_columns
from app.market.units import E8

_TICK = np.dtype([("ms", ">u4"), ("ask", ">u4"), ("bid", ">u4"), ("ask_size", ">f4"), ("bid_size", ">f4")])
_CANDLE = np.dtype(
    [("s", ">u4"), ("open", ">u4"), ("close", ">u4"), ("low", ">u4"), ("high", ">u4"), ("volume", ">f4")]
)
_HOUR_MS = 3_600_000
_LONGEST_S = 366 * 86_400
# A busy hour has some ten thousand ticks; a file that unpacks to more than this is none of Dukascopy's.
_MOST_BYTES = 64 * 2**20


def decode_ticks(body: bytes, symbol: str, start_us: int, point_e8: int) -> TickColumns:
    """
    Return the ticks of a file, which begins at ``start_us`` (UTC microseconds).

    ``point_e8``: the value of one point, in 1e-8 units.

    Raises:
        MalformedMessage: If the file is damaged, ends early, or is none of Dukascopy's.
    """
    rows = _rows(body, _TICK)
    if not len(rows):
        return no_ticks(symbol)
    ms = rows["ms"].astype(np.int64)
    if ms.max() >= _HOUR_MS:
        raise MalformedMessage("a tick lies outside its hour", sample=body[:100])
    try:
        return tick_columns(
            symbol,
            start_us + ms * 1_000,
            rows["bid"].astype(np.int64) * point_e8,
            rows["ask"].astype(np.int64) * point_e8,
            _millions_e8(rows["bid_size"], body),
            _millions_e8(rows["ask_size"], body),
        )
    except ValueError as error:
        raise MalformedMessage(str(error), sample=body[:100]) from error


def decode_candles(body: bytes, start_us: int, point_e8: int) -> list[SideCandle]:
    """
    Return the candles of a file, which begins at ``start_us``, oldest first, without those that fill time.

    Raises:
        MalformedMessage: As `decode_ticks`.
    """
    rows = _rows(body, _CANDLE)
    if not len(rows):
        return []
    seconds = rows["s"].astype(np.int64)
    if seconds.max() >= _LONGEST_S or bool((np.diff(seconds) <= 0).any()):
        raise MalformedMessage("the times of candles do not rise", sample=body[:100])
    opens, highs, lows, closes = (
        (rows[name].astype(np.int64) * point_e8).tolist() for name in ("open", "high", "low", "close")
    )
    volumes = _millions_e8(rows["volume"], body).tolist()
    candles = []
    for second, *bar, volume in zip(seconds.tolist(), opens, highs, lows, closes, volumes, strict=True):
        if volume or min(bar) != max(bar):
            candles.append(SideCandle(start_us + second * SECOND_US, PriceBar(*bar), volume))
    return candles


def _rows(body: bytes, kind: np.dtype) -> NDArray:  # type: ignore[type-arg]  # because the type is that of the records
    if not body:
        return np.zeros(0, dtype=kind)
    decompressor = lzma.LZMADecompressor(lzma.FORMAT_ALONE)
    try:
        unpacked = decompressor.decompress(body, _MOST_BYTES)
    except (lzma.LZMAError, EOFError) as error:
        raise MalformedMessage(f"the file is not packed as a .bi5 file is ({error})", sample=body[:100]) from error
    # The header says how long the data is, or that a mark ends them; so a file that was cut is noticed.
    if not decompressor.eof:
        raise MalformedMessage("the file ends early, or is longer than any of Dukascopy's", sample=body[:100])
    if len(unpacked) % kind.itemsize:
        raise MalformedMessage(f"the file is not made of records of {kind.itemsize} bytes", sample=body[:100])
    return np.frombuffer(unpacked, dtype=kind)


def _millions_e8(sizes: NDArray[np.float32], body: bytes) -> Ints:
    """Return sizes in 1e-8 units: the shortest decimal of each float32, rounded where it has more places."""
    distinct, which = np.unique(sizes.astype(np.float32), return_inverse=True)
    # Few sizes occur in an hour, so each is converted once, exactly.
    if not np.isfinite(distinct).all() or (len(distinct) and (distinct[0] < 0 or distinct[-1] > 1e9)):
        raise MalformedMessage("a size is not one", sample=body[:100])
    exact = [int((Decimal(str(size)) * E8).to_integral_value(ROUND_HALF_EVEN)) for size in distinct]
    return np.array(exact, dtype=np.int64)[which]
