"""Candles of a tape, as OANDA's REST interface answers them: bid, ask and mid of the times that had a price."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.sandbox.oanda.stream import time_text
from app.sandbox.oanda.tape import Listing, PriceColumns, PriceTape

_SECONDS = {"S": 1, "M": 60, "H": 3_600}
_DAYS = {"D": 1, "W": 7}
_DAY_US = 86_400_000_000
_MONDAY_US = 4 * _DAY_US  # 1970-01-05
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SPAN_US = 6 * 3_600_000_000
_LONGEST_SEARCH_US = 40 * _DAY_US
_LONGEST_PAST_US = 4_000 * _DAY_US
GRANULARITIES = "S5 S10 S15 S30 M1 M2 M4 M5 M10 M15 M30 H1 H2 H3 H4 H6 H8 H12 D W M".split()


def opener(granularity: str) -> Callable[[int], int]:
    """Return the function from a time to when its candle opens, on boundaries of UTC."""
    if granularity == "M":
        return _month_open_us
    length_us = _length_us(granularity)
    origin_us = _MONDAY_US if granularity == "W" else 0
    return lambda time_us: time_us - (time_us - origin_us) % length_us


def next_open_us(granularity: str, open_us: int) -> int:
    """Return when the candle after the one that opens at ``open_us`` opens."""
    if granularity == "M":
        return _month_open_us(open_us + 31 * _DAY_US)
    return open_us + _length_us(granularity)


def _length_us(granularity: str) -> int:
    """Return the length of candles that are all equally long: those of every granularity but the month."""
    if granularity in _DAYS:
        return _DAYS[granularity] * _DAY_US
    return _SECONDS[granularity[0]] * int(granularity[1:]) * 1_000_000


def candles_since(
    tape: PriceTape, listing: Listing, granularity: str, start_us: int, end_us: int, count: int, now_us: int
) -> list[dict[str, Any]]:
    """Return up to ``count`` candles that open in ``[start_us, end_us)``, oldest first."""
    opens = opener(granularity)
    begin_us = opens(start_us)
    if begin_us < start_us:
        begin_us = next_open_us(granularity, begin_us)
    bars: dict[int, _Bar] = {}
    searched_us, last_us = begin_us, begin_us
    # A stretch without prices ends the search, not a long answer.
    while len(bars) <= count and searched_us <= now_us and searched_us - last_us < _LONGEST_SEARCH_US:
        prices = tape.columns(listing.name, searched_us - 1, min(searched_us + _SPAN_US - 1, now_us))
        _add(bars, prices, granularity, opens)
        searched_us += _SPAN_US
        last_us = searched_us if len(prices.time_us) else last_us
        if opens(searched_us) >= end_us:
            break
    return [
        _candle(listing, open_us, bars[open_us], is_complete=next_open_us(granularity, open_us) <= now_us)
        for open_us in sorted(bars)
        if open_us < end_us
    ][:count]


def newest_candles(
    tape: PriceTape, listing: Listing, granularity: str, end_us: int, count: int, now_us: int
) -> list[dict[str, Any]]:
    """Return the newest ``count`` candles that open before ``end_us``, oldest first."""
    end_us = min(end_us, now_us + 1)
    step_us = next_open_us(granularity, opener(granularity)(end_us)) - opener(granularity)(end_us)
    span_us = max(_DAY_US, count * step_us * 3 // 2)
    while True:
        found = candles_since(tape, listing, granularity, end_us - span_us, end_us, 10**9, now_us)
        if len(found) >= count or span_us > _LONGEST_PAST_US or tape.last(listing.name, end_us - span_us) is None:
            return found[-count:]
        span_us *= 2


class _Side(NamedTuple):
    """Open, high, low and close."""

    o: int
    h: int
    low: int
    c: int

    def joined(self, later: _Side) -> _Side:
        return _Side(self.o, max(self.h, later.h), min(self.low, later.low), later.c)


class _Bar(NamedTuple):
    """The prices of a candle in points, of the mid twice, and their number."""

    bid: _Side
    ask: _Side
    twice_mid: _Side
    prices: int

    def joined(self, later: _Bar) -> _Bar:
        bid, ask, mid = self.bid.joined(later.bid), self.ask.joined(later.ask), self.twice_mid.joined(later.twice_mid)
        return _Bar(bid, ask, mid, self.prices + later.prices)


def _add(bars: dict[int, _Bar], prices: PriceColumns, granularity: str, opens: Callable[[int], int]) -> None:
    """Add prices that are later than those of ``bars``."""
    place, total = 0, len(prices.time_us)
    twice_mid = prices.bid + prices.ask
    while place < total:
        open_us = opens(int(prices.time_us[place]))
        end = int(np.searchsorted(prices.time_us, next_open_us(granularity, open_us)))
        bid, ask, mid = (_side(column[place:end]) for column in (prices.bid, prices.ask, twice_mid))
        made = _Bar(bid, ask, mid, end - place)
        bars[open_us] = bars[open_us].joined(made) if open_us in bars else made
        place = end


def _side(values: NDArray[np.int64]) -> _Side:
    return _Side(int(values[0]), int(values.max()), int(values.min()), int(values[-1]))


def _candle(listing: Listing, open_us: int, bar: _Bar, *, is_complete: bool) -> dict[str, Any]:
    return {
        "complete": is_complete,
        "volume": bar.prices,
        "time": time_text(open_us),
        "mid": _texts(bar.twice_mid, Decimal("0.5"), listing),
        "bid": _texts(bar.bid, Decimal(1), listing),
        "ask": _texts(bar.ask, Decimal(1), listing),
    }


def _texts(side: _Side, unit: Decimal, listing: Listing) -> dict[str, str]:
    """Return the four prices, which count ``unit`` points, as OANDA writes them."""

    def text(value: int) -> str:
        points = value * unit
        places = listing.precision + (points % 1 != 0)  # half a point, of a mid, needs one more place
        return f"{points.scaleb(-listing.precision):.{places}f}"

    return dict(zip("ohlc", map(text, side), strict=True))


def _month_open_us(time_us: int) -> int:
    at = _EPOCH + timedelta(microseconds=time_us)
    return int(at.replace(day=1, hour=0, minute=0, second=0, microsecond=0).timestamp()) * 1_000_000
