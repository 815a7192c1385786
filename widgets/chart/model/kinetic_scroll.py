"""Scrolling on after a drag is released at speed: starts at the drag's speed and slows down exponentially. Pure."""

from __future__ import annotations

from collections import deque
from math import exp

_SAMPLED_S = 0.08  # the speed is measured over this time before the release
_SETTLING_S = 0.32  # the time constant: the speed falls to 1/e within it
_LEAST_PX_S, _MOST_PX_S = 120.0, 12_000.0  # a slower release stops the chart at once
_RESTING_PX_S = 12.0  # below, motion is no longer visible from frame to frame
_SHORTEST_DRAG_S = 0.008  # events can share a timestamp


class KineticScroll:
    """Records a drag, then returns the steps after its release. Times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._steps: deque[tuple[float, float]] = deque()
        self._speed = 0.0  # logical pixels per second
        self._at_s = 0.0

    @property
    def is_moving(self) -> bool:
        return self._speed != 0.0

    def stop(self) -> None:
        """Stop moving and forget the drag so far."""
        self._speed = 0.0
        self._steps.clear()

    def add_step(self, pixels: float, now_s: float) -> None:
        """Record a step of the drag, in logical pixels."""
        self._steps.append((now_s, pixels))
        self._forget(now_s)

    def release(self, now_s: float) -> None:
        """End the drag; at sufficient speed the motion continues."""
        self._forget(now_s)
        speed = 0.0
        if len(self._steps) > 1:
            # The first step ended at the start of the measured time: its distance does not count.
            (began_s, first), *_ = self._steps
            took_s = max(now_s - began_s, _SHORTEST_DRAG_S)
            speed = (sum(pixels for _, pixels in self._steps) - first) / took_s
        self._steps.clear()
        self._speed = max(-_MOST_PX_S, min(speed, _MOST_PX_S)) if abs(speed) >= _LEAST_PX_S else 0.0
        self._at_s = now_s

    def advance(self, now_s: float) -> float:
        """Return the logical pixels moved since the last call."""
        if not self._speed:
            return 0.0
        left = exp(-max(now_s - self._at_s, 0.0) / _SETTLING_S)
        run = self._speed * _SETTLING_S * (1 - left)
        self._at_s, self._speed = now_s, self._speed * left
        if abs(self._speed) < _RESTING_PX_S:
            self._speed = 0.0
        return run

    def _forget(self, now_s: float) -> None:
        while self._steps and now_s - self._steps[0][0] > _SAMPLED_S:
            self._steps.popleft()
