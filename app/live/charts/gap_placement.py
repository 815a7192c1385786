"""
Where missing trades would have happened, for bands on the chart: between the candles of what was traded around them.

The ids of those candles tell it. So a view costs one query of a bounded number of candles, whatever is missing in it,
needs no trade beside a gap, which may be long dropped, and has a place for every gap.
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
    ``missing`` trades from one id to another, inclusive, between the beginning of the candle with the trade before and
    the end of that with the trade after (UTC microseconds). Where several gaps lie between the same two candles they
    are one.
    """

    first_trade_id: int
    last_trade_id: int
    missing: int
    start_us: int
    end_us: int


def interval_of_view(interval: Interval, start_us: int, end_us: int) -> Interval:
    """Return the chart's interval, or where a view has too many candles of it the next of the menu that has fewer."""
    shortest_us = (end_us - start_us) // _MOST_CANDLES
    if interval.length_us >= shortest_us:
        return interval
    return next((one for one in MENU_INTERVALS if one.length_us >= shortest_us), MENU_INTERVALS[-1])


def placed(missing: IdRanges, candles: Sequence[Candle], interval: Interval) -> list[PlacedGap]:
    """
    Return the gaps that lie between two of the candles, or in one of them, oldest first.

    ``candles``: those with trades of a stretch of time, of this interval and in its order, with their ids.
    """
    if not candles or not missing:
        return []
    # Where times and ids disagree, the ids of candles overlap by a few.
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
    Return the ids that the times ``[start_us, end_us)`` lack, newest first; trades of a gap that lies only in part in
    view are taken to be spread evenly over it.
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
