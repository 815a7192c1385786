"""Two small measures for the status bar: a rate between looks, and a smoothed value."""

from __future__ import annotations


class Rate:
    """Turns a running total into a rate per second, smoothed over a few looks."""

    def __init__(self) -> None:
        self._total: float | None = None
        self._at_s = 0.0
        self.per_second = 0.0

    def update(self, total: float, at_s: float) -> float:
        """Take in the total as of ``at_s`` (monotonic seconds) and return the rate."""
        if self._total is not None and at_s > self._at_s:
            now = max(total - self._total, 0.0) / (at_s - self._at_s)
            self.per_second += 0.5 * (now - self.per_second)
            if self.per_second < 0.05:
                self.per_second = 0.0
        self._total, self._at_s = total, at_s
        return self.per_second


class Smoothed:
    """An exponentially smoothed value that forgets half within about 14 additions; None before the first."""

    def __init__(self) -> None:
        self.value: float | None = None

    def add(self, value: float) -> None:
        self.value = value if self.value is None else self.value + 0.05 * (value - self.value)
