"""Ticks as columns, and from those the rows of a binary COPY. Pure: numpy in, bytes out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg import sql

from app.market.quotes.tick import Tick
from storage.postgres.batch_columns import Ints
from storage.postgres.binary_rows import ColumnType, RowLayout
from storage.rollups.time_sql import microseconds

COPY = (
    "COPY quotes (symbol_id, time, place, bid, ask, bid_size, ask_size) FROM STDIN (FORMAT BINARY)"  # as `copy_pieces`
)
EXACT = sql.SQL(
    "{time_us}, place, (bid * 100000000)::bigint, (ask * 100000000)::bigint, (bid_size * 100000000)::bigint,"
    " (ask_size * 100000000)::bigint"
).format(time_us=microseconds("time"))
"""A row of `quotes` in a query's result, without its symbol: UTC microseconds, place, and amounts in 1e-8 units."""

_LAYOUT = RowLayout(
    [ColumnType.INTEGER, ColumnType.TIMESTAMP, ColumnType.SMALLINT, *[ColumnType.AMOUNT] * 4],
)
_ROWS_PER_PIECE = 2_000  # packing more at a time would hold the interpreter lock for milliseconds
_FIELDS = ("time_us", "place", "bid_e8", "ask_e8", "bid_size_e8", "ask_size_e8")


@dataclass(frozen=True, slots=True)
class TickColumns:
    """Ticks as equally long columns; prices and sizes in 1e-8 units, times in UTC microseconds."""

    symbol_id: Ints
    time_us: Ints
    place: Ints
    bid: Ints
    ask: Ints
    bid_size: Ints
    ask_size: Ints

    @classmethod
    def of(cls, rows: Sequence[tuple[int, ...]]) -> TickColumns:
        """Return rows of symbol id, time, place, prices and sizes as columns."""
        return cls(*np.array(rows, dtype=np.int64).reshape(len(rows), len(fields(cls))).T)

    def __len__(self) -> int:
        return len(self.symbol_id)

    def take(self, rows: Ints | NDArray[np.bool_] | slice) -> TickColumns:
        """Return the rows that are chosen by their numbers, a mask, or a slice."""
        return TickColumns(*(column[rows] for column in self.columns()))

    def columns(self) -> list[Ints]:
        """Return the columns in their order."""
        return [getattr(self, field.name) for field in fields(self)]

    def symbol_parts(self) -> list[tuple[int, slice]]:
        """Return each symbol's number and rows, of columns by rising symbol."""
        starts = [0, *(np.flatnonzero(np.diff(self.symbol_id)) + 1).tolist(), len(self)]
        return [(int(self.symbol_id[start]), slice(start, end)) for start, end in pairwise(starts) if start < end]


def tick_columns(ticks: Sequence[Tick], symbol_ids: Mapping[str, int]) -> tuple[TickColumns, TickColumns]:
    """
    Return the ticks by rising symbol id, time and place, the first of each, and later ones that contradict the first.

    ``ticks``: each without a `storage.quotes.refused_ticks.refusal_reason`. ``symbol_ids`` has all their symbols. A
    plain repeat is in neither.
    """
    count = len(ticks)
    symbols = np.fromiter(map(symbol_ids.__getitem__, map(itemgetter(0), ticks)), np.int64, count)
    unsorted = TickColumns(
        symbols, *(np.fromiter(map(itemgetter(Tick._fields.index(name)), ticks), np.int64, count) for name in _FIELDS)
    )
    return distinct_ticks(unsorted)


def distinct_ticks(unsorted: TickColumns) -> tuple[TickColumns, TickColumns]:
    """Do the same with ticks that are columns already, in any order."""
    # lexsort is stable: of the ticks of one identity, the one given first stays first.
    ordered = unsorted.take(np.lexsort((unsorted.place, unsorted.time_us, unsorted.symbol_id)))
    repeat = same_identity(ordered.take(slice(1, None)), ordered.take(slice(None, -1)))
    if not repeat.any():
        return ordered, ordered.take(slice(0, 0))
    first = np.concatenate(([True], ~repeat))
    chosen = np.flatnonzero(first)[np.cumsum(first) - 1]
    return ordered.take(first), ordered.take(~same_values(ordered, ordered.take(chosen)))


def same_identity(one: TickColumns, other: TickColumns) -> NDArray[np.bool_]:
    """Return, row by row, whether two ticks are of one symbol, time and place."""
    same: NDArray[np.bool_] = (
        (one.symbol_id == other.symbol_id) & (one.time_us == other.time_us) & (one.place == other.place)
    )
    return same


def same_values(one: TickColumns, other: TickColumns) -> NDArray[np.bool_]:
    """Return, row by row, whether two ticks have the same prices and sizes."""
    same: NDArray[np.bool_] = (
        (one.bid == other.bid)
        & (one.ask == other.ask)
        & (one.bid_size == other.bid_size)
        & (one.ask_size == other.ask_size)
    )
    return same


def copy_pieces(batch: TickColumns) -> Iterator[bytes]:
    """Yield the ticks as rows of `COPY`, without header and trailer, some thousand at a time."""
    for start in range(0, len(batch), _ROWS_PER_PIECE):
        yield _LAYOUT.pack([column[start : start + _ROWS_PER_PIECE] for column in batch.columns()])


def one_tick(symbol: str, columns: TickColumns, row: int) -> Tick:
    """Return a row as a tick of that symbol."""
    values: list[Any] = [int(column[row]) for column in columns.columns()[1:]]
    return Tick(symbol, *values)
