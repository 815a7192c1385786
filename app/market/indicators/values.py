"""
Keeps one indicator's values over one series up to date; a change recomputes only the blocks it touches.

Model, not view. Rows are the series' rows. A value is NaN while it has too few older candles: at the series' start, and
after slots without a candle, because what happened there is not known; closed time has no slots. See
docs/indicators.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.market.calendar.open_axis import PLAIN_AXIS, OpenAxis
from app.market.indicators.blocks import Blocks
from app.market.indicators.definition import BAR_COLUMNS, Bars, Indicator, Setting, Values
from app.market.indicators.envelope import Envelope
from app.market.interval import Interval
from app.market.series.change_log import Span
from app.market.series.columns import SeriesColumns
from app.market.series.series import BarColumns, CandleSeries


class IndicatorValues:
    """The values of ``indicator`` with these settings. Call `follow` before reading them."""

    def __init__(self, indicator: Indicator, settings: Mapping[str, Any]) -> None:
        self.indicator = indicator
        self.settings: dict[str, Setting] = indicator.checked(settings)
        self._names = tuple(output.name for output in indicator.outputs)
        self._columns = SeriesColumns(dict.fromkeys(self._names, np.float64))
        self._envelope = Envelope(self._columns, self._names)
        self._series: CandleSeries | None = None
        self._revision = -1
        self._blocks: Blocks | None = None
        self._axis = PLAIN_AXIS

    def __len__(self) -> int:
        return len(self._columns)

    def column(self, name: str) -> Values:
        """Return one output, a value per candle of the series; valid until the next `follow`."""
        column: Values = self._columns[name]
        return column

    def follow(self, series: CandleSeries, axis: OpenAxis = PLAIN_AXIS) -> None:
        """
        Update the values to that series; closed slots are those that ``axis`` leaves out.

        An error of the indicator's function is raised, and leaves no values.
        """
        if series is self._series and series.revision == self._revision and axis is self._axis:
            return
        is_known = series is self._series and axis is self._axis
        spans = series.changed_since(self._revision) if is_known else None
        is_same_interval = self._series is not None and series.interval == self._series.interval
        if self._blocks is None or not is_same_interval or axis is not self._axis:
            self._blocks, self._axis = self.blocks(series.interval, axis), axis
        self._series, self._revision = series, series.revision
        try:
            if spans is None:
                self._recompute(series)
            else:
                self._update(series, spans)
        except Exception:
            self._forget()
            raise

    def blocks(self, interval: Interval, axis: OpenAxis = PLAIN_AXIS) -> Blocks:
        """Return the blocks of its calculations at that interval, without the slots that ``axis`` leaves out."""
        warm_up = self.indicator.warm_up(**self.settings)
        return Blocks(interval, warm_up, is_strict=self.indicator.settled_only, axis=axis)

    def between(self, name: str, first_slot: int, last_slot: int, level: int = 0) -> BarColumns:
        """
        Return an output between two slots, inclusive, for drawing; 2**``level`` slots per bar.

        As `CandleSeries.bars_between`, with first, highest, lowest and last value; volumes and flags are empty.
        """
        slots = np.empty(0, np.int64) if self._series is None else self._series.slots
        return self._envelope.between(name, slots, first_slot, last_slot, level)

    def beginnings(self, slots: NDArray[np.int64]) -> NDArray[np.bool_] | None:
        """Return which of these slots, rising, begin a session of several candles; None if blocks are no sessions."""
        if self._blocks is None or not self._blocks.are_sessions:
            return None
        found, row = np.zeros(len(slots), np.bool_), 0
        while row < len(slots):
            block = self._blocks.of(int(slots[row]))
            found[row] = slots[row] == block.first != block.last
            row = int(np.searchsorted(slots, block.last, side="right"))
        return found

    def _forget(self) -> None:
        """Drop all values: after a failure they are partly old, partly new."""
        self._series, self._revision = None, -1
        self._columns.clear(0)
        self._envelope.reset()

    def _recompute(self, series: CandleSeries) -> None:
        self._columns.clear(len(series) + len(series) // 8)
        self._columns.splice(0, 0, len(series))
        self._envelope.reset()
        self._compute(series, 0, len(series))

    def _update(self, series: CandleSeries, spans: list[Span]) -> None:
        assert self._blocks is not None
        slots = series.slots
        for span in spans:
            at, end = np.searchsorted(slots, (span.first, span.last + 1)).tolist()
            self._columns.splice(at, end - at - span.grown, end - at)
        computed = 0  # rows before that one are up to date
        for span in spans:
            touched = self._blocks.last_touched(span.last)
            first, end = np.searchsorted(slots, (span.first, touched + 1)).tolist()
            self._compute(series, max(first, computed), end)
            self._envelope.touch(span.first, touched)
            computed = max(end, computed)

    def _compute(self, series: CandleSeries, row: int, end: int) -> None:
        """Compute the values of rows ``row`` up to ``end`` (exclusive), one block after another."""
        assert self._blocks is not None
        slots = series.slots
        while row < end:
            block = self._blocks.of(int(slots[row]))
            stop = min(int(np.searchsorted(slots, block.last, side="right")), end)
            first = min(int(np.searchsorted(slots, block.origin)), row)
            for name in self._names:
                self._columns[name][row:stop] = np.nan
            for start, run_stop in _runs(slots, first, stop, self._axis):
                if run_stop > row:
                    self._compute_run(series, block.origin, start, max(row, start), run_stop)
            row = stop

    def _compute_run(self, series: CandleSeries, origin: int, start: int, row: int, stop: int) -> None:
        """Write the values of rows ``row`` up to ``stop``, calculated from the successive slots from ``start`` on."""
        assert self._blocks is not None
        is_whole = int(series.slots[start]) == origin or (start == 0 and series.begins)
        if not is_whole:
            if self._blocks.is_strict:
                return
            row = max(row, start + self._blocks.warm_up)
        if row >= stop:
            return
        bars = Bars(*(series.column(name)[start:stop] for name in BAR_COLUMNS))
        computed = self.indicator.compute(bars, **self.settings)
        outputs = computed if isinstance(computed, tuple) else (computed,)
        for name, values in zip(self._names, outputs, strict=True):
            shown = values[row - start :]
            self._columns[name][row:stop] = np.where(np.isfinite(shown), shown, np.nan)


def _runs(slots: NDArray[np.int64], first: int, stop: int, axis: OpenAxis) -> Iterator[tuple[int, int]]:
    """Yield the runs of rows (first, exclusive end) whose slots follow each other on the axis."""
    if axis.at(int(slots[stop - 1])) - axis.at(int(slots[first])) == stop - 1 - first:
        yield first, stop
        return
    breaks = (np.flatnonzero(np.diff(axis.all_at(slots[first:stop])) != 1) + 1 + first).tolist()
    yield from zip([first, *breaks], [*breaks, stop], strict=True)
