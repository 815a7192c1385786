"""
Reads rows from the database as columns: the server joins them to one text, which Arrow parses.

No value becomes a Python object, and no row a message: COPY would send one for each, which costs the client more than
all the rest. A candle comes as the server has it, without flags: `storage.candles.column_reader` knows which are
complete.
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


def text_columns(
    connection: Connection, query: sql.Composable, values: Mapping[str, object], fields: Sequence[Any]
) -> Any:
    """
    Return the rows of a query as one Arrow RecordBatch with these fields, which are the query's columns.

    The first is a time, in whose order the rows are. No value may be NULL or have a comma in it. The rows must fit into
    one text of the server, a gigabyte. Raises psycopg.Error.
    """
    pa = arrow()
    import pyarrow.csv as arrow_csv  # here, as `app.market.columns.arrow` imports the rest of it

    names = sql.SQL(", ").join(sql.Identifier(field.name) for field in fields)
    joined = sql.SQL(
        "SELECT convert_to(string_agg(concat_ws(',', {names}), E'\\n'), 'UTF8') FROM ({query}) AS rows ({names})"
    )
    with connection.cursor(binary=True) as cursor:
        found = cursor.execute(joined.format(names=names, query=query), values, prepare=False).fetchone()
    kinds = pa.schema(fields)
    if found is None or found[0] is None:
        return pa.RecordBatch.from_arrays([pa.array([], field.type) for field in fields], schema=kinds)
    text = found[0]
    del found
    table = arrow_csv.read_csv(
        pa.py_buffer(text),
        # One block: its columns are then in one piece, and parsed beside each other.
        read_options=arrow_csv.ReadOptions(column_names=kinds.names, block_size=len(text) + 1),
        convert_options=arrow_csv.ConvertOptions(column_types=kinds, true_values=["t"], false_values=["f"]),
    )
    rows = table.combine_chunks().to_batches()[0]
    times_us = rows.column(0).view(pa.int64()).to_numpy()
    # An aggregate sees the rows of a sorted query in their order; no server promises that it always will.
    return rows if (times_us[1:] >= times_us[:-1]).all() else rows.sort_by(fields[0].name)
