"""
Reading candles again whose missing trades have been fetched.

While trades are missing, a chart's candles before its live ones are the exchange's klines. Once the trades are stored,
the candles made of them take their place, wherever the view is: which those are, the ids tell that are missing no more.
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

_MOST_RANGES = 20
_CANDLES_AT_ONCE = 2_000


class RefreshStore(CandleReader, TradeReader, Protocol):
    """The reading roles a refresh uses."""


class CandleRefresh:
    """Keeps one session's candles up to date with what is repaired. All methods on the loop."""

    def __init__(self, session: ChartSession, tracker: SymbolTracker) -> None:
        self._session = session
        self._tracker = tracker
        self._as_of = tracker.changes
        self._missing = tracker.missing_ids()
        self._filled = IdRanges()  # of what was missing, and not read again yet

    @property
    def is_due(self) -> bool:
        """Whether `step` may have anything to do."""
        return bool(self._filled) or self._as_of != self._tracker.changes

    async def step(self, store: RefreshStore) -> None:
        """Read what can be read again; what is not stored yet is left to a later call, about a second later."""
        self._as_of, missing = self._tracker.changes, self._tracker.missing_ids()
        # In a thread, because of a hundred thousand holes that takes too long for the loop.
        self._filled = await asyncio.to_thread(_filled, self._filled, self._missing, missing)
        self._missing = missing
        for first, last in _few(self._filled):
            try:
                if await in_background(partial(self._is_stored, store, first, last), "refresh-candles"):
                    await self._read(store, first, last)
                    self._filled -= IdRanges([(first, last)])
            except StoreError as error:
                logger.info("repaired candles are not read yet: %s", error)
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
    """Return what is missing no more: of what was a moment ago, and of what had been filled then."""
    return (filled | before) - now


def _few(ids: IdRanges) -> Iterator[tuple[int, int]]:
    """Yield ranges that hold the ids, newest first: the ids' own, or one where those are many."""
    if ids.range_count() <= _MOST_RANGES:
        yield from reversed(ids)
    elif ids.first is not None and ids.last is not None:
        yield ids.first, ids.last
