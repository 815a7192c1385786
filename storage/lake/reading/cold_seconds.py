"""Candles of a second from a lake's days, for charts; see `app.market.ports.cold.ColdSource`."""

from __future__ import annotations

from collections.abc import Callable

from app.market.candle import Candle, CandleSource
from app.market.interval import Interval
from storage.lake.lake import Lake
from storage.lake.partition import DAY_US, LakeKind

_SECOND = Interval.parse("1s")


class ColdSeconds:
    """``open_lake`` opens the lake, once, when it is first asked; it may raise LakeError and UsageError."""

    def __init__(self, open_lake: Callable[[], Lake]) -> None:
        self._open_lake = open_lake
        self._opened: Lake | None = None

    def days(self, symbol: str) -> frozenset[int]:
        """See `app.market.ports.cold.ColdSource`."""
        return frozenset(one.start_us for one in self._lake().partitions(LakeKind.TRADES, symbol))

    def seconds(
        self,
        symbol: str,
        day_us: int,
        on_progress: Callable[[float], None],
        is_cancelled: Callable[[], bool],
    ) -> list[Candle]:
        """See `app.market.ports.cold.ColdSource`."""
        from storage.lake.reading.lake_candles import CandleProgress, LakeCandles  # here: it loads Arrow

        def show(now: CandleProgress) -> None:
            on_progress(now.rows / now.total if now.total else 0.0)

        found = list[Candle]()
        work = LakeCandles(self._lake(), symbol, [_SECOND], on_progress=show, is_cancelled=is_cancelled)
        report = work.run(lambda _, candles: found.extend(candles), day_us, day_us + DAY_US)
        if report.is_cancelled:
            return []
        return [one._replace(source=CandleSource.AGGTRADES) for one in found if one.complete]

    def _lake(self) -> Lake:
        if self._opened is None:
            self._opened = self._open_lake()
        return self._opened
