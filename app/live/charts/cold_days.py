"""
Fetches days from the lake when a chart needs seconds that the database has not.

A day is fetched whole, in a thread of its own, one day at a time, and stored as klines of one second together with the
times they cover: so no day is fetched twice, and the next pages come from the database. What the lake has not, a day
that was cancelled, and every day for a minute after the lake failed, is left to the exchange.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from app.concurrency.background import in_background
from app.market.candle import Candle
from app.market.coverage import IdRanges
from app.market.errors import CryptopipeError
from app.market.interval import SECOND_US, Interval
from app.market.ports.clock import Clock
from app.market.ports.cold import ColdSource
from app.market.ports.storage import KlineStore

logger = logging.getLogger(__name__)

_DAY_US = 86_400 * SECOND_US
_SECOND = Interval.parse("1s")
_LISTED_FOR_S = 600.0  # then the lake is asked again which days it has
_AWAY_FOR_S = 60.0
_KEPT_FOR_S = 10.0
_NOTHING: tuple[tuple[str, int], list[Candle]] = (("", 0), [])


class ColdDays:
    """
    The days of the lake, for the charts. All methods on the loop.

    Attributes:
        sentence: the day that is being fetched, and its progress; empty if there is none.
        failure: why the lake could not be read, until it can or `dismiss`; else empty.
    """

    def __init__(self, source: ColdSource, clock: Clock) -> None:
        self.failure = ""
        self._source = source
        self._clock = clock
        self._days: dict[str, tuple[float, frozenset[int]]] = {}
        self._done = set[tuple[str, int]]()
        self._newest = _NOTHING
        self._away_until_s = 0.0
        self._turn = asyncio.Lock()
        self._doing = ""
        self._share = 0.0
        self._cancelled = threading.Event()

    @property
    def sentence(self) -> str:
        if not self._doing:
            return ""
        # A day of seconds is stored for some seconds more, during which 100 % would look stuck.
        return f"{self._doing}: storing it." if self.is_storing else f"{self._doing}: {self._share:.0%}."

    @property
    def is_storing(self) -> bool:
        """Whether the day has been read and is being stored, which nobody can cancel any more."""
        return bool(self._doing) and self._share >= 1

    def cancel(self) -> None:
        """Give up the day that is being fetched; the exchange is asked instead."""
        self._cancelled.set()

    def dismiss(self) -> None:
        """Say no more that the lake could not be read."""
        self.failure = ""

    async def fetch(self, symbol: str, start_us: int, end_us: int, store: KlineStore) -> tuple[list[Candle], IdRanges]:
        """
        Return seconds of ``[start_us, end_us)``, UTC microseconds, and the times they cover; those may be none.

        Never raises for the lake: `failure` says what was wrong.
        """
        found, covered = list[Candle](), IdRanges()
        for day_us in range(start_us - start_us % _DAY_US, end_us, _DAY_US):
            if day_us + _DAY_US > self._clock.now_us():
                break
            async with self._turn:  # a second chart waits, and then finds the day in the database
                seconds = await self._day(symbol, day_us, store)
            if seconds:
                found += [one for one in seconds if start_us <= one.open_time_us < end_us]
                covered.add_range(max(start_us, day_us), min(end_us, day_us + _DAY_US) - 1)
        return found, covered

    async def _day(self, symbol: str, day_us: int, store: KlineStore) -> list[Candle]:
        if (symbol, day_us) == self._newest[0]:
            return self._newest[1]
        if self._clock.monotonic_s() < self._away_until_s or (symbol, day_us) in self._done:
            return []
        try:
            if day_us not in await self._listed(symbol):
                return []
            self._done.add((symbol, day_us))
            day = f"{datetime.fromtimestamp(day_us // SECOND_US, UTC):%Y-%m-%d}"
            self._doing, self._share = f"Fetching {symbol} of {day} from the lake", 0.0
            self._cancelled = cancelled = threading.Event()
            work = partial(self._fetch, symbol, day_us, store, cancelled.is_set)
            try:
                seconds = await in_background(work, "read-lake")
            except asyncio.CancelledError:  # the chart shows something else by now; what is nearly there is stored
                self._done.discard((symbol, day_us))
                raise
        except CryptopipeError as error:
            logger.warning("The lake could not be read: %s", error)
            self._done.discard((symbol, day_us))
            self._away_until_s = self._clock.monotonic_s() + _AWAY_FOR_S
            self.failure = str(error)
            return []
        finally:
            self._doing = ""
        self.failure = ""
        self._newest = (symbol, day_us), seconds  # for the other requests of the same page
        asyncio.get_running_loop().call_later(_KEPT_FOR_S, self._forget, day_us)
        return seconds

    def _forget(self, day_us: int) -> None:
        if self._newest[0][1] == day_us:
            self._newest = _NOTHING

    async def _listed(self, symbol: str) -> frozenset[int]:
        now_s = self._clock.monotonic_s()
        known = self._days.get(symbol)
        if known is None or now_s >= known[0] + _LISTED_FOR_S:
            known = now_s, await in_background(partial(self._source.days, symbol), "list-lake")
            self._days[symbol] = known
        return known[1]

    def _fetch(self, symbol: str, day_us: int, store: KlineStore, is_cancelled: Callable[[], bool]) -> list[Candle]:
        """Read and store the day. Runs in a thread."""
        seconds = self._source.seconds(symbol, day_us, self._note_share, is_cancelled)
        if seconds and not is_cancelled():
            store.save_klines(symbol, _SECOND, seconds, (day_us, day_us + _DAY_US))
        return seconds

    def _note_share(self, share: float) -> None:
        self._share = share
