"""A measurement between two points of a chart: bars, time, difference of values, and traded volume. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from app.market.interval import SECOND_US, Interval
from app.market.series.series import CandleSeries
from app.market.symbol import Symbol
from widgets.chart.model.legend import format_quantity
from widgets.chart.scales.value_marks import format_percent

_MOST_BARS = 1024  # summed at one detail level
_UNITS_S = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


class Point(NamedTuple):
    """A candle's slot, and a value on the axis of a pane."""

    slot: int
    value: float


@dataclass(frozen=True, slots=True)
class Measure:
    """From one point of a pane to another; ``lines`` are the texts of its label."""

    pane: str
    start: Point
    end: Point
    lines: tuple[str, ...] = ()

    @property
    def slots(self) -> tuple[int, int]:
        """The lower and the higher slot of the two points."""
        return min(self.start.slot, self.end.slot), max(self.start.slot, self.end.slot)

    @property
    def is_rising(self) -> bool:
        return self.end.value >= self.start.value


def measured(
    measure: Measure, series: CandleSeries, symbol: Symbol | None, difference: str, bars: int
) -> tuple[str, ...]:
    """
    Return the three lines of a measure's label: values, bars and time, volume.

    ``difference``: the difference of the values, as text in the units of the pane's axis. ``bars``: how many places on
    the time axis the end is from the start. The volume is in the base asset and includes the first and the last candle.
    """
    change = measure.end.value - measure.start.value
    sign = "+" if change > 0 else "−" if change < 0 else ""
    percent = f" ({format_percent(change / measure.start.value * 100, 2)})" if measure.start.value > 0 else ""
    counted = f"{'−' if bars < 0 else ''}{abs(bars):,} {'bar' if abs(bars) == 1 else 'bars'}"
    volume = format_quantity(volume_between(series, *measure.slots), symbol.quantity_decimals if symbol else 3)
    return (
        f"{sign}{difference}{percent}",
        f"{counted} · {_time(series.interval, measure)}",
        f"Volume {volume} {symbol.base if symbol else ''}".rstrip(),
    )


def volume_between(series: CandleSeries, first: int, last: int) -> float:
    """
    Return the volume of the slots ``first`` to ``last``, inclusive, in the base asset.

    The inner part is summed at a coarse detail level and only the ends in detail, so that a million candles cost no
    more than a thousand.
    """
    if last < first:
        return 0.0
    level = max(0, ((last - first) // _MOST_BARS).bit_length())
    size = 1 << level
    inner_first, inner_end = -(-first // size) * size, (last + 1) // size * size
    if level == 0 or inner_end <= inner_first:
        return float(series.bars_between(first, last).volume.sum())
    return (
        volume_between(series, first, inner_first - 1)
        + float(series.bars_between(inner_first, inner_end - 1, level).volume.sum())
        + volume_between(series, inner_end, last)
    )


def length_text(seconds: int) -> str:
    """Return a duration in its two largest units: ``"3 h 45 min"``, ``"2 d"``."""
    parts: list[str] = []
    for size, unit in _UNITS_S:
        count, seconds = divmod(seconds, size)
        if count or parts:
            parts.append(f"{count:,} {unit}" if count else "")
    return " ".join(part for part in parts[:2] if part) or "0 s"


def _time(interval: Interval, measure: Measure) -> str:
    first, last = (interval.slot_open_us(slot) for slot in measure.slots)
    return length_text((last - first) // SECOND_US)
