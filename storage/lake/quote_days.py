"""
The complete days of a symbol's quotes, and their rows by time.

Quotes have no ids. A day is complete when all of its open time was recorded or fetched. Its completeness is `sampled`
or `as published`, by the broker. A day on which the market is closed is complete without a quote.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from typing import Any

import pyarrow as pa

from app.market.calendar.calendar import Calendar
from app.market.coverage import IdRanges
from app.market.errors import StoreError
from app.market.interval import Interval
from app.market.quote_candles.side_candles import known_times
from app.market.symbol import broker_of, has_trades
from storage.lake.parquet_part import lake_schema
from storage.lake.partition import DAY_US, LakeKind, Partition, day_text
from storage.lake.trade_days import Candidate, symbols_with
from storage.postgres.pool import ConnectionPool
from storage.quotes.tick_store import TickStore

_DAY = Interval.parse("1d")
_SAMPLED = {"oanda"}  # sends at most some prices a second; see docs/brokers.md


def judged_days(symbol: str, ticks_on: Mapping[int, int], fetched: IdRanges, calendar: Calendar) -> list[Candidate]:
    """
    Return every day from the first to the last that has quotes. Pure.

    ``ticks_on``: the number of quotes by the day's start. ``fetched``: the times, UTC microseconds, whose quotes are
    all known.
    """
    found = []
    for day_us in range(min(ticks_on), max(ticks_on) + 1, DAY_US) if ticks_on else ():
        missing = known_times(calendar, fetched, day_us, day_us + DAY_US).missing(day_us, day_us + DAY_US - 1)
        minutes = sum(last - first + 1 for first, last in missing) // 60_000_000
        reason = f"{max(minutes, 1):,} minutes of its open time were not fetched" if missing else ""
        partition = Partition(LakeKind.QUOTES, symbol, day_text(day_us))
        completeness = "sampled" if broker_of(symbol) in _SAMPLED else "as published"
        found.append(Candidate(partition, ticks_on.get(day_us, 0), reason, completeness))
    return found


class QuoteDays:
    """The days of quotes of a database, for a push. ``calendar_of`` returns when a symbol's market is open."""

    kind = LakeKind.QUOTES

    def __init__(self, pool: ConnectionPool, calendar_of: Callable[[str], Calendar]) -> None:
        self._pool = pool
        self._ticks = TickStore(pool)
        self._calendar_of = calendar_of

    def symbols(self) -> list[str]:
        """Return the symbols that have quotes, sorted. Raises StoreError."""
        return symbols_with(self._pool, "quote_rollup_1d")

    def candidates(self, symbol: str) -> list[Candidate]:
        """Return the symbol's days, oldest first; none without quotes. Raises StoreError."""
        if has_trades(symbol):
            return []
        fetched = self._ticks.fetched_ticks(symbol)  # before the quotes: times are noted with or after them
        ticks_on = dict[int, int]()
        with closing(self._ticks.iter_tick_candles(symbol, _DAY)) as parts:
            for part in parts:
                ticks_on |= {candle.open_time_us: candle.ticks for candle in part}
        if not ticks_on:
            return []
        kept_from_us = self._ticks.kept_ticks_from() or 0
        found = judged_days(symbol, ticks_on, fetched, self._calendar_of(symbol))
        return [self._without_dropped(one, kept_from_us) for one in found]

    def batches(self, candidate: Candidate) -> Generator[Any, None, None]:
        """
        Yield a complete day's quotes by time, as RecordBatches; it holds a connection until it is closed.

        Raises:
            StoreError: If the database cannot be read, or has fewer quotes than its candles count.
        """
        partition, schema = candidate.partition, lake_schema(LakeKind.QUOTES)
        rows = 0
        with closing(self._ticks.iter_tick_columns(partition.symbol, partition.start_us, partition.end_us)) as pages:
            for page in pages:
                rows += page.num_rows
                columns = [page.column("time").view(pa.timestamp("us")), *page.columns[1:]]
                yield pa.RecordBatch.from_arrays(columns, schema=schema)
        if rows < (candidate.rows or 0):
            raise StoreError(
                f"{partition.symbol} has fewer quotes on {partition.period} than its candles count: "
                "cryptopipe db verify compares them."
            )

    def source(self, symbol: str) -> str:
        """Return who published the quotes."""
        return broker_of(symbol)

    def _without_dropped(self, candidate: Candidate, kept_from_us: int) -> Candidate:
        partition = candidate.partition
        if candidate.reason or not candidate.rows or partition.start_us >= kept_from_us:
            return candidate
        if self._ticks.count_ticks(partition.symbol, partition.start_us, partition.end_us) == candidate.rows:
            return candidate
        return candidate._replace(reason="quotes of it were dropped by db retention")
