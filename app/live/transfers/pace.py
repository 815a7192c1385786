"""A transfer's rate over the last seconds, and the time it has left."""

from __future__ import annotations

from collections import deque

from app.market.durations import length
from app.market.ports.clock import Clock

_OVER_S = 10.0
_KNOWN_S = 0.5


class Pace:
    """The pace of one piece of work; `restart` before another. ``rate``: the unit of its figure, such as `rows/s`."""

    def __init__(self, clock: Clock, rate: str = "per second") -> None:
        self._clock = clock
        self._rate = rate
        self._seen: deque[tuple[float, float, float]] = deque(maxlen=100)

    def restart(self) -> None:
        """Forget the samples of other work."""
        self._seen.clear()

    def words(self, done: float, total: float, counted: float | None = None) -> str:
        """
        Note that ``done`` of ``total`` is done; return “310 per second, 4 s left”, or what of it is known yet.

        ``counted``: the figure the rate is of, if not ``done``.
        """
        now_s = self._clock.monotonic_s()
        while len(self._seen) > 1 and self._seen[0][0] < now_s - _OVER_S:
            self._seen.popleft()
        self._seen.append((now_s, done, done if counted is None else counted))
        (first_s, done_before, counted_before), (_, _, counted_now) = self._seen[0], self._seen[-1]
        elapsed_s, more = now_s - first_s, counted_now - counted_before
        if elapsed_s < _KNOWN_S:
            return ""
        rate = f"{more / elapsed_s:,.0f} {self._rate}" if more > 0 else ""
        is_nearer = done > done_before
        left = f"{length((total - done) * elapsed_s / (done - done_before))} left" if is_nearer else ""
        return ", ".join(filter(None, (rate, left)))
