"""What came before the seam of a chart: the beginning of the candle that live trades go on with."""

from __future__ import annotations

import logging
from typing import NamedTuple

from app.live.history import CandleHistory
from app.market.candle import Candle
from app.market.errors import CryptopipeError
from app.market.interval import SECOND_US, Interval

logger = logging.getLogger(__name__)


class Beginning(NamedTuple):
    """What `CandlesSinceSeam` takes: candles that tell what came before ``seam_us``, and what is known of them."""

    seam_us: int
    parts: list[Candle]
    is_known: bool
    counted_us: int
    lacks_us: int | None = None


async def find_beginning(
    history: CandleHistory,
    symbol: str,
    interval: Interval,
    seam_us: int,
    *,
    settled_us: int,
    newest: Candle | None,
    newest_us: int,
) -> Beginning | None:
    """
    Return what came between ``settled_us``, until when all loaded candles are final, and ``seam_us``.

    None where the exchange has not published the last of it yet: ask again shortly. Where the exchange cannot tell,
    ``newest``, the last candle loaded, stands in for its part until ``newest_us`` if it is the seam's.
    """
    open_us = interval.open_time_us(seam_us)
    try:
        parts = await history.parts(symbol, min(settled_us, open_us), seam_us, interval)
    except CryptopipeError as error:
        logger.info("%s %s: joined without its beginning: %s", symbol, interval, error, extra={"symbol": symbol})
        if newest is None or newest.open_time_us != open_us:
            return Beginning(seam_us, [], open_us == seam_us, seam_us)
        return Beginning(seam_us, [newest], open_us == seam_us, (newest_us // SECOND_US + 1) * SECOND_US)
    if parts is None:
        return None
    return Beginning(seam_us, parts.candles, is_known=True, counted_us=seam_us, lacks_us=parts.lacks_us)
