"""
Reads the history of any symbol and interval from the store and from the exchange.

Closed klines are saved together with the times they were requested for. So no closed kline is requested again, nor one
that the exchange does not have, as of an outage or before a listing. Klines of one second are too many to save: the
newest stay in memory, and of longer intervals that only they make up (5s, 30s, 90s) the candles are saved. A kline is
saved once it is final: a minute after its end, by the exchange's time. `page_loader` combines both sources to a page.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby
from typing import NamedTuple

from app.concurrency.background import in_background
from app.live.charts.cold_days import ColdDays
from app.live.charts.kline_cache import KlineCache
from app.market.candle import Candle, CandleSource, combine, lacks_amounts
from app.market.coverage import IdRanges
from app.market.errors import CryptopipeError
from app.market.interval import EXCHANGE_INTERVALS, SECOND_US, Interval, kline_interval_for
from app.market.ports.exchange import KlineSource
from app.market.ports.storage import CandleStore
from app.market.precedence import add_better

logger = logging.getLogger(__name__)

_ROWS = 1000
_REQUESTS_AT_ONCE = 4
_PART_INTERVALS = tuple(Interval.parse(name) for name in ("1d", "1h", "1m"))
_ONE_SECOND = EXCHANGE_INTERVALS[0]
_ONE_MINUTE = Interval.parse("1m")
# The exchange may publish a kline's last trades, or the kline itself, a little after its end.
_SETTLED_US = 60 * SECOND_US
# A chart cannot wait a minute for its live join: a second after its end, a kline is trusted to be whole.
PUBLISHED_US = SECOND_US
_MISSING_PARTS_US = 10 * SECOND_US
# A kline missing at the end of an answer may still be published; after a day it will not.
_ABSENT_US = 86_400 * SECOND_US
# Beyond these waits a slow database is skipped: the exchange has the same klines, and saving goes on by itself.
_STORE_PATIENCE_S = 0.5
_SAVE_PATIENCE_S = 2.0


class StoredPage(NamedTuple):
    """Stored candles, oldest first, and the microseconds (UTC) for which the exchange's klines are known to us."""

    candles: list[Candle]
    fetched: IdRanges


class KlineParts(NamedTuple):
    """Candles that cover a time, oldest first; ``lacks_us``: the exchange's klines are unknown from then on."""

    candles: list[Candle]
    lacks_us: int | None = None


class CandleHistory:
    """
    Reads the history of any symbol and interval. All methods on the loop.

    ``store``: None while there is no database; may be set later. ``finest``: the shortest candles that ``exchange``
    publishes, some seconds. ``cold``, an attribute: the days of a lake, asked before the exchange; None: there is none.
    """

    def __init__(
        self, exchange: KlineSource, store: CandleStore | None = None, *, finest: Interval = _ONE_SECOND
    ) -> None:
        self._exchange = exchange
        self._finest = finest
        self._part_intervals = (*_PART_INTERVALS, finest)
        self.store = store
        self.cold: ColdDays | None = None
        self._seconds = KlineCache()
        self._listed_us: dict[str, int] = {}
        self._gate = asyncio.Semaphore(_REQUESTS_AT_ONCE)

    async def stored(self, symbol: str, interval: Interval, *, end_us: int, limit: int) -> StoredPage:
        """
        Return the newest stored candles that open before ``end_us`` (UTC microseconds), up to ``limit``.

        Without a store there are none. The newest stored candle of all is not closed: its last trades may be missing.

        Raises:
            StoreError: If the database cannot be read.
        """
        store = self.store
        if store is None:
            found = StoredPage([], IdRanges())
        else:
            found = await in_background(partial(_read, store, symbol, interval, end_us, limit), "read-candles")
        if symbol in self._listed_us:
            found.fetched.add_range(0, self._listed_us[symbol] - 1)
        if interval != _ONE_SECOND:
            return found
        candles = {candle.open_time_us: candle for candle in found.candles}
        add_better(candles, self._seconds.klines(symbol, end_us - limit * SECOND_US, end_us))
        for first_us, last_us in self._seconds.fetched(symbol):
            found.fetched.add_range(first_us, last_us)
        return StoredPage([candles[open_us] for open_us in sorted(candles)][-limit:], found.fetched)

    def asks_lake(self, interval: Interval) -> bool:
        """Return whether days of the lake can have what an interval lacks in the database."""
        return self.cold is not None and self.store is not None and self._offered(interval) == _ONE_SECOND

    async def published(
        self,
        symbol: str,
        interval: Interval,
        start_us: int,
        end_us: int,
        on_candles: Callable[[list[Candle]], None],
        *,
        with_cold: bool = False,
    ) -> None:
        """
        Request the exchange's candles in ``[start_us, end_us)``, call ``on_candles`` with them, then save them.

        Both times are open times of candles of the interval (UTC microseconds). The candles come oldest first, and the
        last may be open. An interval that the exchange does not offer is combined from the longest that fits.
        ``with_cold``: seconds of days that the lake has come from there; the exchange is asked for the others alone.

        Raises:
            FeedError: If the exchange cannot be reached, or refuses.
        """
        offered = self._offered(interval)
        klines, lacking = list[Candle](), [(start_us, end_us)]
        if with_cold and self.cold is not None and self.store is not None and offered == _ONE_SECOND:
            klines, covered = await self.cold.fetch(symbol, max(start_us, 0), end_us, self.store)
            lacking = [(first_us, last_us + 1) for first_us, last_us in covered.missing(start_us, end_us - 1)]
        if not lacking:
            on_candles(join_parts(klines, offered, interval, ended_us=end_us))
            return
        settled_us = await self._exchange.exchange_time_us() - _SETTLED_US
        for first_us, after_us in lacking:
            klines += await self._rows(symbol, offered, first_us, after_us)
        klines.sort()
        candles = join_parts(klines, offered, interval, ended_us=settled_us)
        on_candles(candles)
        if offered == _ONE_SECOND:
            await self._save_final(symbol, interval, candles, start_us, end_us, settled_us)
        else:
            await self._save_final(symbol, offered, klines, start_us, end_us, settled_us)

    async def parts(self, symbol: str, start_us: int, end_us: int, whole: Interval | None = None) -> KlineParts | None:
        """
        Return closed candles without ids that together cover exactly ``[start_us, end_us)``, multiples of the finest.

        They come from the store if complete there, else from the exchange. Each lies within one candle of ``whole``.
        Returns None if the exchange has not published the last of them yet: ask again shortly. Ten seconds after
        ``end_us`` it returns without them, because after an outage they never come; ``lacks_us`` then says from when,
        as it does if candles of ``whole`` are too short for the finest.

        Raises:
            FeedError: If the exchange cannot be reached, or refuses.
        """
        parts, lacks_us = list[Candle](), list[int]()
        fitting = [one for one in self._part_intervals if whole is None or one.tiles(whole)]
        while start_us < end_us:
            for interval in fitting:
                whole_us = interval.open_time_us(end_us)
                if interval.open_time_us(start_us) == start_us and whole_us > start_us:
                    break
            else:
                if whole is None or self._finest.tiles(whole):
                    raise ValueError(f"parts begin and end at multiples of {self._finest}")
                lacks_us.append(start_us)
                break
            # Stop where a longer interval can take over.
            longer = [one for one in fitting if one.length_us > interval.length_us]
            whole_us = min([whole_us, *(one.next_open_us(start_us) for one in longer)])
            found = await self._closed(symbol, interval, start_us, whole_us)
            if found is None:
                return None
            parts.extend(found.candles)
            lacks_us += [] if found.lacks_us is None else [found.lacks_us]
            start_us = whole_us
        return KlineParts(parts, min(lacks_us, default=None))

    async def find_listing(self, symbol: str) -> int | None:
        """
        Return the open time of the symbol's first minute, or None before its first trade; one request per symbol.

        Raises:
            FeedError: If the exchange cannot be reached, or refuses.
        """
        if symbol not in self._listed_us:
            first = await self._exchange.klines(symbol, _ONE_MINUTE, start_us=0, limit=1)
            if not first:
                return None
            listed_us = self._listed_us[symbol] = first[0].open_time_us
            store = self.store
            if store is not None:
                await self._save(symbol, lambda: store.save_listing(symbol, listed_us))
        return self._listed_us[symbol]

    async def end_before(self, symbol: str, interval: Interval, before_us: int) -> int | None:
        """
        Return the end of the exchange's newest candle that opens before ``before_us``, or None if it has none.

        Raises:
            FeedError: If the exchange cannot be reached, or refuses.
        """
        offered = self._offered(interval)
        settled_us = await self._exchange.exchange_time_us() - _SETTLED_US
        klines = await self._exchange.klines(symbol, offered, end_us=before_us, limit=1)
        if not klines:
            return None
        last_us = klines[-1].open_time_us
        last = klines[-1]
        if offered != _ONE_SECOND:
            await self._save_final(symbol, offered, [last], last_us, before_us, settled_us)
        return interval.next_open_us(last_us)

    def _offered(self, interval: Interval) -> Interval:
        """Return the longest interval of published candles that add up to whole candles of ``interval``."""
        offered = kline_interval_for(interval)
        return self._finest if offered == _ONE_SECOND and self._finest.tiles(interval) else offered

    async def _closed(self, symbol: str, interval: Interval, start_us: int, end_us: int) -> KlineParts | None:
        """Return the candles of ``[start_us, end_us)``, or None if the exchange has not published the last one yet."""
        known = await self._known(symbol, interval, start_us, end_us)
        first_us = start_us
        while first_us < end_us and first_us in known:
            first_us = interval.next_open_us(first_us)
        found = [known[open_us] for open_us in sorted(known) if open_us < first_us]
        if first_us == end_us:
            return KlineParts(found)
        now_us = await self._exchange.exchange_time_us()
        if now_us < end_us + PUBLISHED_US:
            return None
        klines = await self._rows(symbol, interval, first_us, end_us)
        known_until_us = interval.next_open_us(klines[-1].open_time_us) if klines and klines[-1].closed else first_us
        if known_until_us < end_us:
            listed_us = await self.find_listing(symbol)
            if listed_us is None or listed_us >= end_us:
                known_until_us = end_us  # the symbol did not exist yet
        if known_until_us < end_us and now_us < end_us + _MISSING_PARTS_US:
            return None
        if interval != _ONE_SECOND:
            await self._save_final(symbol, interval, klines, first_us, end_us, now_us - _SETTLED_US)
        is_final = known_until_us == end_us or now_us >= end_us + _ABSENT_US
        return KlineParts(found + klines, None if is_final else known_until_us)

    async def _known(self, symbol: str, interval: Interval, start_us: int, end_us: int) -> dict[int, Candle]:
        """
        Return the stored candles of ``[start_us, end_us)`` that are closed and complete, by open time, as klines.

        One that knows prices and volume alone counts only if the exchange was asked already.
        """
        limit = interval.slot(end_us) - interval.slot(start_us)
        try:
            async with asyncio.timeout(_STORE_PATIENCE_S):
                stored = await self.stored(symbol, interval, end_us=end_us, limit=limit)
        except (CryptopipeError, TimeoutError) as error:
            logger.info("%s: stored candles could not be read: %s", symbol, error, extra={"symbol": symbol})
            return {}
        return {
            candle.open_time_us: candle._replace(
                first_trade_id=None,
                last_trade_id=None,
                source=candle.source if candle.source is CandleSource.AGGTRADES else CandleSource.KLINE,
            )
            for candle in stored.candles
            if candle.closed
            and candle.complete
            and candle.open_time_us >= start_us
            and (not lacks_amounts(candle) or candle.open_time_us in stored.fetched)
        }

    async def _rows(self, symbol: str, offered: Interval, start_us: int, end_us: int) -> list[Candle]:
        # The exchange refuses times before 1970, which a page of a thousand weeks or months reaches.
        start_us = max(start_us, 0)
        page_us = _ROWS * offered.length_us
        starts = range(start_us, end_us, end_us - start_us if offered.months else page_us) if end_us > start_us else ()

        async def page(from_us: int) -> list[Candle]:
            async with self._gate:
                end = end_us if offered.months else min(from_us + page_us, end_us)
                return await self._exchange.klines(symbol, offered, start_us=from_us, end_us=end, limit=_ROWS)

        pages = await asyncio.gather(*(page(from_us) for from_us in starts))
        return [kline for one in pages for kline in one]

    async def _save_final(
        self, symbol: str, interval: Interval, found: Sequence[Candle], start_us: int, end_us: int, settled_us: int
    ) -> None:
        """Save the final candles of those found in ``[start_us, end_us)``, and the times they cover."""
        start_us = max(start_us, 0)
        kept, until_us = _final(found, interval, start_us, end_us, settled_us)
        if until_us <= start_us:
            return
        store = self.store
        if interval == _ONE_SECOND:
            self._seconds.keep(symbol, kept, start_us, until_us)
        elif store is not None:
            await self._save(symbol, lambda: store.save_klines(symbol, interval, kept, (start_us, until_us)))

    async def _save(self, symbol: str, save: Callable[[], object]) -> None:
        """Call ``save`` in a thread and wait a moment for it; a slow database does not hold up the chart."""

        def saved() -> None:
            try:
                save()
            except CryptopipeError as error:
                logger.warning("klines of %s could not be saved: %s", symbol, error, extra={"symbol": symbol})

        await asyncio.wait({asyncio.ensure_future(in_background(saved, "save-klines"))}, timeout=_SAVE_PATIENCE_S)


def join_parts(
    parts: Sequence[Candle], length: Interval, interval: Interval, *, ended_us: int | None = None
) -> list[Candle]:
    """
    Return the candles of ``interval`` that the parts of ``length``, oldest first, add up to.

    A missing part is taken to be one without trades. The last candle is closed if its last part is present and closed,
    or if it ended by ``ended_us``.
    """
    joined: list[Candle] = []
    for open_us, group in groupby(parts, key=lambda part: interval.open_time_us(part.open_time_us)):
        members = list(group)
        if joined:
            joined[-1] = joined[-1]._replace(closed=True)
        next_us = interval.next_open_us(open_us)
        whole = length.next_open_us(members[-1].open_time_us) == next_us
        ended = ended_us is not None and next_us <= ended_us
        joined.append(combine(open_us, members)._replace(closed=ended or (members[-1].closed and whole)))
    if joined and not joined[-1].closed:
        joined[-1] = joined[-1]._replace(complete=False)
    return joined


def _final(
    found: Sequence[Candle], interval: Interval, start_us: int, end_us: int, settled_us: int
) -> tuple[list[Candle], int]:
    """Return the candles that will not change any more, and the time until which there are no others."""
    final: list[Candle] = []
    for candle in found:
        next_us = interval.next_open_us(candle.open_time_us)
        if not candle.closed or next_us > settled_us:
            return final, candle.open_time_us
        final.append(candle)
        start_us = next_us
    if not found:
        return final, start_us  # an empty answer proves nothing: for a delisted symbol the exchange returns none
    return final, max(start_us, min(end_us, interval.open_time_us(settled_us - _ABSENT_US)))


def _read(store: CandleStore, symbol: str, interval: Interval, end_us: int, limit: int) -> StoredPage:
    # Ranges first: klines saved between the two reads are then requested twice at worst, never taken for absent.
    fetched = store.fetched_klines(symbol, saved_interval(interval))
    return StoredPage(store.candles(symbol, interval, end_us=end_us, limit=limit), fetched)


def saved_interval(interval: Interval) -> Interval:
    """Return the interval by which the exchange's candles for ``interval`` are saved."""
    offered = kline_interval_for(interval)
    return interval if offered == _ONE_SECOND else offered
