"""
The view's place on its series, and all that moves it: over the candles, over a pane's values, back to earlier views.

The navigator holds the series and changes the scene's scales. It paints nothing: it requests a frame, which sees that
the scales differ. `ChartView` calls `begin_frame` as each frame begins.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from PySide6.QtCore import QRectF

from app.market.calendar.open_axis import PLAIN_AXIS
from app.market.interval import Interval
from app.market.series.series import CandleSeries
from app.market.symbol import Symbol
from widgets.chart.interaction.rubber_band import MIN_BAND_PX
from widgets.chart.model.closed_time import ClosedTime
from widgets.chart.model.follow_latest import FollowLatest
from widgets.chart.model.kinetic_scroll import KineticScroll
from widgets.chart.model.view_history import ViewHistory, ViewState
from widgets.chart.model.view_place import ViewPlace
from widgets.chart.painting.pane import ValueFormat
from widgets.chart.painting.scene import Scene
from widgets.chart.scales.time_scale import DEFAULT_BAR_PX, position_of, time_at


class Navigator:
    """
    Moves one scene. Panes are named by their keys, distances are logical pixels, times UTC microseconds.

    ``request_frame``: called after each change of a scale. ``following_changed``: called with the new value of
    `is_following` whenever it changes.
    """

    def __init__(
        self, scene: Scene, request_frame: Callable[[], object], following_changed: Callable[[bool], object]
    ) -> None:
        self._scene, self._request_frame, self._following_changed = scene, request_frame, following_changed
        self._series: CandleSeries | None = None
        self._interval: Interval | None = None  # of the series, or of the last one
        self._follow = FollowLatest()
        self._closed_time = ClosedTime()
        self._scroll = KineticScroll()
        self._history = ViewHistory()
        self._kept_centre_us: int | None = None  # of the series before, until this one has candles in view

    # The series, and the view's place on it

    @property
    def series(self) -> CandleSeries | None:
        """The series in view; None: none."""
        return self._series

    def show_series(
        self, series: CandleSeries | None, symbol: Symbol | None, *, keep_time_us: int | None, follow: bool | None
    ) -> None:
        """
        Take another series, or None. `ChartView.set_series` has the contract.

        ``symbol``: the scene's from now on. ``keep_time_us``: the time for the centre; None: as before. ``follow``:
        whether the view follows the latest candle; None: as before.
        """
        centre_us = self.center_time_us() if keep_time_us is None else keep_time_us
        if follow is not None:
            if follow and not self._follow.is_on:
                self._follow.begin()
            self._set_following(follow)
        self._release_ranges(series, symbol)
        is_other = series is not self._series
        if is_other:
            self._scroll.stop()
            self._follow.begin()
        self._series, self._scene.symbol, self._kept_centre_us = series, symbol, centre_us
        self._leave_closed_time_out()
        must_centre = is_other or keep_time_us is not None
        if must_centre and series is not None and not self._follow.is_on and centre_us is not None:
            self._scene.time_scale.centre_on(position_of(series.interval, centre_us))

    @property
    def is_following(self) -> bool:
        """Whether the view moves on with the latest candle."""
        return self._follow.is_on

    @property
    def has_candles(self) -> bool:
        """Whether a frame has shown a candle of the series."""
        return self._follow.last_slot is not None

    def visible_range_us(self) -> tuple[int, int] | None:
        """Return the times at the left and right edge; None without a series."""
        if self._series is None:
            return None
        left, right = self._scene.time_scale.edges
        return time_at(self._series.interval, left), time_at(self._series.interval, right)

    def center_time_us(self) -> int | None:
        """Return the time under the centre; without a series, that of the series before."""
        if self._series is None or (self._follow.is_on and self._follow.last_slot is None):
            return self._kept_centre_us
        return time_at(self._series.interval, self._scene.time_scale.centre)

    def begin_frame(self) -> None:
        """Scroll on after a throw, and move along with the latest candle, by one frame's share."""
        self._scene.time_scale.is_shown = True
        self._leave_closed_time_out()
        self._scroll_on()
        series = self._series
        if series is not None and len(series):
            self._follow.advance(self._scene.time_scale, int(series.slots[-1]))

    def _leave_closed_time_out(self) -> None:
        """Bring the time axis in step with the calendar; the latest candle, or else the centre, stays where it is."""
        scene, last = self._scene, self._follow.last_slot
        if self._series is not None and (scene.calendar is not None or scene.open_axis is not PLAIN_AXIS):
            scene.open_axis = self._closed_time.axis_for(self._series, scene.calendar)
            kept = last if self._follow.is_on and last is not None else scene.time_scale.centre
            scene.time_scale.take_axis(PLAIN_AXIS if scene.time_style.shows_closed else scene.open_axis, kept)

    def take_older_request(self) -> int | None:
        """Return the first bar's open time if older candles are due, once for each first bar; else None."""
        if self._series is None or not self._follow.needs_older(self._scene.time_scale):
            return None
        self._follow.note_older_requested(self._scene.time_scale)
        return int(self._series.column("open_time_us")[0])

    def _release_ranges(self, series: CandleSeries | None, symbol: Symbol | None) -> None:
        """Make the axes automatic whose values mean something else for the new series."""
        before, name = self._scene.symbol, symbol.name if symbol is not None else ""
        is_other_symbol = before is not None and before.name != name
        is_other_interval = series is not None and self._interval not in (None, series.interval)
        for pane in self._scene.panes:
            # A price is the same at every interval; volume and most indicators count per candle.
            if is_other_symbol or (is_other_interval and pane.value_format is not ValueFormat.PRICE):
                pane.value_scale.auto = True
        self._interval = series.interval if series is not None else self._interval

    # From one run of the program to the next

    @property
    def place(self) -> ViewPlace:
        """Where the view is."""
        time_scale, last = self._scene.time_scale, self._follow.last_slot
        if not self._follow.is_on:
            return ViewPlace(time_scale.bar_px, self.center_time_us())
        room_px = self._follow.room_px if last is None else time_scale.room_beside(last)
        return ViewPlace(time_scale.bar_px, room_px=room_px)

    def restore(self, place: ViewPlace) -> None:
        """Show the first series at that place."""
        if place.bar_px is not None:
            self._scene.time_scale.bar_px = place.bar_px
        self._follow.room_px, self._kept_centre_us = place.room_px, place.centre_us
        self._set_following(place.centre_us is None)

    def take_place(self, place: ViewPlace) -> None:
        """Go to a place at once, as a linked chart does: `go_back` knows nothing of it."""
        self._scroll.stop()
        time_scale = self._scene.time_scale
        if place.bar_px is not None:
            time_scale.bar_px = place.bar_px
        if place.centre_us is None:
            self._set_following(True)
            time_scale.show_latest()
        elif self._series is not None:
            self._set_following(False)
            time_scale.centre_on(position_of(self._series.interval, place.centre_us))
        self._request_frame()

    def give_up_place(self) -> None:
        """Follow the latest candle, because there are no candles at the place that was restored."""
        if not self._follow.is_on:
            self._set_following(True)
            self._scene.time_scale.show_latest()  # until there is one, the first to come will do the same
            self._request_frame()

    # Over the candles

    def follow_latest(self) -> None:
        """Go to the latest candle and stay with it."""
        self._begin_move(jump=True)
        self._scene.time_scale.show_latest()
        self._end_move()

    def show_first(self) -> None:
        """Go to the first candle of the series."""
        self._begin_move(jump=True)
        self._scene.time_scale.show_first()
        self._end_move()

    def show_time(self, time_us: int) -> None:
        """Put a time under the centre, whether or not its candles are loaded."""
        if self._series is not None:
            self._begin_move(jump=True)
            self._scene.time_scale.centre_on(position_of(self._series.interval, time_us))
            self._end_move()

    def show_between(self, start_us: int, end_us: int) -> None:
        """Fill the view with the candles between two times, as far as the limits of a candle's width allow."""
        if self._series is not None:
            self._begin_move()
            interval = self._series.interval
            self._scene.time_scale.show_between(position_of(interval, start_us), position_of(interval, end_us))
            self._end_move()

    def step(self, pixels: float) -> None:
        """Move the candles to the right, and stop a throw that is still scrolling."""
        self._scroll.stop()
        self.pan(pixels)

    def pan(self, pixels: float) -> None:
        """Move the candles to the right."""
        self._begin_move()
        self._scene.time_scale.pan(pixels)
        self._end_move()

    def zoom(self, factor: float, x: float | None = None) -> None:
        """
        Make candles wider about ``x``, the distance from the left.

        None: about the latest candle's right edge while following it, which stays on its pixel, else about the centre.
        """
        self._scroll.stop()
        self._begin_move()
        time_scale = self._scene.time_scale
        if x is None:
            x = time_scale.x_of(time_scale.last + 0.5) if self._follow.is_on else time_scale.width_px / 2
        time_scale.zoom(factor, x)
        self._end_move()

    def zoom_to(self, band: QRectF, pane: str) -> None:
        """Fill the view with a rectangle of a pane; one as high as the pane keeps the range of values."""
        if band.width() < MIN_BAND_PX:
            return
        self._begin_move(jump=True)
        time_scale, chosen = self._scene.time_scale, self._scene.pane(pane)
        time_scale.show_between(time_scale.position_at(band.left()), time_scale.position_at(band.right()))
        if MIN_BAND_PX < band.height() < chosen.rect.height():
            values = chosen.value_at(band.bottom()), chosen.value_at(band.top())
            chosen.value_scale.show(min(values), max(values))
        self._end_move()

    def fit(self) -> None:
        """Go back to candles of the usual width and to automatic axes."""
        self._scroll.stop()
        self._begin_move(jump=True)
        for pane in self._scene.panes:
            pane.value_scale.auto = True
        time_scale = self._scene.time_scale
        centre, time_scale.bar_px = time_scale.centre, DEFAULT_BAR_PX
        if self._follow.is_on:
            time_scale.show_latest()
        else:
            time_scale.centre_on(centre)
        self._end_move()

    # Over a pane's values

    def stretch(self, pane: str, factor: float) -> None:
        """Show ``factor`` times as wide a range of values; `reset` makes the axis automatic again."""
        self._begin_move()
        self._scene.pane(pane).value_scale.stretch(factor)
        self._request_frame()

    def shift(self, pane: str, share: float) -> None:
        """Move a pane's values up by a share of its height."""
        self._begin_move()
        self._scene.pane(pane).value_scale.shift(share)
        self._request_frame()

    def reset(self, pane: str) -> None:
        """Make a pane's axis automatic again: it fits the candles in view."""
        self._begin_move(jump=True)
        self._scene.pane(pane).value_scale.auto = True
        self._request_frame()

    # Dragging and throwing

    def stop(self) -> None:
        """Stop scrolling: a button or a finger is down, or the chart is hidden."""
        self._scroll.stop()

    def drag_by(self, pixels: float, now_s: float) -> None:
        """Move with the pointer. ``now_s``: seconds of a monotonic clock."""
        self._scroll.add_step(pixels, now_s)
        self.pan(pixels)

    def end_drag(self, now_s: float) -> None:
        """End a drag; a fast one scrolls on, slower and slower."""
        self._scroll.release(now_s)
        if self._scroll.is_moving:
            self._request_frame()

    def _scroll_on(self) -> None:
        pixels = self._scroll.advance(monotonic())
        if pixels:
            before = self._scene.time_scale.right
            self.pan(pixels)
            if self._scene.time_scale.right == before:
                self._scroll.stop()  # at an end of the candles
        if self._scroll.is_moving:
            self._request_frame()

    # Back and forward

    @property
    def can_go_back(self) -> bool:
        """Whether there is a view for `go_back`."""
        return self._history.has_before(self._view_state())

    @property
    def can_go_forward(self) -> bool:
        """Whether there is a view for `go_forward`."""
        return self._history.has_after(self._view_state())

    def go_back(self) -> None:
        """Show the view before the last movement again."""
        self._restore(self._history.back(self._view_state()))

    def go_forward(self) -> None:
        """Show the view again that `go_back` left."""
        self._restore(self._history.forward(self._view_state()))

    def _begin_move(self, *, jump: bool = False) -> None:
        if jump:
            self._scroll.stop()
        self._history.note_move(self._view_state, monotonic(), jump=jump)

    def _end_move(self) -> None:
        # Without candles there is no latest one to leave: what the view follows is decided by the first that arrives.
        if self._follow.last_slot is not None:
            self._set_following(self._scene.time_scale.shows_last())
        self._request_frame()

    def _view_state(self) -> ViewState | None:
        centre_us, symbol = self.center_time_us(), self._scene.symbol
        if centre_us is None or symbol is None:
            return None
        by_hand = ((pane.key, pane.value_scale) for pane in self._scene.panes if not pane.value_scale.auto)
        ranges = tuple((key, scale.low, scale.high) for key, scale in by_hand)
        following = self._follow.is_on
        # No time while following: it goes on by itself, and would make two states of one view.
        return ViewState(symbol.name, 0 if following else centre_us, self._scene.time_scale.bar_px, following, ranges)

    def _restore(self, state: ViewState | None) -> None:
        if state is None or self._series is None:
            return
        self._scroll.stop()
        time_scale, symbol = self._scene.time_scale, self._scene.symbol
        time_scale.bar_px = state.bar_px
        if state.following:
            time_scale.show_latest()
        else:
            time_scale.centre_on(position_of(self._series.interval, state.centre_us))
        # Ranges of another symbol's values mean nothing for this one.
        is_same_symbol = symbol is not None and symbol.name == state.symbol
        ranges = {key: (low, high) for key, low, high in state.ranges} if is_same_symbol else {}
        for pane in self._scene.panes:
            pane.value_scale.auto = pane.key not in ranges
            if pane.key in ranges:
                pane.value_scale.show(*ranges[pane.key])
        self._end_move()

    def _set_following(self, following: bool) -> None:
        if following != self._follow.is_on:
            self._follow.is_on = following
            self._following_changed(following)
