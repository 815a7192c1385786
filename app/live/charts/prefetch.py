"""How far back candles should be loaded before they are needed. Pure."""

from __future__ import annotations

_LOOK_AHEAD_S = 2.0
_SETTLING_S = 0.5
_FARTHEST_SCREENS = 50.0
_JUMP_SCREENS = 3.0


class Prefetch:
    """Follows one view of slots: a screen ahead of it, and as far as it gets in two seconds at its speed."""

    def __init__(self) -> None:
        self._left: float | None = None
        self._at_s = 0.0
        self._speed = 0.0  # slots a second to the left

    def first_wanted(self, left: float, right: float, now_s: float) -> int:
        """
        Return the slot back to which candles should be there.

        ``left`` and ``right``: the slots at the edges; ``now_s``: seconds of a clock that never jumps. Call whenever
        the view has moved.
        """
        span = max(right - left, 1.0)
        elapsed_s = now_s - self._at_s
        if self._left is not None and abs(self._left - left) > _JUMP_SCREENS * span:
            self._speed = 0.0  # nobody scrolls that far at once
        elif self._left is not None and elapsed_s > 0:
            weight = min(elapsed_s / _SETTLING_S, 1.0)
            self._speed += weight * (max(self._left - left, 0.0) / elapsed_s - self._speed)
        self._left, self._at_s = left, now_s
        return int(left - span - min(self._speed * _LOOK_AHEAD_S, _FARTHEST_SCREENS * span))
