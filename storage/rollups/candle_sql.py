"""
Builds the SQL that folds stored rows into candles of any interval. Pure, but for `load_numerics_as_int`.

Rows come from the coarsest rollup that divides the interval, or from the trades if none does. If a still coarser
rollup has at least two rows in a candle, its rows are used where they lie inside one, and finer rows only at the edges:
181m is made of whole hours, quarters of an hour and minutes. Of the finest rollup one row is enough, because it saves
the reading of trades, which costs most: 61s of 30 trades/s is made of 5 s rows and a fifteenth of the trades.

The SQL is PostgreSQL 14's, the same on every edition. Open and close go by trade id: the least and the greatest of the
arrays (id, price) carry the price along, which takes one pass and no sort. Amounts arrive as whole numbers of 1e-8 and
1e-16 units.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import Any

from psycopg import sql
from psycopg.adapt import Buffer, Loader

from app.market.interval import ORIGIN_US, Interval
from app.market.units import E8, E16
from storage.postgres.connection import Connection
from storage.rollups.levels import LEVELS
from storage.rollups.time_sql import (
    END,
    OF_SYMBOL,
    START,
    RowSource,
    bucket,
    floor,
    in_range,
    length,
    lies_inside,
    microseconds,
    sources_of,
)

TRADES = RowSource("trades", "time", 0)
_ROLLUPS = tuple(RowSource(level.table, "open_time", level.length_us) for level in LEVELS)
FINEST = _ROLLUPS[0]
# Up to here one scan of all trades is quicker than a lookup at each edge, by measurement of 30 trades/s. Where there is
# 1 trade/s it always is on compressed chunks, but then either takes less than 70 ms for 1000 candles.
_ONE_SCAN_BELOW_US = 15_000_000

# The array and the product of a trade are columns of their own, because each aggregate would compute them again.
_TRADE_COLUMNS = """
    ARRAY[trade_id, price] AS dated, price, quantity, price * quantity AS quote, is_buyer_maker
"""
# Each amount is added to the sum of its side only; the server computes equal aggregates once.
_SOLD, _BOUGHT, _QUOTE_SOLD, _QUOTE_BOUGHT = (
    f"coalesce(sum({amount}) FILTER (WHERE {side}), 0)"
    for amount in ("quantity", "quote")
    for side in ("is_buyer_maker", "NOT is_buyer_maker")
)
_TRADE_SUMS = f"""
    {_SOLD} + {_BOUGHT} AS volume, {_QUOTE_SOLD} + {_QUOTE_BOUGHT} AS quote_volume, count(*) AS trades,
    {_BOUGHT} AS taker_buy_volume, {_QUOTE_BOUGHT} AS taker_buy_quote_volume
"""
_TRADE_FIGURES = f"""
    (min(dated))[2] AS open, max(price) AS high, min(price) AS low, (max(dated))[2] AS close, {_TRADE_SUMS},
    (min(dated))[1]::bigint AS first_trade_id, (max(dated))[1]::bigint AS last_trade_id
"""
_ROW_FIGURES = """
    (min(ARRAY[first_trade_id, open]))[2], max(high), min(low), (max(ARRAY[last_trade_id, close]))[2],
    sum(volume), sum(quote_volume), sum(trades)::bigint, sum(taker_buy_volume), sum(taker_buy_quote_volume),
    min(first_trade_id), max(last_trade_id)
"""
_SUM_COLUMNS = "volume, quote_volume, trades, taker_buy_volume, taker_buy_quote_volume"
_ROW_COLUMNS = f"open, high, low, close, {_SUM_COLUMNS}, first_trade_id, last_trade_id"


@lru_cache(maxsize=256)
def sources_for(interval: Interval) -> tuple[RowSource, ...]:
    """Return the tables that candles of the interval are made of; see `storage.rollups.time_sql.sources_of`."""
    return sources_of(interval, TRADES, _ROLLUPS)


@lru_cache(maxsize=256)
def fold(interval: Interval) -> sql.Composed:
    """
    Return the query for the candles of an interval that have a trade, oldest first.

    Parameters: symbol_id, start_us, end_us; both times are open times of candles. Columns: the fields of `Candle` up to
    the ids; prices and volumes in 1e-8, quote volumes in 1e-16 units.
    """
    return _fold(interval, sources_for(interval))


@lru_cache(maxsize=256)
def fold_trades(interval: Interval) -> sql.Composed:
    """Return the same query over the trades themselves, whatever rollups there are."""
    return _fold(interval, (TRADES,))


@lru_cache(maxsize=256)
def fold_columns(interval: Interval) -> sql.Composed:
    """
    Return the query of `fold` with amounts as decimals, and open times as timestamps.

    Where a rollup has just these candles, its rows are taken as they are.
    """
    sources = sources_for(interval)
    source = sources[0]
    if len(sources) == 1 and not interval.months and source.length_us == interval.length_us:
        return sql.SQL("SELECT open_time, {columns} FROM {table} WHERE {in_range} ORDER BY 1").format(
            columns=sql.SQL(_ROW_COLUMNS), table=sql.Identifier(source.table), in_range=in_range(source)
        )
    return sql.SQL("{} ORDER BY 1").format(_folded(interval, sources))


def _fold(interval: Interval, sources: tuple[RowSource, ...]) -> sql.Composed:
    return sql.SQL(
        """
        WITH folded (open_time, open, high, low, close, volume, quote, trades, taker, taker_quote, first_id, last_id)
        AS ({folded})
        SELECT {open_us}, (open * {e8})::bigint, (high * {e8})::bigint, (low * {e8})::bigint, (close * {e8})::bigint,
            trunc(volume * {e8}), trunc(quote * {e16}), trades, trunc(taker * {e8}), trunc(taker_quote * {e16}),
            first_id, last_id
        FROM folded
        ORDER BY 1
        """
    ).format(
        folded=_folded(interval, sources),
        open_us=microseconds("open_time"),
        e8=sql.Literal(E8),
        e16=sql.Literal(E16),
    )


def _folded(interval: Interval, sources: tuple[RowSource, ...]) -> sql.Composed:
    """Return the query for an interval's candles that have a trade: the open time and the figures, in any order."""
    if len(sources) > 1:
        rows = sql.SQL("({}) AS rows").format(_pieces(interval, sources))
        return sql.SQL("SELECT candle, {figures} FROM {rows} GROUP BY 1").format(
            figures=sql.SQL(_ROW_FIGURES), rows=rows
        )
    if sources[0].is_moments:
        return _folded_trades(_trades(interval, sql.SQL("true")))
    return sql.SQL("SELECT {bucket}, {figures} FROM {table} WHERE {in_range} GROUP BY 1").format(
        bucket=bucket(sql.Identifier("open_time"), interval),
        figures=sql.SQL(_ROW_FIGURES),
        table=sql.Identifier(sources[0].table),
        in_range=in_range(sources[0]),
    )


def _pieces(interval: Interval, sources: tuple[RowSource, ...]) -> sql.Composed:
    """Return the query for rows of several sources that together hold each trade of the range once."""
    pieces = [_rows_inside(interval, sources[-1])]
    for finer, coarser in pairwise(sources):
        if not finer.is_moments:
            pieces.append(_rows_at_edges(interval, finer, coarser, is_base=finer == sources[0]))
        elif interval.length_us < _ONE_SCAN_BELOW_US:
            pieces.append(_folded_trades(_trades_at_close_edges(interval, coarser)))
        else:
            pieces.append(_trades_at_far_edges(interval, coarser))
    return sql.SQL(" UNION ALL ").join(pieces)


def _folded_trades(trades: sql.Composable) -> sql.Composed:
    """Return the query for one row per candle, as a rollup has them, made of the trades of a query."""
    # OFFSET 0 keeps the planner from computing the columns in the aggregates.
    return sql.SQL("SELECT candle, {figures} FROM ({trades} OFFSET 0) AS trade GROUP BY 1").format(
        figures=sql.SQL(_TRADE_FIGURES), trades=trades
    )


def _trades(interval: Interval, condition: sql.Composable) -> sql.Composed:
    """Return the query for the range's trades for which the condition holds, from one scan."""
    return sql.SQL("SELECT {bucket} AS candle, {columns} FROM {table} WHERE {in_range} AND {condition}").format(
        bucket=bucket(sql.Identifier(TRADES.time_column), interval),
        columns=sql.SQL(_TRADE_COLUMNS),
        table=sql.Identifier(TRADES.table),
        in_range=in_range(TRADES),
        condition=condition,
    )


def _rows_inside(interval: Interval, source: RowSource) -> sql.Composed:
    """Return the query for the rows of ``source`` that lie inside one candle."""
    return sql.SQL("SELECT {bucket} AS candle, {columns} FROM {table} WHERE {in_range} AND {inside}").format(
        bucket=bucket(sql.Identifier("open_time"), interval),
        columns=sql.SQL(_ROW_COLUMNS),
        table=sql.Identifier(source.table),
        in_range=in_range(source),
        inside=lies_inside(interval, sql.Identifier("open_time"), source.length_us),
    )


def _trades_at_close_edges(interval: Interval, coarser: RowSource) -> sql.Composed:
    """
    Return the query for the trades that lie in a coarser row cut by an edge between two candles, from one scan of all.

    For short candles: their edges are so close that a lookup for each would read compressed batches several times.
    """
    row = floor(sql.Identifier(TRADES.time_column), coarser.length_us, ORIGIN_US)
    return _trades(interval, sql.SQL("NOT {}").format(lies_inside(interval, row, coarser.length_us)))


def _trades_at_far_edges(interval: Interval, coarser: RowSource) -> sql.Composed:
    """
    Return the query for rows as a rollup has them, made of the trades that lie in a coarser row cut by an edge between
    two candles: for each edge one row on either side of it.
    """
    # Of so few trades at a time, arrays give open and close at less cost than the least and the greatest array does.
    # The trades are read backwards until there are as many as the cut row counts: the index of compressed batches finds
    # those that begin before a time, and would have to pass all the earlier ones to find those that end after it.
    part = sql.SQL(
        """
        SELECT candle, prices[array_position(ids, first_trade_id)], high, low,
            prices[array_position(ids, last_trade_id)], {sums}, first_trade_id, last_trade_id
        FROM (
            SELECT candle, array_agg(trade_id) AS ids, array_agg(price) AS prices, max(price) AS high,
                min(price) AS low, {sums_of_trades}, min(trade_id) AS first_trade_id, max(trade_id) AS last_trade_id
            FROM (
                SELECT {bucket} AS candle, trade_id, price, quantity, price * quantity AS quote, is_buyer_maker
                FROM {table} WHERE {in_range} AND {time} >= from_time AND {time} < to_time
                ORDER BY {time} DESC LIMIT row.trades OFFSET 0
            ) AS trade
            GROUP BY 1
        ) AS part
        """
    ).format(
        sums=sql.SQL(_SUM_COLUMNS),
        sums_of_trades=sql.SQL(_TRADE_SUMS),
        bucket=bucket(sql.Identifier(TRADES.time_column), interval),
        table=sql.Identifier(TRADES.table),
        time=sql.Identifier(TRADES.time_column),
        in_range=in_range(TRADES),
    )
    return _at_edges(interval, coarser, part)


def _rows_at_edges(interval: Interval, finer: RowSource, coarser: RowSource, *, is_base: bool) -> sql.Composed:
    """Return the query for the finer rows that lie in a coarser row cut by an edge between two candles."""
    part = sql.SQL(
        "SELECT {bucket} AS candle, {columns} FROM {table}"
        " WHERE {in_range} AND open_time >= from_time AND open_time < to_time AND {inside}"
    ).format(
        bucket=bucket(sql.Identifier("open_time"), interval),
        columns=sql.SQL(_ROW_COLUMNS),
        table=sql.Identifier(finer.table),
        in_range=in_range(finer),
        inside=sql.SQL("true") if is_base else lies_inside(interval, sql.Identifier("open_time"), finer.length_us),
    )
    return _at_edges(interval, coarser, part)


def _at_edges(interval: Interval, coarser: RowSource, part: sql.Composable) -> sql.Composed:
    """
    Return the query that joins what ``part`` finds for each row cut by an edge between two candles.

    ``part`` knows the row: it lies from ``from_time`` to before ``to_time``, and counts ``row.trades`` trades.
    """
    # OFFSET 0 keeps the planner from joining all rows of the range with all edges. A part's bounds are columns of its
    # own: TimescaleDB finds compressed batches by a bound that is a column, not by one that greatest() or least()
    # computes. In a part the bounds of the range are repeated as plain values: by them the planner leaves out the
    # partitions of other times.
    return sql.SQL(
        """
        SELECT part.*
        FROM generate_series({start}, {end}, {length}) AS edge (at),
            LATERAL (SELECT {cut} AS cut OFFSET 0) AS cut,
            LATERAL (
                SELECT greatest(cut, {start}) AS from_time, least(cut + {coarse}, {end}) AS to_time, trades
                FROM {table} WHERE {of_symbol} AND open_time = cut OFFSET 0
            ) AS row,
            LATERAL ({part} OFFSET 0) AS part
        WHERE cut < at
        """
    ).format(
        start=START,
        end=END,
        length=length(interval.length_us),
        cut=floor(sql.Identifier("at"), coarser.length_us, ORIGIN_US),
        coarse=length(coarser.length_us),
        table=sql.Identifier(coarser.table),
        of_symbol=OF_SYMBOL,
        part=part,
    )


def load_numerics_as_int(connection: Connection) -> None:
    """Make this connection return NUMERIC results, which must be whole numbers, as int rather than Decimal."""
    connection.adapters.register_loader("numeric", _WholeNumber)


class _WholeNumber(Loader):
    def load(self, data: Buffer) -> Any:
        return int(bytes(data))
