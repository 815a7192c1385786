"""
Builds the SQL that folds ticks and their rollups into the candles of one price. Pure.

A chart asks for one of bid, ask and mid. Its candles need half of the figures of `storage.quotes.tick_sql`, and most
need no lookup: where a row of a rollup begins or ends just where the candle does, its price opens or closes the candle.
Only where such a row is missing, because nothing was published then, the first or last row is looked up.
"""

from __future__ import annotations

from functools import lru_cache

from psycopg import sql

from app.market.interval import Interval
from app.market.quotes.tick import PriceSide
from storage.quotes.tick_sql import in_range_of, is_stored, pieces, rows_of, sources_for
from storage.rollups.time_sql import RowSource, bucket, floor, microseconds
from storage.rollups.time_sql import length as length_of

# The mid of ticks has a place more than prices have.
_PRICES = {PriceSide.MID: "(bid + ask) * 0.5", PriceSide.BID: "bid", PriceSide.ASK: "ask"}


@lru_cache(maxsize=256)
def fold_side(interval: Interval, side: PriceSide, *, newest: bool) -> sql.Composed:
    """
    Return the query for the candles of one price; with ``newest`` the newest first, else the oldest.

    Parameters: symbol_id, start and end, times at which candles open, and limit. Columns: open time (UTC microseconds),
    open, high, low and close (1e-8 units), ticks.
    """
    sources = sources_for(interval)
    order = sql.SQL("DESC" if newest else "ASC")
    if is_stored(interval, sources):
        stored = sql.SQL("SELECT {open_us}, {prices}, ticks FROM {table} WHERE {in_range} ORDER BY open_time {order}")
        return sql.SQL("{} LIMIT %(limit)s").format(
            stored.format(
                open_us=microseconds("open_time"),
                prices=sql.SQL(", ").join(
                    sql.SQL(f"({side.value}_{part} * 100000000)::bigint") for part in ("open", "high", "low", "close")
                ),
                table=sql.Identifier(sources[0].table),
                in_range=in_range_of(sources[0]),
                order=order,
            )
        )
    base = sources[0]
    columns = {one: _columns(interval, one, side) for one in sources}
    if len(sources) > 1:
        rows = pieces(interval, sources, columns)
    else:
        rows = rows_of(interval, base, sql.SQL("true"), columns[base])
    # Of the mid of ticks half a unit is dropped, as everywhere.
    e8 = "floor({} * 100000000)::bigint" if base.is_moments and side is PriceSide.MID else "({} * 100000000)::bigint"
    # OFFSET 0: the candles are sorted, not the rows, and only those wanted are looked up.
    return sql.SQL(
        """
        SELECT {open_us}, {open}, {high}, {low}, {close}, ticks
        FROM (
            SELECT * FROM (
                SELECT open_time, max(opening) AS opening, max(high) AS high, min(low) AS low, max(closing) AS closing,
                    sum(ticks)::bigint AS ticks
                FROM ({rows} OFFSET 0) AS row GROUP BY 1 OFFSET 0
            ) AS candle ORDER BY open_time {order} LIMIT %(limit)s
        ) AS candle
        ORDER BY open_time {order}
        """
    ).format(
        open_us=microseconds("open_time"),
        open=sql.SQL(e8).format(sql.SQL("coalesce(opening, ({}))").format(_end(interval, base, side, last=False))),
        high=sql.SQL(e8).format(sql.SQL("high")),
        low=sql.SQL(e8).format(sql.SQL("low")),
        close=sql.SQL(e8).format(sql.SQL("coalesce(closing, ({}))").format(_end(interval, base, side, last=True))),
        rows=rows,
        order=order,
    )


def _columns(interval: Interval, source: RowSource, side: PriceSide) -> dict[str, sql.Composable]:
    """Return the columns of a row of the source, as SQL; ``opening``: NULL unless it begins where the candle does."""
    if source.is_moments:
        price = sql.SQL(_PRICES[side])
        none = sql.SQL("NULL::numeric")
        return {"opening": none, "high": price, "low": price, "closing": none, "ticks": sql.SQL("1::bigint")}
    time = sql.Identifier("open_time")
    opening: sql.Composable = sql.SQL("NULL::numeric")
    closing: sql.Composable = opening
    if not interval.months:  # of which there are few, and whose begins cost much
        first, last = bucket(time, interval), floor(time, interval.length_us, interval.origin_us - source.length_us)
        opening, closing = (
            sql.SQL("CASE WHEN open_time = {at} THEN {price} END").format(
                at=at, price=sql.Identifier(f"{side.value}_{end}")
            )
            for at, end in ((first, "open"), (last, "close"))
        )
    return {
        "opening": opening,
        "high": sql.Identifier(f"{side.value}_high"),
        "low": sql.Identifier(f"{side.value}_low"),
        "closing": closing,
        "ticks": sql.Identifier("ticks"),
    }


def _end(interval: Interval, base: RowSource, side: PriceSide, *, last: bool) -> sql.Composed:
    """Return the lookup of the price of a candle's first or last tick, or of the row of the rollup that holds it."""
    length = sql.SQL("make_interval(months => {})").format(sql.Literal(interval.months))
    if not interval.months:
        length = length_of(interval.length_us)
    order = sql.SQL("DESC" if last else "ASC")
    by = sql.SQL("time {order}, place {order}" if base.is_moments else "open_time {order}").format(order=order)
    return sql.SQL(
        "SELECT {price} FROM {table} AS part WHERE {in_range}"
        " AND {time} >= candle.open_time AND {time} < candle.open_time + {length} ORDER BY {by} LIMIT 1"
    ).format(
        price=sql.SQL(_PRICES[side] if base.is_moments else f"{side.value}_{'close' if last else 'open'}"),
        table=sql.Identifier(base.table),
        in_range=in_range_of(base),
        time=sql.Identifier("part", base.time_column),
        length=length,
        by=by,
    )
