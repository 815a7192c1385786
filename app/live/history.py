"""
Past candles for a chart, from the database and from the exchange.

Both are asked at once and either may be away. What comes back is merged by one rule, `better`: the candle built from
trades where it is complete, else the exchange's kline, else the incomplete one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from itertools import groupby

from app.market.candle import Candle, CandleSource, combine
from app.market.errors import CryptopipeError
from app.market.interval import EXCHANGE_INTERVALS, Interval, kline_interval_for
from app.market.ports import CandleStore, TradeHistory

logger = logging.getLogger(__name__)

_PAGE = 1000
_MOST_PAGES = 24
_PAGES_AT_ONCE = 4
_PART_INTERVALS = tuple(Interval.parse(name) for name in ("1d", "1h", "1m", "1s"))


def better(candle: Candle, other: Candle) -> Candle:
    """Return the candle a reader should get of two for the same open time; the second where they are equally good."""
    return candle if _rank(candle) > _rank(other) else other


def _rank(candle: Candle) -> int:
    if not candle.complete:
        return 0
    if candle.source is CandleSource.TRADES:
        return 3 if candle.closed else 1
    return 2 if candle.closed else 1


class CandleHistory:
    """
    Reads past candles of any symbol and interval.

    ``store`` may be None while there is no database, and be set later.
    """

    def __init__(self, exchange: TradeHistory, store: CandleStore | None = None) -> None:
        self._exchange = exchange
        self.store = store

    async def stored(self, symbol: str, interval: Interval, *, end_us: int, limit: int) -> list[Candle]:
        """
        Return up to ``limit`` newest stored candles that open before ``end_us``, oldest first; none without a store.

        The newest of all is not closed: nobody recorded what came after it.

        Raises:
            StoreError: If the database cannot be read.
        """
        if self.store is None:
            return []
        return await asyncio.to_thread(self.store.candles, symbol, interval, end_us=end_us, limit=limit)

    async def published(self, symbol: str, interval: Interval, *, end_us: int, limit: int) -> list[Candle]:
        """
        Return up to ``limit`` newest candles of the exchange that open before ``end_us``, oldest first.

        An interval the exchange does not offer is put together from the longest that fits, at the price of fewer
        candles. The last may still be open. Closed klines are kept in the store.

        Raises:
            FeedError: If the exchange cannot be reached, or refuses.
        """
        offered = kline_interval_for(interval)
        per_candle = max(1, round(interval.length_us / offered.length_us))
        limit = max(1, min(limit, _MOST_PAGES * _PAGE // per_candle))
        # The exchange refuses times before 1970, which a thousand weeks or months reach.
        start_us = max(interval.slot_open_us(interval.slot(end_us - 1) - limit + 1), 0)
        klines = await self._klines(symbol, offered, start_us, end_us)
        if not klines and start_us > 0:
            # Nothing in a whole page is an outage of the exchange, or the beginning: what is older tells which.
            klines = await self._exchange.klines(symbol, offered, end_us=start_us, limit=_PAGE)
            await self._keep(symbol, offered, klines)
        return join_parts(klines, offered, interval)

    async def parts(self, symbol: str, start_us: int, end_us: int) -> list[Candle] | None:
        """
        Return klines that together cover exactly ``[start_us, end_us)``, whole seconds, oldest first.

        None where the exchange has not closed the last of them yet: ask again shortly.

        Raises:
            FeedError: If the exchange cannot be reached, or refuses.
        """
        parts: list[Candle] = []
        while start_us < end_us:
            for interval in _PART_INTERVALS:
                whole_us = interval.open_time_us(end_us)
                if interval.open_time_us(start_us) == start_us and whole_us > start_us:
                    break
            else:
                raise ValueError("parts begin and end at whole seconds")
            # Stop where a longer interval can take over.
            longer = [one for one in _PART_INTERVALS if one.length_us > interval.length_us]
            whole_us = min([whole_us, *(one.next_open_us(start_us) for one in longer)])
            klines = await self._klines(symbol, interval, start_us, whole_us)
            if klines and not (klines[-1].closed and interval.next_open_us(klines[-1].open_time_us) == whole_us):
                return None
            parts.extend(klines)
            start_us = whole_us
        return parts

    async def _klines(self, symbol: str, offered: Interval, start_us: int, end_us: int) -> list[Candle]:
        page_us = _PAGE * offered.length_us
        starts = list(range(start_us, end_us, page_us)) if not offered.months else [start_us]
        gate = asyncio.Semaphore(_PAGES_AT_ONCE)

        async def page(from_us: int) -> list[Candle]:
            async with gate:
                return await self._exchange.klines(
                    symbol, offered, start_us=from_us, end_us=min(from_us + page_us, end_us), limit=_PAGE
                )

        pages = await asyncio.gather(*(page(from_us) for from_us in starts))
        klines = [kline for one in pages for kline in one]
        await self._keep(symbol, offered, klines)
        return klines

    async def _keep(self, symbol: str, offered: Interval, klines: Sequence[Candle]) -> None:
        if self.store is None or not klines or offered not in EXCHANGE_INTERVALS[1:]:
            return  # 1 s klines are not kept: they are many, and the trades say more
        try:
            await asyncio.to_thread(self.store.save_klines, symbol, offered, [one for one in klines if one.closed])
        except CryptopipeError as error:
            logger.warning("klines of %s not kept: %s", symbol, error)


def join_parts(parts: Sequence[Candle], length: Interval, interval: Interval) -> list[Candle]:
    """
    Return the candles of ``interval`` that the parts of ``length``, oldest first, add up to.

    A first one whose beginning is not among the parts is left out; a last one whose end is not is not closed.
    """
    joined: list[Candle] = []
    for open_us, group in groupby(parts, key=lambda part: interval.open_time_us(part.open_time_us)):
        members = list(group)
        if joined:
            joined[-1] = joined[-1]._replace(closed=True)
        elif members[0].open_time_us != open_us:
            continue
        whole = length.next_open_us(members[-1].open_time_us) == interval.next_open_us(open_us)
        joined.append(combine(open_us, members)._replace(closed=members[-1].closed and whole))
    return joined
