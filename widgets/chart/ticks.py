"""
Where a linear value axis has its marks, and what those say. Pure.

Values go in steps of 1, 2 or 5 times a power of ten; prices carry the symbol's decimals. Times are `time_marks`'.
"""

from __future__ import annotations

import math
from typing import NamedTuple

_MOST_TICKS = 200


class ValueTick(NamedTuple):
    """A mark on a value axis."""

    value: float
    text: str


def format_price(price: float, decimals: int) -> str:
    return f"{price:,.{decimals}f}".replace("-", "−")


def round_values(low: float, high: float, height_px: float, least_px: float, least: float = 0.0) -> list[float]:
    """Return the round values from ``low`` to ``high`` that are ``least_px``, and ``least``, apart or more."""
    if height_px < least_px or not high > low:
        return []
    step = _nice_step(max((high - low) * least_px / height_px, least))
    first, last = math.ceil(low / step), math.floor(high / step)
    return [] if last - first > _MOST_TICKS else [number * step for number in range(first, last + 1)]


def _nice_step(least: float) -> float:
    power = 10.0 ** math.floor(math.log10(least) + 1e-9)
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))
