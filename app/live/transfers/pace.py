"""How fast a transfer goes, as of its last seconds, and how long it takes yet."""

from __future__ import annotations

from collections import deque

from app.market.durations import length
from app.market.ports.clock import Clock

_OVER_S = 10.0
_KNOWN_S = 0.5


class Pace:
    """The pace of one piece of work; `restart` before another."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque(maxlen=50)

    def restart(self) -> None:
        """Forget what was done: it was of other work."""
        self._seen.clear()

    def words(self, done: int, total: int) -> str:
        """Note what is done; return “310 per second, 4 s left”, or nothing where that is not known yet."""
        now_s = self._clock.monotonic_s()
        while len(self._seen) > 1 and self._seen[0][0] < now_s - _OVER_S:
            self._seen.popleft()
        self._seen.append((now_s, done))
        elapsed_s, more = now_s - self._seen[0][0], done - self._seen[0][1]
        if elapsed_s < _KNOWN_S or more <= 0:
            return ""
        return f"{more / elapsed_s:,.0f} per second, {length((total - done) * elapsed_s / more)} left"
