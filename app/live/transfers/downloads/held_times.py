"""
Times whose trades or klines are stored. A download's plan and its forecast follow from them.

Trades prove themselves by ids, which have no times: those of the trades at the ends of each run of ids are looked up.
All functions block, and may raise StoreError. Times are UTC microseconds.
"""

from __future__ import annotations

from typing import Protocol

from app.market.coverage import IdRanges
from app.market.interval import Interval, kline_interval_for
from app.market.ports.storage import CandleReader, CoverageStore, FetchedTrades, KlineStore, TradeReader

_DAY = Interval.parse("1d")
_MOST_RANGES = 1_000  # of a badly damaged database, whose times are looked up one by one


class TradeTimesStore(CandleReader, CoverageStore, TradeReader, Protocol):
    """The store roles that know the times of trades."""


class TimesStore(TradeTimesStore, FetchedTrades, KlineStore, Protocol):
    """The store roles that know what a download need not fetch."""


def known_times(store: TimesStore, symbol: str, interval: Interval | None, start_us: int, end_us: int) -> IdRanges:
    """Return the times whose trades are all stored; of an interval, those whose klines are."""
    if interval is not None:
        return IdRanges(store.fetched_klines(symbol, kline_interval_for(interval)))
    return store.fetched_trades(symbol) | held_times(store, symbol, start_us, end_us)


def held_times(store: TradeTimesStore, symbol: str, start_us: int, end_us: int) -> IdRanges:
    """Return the times between the first and the last trade of each range of ids that is held without a hole."""
    window = _id_window(store, symbol, start_us, end_us)
    times = IdRanges()
    if window is None:
        return times
    coverage = store.coverage(symbol)
    for one, _ in coverage.within(*window)[:_MOST_RANGES]:
        held = coverage.range_of(one)
        assert held is not None
        first_us, last_us = (_time_of(store, symbol, trade_id) for trade_id in held)
        if first_us is not None and last_us is not None and last_us - first_us > 1:
            times.add_range(first_us + 1, last_us - 1)
    return times


def gaps_between(store: TradeTimesStore, symbol: str, start_us: int, end_us: int) -> list[tuple[int, int]]:
    """Return the ids that are missing between two stored trades of that time, as inclusive ranges."""
    window = _id_window(store, symbol, start_us, end_us)
    if window is None:
        return []
    gaps = []
    for first, last in store.coverage(symbol).missing(*window)[:_MOST_RANGES]:
        before_us, after_us = _time_of(store, symbol, first - 1), _time_of(store, symbol, last + 1)
        if before_us is not None and after_us is not None and start_us <= before_us and after_us < end_us:
            gaps.append((first, last))
    return gaps


def _id_window(store: TradeTimesStore, symbol: str, start_us: int, end_us: int) -> tuple[int, int] | None:
    """Return the lowest and the highest id stored of the days that the times lie in, and of those beside them."""
    found = store.traded_candles(symbol, _DAY, start_us, end_us)
    firsts = [one.first_trade_id for one in found if one.first_trade_id is not None]
    lasts = [one.last_trade_id for one in found if one.last_trade_id is not None]
    return (min(firsts), max(lasts)) if firsts and lasts else None


def _time_of(store: TradeTimesStore, symbol: str, trade_id: int) -> int | None:
    """Return the time of a stored trade; None if it was dropped, or never stored."""
    trades = store.trades(symbol, trade_id, trade_id)
    return trades[0].time_us if trades else None
