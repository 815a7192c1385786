"""The clock Protocol; code that needs the time takes a `Clock`, so that tests can set it."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """The time of day, a monotonic time, and waiting."""

    def now_us(self) -> int:
        """The time of day, UTC microseconds; may jump."""

    def monotonic_s(self) -> float:
        """Seconds from an arbitrary start; never jumps."""

    async def sleep(self, seconds: float) -> None:
        """Return after ``seconds``."""
