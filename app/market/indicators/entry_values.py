"""
The values of an entry: one indicator with its settings, and each of its lines.

Where a parameter has several values, as the periods of moving averages, each has an `IndicatorValues` of its own. So a
line's values are the same beside others as alone, and a long period delays no short one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.market.calendar.open_axis import PLAIN_AXIS, OpenAxis
from app.market.indicators.blocks import Blocks
from app.market.indicators.definition import EntrySetting, Indicator, Output, Values
from app.market.indicators.values import IndicatorValues
from app.market.interval import Interval
from app.market.series.series import BarColumns, CandleSeries


class EntryValues:
    """
    The values of ``indicator`` with these settings. Call `follow` before reading them.

    Attributes:
        settings: a value for every parameter; a tuple where the repeated parameter has several.
        outputs: one for each line. With several values of a parameter, the first keeps the indicator's own name, so
            that colours saved for a single one stay; the others end in ``.2``, ``.3`` …, and each has a hue of its own.

    Raises:
        UsageError: As `Indicator.calculations`.
    """

    def __init__(self, indicator: Indicator, settings: Mapping[str, Any]) -> None:
        self.indicator = indicator
        calculations = indicator.calculations(settings)
        self._parts = tuple(IndicatorValues(indicator, each) for each in calculations)
        self.settings: dict[str, EntrySetting] = dict(calculations[0])
        if len(calculations) > 1:
            self.settings[indicator.repeated] = tuple(each[indicator.repeated] for each in calculations)
        self.outputs = _outputs(indicator, calculations)
        self._columns = {
            output.name: (part, own.name)
            for output, (part, own) in zip(
                self.outputs, ((part, own) for part in self._parts for own in indicator.outputs), strict=True
            )
        }

    def __len__(self) -> int:
        return len(self._parts[0])

    @property
    def hues(self) -> int:
        """The number of its colours."""
        return 1 + max(output.hue for output in self.outputs)

    def column(self, name: str) -> Values:
        """Return one output, a value per candle of the series; valid until the next `follow`."""
        part, own = self._columns[name]
        return part.column(own)

    def follow(self, series: CandleSeries, axis: OpenAxis = PLAIN_AXIS) -> None:
        """Update the values to that series, as `IndicatorValues.follow` does."""
        for part in self._parts:
            part.follow(series, axis)

    def blocks(self, interval: Interval, axis: OpenAxis = PLAIN_AXIS) -> list[Blocks]:
        """Return the blocks of its calculations at that interval, one for each value of the repeated parameter."""
        return [part.blocks(interval, axis) for part in self._parts]

    def between(self, name: str, first_slot: int, last_slot: int, level: int = 0) -> BarColumns:
        """Return an output between two slots for drawing, as `IndicatorValues.between` does."""
        part, own = self._columns[name]
        return part.between(own, first_slot, last_slot, level)

    def beginnings(self, slots: NDArray[np.int64]) -> NDArray[np.bool_] | None:
        """Return which of these slots, rising, begin a session of several candles; None if blocks are no sessions."""
        return self._parts[0].beginnings(slots)


def _outputs(indicator: Indicator, calculations: list[dict[str, Any]]) -> tuple[Output, ...]:
    if len(calculations) == 1:
        return indicator.outputs
    made: list[Output] = []
    for at, each in enumerate(calculations):
        ending = f".{at + 1}" if at else ""
        for own in indicator.outputs:
            title = f"{each[indicator.repeated]} {own.title}".rstrip()
            made.append(own._replace(name=f"{own.name}{ending}", title=title, hue=own.hue + at * indicator.hues))
    return tuple(made)
