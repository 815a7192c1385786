"""
The parts of SQL that fold rows by time, whatever the rows hold: slots, ranges, edges between candles. Pure.

`storage.rollups.candle_sql` makes candles of trades with them, `storage.quotes.tick_sql` candles of ticks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from psycopg import sql

from app.market.interval import Interval


@dataclass(frozen=True, slots=True)
class RowSource:
    """A table of rows by (symbol_id, time column). A row spans ``length_us``; a trade or tick spans 0."""

    table: str
    time_column: str
    length_us: int

    @property
    def is_moments(self) -> bool:
        """Whether its rows are single trades or ticks."""
        return self.length_us == 0


START = sql.SQL("timestamptz 'epoch' + %(start_us)s * interval '1 microsecond'")
END = sql.SQL("timestamptz 'epoch' + %(end_us)s * interval '1 microsecond'")
# In the column's own type: only then TimescaleDB takes it for one symbol, whose compressed batches are in order.
OF_SYMBOL = sql.SQL("symbol_id = %(symbol_id)s::integer")


def sources_of(
    interval: Interval, moments: RowSource, rollups: Sequence[RowSource], *, fewest: float = 2
) -> tuple[RowSource, ...]:
    """
    Return the tables that candles of the interval are made of, finest first.

    ``moments``: the table of single rows; ``rollups``: those of candles, finest first. Every candle is made of whole
    rows of the first table returned. From the others come the rows that lie inside a candle. ``fewest``, at least 1:
    the least number of their rows that a candle must span.
    """
    length_us = 0 if interval.months else interval.length_us
    fitting = [
        source
        for source in rollups
        if length_us % source.length_us == 0 and interval.phase * 60_000_000 % source.length_us == 0
    ]
    base = fitting[-1] if fitting else moments
    finest_us = rollups[0].length_us
    # Of the finest rollup one row per candle is enough. Either way no row is cut by two edges.
    longest_us = max(length_us / fewest, finest_us if base.is_moments and length_us > finest_us else 0)
    inside = [source for source in rollups if base.length_us < source.length_us <= longest_us]
    return (base, *inside)


def in_range(source: RowSource, start: sql.Composable = START, end: sql.Composable = END) -> sql.Composed:
    """Return the condition for the symbol's rows of the range."""
    return sql.SQL("{of_symbol} AND {time} >= {start} AND {time} < {end}").format(
        of_symbol=OF_SYMBOL, time=sql.Identifier(source.time_column), start=start, end=end
    )


def lies_inside(interval: Interval, begin: sql.Composable, length_us: int) -> sql.Composed:
    """Return the condition that a row of that begin and length lies inside one candle."""
    # The candle of its last microsecond is found by moving all candles back instead, which costs no addition per row:
    # that candle then seems to begin before the row's own, or after it if it is the next one.
    last_us = length_us - 1
    moved = floor(begin, interval.length_us, interval.origin_us - last_us)
    return sql.SQL("({} < {})").format(moved, bucket(begin, interval))


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
        of_symbol=OF_SYMBOL,
        table=sql.Identifier(source.table),
        time=sql.Identifier(source.time_column),
        order=sql.SQL("DESC" if last else "ASC"),
    )


def microseconds(time: str | sql.Composable) -> sql.Composed:
    """Return the expression for a timestamptz, given as a column's name or as SQL, as UTC microseconds, exactly."""
    time = sql.Identifier(time) if isinstance(time, str) else time
    return sql.SQL("(extract(epoch FROM {}) * 1000000)::bigint").format(time)


def bucket(time: sql.Composable, interval: Interval) -> sql.Composed:
    """Return the expression for the open time of the candle that a time lies in."""
    if interval.months:
        # date_bin takes no months, because they have no fixed length: go back to the month's start, then by the number
        # of months since the interval's last multiple.
        return sql.SQL(
            "date_trunc('month', {time}, 'UTC') - make_interval(months =>"
            " ((extract(year FROM {time}) - 2000) * 12 + extract(month FROM {time}) - 1)::integer %% {months})"
        ).format(time=time, months=sql.Literal(interval.months))
    return floor(time, interval.length_us, interval.origin_us)


def floor(time: sql.Composable, length_us: int, origin_us: int) -> sql.Composed:
    """Return the expression for the begin of a time's slot; slots of ``length_us`` are counted from ``origin_us``."""
    # A constant: a time plus an interval depends on the session's time zone, so it would be added for every row.
    origin = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=origin_us)
    return sql.SQL("date_bin({length}, {time}, timestamptz {origin})").format(
        length=length(length_us), time=time, origin=sql.Literal(origin.isoformat())
    )


def interval_literal(length_us: int) -> str:
    """Return a length of time as an interval literal. In two parts: PostgreSQL 14 reads microseconds only to 2**31."""
    return f"{length_us // 1_000_000} seconds {length_us % 1_000_000} microseconds"


def length(length_us: int) -> sql.Composed:
    """Return a length of time as an interval."""
    return sql.SQL("interval {}").format(sql.Literal(interval_literal(length_us)))
