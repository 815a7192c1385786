"""
The complete years of a symbol's klines, and their rows by time.

A year is complete when the exchange was asked for all of it, or had not listed the symbol before, and none of its
candles is a sum of aggregated trades.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pyarrow as pa
from psycopg import sql

from app.market.interval import Interval
from app.market.symbol import broker_of, has_trades
from storage.candles import klines
from storage.candles.column_query import kline_columns
from storage.lake.parquet_part import lake_schema
from storage.lake.partition import LakeKind, Partition
from storage.lake.trade_days import Candidate, symbols_with
from storage.postgres.pool import ConnectionPool
from storage.postgres.symbol_ids import symbol_id_of

_SLOTS = 32_768  # read at a time
_YEARS = sql.SQL(
    """
    SELECT seconds, months, extract(year FROM open_time AT TIME ZONE 'UTC')::integer AS year, count(*),
        bool_and(source = 'kline')
    FROM klines WHERE symbol_id = %s GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    """
)


class KlineYears:
    """The years of klines of a database, for a push."""

    kind = LakeKind.CANDLES

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool

    def symbols(self) -> list[str]:
        """Return the symbols that have klines, sorted. Raises StoreError."""
        return symbols_with(self._pool, "klines")

    def candidates(self, symbol: str) -> list[Candidate]:
        """Return the symbol's years of each interval, oldest first; none without klines. Raises StoreError."""
        if not has_trades(symbol):
            return []
        found = []
        with self._pool.borrowed("look which klines are complete") as connection:
            symbol_id = symbol_id_of(connection, symbol)
            every = klines.fetched_ranges(connection, symbol_id, klines.EVERY_INTERVAL)
            for seconds, months, year, rows, are_published in connection.execute(_YEARS, (symbol_id,)).fetchall():
                interval = Interval(seconds, months)
                partition = Partition(LakeKind.CANDLES, symbol, f"{year:04d}", interval.name)
                known = klines.fetched_ranges(connection, symbol_id, interval) | every
                reason = ""
                if known.missing(partition.start_us, partition.end_us - 1):
                    reason = "not all of its klines were fetched"
                elif not are_published:
                    reason = "it has candles of aggregated trades"
                found.append(Candidate(partition, int(rows), reason, "as published"))
        return found

    def batches(self, candidate: Candidate) -> Generator[Any, None, None]:
        """Yield a complete year's candles by time, as RecordBatches; it holds a connection until it is closed."""
        partition, schema = candidate.partition, lake_schema(LakeKind.CANDLES)
        interval = Interval.parse(partition.interval)
        with self._pool.borrowed("read klines") as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            symbol_id = symbol_id_of(connection, partition.symbol)
            assert symbol_id is not None
            first, last = interval.slot(partition.start_us), interval.slot(partition.end_us - 1)
            for slot in range(first, last + 1, _SLOTS):
                start_us = max(interval.slot_open_us(slot), partition.start_us)
                end_us = min(interval.slot_open_us(slot + _SLOTS), partition.end_us)
                rows = kline_columns(connection, symbol_id, interval, start_us, end_us)
                if rows.num_rows:
                    columns = [rows.column("open_time").view(pa.timestamp("us")), *rows.columns[1:]]
                    yield pa.RecordBatch.from_arrays(columns, schema=schema)

    def source(self, symbol: str) -> str:
        """Return who published the klines."""
        return broker_of(symbol)
