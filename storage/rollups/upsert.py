"""
The statement that adds a batch to all rollups at once, and its parameters.

One statement for all levels, because a small batch's cost is mostly waiting for answers. A candle that is stored
already is joined with the batch's: open and close go by trade id, so that batches may come in any order.
"""

from __future__ import annotations

from psycopg import sql

from storage.postgres import batch_columns
from storage.postgres.batch_columns import RollupRow, TradeColumns
from storage.postgres.sql_arrays import column_literals
from storage.rollups.levels import LEVELS

_BATCH = """batch AS MATERIALIZED (
    SELECT level, symbol_id, timestamptz 'epoch' + open_us * interval '1 microsecond' AS open_time, open, high, low,
        close, volume, quote_volume, trades, taker, taker_quote, first_id, last_id
    FROM unnest(%s::int[], %s::int[], %s::bigint[], %s::numeric[], %s::numeric[], %s::numeric[], %s::numeric[],
        %s::numeric[], %s::numeric[], %s::bigint[], %s::numeric[], %s::numeric[], %s::bigint[], %s::bigint[])
        AS batch (level, symbol_id, open_us, open, high, low, close, volume, quote_volume, trades, taker, taker_quote,
        first_id, last_id)
    WHERE {condition}
)"""
_UNITS = ("", "", "", "e-8", "e-8", "e-8", "e-8", "e-8", "e-16", "", "e-8", "e-16", "", "")

# Sums may simply be added to, because the ledger adds each trade once. First and last go by id rather than by arrival.
_ADD_TO_LEVEL = """{name} AS (
    INSERT INTO {table} AS held (symbol_id, open_time, open, high, low, close, volume, quote_volume, trades,
        taker_buy_volume, taker_buy_quote_volume, first_trade_id, last_trade_id)
    SELECT symbol_id, open_time, open, high, low, close, volume, quote_volume, trades, taker, taker_quote, first_id,
        last_id
    FROM batch WHERE level = {level}
    ON CONFLICT (symbol_id, open_time) DO UPDATE SET
        open = CASE WHEN excluded.first_trade_id < held.first_trade_id THEN excluded.open ELSE held.open END,
        high = greatest(held.high, excluded.high),
        low = least(held.low, excluded.low),
        close = CASE WHEN excluded.last_trade_id > held.last_trade_id THEN excluded.close ELSE held.close END,
        volume = held.volume + excluded.volume,
        quote_volume = held.quote_volume + excluded.quote_volume,
        trades = held.trades + excluded.trades,
        taker_buy_volume = held.taker_buy_volume + excluded.taker_buy_volume,
        taker_buy_quote_volume = held.taker_buy_quote_volume + excluded.taker_buy_quote_volume,
        first_trade_id = least(held.first_trade_id, excluded.first_trade_id),
        last_trade_id = greatest(held.last_trade_id, excluded.last_trade_id)
)"""


def rollup_parts(condition: str = "true") -> sql.Composed:
    """
    Return the parts of a WITH that add a batch to every rollup if ``condition`` holds.

    Parameters: `rollup_arrays` of the batch.
    """
    parts: list[sql.Composable] = [sql.SQL(_BATCH).format(condition=sql.SQL(condition))]
    for number, level in enumerate(LEVELS):
        name, table = sql.Identifier(f"level_{number}"), sql.Identifier(level.table)
        parts.append(sql.SQL(_ADD_TO_LEVEL).format(name=name, table=table, level=sql.Literal(number)))
    return sql.SQL(",\n").join(parts)


ADD_TO_ROLLUPS = sql.SQL("WITH {parts} SELECT").format(parts=rollup_parts())


def rollup_arrays(trades: TradeColumns) -> list[str]:
    """Return what the trades, at least one, add to the candles of every level, as array literals of its columns."""
    rows: list[tuple[int, ...]] = []
    part: list[RollupRow] = []
    for number, level in enumerate(LEVELS):
        # From the finer level's rows, which are fewer than the trades.
        if part:
            part = batch_columns.coarser_rows(part, level.length_us)
        else:
            part = batch_columns.rollup_rows(trades, level.length_us)
        rows += [(number, *row) for row in part]
    return column_literals(rows, _UNITS)
