"""
Tables of disjoint ranges of trade ids: `coverage`, those that are settled, and `absent_trades`, those among them that
the exchange itself has no trade of.

An id is absent only where it is no stored trade's, and every absent id is in the coverage. Whoever changes either holds
the symbol's lock (`storage.postgres.advisory_locks`); the usual ways are `storage.trades.trade_ledger` for trades and
`record_absent` for absences.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from psycopg import sql

from app.market.coverage import IdRanges
from app.market.errors import StoreSchemaMismatch
from storage.postgres.advisory_locks import LOCK_SYMBOLS, SYMBOL_LOCKS
from storage.postgres.connection import Connection
from storage.postgres.sql_arrays import arrays
from storage.schema.migrate import newest_version


def union_and_overlaps(runs: Iterable[tuple[int, int]]) -> tuple[IdRanges, IdRanges]:
    """Return the ids in any of these inclusive ranges, and those in more than one."""
    every, several = IdRanges(), IdRanges()
    reached = -1
    for first, last in sorted(runs):
        every.add_range(first, last)
        if first <= reached:
            several.add_range(first, min(last, reached))
        reached = max(reached, last)
    return every, several


COVERAGE, ABSENT = "coverage", "absent_trades"

SymbolRange = tuple[int, int, int]
"""A symbol's number, and the first and last id of a range."""

NEWER_TABLES = (
    "Another cryptopipe, of a newer version, has brought the database up to date: restart this one in that version to "
    "go on recording."
)

# The ranges that overlap or touch a run of ids: the last one that begins at or before it, and those that begin in it.
# Run by run, because scattered ids lie among many ranges and touch few.
_NEAR = """
    SELECT DISTINCT run.symbol_id, near.first_trade_id, near.last_trade_id
    FROM unnest(%s::int[], %s::bigint[], %s::bigint[]) AS run (symbol_id, low, high)
    CROSS JOIN LATERAL (
        (SELECT first_trade_id, last_trade_id FROM {table} c
        WHERE c.symbol_id = run.symbol_id AND c.first_trade_id <= run.low
        ORDER BY c.first_trade_id DESC LIMIT 1)
        UNION ALL
        SELECT first_trade_id, last_trade_id FROM {table} c
        WHERE c.symbol_id = run.symbol_id AND c.first_trade_id > run.low AND c.first_trade_id <= run.high + 1
    ) AS near
    WHERE near.last_trade_id >= run.low - 1
    ORDER BY 1, 2
"""
NEAR = {table: sql.SQL(_NEAR).format(table=sql.Identifier(table)) for table in (COVERAGE, ABSENT)}
"""By table: the query for the ranges that overlap or touch any of some runs of ids, rising. Parameters: `arrays`."""

_READ = "SELECT first_trade_id, last_trade_id FROM {table} WHERE symbol_id = %s ORDER BY 1"
_READS = {table: sql.SQL(_READ).format(table=sql.Identifier(table)) for table in (COVERAGE, ABSENT)}
_OF_ALL = """
    SELECT s.name, c.first_trade_id, c.last_trade_id FROM {table} c JOIN symbols s ON s.id = c.symbol_id
    WHERE s.name = ANY(%s) ORDER BY 1, 2
"""
_READ_ALL = {table: sql.SQL(_OF_ALL).format(table=sql.Identifier(table)) for table in (COVERAGE, ABSENT)}


def read(connection: Connection, table: str, symbol_id: int | None) -> IdRanges:
    """Return all ids of a symbol in that table."""
    return IdRanges(connection.execute(_READS[table], (symbol_id,)))


def read_all(connection: Connection, table: str, symbols: Collection[str]) -> dict[str, IdRanges]:
    """Return all ids of some symbols in that table, by name."""
    found: dict[str, list[tuple[int, int]]] = {name: [] for name in symbols}
    for name, first, last in connection.execute(_READ_ALL[table], (list(found),)):
        found[name].append((first, last))
    return {name: IdRanges(rows) for name, rows in found.items()}


def write(
    connection: Connection, table: str, symbol_id: int, before: Iterable[tuple[int, int]], after: IdRanges
) -> None:
    """Put the ranges ``after`` where the rows ``before`` were."""
    gone, new = set(before) - set(after), set(after) - set(before)
    name = sql.Identifier(table)
    if gone:
        connection.execute(
            sql.SQL("DELETE FROM {} WHERE symbol_id = %s AND first_trade_id = ANY(%s::bigint[])").format(name),
            (symbol_id, sorted(first for first, _ in gone)),
        )
    if new:
        connection.execute(
            sql.SQL(
                "INSERT INTO {} (symbol_id, first_trade_id, last_trade_id)"
                " SELECT * FROM unnest(%s::int[], %s::bigint[], %s::bigint[])"
            ).format(name),
            arrays((symbol_id, first, last) for first, last in sorted(new)),
        )


def record_absent(connection: Connection, symbol: str, ranges: Sequence[tuple[int, int]]) -> int:
    """
    Note that the exchange itself has no trades of these ids, in one transaction; return how many that are.

    Ids that are held stay held: a trade that is stored exists. ``connection`` is in autocommit mode.

    Raises:
        StoreSchemaMismatch: If a newer program has changed the tables.
    """
    symbol_id = _symbol_id(connection, symbol)
    runs = [(symbol_id, first, last) for first, last in IdRanges(ranges)]
    with connection.transaction():
        connection.execute(LOCK_SYMBOLS, (SYMBOL_LOCKS, [symbol_id]))
        held = _near(connection, COVERAGE, runs)
        check_version(connection)
        new = IdRanges(ranges) - IdRanges(held)
        absent = _near(connection, ABSENT, runs)
        write(connection, COVERAGE, symbol_id, held, IdRanges(sorted([*held, *new])))
        write(connection, ABSENT, symbol_id, absent, IdRanges(sorted([*absent, *new])))
    return new.count()


def check_version(connection: Connection) -> None:
    """
    Ask, after reading the coverage, which waits for a migration under way, whether the tables are still ours.

    Raises:
        StoreSchemaMismatch: If a newer program has changed them.
    """
    version = connection.execute("SELECT max(version) FROM schema_version").fetchone()
    if version != (newest_version(),):
        raise StoreSchemaMismatch(NEWER_TABLES)


def _near(connection: Connection, table: str, runs: Sequence[SymbolRange]) -> list[tuple[int, int]]:
    return [(first, last) for _, first, last in connection.execute(NEAR[table], arrays(runs))]


def _symbol_id(connection: Connection, symbol: str) -> int:
    connection.execute("INSERT INTO symbols (name) VALUES (%s) ON CONFLICT (name) DO NOTHING", (symbol,))
    row = connection.execute("SELECT id FROM symbols WHERE name = %s", (symbol,)).fetchone()
    assert row is not None
    symbol_id: int = row[0]
    return symbol_id
