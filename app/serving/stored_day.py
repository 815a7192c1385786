"""The rolling 24 hours of a symbol, from stored candles of a minute: they begin at a whole minute."""

from __future__ import annotations

from typing import NamedTuple

from app.market.candle import combine
from app.market.interval import Interval
from app.market.ports.database import SeparateStore
from app.market.trade import DayTicker
from app.market.units import E8
from app.sandbox.source import RollingDay

_DAY_US = 86_400_000_000
_MINUTE = Interval.parse("1m")


class StoredDay(NamedTuple):
    """``is_complete``: no candle in it is missing or lacks trades."""

    day: RollingDay
    is_complete: bool


def stored_day(store: SeparateStore, symbol: str, now_us: int) -> StoredDay | None:
    """
    Return the 24 hours before ``now_us``, None if no trades of them are stored.

    Raises:
        StoreError: If they cannot be read.
    """
    begin_us = _MINUTE.open_time_us(now_us - _DAY_US)
    candles = store.candles(symbol, _MINUTE, start_us=begin_us)
    last = store.nearest_trade(symbol, now_us + 1, before=True)
    if not candles or last is None:
        return None
    before = store.candles(symbol, _MINUTE, end_us=begin_us, limit=1)
    whole = combine(begin_us, candles)
    ticker = DayTicker(
        symbol,
        now_us,
        whole.open_e8,
        whole.high_e8,
        whole.low_e8,
        whole.close_e8,
        whole.volume_e8,
        whole.quote_volume_e16 // E8,
    )
    first_id, last_id = whole.first_trade_id, whole.last_trade_id
    day = RollingDay(
        ticker,
        begin_us,
        whole.trades,
        -1 if first_id is None else first_id,
        -1 if last_id is None else last_id,
        before[-1].close_e8 if before else whole.open_e8,
        last.quantity_e8,
    )
    return StoredDay(day, candles[0].open_time_us == begin_us and all(one.complete for one in candles[:-1]))
