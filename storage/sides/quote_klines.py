"""
Candles of bid, ask and mid as a broker of quotes published them, in the table `quote_klines`.

The table `kline_ranges` records the times fetched of each price, as for the exchange's klines. Every function
takes a connection and may raise psycopg.Error. Times are UTC microseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from psycopg import sql

from app.market.calendar.calendar import Calendar
from app.market.calendar.closed_slots import open_slots
from app.market.candle import Candle, CandleSource
from app.market.coverage import IdRanges
from app.market.interval import EXCHANGE_INTERVALS, Interval
from app.market.quotes.tick import PriceSide
from app.market.symbol import broker_of
from app.market.units import E8
from storage.candles.klines import combined, fetched_ranges, key_of, save_range
from storage.postgres.connection import Connection
from storage.postgres.sql_arrays import column_literals
from storage.postgres.symbol_ids import add_symbols
from storage.rollups.time_sql import microseconds

_EARLIEST_US, _LATEST_US = 0, 4_102_444_800_000_000  # 1970 to 2100
# `kline_ranges` has no column for the price: this is added to the months; no interval has that many.
_MONTHS_OF = {PriceSide.MID: 0, PriceSide.BID: -100, PriceSide.ASK: -200}
_PARTS = ("open", "high", "low", "close")
_UNITS = ("", *("e-8" for _ in _PARTS), "")

_SAVE = """
    INSERT INTO quote_klines AS known
        (symbol_id, seconds, months, open_time, {open}, {high}, {low}, {close}, ticks, source)
    SELECT (SELECT id FROM symbols WHERE symbol = %s), %s, %s, timestamptz 'epoch' + open_us * interval '1 microsecond',
        open, high, low, close, ticks, %s
    FROM unnest(%s::bigint[], %s::numeric[], %s::numeric[], %s::numeric[], %s::numeric[], %s::bigint[])
        AS given (open_us, open, high, low, close, ticks)
    ORDER BY open_us
    ON CONFLICT (symbol_id, seconds, months, open_time) DO UPDATE SET {open} = excluded.{open},
        {high} = excluded.{high}, {low} = excluded.{low}, {close} = excluded.{close}, ticks = excluded.ticks,
        source = excluded.source
    WHERE (known.{open}, known.{high}, known.{low}, known.{close}, known.ticks)
        IS DISTINCT FROM (excluded.{open}, excluded.{high}, excluded.{low}, excluded.{close}, excluded.ticks)
"""

_READ = """
    SELECT {open_us}, trunc({open} * 100000000), trunc({high} * 100000000), trunc({low} * 100000000),
        trunc({close} * 100000000), coalesce(ticks, 0)
    FROM quote_klines
    WHERE symbol_id = %s AND seconds = %s AND months = %s AND {open} IS NOT NULL AND complete
        AND open_time >= timestamptz 'epoch' + %s * interval '1 microsecond'
        AND open_time < timestamptz 'epoch' + %s * interval '1 microsecond'
    ORDER BY open_time DESC LIMIT %s
"""


# See `storage.candles.klines`: not EXISTS, for which the server may read every candle there is.
_STORED = """
    SELECT seconds, months FROM unnest(%s::integer[], %s::integer[]) AS wanted (seconds, months)
    WHERE (SELECT true FROM quote_klines k WHERE k.symbol_id = %s AND k.seconds = wanted.seconds
        AND k.months = wanted.months ORDER BY k.open_time LIMIT 1)
"""

_ENDS = sql.SQL(
    "SELECT {first_us}, {last_us} FROM quote_klines WHERE symbol_id = %s AND seconds = %s AND months = %s"
).format(first_us=microseconds(sql.SQL("min(open_time)")), last_us=microseconds(sql.SQL("max(open_time)")))


def _of_side(query: str, side: PriceSide) -> sql.Composed:
    columns = {part: sql.Identifier(f"{side.value}_{part}") for part in _PARTS}
    return sql.SQL(query).format(open_us=microseconds("open_time"), **columns)


_SAVE_SIDE = {side: _of_side(_SAVE, side) for side in PriceSide}
_READ_SIDE = {side: _of_side(_READ, side) for side in PriceSide}


def save(
    connection: Connection,
    symbol: str,
    interval: Interval,
    side: PriceSide,
    candles: Sequence[Candle],
    fetched: tuple[int, int] | None = None,
) -> int:
    """
    Store closed candles of one price; one that is stored already is replaced, and its other prices stay.

    ``fetched``: if given, these are all the candles that the broker has from the first time until before the second.

    Return how many are new, or other than they were.
    """
    latest = {one.open_time_us: (*one[:5], one.trades) for one in candles if one.closed}
    changed = 0
    with connection.transaction():
        add_symbols(connection, [symbol])
        if latest:
            literals = column_literals(list(latest.values()), _UNITS)
            values = (symbol, *key_of(interval), broker_of(symbol), *literals)
            changed = connection.execute(_SAVE_SIDE[side], values).rowcount
        if fetched is not None:
            save_range(connection, symbol, _noted(interval, side), *fetched)
    return changed


def fetched_times(connection: Connection, symbol_id: int | None, interval: Interval, side: PriceSide) -> IdRanges:
    """Return the microseconds for which the broker has been asked for candles of this interval and price."""
    return fetched_ranges(connection, symbol_id, _noted(interval, side))


def _noted(interval: Interval, side: PriceSide) -> Interval:
    """Return the interval under which `kline_ranges` records candles of one price."""
    return Interval(interval.seconds, interval.months + _MONTHS_OF[side], interval.phase)


def ends(connection: Connection, symbol_id: int, interval: Interval) -> list[tuple[int, int]]:
    """Return the first and the last open time of the stored candles of each interval that fits into ``interval``."""
    stored = stored_intervals(connection, symbol_id, interval)
    found = [connection.execute(_ENDS, (symbol_id, *key_of(one))).fetchone() for one in stored]
    return [(int(row[0]), int(row[1])) for row in found if row is not None and row[0] is not None]


def stored_intervals(connection: Connection, symbol_id: int, interval: Interval) -> list[Interval]:
    """Return the intervals of stored candles that add up to those of ``interval``, longest first."""
    fitting = {interval, *(one for one in EXCHANGE_INTERVALS if one.tiles(interval))}
    seconds, months = zip(*map(key_of, fitting), strict=True)
    rows = connection.execute(_STORED, (list(seconds), list(months), symbol_id)).fetchall()
    lengths = {(row[0], row[1]) for row in rows}
    return sorted((one for one in fitting if key_of(one) in lengths), key=lambda one: one.length_us, reverse=True)


def read(
    connection: Connection,
    symbol_id: int,
    interval: Interval,
    side: PriceSide,
    start_us: int | None,
    end_us: int | None,
    calendar: Calendar | None,
    limit: int | None = None,
) -> list[Candle]:
    """
    Return the candles of one price in ``[start_us, end_us)`` that stored ones make up in full, oldest first.

    A candle that the broker is known not to have, and one of closed time, is not missing. Of several shorter intervals
    the longest counts. ``limit``: how many of the newest are enough.
    """
    start_us = _EARLIEST_US if start_us is None else max(start_us, _EARLIEST_US)
    end_us = _LATEST_US if end_us is None else min(end_us, _LATEST_US)
    found: dict[int, Candle] = {}
    for part in stored_intervals(connection, symbol_id, interval):
        most = None if limit is None else (limit + 1) * max(1, round(interval.length_us / part.length_us))
        rows = connection.execute(_READ_SIDE[side], (symbol_id, *key_of(part), start_us, end_us, most))
        candles = [_candle(*map(int, row)) for row in rows][::-1]
        if part != interval and candles:
            known = fetched_times(connection, symbol_id, part, side)
            candles = combined(candles, interval, partial(_is_whole, part, known, calendar))
        for candle in candles:
            found.setdefault(candle.open_time_us, candle)
    return [found[open_us] for open_us in sorted(found)]


def _candle(open_us: int, open_e8: int, high_e8: int, low_e8: int, close_e8: int, ticks: int) -> Candle:
    return Candle(open_us, open_e8, high_e8, low_e8, close_e8, ticks * E8, 0, ticks, 0, 0, source=CandleSource.KLINE)


def _is_whole(
    part: Interval, fetched: IdRanges, calendar: Calendar | None, group: Sequence[Candle], start_us: int, end_us: int
) -> bool:
    """Whether every candle of ``part`` is there that the broker has, but for those of closed time."""
    held = {candle.open_time_us for candle in group}
    return all(
        (open_us := part.slot_open_us(slot)) in held or not fetched.missing(open_us, part.slot_open_us(slot + 1) - 1)
        for slot in open_slots(calendar, part, part.slot(start_us), part.slot(end_us - 1) + 1)
    )
