"""Decides how far ahead of a view its candles are loaded. Pure: `app.window.charts` does the loading."""

from __future__ import annotations

_LOOK_AHEAD_S = 2.0  # longer than a page usually takes to load
_SMOOTHING_S = 0.5  # the time over which the measured speed is averaged
_MAX_SCREENS_AHEAD = 50.0  # bounds the pages that a quick flick may load
_JUMP_SCREENS = 3.0  # the view moved farther than this at once: a jump, not scrolling


class Prefetch:
    """Measures the speed of one view, and reaches a screen ahead of it plus its way in the next two seconds."""

    def __init__(self) -> None:
        self._left: float | None = None
        self._at_s = 0.0
        self._speed = 0.0  # slots per second to the left, into history; never negative

    def update(self, left: float, right: float, now_s: float) -> int:
        """
        Note where the view is now; return the first slot whose candles should be loaded.

        Call it whenever the view has moved. ``left`` and ``right``: the slots at the view's edges; ``now_s``: monotonic
        seconds.
        """
        span = max(right - left, 1.0)
        elapsed_s = now_s - self._at_s
        if self._left is not None and abs(self._left - left) > _JUMP_SCREENS * span:
            self._speed = 0.0  # a jump says nothing about the speed of scrolling
        elif self._left is not None and elapsed_s > 0:
            weight = min(elapsed_s / _SMOOTHING_S, 1.0)
            self._speed += weight * (max(self._left - left, 0.0) / elapsed_s - self._speed)
        self._left, self._at_s = left, now_s
        return int(left - span - min(self._speed * _LOOK_AHEAD_S, _MAX_SCREENS_AHEAD * span))
