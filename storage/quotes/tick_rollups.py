"""
What a batch of ticks adds to the rollups: computed in numpy, and the statement that adds it.

A candle that is stored already is joined with the batch's; open and close go by time and place, so that batches may
come in any order. Of the finest level most candles of a large batch are new: those are written by COPY, at a quarter of
the cost.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from psycopg import sql

from storage.postgres.batch_columns import Ints
from storage.postgres.binary_rows import ColumnType, RowLayout
from storage.postgres.sql_arrays import array_literal
from storage.quotes.tick_columns import TickColumns
from storage.quotes.tick_levels import FINEST, LEVELS

SIDES = ("bid", "ask", "mid")
PRICES = tuple(f"{side}_{which}" for side in SIDES for which in ("open", "high", "low", "close"))
FIGURES = (*PRICES, "ticks", "bid_volume", "ask_volume", "first_time", "first_place", "last_time", "last_place")
"""The columns of a rollup table after symbol_id and open_time."""

_ALL = ("symbol_id", "open_time", *FIGURES)
_LAYOUT = RowLayout(
    [
        ColumnType.INTEGER,
        ColumnType.TIMESTAMP,
        *[ColumnType.AMOUNT] * len(PRICES),
        ColumnType.BIGINT,
        ColumnType.AMOUNT,
        ColumnType.AMOUNT,
        ColumnType.TIMESTAMP,
        ColumnType.SMALLINT,
        ColumnType.TIMESTAMP,
        ColumnType.SMALLINT,
    ]
)
COPY_FINEST = sql.SQL("COPY {table} ({columns}) FROM STDIN (FORMAT BINARY)").format(
    table=sql.Identifier(FINEST.table), columns=sql.SQL(", ").join(map(sql.Identifier, _ALL))
)


@dataclass(frozen=True, slots=True)
class TickCandleColumns:
    """
    Candles as equally long columns, by rising symbol id and open time; prices and volumes in 1e-8 units.

    ``prices``: the columns `PRICES`.
    """

    symbol_id: Ints
    open_us: Ints
    prices: tuple[Ints, ...]
    ticks: Ints
    bid_volume: Ints
    ask_volume: Ints
    first_us: Ints
    first_place: Ints
    last_us: Ints
    last_place: Ints

    def __len__(self) -> int:
        return len(self.symbol_id)

    def take(self, rows: NDArray[np.bool_]) -> TickCandleColumns:
        """Return the rows that a mask chooses."""
        return candle_columns([column[rows] for column in self.columns()])

    def columns(self) -> list[Ints]:
        """Return the columns in the order of the tables."""
        values = [getattr(self, field.name) for field in fields(self)]
        return [*values[:2], *self.prices, *values[3:]]


def candle_columns(columns: list[Ints]) -> TickCandleColumns:
    """Return columns in the order of the tables as candles."""
    end = 2 + len(PRICES)
    return TickCandleColumns(columns[0], columns[1], tuple(columns[2:end]), *columns[end:])


def finest_candles(batch: TickColumns) -> TickCandleColumns:
    """Return what sorted ticks, at least one, add to the candles of the finest level."""
    mid = (batch.bid + batch.ask) // 2
    prices = [price for side in (batch.bid, batch.ask, mid) for price in (side, side, side, side)]
    singles = TickCandleColumns(
        batch.symbol_id,
        batch.time_us,
        tuple(prices),
        np.ones(len(batch), np.int64),
        batch.bid_size,
        batch.ask_size,
        batch.time_us,
        batch.place,
        batch.time_us,
        batch.place,
    )
    return coarser_candles(singles, FINEST.length_us)


def coarser_candles(finer: TickCandleColumns, length_us: int) -> TickCandleColumns:
    """Return the candles of ``length_us`` that finer ones, of lengths that divide it, add up to."""
    open_us = finer.open_us - finer.open_us % length_us
    changed = (np.diff(finer.symbol_id) != 0) | (np.diff(open_us) != 0)
    starts = np.concatenate(([0], np.flatnonzero(changed) + 1))
    ends = np.concatenate((starts[1:], [len(finer)])) - 1
    prices: list[Ints] = []
    for number, column in enumerate(finer.prices):
        which = number % 4
        if which == 0:
            prices.append(column[starts])
        elif which == 1:
            prices.append(np.maximum.reduceat(column, starts))
        elif which == 2:
            prices.append(np.minimum.reduceat(column, starts))
        else:
            prices.append(column[ends])
    return TickCandleColumns(
        finer.symbol_id[starts],
        open_us[starts],
        tuple(prices),
        np.add.reduceat(finer.ticks, starts),
        np.add.reduceat(finer.bid_volume, starts),
        np.add.reduceat(finer.ask_volume, starts),
        finer.first_us[starts],
        finer.first_place[starts],
        finer.last_us[ends],
        finer.last_place[ends],
    )


def copy_candles(candles: TickCandleColumns) -> bytes:
    """Return candles as rows of `COPY_FINEST`, without header and trailer."""
    return _LAYOUT.pack(candles.columns())


_EPOCH = "timestamptz 'epoch' + {0} * interval '1 microsecond'"
_GIVEN = ("level", "symbol_id", "open_time", *FIGURES)
_TYPES = dict.fromkeys(_GIVEN, "bigint") | dict.fromkeys([*PRICES, "bid_volume", "ask_volume"], "numeric")
_UNITS = {name: "e-8" for name, kind in _TYPES.items() if kind == "numeric"}
_TIMES = ("open_time", "first_time", "last_time")

_BATCH = """batch AS MATERIALIZED (
    SELECT {values} FROM unnest({parameters}) AS given ({names}) WHERE {condition}
)"""
# Sums may simply be added to, because the ledger adds each tick once.
_ADD_TO_LEVEL = """{name} AS (
    INSERT INTO {table} AS held (symbol_id, open_time, {figures})
    SELECT symbol_id, open_time, {figures} FROM batch WHERE level = {level}
    ON CONFLICT (symbol_id, open_time) DO UPDATE SET {joined}
)"""
_IS_EARLIER = "(excluded.first_time, excluded.first_place) < (held.first_time, held.first_place)"
_IS_LATER = "(excluded.last_time, excluded.last_place) > (held.last_time, held.last_place)"


def _value(name: str) -> str:
    if name in _TIMES:
        return _EPOCH.format(name) + f" AS {name}"
    cast = "::integer" if name in ("level", "symbol_id") else "::smallint" if name.endswith("_place") else ""
    return f"{name}{cast} AS {name}" if cast else name


def _joined(name: str) -> str:
    if name.endswith("_high"):
        return f"{name} = greatest(held.{name}, excluded.{name})"
    if name.endswith("_low"):
        return f"{name} = least(held.{name}, excluded.{name})"
    if name in ("ticks", "bid_volume", "ask_volume"):
        return f"{name} = held.{name} + excluded.{name}"
    condition = _IS_EARLIER if name.endswith("_open") or name.startswith("first_") else _IS_LATER
    return f"{name} = CASE WHEN {condition} THEN excluded.{name} ELSE held.{name} END"


def rollup_parts(condition: str = "true") -> sql.Composed:
    """
    Return the parts of a WITH that add candles to the rollups if ``condition`` holds.

    Parameters: `rollup_arrays` of the candles.
    """
    parts = [
        _BATCH.format(
            values=", ".join(map(_value, _GIVEN)),
            parameters=", ".join(f"%s::{_TYPES[name]}[]" for name in _GIVEN),
            names=", ".join(_GIVEN),
            condition=condition,
        )
    ]
    for number, level in enumerate(LEVELS):
        parts.append(
            _ADD_TO_LEVEL.format(
                name=f"level_{number}",
                table=level.table,
                level=number,
                figures=", ".join(FIGURES),
                joined=", ".join(map(_joined, FIGURES)),
            )
        )
    return sql.SQL(",\n").join(map(sql.SQL, parts))


ADD_TO_ROLLUPS = sql.SQL("WITH {parts} SELECT").format(parts=rollup_parts())


def all_levels(finest: TickCandleColumns) -> list[TickCandleColumns]:
    """Return the candles of every level, given those of the finest."""
    levels = [finest]
    for level in LEVELS[1:]:
        levels.append(coarser_candles(levels[-1], level.length_us))
    return levels


def rollup_arrays(levels: list[TickCandleColumns]) -> list[str]:
    """Return candles of every level, finest first, as array literals of the columns of `ADD_TO_ROLLUPS`."""
    numbers = np.repeat(np.arange(len(levels)), [len(level) for level in levels])
    columns = [numbers, *map(np.concatenate, zip(*(level.columns() for level in levels), strict=True))]
    return [array_literal(column.tolist(), _UNITS.get(name, "")) for name, column in zip(_GIVEN, columns, strict=True)]
