"""The system's clock, and the exchange's time as seen through it."""

from __future__ import annotations

import logging

from app.market.durations import length
from app.market.ports.clock import Clock

log = logging.getLogger(__name__)

_AHEAD_US = 60_000_000
WORTH_TELLING_S = 1.0


class ExchangeClock:
    """
    The exchange's time of day: as it told it when asked, and ever since by the monotonic clock, which nobody sets.

    A `Clock` of its own. Candles open and close by this time alone. It is never before the newest trade seen, and runs
    on from there where it was: the monotonic clock of some systems stands still while the computer sleeps. ``skew_us``
    is the exchange's clock minus ours when it was last measured, None before.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._latest_us = 0
        self._base: tuple[float, int] | None = None  # a monotonic time, and the exchange's at that moment
        self._is_wrong = False
        self.skew_us: int | None = None

    def note_measurement(self, server_time_us: int, asked_at_us: int, answered_at_us: int) -> None:
        """Take in an answer of the exchange to “what time is it”; the two others are local times around it."""
        since_us = self._clock.now_us() - (asked_at_us + answered_at_us) // 2
        self._base = (self._clock.monotonic_s(), server_time_us + since_us)
        self.skew_us = server_time_us - (asked_at_us + answered_at_us) // 2
        skew_s = self.skew_us / 1e6
        if (abs(skew_s) >= WORTH_TELLING_S) != self._is_wrong:
            self._is_wrong = not self._is_wrong
            if self._is_wrong:
                side = "behind" if skew_s > 0 else "ahead of"
                log.warning("This computer's clock is %s %s the exchange's; candles are right.", length(skew_s), side)
            else:
                log.info("This computer's clock agrees with the exchange's again.")

    def forget(self) -> None:
        """Know the exchange's time no more, until it is measured again."""
        self._base = self.skew_us = None

    def note_event(self, time_us: int) -> None:
        """Take in the exchange time of something that has happened."""
        if time_us > self._latest_us:
            self._latest_us = time_us

    def now_us(self) -> int:
        """The exchange's time now, UTC microseconds."""
        if self._base is None:
            return max(self._clock.now_us(), self._latest_us)
        now_s = self._clock.monotonic_s()
        now_us = self._base[1] + round((now_s - self._base[0]) * 1e6)
        if now_us < self._latest_us:
            now_us = self._latest_us
            self._base = (now_s, now_us)
        return now_us

    def certain_us(self) -> int:
        """
        The exchange's time as far as the exchange itself has told it: our clock alone decides nothing.

        It runs a minute ahead of the newest trade at most. After a sleep of the computer nobody knows what happened.
        """
        return self._latest_us if self._base is None else min(self.now_us(), self._latest_us + _AHEAD_US)

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
