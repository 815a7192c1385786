"""
Past candles of any symbol and interval: what is stored, and what the exchange has.

Closed klines are kept in the database together with the times they were asked for, so that nothing closed is fetched
again, and neither is what the exchange does not have: outages, the time before a symbol was listed. Klines of a second
are many and seldom looked at twice: the newest stay in memory, and of longer intervals that only they add up to (5s,
30s, 90s) the candles are kept. What is unfinished is never kept: by the exchange's own time, and a minute late.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby
from typing import NamedTuple

from app.concurrency.background import in_background
from app.live.charts.kline_cache import KlineCache
from app.market.candle import Candle, CandleSource, combine
from app.market.coverage import IdRanges
from app.market.errors import CryptopipeError
from app.market.interval import EXCHANGE_INTERVALS, SECOND_US, Interval, kline_interval_for
from app.market.ports.exchange import KlineSource
from app.market.ports.storage import CandleStore
from app.market.precedence import add_better

logger = logging.getLogger(__name__)

_ROWS = 1000
_REQUESTS_AT_ONCE = 4
_PART_INTERVALS = tuple(Interval.parse(name) for name in ("1d", "1h", "1m", "1s"))
_ONE_SECOND = EXCHANGE_INTERVALS[0]
_ONE_MINUTE = Interval.parse("1m")
# The exchange may publish a kline's last trades, or the kline itself, a little after its end.
_SETTLED_US = 60 * SECOND_US
# Nobody waits that long for a chart to go on: a second after its end a kline is taken at its word.
PUBLISHED_US = SECOND_US
_MISSING_PARTS_US = 10 * SECOND_US
# A kline that is missing at the end of an answer may still come; one that old never will.
_ABSENT_US = 86_400 * SECOND_US
_STORE_PATIENCE_S = 0.5
_KEEPING_PATIENCE_S = 2.0


class StoredPage(NamedTuple):
    """Stored candles, oldest first, and the microseconds of which the exchange's klines are known, present or not."""

    candles: list[Candle]
    fetched: IdRanges


class KlineParts(NamedTuple):
    """Candles that cover a time, oldest first; ``lacks_us``: from then on the exchange has not said what there was."""

    candles: list[Candle]
    lacks_us: int | None = None


class CandleHistory:
    """
    Reads past candles of any symbol and interval.

    ``store`` may be None while there is no database, and be set later.
    """

    def __init__(self, exchange: KlineSource, store: CandleStore | None = None) -> None:
        self._exchange = exchange
        self.store = store
        self._seconds = KlineCache()
        self._listed_us: dict[str, int] = {}
        self._gate = asyncio.Semaphore(_REQUESTS_AT_ONCE)

    async def stored(self, symbol: str, interval: Interval, *, end_us: int, limit: int) -> StoredPage:
        """
        Return up to ``limit`` newest stored candles that open before ``end_us``; none without a store.

        The newest of all is not closed: nobody recorded what came after it.

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

    async def published(
        self, symbol: str, interval: Interval, start_us: int, end_us: int, on_candles: Callable[[list[Candle]], None]
    ) -> None:
        """
        Call ``on_candles`` with the exchange's candles in ``[start_us, end_us)``, oldest first; then keep them.

        The times are open times of candles of the interval. One that the exchange does not offer is put together from
        the longest that fits. The last may still be open.

        Raises:
            FeedError: If the exchange cannot be reached, or refuses.
        """
        offered = kline_interval_for(interval)
        settled_us = await self._exchange.exchange_time_us() - _SETTLED_US
        klines = await self._rows(symbol, offered, start_us, end_us)
        candles = join_parts(klines, offered, interval, ended_us=settled_us)
        on_candles(candles)
        if offered == _ONE_SECOND:
            await self._keep(symbol, interval, candles, start_us, end_us, settled_us)
        else:
            await self._keep(symbol, offered, klines, start_us, end_us, settled_us)

    async def parts(self, symbol: str, start_us: int, end_us: int, whole: Interval | None = None) -> KlineParts | None:
        """
        Return closed candles without ids that together cover exactly ``[start_us, end_us)``, whole seconds: stored
        where they are complete, else the exchange's. None lies in two candles of ``whole``.

        None where the exchange has not published the last of them yet: ask again shortly. After ten seconds it is done
        without them, because in an outage there never are any; then ``lacks_us`` says where.

        Raises:
            FeedError: If the exchange cannot be reached, or refuses.
        """
        parts, lacks_us = list[Candle](), list[int]()
        fitting = [one for one in _PART_INTERVALS if whole is None or one.tiles(whole)]
        while start_us < end_us:
            for interval in fitting:
                whole_us = interval.open_time_us(end_us)
                if interval.open_time_us(start_us) == start_us and whole_us > start_us:
                    break
            else:
                raise ValueError("parts begin and end at whole seconds")
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
        Return when the symbol's first minute opens, None before its first trade; the exchange is asked once.

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
        Return when the exchange's newest candle that opens before ``before_us`` ends, None where it has none.

        Raises:
            FeedError: If the exchange cannot be reached, or refuses.
        """
        offered = kline_interval_for(interval)
        settled_us = await self._exchange.exchange_time_us() - _SETTLED_US
        klines = await self._exchange.klines(symbol, offered, end_us=before_us, limit=1)
        if not klines:
            return None
        last_us = klines[-1].open_time_us
        last = klines[-1]
        if offered != _ONE_SECOND:
            await self._keep(symbol, offered, [last], last_us, before_us, settled_us)
        return interval.next_open_us(last_us)

    async def _closed(self, symbol: str, interval: Interval, start_us: int, end_us: int) -> KlineParts | None:
        """Return the candles of ``[start_us, end_us)``, None where the exchange has not published the last one yet."""
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
        told_us = interval.next_open_us(klines[-1].open_time_us) if klines and klines[-1].closed else first_us
        if told_us < end_us:
            listed_us = await self.find_listing(symbol)
            if listed_us is None or listed_us >= end_us:
                told_us = end_us  # it did not exist yet
        if told_us < end_us and now_us < end_us + _MISSING_PARTS_US:
            return None
        if interval != _ONE_SECOND:
            await self._keep(symbol, interval, klines, first_us, end_us, now_us - _SETTLED_US)
        is_told = told_us == end_us or now_us >= end_us + _ABSENT_US
        return KlineParts(found + klines, None if is_told else told_us)

    async def _known(self, symbol: str, interval: Interval, start_us: int, end_us: int) -> dict[int, Candle]:
        """Return the stored candles of ``[start_us, end_us)`` that are as good as the exchange's, by open time."""
        limit = interval.slot(end_us) - interval.slot(start_us)
        try:
            async with asyncio.timeout(_STORE_PATIENCE_S):
                stored = await self.stored(symbol, interval, end_us=end_us, limit=limit)
        except (CryptopipeError, TimeoutError) as error:
            logger.info("%s: parts of candles not read: %s", symbol, error, extra={"symbol": symbol})
            return {}
        return {
            candle.open_time_us: candle._replace(first_trade_id=None, last_trade_id=None, source=CandleSource.KLINE)
            for candle in stored.candles
            if candle.closed and candle.complete and candle.open_time_us >= start_us
        }

    async def _rows(self, symbol: str, offered: Interval, start_us: int, end_us: int) -> list[Candle]:
        # The exchange refuses times before 1970, which a thousand weeks or months reach.
        start_us = max(start_us, 0)
        page_us = _ROWS * offered.length_us
        starts = range(start_us, end_us, end_us - start_us if offered.months else page_us) if end_us > start_us else ()

        async def page(from_us: int) -> list[Candle]:
            async with self._gate:
                end = end_us if offered.months else min(from_us + page_us, end_us)
                return await self._exchange.klines(symbol, offered, start_us=from_us, end_us=end, limit=_ROWS)

        pages = await asyncio.gather(*(page(from_us) for from_us in starts))
        return [kline for one in pages for kline in one]

    async def _keep(
        self, symbol: str, interval: Interval, found: Sequence[Candle], start_us: int, end_us: int, settled_us: int
    ) -> None:
        """Keep what is final of the candles found in ``[start_us, end_us)``, and of which times that is."""
        start_us = max(start_us, 0)
        kept, until_us = _final(found, interval, start_us, end_us, settled_us)
        if until_us <= start_us:
            return
        store = self.store
        if interval == _ONE_SECOND:
            self._seconds.keep(symbol, kept, start_us, until_us)
        elif store is not None:
            await self._save(symbol, lambda: store.save_klines(symbol, interval, kept, (start_us, until_us)))

    async def _save(self, symbol: str, save: Callable[[], None]) -> None:
        """Have it saved; a database that is slow or away holds up nobody for long."""

        def saved() -> None:
            try:
                save()
            except CryptopipeError as error:
                logger.warning("klines of %s not kept: %s", symbol, error, extra={"symbol": symbol})

        await asyncio.wait({asyncio.ensure_future(in_background(saved, "keep-klines"))}, timeout=_KEEPING_PATIENCE_S)


def join_parts(
    parts: Sequence[Candle], length: Interval, interval: Interval, *, ended_us: int | None = None
) -> list[Candle]:
    """
    Return the candles of ``interval`` that the parts of ``length``, oldest first, add up to.

    A part that is missing is one that never was. The last candle is closed where its last part is there and closed, or
    where it ended before ``ended_us``.
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
    return joined


def _final(
    found: Sequence[Candle], interval: Interval, start_us: int, end_us: int, settled_us: int
) -> tuple[list[Candle], int]:
    """Return the candles that will not change any more, and until when there are no others."""
    final: list[Candle] = []
    for candle in found:
        next_us = interval.next_open_us(candle.open_time_us)
        if not candle.closed or next_us > settled_us:
            return final, candle.open_time_us
        final.append(candle)
        start_us = next_us
    if not found:
        return final, start_us  # no word at all proves little: of a delisted symbol the exchange has none
    return final, max(start_us, min(end_us, interval.open_time_us(settled_us - _ABSENT_US)))


def _read(store: CandleStore, symbol: str, interval: Interval, end_us: int, limit: int) -> StoredPage:
    # The ranges first: klines that are kept in between are then at most fetched twice, never taken for missing.
    fetched = store.fetched_klines(symbol, _kept_as(interval))
    return StoredPage(store.candles(symbol, interval, end_us=end_us, limit=limit), fetched)


def _kept_as(interval: Interval) -> Interval:
    offered = kline_interval_for(interval)
    return interval if offered == _ONE_SECOND else offered
