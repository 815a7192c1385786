"""
The complete days of a symbol's trades, and their rows in the order of their ids.

A day is complete when the trades before and after it are known and none between them is missing; or when a download or
a lake brought all trades of its time. A day without trades may be complete, too.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from psycopg import sql

from app.market.coverage import IdRanges
from app.market.errors import StoreError
from app.market.stored_symbol import DAY_US, DayTrades
from app.market.symbol import broker_of
from storage.candles import klines
from storage.candles.trade_columns import trade_pages
from storage.lake.parquet_part import lake_schema
from storage.lake.partition import LakeKind, Partition, day_text
from storage.postgres.connection import Connection
from storage.postgres.pool import ConnectionPool
from storage.postgres.symbol_ids import symbol_id_of
from storage.postgres.text_columns import text_columns
from storage.rollups.levels import LEVELS
from storage.rollups.time_sql import microseconds
from storage.schema import id_ranges
from storage.schema.retention_record import trades_kept_from

_DAYS = sql.SQL(
    "SELECT {open_us}, first_trade_id, last_trade_id, trades FROM {days} WHERE symbol_id = %s ORDER BY open_time"
).format(open_us=microseconds("open_time"), days=sql.Identifier(LEVELS[-1].table))

_IN_DAY = """
    symbol_id = %(symbol_id)s AND {time} >= timestamptz 'epoch' + %(start_us)s * interval '1 microsecond'
        AND {time} < timestamptz 'epoch' + %(end_us)s * interval '1 microsecond'
"""
_TRADES_IN_DAY = sql.SQL(_IN_DAY).format(time=sql.Identifier("time"))
_COUNT = sql.SQL("SELECT count(*) FROM trades WHERE {in_day}").format(in_day=_TRADES_IN_DAY)
# If each minute's ids follow the minute before, ids and times differ in order within a page at most.
_IS_IN_ORDER = sql.SQL(
    """
    SELECT coalesce(bool_and(first_trade_id > before), true) FROM (
        SELECT first_trade_id, lag(last_trade_id) OVER (ORDER BY open_time) AS before FROM rollup_1m WHERE {in_day}
    ) AS minutes
    """
).format(in_day=sql.SQL(_IN_DAY).format(time=sql.Identifier("open_time")))
_BY_ID = sql.SQL(
    """
    SELECT trade_id, time, price, quantity, is_buyer_maker FROM trades WHERE {in_day} AND trade_id > %(after)s
    ORDER BY trade_id LIMIT %(limit)s
    """
).format(in_day=_TRADES_IN_DAY)
_HAVING = sql.SQL("SELECT symbol FROM symbols s WHERE EXISTS (SELECT FROM {table} WHERE symbol_id = s.id)")
_BY_ID_FIELDS = ("trade_id", "time", "price", "quantity", "is_buyer_maker")
_PAGE = 65_536


class Candidate(NamedTuple):
    """
    A partition that may be pushed. ``rows``: their number, None if it is not known beforehand.

    ``reason``: why it is not complete, as a clause; empty if it is. ``completeness``, ``absent``: see
    `storage.lake.manifest.Manifest`.
    """

    partition: Partition
    rows: int | None
    reason: str = ""
    completeness: str = "complete"
    absent: tuple[tuple[int, int], ...] = ()


def symbols_with(pool: ConnectionPool, table: str) -> list[str]:
    """Return the symbols that have rows in that table, sorted. Raises StoreError."""
    with pool.borrowed("read the symbols") as connection:
        return sorted(name for (name,) in connection.execute(_HAVING.format(table=sql.Identifier(table))))


def judged_days(
    symbol: str, days: Sequence[DayTrades], covered: IdRanges, absent: IdRanges, fetched: IdRanges
) -> Iterator[Candidate]:
    """
    Yield every day from the first to the last that has trades. Pure.

    ``days``: the days with trades, rising. ``covered``: the ids that are not missing; ``absent``: the covered ids that
    do not exist. ``fetched``: the times, UTC microseconds, whose trades were all fetched.
    """
    for at, day in enumerate(days):
        before = days[at - 1] if at else None
        after = days[at + 1] if at + 1 < len(days) else None
        absent_from = day.first_trade_id if before is None else before.last_trade_id + 1
        yield Candidate(
            Partition(LakeKind.TRADES, symbol, day_text(day.day_us)),
            day.trades,
            _lack(day, before, after, covered, _is_fetched(fetched, day.day_us)),
            absent=tuple(absent.within(min(absent_from, day.first_trade_id), day.last_trade_id)),
        )
        if after is not None:
            is_joined = _are_joined(covered, day, after)
            for day_us in range(day.day_us + DAY_US, after.day_us, DAY_US):
                is_known = is_joined or _is_fetched(fetched, day_us)
                reason = "" if is_known else "trades are missing around it"
                yield Candidate(Partition(LakeKind.TRADES, symbol, day_text(day_us)), 0, reason)


def _lack(
    day: DayTrades, before: DayTrades | None, after: DayTrades | None, covered: IdRanges, is_fetched: bool
) -> str:
    """Return why the day is not complete, as a clause; empty if it is."""
    missing = sum(last - first + 1 for first, last in covered.missing(day.first_trade_id, day.last_trade_id))
    if missing:
        return "1 trade in it is missing" if missing == 1 else f"{missing:,} trades in it are missing"
    if is_fetched:
        return ""
    if before is None:
        if day.first_trade_id > 1:
            return "the trades before it are not known"
    elif not _are_joined(covered, before, day):
        return "trades are missing between the day before and it"
    if after is None:
        return "no trade after it is known yet"
    return "" if _are_joined(covered, day, after) else "trades are missing between it and the day after"


def _are_joined(covered: IdRanges, earlier: DayTrades, later: DayTrades) -> bool:
    run = covered.range_of(earlier.last_trade_id)
    return run is not None and run[0] <= later.first_trade_id <= run[1]


def _is_fetched(fetched: IdRanges, day_us: int) -> bool:
    return not fetched.missing(day_us, day_us + DAY_US - 1)


class TradeDays:
    """The days of trades of a database, for a push. Any thread may use it, each call on a connection of its own."""

    kind = LakeKind.TRADES

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool

    def symbols(self) -> list[str]:
        """Return the symbols that have trades, sorted. Raises StoreError."""
        return symbols_with(self._pool, "coverage")

    def candidates(self, symbol: str) -> list[Candidate]:
        """Return the symbol's days, oldest first; none without trades. Raises StoreError."""
        with self._pool.borrowed("look which days are complete") as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            symbol_id = symbol_id_of(connection, symbol)
            if symbol_id is None:
                return []
            days = [DayTrades(*map(int, row)) for row in connection.execute(_DAYS, (symbol_id,))]
            if not days:
                return []
            covered = id_ranges.read(connection, id_ranges.COVERAGE, symbol_id)
            absent = id_ranges.read(connection, id_ranges.ABSENT, symbol_id)
            fetched = klines.fetched_ranges(connection, symbol_id, klines.EVERY_TRADE)
            found = list(judged_days(symbol, days, covered, absent, fetched))
            kept_from_us = trades_kept_from(connection)
            if kept_from_us is None:
                return found
            return [self._without_dropped(connection, symbol_id, one, kept_from_us) for one in found]

    def batches(self, candidate: Candidate) -> Generator[Any, None, None]:
        """
        Yield a complete day's trades by id, as RecordBatches; the iterator holds a connection until it is closed.

        Raises:
            StoreError: If the database cannot be read, or its trades differ from the count of its candles.
        """
        partition = candidate.partition
        rows = 0
        with self._pool.borrowed("read trades") as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            symbol_id = symbol_id_of(connection, partition.symbol)
            assert symbol_id is not None
            values = {"symbol_id": symbol_id, "start_us": partition.start_us, "end_us": partition.end_us}
            row = connection.execute(_IS_IN_ORDER, values).fetchone()
            if row == (True,):
                batches = _by_id(
                    trade_pages(connection, partition.symbol, symbol_id, partition.start_us, partition.end_us)
                )
            else:
                batches = map(_lake_rows, _pages_by_id(connection, values))
            for batch in batches:
                rows += batch.num_rows
                yield batch
        if rows != candidate.rows:
            raise StoreError(
                f"The trades of {partition.symbol} on {partition.period} differ from the count of its candles: "
                "cryptopipe db verify compares them."
            )

    def source(self, symbol: str) -> str:
        """Return who published the trades."""
        return broker_of(symbol)

    def _without_dropped(
        self, connection: Connection, symbol_id: int, candidate: Candidate, kept_from_us: int
    ) -> Candidate:
        partition = candidate.partition
        if candidate.reason or not candidate.rows or partition.start_us >= kept_from_us:
            return candidate
        values = {"symbol_id": symbol_id, "start_us": partition.start_us, "end_us": partition.end_us}
        row = connection.execute(_COUNT, values, prepare=False).fetchone()
        if row == (candidate.rows,):
            return candidate
        return candidate._replace(reason="trades of it were dropped by db retention")


def _by_id(pages: Iterator[Any]) -> Iterator[Any]:
    """
    Yield the rows of pages, which come by time, in the order of their ids, with the columns of the lake.

    A row may be out of that order by as many rows as a page has. Raises StoreError if one is further away.
    """
    held: Any = None
    reached = -1
    for page in map(_lake_rows, pages):
        page = _sorted(page)
        if held is None:
            held = page
            continue
        if page.column(0)[0].as_py() > held.column(0)[-1].as_py():
            ready, held = held, page
        else:
            joined = _sorted(pa.Table.from_batches([held, page]).combine_chunks().to_batches()[0])
            ready, held = joined.slice(0, held.num_rows), joined.slice(held.num_rows)
        if ready.column(0)[0].as_py() <= reached:
            raise StoreError("The ids of a day's trades do not follow their times: cryptopipe db verify compares them.")
        reached = ready.column(0)[-1].as_py()
        yield ready
    if held is not None:
        yield held


def _pages_by_id(connection: Connection, values: Mapping[str, int]) -> Iterator[Any]:
    """Yield a day's trades by id. Slow, as the server sorts the day for each page; few days need it."""
    schema = lake_schema(LakeKind.TRADES)
    fields = [schema.field(name) for name in _BY_ID_FIELDS]
    fields[1] = fields[1].with_type(pa.timestamp("us", "UTC"))
    after = -1
    while True:
        page = text_columns(connection, _BY_ID, {**values, "after": after, "limit": _PAGE}, fields)
        if page.num_rows:
            yield page
            after = page.column(0)[-1].as_py()
        if page.num_rows < _PAGE:
            return


def _lake_rows(page: Any) -> Any:
    schema = lake_schema(LakeKind.TRADES)
    columns = [page.column(name) for name in schema.names]
    columns[1] = columns[1].view(pa.timestamp("us"))
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _sorted(page: Any) -> Any:
    ids = page.column(0).to_numpy()
    return page if (np.diff(ids) > 0).all() else page.sort_by("trade_id")
