"""Turns the minutes of an export into rolling windows, with indicators if wanted, and writes them into a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from app.live.transfers.report import span
from app.market.calendar.calendar import Calendar
from app.market.calendar.window_sessions import closed_minutes
from app.market.candle import CandleSource
from app.market.candle_request import ONE_MINUTE, CandleRequest, file_name, window_minutes
from app.market.columns.arrow import arrow
from app.market.columns.candle_columns import open_times
from app.market.columns.rolling import WindowStream
from app.market.indicators.chosen import ChosenIndicator
from app.market.indicators.phase_values import PhaseValues, figures_of
from app.market.indicators.research_names import NamedIndicator
from app.market.interval import Interval
from app.market.ports.files import ExportFile

_AT_ONCE = 8_192  # minutes: more take memory and are no quicker


class WindowFile:
    """
    An `app.market.ports.files.ExportFile` of minutes by rising time, which writes windows into ``file``.

    ``request`` has the range of the minutes, ``interval`` the length of a window. ``known_until`` blocks, and returns a
    time before which minutes are over: a window that ends by then has a row even if its last minutes are missing.
    ``market``: closed time is not missing. The minutes written begin with `first_slot`, as the values of indicators
    need some before the range.
    """

    def __init__(
        self,
        file: ExportFile,
        request: CandleRequest,
        interval: Interval,
        known_until: Callable[[], int],
        market: Calendar,
        indicators: Sequence[ChosenIndicator] = (),
        suffix: str = "csv",
    ) -> None:
        self._file = file
        self._request = request
        self._interval = interval
        self._known_until = known_until
        self._suffix = suffix
        self._values = values_of(indicators, interval)
        self._market = market
        self._stream: WindowStream | None = None
        self._start_us = ONE_MINUTE.slot_open_us(request.slots[0])
        self.rows = 0
        self._given: tuple[int, int] | None = None
        self._sources = set[str]()

    def write(self, rows: Any) -> None:
        """See `app.market.ports.files.ExportFile`."""
        if self._stream is None:
            if not rows.num_rows:
                return
            self._stream = self._begun(int(open_times(rows)[0]))
        for first in range(0, rows.num_rows, _AT_ONCE):
            for windows in self._stream.add(rows.slice(first, _AT_ONCE)):
                self._write(windows)

    def finish(self, name: str, facts: Mapping[str, object]) -> Path | None:
        """See `app.market.ports.files.ExportFile`; the name is that of windows."""
        end_us = min(ONE_MINUTE.slot_open_us(self._request.slots[-1] + 1), self._known_until())
        for windows in self._stream.rest(end_us) if self._stream is not None else ():
            self._write(windows)
        given = self._given or (self._request.start_us, self._request.end_us)
        name = file_name(self._request.symbol, f"{self._interval}-rolling", *given, self._suffix)
        return self._file.finish(name, self.facts(facts))

    def facts(self, facts: Mapping[str, object]) -> dict[str, object]:
        """Return the facts of the windows, made from the facts of the minutes; ``missing`` still counts minutes."""
        source = next(iter(self._sources)) if len(self._sources) == 1 else CandleSource.MIXED.value
        about = {"interval": self._interval.name, "rolling": True, "rows": self.rows, "given": span(self._given)}
        return {**facts, **about, "source": source if self._sources else None}

    def discard(self) -> None:
        """See `app.market.ports.files.ExportFile`."""
        self._file.discard()

    def _begun(self, first_us: int) -> WindowStream:
        """Return the stream of windows; ``first_us``: when the first minute that there is opens."""
        market = self._market

        def is_closed(opens_us: Any) -> Any:
            return closed_minutes(market, opens_us)

        # No window begins before the first stored minute, as in tables of research.
        start_us = min(first_us, self._start_us)
        return WindowStream(window_minutes(self._interval), start_us, is_closed if market.closes else None)

    def _write(self, windows: Any) -> None:
        if self._values is not None:
            for name, values in self._values.add(figures_of(windows, self._values.names)).items():
                windows = windows.append_column(name, arrow().array(values, from_pandas=True))
        windows = windows.slice(int(np.searchsorted(open_times(windows), self._start_us)))
        if not windows.num_rows:
            return
        opens_us = open_times(windows)
        begin_us = int(opens_us[0]) if self._given is None else self._given[0]
        self._given = begin_us, int(opens_us[-1]) + self._interval.length_us
        self.rows += windows.num_rows
        self._sources.update(windows.column("source").unique().to_pylist())
        self._file.write(windows)


def values_of(indicators: Sequence[ChosenIndicator], interval: Interval) -> PhaseValues | None:
    """Return the calculation of these indicators for windows of that length; None without indicators."""
    named = [NamedIndicator(one.name, one) for one in indicators]
    return PhaseValues(named, window_minutes(interval)) if named else None


def first_slot(request: CandleRequest, values: PhaseValues | None, market: Calendar) -> int:
    """Return the slot of the first minute to read for the windows of a range and their values."""
    start_us = ONE_MINUTE.slot_open_us(request.slots[0])
    if values is None:
        return request.slots[0]
    first_us = values.first_start_us(start_us)
    if market.closes:
        # Closed time has no windows, and a value needs a number of windows, so twice the time is read.
        first_us -= start_us - first_us
    return ONE_MINUTE.slot(max(first_us, 0))
