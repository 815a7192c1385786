"""What of a page of candles must be asked of the exchange, in as few requests as will do. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from app.market.candle import Candle
from app.market.coverage import IdRanges
from app.market.interval import Interval, kline_interval_for

_ROWS = 1000
MOST_REQUESTS = 24


class Plan(NamedTuple):
    """
    Requests as ``[start_us, end_us)`` of whole candles, oldest first; ``first``: the lowest slot that is not given up,
    because what lies before would take too many of them.
    """

    requests: list[tuple[int, int]]
    first: int


def missing_slots(interval: Interval, first: int, last: int, candles: Iterable[Candle], fetched: IdRanges) -> list[int]:
    """
    Return the slots of ``first`` to ``last``, rising, of which the exchange can tell more than ``candles`` do.

    Closed and complete candles need no more, and neither do times of which the exchange's klines are known already.
    """
    slot, open_us = interval.slot, interval.slot_open_us
    enough = {slot(candle.open_time_us) for candle in candles if candle.closed and candle.complete}
    return [
        at for at in range(first, last + 1) if at not in enough and fetched.missing(open_us(at), open_us(at + 1) - 1)
    ]


def plan(interval: Interval, first: int, slots: Sequence[int]) -> Plan:
    """Return the requests for these slots, rising, the newest where there are too many; a page begins at ``first``."""
    offered = kline_interval_for(interval)
    per_candle = max(1, round(interval.length_us / offered.length_us))
    at_once = max(1, _ROWS // per_candle)
    pages_each = -(-per_candle // _ROWS)
    spans: list[tuple[int, int]] = []
    for slot in slots:
        if spans and slot < spans[-1][0] + at_once:
            spans[-1] = spans[-1][0], slot
        else:
            spans.append((slot, slot))
    most = max(1, MOST_REQUESTS // pages_each)
    if len(spans) > most:
        spans = spans[-most:]
        first = spans[0][0]
    return Plan([(interval.slot_open_us(begin), interval.slot_open_us(end + 1)) for begin, end in spans], first)
