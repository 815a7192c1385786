"""
What is stored of each symbol, without reading its trades.

Numbers of trades come from the ranges of ids, times from the ends of indexes, days from the candles of a day. Rows of a
table of up to `_COUNTED_BYTES` are counted; of a larger one they are estimated: the server's estimate for the table,
shared out by the number of candles that a symbol can have at most, one a slot and one a trade.

Sizes are shares, because a symbol has no files of its own. A partition or chunk of trades is shared out by the trades
that the candles of its days count, so a compressed month weighs what it takes on the disk; each table of candles by the
rows. Every size includes indexes. Every function may raise psycopg.Error.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from psycopg import sql

from app.market.candle import CandleSource
from app.market.interval import Interval
from app.market.stored_symbol import (
    DAY_US,
    DayHeld,
    DayTrades,
    StoredCandles,
    StoredSymbol,
    StoredTrade,
    days_held,
    gaps_over_midnight,
)
from app.market.symbol import Symbol
from storage.candles import symbol_rows
from storage.postgres.connection import Connection
from storage.quotes import stored_ticks
from storage.rollups.levels import LEVELS, RollupLevel
from storage.rollups.time_sql import microseconds
from storage.rollups.trade_times import time_of
from storage.schema import id_ranges
from storage.schema.editions import is_hypertable, timescale_schema
from storage.schema.retention_record import trades_kept_from

_COUNTED_BYTES = 64_000_000
_MOST_EDGES = 60  # gaps over midnight whose times are looked up, at some milliseconds each; the newest
_ACTIVE_S = 300
_MINUTE = Interval.parse("1m")
_DAYS = LEVELS[-1].table

_SYMBOLS = sql.SQL(
    """
    SELECT id, {} FROM symbols WHERE %(name)s::text IS NULL OR symbol = %(name)s ORDER BY symbol COLLATE "C"
    """
).format(symbol_rows.COLUMNS)

_COVERAGE = """
    SELECT c.symbol_id, c.held - coalesce(a.absent, 0), c.span - c.held, c.first_id, c.last_id
    FROM (
        SELECT symbol_id, sum(last_trade_id - first_trade_id + 1)::bigint AS held,
            max(last_trade_id) - min(first_trade_id) + 1 AS span, min(first_trade_id) AS first_id,
            max(last_trade_id) AS last_id
        FROM coverage WHERE %(id)s::integer IS NULL OR symbol_id = %(id)s GROUP BY 1
    ) AS c
    LEFT JOIN (
        SELECT symbol_id, sum(last_trade_id - first_trade_id + 1)::bigint AS absent
        FROM absent_trades WHERE %(id)s::integer IS NULL OR symbol_id = %(id)s GROUP BY 1
    ) AS a USING (symbol_id)
"""

# The rollup bounds the times of the first and last trade, so that only their partitions are visited.
_TRADE_TIMES = sql.SQL(
    """
    SELECT s.id, {oldest}, {newest}
    FROM unnest(%s::integer[]) AS s (id)
    CROSS JOIN LATERAL (
        SELECT (SELECT open_time FROM {finest} WHERE symbol_id = s.id ORDER BY open_time LIMIT 1) AS lowest,
            (SELECT open_time FROM {finest} WHERE symbol_id = s.id ORDER BY open_time DESC LIMIT 1) AS highest
        OFFSET 0
    ) AS ends
    LEFT JOIN LATERAL (
        SELECT time FROM trades WHERE symbol_id = s.id AND time >= ends.lowest ORDER BY time LIMIT 1
    ) AS oldest ON true
    LEFT JOIN LATERAL (
        SELECT time FROM trades WHERE symbol_id = s.id AND time >= ends.highest ORDER BY time DESC LIMIT 1
    ) AS newest ON true
    """
).format(
    finest=sql.Identifier(LEVELS[0].table),
    oldest=microseconds(sql.Identifier("oldest", "time")),
    newest=microseconds(sql.Identifier("newest", "time")),
)

_ENDS = """
    SELECT s.id, {first}, {last}
    FROM unnest(%s::integer[]) AS s (id)
    CROSS JOIN LATERAL (SELECT open_time FROM {table} WHERE symbol_id = s.id ORDER BY open_time LIMIT 1) AS lowest
    CROSS JOIN LATERAL (SELECT open_time FROM {table} WHERE symbol_id = s.id ORDER BY open_time DESC LIMIT 1) AS highest
"""

# Those of trades, and those of bid, ask and mid.
_KLINE_TABLES = ("klines", "quote_klines")
# The kinds of klines there are, from the key's index: as many look-ups as kinds, however many klines.
_KLINES = """
    WITH RECURSIVE kind AS (
        (
            SELECT symbol_id, seconds, months FROM {table}
            WHERE %(id)s::integer IS NULL OR symbol_id = %(id)s ORDER BY 1, 2, 3 LIMIT 1
        )
        UNION ALL
        SELECT next.* FROM kind CROSS JOIN LATERAL (
            SELECT k.symbol_id, k.seconds, k.months FROM {table} k
            WHERE (k.symbol_id, k.seconds, k.months) > (kind.symbol_id, kind.seconds, kind.months)
                AND (%(id)s::integer IS NULL OR k.symbol_id = %(id)s)
            ORDER BY 1, 2, 3 LIMIT 1
        ) AS next
    )
    SELECT kind.*, {first}, {last}
    FROM kind
    CROSS JOIN LATERAL (
        SELECT open_time FROM {table} k WHERE (k.symbol_id, k.seconds, k.months) = (kind.symbol_id, kind.seconds,
            kind.months) ORDER BY open_time LIMIT 1
    ) AS lowest
    CROSS JOIN LATERAL (
        SELECT open_time FROM {table} k WHERE (k.symbol_id, k.seconds, k.months) = (kind.symbol_id, kind.seconds,
            kind.months) ORDER BY open_time DESC LIMIT 1
    ) AS highest
    """

_PARTITIONS = """
    SELECT substring(bound FROM $$FROM \\('([^']+)$$)::timestamptz AS first_time,
        substring(bound FROM $$TO \\('([^']+)$$)::timestamptz AS end_time, pg_total_relation_size(c.oid) AS bytes
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid, LATERAL pg_get_expr(c.relpartbound, c.oid) AS bound
    WHERE i.inhparent = 'trades'::regclass
"""
_CHUNKS = """
    SELECT range_start AS first_time, range_end AS end_time, total_bytes AS bytes
    FROM timescaledb_information.chunks
    JOIN {functions}.chunks_detailed_size('trades') USING (chunk_schema, chunk_name)
    WHERE hypertable_name = 'trades' AND hypertable_schema = current_schema()
"""
_SHARES = """
    SELECT symbol_id, sum(bytes * trades / all_trades)::bigint
    FROM (
        SELECT part.bytes, d.symbol_id, sum(d.trades) AS trades,
            sum(sum(d.trades)) OVER (PARTITION BY part.first_time) AS all_trades
        FROM ({parts}) AS part
        JOIN {days} AS d ON d.open_time >= part.first_time AND d.open_time < part.end_time
        GROUP BY part.first_time, part.bytes, d.symbol_id
    ) AS share
    GROUP BY 1
"""

_RECORDING = """
    SELECT EXISTS (
        SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'cryptopipe writer'
    ), (extract(epoch FROM now()) * 1000000)::bigint
"""

_DAY_TRADES = sql.SQL(
    "SELECT {open_us}, first_trade_id, last_trade_id, trades FROM {days} WHERE symbol_id = %s ORDER BY open_time"
).format(open_us=microseconds("open_time"), days=sql.Identifier(_DAYS))

# Two look-ups a day, of its first and its last kline: a year of minutes has half a million.
_KLINE_DAYS = sql.SQL(
    """
    WITH RECURSIVE day AS (
        SELECT date_trunc('day', min(open_time), 'UTC') AS at FROM klines
        WHERE symbol_id = %(id)s AND seconds = %(seconds)s AND months = 0
        UNION ALL
        SELECT (
            SELECT date_trunc('day', open_time, 'UTC') FROM klines
            WHERE symbol_id = %(id)s AND seconds = %(seconds)s AND months = 0
                AND open_time >= day.at + interval '24 hours'
            ORDER BY open_time LIMIT 1
        ) FROM day WHERE at IS NOT NULL
    )
    SELECT {at}, lowest.source, highest.source
    FROM day
    CROSS JOIN LATERAL (
        SELECT source FROM klines
        WHERE symbol_id = %(id)s AND seconds = %(seconds)s AND months = 0 AND open_time >= day.at
        ORDER BY open_time LIMIT 1
    ) AS lowest
    CROSS JOIN LATERAL (
        SELECT source FROM klines
        WHERE symbol_id = %(id)s AND seconds = %(seconds)s AND months = 0
            AND open_time < day.at + interval '24 hours'
        ORDER BY open_time DESC LIMIT 1
    ) AS highest
    """
).format(at=microseconds("at"))


# One look-up a day, too: the source of its first minute. An import of aggregated trades brings whole days.
_DAY_SOURCES = """
    WITH RECURSIVE day AS (
        (SELECT open_time, source FROM klines WHERE symbol_id = %(id)s AND seconds = 60 AND months = 0
            ORDER BY open_time LIMIT 1)
        UNION ALL
        SELECT next.* FROM day CROSS JOIN LATERAL (
            SELECT open_time, source FROM klines
            WHERE symbol_id = %(id)s AND seconds = 60 AND months = 0
                AND open_time >= date_trunc('day', day.open_time, 'UTC') + interval '24 hours'
            ORDER BY open_time LIMIT 1
        ) AS next
    )
    SELECT DISTINCT source FROM day
"""


class _Series(NamedTuple):
    """A symbol's candles in ``table``; ``most`` is how many there can be."""

    symbol_id: int
    interval: Interval
    source: CandleSource
    first_us: int
    last_us: int
    most: int
    table: str


def read(connection: Connection) -> list[StoredSymbol]:
    """Return every symbol of the database; see `app.market.ports.storage.InventoryReader.stored_symbols`."""
    covered = {row[0]: row[1:] for row in connection.execute(_COVERAGE, {"id": None})}
    ids = list(covered)
    times = {row[0]: row[1:] for row in connection.execute(_TRADE_TIMES, (ids,), prepare=False)}
    dropped = _dropped(connection)
    shares: dict[int, int] = dict(connection.execute(_trade_shares(connection), prepare=False).fetchall())
    candles = defaultdict[int, list[StoredCandles]](list)
    for level in LEVELS:
        for symbol_id, stored in _rollups(connection, level, covered):
            candles[symbol_id].append(stored)
    for symbol_id, stored in _klines(connection):
        candles[symbol_id].append(stored)
    is_recording, now_us = connection.execute(_RECORDING).fetchone() or (False, 0)
    ticks = stored_ticks.read(connection)

    def is_active(last_us: int | None) -> bool:
        return bool(is_recording) and last_us is not None and last_us >= now_us - _ACTIVE_S * 1_000_000

    found = []
    for symbol_id, symbol in _symbols(connection):
        quoted = ticks.get(symbol_id)
        if symbol_id not in covered:
            is_quoted_now = quoted is not None and is_active(quoted.last_us)
            found.append(StoredSymbol(symbol, candles=tuple(candles[symbol_id]), active=is_quoted_now, ticks=quoted))
            continue
        held, missing, first_id, last_id = covered[symbol_id]
        first_us, last_us = times.get(symbol_id, (None, None))
        gone = min(dropped.get(symbol_id, 0), held)
        found.append(
            StoredSymbol(
                symbol,
                int(held) - int(gone),
                int(gone),
                int(missing),
                StoredTrade(first_id, None if gone else first_us),
                StoredTrade(last_id, last_us),
                int(shares.get(symbol_id, 0)),
                tuple(candles[symbol_id]),
                is_active(last_us),
                quoted,
            )
        )
    return found


def read_one(connection: Connection, name: str) -> StoredSymbol | None:
    """Return one symbol; see `app.market.ports.storage.InventoryReader.stored_symbol`."""
    found = _symbols(connection, name)
    if not found:
        return None
    ((symbol_id, symbol),) = found
    covered = connection.execute(_COVERAGE, {"id": symbol_id}).fetchone()
    known = {} if covered is None else {symbol_id: covered[1:]}
    series = [one for level in LEVELS for one in _rollup_series(connection, level, known)]
    candles = tuple(
        StoredCandles(one.interval.name, _sampled_source(connection, one), one.first_us, one.last_us, 0, False, 0)
        for one in (*series, *(one for table in _KLINE_TABLES for one in _kline_series(connection, symbol_id, table)))
    )
    ticks = stored_ticks.read(connection, symbol_id).get(symbol_id)
    if covered is None:
        return StoredSymbol(symbol, candles=candles, ticks=ticks)
    _, held, missing, first_id, last_id = covered
    _, first_us, last_us = connection.execute(_TRADE_TIMES, ([symbol_id],), prepare=False).fetchone() or [None] * 3
    gone = min(_dropped(connection, symbol_id).get(symbol_id, 0), held)
    return StoredSymbol(
        symbol,
        int(held) - int(gone),
        int(gone),
        int(missing),
        StoredTrade(first_id, None if gone else first_us),
        StoredTrade(last_id, last_us),
        candles=candles,
        ticks=ticks,
    )


def _symbols(connection: Connection, name: str | None = None) -> list[tuple[int, Symbol]]:
    """Return the ids and values of all symbols, or of the one of that name."""
    return [
        (symbol_id, symbol_rows.symbol_of_row(row))
        for symbol_id, *row in connection.execute(_SYMBOLS, {"name": name}).fetchall()
    ]


def read_days(connection: Connection, symbol_id: int | None) -> list[DayHeld]:
    """Return the symbol's days; see `app.market.ports.storage.InventoryReader.stored_days`."""
    if symbol_id is None:
        return []
    covered = id_ranges.read(connection, id_ranges.COVERAGE, symbol_id)
    days = [DayTrades(*map(int, row)) for row in connection.execute(_DAY_TRADES, (symbol_id,))]
    edges_us = dict[int, int]()
    for first, last in gaps_over_midnight(days, covered)[-_MOST_EDGES:]:
        for trade_id in (first - 1, last + 1):
            if (time_us := time_of(connection, symbol_id, trade_id)) is not None:
                edges_us[trade_id] = time_us
    days_of = {source: set[int]() for source in (CandleSource.KLINE, CandleSource.AGGTRADES)}
    intervals = {one.interval for one in _kline_series(connection, symbol_id, "klines")}
    for seconds in sorted(one.seconds for one in intervals if not one.months and one.length_us <= DAY_US):
        for day_us, *sources in connection.execute(_KLINE_DAYS, {"id": symbol_id, "seconds": seconds}):
            for source in sources:
                days_of[CandleSource(source)].add(day_us - day_us % DAY_US)
    kline_days, aggtrade_days = days_of.values()
    return days_held(days, covered, edges_us=edges_us, kline_days=kline_days, aggtrade_days=aggtrade_days)


def _rollups(
    connection: Connection, level: RollupLevel, covered: Mapping[int, tuple[Any, ...]]
) -> list[tuple[int, StoredCandles]]:
    interval = Interval(level.length_us // 1_000_000)
    count = sql.SQL("SELECT symbol_id, {seconds}, 0, count(*), NULL FROM {table} GROUP BY 1").format(
        table=sql.Identifier(level.table), seconds=sql.Literal(interval.seconds)
    )
    return _with_rows(connection, level.table, _rollup_series(connection, level, covered), count)


def _rollup_series(connection: Connection, level: RollupLevel, covered: Mapping[int, tuple[Any, ...]]) -> list[_Series]:
    table, interval = sql.Identifier(level.table), Interval(level.length_us // 1_000_000)
    query = sql.SQL(_ENDS).format(
        table=table,
        first=microseconds(sql.Identifier("lowest", "open_time")),
        last=microseconds(sql.Identifier("highest", "open_time")),
    )
    return [
        _Series(
            symbol_id,
            interval,
            CandleSource.TRADES,
            first_us,
            last_us,
            min((last_us - first_us) // level.length_us + 1, max(int(covered[symbol_id][0]), 1)),
            level.table,
        )
        for symbol_id, first_us, last_us in connection.execute(query, (list(covered),))
    ]


def _klines(connection: Connection) -> list[tuple[int, StoredCandles]]:
    found = []
    for table in _KLINE_TABLES:
        # A broker of quotes publishes its candles itself, so these have one source.
        count = sql.SQL("SELECT symbol_id, seconds, months, count(*), {sources} FROM {table} GROUP BY 1, 2, 3").format(
            table=sql.Identifier(table),
            sources=sql.SQL("array_agg(DISTINCT source)" if table == "klines" else "NULL"),
        )
        found += _with_rows(connection, table, _kline_series(connection, None, table), count)
    return found


def _kline_series(connection: Connection, symbol_id: int | None, table: str) -> list[_Series]:
    """Return the klines in a table of one symbol, or of all, finest first."""
    query = sql.SQL(_KLINES).format(
        table=sql.Identifier(table),
        first=microseconds(sql.Identifier("lowest", "open_time")),
        last=microseconds(sql.Identifier("highest", "open_time")),
    )
    series = [
        _Series(
            found_id,
            interval,
            CandleSource.KLINE,
            first_us,
            last_us,
            interval.slot(last_us) - interval.slot(first_us) + 1,
            table,
        )
        for found_id, seconds, months, first_us, last_us in connection.execute(query, {"id": symbol_id})
        for interval in (Interval(seconds, months),)
    ]
    return sorted(series, key=lambda one: one.interval.length_us)


def _sampled_source(connection: Connection, one: _Series) -> CandleSource:
    """Return the source of a series of klines by one of each day: only minutes are added up from aggregated trades."""
    if one.table != "klines" or one.interval != _MINUTE:
        return one.source
    return _source_of([source for (source,) in connection.execute(_DAY_SOURCES, {"id": one.symbol_id})])


def _source_of(sources: Sequence[str]) -> CandleSource:
    return CandleSource(sources[0]) if len(sources) == 1 else CandleSource.MIXED


def _with_rows(
    connection: Connection, table: str, series: Iterable[_Series], count: sql.SQL | sql.Composed
) -> list[tuple[int, StoredCandles]]:
    """Return the series with the number of their rows and their share of the table's bytes."""
    series = list(series)
    row = connection.execute(
        "SELECT pg_table_size(oid), pg_total_relation_size(oid), reltuples::bigint FROM pg_class"
        " WHERE oid = %s::regclass",
        (table,),
    ).fetchone()
    data, size, estimate = row or (0, 0, 0)
    is_exact = data <= _COUNTED_BYTES
    if is_exact:
        counted = {
            (one, Interval(seconds, months)): (int(rows), sources)
            for one, seconds, months, rows, sources in connection.execute(count)
        }
        found = [counted.get((one.symbol_id, one.interval), (0, None)) for one in series]
        rows = [number for number, _ in found]
        kinds = [
            _source_of(sources) if sources else one.source for one, (_, sources) in zip(series, found, strict=True)
        ]
    else:
        most = sum(one.most for one in series) or 1
        rows = [one.most if estimate < 0 else min(one.most, round(estimate * one.most / most)) for one in series]
        kinds = [_sampled_source(connection, one) for one in series]
    total = sum(rows) or 1
    return [
        (
            one.symbol_id,
            StoredCandles(one.interval.name, kind, one.first_us, one.last_us, number, is_exact, size * number // total),
        )
        for one, kind, number in zip(series, kinds, rows, strict=True)
    ]


def _trade_shares(connection: Connection) -> sql.Composed:
    parts = sql.SQL(_PARTITIONS)
    composed: sql.Composable = parts
    if is_hypertable(connection):
        composed = sql.SQL(_CHUNKS).format(functions=timescale_schema(connection))
    return sql.SQL(_SHARES).format(parts=composed, days=sql.Identifier(_DAYS))


def _dropped(connection: Connection, symbol_id: int | None = None) -> dict[int, int]:
    """Return roughly how many trades of each symbol, or of one, retention dropped: what candles of those days count."""
    kept_from_us = trades_kept_from(connection)
    if kept_from_us is None:
        return {}
    query = sql.SQL(
        "SELECT symbol_id, sum(trades)::bigint FROM {} WHERE open_time < timestamptz 'epoch' + %(from)s *"
        " interval '1 microsecond' AND (%(id)s::integer IS NULL OR symbol_id = %(id)s) GROUP BY 1"
    ).format(sql.Identifier(_DAYS))
    return dict(connection.execute(query, {"from": kept_from_us, "id": symbol_id}).fetchall())
