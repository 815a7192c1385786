"""
Indicators of rolling windows: the value of a row comes from the rows of its own ``minute_index``, its phase.

Windows of one phase follow each other as candles do. The calculation of a row begins at most `PhaseValues.reach` rows
before it, at a place that depends on its time alone. So a full run and a run over just these rows give the same value
to the last bit. It differs by at most 1e-12 from one calculation over all rows of the phase. Sums of a session begin
with the first window that starts in it. Missing windows are left out. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.market.columns.arrow import arrow
from app.market.columns.candle_columns import open_times
from app.market.columns.rolling import MINUTE_US
from app.market.columns.wide_decimals import floats_of
from app.market.file_columns import MINUTE_INDEX
from app.market.indicators.definition import BAR_COLUMNS, Bars, Session, Values
from app.market.indicators.research_names import NamedIndicator
from app.market.interval import ORIGIN_US

Ints = NDArray[np.int64]
Figures = dict[str, NDArray[Any]]
"""Windows by rising time: `BAR_COLUMNS` and ``minute_index``; ``open_time_us`` is a window's start."""

_BLOCK = 512  # windows of a phase that one calculation gives, besides its warm-up
_DAY_US = 86_400_000_000
_UNKNOWN = ("quote_volume", "taker_buy_volume", "taker_buy_quote_volume")


def figures_of(windows: Any) -> Figures:
    """Return the figures of a batch of `app.market.columns.rolling.rolling_windows`."""
    pa = arrow()
    figures: Figures = {"open_time_us": open_times(windows)}
    for name in BAR_COLUMNS[1:]:
        column = windows.column(name)
        figures[name] = floats_of(column) if pa.types.is_decimal(column.type) else column.to_numpy()
    return figures | {MINUTE_INDEX: windows.column(MINUTE_INDEX).to_numpy().astype(np.int64)}


class PhaseValues:
    """
    The values of ``named`` for windows of ``length`` minutes, which come in batches by rising time.

    Memory is that of a batch and of `reach` windows of each phase. For indicators without a session,
    amounts that tables do not have are unknown (NaN): the quote volume, and what takers bought.
    """

    def __init__(self, named: Sequence[NamedIndicator], length: int) -> None:
        self._length = length
        self._counted = [(one, warm_up) for one in named if isinstance(warm_up := _warm_up(one), int)]
        self._summed = [(one, warm_up) for one in named if isinstance(warm_up := _warm_up(one), Session)]
        self.reach = max((warm_up for _, warm_up in self._counted), default=-_BLOCK) + _BLOCK
        self._kept: Figures = {}

    @property
    def sessions(self) -> set[Session]:
        """The sessions over which some of them sum."""
        return {session for _, session in self._summed}

    def first_start_us(self, start_us: int) -> int:
        """
        Return the start of the first window that the values from ``start_us`` on depend on.

        It holds if no window before is missing: otherwise some values depend on earlier windows.
        """
        length_us = self._length * MINUTE_US
        block_end_us = (start_us + length_us - ORIGIN_US) // (_BLOCK * length_us) * _BLOCK * length_us + ORIGIN_US
        starts_us = [block_end_us - (1 + warm_up) * length_us for _, warm_up in self._counted]
        return min([start_us, *starts_us, *(session_start_us(session, start_us) for session in self.sessions)])

    def kept_rows(self) -> NDArray[np.int64]:
        """Return the number of known windows of each phase, at most `reach`."""
        index = self._kept.get(MINUTE_INDEX, np.empty(0, np.int64))
        return np.minimum(np.bincount(index, minlength=self._length), self.reach)

    def add(self, figures: Figures) -> dict[str, Values]:
        """Return the values of the next windows by the names of their columns, in their order; NaN: no value."""
        before = len(self._kept[MINUTE_INDEX]) if self._kept else 0
        together = {
            name: np.concatenate((self._kept[name], one)) if before else one
            for name, one in figures.items()
            if self._summed or name not in _UNKNOWN
        }
        # Numbers of 16 bits are sorted by their digits, in a tenth of the time.
        order = np.argsort(together[MINUTE_INDEX].astype(np.int16), kind="stable")
        known = {name: column[order] for name, column in together.items()}
        is_new = order >= before
        phases = known[MINUTE_INDEX]
        ends_us = known["open_time_us"] + self._length * MINUTE_US
        blocks = (ends_us - ORIGIN_US) // MINUTE_US // self._length // _BLOCK
        found: dict[str, Values] = {}
        if self._counted:
            unknown = np.full(len(phases), np.nan)
            bare = [unknown if name in _UNKNOWN else known[name] for name in BAR_COLUMNS]
            phase_begins = np.concatenate(([0], np.cumsum(np.bincount(phases, minlength=self._length))))
            begins, stops = _runs(phases, blocks)
            for one, warm_up in self._counted:
                since = np.maximum(begins - warm_up, phase_begins[phases[begins]])
                found |= _computed(one, bare, since, begins, stops, is_new)
        for one, session in self._summed:
            columns = [known[name] for name in BAR_COLUMNS]
            begins, stops = _runs(phases, _session_of(session, known["open_time_us"]))
            found |= _computed(one, columns, begins, begins, stops, is_new)
        self._keep(known, phases)
        rows = np.empty(len(order), np.int64)
        rows[order] = np.arange(len(order))
        return {name: values[rows[before:]] for name, values in found.items()}

    def _keep(self, known: Figures, phases: Ints) -> None:
        stops = np.cumsum(np.bincount(phases, minlength=self._length))[phases]
        keep = stops - np.arange(len(phases)) <= self.reach
        for session in self.sessions:
            numbers = _session_of(session, known["open_time_us"])
            keep |= numbers == numbers[stops - 1]
        self._kept = {name: column[keep] for name, column in known.items()}


def session_start_us(session: Session, time_us: int) -> int:
    """Return the start of the session that holds a time; UTC microseconds."""
    if session is Session.DAY:
        return time_us // _DAY_US * _DAY_US
    if session is Session.WEEK:
        return time_us - (time_us - ORIGIN_US) % (7 * _DAY_US)
    return int(np.datetime64(time_us, "us").astype("datetime64[M]").astype("datetime64[us]").astype(np.int64))


def _session_of(session: Session, times_us: Ints) -> Ints:
    """Return a number for the session that holds each time."""
    if session is Session.DAY:
        return times_us // _DAY_US
    if session is Session.WEEK:
        return (times_us - ORIGIN_US) // (7 * _DAY_US)
    months: Ints = times_us.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)
    return months


def _warm_up(named: NamedIndicator) -> int | Session:
    return named.chosen.indicator.warm_up(**named.chosen.settings)


def _runs(phases: Ints, parts: Ints) -> tuple[Ints, Ints]:
    """Return the begins and ends of the runs of rows that share their phase and their part."""
    if not len(phases):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    begins = np.flatnonzero(np.concatenate(([True], (np.diff(phases) != 0) | (np.diff(parts) != 0))))
    return begins, np.concatenate((begins[1:], [len(phases)]))


def _computed(
    named: NamedIndicator,
    columns: list[NDArray[Any]],
    since: Ints,
    begins: Ints,
    stops: Ints,
    is_new: NDArray[np.bool_],
) -> dict[str, Values]:
    """Return the values of the new rows of each run, calculated from the row ``since`` on."""
    indicator, settings = named.chosen.indicator, named.chosen.settings
    found = [np.full(len(is_new), np.nan) for _ in named.columns]
    # New rows are the last ones of their phase, so a run has some where its last row is one.
    wanted = is_new[stops - 1]
    rows = zip(since[wanted].tolist(), begins[wanted].tolist(), stops[wanted].tolist(), strict=True)
    for first, begin, stop in rows:
        computed = indicator.compute(Bars(*(column[first:stop] for column in columns)), **settings)
        for made, values in zip(found, computed if isinstance(computed, tuple) else (computed,), strict=True):
            made[begin:stop] = values[begin - first :]
    return {name: np.where(np.isfinite(made), made, np.nan) for name, made in zip(named.columns, found, strict=True)}
