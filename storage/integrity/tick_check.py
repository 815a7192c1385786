"""
Holds the candles of ticks against the ticks, and makes them again: the part of ticks in `verify` and `rebuild`.

Ticks are read as columns and added up as the writer does it. Where retention has dropped ticks, a candle that counts
more than are stored is right.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from psycopg import sql

from app.market.coverage import IdRanges
from storage.integrity.differences import MAX_LISTED, Difference, DifferenceKind, DifferenceReport, TimeWindow
from storage.postgres.connection import Connection
from storage.quotes import fetched_ranges
from storage.quotes.tick_columns import EXACT, TickColumns
from storage.quotes.tick_levels import LEVELS
from storage.quotes.tick_rollups import (
    ADD_TO_ROLLUPS,
    FIGURES,
    TickCandleColumns,
    all_levels,
    candle_columns,
    finest_candles,
    rollup_arrays,
)
from storage.rollups.time_sql import microseconds

_TABLES = ("quotes", *(level.table for level in LEVELS))
_WITHIN = """
    symbol_id = %(symbol_id)s AND {time} >= timestamptz 'epoch' + %(start_us)s * interval '1 microsecond'
    AND {time} < timestamptz 'epoch' + %(end_us)s * interval '1 microsecond'
"""
_TICKS = sql.SQL(
    """
    SELECT symbol_id, {exact} FROM quotes WHERE {within} ORDER BY time, place
    """
).format(exact=EXACT, within=sql.SQL(_WITHIN).format(time=sql.Identifier("time")))
_TICKS_FIGURE = 2 + FIGURES.index("ticks")


class _CandlePair(NamedTuple):
    """A level's candle as it is stored and as it should be, as rows of its table in whole numbers; either may lack."""

    level: int
    open_us: int
    stored: tuple[int, ...] | None
    made: tuple[int, ...] | None

    @property
    def kind(self) -> DifferenceKind:
        if self.stored is None:
            return DifferenceKind.CANDLE_MISSING
        return DifferenceKind.CANDLE_SUPERFLUOUS if self.made is None else DifferenceKind.CANDLE_DIFFERENT

    @property
    def what(self) -> str:
        if self.stored is None:
            return "there are ticks, but no candle"
        if self.made is None:
            return "there is a candle, but no tick"
        pairs = zip(FIGURES, self.stored[2:], self.made[2:], strict=True)
        return ", ".join(
            f"{name} {_shown(name, has)} instead of {_shown(name, should)}"
            for name, has, should in pairs
            if has != should
        )


def time_bounds(connection: Connection, symbol_id: int) -> tuple[int, int] | None:
    """Return the times of the symbol's first and last tick or candle; None if there is none. Raises psycopg.Error."""
    times: list[int] = []
    for table in _TABLES:
        time = sql.Identifier("time" if table == "quotes" else "open_time")
        query = sql.SQL("SELECT {}, {} FROM {} WHERE symbol_id = %s").format(
            microseconds(sql.SQL("min({})").format(time)),
            microseconds(sql.SQL("max({})").format(time)),
            sql.Identifier(table),
        )
        row = connection.execute(query, (symbol_id,), prepare=False).fetchone()
        times += [at for at in row or () if at is not None]
    return (min(times), max(times)) if times else None


def compare(connection: Connection, report: DifferenceReport, symbol_id: int, name: str, window: TimeWindow) -> bool:
    """Add the window's differences to the report, from one snapshot; return whether there are any."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        ticks = _ticks(connection, symbol_id, window)
        pairs = list(_differing(connection, symbol_id, window, ticks))
    report.ticks += len(ticks)
    listed: dict[tuple[int, DifferenceKind], int] = {}
    for pair in pairs:
        key = (pair.level, pair.kind)
        listed[key] = listed.get(key, 0) + 1
        what = pair.what if listed[key] <= MAX_LISTED else ""
        table = LEVELS[pair.level].table
        report.add(Difference(name, pair.kind, 1, what, table=table, open_time_us=pair.open_us))
    return bool(pairs)


def replace(connection: Connection, symbol_id: int, window: TimeWindow) -> None:
    """
    Make the window's candles again, inside a transaction that holds the symbol's lock. Raises psycopg.Error.

    Where a candle counted more ticks than there are, some were lost: that time no longer counts as fetched, so a
    download asks for it again.
    """
    wrong = list(_differing(connection, symbol_id, window, _ticks(connection, symbol_id, window)))
    levels = []
    for number, level in enumerate(LEVELS):
        pairs = [pair for pair in wrong if pair.level == number]
        query = sql.SQL(
            "DELETE FROM {} WHERE symbol_id = %s AND open_time = ANY(SELECT timestamptz 'epoch' + open_us *"
            " interval '1 microsecond' FROM unnest(%s::bigint[]) AS open_us)"
        ).format(sql.Identifier(level.table))
        connection.execute(query, (symbol_id, [pair.open_us for pair in pairs]))
        levels.append(_columns([pair.made for pair in pairs if pair.made is not None]))
    if any(map(len, levels)):
        connection.execute(ADD_TO_ROLLUPS, rollup_arrays(levels))
    lost = IdRanges()
    for pair in wrong:
        if pair.level == 0 and _counts_more(pair):
            lost.add_range(pair.open_us, pair.open_us + LEVELS[0].length_us - 1)
    for start_us, last_us in lost:
        fetched_ranges.remove(connection, symbol_id, start_us, last_us + 1)


def _ticks(connection: Connection, symbol_id: int, window: TimeWindow) -> TickColumns:
    return TickColumns.of(connection.execute(_TICKS, _values(symbol_id, window), prepare=False).fetchall())


def _differing(connection: Connection, symbol_id: int, window: TimeWindow, ticks: TickColumns) -> Iterator[_CandlePair]:
    """Yield the candles that are not what the ticks add up to, level by level, oldest first."""
    levels = all_levels(finest_candles(ticks)) if len(ticks) else [_columns([])] * len(LEVELS)
    for number, (level, candles) in enumerate(zip(LEVELS, levels, strict=True)):
        made = {int(row[1]): tuple(map(int, row)) for row in np.array(candles.columns()).T}
        rows = connection.execute(_candles(level.table), _values(symbol_id, window), prepare=False)
        stored = {row[1]: tuple(map(int, row)) for row in rows}
        for open_us in sorted(made.keys() | stored.keys()):
            pair = _CandlePair(number, open_us, stored.get(open_us), made.get(open_us))
            if pair.stored != pair.made and not (window.dropped and _counts_more(pair)):
                yield pair


def _counts_more(pair: _CandlePair) -> bool:
    """Whether the stored candle counts more ticks than there are: some were dropped."""
    if pair.stored is None:
        return False
    return pair.made is None or pair.stored[_TICKS_FIGURE] > pair.made[_TICKS_FIGURE]


def _candles(table: str) -> sql.Composed:
    def whole(name: str) -> sql.Composable:
        if name.endswith("_time"):
            return microseconds(name)
        if name == "ticks" or name.endswith("_place"):
            return sql.Identifier(name)
        return sql.SQL("trunc({} * 100000000)::bigint").format(sql.Identifier(name))

    return sql.SQL("SELECT symbol_id, {columns} FROM {table} WHERE {within}").format(
        columns=sql.SQL(", ").join(map(whole, ("open_time", *FIGURES))),
        table=sql.Identifier(table),
        within=sql.SQL(_WITHIN).format(time=sql.Identifier("open_time")),
    )


def _columns(rows: list[tuple[int, ...]]) -> TickCandleColumns:
    return candle_columns(list(np.array(rows, dtype=np.int64).reshape(len(rows), 2 + len(FIGURES)).T))


def _values(symbol_id: int, window: TimeWindow) -> dict[str, Any]:
    return {"symbol_id": symbol_id, "start_us": window.start_us, "end_us": window.end_us}


def _shown(name: str, value: int) -> str:
    return str(value) if name == "ticks" or name.endswith(("_place", "_time")) else f"{value / 1e8:.8f}"
