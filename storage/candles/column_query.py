"""
Reads candles from the database as columns; see `storage.postgres.text_columns`.

A candle comes as the server has it, without flags: `storage.candles.column_reader` knows which are complete.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import sql

from app.market.candle import CANDLE_FIGURES, KLINE_FIGURES, TRADE_IDS, CandleSource
from app.market.columns.arrow import arrow
from app.market.columns.candle_columns import schema
from app.market.interval import Interval
from storage.candles.klines import key_of
from storage.postgres.connection import Connection
from storage.postgres.text_columns import text_columns
from storage.rollups import candle_sql

_KLINE_COLUMNS = ("open_time", *KLINE_FIGURES)
_KLINES = sql.SQL(
    """
    SELECT {figures} FROM klines
    WHERE symbol_id = %(symbol_id)s AND seconds = %(seconds)s AND months = %(months)s
        AND open_time >= timestamptz 'epoch' + %(start_us)s * interval '1 microsecond'
        AND open_time < timestamptz 'epoch' + %(end_us)s * interval '1 microsecond'
    ORDER BY open_time
    """
).format(figures=sql.SQL(", ").join(map(sql.Identifier, _KLINE_COLUMNS)))


def traded_columns(connection: Connection, symbol_id: int, interval: Interval, start_us: int, end_us: int) -> Any:
    """
    Return the candles with a trade that open in ``[start_us, end_us)``, oldest first; both are open times.

    They are marked closed and complete, which says nothing yet.
    """
    values = {"symbol_id": symbol_id, "start_us": start_us, "end_us": end_us}
    return _candles(
        connection, candle_sql.fold_columns(interval), values, ("open_time", *CANDLE_FIGURES), CandleSource.TRADES
    )


def kline_columns(connection: Connection, symbol_id: int, interval: Interval, start_us: int, end_us: int) -> Any:
    """Return the stored klines of exactly that interval that open in ``[start_us, end_us)``, oldest first."""
    seconds, months = key_of(interval)
    values = {
        "symbol_id": symbol_id,
        "seconds": seconds,
        "months": months,
        "start_us": start_us,
        "end_us": end_us,
    }
    return _candles(connection, _KLINES, values, _KLINE_COLUMNS, CandleSource.KLINE)


def _candles(
    connection: Connection,
    query: sql.Composed,
    values: Mapping[str, object],
    names: Sequence[str],
    source: CandleSource,
) -> Any:
    pa, kinds = arrow(), schema()
    rows = text_columns(connection, query, values, [kinds.field(name) for name in names])
    flags = pa.repeat(pa.scalar(True), rows.num_rows)
    columns = {name: rows.column(name) for name in names}
    columns |= {name: pa.nulls(rows.num_rows, pa.int64()) for name in TRADE_IDS if name not in columns}
    columns |= {"closed": flags, "complete": flags, "source": pa.repeat(pa.scalar(source.value), rows.num_rows)}
    return pa.RecordBatch.from_arrays([columns[name] for name in kinds.names], schema=kinds)
