"""The history of views, for going back and forward. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

_PAUSE_S = 0.7  # movements closer together count as one
_MOST = 100


@dataclass(frozen=True, slots=True)
class ViewState:
    """
    A view to return to: the time at its centre (UTC microseconds) and the width of a candle in logical pixels.

    ``following``: it followed the latest candle. ``ranges``: key, low and high of the panes that were stretched by
    hand, valid only for ``symbol``.
    """

    symbol: str
    centre_us: int
    bar_px: float
    following: bool
    ranges: tuple[tuple[str, float, float], ...] = ()


class ViewHistory:
    """Stores the view before each movement; movements without a pause between them count as one."""

    def __init__(self) -> None:
        self._before: list[ViewState] = []
        self._after: list[ViewState] = []
        self._moved_at_s: float | None = None

    def note_move(self, state: Callable[[], ViewState | None], now_s: float, *, jump: bool = False) -> None:
        """
        Note that the view is about to move. ``state`` returns the present view and is called only if that is stored.

        ``jump``: always a movement of its own. ``now_s``: seconds of a monotonic clock.
        """
        goes_on = self._moved_at_s is not None and now_s - self._moved_at_s < _PAUSE_S
        self._moved_at_s = None if jump else now_s
        if jump or not goes_on:
            now = state()
            if now is not None and (not self._before or self._before[-1] != now):
                self._before.append(now)
                del self._before[:-_MOST]
            self._after.clear()

    def has_before(self, now: ViewState | None) -> bool:
        """Return whether `back` would return a view."""
        return any(view != now for view in self._before)

    def has_after(self, now: ViewState | None) -> bool:
        """Return whether `forward` would return a view."""
        return any(view != now for view in self._after)

    def back(self, now: ViewState | None) -> ViewState | None:
        """Return the previous view and store ``now`` for `forward`; None if there is no previous one."""
        return self._step(self._before, self._after, now)

    def forward(self, now: ViewState | None) -> ViewState | None:
        """Return the view that `back` left; None if there is none."""
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
