"""
Builds the SQL that folds ticks and their rollups into candles of any interval. Pure.

As for trades (`storage.rollups.candle_sql`): rows come from the coarsest rollup that divides the interval, or from the
ticks if none does; where a still coarser rollup has rows inside a candle, those are used, and finer ones at its edges.

Open and close go by time and place. Rows of one rollup do not overlap, so the order of their open times is that of
their ticks: aggregates in that order need no sort where the server reads the rows by the primary key.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

from psycopg import sql

from app.market.interval import Interval
from storage.quotes.tick_levels import LEVELS
from storage.quotes.tick_rollups import FIGURES
from storage.rollups.time_sql import (
    END,
    OF_SYMBOL,
    START,
    RowSource,
    bucket,
    in_range,
    length,
    lies_inside,
    microseconds,
    sources_of,
)

TICKS = RowSource("quotes", "time", 0)
_ROLLUPS = tuple(RowSource(level.table, "open_time", level.length_us) for level in LEVELS)
FINEST = _ROLLUPS[0]

# What candles are made of: open and close of the mid follow from those of bid and ask, which are of the same tick.
_USED = [name for name in FIGURES if name not in ("mid_open", "mid_close")]
# A tick as a rollup row of itself alone. What its mid has beyond the eighth place is cut off at the end.
_TICK_AS_ROW = {
    **{f"{side}_{which}": side for side in ("bid", "ask") for which in ("open", "high", "low", "close")},
    **dict.fromkeys(["mid_high", "mid_low"], "(bid + ask) * 0.5"),
    "ticks": "1::bigint",
    "bid_volume": "bid_size",
    "ask_volume": "ask_size",
    "first_time": "time",
    "first_place": "place",
    "last_time": "time",
    "last_place": "place",
}
_HIGH_LOW = ", ".join(f"max({side}_high), min({side}_low)" for side in ("bid", "ask", "mid"))
_COLUMNS = (
    "first_open_bid, first_open_ask, bid_high, bid_low, ask_high, ask_low, mid_high, mid_low, last_close_bid,"
    " last_close_ask, ticks, bid_volume, ask_volume, first_time, first_place, last_time, last_place"
)


def _row_figures(order: str) -> str:
    """Return the aggregates of rows that do not overlap, in the order of their ticks; they are `_COLUMNS`."""

    def first(name: str) -> str:
        return f"(array_agg({name} ORDER BY {order}))[1]"

    def last(name: str) -> str:
        return f"(array_agg({name} ORDER BY {order}))[count(*)]"

    sums = "sum(ticks)::bigint, sum(bid_volume), sum(ask_volume)"
    ends = f"min(first_time), {first('first_place')}, max(last_time), {last('last_place')}"
    opening, closing = f"{first('bid_open')}, {first('ask_open')}", f"{last('bid_close')}, {last('ask_close')}"
    return f"{opening}, {_HIGH_LOW}, {closing}, {sums}, {ends}"


# One order for all aggregates, so that the server sorts once.
_OF_ONE_ROLLUP = _row_figures("open_time")
_OF_ANY_ROWS = _row_figures("first_time, first_place")


@lru_cache(maxsize=256)
def sources_for(interval: Interval) -> tuple[RowSource, ...]:
    """Return the tables that candles of the interval are made of; see `storage.rollups.time_sql.sources_of`."""
    return sources_of(interval, TICKS, _ROLLUPS)


@lru_cache(maxsize=256)
def fold(interval: Interval, *, newest: bool) -> sql.Composed:
    """
    Return the query for the candles of an interval; with ``newest`` the newest first, else the oldest.

    Parameters: symbol_id, start_us, end_us, both open times of candles, and limit. Columns: the open time, prices and
    figures as `candle_of_row` wants them, times in UTC microseconds, amounts in 1e-8 units.
    """
    prices = "first_open_bid bid_high bid_low last_close_bid first_open_ask ask_high ask_low last_close_ask".split()
    amounts = [*prices, "mid_high", "mid_low", "bid_volume", "ask_volume"]
    whole: dict[str, sql.Composable] = {}
    whole |= {name: sql.SQL("trunc({} * 100000000)::bigint").format(sql.Identifier(name)) for name in amounts}
    whole |= {name: microseconds(name) for name in ("open_time", "first_time", "last_time")}
    whole |= {name: sql.Identifier(name) for name in ("ticks", "first_place", "last_place")}
    wanted = ["open_time", *prices, "mid_high", "mid_low", "ticks", "bid_volume", "ask_volume"]
    wanted += ["first_time", "first_place", "last_time", "last_place"]
    return sql.SQL(
        "WITH folded (open_time, {columns}) AS ({folded}) SELECT {wanted} FROM folded ORDER BY folded.open_time {order}"
        " LIMIT %(limit)s"
    ).format(
        columns=sql.SQL(_COLUMNS),
        folded=_folded(interval, sources_for(interval)),
        wanted=sql.SQL(", ").join(whole[name] for name in wanted),
        order=sql.SQL("DESC" if newest else "ASC"),
    )


def _folded(interval: Interval, sources: tuple[RowSource, ...]) -> sql.Composed:
    source = sources[0]
    if len(sources) == 1 and not source.is_moments:
        return sql.SQL("SELECT {bucket}, {figures} FROM {table} WHERE {in_range} GROUP BY 1").format(
            bucket=bucket(sql.Identifier("open_time"), interval),
            figures=sql.SQL(_OF_ONE_ROLLUP),
            table=sql.Identifier(source.table),
            in_range=in_range(source),
        )
    rows = _rows(interval, source, sql.SQL("true")) if len(sources) == 1 else _pieces(interval, sources)
    return sql.SQL("SELECT candle, {figures} FROM ({rows} OFFSET 0) AS rows GROUP BY 1").format(
        figures=sql.SQL(_OF_ANY_ROWS), rows=rows
    )


def _pieces(interval: Interval, sources: tuple[RowSource, ...]) -> sql.Composed:
    """Return the query for rows of several sources that together hold each tick of the range once."""
    coarsest = sources[-1]
    pieces = [_rows(interval, coarsest, lies_inside(interval, sql.Identifier("open_time"), coarsest.length_us))]
    for finer, coarser in pairwise(sources):
        # Of the first source all that is left over is taken; of the others what lies inside a candle.
        inside: sql.Composable = sql.SQL("true")
        if finer != sources[0]:
            inside = lies_inside(interval, sql.Identifier("open_time"), finer.length_us)
        condition = sql.SQL("{time} >= from_time AND {time} < to_time AND {inside}").format(
            time=sql.Identifier(finer.time_column), inside=inside
        )
        pieces.append(_at_edges(interval, coarser, _rows(interval, finer, condition)))
    return sql.SQL(" UNION ALL ").join(pieces)


def _at_edges(interval: Interval, coarser: RowSource, part: sql.Composable) -> sql.Composed:
    """
    Return the query that joins what ``part`` finds in each coarser row that is cut by an edge between two candles.

    ``part`` knows the bounds of the row within the range: ``from_time`` and ``to_time``.
    """
    # From the rows rather than from the edges, of which a long time without ticks has any number. OFFSET 0 has each
    # part read by itself; the bounds of the range are repeated in it as values: by them the planner leaves out the
    # partitions of other times.
    return sql.SQL(
        """
        SELECT part.*
        FROM (
            SELECT greatest(open_time, {start}) AS from_time, least(open_time + {coarse}, {end}) AS to_time
            FROM {table} WHERE {of_symbol} AND open_time > {start} - {coarse} AND open_time < {end} AND NOT {inside}
            OFFSET 0
        ) AS cut, LATERAL ({part} OFFSET 0) AS part
        """
    ).format(
        start=START,
        end=END,
        coarse=length(coarser.length_us),
        table=sql.Identifier(coarser.table),
        of_symbol=OF_SYMBOL,
        inside=lies_inside(interval, sql.Identifier("open_time"), coarser.length_us),
        part=part,
    )


def _rows(interval: Interval, source: RowSource, condition: sql.Composable) -> sql.Composed:
    """Return the query for the range's rows for which the condition holds: the candle and the columns of a rollup."""
    columns = [
        sql.SQL(f"{_TICK_AS_ROW[name]} AS {name}") if source.is_moments else sql.Identifier(name) for name in _USED
    ]
    return sql.SQL("SELECT {bucket} AS candle, {columns} FROM {table} WHERE {in_range} AND {condition}").format(
        bucket=bucket(sql.Identifier(source.time_column), interval),
        columns=sql.SQL(", ").join(columns),
        table=sql.Identifier(source.table),
        in_range=in_range(source),
        condition=condition,
    )
