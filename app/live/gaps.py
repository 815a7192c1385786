"""When the missing trades would have happened: the times of their neighbours, for bands on the chart."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import NamedTuple

from app.live.tracker import SymbolTracker
from app.market.coverage import TradeGap
from app.market.ports import CandleStore

MOST_GAPS = 100


class TimedGap(NamedTuple):
    """A gap between the trades just before and just after it (UTC microseconds)."""

    gap: TradeGap
    start_us: int
    end_us: int


class GapTimes:
    """Finds the times of gaps in the database, once each."""

    def __init__(self) -> None:
        self._known: dict[TradeGap, TimedGap] = {}

    async def of(self, tracker: SymbolTracker, store: CandleStore) -> list[TimedGap]:
        """
        Return the newest gaps of the symbol with their times, oldest first; one whose neighbours are not stored yet
        comes at a later call.

        Raises:
            StoreError: If the database cannot be read.
        """
        gaps = tracker.gaps()[-MOST_GAPS:]
        for gap in gaps:
            if gap not in self._known:
                neighbours = tracker.neighbours(gap)
                times = await asyncio.to_thread(_times, store, gap.symbol, neighbours) if neighbours else None
                if times is not None:
                    self._known[gap] = TimedGap(gap, *times)
        return [self._known[gap] for gap in gaps if gap in self._known]


def ids_in_view(gaps: Iterable[TimedGap], start_us: int, end_us: int) -> list[tuple[int, int]]:
    """
    Return the missing ids that the times ``[start_us, end_us)`` show, newest first; trades of a gap that lies only in
    part in view are taken to be spread evenly over it.
    """
    ranges = []
    for one in gaps:
        low_us, high_us = max(one.start_us, start_us), min(one.end_us, end_us)
        if low_us > high_us or end_us <= start_us:
            continue
        length_us = max(one.end_us - one.start_us, 1)
        first = one.gap.first_trade_id + (low_us - one.start_us) * one.gap.missing // length_us
        last = one.gap.last_trade_id - (one.end_us - high_us) * one.gap.missing // length_us
        ranges.append((min(first, last), max(first, last)))
    return ranges[::-1]


def _times(store: CandleStore, symbol: str, ids: tuple[int, int]) -> tuple[int, int] | None:
    before, after = (store.trades(symbol, one, one) for one in ids)
    return (before[0].time_us, after[0].time_us) if before and after else None
