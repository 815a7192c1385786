"""A loader that stores nothing: it judges the rows of files as far as that takes no database."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from app.market.aggregated_trades import MINUTE
from app.market.candle import Candle
from app.market.comparison import FieldDifference
from app.market.coverage import IdRanges
from app.market.interval import Interval
from app.market.ports.loading import LoadResult, PreparedLoad, RefusedPlace
from app.market.ports.row_files import TradeBatch
from app.market.quotes.side_candle import SideCandle
from app.market.quotes.tick import PriceSide
from app.market.quotes.tick_columns import TickColumns
from storage.loading.candle_batches import fault
from storage.loading.side_candle_batches import faults_of
from storage.loading.tick_batches import storable
from storage.loading.trade_batches import PreparedTrades, prepared
from storage.postgres import batch_columns


class DryRunLoader:
    """A `app.market.ports.loading.BulkLoader`; what it counts as stored would be, unless the database has it."""

    def __init__(self) -> None:
        self._seen: dict[str, IdRanges] = {}
        self._open_times: dict[tuple[str, Interval], set[int]] = {}
        self._side_times: dict[tuple[str, Interval, PriceSide], set[int]] = {}
        self._tick_times: dict[tuple[str, int], IdRanges] = {}  # by symbol and place

    def prepare(self, batch: TradeBatch) -> PreparedTrades:
        """See `app.market.ports.loading.BulkLoader`."""
        return prepared(batch, 0, is_stored=False)

    def load(self, batch: PreparedLoad) -> LoadResult:
        """Note the ids; those that came before count as held."""
        assert isinstance(batch, PreparedTrades)
        runs = batch_columns.id_runs(batch.columns.trade_id)
        before = self._seen.setdefault(batch.symbol, IdRanges())
        known = before.count()
        self._seen[batch.symbol] = before | IdRanges(runs)
        stored = self._seen[batch.symbol].count() - known
        return LoadResult(stored, batch.rows - stored - len(batch.refused), batch.refused)

    def load_candles(
        self, symbol: str, interval: Interval, candles: Sequence[Candle], *, published: bool
    ) -> LoadResult:
        """Note the open times; those that came before count as held."""
        del published
        faults = [RefusedPlace(at, reason) for at, one in enumerate(candles) if (reason := fault(one, interval))]
        faulty = {one.place for one in faults}
        before = self._open_times.setdefault((symbol, interval), set())
        known = len(before)
        before.update(one.open_time_us for at, one in enumerate(candles) if at not in faulty)
        stored = len(before) - known
        return LoadResult(stored, len(candles) - stored - len(faults), tuple(faults))

    def load_aggregated(self, symbol: str, minutes: Sequence[Candle]) -> set[int]:
        """Return the open times that did not come before."""
        before = self._open_times.setdefault((symbol, MINUTE), set())
        fresh = {one.open_time_us for one in minutes} - before
        before |= fresh
        return fresh

    def load_ticks(self, ticks: TickColumns, fetched: tuple[int, int] | None = None) -> LoadResult:
        """Note the times and places; those that came before count as held."""
        del fetched
        fit, refused = storable(ticks)
        stored = 0
        for place in np.unique(ticks.place[fit]).tolist():
            before = self._tick_times.setdefault((ticks.symbol, place), IdRanges())
            times_us = np.unique(ticks.time_us[fit & (ticks.place == place)])
            now = self._tick_times[ticks.symbol, place] = before | IdRanges.of_columns(times_us, times_us)
            stored += now.count() - before.count()
        return LoadResult(stored, len(ticks) - stored - len(refused), tuple(refused))

    def load_side_candles(
        self, symbol: str, interval: Interval, side: PriceSide, candles: Sequence[SideCandle]
    ) -> LoadResult:
        """Note the open times; those that came before count as held."""
        faults = faults_of(candles, interval)
        faulty = {one.place for one in faults}
        before = self._side_times.setdefault((symbol, interval, side), set())
        known = len(before)
        before.update(one.open_time_us for place, one in enumerate(candles) if place not in faulty)
        stored = len(before) - known
        return LoadResult(stored, len(candles) - stored - len(faults), tuple(faults))

    def held(self, symbol: str, first_id: int, last_id: int) -> IdRanges:
        """Return the ids that came, from the first to the last."""
        return IdRanges(self._seen.get(symbol, IdRanges()).within(first_id, last_id))

    def kline_differences(self, symbol: str, start_us: int, end_us: int) -> list[FieldDifference]:
        """Return none: it has no klines."""
        del symbol, start_us, end_us
        return []

    def finish(self) -> None:
        """Do nothing."""

    def abort(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""
