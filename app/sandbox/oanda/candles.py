"""Candles of a tape, as OANDA's REST interface answers them: bid, ask and mid of the times that had a price."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from app.sandbox.oanda.stream import time_text
from app.sandbox.oanda.tape import Listing, PriceTape, TapePrice

_SECONDS = {"S": 1, "M": 60, "H": 3_600}
_DAY_US = 86_400_000_000
_MONDAY_US = 4 * _DAY_US  # 1970-01-05
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SPAN_US = 6 * 3_600_000_000
_LONGEST_SEARCH_US = 40 * _DAY_US
GRANULARITIES = "S5 S10 S15 S30 M1 M2 M4 M5 M10 M15 M30 H1 H2 H3 H4 H6 H8 H12 D W M".split()


def opener(granularity: str) -> Callable[[int], int]:
    """Return the function from a time to when its candle opens, on boundaries of UTC."""
    if granularity == "M":
        return _month_open_us
    if granularity in ("D", "W"):
        length_us = _DAY_US * (7 if granularity == "W" else 1)
        origin_us = _MONDAY_US if granularity == "W" else 0
    else:
        length_us, origin_us = _SECONDS[granularity[0]] * int(granularity[1:]) * 1_000_000, 0
    return lambda time_us: time_us - (time_us - origin_us) % length_us


def next_open_us(granularity: str, open_us: int) -> int:
    """Return when the candle after the one that opens at ``open_us`` opens."""
    if granularity == "M":
        return _month_open_us(open_us + 31 * _DAY_US)
    opens = opener(granularity)
    step_us = _DAY_US * 7 if granularity == "W" else _DAY_US
    if granularity not in ("D", "W"):
        step_us = _SECONDS[granularity[0]] * int(granularity[1:]) * 1_000_000
    return opens(open_us + step_us)


def candles_since(
    tape: PriceTape, listing: Listing, granularity: str, start_us: int, end_us: int, count: int, now_us: int
) -> list[dict[str, Any]]:
    """Return up to ``count`` candles that open in ``[start_us, end_us)``, oldest first."""
    end_us = min(end_us, now_us + 1)
    found: list[dict[str, Any]] = []
    for open_us, prices in _grouped(tape, listing.name, granularity, start_us, end_us, now_us):
        if len(found) == count:
            break
        found.append(_candle(listing, open_us, prices, is_complete=next_open_us(granularity, open_us) <= now_us))
    return found


def newest_candles(
    tape: PriceTape, listing: Listing, granularity: str, end_us: int, count: int, now_us: int
) -> list[dict[str, Any]]:
    """Return the newest ``count`` candles that open before ``end_us``, oldest first."""
    end_us = min(end_us, now_us + 1)
    span_us = _DAY_US
    while True:
        found = candles_since(tape, listing, granularity, end_us - span_us, end_us, 10**9, now_us)
        # The first may have lost its beginning.
        if len(found) > count or span_us > 4_000 * _DAY_US or tape.last(listing.name, end_us - span_us) is None:
            return found[-count:]
        span_us *= 4


def _grouped(
    tape: PriceTape, name: str, granularity: str, start_us: int, end_us: int, now_us: int
) -> Iterator[tuple[int, list[TapePrice]]]:
    opens = opener(granularity)
    at_us = opens(start_us)
    if at_us < start_us:
        at_us = next_open_us(granularity, at_us)
    current: tuple[int, list[TapePrice]] | None = None
    searched_us = at_us
    while searched_us < now_us + 1 and searched_us - at_us < _LONGEST_SEARCH_US:
        for price in tape.prices(name, searched_us - 1, min(searched_us + _SPAN_US - 1, now_us)):
            open_us = opens(price.time_us)
            if open_us >= end_us:
                break
            at_us = searched_us  # a stretch without prices ends the search, not a long answer
            if current is None or current[0] != open_us:
                if current is not None:
                    yield current
                current = (open_us, [])
            current[1].append(price)
        searched_us += _SPAN_US
        if opens(searched_us) >= end_us:
            break
    if current is not None:
        yield current


def _candle(listing: Listing, open_us: int, prices: list[TapePrice], *, is_complete: bool) -> dict[str, Any]:
    def text(value: Decimal) -> str:
        places = listing.precision + (value % 1 != 0)  # half a point, of a mid, needs one more place
        return f"{value.scaleb(-listing.precision):.{places}f}"

    def bar(values: list[Decimal]) -> dict[str, str]:
        four = (values[0], max(values), min(values), values[-1])
        return dict(zip("ohlc", map(text, four), strict=True))

    bids, asks = ([Decimal(price[side]) for price in prices] for side in (1, 2))
    mids = [(bid + ask) / 2 for bid, ask in zip(bids, asks, strict=True)]
    return {
        "complete": is_complete,
        "volume": len(prices),
        "time": time_text(open_us),
        "mid": bar(mids),
        "bid": bar(bids),
        "ask": bar(asks),
    }


def _month_open_us(time_us: int) -> int:
    at = _EPOCH + timedelta(microseconds=time_us)
    return int(at.replace(day=1, hour=0, minute=0, second=0, microsecond=0).timestamp()) * 1_000_000
