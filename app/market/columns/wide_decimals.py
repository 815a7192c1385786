"""
Columns of exact decimals and the integers they count: Arrow's decimal128 is a 128-bit integer and a number of places.

An amount is a count of 1e-8 or 1e-16 units (`app.market.units`). A column of them stands in memory as pairs of 64-bit
halves, low and high; numpy reads and makes those without a Python object for each. Sums of many trades need the high
half, prices never do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.market.columns.arrow import arrow

Ints = NDArray[np.int64]
Halves = tuple[NDArray[np.uint64], Ints]
"""The low and the high half of each number, in two's complement."""

_E8 = 100_000_000


def decimal_array(counts: Sequence[int] | Ints, kind: Any, valid: NDArray[np.bool_] | None = None) -> Any:
    """Return the Arrow array of type ``kind`` whose units ``counts`` counts; null where ``valid`` is False."""
    try:
        low = np.asarray(counts, dtype=np.int64)
    except OverflowError:
        packed = b"".join(int(count).to_bytes(16, "little", signed=True) for count in counts)
        return _array(np.frombuffer(packed, dtype=np.int64), kind, valid)
    halves = np.empty((len(low), 2), dtype=np.int64)
    halves[:, 0] = low
    halves[:, 1] = low >> 63
    return _array(halves, kind, valid)


def array_of_halves(halves: Halves, kind: Any, valid: NDArray[np.bool_] | None = None) -> Any:
    """Return the Arrow array of type ``kind`` with these halves; null where ``valid`` is False."""
    pairs = np.empty((len(halves[0]), 2), dtype=np.int64)
    pairs[:, 0] = halves[0].view(np.int64)
    pairs[:, 1] = halves[1]
    return _array(pairs, kind, valid)


def halves_of(array: Any) -> Halves:
    """Return the halves of an Arrow decimal array; those of a null are any."""
    pairs = np.frombuffer(array.buffers()[1], dtype=np.int64)[2 * array.offset : 2 * (array.offset + len(array))]
    return pairs[0::2].view(np.uint64), pairs[1::2]


def counts_of(array: Any) -> list[int]:
    """Return the units that an Arrow decimal array without nulls counts."""
    low, high = halves_of(array)
    if bool(np.all(high == low.view(np.int64) >> 63)):
        whole: list[int] = low.view(np.int64).tolist()
        return whole
    return [(upper << 64) + lower for lower, upper in zip(low.tolist(), high.tolist(), strict=True)]


def floats_of(array: Any) -> NDArray[np.float64]:
    """Return the nearest floats to an Arrow decimal array; NaN for null."""
    low, high = halves_of(array)
    unit = 10**array.type.scale
    units = low.view(np.int64)
    exact: NDArray[np.float64] = units / float(unit)
    # A quotient of two exact floats is the nearest one. Python divides longer numbers as exactly, one by one.
    is_long = (high != units >> 63) | (np.abs(units) >> 53 != 0)
    if is_long.any():
        rows = np.flatnonzero(is_long)
        pairs = zip(low[rows].tolist(), high[rows].tolist(), strict=True)
        exact[rows] = [((upper << 64) + lower) / unit for lower, upper in pairs]
    if array.null_count:
        exact[~np.asarray(array.is_valid())] = np.nan
    return exact


def divmod_e8(halves: Halves) -> tuple[Halves, Ints]:
    """Return the numbers, none negative, divided by 1e8, and what is left of each."""
    low, high = halves[0], halves[1].view(np.uint64)
    if not high.any():
        return (low // np.uint64(_E8), halves[1]), (low % np.uint64(_E8)).view(np.int64)
    quotients, rest = list[NDArray[np.uint64]](), np.zeros(len(low), dtype=np.uint64)
    for half in (high, low):
        for part in (half >> np.uint64(32), half & np.uint64(0xFFFF_FFFF)):
            rest = rest << np.uint64(32) | part
            quotients.append(rest // np.uint64(_E8))
            rest = rest % np.uint64(_E8)
    shifted = [one << np.uint64(32) for one in (quotients[0], quotients[2])]
    return (shifted[1] | quotients[3], (shifted[0] | quotients[1]).view(np.int64)), rest.view(np.int64)


def _times_e8_plus(whole: Ints, rest: Ints) -> Halves:
    """Return ``whole * 1e8 + rest``; neither is negative, and ``rest`` is below 1e8."""
    upper, lower = whole >> 32, whole & 0xFFFF_FFFF
    lower = lower * _E8 + rest  # below 2**59
    upper = upper * _E8 + (lower >> 32)
    low = (upper.view(np.uint64) << np.uint64(32)) | (lower & 0xFFFF_FFFF).view(np.uint64)
    return low, upper >> 32


def mean_prices(quote_volume_e16: Any, volume_e8: Any, kind: Any) -> Any:
    """
    Return the quotients of two Arrow decimal arrays, of 16 and of 8 places, to the nearest 1e-16.

    They are null where either is zero: beside a volume, a quote volume of zero means unknown. Eight places
    would be few digits of a price of 0.00001. Halves are rounded up.
    """
    quote, volume = halves_of(quote_volume_e16), halves_of(volume_e8)
    valid = ((volume[0] != 0) | (volume[1] != 0)) & ((quote[0] != 0) | (quote[1] != 0))
    divisor = np.where(valid & (volume[0] != 0), volume[0].view(np.int64), 1)
    estimate = np.where(valid, quote[1].astype(np.float64) * 2.0**64 + quote[0].astype(np.float64), 0.0) / divisor
    # Beyond these bounds the remainders below would not fit: amounts that no market has.
    far = (volume[1] != 0) | (divisor < 0) | (divisor >= 1 << 61) | (estimate >= 2.0**62) | (quote[1] >= 1 << 50)
    if bool(np.any(far & valid)):
        return _mean_prices_one_by_one(quote_volume_e16, volume_e8, valid, kind)
    price_e8, rest = _corrected(estimate, quote[0].view(np.int64), divisor)
    more, rest = _corrected(rest.astype(np.float64) * _E8 / divisor, rest * _E8, divisor)
    more = more + (rest + divisor // 2 >= divisor)
    carried = more // _E8
    return array_of_halves(_times_e8_plus(price_e8 + carried, more - carried * _E8), kind, valid)


def _corrected(estimate: NDArray[np.float64], dividend: Ints, divisor: Ints) -> tuple[Ints, Ints]:
    """
    Return quotients and remainders, from an estimate of the quotients and the low halves of the dividends.

    The remainder of the estimate is small, so arithmetic modulo 2**64 gives it exactly.
    """
    quotient = estimate.astype(np.int64)
    rest = dividend - quotient * divisor
    missed = rest // divisor
    return quotient + missed, rest - missed * divisor


def _mean_prices_one_by_one(quote: Any, volume: Any, valid: NDArray[np.bool_], kind: Any) -> Any:
    pairs = zip(counts_of(quote), counts_of(volume), strict=True)
    return decimal_array([(one * _E8 + by // 2) // by if by else 0 for one, by in pairs], kind, valid)


def _array(halves: NDArray[np.int64], kind: Any, valid: NDArray[np.bool_] | None) -> Any:
    pa = arrow()
    count = halves.size // 2
    bits, nulls = None, 0
    if valid is not None and not valid.all():
        bits = pa.py_buffer(np.packbits(valid, bitorder="little"))
        nulls = count - int(valid.sum())
    return pa.Array.from_buffers(kind, count, [bits, pa.py_buffer(halves)], null_count=nulls)
