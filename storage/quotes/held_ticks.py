"""
Which ticks of a batch are stored already, inside the batch's transaction.

The candles of 5 s nearly always answer it: where there is none, or where a tick is earlier or later than all that its
candle counts, it is new. The ticks between are looked up. One that is not found is new if its candle counts as many
ticks as are stored in it; if it counts more, retention has dropped some, and the tick is taken for one of these.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from psycopg import sql

from storage.postgres.batch_columns import Ints
from storage.postgres.connection import Connection
from storage.postgres.sql_arrays import array_literal
from storage.quotes.tick_columns import EXACT, TickColumns, same_values
from storage.quotes.tick_levels import FINEST
from storage.rollups.time_sql import microseconds

_SLOT_US = FINEST.length_us
_SYMBOL_SLOTS = 1 << 40  # more than there are slots until 2100, so that symbol and slot make one number
_PLACES = 1 << 15
_CANDLE_GAP_US = 3_600_000_000  # candles closer than this are read as one range
_TICK_GAP_US = 60_000_000

# OFFSET 0 makes the server read each range by the key. Without it the planner, which cannot know how wide the ranges
# are, read a table of many years whole for each batch.
TOUCHED = sql.SQL(
    """
    SELECT r.symbol_id, {open_us}, r.ticks, {first_us}, r.first_place, {last_us}, r.last_place
    FROM unnest(%s::int[], %s::bigint[], %s::bigint[]) AS run (symbol_id, low, high)
    CROSS JOIN LATERAL (
        SELECT * FROM {table} WHERE symbol_id = run.symbol_id
            AND open_time >= timestamptz 'epoch' + run.low * interval '1 microsecond'
            AND open_time <= timestamptz 'epoch' + run.high * interval '1 microsecond'
        OFFSET 0
    ) AS r
    ORDER BY 1, 2
    """
).format(
    table=sql.Identifier(FINEST.table),
    open_us=microseconds(sql.Identifier("r", "open_time")),
    first_us=microseconds(sql.Identifier("r", "first_time")),
    last_us=microseconds(sql.Identifier("r", "last_time")),
)
"""The query for the stored candles of 5 s in some ranges of time. Parameters: `slot_ranges` of a batch."""

# The bounds of all ranges are values: by them the planner leaves out the partitions of other times.
_STORED = sql.SQL(
    """
    SELECT q.symbol_id, {exact}
    FROM unnest(%(symbols)s::int[], %(lows)s::bigint[], %(highs)s::bigint[]) AS run (symbol_id, low, high)
    CROSS JOIN LATERAL (
        SELECT * FROM quotes WHERE symbol_id = run.symbol_id
            AND time >= timestamptz 'epoch' + run.low * interval '1 microsecond'
            AND time < timestamptz 'epoch' + run.high * interval '1 microsecond'
            AND time >= timestamptz 'epoch' + %(from_us)s * interval '1 microsecond'
            AND time < timestamptz 'epoch' + %(to_us)s * interval '1 microsecond'
        OFFSET 0
    ) AS q
    ORDER BY 1, 2, 3
    """
).format(exact=EXACT)


@dataclass(frozen=True, slots=True)
class TouchedCandles:
    """Stored candles of 5 s as columns, by symbol id and open time; the fields are the columns of `TOUCHED`."""

    symbol_id: Ints
    open_us: Ints
    ticks: Ints
    first_us: Ints
    first_place: Ints
    last_us: Ints
    last_place: Ints

    @classmethod
    def of(cls, rows: list[tuple[int, ...]]) -> TouchedCandles:
        """Return the rows of `TOUCHED` as columns."""
        table = np.array(rows, dtype=np.int64).reshape(len(rows), len(fields(cls)))
        return cls(*table.T)

    def __len__(self) -> int:
        return len(self.symbol_id)

    def take(self, rows: Ints) -> TouchedCandles:
        """Return the candles of these row numbers."""
        return TouchedCandles(*(getattr(self, field.name)[rows] for field in fields(self)))

    def index_of(self, symbol_id: Ints, time_us: Ints) -> Ints:
        """Return, time by time, the row of the candle that it lies in; -1 where there is none."""
        if not len(self):
            return np.full(len(symbol_id), -1, np.int64)
        slots = _slot_numbers(self.symbol_id, self.open_us)
        wanted = _slot_numbers(symbol_id, time_us)
        at = np.minimum(np.searchsorted(slots, wanted), len(slots) - 1)
        return np.where(slots[at] == wanted, at, -1)


def slot_ranges(batch: TickColumns) -> list[str]:
    """Return the times of 5 s candles that may be a batch's, as array literals: symbols, first and last open times."""
    opens = batch.time_us - batch.time_us % _SLOT_US
    return _ranges(batch.symbol_id, opens, _CANDLE_GAP_US)


def split(
    connection: Connection, batch: TickColumns, touched: TouchedCandles
) -> tuple[NDArray[np.bool_], list[tuple[int, TickColumns, int]], NDArray[np.bool_]]:
    """
    Return which ticks of a sorted batch are new; the contradictions, as (row, stored ticks, row among these); and which
    ticks were stored once and have been dropped. All other ticks are stored already.

    ``touched``: the candles of `TOUCHED`. Raises psycopg.Error.
    """
    at = touched.index_of(batch.symbol_id, batch.time_us)
    is_new = (at < 0) | _is_outside(batch, touched, at)
    is_gone = np.zeros(len(batch), np.bool_)
    if is_new.all():
        return is_new, [], is_gone
    rows = np.flatnonzero(~is_new)
    suspects = batch.take(rows)
    stored = stored_ticks(connection, suspects)
    candles = at[rows]
    stored_at = touched.index_of(stored.symbol_id, stored.time_us)
    stored_numbers = _tick_numbers(stored, touched, stored_at)
    wanted = _tick_numbers(suspects, touched, candles)
    if len(stored):
        found_at = np.minimum(np.searchsorted(stored_numbers, wanted), len(stored) - 1)
        is_found = stored_numbers[found_at] == wanted
    else:
        found_at, is_found = np.zeros(len(suspects), np.int64), np.zeros(len(suspects), np.bool_)
    counts = np.bincount(stored_at[stored_at >= 0], minlength=len(touched))
    is_dropped = ~is_found & (counts[candles] < touched.ticks[candles])
    is_new[rows[~is_found & ~is_dropped]] = True
    is_gone[rows[is_dropped]] = True
    contradictions: list[tuple[int, TickColumns, int]] = []
    if is_found.any():
        differs = np.zeros(len(suspects), np.bool_)
        differs[is_found] = ~same_values(suspects.take(is_found), stored.take(found_at[is_found]))
        for row in np.flatnonzero(differs).tolist():
            if not is_at_another_place(suspects.take(slice(row, row + 1)), stored):
                contradictions.append((int(rows[row]), stored, int(found_at[row])))
    return is_new, contradictions, is_gone


def _is_outside(batch: TickColumns, touched: TouchedCandles, at: Ints) -> NDArray[np.bool_]:
    """Return, tick by tick, whether it is earlier or later than all that its candle counts."""
    outside = np.zeros(len(batch), np.bool_)
    rows = np.flatnonzero(at >= 0)
    if not len(rows):
        return outside
    ticks, candles = batch.take(rows), touched.take(at[rows])
    is_earlier = (ticks.time_us < candles.first_us) | (
        (ticks.time_us == candles.first_us) & (ticks.place < candles.first_place)
    )
    is_later = (ticks.time_us > candles.last_us) | (
        (ticks.time_us == candles.last_us) & (ticks.place > candles.last_place)
    )
    outside[rows] = is_earlier | is_later
    return outside


def at_counted_places(batch: TickColumns, touched: TouchedCandles) -> TickColumns:
    """
    Return ticks of a file with the places that the stored candles count for their first and last tick.

    A file knows only the order of ticks of one time. Where ticks arrived live, a place may have stayed free: the first
    tick of a candle need not have the place 0. ``batch`` is sorted and has all ticks of each of its times.
    """
    at = touched.index_of(batch.symbol_id, batch.time_us)
    rows = np.flatnonzero(at >= 0)
    if not len(rows):
        return batch
    candles, place = touched.take(at[rows]), batch.place.copy()
    time_us = batch.time_us[rows]
    place[rows] += np.where(time_us == candles.first_us, candles.first_place, 0)
    is_last = np.concatenate((np.diff(batch.time_us) != 0, [True])) | np.concatenate(
        (np.diff(batch.symbol_id) != 0, [True])
    )
    ends = is_last[rows] & (time_us == candles.last_us)
    place[rows[ends]] = np.maximum(place[rows[ends]], candles.last_place[ends])
    return replace(batch, place=place)


def are_within(batch: TickColumns, touched: TouchedCandles) -> NDArray[np.bool_]:
    """Return, tick by tick, whether its time is between those of the first and the last tick of its stored candle."""
    at = touched.index_of(batch.symbol_id, batch.time_us)
    within = np.zeros(len(batch), np.bool_)
    rows = np.flatnonzero(at >= 0)
    if len(rows):
        time_us, candles = batch.time_us[rows], touched.take(at[rows])
        within[rows] = (time_us >= candles.first_us) & (time_us <= candles.last_us)
    return within


def stored_ticks(connection: Connection, suspects: TickColumns) -> TickColumns:
    """Return all stored ticks in the candles of these ticks (at least one), by symbol, time and place."""
    opens = suspects.time_us - suspects.time_us % _SLOT_US
    symbols, lows, highs = _ranges(suspects.symbol_id, opens, _TICK_GAP_US, more_us=_SLOT_US)
    values = {
        "symbols": symbols,
        "lows": lows,
        "highs": highs,
        "from_us": int(opens.min()),
        "to_us": int(opens.max()) + _SLOT_US,
    }
    return TickColumns.of(connection.execute(_STORED, values, prepare=False).fetchall())


def is_at_another_place(tick: TickColumns, stored: TickColumns) -> bool:
    """
    Whether one of the stored ticks has the symbol, time, prices and sizes of a single one, at whatever place.

    A live source that is asked again after a break begins to count the places of its last time from 0.
    """
    same = (stored.symbol_id == tick.symbol_id) & (stored.time_us == tick.time_us) & same_values(stored, tick)
    return bool(same.any())


def _ranges(symbol_id: Ints, opens_us: Ints, gap_us: int, more_us: int = 0) -> list[str]:
    """Return sorted times as ranges without a gap, as array literals: symbols, first and last times + ``more_us``."""
    breaks = np.flatnonzero((np.diff(symbol_id) != 0) | (np.diff(opens_us) > gap_us)) + 1
    edges = [0, *breaks.tolist(), len(opens_us)]
    ranges = list(pairwise(edges))
    return [
        array_literal(int(symbol_id[start]) for start, _ in ranges),
        array_literal(int(opens_us[start]) for start, _ in ranges),
        array_literal(int(opens_us[end - 1]) + more_us for _, end in ranges),
    ]


def _slot_numbers(symbol_id: Ints, time_us: Ints) -> Ints:
    return symbol_id * _SYMBOL_SLOTS + time_us // _SLOT_US


def _tick_numbers(ticks: TickColumns, touched: TouchedCandles, at: Ints) -> Ints:
    """Return a number for each tick that rises with candle, time and place; -1 outside the candles."""
    since_open = ticks.time_us - touched.open_us[at] if len(touched) else ticks.time_us
    return np.where(at >= 0, at * (_SLOT_US * _PLACES) + since_open * _PLACES + ticks.place, -1)
