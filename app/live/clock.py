"""The system's clock, and the exchange's time as seen through it."""

from __future__ import annotations

import asyncio
import time

from app.market.ports import Clock

_AHEAD_US = 60_000_000


class SystemClock:
    """The real `Clock`."""

    def now_us(self) -> int:
        return time.time_ns() // 1_000

    def monotonic_s(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class ExchangeClock:
    """
    The exchange's time of day: ours plus the measured skew, and never before the newest trade seen.

    A `Clock` of its own. Candles open and close by this time alone. ``skew_us`` is the exchange's clock minus ours,
    None until measured.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._latest_us = 0
        self.skew_us: int | None = None

    def measured(self, server_time_us: int, asked_at_us: int, answered_at_us: int) -> None:
        """Take in an answer of the exchange to “what time is it”; the two others are local times around it."""
        self.skew_us = server_time_us - (asked_at_us + answered_at_us) // 2

    def seen(self, time_us: int) -> None:
        """Take in the exchange time of something that has happened."""
        if time_us > self._latest_us:
            self._latest_us = time_us

    def now_us(self) -> int:
        """The exchange's time now, UTC microseconds."""
        return max(self._clock.now_us() + (self.skew_us or 0), self._latest_us)

    def certain_us(self) -> int:
        """
        The exchange's time as far as the exchange itself has told it: our clock alone decides nothing.

        It runs a minute ahead of the newest trade at most. After a sleep of the computer nobody knows what happened.
        """
        return self._latest_us if self.skew_us is None else min(self.now_us(), self._latest_us + _AHEAD_US)

    def corrected_us(self) -> int | None:
        """Our time plus the skew, whatever was seen: for measuring delays. None until the skew is measured."""
        return None if self.skew_us is None else self._clock.now_us() + self.skew_us

    def monotonic_s(self) -> float:
        return self._clock.monotonic_s()

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)

    def delay_us(self, event_time_us: int, received_us: int) -> int | None:
        """How long something took from the exchange to us, corrected for skew; None until the skew is measured."""
        return None if self.skew_us is None else max(received_us + self.skew_us - event_time_us, 0)
