"""The views one had before, to go back to. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

_PAUSE_S = 0.7  # movements that follow each other sooner are one
_MOST = 100


@dataclass(frozen=True, slots=True)
class ViewState:
    """
    What was in view: the time under the centre (UTC microseconds) and the width of a candle in logical pixels.

    ``following``: it was at the latest candle and moved on with it. ``ranges``: of each pane that was stretched by
    hand, its key and what it showed; they count for ``symbol`` alone.
    """

    symbol: str
    centre_us: int
    bar_px: float
    following: bool
    ranges: tuple[tuple[str, float, float], ...] = ()


class ViewHistory:
    """Remembers a view before each movement; movements without a pause between them are one."""

    def __init__(self) -> None:
        self._before: list[ViewState] = []
        self._after: list[ViewState] = []
        self._moved_at_s: float | None = None

    def note_move(self, state: Callable[[], ViewState | None], now_s: float, *, jump: bool = False) -> None:
        """
        Note that the view is about to move away from ``state``, which is only asked for where it is kept.

        ``jump``: a movement of its own, whatever came before. ``now_s``: seconds of a clock that never jumps.
        """
        goes_on = self._moved_at_s is not None and now_s - self._moved_at_s < _PAUSE_S
        self._moved_at_s = None if jump else now_s
        if jump or not goes_on:
            now = state()
            if now is not None and (not self._before or self._before[-1] != now):
                self._before.append(now)
                del self._before[:-_MOST]
            self._after.clear()

    def back(self, now: ViewState | None) -> ViewState | None:
        """Return the view before, and keep ``now`` for `forward`; None where there is none."""
        return self._step(self._before, self._after, now)

    def forward(self, now: ViewState | None) -> ViewState | None:
        """Return the view that `back` left, None where there is none."""
        return self._step(self._after, self._before, now)

    def _step(self, source: list[ViewState], other: list[ViewState], now: ViewState | None) -> ViewState | None:
        self._moved_at_s = None
        while source:
            found = source.pop()
            if now is None or found != now:
                if now is not None:
                    other.append(now)
                return found
        return None
