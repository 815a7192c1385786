"""Which series a chart shows, and where of it the view is; what stays as another one takes its place."""

from __future__ import annotations

from app.market.interval import Interval
from app.market.series import CandleSeries
from app.market.symbol import Symbol
from widgets.chart.access import ChartAccess
from widgets.chart.pane import Unit
from widgets.chart.time_view import position_of, time_at
from widgets.chart.view_part import ViewPart


class Showing(ViewPart):
    """The series of a `ChartView`."""

    _access: ChartAccess
    _axis_px: float
    _interval: Interval | None = None  # of the series, or of the one before
    _kept_us: int | None = None  # under the centre before the series went away

    def set_series(
        self,
        series: CandleSeries | None,
        symbol: Symbol | None,
        *,
        keep_time_us: int | None = None,
        follow: bool | None = None,
    ) -> None:
        """
        Show another series, or, with None, nothing: at once, so that old candles never stand under a new name.

        The time under the centre stays (or becomes ``keep_time_us``), unless the chart follows the latest candle; then
        it still does. ``follow`` says which of the two. Values that were stretched by hand stay so while they mean the
        same: prices for this symbol, what other panes count for this symbol and interval.
        """
        self._begin_series(series, symbol)
        centre_us = self.center_time_us() if keep_time_us is None else keep_time_us
        if follow is not None:
            if follow and not self._follower.is_on:
                self._follower.begin()
            self._set_following(follow)
        if symbol != self._scene.symbol:
            self._axis_px = 0.0
        self._free_axes(series, symbol)
        if series is not self._series:
            self._glide.stop()
            self.clear_measure()  # slots of another interval are other times
            self._follower.begin()
        is_other = series is not self._series or keep_time_us is not None
        self._series, self._scene.symbol, self._kept_us = series, symbol, centre_us
        if is_other and series is not None and not self._follower.is_on and centre_us is not None:
            self._scene.time.centre_on(position_of(series.interval, centre_us))
        self._repainter.mark_all()
        self._run_frame()
        self._refresh_texts()
        self._widget.setAccessibleDescription(f"{symbol.display_name}, {series.interval}" if symbol and series else "")
        self._access.tell(series)

    @property
    def is_following(self) -> bool:
        """Whether the view moves on with the latest candle."""
        return self._follower.is_on

    def visible_range_us(self) -> tuple[int, int] | None:
        """Return the times at the left and right edge, UTC microseconds; None without a series."""
        if self._series is None:
            return None
        time, interval = self._scene.time, self._series.interval
        return time_at(interval, time.left), time_at(interval, time.right)

    @property
    def slots_in_view(self) -> float:
        """How many candles have room side by side."""
        return self._scene.time.span

    def center_time_us(self) -> int | None:
        """Return the time under the centre, UTC microseconds; without a series, that of the one before."""
        if self._series is None or (self._follower.is_on and self._follower.last_slot is None):
            return self._kept_us
        return time_at(self._series.interval, self._scene.time.centre)

    def _begin_series(self, series: CandleSeries | None, symbol: Symbol | None) -> None:
        """Leave what is not the series' but about the one before, as another is to be shown. To be extended."""

    def _free_axes(self, series: CandleSeries | None, symbol: Symbol | None) -> None:
        """Have the axes fit again whose values mean something else from now on."""
        before, name = self._scene.symbol, symbol.name if symbol is not None else ""
        is_other_symbol = before is not None and before.name != name
        is_other_interval = series is not None and self._interval not in (None, series.interval)
        for pane in self._scene.panes:
            if is_other_symbol or (is_other_interval and pane.unit is not Unit.PRICE):
                pane.view.auto = True
        self._interval = series.interval if series is not None else self._interval
