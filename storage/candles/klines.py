"""
The exchange's klines: stored by their own interval, read as candles of any interval that they add up to.

The table `klines` holds them, and with them the minutes that an import added up from aggregated trades. The table
`kline_ranges` holds the times for which the exchange has been asked. Where a kline is missing in such a range, the
exchange has none: an outage, or the time before the symbol was listed.

Every function takes a connection and may raise psycopg.Error. Times are UTC microseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import starmap
from typing import Any

from psycopg import sql

from app.market.candle import Candle, CandleSource, combine
from app.market.coverage import IdRanges
from app.market.interval import EXCHANGE_INTERVALS, Interval
from storage.postgres.connection import Connection
from storage.postgres.sql_arrays import column_literals
from storage.postgres.symbol_ids import add_symbols
from storage.rollups.time_sql import microseconds

_SAVE = """
    INSERT INTO klines AS known (symbol_id, seconds, months, open_time, open, high, low, close, volume, quote_volume,
        trades, taker_buy_volume, taker_buy_quote_volume, source, complete, first_trade_id, last_trade_id)
    SELECT (SELECT id FROM symbols WHERE symbol = %s), %s, %s, timestamptz 'epoch' + open_us * interval '1 microsecond',
        open, high, low, close, volume, quote_volume, trades, taker, taker_quote, source, complete, first_id, last_id
    FROM unnest(%s::bigint[], %s::numeric[], %s::numeric[], %s::numeric[], %s::numeric[], %s::numeric[], %s::numeric[],
        %s::bigint[], %s::numeric[], %s::numeric[], %s::text[], %s::boolean[], %s::bigint[], %s::bigint[])
        AS given (open_us, open, high, low, close, volume, quote_volume, trades, taker, taker_quote, source, complete,
        first_id, last_id)
    ORDER BY open_us
    ON CONFLICT (symbol_id, seconds, months, open_time) DO UPDATE SET open = excluded.open, high = excluded.high,
        low = excluded.low, close = excluded.close, volume = excluded.volume, quote_volume = excluded.quote_volume,
        trades = excluded.trades, taker_buy_volume = excluded.taker_buy_volume,
        taker_buy_quote_volume = excluded.taker_buy_quote_volume, source = excluded.source,
        complete = excluded.complete, first_trade_id = excluded.first_trade_id, last_trade_id = excluded.last_trade_id
    WHERE ((excluded.complete, excluded.source = 'kline') >= (known.complete, known.source = 'kline')
            OR (excluded.complete AND known.volume > 0 AND known.quote_volume = 0))
        AND known IS DISTINCT FROM excluded
"""

_READ = sql.SQL(
    """
    SELECT {open_us}, trunc(open * 100000000), trunc(high * 100000000), trunc(low * 100000000),
        trunc(close * 100000000), trunc(volume * 100000000), trunc(quote_volume * 10000000000000000), trades,
        trunc(taker_buy_volume * 100000000), trunc(taker_buy_quote_volume * 10000000000000000),
        first_trade_id, last_trade_id, true, complete, source
    FROM klines
    WHERE symbol_id = %s AND seconds = %s AND months = %s
        AND open_time >= timestamptz 'epoch' + %s * interval '1 microsecond'
        AND open_time < timestamptz 'epoch' + %s * interval '1 microsecond'
    ORDER BY open_time
    """
).format(open_us=microseconds("open_time"))

# A subquery with an order and a limit rather than EXISTS: for that the server may read every kline there is, 0.4 s for
# three years of minutes.
_STORED = """
    SELECT seconds, months FROM unnest(%s::integer[], %s::integer[]) AS wanted (seconds, months)
    WHERE (SELECT true FROM klines k WHERE k.symbol_id = %s AND k.seconds = wanted.seconds
        AND k.months = wanted.months ORDER BY k.open_time LIMIT 1)
"""

_PUBLISHED, _AGGREGATED = CandleSource.KLINE.value, CandleSource.AGGTRADES.value
_UNITS = ("", "e-8", "e-8", "e-8", "e-8", "e-8", "e-16", "", "e-8", "e-16", "", "", "", "")
_SOURCES = {source.value: source for source in (CandleSource.KLINE, CandleSource.AGGTRADES)}

EVERY_INTERVAL = Interval(0)
"""Stands in `kline_ranges` for all intervals at once: a symbol's listing concerns each of them."""

EVERY_TRADE = Interval(-1)
"""Stands in `kline_ranges` for trades: the times of which all trades that the exchange has were fetched."""

_FETCHED = sql.SQL(
    """
    SELECT {first_us}, {end_us} - 1 FROM kline_ranges
    WHERE symbol_id = %s AND (seconds, months) IN ((%s, %s), (0, 0))
    """
).format(first_us=microseconds("first_time"), end_us=microseconds("end_time"))

# The ranges that overlap or touch the new one become part of it.
_TAKE_TOUCHING_RANGES = sql.SQL(
    """
    DELETE FROM kline_ranges USING symbols
    WHERE symbols.id = symbol_id AND symbol = %s AND seconds = %s AND months = %s
        AND first_time <= timestamptz 'epoch' + %s * interval '1 microsecond'
        AND end_time >= timestamptz 'epoch' + %s * interval '1 microsecond'
    RETURNING {first_us}, {end_us}
    """
).format(first_us=microseconds("first_time"), end_us=microseconds("end_time"))

_SAVE_RANGE = """
    INSERT INTO kline_ranges AS known (symbol_id, seconds, months, first_time, end_time)
    SELECT id, %s, %s, timestamptz 'epoch' + %s * interval '1 microsecond',
        timestamptz 'epoch' + %s * interval '1 microsecond'
    FROM symbols WHERE symbol = %s
    ON CONFLICT (symbol_id, seconds, months, first_time) DO UPDATE
    SET end_time = greatest(known.end_time, excluded.end_time)
"""


def key_of(interval: Interval) -> tuple[int, int]:
    """Return the seconds and months by which klines are stored; of an interval with a phase there are none."""
    return (interval.seconds, -1) if interval.phase else (interval.seconds, interval.months)


def save(
    connection: Connection,
    symbol: str,
    interval: Interval,
    candles: Sequence[Candle],
    fetched: tuple[int, int] | None = None,
) -> int:
    """
    Store closed klines; one that is stored already is replaced, because the exchange may correct a kline later.

    A candle whose source is aggtrades is stored as that and its trades' ids with it; everything else is the exchange's.
    None replaces a complete one without being complete, nor the exchange's without being that, unless the stored one
    knows prices and volume alone (`app.market.candle.has_prices_alone`).

    ``fetched``: if given, these are all the klines that the exchange has from the first time until before the second.

    Return how many are new, or other than they were.
    """
    latest = {candle.open_time_us: candle for candle in candles}
    rows = [_row(candle) for candle in latest.values()]
    changed = 0
    with connection.transaction():
        add_symbols(connection, [symbol])
        if rows:
            columns = column_literals(rows, _UNITS)
            changed = connection.execute(_SAVE, (symbol, *key_of(interval), *columns)).rowcount
        if fetched is not None:
            save_range(connection, symbol, interval, *fetched)
    return changed


def forget_range(connection: Connection, symbol: str, interval: Interval, start_us: int, end_us: int) -> None:
    """Take ``[start_us, end_us)`` out of the times that are known; klines stay as they are."""
    lengths = key_of(interval)
    with connection.transaction():
        for first_us, after_us in connection.execute(
            _TAKE_TOUCHING_RANGES, (symbol, *lengths, end_us, start_us)
        ).fetchall():
            for begin_us, until_us in ((first_us, min(after_us, start_us)), (max(first_us, end_us), after_us)):
                if begin_us < until_us:
                    connection.execute(_SAVE_RANGE, (*lengths, begin_us, until_us, symbol))


def fetched_ranges(connection: Connection, symbol_id: int | None, interval: Interval) -> IdRanges:
    """Return the microseconds for which the exchange has been asked for klines of exactly this interval."""
    return IdRanges(connection.execute(_FETCHED, (symbol_id, *key_of(interval))))


def stored_intervals(connection: Connection, symbol_id: int, interval: Interval) -> list[Interval]:
    """Return the intervals of stored klines that add up to candles of ``interval``, longest first."""
    fitting = {interval, *(offered for offered in EXCHANGE_INTERVALS if offered.tiles(interval))}
    seconds, months = zip(*map(key_of, fitting), strict=True)
    rows = connection.execute(_STORED, (list(seconds), list(months), symbol_id))
    return sorted((Interval(*row) for row in rows), key=lambda stored: stored.length_us, reverse=True)


def read(
    connection: Connection, symbol_id: int, interval: Interval, stored: Sequence[Interval], start_us: int, end_us: int
) -> dict[int, Candle]:
    """
    Return the candles of ``interval`` in ``[start_us, end_us)`` that stored klines make up in full, by open time.

    A kline that the exchange is known not to have is not missing.

    ``stored``: as `stored_intervals` returns them. Where several make up a candle, the longest of them counts,
    because it is nearest to the exchange's own candle.
    """
    found: dict[int, Candle] = {}
    for part in stored:
        rows = connection.execute(_READ, (symbol_id, *key_of(part), start_us, end_us))
        # Without the ids of aggregated trades: they prove nothing, because the trades themselves are not stored.
        parts = [candle._replace(first_trade_id=None, last_trade_id=None) for candle in starmap(_candle, rows)]
        if part == interval:
            whole = parts
        else:
            fetched = fetched_ranges(connection, symbol_id, part)
            whole = combined(parts, interval, partial(_is_whole, part, fetched))
        for candle in whole:
            known = found.get(candle.open_time_us)
            # Those found before win, because they come from longer intervals, unless they were cut off.
            if known is None or (candle.complete and not known.complete):
                found[candle.open_time_us] = candle
    return found


def read_stored(
    connection: Connection, symbol_id: int, interval: Interval, start_us: int, end_us: int
) -> dict[int, Candle]:
    """Return the stored candles of exactly this interval in ``[start_us, end_us)`` as they are, by open time."""
    rows = connection.execute(_READ, (symbol_id, *key_of(interval), start_us, end_us))
    return {candle.open_time_us: candle for candle in starmap(_candle, rows)}


def nearest(
    connection: Connection, symbol_id: int, stored: Sequence[Interval], at_us: int, *, before: bool
) -> list[int]:
    """
    Return the open time of the last kline before ``at_us``, or of the first from then on, for each interval that has
    one.
    """
    query = sql.SQL(
        """
        SELECT {us} FROM klines WHERE symbol_id = %s AND seconds = %s AND months = %s
            AND open_time {compare} timestamptz 'epoch' + %s * interval '1 microsecond'
        ORDER BY open_time {order} LIMIT 1
        """
    ).format(
        us=microseconds("open_time"),
        compare=sql.SQL("<" if before else ">="),
        order=sql.SQL("DESC" if before else "ASC"),
    )
    rows = (connection.execute(query, (symbol_id, *key_of(part), at_us)).fetchone() for part in stored)
    return [row[0] for row in rows if row is not None]


def save_range(connection: Connection, symbol: str, interval: Interval, start_us: int, end_us: int) -> None:
    """Record the range, joined with those that it touches; inside the caller's transaction."""
    lengths = key_of(interval)
    touching = connection.execute(_TAKE_TOUCHING_RANGES, (symbol, *lengths, end_us, start_us)).fetchall()
    first_us, after_us = (list(times) for times in zip(*touching, (start_us, end_us), strict=True))
    connection.execute(_SAVE_RANGE, (*lengths, min(first_us), max(after_us), symbol))


def combined(
    parts: Sequence[Candle], whole: Interval, is_whole: Callable[[Sequence[Candle], int, int], bool]
) -> list[Candle]:
    """
    Return the candles of ``whole`` that shorter ones make up.

    ``is_whole`` says whether some make up all of one, given its begin and its end, UTC microseconds.
    """
    groups: dict[int, list[Candle]] = {}
    for candle in parts:
        groups.setdefault(whole.open_time_us(candle.open_time_us), []).append(candle)
    return [
        combine(open_us, group)
        for open_us, group in groups.items()
        if is_whole(group, open_us, whole.next_open_us(open_us))
    ]


def _is_whole(part: Interval, fetched: IdRanges, group: Sequence[Candle], start_us: int, end_us: int) -> bool:
    """Whether every kline of ``part`` is there that the exchange has."""
    return len(group) == part.slot(end_us - 1) - part.slot(start_us) + 1 or not fetched.missing(start_us, end_us - 1)


def _candle(*row: Any) -> Candle:
    *figures, source = row
    return Candle(*figures)._replace(source=_SOURCES[source])


def _row(candle: Candle) -> tuple[object, ...]:
    is_aggregated = candle.source is CandleSource.AGGTRADES
    first, last = (candle.first_trade_id, candle.last_trade_id) if is_aggregated else (None, None)
    return (
        *candle[:10],
        _AGGREGATED if is_aggregated else _PUBLISHED,
        candle.complete,
        "NULL" if first is None else first,
        "NULL" if last is None else last,
    )
