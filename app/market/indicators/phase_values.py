"""
Indicators of rolling windows: the value of a row comes from the rows of its own ``minute_index``, its phase.

Windows of one phase follow each other as candles do. The calculation of a row begins at most `PhaseValues.reach` rows
before it, at a place that depends on its time alone. So a full run and a run over just these rows give the same value
to the last bit. It differs by at most 1e-12 from one calculation over all rows of the phase. Sums of a session begin
with the first window that starts in it. Missing windows are left out. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.market.columns.arrow import arrow
from app.market.columns.candle_columns import open_times
from app.market.columns.rolling import MINUTE_US
from app.market.columns.wide_decimals import floats_of
from app.market.file_columns import MINUTE_INDEX
from app.market.indicators.definition import BAR_COLUMNS, Bars, Session, Values
from app.market.indicators.phase_history import PhaseHistory
from app.market.indicators.research_names import NamedIndicator
from app.market.interval import ORIGIN_US

Ints = NDArray[np.int64]
Figures = dict[str, NDArray[Any]]
"""Windows by rising time: `BAR_COLUMNS` and ``minute_index``; ``open_time_us`` is a window's start."""

_BLOCK = 512  # windows of a phase that one calculation gives, besides its warm-up
_DAY_US = 86_400_000_000
_UNKNOWN = ("quote_volume", "taker_buy_volume", "taker_buy_quote_volume")


def figures_of(windows: Any, names: Collection[str] = BAR_COLUMNS) -> Figures:
    """Return the times, the indexes and the figures ``names`` of a batch of `rolling_windows`."""
    pa = arrow()
    figures: Figures = {"open_time_us": open_times(windows)}
    for name in (one for one in BAR_COLUMNS[1:] if one in names):
        column = windows.column(name)
        figures[name] = floats_of(column) if pa.types.is_decimal(column.type) else column.to_numpy()
    return figures | {MINUTE_INDEX: windows.column(MINUTE_INDEX).to_numpy().astype(np.int64)}


class PhaseValues:
    """
    The values of ``named`` for windows of ``length`` minutes, which come in batches by rising time.

    Memory is that of a batch and of `reach` windows of each phase, of which it keeps what the indicators read alone.
    For indicators without a session, amounts that tables do not have are unknown (NaN): the quote volume, and what
    takers bought. ``names``, an attribute: the figures that the indicators read.
    """

    def __init__(self, named: Sequence[NamedIndicator], length: int) -> None:
        self._length = length
        self._counted = [(one, warm_up) for one in named if isinstance(warm_up := _warm_up(one), int)]
        self._summed = [(one, warm_up) for one in named if isinstance(warm_up := _warm_up(one), Session)]
        self._warm_up = max((warm_up for _, warm_up in self._counted), default=-_BLOCK)
        self.reach = self._warm_up + _BLOCK
        read = set[str]().union(*(inputs_of(one) - set(_UNKNOWN) for one, _ in self._counted))
        self.names = sorted(read.union(*(inputs_of(one) for one, _ in self._summed)))
        self._history = PhaseHistory(self.names, length, self.reach)
        self._added: Ints = np.zeros(length, np.int64)

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

    def known_rows(self) -> NDArray[np.int64]:
        """Return how many windows of each phase were added, `reach` at most."""
        return np.minimum(self._added, self.reach)

    def add(self, figures: Figures) -> dict[str, Values]:
        """Return the values of the next windows by the names of their columns, in their order; NaN: no value."""
        # Numbers of 16 bits are sorted by their digits, in a tenth of the time.
        order = np.argsort(figures[MINUTE_INDEX].astype(np.int16), kind="stable")
        phases = figures[MINUTE_INDEX][order]
        ends = (figures["open_time_us"][order] - ORIGIN_US) // MINUTE_US + self._length
        numbers = ends // self._length
        columns = {name: figures[name][order] for name in self.names}
        places = self._history.add(phases, numbers, columns, self._needed_from)
        self._added += np.bincount(phases, minlength=self._length)
        found: dict[str, Values] = {}
        if self._counted:
            blocks = numbers // _BLOCK
            begins, stops = _runs(phases, blocks)
            since = self._places_of(phases[begins], blocks[begins] * _BLOCK)
            for one, warm_up in self._counted:
                runs = (begins, stops, np.maximum(since - warm_up, 0))
                found |= self._computed(one, phases, places, runs, without=_UNKNOWN)
        for one, session in self._summed:
            starts_us = figures["open_time_us"][order]
            begins, stops = _runs(phases, _session_of(session, starts_us))
            first_us = np.array([session_start_us(session, at_us) for at_us in starts_us[begins].tolist()], np.int64)
            since = self._places_of(phases[begins], self._numbers_from(phases[begins], first_us))
            found |= self._computed(one, phases, places, (begins, stops, since))
        rows = np.empty(len(order), np.int64)
        rows[order] = np.arange(len(order))
        return {name: values[rows] for name, values in found.items()}

    def _needed_from(self) -> Ints:
        """Return the place of each phase's first window that the values of later ones may depend on."""
        history = self._history
        phases = np.flatnonzero(history.counts)
        last = history.numbers[phases, history.counts[phases] - 1].astype(np.int64)
        first = history.counts[phases].copy()
        if self._counted:
            first = self._places_of(phases, last // _BLOCK * _BLOCK) - self._warm_up
        for session in self.sessions:
            starts_us = ((last - 1) * self._length + phases) * MINUTE_US + ORIGIN_US
            first_us = np.array([session_start_us(session, at_us) for at_us in starts_us.tolist()], np.int64)
            first = np.minimum(first, self._places_of(phases, self._numbers_from(phases, first_us)))
        needed = np.zeros(len(history.counts), np.int64)
        needed[phases] = np.maximum(first, 0)
        return needed

    def _numbers_from(self, phases: Ints, starts_us: Ints) -> Ints:
        """Return the number of the first window of each phase that starts at a time or later."""
        minutes = -(-(starts_us - ORIGIN_US) // MINUTE_US) + self._length  # its end at the earliest
        return -(-(minutes - phases) // self._length)

    def _places_of(self, phases: Ints, numbers: Ints) -> Ints:
        """Return the places of the first windows with these numbers or higher ones."""
        history = self._history
        counts = history.counts[phases].tolist()
        found = [
            int(np.searchsorted(history.numbers[phase, :count], number))
            for phase, count, number in zip(phases.tolist(), counts, numbers.tolist(), strict=True)
        ]
        return np.array(found, np.int64)

    def _computed(
        self,
        named: NamedIndicator,
        phases: Ints,
        places: Ints,
        runs: tuple[Ints, Ints, Ints],
        without: Sequence[str] = (),
    ) -> dict[str, Values]:
        """Return the values of the new windows of each run, calculated from the place ``since`` on."""
        indicator, settings = named.chosen.indicator, named.chosen.settings
        columns, unknown = self._history.columns, np.full(self._history.numbers.shape[1], np.nan)
        read = inputs_of(named) - set(without)
        found = [np.full(len(phases), np.nan) for _ in named.columns]
        begins, stops, since = runs
        firsts, lasts = places[begins].tolist(), places[stops - 1].tolist()
        rows = zip(phases[begins].tolist(), begins.tolist(), stops.tolist(), since.tolist(), firsts, lasts, strict=True)
        for phase, begin, stop, start, first, last in rows:
            part = slice(start, last + 1)
            parts: list[Any] = [columns[name][phase, part] if name in read else unknown[part] for name in BAR_COLUMNS]
            computed = indicator.compute(Bars(*parts), **settings)
            for made, values in zip(found, computed if isinstance(computed, tuple) else (computed,), strict=True):
                made[begin:stop] = values[first - start :]
        return {
            name: np.where(np.isfinite(made), made, np.nan) for name, made in zip(named.columns, found, strict=True)
        }


def inputs_of(named: NamedIndicator) -> set[str]:
    """Return which of `BAR_COLUMNS` an indicator reads."""
    read = set[str]()

    class Noted(Bars):
        def __getattribute__(self, name: str) -> Any:
            if name in BAR_COLUMNS:
                read.add(name)
            return super().__getattribute__(name)

    warm_up = _warm_up(named)
    ones: Any = np.ones(warm_up + 2 if isinstance(warm_up, int) else 2)
    named.chosen.indicator.compute(Noted(*[ones] * len(BAR_COLUMNS)), **named.chosen.settings)
    return read


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
