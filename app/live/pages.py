"""Pages of past candles for one chart: what the database and the exchange have, asked at once and merged."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from app.live.history import CandleHistory, better
from app.market.candle import Candle
from app.market.errors import FeedError, StoreError
from app.market.interval import Interval

logger = logging.getLogger(__name__)

PAGE = 1000
_ENOUGH_EARLY = 200
_PATIENCE_S = 1.0


class Page(NamedTuple):
    """Candles by rising open time, and one sentence where a source failed, so that some may be missing."""

    candles: list[Candle]
    failure: str


async def load_page(
    history: CandleHistory,
    symbol: str,
    interval: Interval,
    end_us: int,
    *,
    on_part: Callable[[list[Candle]], None] | None = None,
) -> Page:
    """
    Return up to about a thousand of the newest candles that open before ``end_us``.

    ``on_part`` is called with what is there as soon as that fills a chart, or after a second of waiting for the rest.
    """
    merged: dict[int, Candle] = {}

    def offer(*, whatever: bool) -> None:
        candles = _in_order(merged)
        if on_part is not None and candles and (whatever or _fills_a_chart(candles, interval, end_us)):
            on_part(candles)

    async def take(ask: Callable[[], Awaitable[list[Candle]]]) -> None:
        for candle in await ask():
            known = merged.get(candle.open_time_us)
            merged[candle.open_time_us] = candle if known is None else better(known, candle)
        offer(whatever=False)

    patience = asyncio.get_running_loop().call_later(_PATIENCE_S, lambda: offer(whatever=True))
    try:
        results = await asyncio.gather(
            take(lambda: history.stored(symbol, interval, end_us=end_us, limit=PAGE)),
            take(lambda: history.published(symbol, interval, end_us=end_us, limit=PAGE)),
            return_exceptions=True,
        )
    finally:
        patience.cancel()
    failure = ""
    for result in results:
        if isinstance(result, (StoreError, FeedError)):
            logger.info("%s %s: %s", symbol, interval, result)
            failure = str(result)
        elif result is not None:
            raise result
    return Page(_in_order(merged), failure)


def _fills_a_chart(candles: list[Candle], interval: Interval, end_us: int) -> bool:
    """
    Whether they are many, and reach up to now without a hole.

    Else the other source's change picture and scale a moment later: a chart that flashes and jumps at every switch.
    """
    first, last = (interval.slot(candle.open_time_us) for candle in (candles[0], candles[-1]))
    whole = last - first + 1 == len(candles) >= _ENOUGH_EARLY and candles[-1].complete
    return whole and last >= interval.slot(end_us) - 1


def _in_order(candles: dict[int, Candle]) -> list[Candle]:
    return [candles[open_us] for open_us in sorted(candles)]
