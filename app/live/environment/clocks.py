"""The exchange's time of day, as measured against this computer's clock."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from app.concurrency.tasks import first_of
from app.market.durations import length
from app.market.errors import FeedAway, FeedError
from app.market.ports.clock import Clock
from app.market.ports.exchange import TimeSource

logger = logging.getLogger(__name__)

_MOST_AHEAD_US = 60_000_000  # of the newest trade: a quiet market trades within a minute
_WARN_SKEW_S = 1.0
_MEASURE_EVERY_S = 300.0
_RETRY_S = 5.0
_PROBE_EVERY_S = 4.0
# An exchange that answers the time and nothing else, being overloaded, is not asked for all the rest that often.
_SOON_S, _LONGEST_PROBE_S = 30.0, 60.0


class ExchangeClock:
    """
    The exchange's time of day: its last measured time, carried on by the monotonic clock, which nobody sets.

    Implements `Clock`. Candles open and close by this time alone. It is never before the newest trade seen, and
    continues from there if it was behind: some systems' monotonic clock stands still while the computer sleeps.
    ``skew_us``: the exchange's clock minus ours at the last measurement, None before the first.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._latest_us = 0
        self._base: tuple[float, int] | None = None  # a monotonic time, and the exchange's at that moment
        self._is_wrong = False
        self.skew_us: int | None = None

    def note_measurement(self, server_time_us: int, asked_at_us: int, answered_at_us: int) -> None:
        """Take in the exchange's answer to “what time is it”, with the local times of request and answer."""
        # The answer's time is taken for the middle of the round trip.
        since_us = self._clock.now_us() - (asked_at_us + answered_at_us) // 2
        self._base = (self._clock.monotonic_s(), server_time_us + since_us)
        self.skew_us = server_time_us - (asked_at_us + answered_at_us) // 2
        skew_s = self.skew_us / 1e6
        if (abs(skew_s) >= _WARN_SKEW_S) != self._is_wrong:
            self._is_wrong = not self._is_wrong
            if self._is_wrong:
                where = "behind" if skew_s > 0 else "ahead of"
                message = "This computer's clock is %s %s the exchange's; candles are right."
                logger.warning(message, length(skew_s), where)
            else:
                logger.info("This computer's clock agrees with the exchange's again.")

    def forget(self) -> None:
        """Discard the measurement; until the next one the exchange's time is unknown."""
        self._base = self.skew_us = None

    def note_event(self, time_us: int) -> None:
        """Take in the exchange's time of an event; the clock is never before it."""
        if time_us > self._latest_us:
            self._latest_us = time_us

    def now_us(self) -> int:
        """The exchange's time now, UTC microseconds; this computer's before the first measurement."""
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
        The exchange's time as confirmed by the exchange itself; this computer's clock alone decides nothing.

        It is at most a minute ahead of the newest trade: after a sleep of the computer, the monotonic clock may be off.
        """
        return self._latest_us if self._base is None else min(self.now_us(), self._latest_us + _MOST_AHEAD_US)

    def corrected_us(self) -> int | None:
        """This computer's time plus the skew, for measuring delays; None until the skew is measured."""
        return None if self.skew_us is None else self._clock.now_us() + self.skew_us

    def monotonic_s(self) -> float:
        return self._clock.monotonic_s()

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)

    def delay_us(self, event_time_us: int, received_us: int) -> int | None:
        """Return how long an event took from the exchange to us, corrected for skew; None until that is measured."""
        return None if self.skew_us is None else max(received_us + self.skew_us - event_time_us, 0)


class ClockSync:
    """
    Keeps an `ExchangeClock` measured: asks the exchange for its time every five minutes, and on `measure_now`.

    It is the cheapest request there is. So it is also the probe for an exchange that is away: made every four seconds
    from the first failure (see `note_away`) until it succeeds. Then ``on_return`` is called.
    """

    def __init__(self, exchange: TimeSource, clock: Clock, exchange_clock: ExchangeClock) -> None:
        self.on_return: Callable[[], None] = lambda: None
        self.is_away = False
        self._noted_away = asyncio.Event()
        self._returned_s = float("-inf")
        self._probe_s = _PROBE_EVERY_S
        self._exchange = exchange
        self._clock = clock
        self._exchange_clock = exchange_clock
        self._attempted = asyncio.Event()
        self._again = asyncio.Event()

    @property
    def is_attempted(self) -> bool:
        """Whether a measurement has succeeded or failed yet."""
        return self._attempted.is_set()

    async def wait(self) -> None:
        """Return when `is_attempted`."""
        await self._attempted.wait()

    def measure_now(self) -> None:
        """Measure at once, because this computer's clock may have been set; has no effect before `run`."""
        self._again.set()

    def note_away(self) -> None:
        """Note that another request found the exchange away: measure again soon, until that succeeds."""
        if not self.is_away:
            self._set_away()
            self._noted_away.set()

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            self._again.clear()
            # A request under way is dropped: its local times were taken before the clock was set.
            await first_of(self._measure_regularly(), self._again.wait())

    async def _measure_regularly(self) -> None:
        while True:
            wait_s = await self._measure()
            await first_of(self._noted_away.wait(), self._clock.sleep(wait_s))
            if self._noted_away.is_set():
                self._noted_away.clear()
                await self._clock.sleep(self._probe_s)

    async def _measure(self) -> float:
        """Measure once; return the seconds to wait."""
        asked_s, asked_us = self._clock.monotonic_s(), self._clock.now_us()
        try:
            server_us = await self._exchange.server_time_us()
            self._exchange_clock.note_measurement(server_us, asked_us, self._clock.now_us())
        except FeedAway as error:
            if not self.is_away:
                self._set_away()
                logger.info("the exchange's clock is not known: %s", error)
            # From one request to the next, however long the failing one took.
            return max(0.0, self._probe_s - (self._clock.monotonic_s() - asked_s))
        except FeedError as error:
            logger.info("the exchange's clock is not known: %s", error)
            return _RETRY_S
        finally:
            self._attempted.set()
        if self.is_away:
            self.is_away, self._returned_s = False, self._clock.monotonic_s()
            self._noted_away.clear()
            self.on_return()
        return _MEASURE_EVERY_S

    def _set_away(self) -> None:
        self.is_away = True
        went_soon = self._clock.monotonic_s() - self._returned_s < _SOON_S
        self._probe_s = min(2 * self._probe_s, _LONGEST_PROBE_S) if went_soon else _PROBE_EVERY_S
