"""
A database's contents and storage, without reading its data.

Everything comes from the catalogue, the ranges of ids and the ends of indexes, so it takes milliseconds at any size.
Numbers of trades come from the ranges and are exact. The row counts of large tables are the server's estimates, and a
symbol's size is its share, by number of trades, of the trades' table. Only needs to read.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, urlencode

from psycopg import sql

from app.market.errors import StoreSchemaMismatch
from storage.postgres.connection import Connection, Edition, ServerFacts, facts_of, translated
from storage.quotes import stored_ticks
from storage.quotes.tick_levels import LEVELS as TICK_LEVELS
from storage.rollups.levels import LEVELS
from storage.rollups.time_sql import microseconds
from storage.schema.editions import is_hypertable, refuse_unreadable_trades, timescale_schema
from storage.schema.migrate import migrations
from storage.schema.retention_record import trades_kept_from

_PINGS = 5
_MAX_COUNTED_BYTES = 4_000_000  # a table up to this size is counted, not estimated
_TABLES = (
    "trades",
    *(level.table for level in LEVELS),
    "klines",
    "kline_ranges",
    "coverage",
    "absent_trades",
    "symbols",
    "refused_trades",
    "quotes",
    *(level.table for level in TICK_LEVELS),
    "quote_klines",
    "fetched_quotes",
    "refused_quotes",
)
_ABSENT_TRADES = """
    (SELECT coalesce(sum(last_trade_id - first_trade_id + 1), 0)::bigint FROM absent_trades WHERE symbol_id = s.id)
"""
_URL_PARAMETERS = ("host", "hostaddr", "sslmode", "sslrootcert", "options")


@dataclass(frozen=True, slots=True)
class TableSize:
    """
    One table, including its partitions or chunks.

    ``rows`` is None if the server has no estimate yet; ``exact``: it is counted, not estimated. ``data`` and
    ``indexes`` are bytes.
    """

    name: str
    rows: int | None
    exact: bool
    data: int
    indexes: int

    @property
    def total(self) -> int:
        """Bytes of data and indexes."""
        return self.data + self.indexes


@dataclass(frozen=True, slots=True)
class PartitionSummary:
    """
    The partitions or chunks (``kind``) of the trades, or of the ticks.

    They reach from ``start_us`` to ``end_us`` (UTC microseconds; None if there are none). ``largest`` is the largest
    one's bytes, including indexes.
    """

    kind: str
    count: int
    start_us: int | None
    end_us: int | None
    largest: int


@dataclass(frozen=True, slots=True)
class Compression:
    """The number of compressed chunks of trades, or of ticks, and their bytes before and after compression."""

    chunks: int
    before: int
    after: int

    @property
    def ratio(self) -> float:
        """The compression ratio; 1 if nothing is compressed."""
        return self.before / self.after if self.after else 1.0


@dataclass(frozen=True, slots=True)
class SymbolStatus:
    """
    One symbol with trades.

    ``trades`` counts the recorded trades, ``ranges`` the covered ranges of ids, ``missing`` the ids between those: all
    exact. ``stored`` counts the trades that retention has not dropped, an estimate if it has dropped some.
    ``oldest_us`` and ``newest_us`` are the times of the first and last stored trade (UTC microseconds; None if there is
    none). ``bytes`` is an estimate: the share, by number of trades, of the trades' table.
    """

    name: str
    trades: int
    stored: int
    ranges: int
    missing: int
    first_trade_id: int
    last_trade_id: int
    oldest_us: int | None
    newest_us: int | None
    bytes: int


@dataclass(frozen=True, slots=True)
class DatabaseStatus:
    """
    The whole status.

    ``address`` is a URL without a password. ``latency_ms`` is the median of several empty round trips. ``bytes`` is
    None if the role may not ask. ``version`` is the version of the tables, ``program_version`` the one that this
    program creates. ``kept_from_us`` is the time before which retention may have dropped trades (UTC microseconds), or
    None. ``tick_parts`` and ``tick_compression`` describe the ticks; None if there are none, or no compression.
    """

    facts: ServerFacts
    address: str
    version: int
    program_version: int
    latency_ms: float
    bytes: int | None
    writable: bool
    tables: list[TableSize]
    parts: PartitionSummary
    compression: Compression | None
    symbols: list[SymbolStatus]
    refused: int
    kept_from_us: int | None
    tick_parts: PartitionSummary | None = None
    tick_compression: Compression | None = None


def read_status(connection: Connection, *, embedded: bool = False) -> DatabaseStatus:
    """
    Return the status of an autocommit connection's database. Changes nothing.

    Raises:
        StoreUnavailable: If the server does not answer, or the role may not read.
        StoreSchemaMismatch: If the tables do not exist or are not ours, or this edition cannot read the trades.
    """
    facts = facts_of(connection, embedded=embedded)
    with translated("read the database's state"):
        latency_ms = _latency_ms(connection)
        with connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            return _read(connection, facts, latency_ms)


def address_of(connection: Connection) -> str:
    """Return a connection's address as a libpq URL, without the password."""
    known = connection.info.get_parameters()
    rest = {name: known[name] for name in _URL_PARAMETERS if known.get(name)} | {"port": str(connection.info.port)}
    user, database = (quote(known.get(name, ""), safe="") for name in ("user", "dbname"))
    return f"postgresql://{user}@/{database}?{urlencode(rest, quote_via=quote)}"


def _latency_ms(connection: Connection) -> float:
    times = []
    for _ in range(_PINGS):
        before = time.perf_counter()
        connection.execute("SELECT 1")
        times.append(time.perf_counter() - before)
    return statistics.median(times) * 1000


def _read(connection: Connection, facts: ServerFacts, latency_ms: float) -> DatabaseStatus:
    present = _existing_tables(connection)
    if not {"trades", "coverage", "schema_version"} <= present:
        raise StoreSchemaMismatch(
            "The database holds no tables of cryptopipe: record into it first, with the window or cryptopipe collect, "
            "or name another."
        )
    refuse_unreadable_trades(connection)
    version, size, writable = _fetch_row(
        connection,
        """
        SELECT (SELECT coalesce(max(version), 0) FROM schema_version),
            CASE WHEN has_database_privilege(current_database(), 'CONNECT')
                THEN pg_database_size(current_database()) END,
            NOT pg_is_in_recovery() AND has_table_privilege('trades', 'INSERT')
        """,
    )
    hypertable = facts.edition is not Edition.PLAIN and is_hypertable(connection)
    parts, compression = _parts(connection, facts, "trades")
    tick_parts, tick_compression = _parts(connection, facts, "quotes") if "quotes" in present else (None, None)
    recorded = _symbols(connection, present)
    kept_from_us = trades_kept_from(connection) if "retention" in present else None
    dropped = _dropped_trades(connection, kept_from_us, present)
    symbols = [replace(one, stored=max(one.trades - dropped.get(one.name, 0), 0)) for one in recorded]
    data, indexes = _bytes_of_parts(connection, "trades", hypertable=hypertable)
    tables = [
        TableSize("trades", sum(one.stored for one in symbols), kept_from_us is None, data, indexes)
        if name == "trades"
        else _quotes_size(connection)
        if name == "quotes"
        else _table_size(connection, name)
        for name in _TABLES
        if name in present
    ]
    return DatabaseStatus(
        facts=facts,
        address=address_of(connection),
        version=version,
        program_version=migrations()[-1].number,
        latency_ms=latency_ms,
        bytes=size,
        writable=writable,
        tables=tables,
        parts=parts,
        compression=compression,
        symbols=_with_byte_shares(symbols, tables[0].total),
        refused=_count_rows(connection, "refused_trades") if "refused_trades" in present else 0,
        kept_from_us=kept_from_us,
        tick_parts=tick_parts if tick_parts is not None and tick_parts.count else None,
        tick_compression=tick_compression if tick_parts is not None and tick_parts.count else None,
    )


def _existing_tables(connection: Connection) -> set[str]:
    wanted = [*_TABLES, "retention", "schema_version"]
    found = connection.execute(
        "SELECT name FROM unnest(%s::text[]) AS name WHERE to_regclass(name) IS NOT NULL", [wanted]
    )
    return {name for (name,) in found}


def _table_size(connection: Connection, name: str) -> TableSize:
    data, indexes, rows = _fetch_row(
        connection,
        "SELECT pg_table_size(oid), pg_indexes_size(oid), reltuples::bigint FROM pg_class WHERE oid = %s::regclass",
        name,
    )
    if data <= _MAX_COUNTED_BYTES:
        return TableSize(name, _count_rows(connection, name), True, data, indexes)
    return TableSize(name, rows if rows >= 0 else None, False, data, indexes)


def _dropped_trades(connection: Connection, kept_from_us: int | None, present: set[str]) -> dict[str, int]:
    """Return roughly how many trades of each symbol retention has dropped: the coarsest candles' count before then."""
    coarsest = LEVELS[-1].table
    if kept_from_us is None or coarsest not in present:
        return {}
    query = sql.SQL(
        "SELECT {symbol}, sum(r.trades)::bigint FROM {days} r JOIN symbols s ON s.id = r.symbol_id"
        " WHERE r.open_time < timestamptz 'epoch' + %s * interval '1 microsecond' GROUP BY 1"
    ).format(symbol=_symbol(present), days=sql.Identifier(coarsest))
    return dict(connection.execute(query, (kept_from_us,)).fetchall())


def _quotes_size(connection: Connection) -> TableSize:
    data, indexes = _bytes_of_parts(connection, "quotes", hypertable=is_hypertable(connection, "quotes"))
    held = stored_ticks.read_counts(connection)
    return TableSize(
        "quotes", sum(one.ticks for one in held.values()), not any(one.dropped for one in held.values()), data, indexes
    )


def _bytes_of_parts(connection: Connection, table: str, *, hypertable: bool) -> tuple[Any, ...]:
    """Return the bytes of trades or quotes and of their indexes, over all partitions or chunks."""
    if hypertable:
        return _fetch_row(
            connection,
            sql.SQL(
                "SELECT coalesce(sum(table_bytes + coalesce(toast_bytes, 0)), 0)::bigint,"
                " coalesce(sum(index_bytes), 0)::bigint FROM {}.hypertable_detailed_size({})"
            ).format(timescale_schema(connection), sql.Literal(table)),
        )
    return _fetch_row(
        connection,
        "SELECT coalesce(sum(pg_table_size(inhrelid)), 0)::bigint,"
        " coalesce(sum(pg_indexes_size(inhrelid)), 0)::bigint FROM pg_inherits WHERE inhparent = %s::regclass",
        table,
    )


def _parts(connection: Connection, facts: ServerFacts, table: str) -> tuple[PartitionSummary, Compression | None]:
    """Return the parts of trades or quotes, and their compression on an edition that compresses."""
    if facts.edition is Edition.PLAIN or not is_hypertable(connection, table):
        return _partitions(connection, table), None
    is_community = facts.edition is Edition.TIMESCALE_COMMUNITY
    return _chunks(connection, table), _compression(connection, table) if is_community else None


def _partitions(connection: Connection, table: str) -> PartitionSummary:
    row = _fetch_row(
        connection,
        sql.SQL(
            """
            SELECT count(*), {start}, {end}, coalesce(max(pg_total_relation_size(oid)), 0)
            FROM (
                SELECT c.oid, substring(bound FROM $$FROM \\('([^']+)$$)::timestamptz AS start,
                    substring(bound FROM $$TO \\('([^']+)$$)::timestamptz AS "end"
                FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid,
                    LATERAL pg_get_expr(c.relpartbound, c.oid) AS bound
                WHERE i.inhparent = {table}::regclass
            ) AS part
            """
        ).format(
            start=microseconds(sql.SQL("min(start)")),
            end=microseconds(sql.SQL('max("end")')),
            table=sql.Literal(table),
        ),
    )
    return PartitionSummary("monthly partitions", *row)


def _chunks(connection: Connection, table: str) -> PartitionSummary:
    row = _fetch_row(
        connection,
        sql.SQL(
            """
            SELECT count(*), {start}, {end},
                (SELECT coalesce(max(total_bytes), 0) FROM {functions}.chunks_detailed_size({table}))
            FROM timescaledb_information.chunks
            WHERE hypertable_name = {table} AND hypertable_schema = current_schema()
            """
        ).format(
            start=microseconds(sql.SQL("min(range_start)")),
            end=microseconds(sql.SQL("max(range_end)")),
            functions=timescale_schema(connection),
            table=sql.Literal(table),
        ),
    )
    return PartitionSummary("chunks", *row)


def _compression(connection: Connection, table: str) -> Compression:
    row = _fetch_row(
        connection,
        sql.SQL(
            "SELECT coalesce(sum(number_compressed_chunks), 0)::bigint,"
            " coalesce(sum(before_compression_total_bytes), 0)::bigint,"
            " coalesce(sum(after_compression_total_bytes), 0)::bigint FROM {}.hypertable_compression_stats({})"
        ).format(timescale_schema(connection), sql.Literal(table)),
    )
    return Compression(*row)


def _symbols(connection: Connection, present: set[str]) -> list[SymbolStatus]:
    finest = next(level.table for level in LEVELS if level.table in present)
    # The rollup bounds the times of the first and last trade, so that only their partitions are visited.
    query = sql.SQL(
        """
        SELECT {symbol}, c.trades - {absent}, c.trades - {absent}, c.ranges, c.span - c.trades, c.first_id, c.last_id,
            {oldest}, {newest}, 0
        FROM (
            SELECT symbol_id, sum(last_trade_id - first_trade_id + 1)::bigint AS trades, count(*) AS ranges,
                max(last_trade_id) - min(first_trade_id) + 1 AS span, min(first_trade_id) AS first_id,
                max(last_trade_id) AS last_id
            FROM coverage GROUP BY 1
        ) AS c
        JOIN symbols s ON s.id = c.symbol_id
        LEFT JOIN LATERAL (
            SELECT open_time FROM {finest} WHERE symbol_id = s.id ORDER BY open_time LIMIT 1
        ) AS lowest ON true
        LEFT JOIN LATERAL (
            SELECT open_time FROM {finest} WHERE symbol_id = s.id ORDER BY open_time DESC LIMIT 1
        ) AS highest ON true
        LEFT JOIN LATERAL (
            SELECT time FROM trades WHERE symbol_id = s.id AND time >= coalesce(lowest.open_time, '-infinity')
            ORDER BY time LIMIT 1
        ) AS oldest ON true
        LEFT JOIN LATERAL (
            SELECT time FROM trades WHERE symbol_id = s.id AND time >= coalesce(highest.open_time, '-infinity')
            ORDER BY time DESC LIMIT 1
        ) AS newest ON true
        ORDER BY s.name COLLATE "C"
        """
    ).format(
        symbol=_symbol(present),
        finest=sql.Identifier(finest),
        oldest=microseconds(sql.Identifier("oldest", "time")),
        newest=microseconds(sql.Identifier("newest", "time")),
        absent=sql.SQL(_ABSENT_TRADES if "absent_trades" in present else "0"),
    )
    return [SymbolStatus(*row) for row in connection.execute(query)]


def _symbol(present: set[str]) -> sql.Identifier:
    """Return the column with the displayed symbol; databases from before quotes have only names."""
    return sql.Identifier("s", "symbol" if "quotes" in present else "name")


def _with_byte_shares(symbols: list[SymbolStatus], total: int) -> list[SymbolStatus]:
    """Return the symbols with their share of the trades' bytes."""
    stored = sum(one.stored for one in symbols) or 1
    return [replace(one, bytes=total * one.stored // stored) for one in symbols]


def _count_rows(connection: Connection, table: str) -> int:
    count: int = _fetch_row(connection, sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table)))[0]
    return count


def _fetch_row(connection: Connection, query: Any, *parameters: object) -> tuple[Any, ...]:
    row = connection.execute(query, parameters or None).fetchone()
    assert row is not None
    return row
