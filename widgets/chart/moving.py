"""Moving a chart's view about: over its candles, and each pane over its values."""

from __future__ import annotations

from PySide6.QtCore import SignalInstance

from widgets.chart.following import Follower
from widgets.chart.scene import Scene
from widgets.chart.time_view import DEFAULT_BAR_PX


class Moving:
    """The movements of a `ChartView`, whose parts these are; each has the next frame paint what it changes."""

    _scene: Scene
    _follower: Follower
    following_changed: SignalInstance

    def follow_latest(self) -> None:
        """Go to the latest candle and stay with it."""
        self._scene.time.show_latest()
        self._moved()

    def show_first(self) -> None:
        """Go to the first candle there is."""
        self._scene.time.show_first()
        self._moved()

    def pan(self, pixels: float) -> None:
        """Move the candles to the right by that many logical pixels."""
        self._scene.time.pan(pixels)
        self._moved()

    def zoom(self, factor: float, x: float | None = None) -> None:
        """Make candles wider about ``x``, logical pixels from the left; None: about the latest candle or the centre."""
        time = self._scene.time
        if x is None:
            x = time.x_of(time.last) if self._follower.is_on else time.width_px / 2
        time.zoom(factor, x)
        self._moved()

    def fit(self) -> None:
        """Back to candles of the usual width, and to axes that fit."""
        for pane in self._scene.panes:
            pane.view.auto = True
        time = self._scene.time
        centre, time.bar_px = time.centre, DEFAULT_BAR_PX
        if self._follower.is_on:
            time.show_latest()
        else:
            time.centre_on(centre)
        self._moved()

    def stretch(self, pane: str, factor: float) -> None:
        """Show ``factor`` times as much of that pane's values; `reset` goes back to automatic."""
        self._scene.pane(pane).view.stretch(factor)
        self._repaint_all()

    def shift(self, pane: str, share: float) -> None:
        """Move a pane's values up by a share of the height."""
        self._scene.pane(pane).view.shift(share)
        self._repaint_all()

    def reset(self, pane: str) -> None:
        """Fit a pane's axis to what is in view again."""
        self._scene.pane(pane).view.auto = True
        self._repaint_all()

    def _moved(self) -> None:
        if self._follower.last_slot is not None:
            self._set_following(self._scene.time.shows_last())
        self._repaint_all()

    def _set_following(self, following: bool) -> None:
        if following != self._follower.is_on:
            self._follower.is_on = following
            self.following_changed.emit(following)

    def _repaint_all(self) -> None:
        raise NotImplementedError
