"""
The values of indicators over a range of any length, batch by batch, with the memory of a batch and its warm-up.

A value is the one on a chart that has loaded far enough back: it depends on its slot and on candles, not on where the
range begins or on how it is cut into batches (`app.market.indicators.blocks`). So candles before the range are read,
too: from `RangeValues.first_slot` on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.market.calendar.open_axis import PLAIN_AXIS, OpenAxis
from app.market.columns.arrow import arrow
from app.market.columns.candle_columns import open_times, slots_of
from app.market.columns.wide_decimals import floats_of
from app.market.errors import UsageError
from app.market.indicators.chosen import ChosenIndicator
from app.market.indicators.definition import BAR_COLUMNS
from app.market.indicators.values import IndicatorValues
from app.market.interval import Interval
from app.market.series.series import CandleSeries

Figures = dict[str, NDArray[Any]]


class RangeValues:
    """
    Adds columns of indicators to batches of candles, which come in rising order from ``first_slot`` on.

    ``first``: the slot with which the range begins. ``axis``: leaves out the slots in which the market is closed.

    Raises:
        UsageError: If an indicator needs more candles before the range than are ever loaded for one.
    """

    def __init__(
        self, chosen: Sequence[ChosenIndicator], interval: Interval, first: int, axis: OpenAxis = PLAIN_AXIS
    ) -> None:
        self._interval, self._axis = interval, axis
        self._chosen = chosen
        self._values = [IndicatorValues(one.indicator, one.settings) for one in chosen]
        self._blocks = [one.blocks(interval, axis) for one in self._values]
        for one, blocks in zip(chosen, self._blocks, strict=True):
            if blocks.reaches_too_far(first):
                raise UsageError(f"{one.columns[0]} needs too many candles of {interval}: choose a longer interval.")
        self.first_slot = min([blocks.of(first).origin for blocks in self._blocks], default=first)
        self._kept: Figures = {}
        self._begins: bool | None = None

    def with_values(self, candles: Any, *, is_listing: bool = False) -> Any:
        """
        Return the batch with a column for each output, named as in `ChosenIndicator.columns`; null: no value.

        ``is_listing``: if this is the first batch, whether the symbol has no earlier candle.
        """
        if not self._chosen:
            return candles
        if self._begins is None and candles.num_rows:
            self._begins = is_listing
        figures = _figures(candles)
        if candles.num_rows:
            self._keep_from(min(blocks.of(int(self._slots(figures)[0])).origin for blocks in self._blocks))
        series = CandleSeries("", self._interval)
        before = self._kept or {name: column[:0] for name, column in figures.items()}
        together = {name: np.concatenate((before[name], column)) for name, column in figures.items()}
        series.replace_columns(together["open_time_us"], **{name: together[name] for name in BAR_COLUMNS[1:]})
        series.set_begins(begins=bool(self._begins))
        self._kept = together
        pa, rows = arrow(), candles.num_rows
        for one, values in zip(self._chosen, self._values, strict=True):
            values.follow(series, self._axis)
            for name, output in zip(one.columns, one.indicator.outputs, strict=True):
                column = values.column(output.name)[len(values) - rows :]
                candles = candles.append_column(name, pa.array(column, from_pandas=True))
        return candles

    def _keep_from(self, slot: int) -> None:
        """Forget the candles before that slot."""
        if self._kept:
            at = int(np.searchsorted(self._slots(self._kept), slot))
            if at:
                self._begins = False
                self._kept = {name: column[at:] for name, column in self._kept.items()}

    def _slots(self, figures: Figures) -> NDArray[np.int64]:
        return slots_of(self._interval, figures["open_time_us"])


def _figures(candles: Any) -> Figures:
    pa = arrow()
    figures: Figures = {"open_time_us": open_times(candles)}
    for name in BAR_COLUMNS[1:]:
        column = candles.column(name)
        figures[name] = floats_of(column) if pa.types.is_decimal(column.type) else column.to_numpy()
    return figures
