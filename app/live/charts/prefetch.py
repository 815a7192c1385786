"""Decides how far back candles are loaded before the view needs them. Pure: loads nothing itself."""

from __future__ import annotations

_LOOK_AHEAD_S = 2.0  # longer than a page usually takes to load
_SETTLING_S = 0.5  # over which the measured speed is smoothed
_FARTHEST_SCREENS = 50.0  # bounds what a quick flick may load
_JUMP_SCREENS = 3.0  # a move at once by more is a jump, not scrolling


class Prefetch:
    """Follows one view: loads a screen ahead of it, and as far as it gets in two seconds at its speed."""

    def __init__(self) -> None:
        self._left: float | None = None
        self._at_s = 0.0
        self._speed = 0.0  # slots per second to the left

    def first_wanted(self, left: float, right: float, now_s: float) -> int:
        """
        Return the slot from which on candles should be loaded. Call whenever the view has moved.

        ``left`` and ``right``: the slots at the view's edges; ``now_s``: monotonic seconds.
        """
        span = max(right - left, 1.0)
        elapsed_s = now_s - self._at_s
        if self._left is not None and abs(self._left - left) > _JUMP_SCREENS * span:
            self._speed = 0.0  # a jump says nothing about the speed of scrolling
        elif self._left is not None and elapsed_s > 0:
            weight = min(elapsed_s / _SETTLING_S, 1.0)
            self._speed += weight * (max(self._left - left, 0.0) / elapsed_s - self._speed)
        self._left, self._at_s = left, now_s
        return int(left - span - min(self._speed * _LOOK_AHEAD_S, _FARTHEST_SCREENS * span))
