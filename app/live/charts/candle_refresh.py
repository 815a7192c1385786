"""
Reads a chart's candles again after their missing trades were repaired.

While trades are missing, the chart shows the exchange's klines before its live candles. Once the trades are stored, the
candles built from them replace the klines. The ids that are no longer missing say which candles to read.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from functools import partial
from typing import Protocol

from app.concurrency.background import in_background
from app.live.charts.chart_session import ChartSession
from app.live.recording.symbol_tracker import SymbolTracker
from app.market.candle import Candle
from app.market.coverage import IdRanges
from app.market.errors import StoreError
from app.market.ports.storage import CandleReader, TradeReader

logger = logging.getLogger(__name__)

_MOST_RANGES = 20  # read one by one; more are read as one, because each costs several queries
_CANDLES_AT_ONCE = 2_000


class RefreshStore(CandleReader, TradeReader, Protocol):
    """The reading roles a refresh uses."""


class CandleRefresh:
    """Keeps one session's candles up to date with repairs. All methods on the loop."""

    def __init__(self, session: ChartSession, tracker: SymbolTracker) -> None:
        self._session = session
        self._tracker = tracker
        self._as_of = tracker.changes
        self._missing = tracker.missing_ids()
        self._filled = IdRanges()  # repaired, and not read again yet

    @property
    def is_due(self) -> bool:
        """Whether `step` may have anything to do."""
        return bool(self._filled) or self._as_of != self._tracker.changes

    async def step(self, store: RefreshStore) -> None:
        """Read the repaired candles that are stored; leave the others to a later call. Call about once per second."""
        self._as_of, missing = self._tracker.changes, self._tracker.missing_ids()
        # In a thread: with a hundred thousand gaps this takes too long for the loop.
        self._filled = await asyncio.to_thread(_filled, self._filled, self._missing, missing)
        self._missing = missing
        for first, last in _few(self._filled):
            try:
                if await in_background(partial(self._is_stored, store, first, last), "refresh-candles"):
                    await self._read(store, first, last)
                    self._filled -= IdRanges([(first, last)])
            except StoreError as error:
                logger.info("repaired candles could not be read yet: %s", error)
                return

    def _is_stored(self, store: RefreshStore, first: int, last: int) -> bool:
        ends = [one for one in {first, last} if one not in self._tracker.absent]
        return all(store.trades(self._session.symbol, one, one) for one in ends)

    async def _read(self, store: RefreshStore, first: int, last: int) -> None:
        session = self._session
        hours = await in_background(partial(store.hours_of, session.symbol, first - 1, last + 1), "refresh-candles")
        if hours is None or not len(session.series):
            return
        interval, loaded_us = session.interval, int(session.series.column("open_time_us")[0])
        start_us, end_us = interval.open_time_us(max(hours[0], loaded_us)), hours[1]
        while start_us < end_us:
            from_us = max(start_us, interval.open_time_us(end_us - _CANDLES_AT_ONCE * interval.length_us))
            read = partial(store.candles, session.symbol, interval, start_us=from_us, end_us=end_us)
            candles: list[Candle] = await in_background(read, "refresh-candles")
            session.merge_stored([candle for candle in candles if candle.complete])
            end_us = from_us


def _filled(filled: IdRanges, before: IdRanges, now: IdRanges) -> IdRanges:
    """Return the ids repaired so far: ``filled`` and those missing ``before``, less those missing ``now``."""
    return (filled | before) - now


def _few(ids: IdRanges) -> Iterator[tuple[int, int]]:
    """Yield ranges that hold the ids, newest first: the ids' own, or one range if those are many."""
    if ids.range_count() <= _MOST_RANGES:
        yield from reversed(ids)
    elif ids.first is not None and ids.last is not None:
        yield ids.first, ids.last
