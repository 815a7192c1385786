"""
Reads trades of a span of time as columns, and the trades next to it; see `storage.postgres.text_columns`.

A page goes on after the last trade of the one before, by time and id, so that any number of trades takes the memory of
a page.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from psycopg import sql

from app.market.columns.arrow import arrow
from app.market.trade import Trade
from storage.postgres.connection import Connection
from storage.postgres.text_columns import text_columns
from storage.rollups import candle_sql
from storage.rollups.time_sql import microseconds
from storage.rollups.trade_times import nearest_time

_PAGE = 65_536
_FIELDS = "time trade_id price quantity is_buyer_maker".split()
# The bounds of time are values of their own: by them the planner leaves out the partitions of other times.
_QUERY = sql.SQL(
    """
    SELECT time, trade_id, price, quantity, is_buyer_maker FROM trades
    WHERE symbol_id = %(symbol_id)s
        AND time >= timestamptz 'epoch' + %(start_us)s * interval '1 microsecond'
        AND time < timestamptz 'epoch' + %(end_us)s * interval '1 microsecond'
        AND (time, trade_id) > (timestamptz 'epoch' + %(start_us)s * interval '1 microsecond', %(after)s::bigint)
    ORDER BY time, trade_id LIMIT %(limit)s
    """
)
_AT = sql.SQL(
    """
    SELECT trade_id, {time_us}, trunc(price * 100000000)::bigint, trunc(quantity * 100000000)::bigint, is_buyer_maker
    FROM trades WHERE symbol_id = %(symbol_id)s
        AND time >= timestamptz 'epoch' + %(at_us)s * interval '1 microsecond'
        AND time < timestamptz 'epoch' + (%(at_us)s + 1) * interval '1 microsecond'
    ORDER BY trade_id {order} LIMIT 1
    """
)


def trade_pages(connection: Connection, symbol: str, symbol_id: int, start_us: int, end_us: int) -> Iterator[Any]:
    """Yield the trades of ``[start_us, end_us)``, by time and id, with the columns of trade_log."""
    pa = arrow()
    amount = pa.decimal128(20, 8)
    kinds = (pa.timestamp("us", "UTC"), pa.int64(), amount, amount, pa.bool_())
    fields = [pa.field(name, kind) for name, kind in zip(_FIELDS, kinds, strict=True)]
    after = -1
    while True:
        values = {"symbol_id": symbol_id, "start_us": start_us, "end_us": end_us, "after": after, "limit": _PAGE}
        page = text_columns(connection, _QUERY, values, fields)
        if page.num_rows:
            columns = {name: page.column(name) for name in _FIELDS}
            columns["symbol"] = pa.repeat(pa.scalar(symbol), page.num_rows)
            names = ("symbol", "trade_id", "time", "price", "quantity", "is_buyer_maker")
            yield pa.RecordBatch.from_arrays([columns[name] for name in names], names=list(names))
        if page.num_rows < _PAGE:
            return
        start_us, after = page.column("time").view(pa.int64())[-1].as_py(), page.column("trade_id")[-1].as_py()


def nearest_trade(connection: Connection, symbol: str, symbol_id: int, at_us: int, *, before: bool) -> Trade | None:
    """Return the last stored trade before ``at_us``, or the first from then on."""
    time_us = nearest_time(connection, candle_sql.TRADES, symbol_id, at_us, before=before, floor_us=0)
    if time_us is None:
        return None
    query = _AT.format(time_us=microseconds("time"), order=sql.SQL("DESC" if before else "ASC"))
    row = connection.execute(query, {"symbol_id": symbol_id, "at_us": time_us}, prepare=False).fetchone()
    return None if row is None else Trade(symbol, *row)
