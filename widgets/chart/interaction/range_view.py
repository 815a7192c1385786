"""
A range of time in view: the last day, week, month or year, or all there is.

The candles get the width that fills the view with the range, and again whenever the chart's width changes or a candle
begins. A range is in force until the user moves the view in another way. A view that shows just one of the ranges,
however it came about, has that range in force.
"""

from __future__ import annotations

from typing import NamedTuple

from app.market.calendar.open_axis import OpenAxis
from app.market.interval import Interval
from app.market.series.series import CandleSeries
from widgets.chart.interaction.navigator import Navigator
from widgets.chart.model.time_range import TimeRange
from widgets.chart.painting.scene import Scene
from widgets.chart.scales.time_scale import RIGHT_MARGIN_PX, WIDEST_BAR_PX

_SAME_PX = 1.0  # views that differ by less are the same


class _View(NamedTuple):
    """What decides which range is in view: the ends are slots, ``beside_px`` is the room beside the last candle."""

    interval: Interval
    first: int | None
    last: int
    width_px: float
    bar_px: float
    beside_px: float
    axis: OpenAxis

    @property
    def margin_px(self) -> float:
        """The room beside the last candle while the view follows it."""
        return min(RIGHT_MARGIN_PX, self.width_px / 4)

    @property
    def is_at_latest(self) -> bool:
        return abs(self.beside_px - self.margin_px) < _SAME_PX

    def bar_px_for(self, candles: int) -> float:
        """Return the width of a candle with which so many fill the view."""
        return min((self.width_px - self.margin_px) / candles, WIDEST_BAR_PX)


class RangeView:
    """Shows ranges on one scene. `ChartView` calls `refresh` as each frame begins."""

    def __init__(self, scene: Scene, navigator: Navigator) -> None:
        self._scene, self._navigator = scene, navigator
        self._wanted: tuple[TimeRange, Interval] | None = None  # until its candles come
        self._current: TimeRange | None = None
        self._seen: _View | None = None  # as `current` was found
        self._first_us: dict[str, int] = {}  # the open time of a symbol's first candle, where it is known

    @property
    def current(self) -> TimeRange | None:
        """The range in force; None: the view shows none of them."""
        return self._current if self._wanted is None else self._wanted[0]

    def show(self, time_range: TimeRange, interval: Interval, first_us: int | None) -> None:
        """
        Show a range as soon as there are candles of that interval, and stay with the latest candle.

        ``first_us``: the open time of the symbol's first candle, UTC microseconds; None: not known.
        """
        self._navigator.follow_latest()
        self._wanted = time_range, interval
        symbol = self._scene.symbol
        if symbol is not None and first_us is not None:
            self._first_us[symbol.name] = first_us

    def refresh(self) -> None:
        """Bring the width of candles and `current` in step with the view. Cheap: call it in every frame."""
        series = self._navigator.series
        if series is None or not len(series) or self._scene.time_scale.width_px <= 1:
            return
        view = self._view(series)
        if self._wanted is not None:
            (wanted, interval), self._wanted = self._wanted, None
            self._current, self._seen = (wanted if interval == series.interval else None), None
            if self._current is not None:
                self._keep(view)
        elif view != self._seen:
            self._look(view)

    def _look(self, view: _View) -> None:
        """Find the range of a view that has changed since it was last looked at."""
        seen = self._seen
        # A resize and a new candle leave the candles' width as it was; a movement does not, or leaves the latest.
        was_moved = seen is None or view.bar_px != seen.bar_px or not view.is_at_latest
        if self._current is None or was_moved or not self._navigator.is_following:
            self._current = self._adopted(view)
        self._seen = view
        if self._current is not None:
            self._keep(view)

    def _adopted(self, view: _View) -> TimeRange | None:
        """Return the range that the view shows as it is, the one in force before all others; None: none."""
        if not (self._navigator.is_following and view.is_at_latest):
            return None
        for time_range in sorted(TimeRange, key=lambda each: each is not self._current):
            candles = self._candles(time_range, view)
            if candles is not None and abs(view.bar_px_for(candles) - view.bar_px) * candles < view.bar_px / 2:
                return time_range
        return None

    def _keep(self, view: _View) -> None:
        """Give the candles the width that fills the view with the range in force."""
        assert self._current is not None
        candles = self._candles(self._current, view)
        if candles is None:
            self._current, self._seen = None, view
            return
        scale = self._scene.time_scale
        scale.last, scale.bar_px = view.last, view.bar_px_for(candles)
        scale.show_latest()
        self._seen = view._replace(bar_px=scale.bar_px, beside_px=view.margin_px)

    def _candles(self, time_range: TimeRange, view: _View) -> int | None:
        """Return how many candles a range has, closed time left out; None: not known for all there is."""
        first = time_range.first_slot(view.interval, view.last, view.first)
        return None if first is None else max(self._scene.time_scale.count(first, view.last), 1)

    def _view(self, series: CandleSeries) -> _View:
        scale, interval, last = self._scene.time_scale, series.interval, int(series.slots[-1])
        known_us = self._first_us.get(series.symbol)
        first = int(series.slots[0]) if series.begins else None if known_us is None else interval.slot(known_us)
        return _View(interval, first, last, scale.width_px, scale.bar_px, scale.room_beside(last), scale.axis)
