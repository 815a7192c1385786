"""Moving a chart's view about: over its candles, and each pane over its values; and back to the views before."""

from __future__ import annotations

from time import monotonic

from PySide6.QtCore import QRectF

from widgets.chart.interaction.rubber_band import LEAST_PX
from widgets.chart.interaction.view_part import ViewPart
from widgets.chart.model.view_history import ViewHistory, ViewState
from widgets.chart.scales.time_scale import DEFAULT_BAR_PX, position_of


class Navigator(ViewPart):
    """The movements of a `ChartView`; each has the next frame paint what it changes."""

    _views: ViewHistory

    def follow_latest(self) -> None:
        """Go to the latest candle and stay with it."""
        self._begin_move(jump=True)
        self._scene.time_scale.show_latest()
        self._moved()

    def show_first(self) -> None:
        """Go to the first candle there is."""
        self._begin_move(jump=True)
        self._scene.time_scale.show_first()
        self._moved()

    def show_time(self, time_us: int) -> None:
        """Put that time (UTC microseconds) under the centre, whether or not its candles are there yet."""
        if self._series is not None:
            self._begin_move(jump=True)
            self._scene.time_scale.centre_on(position_of(self._series.interval, time_us))
            self._moved()

    def show_between(self, start_us: int, end_us: int) -> None:
        """Fill the view with what lies between two times (UTC microseconds), as far as candles' widths have room."""
        if self._series is not None:
            self._begin_move()
            interval = self._series.interval
            self._scene.time_scale.show_between(position_of(interval, start_us), position_of(interval, end_us))
            self._moved()

    def step(self, pixels: float) -> None:
        """Move the candles to the right by that many logical pixels, and stand still there."""
        self._glide.stop()
        self.pan(pixels)

    def pan(self, pixels: float) -> None:
        """Move the candles to the right by that many logical pixels."""
        self._begin_move()
        self._scene.time_scale.pan(pixels)
        self._moved()

    def zoom(self, factor: float, x: float | None = None) -> None:
        """Make candles wider about ``x``, logical pixels from the left; None: about the latest candle or the centre."""
        self._glide.stop()
        self._begin_move()
        time = self._scene.time_scale
        if x is None:
            x = time.x_of(time.last) if self._follower.is_on else time.width_px / 2
        time.zoom(factor, x)
        self._moved()

    def zoom_to(self, band: QRectF, pane: str) -> None:
        """Fill the view with what that rectangle of a pane shows; one as high as the pane says nothing of values."""
        if band.width() < LEAST_PX:
            return
        self._begin_move(jump=True)
        time, chosen = self._scene.time_scale, self._scene.pane(pane)
        time.show_between(time.position_at(band.left()), time.position_at(band.right()))
        if LEAST_PX < band.height() < chosen.rect.height():
            values = chosen.value_at(band.bottom()), chosen.value_at(band.top())
            chosen.value_scale.show(min(values), max(values))
        self._moved()

    def fit(self) -> None:
        """Back to candles of the usual width, and to axes that fit."""
        self._glide.stop()
        self._begin_move(jump=True)
        for pane in self._scene.panes:
            pane.value_scale.auto = True
        time = self._scene.time_scale
        centre, time.bar_px = time.centre, DEFAULT_BAR_PX
        if self._follower.is_on:
            time.show_latest()
        else:
            time.centre_on(centre)
        self._moved()

    def stretch(self, pane: str, factor: float) -> None:
        """Show ``factor`` times as much of that pane's values; `reset` goes back to automatic."""
        self._begin_move()
        self._scene.pane(pane).value_scale.stretch(factor)
        self._repaint_all()

    def shift(self, pane: str, share: float) -> None:
        """Move a pane's values up by a share of the height."""
        self._begin_move()
        self._scene.pane(pane).value_scale.shift(share)
        self._repaint_all()

    def reset(self, pane: str) -> None:
        """Fit a pane's axis to what is in view again."""
        self._begin_move(jump=True)
        self._scene.pane(pane).value_scale.auto = True
        self._repaint_all()

    # Dragging, and what is thrown glides on

    def hold(self) -> None:
        """Stand still: a finger or a button is on the chart."""
        self._glide.stop()

    def drag_by(self, pixels: float, now_s: float) -> None:
        """Move with the pointer. ``now_s``: seconds of a clock that never jumps."""
        self._glide.add_step(pixels, now_s)
        self.pan(pixels)

    def let_go(self, now_s: float) -> None:
        """End a drag; what was moving then goes on, slower and slower."""
        self._glide.release(now_s)
        if self._glide.is_moving:
            self._repaint_all()

    def _run_on(self) -> None:
        """Go on gliding, a frame's worth; called in each frame."""
        pixels = self._glide.advance(monotonic())
        if pixels:
            before = self._scene.time_scale.right
            self.pan(pixels)
            if self._scene.time_scale.right == before:
                self._glide.stop()  # at an end
        if self._glide.is_moving:
            self._repaint_all()

    # Back and forth

    def go_back(self) -> None:
        """Show the view before the last movement again."""
        self._restore(self._views.back(self._view_state()))

    def go_forward(self) -> None:
        """Show the view that was left by `go_back` again."""
        self._restore(self._views.forward(self._view_state()))

    def _begin_move(self, *, jump: bool = False) -> None:
        if jump:
            self._glide.stop()
        self._views.note_move(self._view_state, monotonic(), jump=jump)

    def _view_state(self) -> ViewState | None:
        centre_us, symbol = self.center_time_us(), self._scene.symbol
        if centre_us is None or symbol is None:
            return None
        by_hand = ((pane.key, pane.value_scale) for pane in self._scene.panes if not pane.value_scale.auto)
        ranges = tuple((key, view.low, view.high) for key, view in by_hand)
        following = self._follower.is_on
        return ViewState(symbol.name, 0 if following else centre_us, self._scene.time_scale.bar_px, following, ranges)

    def _restore(self, state: ViewState | None) -> None:
        if state is None or self._series is None:
            return
        self._glide.stop()
        time, symbol = self._scene.time_scale, self._scene.symbol
        time.bar_px = state.bar_px
        if state.following:
            time.show_latest()
        else:
            time.centre_on(position_of(self._series.interval, state.centre_us))
        same = symbol is not None and symbol.name == state.symbol
        ranges = {key: (low, high) for key, low, high in state.ranges} if same else {}
        for pane in self._scene.panes:
            pane.value_scale.auto = pane.key not in ranges
            if pane.key in ranges:
                pane.value_scale.show(*ranges[pane.key])
        self._moved()

    def _moved(self) -> None:
        if self._follower.last_slot is not None:
            self._set_following(self._scene.time_scale.shows_last())
        self._repaint_all()

    def _set_following(self, following: bool) -> None:
        if following != self._follower.is_on:
            self._follower.is_on = following
            self.following_changed.emit(following)
