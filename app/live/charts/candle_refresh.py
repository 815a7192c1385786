"""
Reads a chart's candles again after their missing trades were repaired.

While trades are missing, the chart shows the exchange's klines in their place. Once the repaired trades are stored, the
candles built from them replace those klines. Which candles to read follows from the ids that are no longer missing;
`app.live.repair` does the repairing.
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

_MAX_RANGES = 20  # read one by one; more are read as one range, because each costs several queries
_CANDLES_PER_READ = 2_000  # bounds one query and one merge into the series


class RefreshStore(CandleReader, TradeReader, Protocol):
    """The store's roles that a refresh uses."""


class CandleRefresh:
    """Keeps one session's candles up to date with repairs. All methods on the loop."""

    def __init__(self, session: ChartSession, tracker: SymbolTracker) -> None:
        self._session = session
        self._tracker = tracker
        self._as_of = tracker.changes
        self._missing = tracker.missing_ids()
        self._unread = IdRanges()  # repaired, and not read again yet

    @property
    def is_due(self) -> bool:
        """Whether `step` may have candles to read."""
        return bool(self._unread) or self._as_of != self._tracker.changes

    async def step(self, store: RefreshStore) -> None:
        """Read the repaired candles whose trades are stored; later calls read the rest. Call about once per second."""
        self._as_of, missing = self._tracker.changes, self._tracker.missing_ids()
        # In a thread: with a hundred thousand gaps this takes too long for the loop.
        self._unread = await asyncio.to_thread(_add_repaired, self._unread, self._missing, missing)
        self._missing = missing
        for first, last in _ranges_to_read(self._unread):
            try:
                if await in_background(partial(self._is_stored, store, first, last), "refresh-candles"):
                    await self._read(store, first, last)
                    self._unread -= IdRanges([(first, last)])
            except StoreError as error:
                logger.info("repaired candles could not be read yet: %s", error)
                return

    def _is_stored(self, store: RefreshStore, first: int, last: int) -> bool:
        # Absent ids are never stored. The trade after the last proves the end of that one's candle.
        ends = {first, last, *({last + 1} if last + 1 in self._tracker.held() else ())}
        ends = {trade_id for trade_id in ends if trade_id not in self._tracker.absent}
        return all(store.trades(self._session.symbol, trade_id, trade_id) for trade_id in ends)

    async def _read(self, store: RefreshStore, first: int, last: int) -> None:
        """Read the complete candles of these ids that the chart has loaded, newest first, and merge them."""
        session = self._session
        # One id more on each side: a candle beside the gap may be complete only now.
        hours = await in_background(partial(store.hours_of, session.symbol, first - 1, last + 1), "refresh-candles")
        if hours is not None:
            await read_stored(session, store, *hours)


async def read_stored(session: ChartSession, store: CandleReader, start_us: int, end_us: int) -> None:
    """
    Read the complete candles of that time that the chart has loaded, UTC microseconds, and merge them, newest first.

    Raises:
        StoreError: If the database cannot be read.
    """
    if not len(session.series):
        return
    interval, loaded_us = session.interval, int(session.series.column("open_time_us")[0])
    start_us = interval.open_time_us(max(start_us, loaded_us))
    while start_us < end_us:
        from_us = max(start_us, interval.open_time_us(end_us - _CANDLES_PER_READ * interval.length_us))
        read = partial(store.candles, session.symbol, interval, start_us=from_us, end_us=end_us)
        candles: list[Candle] = await in_background(read, "refresh-candles")
        session.merge_stored([candle for candle in candles if candle.complete])
        end_us = from_us


def _add_repaired(unread: IdRanges, missing_before: IdRanges, missing_now: IdRanges) -> IdRanges:
    """Return ``unread`` and the ids missing before, less those missing now."""
    return (unread | missing_before) - missing_now


def _ranges_to_read(ids: IdRanges) -> Iterator[tuple[int, int]]:
    """Yield the ranges of ``ids``, newest first; if there are too many, one range that spans them all."""
    if ids.range_count() <= _MAX_RANGES:
        yield from reversed(ids)
    elif ids.first is not None and ids.last is not None:
        yield ids.first, ids.last
