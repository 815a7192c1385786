"""
Builds the SQL that folds ticks and their rollups into candles of any interval. Pure.

As for trades (`storage.rollups.candle_sql`): rows come from the coarsest rollup that divides the interval, or from the
ticks if none does; where a still coarser rollup has rows inside a candle, those are used, and finer ones at its edges.

Open and close go by time and place. Aggregates in that order would have to sort the rows, so a candle's first and last
row are looked up by the primary key once its times are known, which takes half as long. Where a rollup has just these
candles, its rows are taken as they are.

Ranges are given as times rather than as numbers of microseconds: with such bounds the planner skips the partitions of
other times; ten years have 120.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise

from psycopg import sql

from app.market.interval import ORIGIN_US, Interval
from storage.quotes.tick_levels import LEVELS
from storage.rollups.time_sql import (
    OF_SYMBOL,
    RowSource,
    bucket,
    floor,
    in_range,
    length,
    lies_inside,
    microseconds,
    sources_of,
)

TICKS = RowSource("quotes", "time", 0)
ROLLUPS = tuple(RowSource(level.table, "open_time", level.length_us) for level in LEVELS)
FINEST = ROLLUPS[0]

# A tick as a rollup row of itself alone, without open and close. Digits of the mid beyond the eighth place are cut off
# at the end.
_TICK_AS_ROW = {
    **{f"{side}_{which}": side for side in ("bid", "ask") for which in ("high", "low")},
    **dict.fromkeys(["mid_high", "mid_low"], "(bid + ask) * 0.5"),
    "ticks": "1::bigint",
    "bid_volume": "bid_size",
    "ask_volume": "ask_size",
    "first_time": "time",
    "last_time": "time",
}
_START, _END = sql.SQL("%(start)s::timestamptz"), sql.SQL("%(end)s::timestamptz")
_SYMBOL_ID = sql.SQL("%(symbol_id)s::integer")
_SUMS = sql.SQL(", ").join(
    sql.SQL(f"{aggregate} AS {name}")
    for name, aggregate in {
        **{f"{side}_high": f"max({side}_high)" for side in ("bid", "ask", "mid")},
        **{f"{side}_low": f"min({side}_low)" for side in ("bid", "ask", "mid")},
        "ticks": "sum(ticks)::bigint",
        "bid_volume": "sum(bid_volume)",
        "ask_volume": "sum(ask_volume)",
        "first_time": "min(first_time)",
        "last_time": "max(last_time)",
    }.items()
)


@lru_cache(maxsize=256)
def sources_for(interval: Interval) -> tuple[RowSource, ...]:
    """Return the tables that candles of the interval are made of; see `storage.rollups.time_sql.sources_of`."""
    return sources_of(interval, TICKS, ROLLUPS, fewest=1.5)


@lru_cache(maxsize=256)
def fold(interval: Interval, *, newest: bool) -> sql.Composed:
    """
    Return the query for the candles of an interval; with ``newest`` the newest first, else the oldest.

    Parameters: symbol_id, start and end, times at which candles open, and limit. Columns: the open time, prices and
    figures as `SymbolTickReader` wants them, times in UTC microseconds, amounts in 1e-8 units.
    """
    sources = sources_for(interval)
    prices = "bid_open bid_high bid_low bid_close ask_open ask_high ask_low ask_close mid_high mid_low".split()
    # Only the mid of ticks has more than eight places.
    e8 = "trunc({} * 100000000)::bigint" if sources[0].is_moments else "({} * 100000000)::bigint"
    whole: dict[str, sql.Composable] = {}
    whole |= {name: sql.SQL(e8).format(sql.Identifier(name)) for name in (*prices, "bid_volume", "ask_volume")}
    whole |= {name: microseconds(name) for name in ("open_time", "first_time", "last_time")}
    whole |= {name: sql.Identifier(name) for name in ("ticks", "first_place", "last_place")}
    wanted = ["open_time", *prices, "ticks", "bid_volume", "ask_volume"]
    wanted += ["first_time", "first_place", "last_time", "last_place"]
    order = sql.SQL("DESC" if newest else "ASC")
    return sql.SQL("SELECT {wanted} FROM {candles} ORDER BY candle.open_time {order} LIMIT %(limit)s").format(
        wanted=sql.SQL(", ").join(whole[name] for name in wanted),
        candles=_stored(sources[0]) if is_stored(interval, sources) else _folded(interval, sources, order),
        order=order,
    )


def is_stored(interval: Interval, sources: Sequence[RowSource]) -> bool:
    """Whether the one source of the interval has just its candles as rows."""
    return len(sources) == 1 and not interval.months and sources[0].length_us == interval.length_us


def in_range_of(source: RowSource) -> sql.Composed:
    """Return the condition for the symbol's rows of the range. Parameters: symbol_id, start, end."""
    return in_range(source, _START, _END)


def _stored(source: RowSource) -> sql.Composed:
    """Return the range's candles from a rollup of the same interval."""
    return sql.SQL("(SELECT * FROM {table} WHERE {in_range}) AS candle").format(
        table=sql.Identifier(source.table), in_range=in_range_of(source)
    )


def _folded(interval: Interval, sources: tuple[RowSource, ...], order: sql.SQL) -> sql.Composed:
    """Return the first candles in that order, folded from rows of the sources."""
    base = sources[0]
    columns = {one: _columns(one) for one in sources}
    if len(sources) > 1:
        rows = sql.SQL("({} OFFSET 0) AS row").format(pieces(interval, sources, columns))
    else:
        rows = sql.SQL("({} {}) AS row").format(
            rows_of(interval, base, sql.SQL("true"), columns[base]),
            # Otherwise the server would compute the mid of a tick twice.
            sql.SQL("OFFSET 0" if base.is_moments else ""),
        )
    # OFFSET 0: otherwise the server would sort the rows into the order asked for, rather than the candles.
    return sql.SQL(
        """
        (
            SELECT * FROM (
                SELECT open_time, {sums} FROM {rows} GROUP BY 1 OFFSET 0
            ) AS candle ORDER BY open_time {order} LIMIT %(limit)s
        ) AS candle, {ends}
        """
    ).format(sums=_SUMS, rows=rows, order=order, ends=_tick_ends() if base.is_moments else _row_ends(base))


def _tick_ends() -> sql.Composed:
    """Return the lookups of a candle's first and last tick."""
    return sql.SQL(
        """
        LATERAL (
            SELECT bid AS bid_open, ask AS ask_open, place AS first_place FROM {table}
            WHERE {in_range} AND time = first_time ORDER BY place LIMIT 1
        ) AS opening, LATERAL (
            SELECT bid AS bid_close, ask AS ask_close, place AS last_place FROM {table}
            WHERE {in_range} AND time = last_time ORDER BY place DESC LIMIT 1
        ) AS closing
        """
    ).format(table=sql.Identifier(TICKS.table), in_range=in_range_of(TICKS))


def _row_ends(base: RowSource) -> sql.Composed:
    """Return the lookups of the first and last row of a candle that is made of whole rows of the rollup ``base``."""
    return sql.SQL(
        """
        LATERAL (
            SELECT bid_open, ask_open, first_place FROM {table} WHERE symbol_id = {symbol_id} AND open_time = {first}
            OFFSET 0
        ) AS opening, LATERAL (
            SELECT bid_close, ask_close, last_place FROM {table} WHERE symbol_id = {symbol_id} AND open_time = {last}
            OFFSET 0
        ) AS closing
        """
    ).format(
        table=sql.Identifier(base.table),
        symbol_id=_SYMBOL_ID,
        first=floor(sql.Identifier("candle", "first_time"), base.length_us, ORIGIN_US),
        last=floor(sql.Identifier("candle", "last_time"), base.length_us, ORIGIN_US),
    )


def pieces(
    interval: Interval, sources: Sequence[RowSource], columns: Mapping[RowSource, Mapping[str, sql.Composable]]
) -> sql.Composed:
    """
    Return the query for rows of several sources that together hold each tick of the range once; see `rows_of`.

    ``columns``: of each source, under the same names in the same order.
    """
    coarsest = sources[-1]
    inside = lies_inside(interval, sql.Identifier("open_time"), coarsest.length_us)
    parts = [rows_of(interval, coarsest, inside, columns[coarsest])]
    for finer, coarser in pairwise(sources):
        # Of the first source all that is left over is taken; of the others what lies inside a candle.
        wanted: sql.Composable = sql.SQL("true")
        if finer != sources[0]:
            wanted = lies_inside(interval, sql.Identifier("open_time"), finer.length_us)
        condition = sql.SQL("{time} >= from_time AND {time} < to_time AND {wanted}").format(
            time=sql.Identifier(finer.time_column), wanted=wanted
        )
        parts.append(_at_edges(interval, coarser, rows_of(interval, finer, condition, columns[finer])))
    return sql.SQL(" UNION ALL ").join(parts)


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
        start=_START,
        end=_END,
        coarse=length(coarser.length_us),
        table=sql.Identifier(coarser.table),
        of_symbol=OF_SYMBOL,
        inside=lies_inside(interval, sql.Identifier("open_time"), coarser.length_us),
        part=part,
    )


def rows_of(
    interval: Interval, source: RowSource, condition: sql.Composable, columns: Mapping[str, sql.Composable]
) -> sql.Composed:
    """Return the query for the range's rows that meet the condition: their candle's open time, and the columns."""
    return sql.SQL("SELECT {bucket} AS open_time, {columns} FROM {table} WHERE {in_range} AND {condition}").format(
        bucket=bucket(sql.Identifier(source.time_column), interval),
        columns=sql.SQL(", ").join(
            sql.SQL("{} AS {}").format(column, sql.Identifier(name)) for name, column in columns.items()
        ),
        table=sql.Identifier(source.table),
        in_range=in_range_of(source),
        condition=condition,
    )


def _columns(source: RowSource) -> dict[str, sql.Composable]:
    """Return the columns of a row of the source that candles are folded from, as candles of one row each."""
    if source.is_moments:
        return {name: sql.SQL(tick) for name, tick in _TICK_AS_ROW.items()}
    return {name: sql.Identifier(name) for name in _TICK_AS_ROW}
