"""
Places gaps in time, for the chart's bands: a gap lies between the candles of the trades around it. Pure.

The ids of those candles decide. So a view costs one query for a bounded number of candles, however many gaps it has,
and needs no stored trade next to a gap, which retention may have dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from app.market.candle import Candle
from app.market.coverage import IdRanges
from app.market.interval import MENU_INTERVALS, Interval

_MOST_CANDLES = 2_000


class PlacedGap(NamedTuple):
    """
    One or more gaps between the same two candles, with the trade before and the trade after.

    ``missing``: the number of missing trades between the two ids, both inclusive. ``start_us``: when the first candle
    opens; ``end_us``: when the second one ends (UTC microseconds).
    """

    first_trade_id: int
    last_trade_id: int
    missing: int
    start_us: int
    end_us: int


def interval_of_view(interval: Interval, start_us: int, end_us: int) -> Interval:
    """Return the chart's interval, or the next of the menu that gives the view few enough candles."""
    shortest_us = (end_us - start_us) // _MOST_CANDLES
    if interval.length_us >= shortest_us:
        return interval
    return next((one for one in MENU_INTERVALS if one.length_us >= shortest_us), MENU_INTERVALS[-1])


def placed(missing: IdRanges, candles: Sequence[Candle], interval: Interval) -> list[PlacedGap]:
    """
    Return the gaps between two of the candles, or in one of them, oldest first.

    ``missing``: trade ids. ``candles``: all candles with trades of some time, with ids, oldest first, of ``interval``.
    """
    if not candles or not missing:
        return []
    # If trade times and ids disagree, the ids of adjacent candles overlap by a few; the search needs rising ids.
    first_ids = np.array([candle.first_trade_id for candle in candles], dtype=np.int64)
    last_ids = np.array([candle.last_trade_id for candle in candles], dtype=np.int64)
    first_ids, last_ids = np.minimum.accumulate(first_ids[::-1])[::-1], np.maximum.accumulate(last_ids)
    firsts, lasts = missing.columns()
    before = np.searchsorted(first_ids, firsts) - 1
    after = np.searchsorted(last_ids, lasts, side="right")
    inside = (before >= 0) & (after < len(candles))
    firsts, lasts, before, after = firsts[inside], lasts[inside], before[inside], after[inside]
    if not len(firsts):
        return []
    starts = np.flatnonzero(np.concatenate(([True], (np.diff(before) != 0) | (np.diff(after) != 0))))
    ends = np.concatenate((starts[1:], [len(firsts)])) - 1
    return [
        PlacedGap(
            first, last, number, candles[left].open_time_us, interval.next_open_us(candles[right].open_time_us) - 1
        )
        for first, last, number, left, right in zip(
            firsts[starts].tolist(),
            lasts[ends].tolist(),
            np.add.reduceat(lasts - firsts + 1, starts).tolist(),
            before[starts].tolist(),
            after[starts].tolist(),
            strict=True,
        )
    ]


def ids_in_view(gaps: Iterable[PlacedGap], start_us: int, end_us: int) -> list[tuple[int, int]]:
    """
    Return the missing ids of ``[start_us, end_us)``, as inclusive ranges, newest first.

    The trades of a gap that lies only partly in view are taken to be evenly spread over its time.
    """
    ranges = []
    for gap in gaps:
        low_us, high_us = max(gap.start_us, start_us), min(gap.end_us, end_us)
        if low_us > high_us or end_us <= start_us:
            continue
        ids, length_us = gap.last_trade_id - gap.first_trade_id + 1, max(gap.end_us - gap.start_us, 1)
        first = gap.first_trade_id + (low_us - gap.start_us) * ids // length_us
        last = gap.last_trade_id - (gap.end_us - high_us) * ids // length_us
        ranges.append((min(first, last), max(first, last)))
    return ranges[::-1]
