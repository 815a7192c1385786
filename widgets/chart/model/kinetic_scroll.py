"""How a chart that was thrown runs on: as fast as it was dragged at the end, then slower, then not at all. Pure."""

from __future__ import annotations

from collections import deque
from math import exp

_SAMPLED_S = 0.08  # the speed is that of so long before the release
_SETTLING_S = 0.32  # in which it falls to a third
_LEAST_PX_S, _MOST_PX_S = 120.0, 12_000.0  # what was slower was put down, not thrown
_RESTING_PX_S = 12.0


class KineticScroll:
    """Takes a drag's steps, then gives those after its end. Times are seconds of a clock that never jumps."""

    def __init__(self) -> None:
        self._steps: deque[tuple[float, float]] = deque()
        self._speed = 0.0  # logical pixels a second
        self._at_s = 0.0

    @property
    def is_moving(self) -> bool:
        return self._speed != 0.0

    def stop(self) -> None:
        """Stand still; a new drag begins here."""
        self._speed = 0.0
        self._steps.clear()

    def add_step(self, pixels: float, now_s: float) -> None:
        """Note a step of the drag."""
        self._steps.append((now_s, pixels))
        self._forget(now_s)

    def release(self, now_s: float) -> None:
        """End the drag; what was fast until now goes on."""
        self._forget(now_s)
        speed = 0.0
        if len(self._steps) > 1:
            # Its first step ended when the measured time begins.
            (began_s, first), *_ = self._steps
            took_s = max(now_s - began_s, 0.008)
            speed = (sum(pixels for _, pixels in self._steps) - first) / took_s
        self._steps.clear()
        self._speed = max(-_MOST_PX_S, min(speed, _MOST_PX_S)) if abs(speed) >= _LEAST_PX_S else 0.0
        self._at_s = now_s

    def advance(self, now_s: float) -> float:
        """Return how many pixels it ran since the last call."""
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
