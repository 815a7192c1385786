"""
The SQL that recounts a window's candles from its trades, to compare the stored ones with them or to replace those.

Each level is folded from the finer one and the finest from the trades, in one statement and so in one snapshot. Where
retention has dropped trades (``dropped``), a stored candle of the finest level counts unless as many trades are still
there, and no stored candle is removed or replaced by one of fewer trades.

Parameters of every statement: ``symbol_id``, ``start``, ``end`` (timestamps; a window of whole coarsest candles).
"""

from __future__ import annotations

from functools import lru_cache

from psycopg import sql

from app.market.candle import CANDLE_FIGURES
from storage.rollups.levels import LEVELS, RollupLevel
from storage.rollups.time_sql import interval_literal

# One ordered array of prices gives open and close by id, and is quicker than two aggregates of arrays. Each product is
# computed once, for the side it belongs to.
_FROM_TRADES = sql.SQL(
    """
    SELECT open_time, prices[1]::numeric(20, 8) AS open, high, low,
        prices[cardinality(prices)]::numeric(20, 8) AS close, coalesce(sold, 0) + coalesce(bought, 0) AS volume,
        coalesce(quote_sold, 0) + coalesce(quote_bought, 0) AS quote_volume, trades,
        coalesce(bought, 0) AS taker_buy_volume, coalesce(quote_bought, 0) AS taker_buy_quote_volume, first_trade_id,
        last_trade_id
    FROM (
        SELECT date_bin({length}, time, timestamptz 'epoch') AS open_time,
            array_agg(price ORDER BY trade_id, price) AS prices, max(price) AS high, min(price) AS low,
            sum(quantity) FILTER (WHERE is_buyer_maker) AS sold,
            sum(price * quantity) FILTER (WHERE is_buyer_maker) AS quote_sold,
            sum(quantity) FILTER (WHERE NOT is_buyer_maker) AS bought,
            sum(price * quantity) FILTER (WHERE NOT is_buyer_maker) AS quote_bought,
            count(*) AS trades, min(trade_id) AS first_trade_id, max(trade_id) AS last_trade_id
        FROM trades WHERE {within} GROUP BY 1
    ) AS counted
    """
)
_FROM_FINER = sql.SQL(
    """
    SELECT date_bin({length}, open_time, timestamptz 'epoch') AS open_time,
        (min(ARRAY[first_trade_id, open]))[2]::numeric(20, 8) AS open, max(high) AS high, min(low) AS low,
        (max(ARRAY[last_trade_id, close]))[2]::numeric(20, 8) AS close, sum(volume) AS volume,
        sum(quote_volume) AS quote_volume, sum(trades)::bigint AS trades, sum(taker_buy_volume) AS taker_buy_volume,
        sum(taker_buy_quote_volume) AS taker_buy_quote_volume, min(first_trade_id) AS first_trade_id,
        max(last_trade_id) AS last_trade_id
    FROM {finer} GROUP BY 1
    """
)
_IN_WINDOW = sql.SQL("symbol_id = %(symbol_id)s AND {time} >= %(start)s AND {time} < %(end)s")
_TRADES_IN = _IN_WINDOW.format(time=sql.Identifier("time"))
_CANDLES_IN = _IN_WINDOW.format(time=sql.Identifier("open_time"))

RUNS = sql.SQL(
    """
    SELECT trade_id, before
    FROM (
        SELECT time, trade_id, lag(trade_id) OVER (ORDER BY time, trade_id) AS before FROM trades WHERE {within}
    ) AS row
    WHERE before IS NULL OR trade_id <> before + 1
    ORDER BY time, trade_id
    """
).format(within=_TRADES_IN)
"""The runs of consecutive ids in the order of time: each one's first id, and the last id of the run before it."""

LAST = sql.SQL("SELECT trade_id FROM trades WHERE {within} ORDER BY time DESC, trade_id DESC LIMIT 1").format(
    within=_TRADES_IN
)
"""The last id of the last of these runs."""

COUNTED = sql.SQL("SELECT coalesce(sum(trades), 0)::bigint FROM {table} WHERE {within}").format(
    table=sql.Identifier(LEVELS[0].table), within=_CANDLES_IN
)
"""How many trades the candles of the finest level count."""

SPANS = sql.SQL("SELECT min(first_trade_id), max(last_trade_id) FROM ({candles}) AS candle GROUP BY slot").format(
    candles=sql.SQL(" UNION ALL ").join(
        sql.SQL(
            "SELECT first_trade_id, last_trade_id, date_bin({length}, open_time, timestamptz 'epoch') AS slot"
            " FROM {table} WHERE {within}"
        ).format(
            length=sql.Literal(interval_literal(LEVELS[-1].length_us)),
            table=sql.Identifier(level.table),
            within=_CANDLES_IN,
        )
        for level in LEVELS
    )
)
"""The range of ids of each coarsest candle, as wide as any level says: one level alone may be damaged."""

TIMES = """
    SELECT trade_id, array_agg(time ORDER BY time) FROM trades
    WHERE symbol_id = %s AND trade_id = ANY(%s) GROUP BY 1 ORDER BY 1
"""
"""The times of some trades, given a symbol's id and an array of trade ids."""


@lru_cache
def comparison(*, dropped: bool) -> sql.Composed:
    """
    Return the query for the stored candles, of all levels, that differ from the recounted ones.

    Further parameter: ``listed``. Columns: the level's number; the open time (UTC microseconds); the stored and the
    recounted figures (arrays of text in the order of `CANDLE_FIGURES`; None if there is no such candle); whether the
    stored candle has more trades; how many rows differ in the same way. Of those at most ``listed`` are returned,
    oldest first.
    """
    pairs = sql.SQL(" UNION ALL ").join(_pairs(number, level) for number, level in enumerate(LEVELS))
    return sql.SQL(
        """
        WITH {levels}, differing AS (
            SELECT *, count(*) OVER same AS alike, row_number() OVER (same ORDER BY open_us) AS number
            FROM ({pairs}) AS pair
            WINDOW same AS (PARTITION BY level, stored IS NULL, made IS NULL, more)
        )
        SELECT level, open_us, stored, made, more, alike FROM differing WHERE number <= %(listed)s
        ORDER BY level, open_us
        """
    ).format(levels=_levels(dropped=dropped), pairs=pairs)


@lru_cache
def replacement(*, dropped: bool) -> sql.Composed:
    """Return the statement that replaces the stored candles of all levels that differ from the recounted ones."""
    steps = []
    for number, level in enumerate(LEVELS):
        names = {"table": sql.Identifier(level.table), "made": sql.Identifier(f"level_{number}")}
        if not dropped:
            steps.append(
                sql.SQL(
                    "{step} AS (DELETE FROM {table} WHERE {within} AND open_time NOT IN (SELECT open_time FROM {made}))"
                ).format(step=sql.Identifier(f"removed_{number}"), within=_CANDLES_IN, **names)
            )
        steps.append(
            sql.SQL(
                """
                {step} AS (
                    INSERT INTO {table} AS held (symbol_id, open_time, {figures})
                    SELECT %(symbol_id)s, open_time, {figures} FROM {made}
                    ON CONFLICT (symbol_id, open_time) DO UPDATE SET ({figures}) = ROW ({new})
                    WHERE ({old}) IS DISTINCT FROM ({new}) {keeping}
                )
                """
            ).format(
                step=sql.Identifier(f"put_{number}"),
                figures=_figures(),
                new=_figures("excluded"),
                old=_figures("held"),
                keeping=sql.SQL("AND excluded.trades >= held.trades" if dropped else ""),
                **names,
            )
        )
    return sql.SQL("WITH {levels}, {steps} SELECT").format(
        levels=_levels(dropped=dropped), steps=sql.SQL(", ").join(steps)
    )


def _levels(*, dropped: bool) -> sql.Composed:
    """Return ``level_0 AS (…), level_1 AS (…), …``: each level's recounted candles."""
    finest = LEVELS[0]
    trades = _FROM_TRADES.format(length=_length(finest), within=_TRADES_IN)
    made = [sql.SQL("level_0 AS MATERIALIZED ({})").format(_with_dropped(finest, trades) if dropped else trades)]
    for number, level in enumerate(LEVELS[1:], start=1):
        folded = _FROM_FINER.format(length=_length(level), finer=sql.Identifier(f"level_{number - 1}"))
        made.append(sql.SQL("{} AS MATERIALIZED ({})").format(sql.Identifier(f"level_{number}"), folded))
    return sql.SQL(", ").join(made)


def _length(level: RollupLevel) -> sql.Literal:
    return sql.Literal(interval_literal(level.length_us))


def _with_dropped(finest: RollupLevel, trades: sql.Composed) -> sql.Composed:
    """Return the query for the finest level where trades were dropped: of each candle the version with more trades."""
    return sql.SQL(
        """
        SELECT DISTINCT ON (open_time) open_time, {figures}
        FROM (
            SELECT 0 AS stored, open_time, {figures} FROM ({trades}) AS counted
            UNION ALL
            SELECT 1, open_time, {figures} FROM {table} WHERE {within}
        ) AS candle
        ORDER BY open_time, trades DESC, stored  -- the recounted one where both count as many trades
        """
    ).format(figures=_figures(), trades=trades, table=sql.Identifier(finest.table), within=_CANDLES_IN)


def _pairs(number: int, level: RollupLevel) -> sql.Composed:
    """Return the query for one level's candles that are missing, superfluous or different."""
    query = sql.SQL(
        """
        SELECT {number} AS level, (extract(epoch FROM coalesce(s.open_time, m.open_time)) * 1000000)::bigint AS open_us,
            CASE WHEN s.open_time IS NOT NULL THEN ARRAY[{stored_text}] END AS stored,
            CASE WHEN m.open_time IS NOT NULL THEN ARRAY[{made_text}] END AS made,
            s.trades > m.trades AS more
        FROM (SELECT open_time, {figures} FROM {table} WHERE {within}) AS s
        FULL JOIN {made} AS m USING (open_time)
        WHERE ({old}) IS DISTINCT FROM ({new})
        """
    )
    return query.format(
        number=sql.Literal(number),
        table=sql.Identifier(level.table),
        made=sql.Identifier(f"level_{number}"),
        figures=_figures(),
        within=_CANDLES_IN,
        old=_figures("s"),
        new=_figures("m"),
        stored_text=_figures("s", "::text"),
        made_text=_figures("m", "::text"),
    )


def _figures(prefix: str = "", cast: str = "") -> sql.Composed:
    names = [sql.Identifier(prefix, name) if prefix else sql.Identifier(name) for name in CANDLE_FIGURES]
    return sql.SQL(", ").join(sql.SQL("{}" + cast).format(name) for name in names)
