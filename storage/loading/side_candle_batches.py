"""Stores candles of bid or of ask that a broker published, from its files, in the table `quote_klines`."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from app.market.interval import Interval
from app.market.ports.loading import LoadResult, RefusedPlace
from app.market.quotes.side_candle import SideCandle
from app.market.quotes.tick import PriceSide
from app.market.symbol import broker_of
from storage.postgres.connection import Connection
from storage.postgres.sql_arrays import column_literals
from storage.postgres.symbol_ids import add_symbols, symbol_id_of
from storage.rollups.time_sql import microseconds

CONTRADICTION = "it contradicts the stored candle of the same time"
_PARTS = ("open", "high", "low", "close", "volume")
_UNITS = ("", *("e-8" for _ in _PARTS))

_GIVEN = """
    unnest(%s::bigint[], %s::numeric[], %s::numeric[], %s::numeric[], %s::numeric[], %s::numeric[])
        AS given (open_us, open, high, low, close, volume)
"""
_SAVE = """
    INSERT INTO quote_klines AS known
        (symbol_id, seconds, months, open_time, source, {open}, {high}, {low}, {close}, {volume})
    SELECT %s, %s, %s, timestamptz 'epoch' + open_us * interval '1 microsecond', %s, open, high, low, close, volume
    FROM {given}
    ORDER BY open_us
    ON CONFLICT (symbol_id, seconds, months, open_time) DO UPDATE SET {open} = excluded.{open},
        {high} = excluded.{high}, {low} = excluded.{low}, {close} = excluded.{close}, {volume} = excluded.{volume}
    WHERE known.{open} IS NULL
"""
_DIFFERING = """
    SELECT {open_us} FROM {given} JOIN quote_klines AS known
        ON open_time = timestamptz 'epoch' + open_us * interval '1 microsecond'
    WHERE symbol_id = %s AND seconds = %s AND months = %s
        AND ((known.{open}, known.{high}, known.{low}, known.{close}) IS DISTINCT FROM
            (given.open, given.high, given.low, given.close) OR known.{volume} <> given.volume)
"""


def _of_side(query: str, side: PriceSide) -> sql.Composed:
    columns = {part: sql.Identifier(f"{side.value}_{part}") for part in _PARTS}
    return sql.SQL(query).format(given=sql.SQL(_GIVEN), open_us=microseconds("open_time"), **columns)


_SAVE_SIDE = {side: _of_side(_SAVE, side) for side in (PriceSide.BID, PriceSide.ASK)}
_DIFFERING_SIDE = {side: _of_side(_DIFFERING, side) for side in (PriceSide.BID, PriceSide.ASK)}


def fault(candle: SideCandle, interval: Interval) -> str:
    """Return why a candle cannot be stored; empty if it can."""
    open_us, bar, volume_e8 = candle
    if interval.open_time_us(open_us) != open_us:
        return f"open_time is not when a candle of {interval} opens"
    if not 0 < bar.low_e8 <= min(bar.open_e8, bar.close_e8) <= max(bar.open_e8, bar.close_e8) <= bar.high_e8:
        return "open or close is outside of low to high"
    return "" if volume_e8 >= 0 else "volume is below 0"


def faults_of(candles: Sequence[SideCandle], interval: Interval) -> list[RefusedPlace]:
    """Return the places of the candles that cannot be stored."""
    return [RefusedPlace(place, reason) for place, one in enumerate(candles) if (reason := fault(one, interval))]


def store_side_candles(
    connection: Connection, symbol: str, interval: Interval, side: PriceSide, candles: Sequence[SideCandle]
) -> LoadResult:
    """See `app.market.ports.loading.BulkLoader.load_side_candles`. Raises psycopg.Error."""
    refused = faults_of(candles, interval)
    faulty = {one.place for one in refused}
    places = {one.open_time_us: place for place, one in enumerate(candles) if place not in faulty}
    if not places:
        return LoadResult(0, 0, tuple(refused))
    rows = [(open_us, *candles[place].bar, candles[place].volume_e8) for open_us, place in places.items()]
    literals = column_literals(rows, _UNITS)
    with connection.transaction():
        add_symbols(connection, [symbol])
        key = (symbol_id_of(connection, symbol), interval.seconds, interval.months)
        stored = connection.execute(_SAVE_SIDE[side], (*key, broker_of(symbol), *literals)).rowcount
        differing = connection.execute(_DIFFERING_SIDE[side], (*literals, *key)).fetchall()
    refused += [RefusedPlace(places[int(open_us)], CONTRADICTION) for (open_us,) in differing]
    return LoadResult(stored, len(candles) - stored - len(refused), tuple(sorted(refused)))
