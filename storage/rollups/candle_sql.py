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

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any

from psycopg import sql
from psycopg.adapt import Buffer, Loader

from app.market.interval import ORIGIN_US, Interval
from app.market.units import E8, E16
from storage.postgres.connection import Connection
from storage.rollups.levels import LEVELS


@dataclass(frozen=True, slots=True)
class RowSource:
    """A table of rows by (symbol_id, time column). A row spans ``length_us``; a trade, being a moment, spans 0."""

    table: str
    time_column: str
    length_us: int

    @property
    def is_trades(self) -> bool:
        return self.length_us == 0


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
_START = sql.SQL("timestamptz 'epoch' + %(start_us)s * interval '1 microsecond'")
_END = sql.SQL("timestamptz 'epoch' + %(end_us)s * interval '1 microsecond'")
# In the column's own type: only then TimescaleDB takes it for one symbol, whose compressed batches are in order.
_OF_SYMBOL = sql.SQL("symbol_id = %(symbol_id)s::integer")


@lru_cache(maxsize=256)
def sources_for(interval: Interval) -> tuple[RowSource, ...]:
    """
    Return the tables that candles of the interval are made of, finest first.

    Every candle is made of whole rows of the first. From the others come the rows that lie inside a candle.
    """
    length_us = 0 if interval.months else interval.length_us
    fitting = [source for source in _ROLLUPS if length_us % source.length_us == 0]
    base = fitting[-1] if fitting else TRADES
    # At least two rows per candle; of the finest rollup one. Either way no row is cut by two edges.
    longest_us = max(length_us / 2, FINEST.length_us if base.is_trades and length_us > FINEST.length_us else 0)
    inside = [source for source in _ROLLUPS if base.length_us < source.length_us <= longest_us]
    return (base, *inside)


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
            columns=sql.SQL(_ROW_COLUMNS), table=sql.Identifier(source.table), in_range=_in_range(source)
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
    if sources[0].is_trades:
        return _folded_trades(_trades(interval, sql.SQL("true")))
    return sql.SQL("SELECT {bucket}, {figures} FROM {table} WHERE {in_range} GROUP BY 1").format(
        bucket=_bucket(sql.Identifier("open_time"), interval),
        figures=sql.SQL(_ROW_FIGURES),
        table=sql.Identifier(sources[0].table),
        in_range=_in_range(sources[0]),
    )


def _pieces(interval: Interval, sources: tuple[RowSource, ...]) -> sql.Composed:
    """Return the query for rows of several sources that together hold each trade of the range once."""
    pieces = [_rows_inside(interval, sources[-1])]
    for finer, coarser in pairwise(sources):
        if not finer.is_trades:
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
        bucket=_bucket(sql.Identifier(TRADES.time_column), interval),
        columns=sql.SQL(_TRADE_COLUMNS),
        table=sql.Identifier(TRADES.table),
        in_range=_in_range(TRADES),
        condition=condition,
    )


def _rows_inside(interval: Interval, source: RowSource) -> sql.Composed:
    """Return the query for the rows of ``source`` that lie inside one candle."""
    return sql.SQL("SELECT {bucket} AS candle, {columns} FROM {table} WHERE {in_range} AND {inside}").format(
        bucket=_bucket(sql.Identifier("open_time"), interval),
        columns=sql.SQL(_ROW_COLUMNS),
        table=sql.Identifier(source.table),
        in_range=_in_range(source),
        inside=_lies_inside(interval, sql.Identifier("open_time"), source.length_us),
    )


def _trades_at_close_edges(interval: Interval, coarser: RowSource) -> sql.Composed:
    """
    Return the query for the trades that lie in a coarser row cut by an edge between two candles, from one scan of all.

    For short candles: their edges are so close that a lookup for each would read compressed batches several times.
    """
    row = _floor(sql.Identifier(TRADES.time_column), coarser.length_us, ORIGIN_US)
    return _trades(interval, sql.SQL("NOT {}").format(_lies_inside(interval, row, coarser.length_us)))


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
        bucket=_bucket(sql.Identifier(TRADES.time_column), interval),
        table=sql.Identifier(TRADES.table),
        time=sql.Identifier(TRADES.time_column),
        in_range=_in_range(TRADES),
    )
    return _at_edges(interval, coarser, part)


def _rows_at_edges(interval: Interval, finer: RowSource, coarser: RowSource, *, is_base: bool) -> sql.Composed:
    """Return the query for the finer rows that lie in a coarser row cut by an edge between two candles."""
    part = sql.SQL(
        "SELECT {bucket} AS candle, {columns} FROM {table}"
        " WHERE {in_range} AND open_time >= from_time AND open_time < to_time AND {inside}"
    ).format(
        bucket=_bucket(sql.Identifier("open_time"), interval),
        columns=sql.SQL(_ROW_COLUMNS),
        table=sql.Identifier(finer.table),
        in_range=_in_range(finer),
        inside=sql.SQL("true") if is_base else _lies_inside(interval, sql.Identifier("open_time"), finer.length_us),
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
        start=_START,
        end=_END,
        length=_length(interval.length_us),
        cut=_floor(sql.Identifier("at"), coarser.length_us, ORIGIN_US),
        coarse=_length(coarser.length_us),
        table=sql.Identifier(coarser.table),
        of_symbol=_OF_SYMBOL,
        part=part,
    )


def _in_range(source: RowSource) -> sql.Composed:
    """Return the condition for the symbol's rows of the range."""
    return sql.SQL("{of_symbol} AND {time} >= {start} AND {time} < {end}").format(
        of_symbol=_OF_SYMBOL, time=sql.Identifier(source.time_column), start=_START, end=_END
    )


def _lies_inside(interval: Interval, begin: sql.Composable, length_us: int) -> sql.Composed:
    """Return the condition that a row of that begin and length lies inside one candle."""
    # The candle of its last microsecond is found by moving all candles back instead, which costs no addition per row:
    # that candle then seems to begin before the row's own, or after it if it is the next one.
    last_us = length_us - 1
    moved = _floor(begin, interval.length_us, interval.origin_us - last_us)
    return sql.SQL("({} < {})").format(moved, _bucket(begin, interval))


def outermost_time(source: RowSource, *, last: bool) -> sql.Composed:
    """
    Return the query for the time of the symbol's last or first row in ``[first_us, after_us)``; no row if there is
    none.

    Parameters: symbol_id, first_us, after_us (UTC microseconds).
    """
    return sql.SQL(
        """
        SELECT {us} FROM {table}
        WHERE {of_symbol}
            AND {time} >= timestamptz 'epoch' + %(first_us)s * interval '1 microsecond'
            AND {time} < timestamptz 'epoch' + %(after_us)s * interval '1 microsecond'
        ORDER BY {time} {order} LIMIT 1
        """
    ).format(
        us=microseconds(source.time_column),
        of_symbol=_OF_SYMBOL,
        table=sql.Identifier(source.table),
        time=sql.Identifier(source.time_column),
        order=sql.SQL("DESC" if last else "ASC"),
    )


def microseconds(time: str | sql.Composable) -> sql.Composed:
    """Return the expression for a timestamptz, given as a column's name or as SQL, as UTC microseconds, exactly."""
    time = sql.Identifier(time) if isinstance(time, str) else time
    return sql.SQL("(extract(epoch FROM {}) * 1000000)::bigint").format(time)


def load_numerics_as_int(connection: Connection) -> None:
    """Make this connection return NUMERIC results, which must be whole numbers, as int rather than Decimal."""
    connection.adapters.register_loader("numeric", _WholeNumber)


class _WholeNumber(Loader):
    def load(self, data: Buffer) -> Any:
        return int(bytes(data))


def _bucket(time: sql.Composable, interval: Interval) -> sql.Composed:
    if interval.months:
        # date_bin takes no months, because they have no fixed length: go back to the month's start, then by the number
        # of months since the interval's last multiple.
        return sql.SQL(
            "date_trunc('month', {time}, 'UTC') - make_interval(months =>"
            " ((extract(year FROM {time}) - 2000) * 12 + extract(month FROM {time}) - 1)::integer %% {months})"
        ).format(time=time, months=sql.Literal(interval.months))
    return _floor(time, interval.length_us, interval.origin_us)


def _floor(time: sql.Composable, length_us: int, origin_us: int) -> sql.Composed:
    # A constant: a time plus an interval depends on the session's time zone, so it would be added for every row.
    origin = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=origin_us)
    return sql.SQL("date_bin({length}, {time}, timestamptz {origin})").format(
        length=_length(length_us), time=time, origin=sql.Literal(origin.isoformat())
    )


def interval_literal(length_us: int) -> str:
    """Return a length of time as an interval literal. In two parts: PostgreSQL 14 reads microseconds only to 2**31."""
    return f"{length_us // 1_000_000} seconds {length_us % 1_000_000} microseconds"


def _length(length_us: int) -> sql.Composed:
    return sql.SQL("interval {}").format(sql.Literal(interval_literal(length_us)))
