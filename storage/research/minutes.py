"""Reads the stored candles of a minute, of which rolling windows are made, as exports do."""

from __future__ import annotations

from contextlib import closing
from typing import Any, NamedTuple

import numpy as np

from app.market.columns.arrow import arrow
from app.market.columns.candle_columns import columns_of, open_times
from app.market.columns.rolling import MINUTE_US
from app.market.interval import Interval
from app.market.ports.storage import CandleReader

_MINUTE = Interval.parse("1m")
_FIRST = 1_000  # slots searched at a time for the first candle


class MinuteRange(NamedTuple):
    """From the open of the first closed minute stored to the end of the last; UTC microseconds."""

    first_us: int
    end_us: int


def stored_range(store: CandleReader, symbol: str) -> MinuteRange | None:
    """Return the range of the closed minutes of a symbol; None if it has none. Raises StoreError."""
    newest = store.candles(symbol, _MINUTE, limit=2)
    with closing(store.iter_candles(symbol, _MINUTE, batch=_FIRST)) as parts:
        oldest = next(parts, None)
    # A minute that another follows is closed.
    closed = newest if newest and newest[-1].closed else newest[:-1]
    if not oldest or not closed:
        return None
    return MinuteRange(oldest[0].open_time_us, closed[-1].open_time_us + MINUTE_US)


def read_minutes(store: CandleReader, symbol: str, start_us: int, end_us: int) -> Any:
    """Return the minutes that open in a range as one batch of candle columns. Raises StoreError."""
    if start_us >= end_us:
        return columns_of([])
    with closing(store.iter_candle_columns(symbol, _MINUTE, start_us=start_us, end_us=end_us)) as parts:
        batches = [one for one in parts if one.num_rows]
    if not batches:
        return columns_of([])
    return arrow().Table.from_batches(batches).combine_chunks().to_batches()[0]


def between(minutes: Any, start_us: int, end_us: int) -> Any:
    """Return the minutes of a batch that open in a range."""
    begin, end = np.searchsorted(open_times(minutes), (start_us, end_us)).tolist()
    return minutes.slice(begin, end - begin)
