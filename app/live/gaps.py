"""When the missing trades would have happened: the times of their neighbours, for bands on the chart."""

from __future__ import annotations

import asyncio
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
                times = await asyncio.to_thread(_neighbours, store, gap)
                if times is not None:
                    self._known[gap] = TimedGap(gap, *times)
        return [self._known[gap] for gap in gaps if gap in self._known]


def _neighbours(store: CandleStore, gap: TradeGap) -> tuple[int, int] | None:
    before = store.trades(gap.symbol, gap.first_trade_id - 1, gap.first_trade_id - 1)
    after = store.trades(gap.symbol, gap.last_trade_id + 1, gap.last_trade_id + 1)
    return (before[0].time_us, after[0].time_us) if before and after else None
