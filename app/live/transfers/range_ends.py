"""Where an export begins and ends if nobody said so: with the first candle stored, now, or with the last stored."""

from __future__ import annotations

from contextlib import closing

from app.live.charts.candle_history import PUBLISHED_US
from app.market.candle_request import CandleRequest
from app.market.errors import UsageError
from app.market.interval import Interval
from app.market.ports.storage import CandleReader


def whole_request(
    store: CandleReader,
    symbol: str,
    interval: Interval,
    start_us: int | None,
    end_us: int | None,
    *,
    now_us: int,
    fetch: bool,
    include_open: bool,
) -> CandleRequest:
    """
    Return the request with both ends of its range. Blocks.

    Without ``start_us`` it begins with the first candle stored. Without ``end_us`` it ends ``now_us``, the exchange's
    time, or with the last candle stored where nothing is to be fetched. All times are UTC microseconds.

    Raises:
        UsageError: If nothing is stored to begin with, or no candle lies in the range.
        StoreError: If the database cannot be read.
    """
    if start_us is None:
        with closing(store.iter_candles(symbol, interval)) as batches:
            first = next(batches, None)
        if not first:
            raise UsageError(f"Nothing of {symbol} is stored: say from when on you want candles.")
        start_us = first[0].open_time_us
    if end_us is None:
        newest = [] if fetch else store.candles(symbol, interval, limit=1)
        if newest:
            is_wanted = newest[-1].closed or include_open
            end_us = interval.next_open_us(newest[-1].open_time_us) if is_wanted else newest[-1].open_time_us
        elif include_open:
            end_us = interval.next_open_us(now_us)
        else:
            end_us = interval.open_time_us(now_us - PUBLISHED_US)
    request = CandleRequest(symbol, interval, start_us, end_us, fetch, include_open)
    request.check()
    return request
