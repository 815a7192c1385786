"""
Exact sums of 64-bit amounts and of their products, group by group. Pure.

An amount is split into 32-bit halves whose products and sums fit 64 bits, and only the totals of groups become Python
integers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFF_FFFF)


def sums(amounts: NDArray[np.uint64], starts: NDArray[np.intp]) -> list[int]:
    """Return the exact sum of each group of unsigned 64-bit amounts."""
    low = np.add.reduceat(amounts & _LOW, starts).tolist()
    high = np.add.reduceat(amounts >> _HALF, starts).tolist()
    return [(above << 32) + below for above, below in zip(high, low, strict=True)]


def product_sums(left: Ints, right: Ints, starts: NDArray[np.intp]) -> list[int]:
    """Return the exact sum of ``left * right`` of each group; neither is negative."""
    left_bits, right_bits = left.astype(np.uint64), right.astype(np.uint64)
    left_high, left_low = left_bits >> _HALF, left_bits & _LOW
    right_high, right_low = right_bits >> _HALF, right_bits & _LOW
    low = sums(left_low * right_low, starts)
    # Each of the two is below 2**63: the high halves have 31 bits.
    middle = sums(left_high * right_low + left_low * right_high, starts)
    high = sums(left_high * right_high, starts)
    return [(a << 64) + (b << 32) + c for a, b, c in zip(high, middle, low, strict=True)]
