"""The time, passed in so that tests can set it."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Time, passed in so that tests can set it."""

    def now_us(self) -> int:
        """The time of day, UTC microseconds; may jump."""

    def monotonic_s(self) -> float:
        """Seconds from an arbitrary start; never jumps."""

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds."""
