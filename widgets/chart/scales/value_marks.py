"""Marks of a value axis on linear, logarithmic and percent scales, and the texts of its values. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from widgets.chart.scales.value_scale import ValueScale

_MOST_LINEAR_TICKS = 200


class ValueTick(NamedTuple):
    """A mark on a value axis."""

    value: float
    text: str


def format_price(price: float, decimals: int) -> str:
    return f"{price:,.{decimals}f}".replace("-", "−")


def round_values(low: float, high: float, height_px: float, least_px: float, least: float = 0.0) -> list[float]:
    """Return round values from ``low`` to ``high`` in steps of 1, 2 or 5, ``least_px`` and ``least`` apart or more."""
    if height_px < least_px or not high > low:
        return []
    step = _nice_step(max((high - low) * least_px / height_px, least))
    first, last = math.ceil(low / step), math.floor(high / step)
    return [] if last - first > _MOST_LINEAR_TICKS else [number * step for number in range(first, last + 1)]


def level_values(low: float, high: float, height_px: float, least_px: float, levels: Sequence[float]) -> list[float]:
    """
    Return the levels and the middles between them, for marks at least ``least_px`` apart.

    Without room, the levels alone, or only the middle of all. Empty if fewer than two levels are in view: round values
    say more then.
    """
    if sum(low <= level <= high for level in levels) < 2:
        return []
    ends = sorted(levels)
    with_middles = sorted([*ends, *((one + other) / 2 for one, other in pairwise(ends))])
    for values in (with_middles, ends):
        distances = (other - one for one, other in pairwise(values))
        if min(distances) * height_px >= least_px * (high - low):
            return [value for value in values if low <= value <= high]
    return [(ends[0] + ends[-1]) / 2]


def _nice_step(least: float) -> float:
    power = 10.0 ** math.floor(math.log10(least) + 1e-9)
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))


_MOST_TICKS = 200
_WITHIN_A_DECADE = (1.0, 2.0, 5.0, 10.0)
_MOST_DECIMALS = 14
_LEAST_DECIMALS = 2


def price_marks(scale: ValueScale, height_px: float, least_px: float, decimals: int) -> list[ValueTick]:
    """Return the marks of a price axis, at least ``least_px`` apart and with differing texts of ``decimals``."""
    if scale.is_percent:
        return _percent_marks(scale, height_px, least_px)
    if scale.is_log:
        values = round_log_values(scale.low, scale.high, height_px, least_px, 10.0**-decimals)
    else:
        values = round_values(scale.low, scale.high, height_px, least_px, 10.0**-decimals)
    return [ValueTick(value, format_price(value, decimals)) for value in values]


def price_text(scale: ValueScale, value: float, decimals: int) -> str:
    """Return a value as text in the units of its axis."""
    return format_percent(scale.percent_of(value), 2) if scale.is_percent else format_price(value, decimals)


def decimals_between(values: list[float]) -> int:
    """Return the decimals that distinguish values in equal steps; for a single value, the decimals it has."""
    if len(values) < 2:
        return next((digits for digits in range(12) for value in values if round(value, digits) == value), 0)
    return max(0, min(_MOST_DECIMALS, math.ceil(-math.log10(values[1] - values[0]) - 1e-9)))


def decimals_for(span: float) -> int:
    """Return the decimals for a value on an axis that spans ``span``: about one part in ten thousand of it."""
    return max(0, min(_MOST_DECIMALS, 4 - math.ceil(math.log10(span)))) if span > 0 else 2


def decimals_of_values(scale: ValueScale) -> int:
    """Return the decimals for an indicator's values: from their size, so that zooming does not change them."""
    return max(_LEAST_DECIMALS, decimals_for(max(abs(scale.low), abs(scale.high))))


def format_percent(percent: float, decimals: int) -> str:
    text = f"{abs(percent):,.{decimals}f}"
    sign = "" if float(text.replace(",", "")) == 0 else "+" if percent > 0 else "−"
    return f"{sign}{text} %"


def _percent_marks(scale: ValueScale, height_px: float, least_px: float) -> list[ValueTick]:
    low, high = scale.percent_of(scale.low), scale.percent_of(scale.high)
    percents = round_values(low, high, height_px, least_px, 0.01)
    step = percents[1] - percents[0] if len(percents) > 1 else 1.0
    decimals = max(0, min(2, math.ceil(-math.log10(step) - 1e-9)))
    return [ValueTick(scale.base * (1 + each / 100), format_percent(each, decimals)) for each in percents]


def round_log_values(low: float, high: float, height_px: float, least_px: float, least: float) -> list[float]:
    """
    Return round values for a logarithmic axis, ``least_px`` and ``least`` apart or more.

    Decades first; 1, 2 and 5 within them where there is room, then finer steps between those. The choice does not
    depend on the ends in view, so the same values stay marked while the axis moves.
    """
    if not 0 < low < high or height_px < least_px:
        return []
    decade_px = height_px / (math.log10(high) - math.log10(low))
    every = max(1, math.ceil(least_px / decade_px))
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    if (last - first) // every > _MOST_TICKS:
        return []
    values: list[float] = []
    for power in range(first // every * every, last + 1, every):
        if every > 1 or decade_px * math.log10(2) < least_px:
            values.append(10.0**power)
        else:
            for start, end in pairwise(_WITHIN_A_DECADE):
                values += _between(start, end, 10.0**power, (low, high), decade_px, least_px, least)
    return [value for value in values if max(low, least * (1 - 1e-9)) <= value <= high]


def _between(
    start: float, end: float, unit: float, shown: tuple[float, float], decade_px: float, least_px: float, least: float
) -> list[float]:
    """Return the marks in view from ``start`` to before ``end``, both in multiples of ``unit``."""
    step = _finest_step(start, end, decade_px, least_px, least / unit)
    low, high = max(start, shown[0] / unit), min(end, shown[1] / unit)
    first, last = math.ceil((low - start) / step - 1e-9), math.floor((high - start) / step + 1e-9)
    steps = (start + number * step for number in range(first, min(last, first + _MOST_TICKS) + 1))
    return [value * unit for value in steps if value < end * (1 - 1e-12)]


def _finest_step(start: float, end: float, decade_px: float, least_px: float, least: float) -> float:
    """Return the finest round step with enough room at the upper end, where marks are closest together."""
    finest = end - start
    for power in range(_MOST_DECIMALS):
        for factor in (1.0, 0.5, 0.2):
            step = factor * 10.0**-power
            if step < least * (1 - 1e-9) or math.log10(end / (end - step)) * decade_px < least_px:
                return finest
            finest = step
    return finest
