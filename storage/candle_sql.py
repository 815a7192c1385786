"""
The SQL that folds stored rows into candles of any interval.

Three sources, the coarsest that fits: rollup_1h for whole hours and months, rollup_1m for whole minutes, the trades for
the rest. Generic SQL of PostgreSQL 14, the same on every edition. Open and close go by trade id: the least and greatest
of arrays (id, price) carry the price along. Amounts arrive as whole numbers of 1e-8 and 1e-16 units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg import sql
from psycopg.adapt import Buffer, Loader

from app.market.interval import Interval
from app.market.units import E8, E16
from storage.connection import Connection


@dataclass(frozen=True, slots=True)
class Source:
    """A table of rows by (symbol_id, time column), each of them ``length_us`` long."""

    table: str
    time_column: str
    length_us: int
    figures: str


_ROLLUP_FIGURES = """
    (min(ARRAY[first_trade_id, open]))[2], max(high), min(low), (max(ARRAY[last_trade_id, close]))[2],
    sum(volume), sum(quote_volume), sum(trades)::bigint, sum(taker_buy_volume), sum(taker_buy_quote_volume),
    min(first_trade_id), max(last_trade_id)
"""
_TRADE_FIGURES = """
    (min(ARRAY[trade_id, price]))[2], max(price), min(price), (max(ARRAY[trade_id, price]))[2],
    sum(quantity), sum(price * quantity), count(*), coalesce(sum(quantity) FILTER (WHERE NOT is_buyer_maker), 0),
    coalesce(sum(price * quantity) FILTER (WHERE NOT is_buyer_maker), 0), min(trade_id), max(trade_id)
"""

HOURS = Source("rollup_1h", "open_time", 3_600_000_000, _ROLLUP_FIGURES)
MINUTES = Source("rollup_1m", "open_time", 60_000_000, _ROLLUP_FIGURES)
TRADES = Source("trades", "time", 1, _TRADE_FIGURES)


def source_for(interval: Interval) -> Source:
    """Return the coarsest source whose rows each lie in one candle of the interval."""
    if interval.months or interval.seconds % 3_600 == 0:
        return HOURS
    return MINUTES if interval.seconds % 60 == 0 else TRADES


def fold(source: Source, interval: Interval) -> sql.Composed:
    """
    Return the query for the candles of an interval that have a trade, oldest first.

    Parameters: symbol_id, start_us, end_us; both times where candles open. Columns: see `Candle`, up to the ids;
    prices and volumes in 1e-8, quote volumes in 1e-16 units.
    """
    return sql.SQL(
        """
        WITH folded (open_time, open, high, low, close, volume, quote, trades, taker, taker_quote, first_id, last_id)
        AS (
            SELECT {bucket}, {figures}
            FROM {table}
            WHERE symbol_id = %(symbol_id)s
                AND {time} >= timestamptz 'epoch' + %(start_us)s * interval '1 microsecond'
                AND {time} < timestamptz 'epoch' + %(end_us)s * interval '1 microsecond'
            GROUP BY 1
        )
        SELECT {open_us}, trunc(open * {e8}), trunc(high * {e8}), trunc(low * {e8}), trunc(close * {e8}),
            trunc(volume * {e8}), trunc(quote * {e16}), trades, trunc(taker * {e8}), trunc(taker_quote * {e16}),
            first_id, last_id
        FROM folded
        ORDER BY 1
        """
    ).format(
        bucket=_bucket(source, interval),
        figures=sql.SQL(source.figures),
        table=sql.Identifier(source.table),
        time=sql.Identifier(source.time_column),
        open_us=microseconds("open_time"),
        e8=sql.Literal(E8),
        e16=sql.Literal(E16),
    )


def nearest(source: Source, *, before: bool) -> sql.Composed:
    """Return the query for the last time before, or the first at or after, %(at_us)s of the symbol; no row: none."""
    return sql.SQL(
        """
        SELECT {us} FROM {table}
        WHERE symbol_id = %(symbol_id)s AND {time} {compare} timestamptz 'epoch' + %(at_us)s * interval '1 microsecond'
        ORDER BY {time} {order} LIMIT 1
        """
    ).format(
        us=microseconds(source.time_column),
        table=sql.Identifier(source.table),
        time=sql.Identifier(source.time_column),
        compare=sql.SQL("<" if before else ">="),
        order=sql.SQL("DESC" if before else "ASC"),
    )


def microseconds(column: str) -> sql.Composed:
    """Return a timestamptz column as UTC microseconds, exactly."""
    return sql.SQL("(extract(epoch FROM {}) * 1000000)::bigint").format(sql.Identifier(column))


def read_whole_numbers(connection: Connection) -> None:
    """Have this connection return NUMERIC results, which must be whole numbers, as int."""
    connection.adapters.register_loader("numeric", _WholeNumber)


class _WholeNumber(Loader):
    def load(self, data: Buffer) -> Any:
        return int(bytes(data))


def _bucket(source: Source, interval: Interval) -> sql.Composed:
    time = sql.Identifier(source.time_column)
    if interval.months:
        # Months have no fixed length: back to the month's start, then by as many as the interval's months are past.
        return sql.SQL(
            "date_trunc('month', {time}, 'UTC') - make_interval(months =>"
            " ((extract(year FROM {time}) - 2000) * 12 + extract(month FROM {time}) - 1)::integer %% {months})"
        ).format(time=time, months=sql.Literal(interval.months))
    return sql.SQL("date_bin({length}, {time}, timestamptz 'epoch' + {origin_us} * interval '1 microsecond')").format(
        length=sql.Literal(f"{interval.seconds} seconds"),
        time=time,
        origin_us=sql.Literal(interval.origin_us),
    )
