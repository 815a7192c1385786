"""
The two tables of disjoint ranges of trade ids, by symbol.

`coverage` holds the ids that are not missing: their trades are stored, were stored and dropped by retention, or do not
exist. `absent_trades` holds the last kind: ids that the exchange itself has no trade of. So every absent id is in the
coverage, and no stored trade has one.

Every change of either table holds the symbol's lock (`storage.postgres.advisory_locks`). `storage.trades.trade_ledger`
makes it for trades, `record_absent` here for absences. The arithmetic of ranges is `app.market.coverage.IdRanges`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from psycopg import sql

from app.market.coverage import IdRanges
from app.market.errors import StoreSchemaMismatch
from storage.postgres.advisory_locks import LOCK_SYMBOLS, SYMBOL_LOCKS
from storage.postgres.connection import Connection
from storage.postgres.sql_arrays import column_literals
from storage.postgres.symbol_ids import add_symbols, symbol_id_of
from storage.schema.migrate import newest_version

COVERAGE, ABSENT = "coverage", "absent_trades"

SymbolRange = tuple[int, int, int]
"""A symbol's number, and the first and last id of a range."""

NEWER_TABLES = (
    "Another cryptopipe, of a newer version, has brought the database up to date: restart this one in that version to "
    "go on recording."
)

# The ranges that overlap or touch a run of ids: the last one that begins at or before it, and those that begin in it or
# right after it. Run by run, because scattered ids lie among many ranges and touch few of them.
_TOUCHING = """
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
TOUCHING = {table: sql.SQL(_TOUCHING).format(table=sql.Identifier(table)) for table in (COVERAGE, ABSENT)}
"""
By table: the query for the ranges that overlap or touch some runs of ids, as `SymbolRange`, rising.

Parameters: the `column_literals` of the runs, each a `SymbolRange`.
"""

_READ = "SELECT first_trade_id, last_trade_id FROM {table} WHERE symbol_id = %s ORDER BY 1"
_READ_BY_TABLE = {table: sql.SQL(_READ).format(table=sql.Identifier(table)) for table in (COVERAGE, ABSENT)}
_READ_ALL = """
    SELECT s.symbol, c.first_trade_id, c.last_trade_id FROM {table} c JOIN symbols s ON s.id = c.symbol_id
    WHERE s.symbol = ANY(%s) ORDER BY 1, 2
"""
_READ_ALL_BY_TABLE = {table: sql.SQL(_READ_ALL).format(table=sql.Identifier(table)) for table in (COVERAGE, ABSENT)}

# From an id on: the range that holds it, if one does, and all later ones; by the key, however many come before.
_READ_FROM = """
    SELECT wanted.name, greatest(c.first_trade_id, wanted.low), c.last_trade_id
    FROM unnest(%s::text[], %s::bigint[]) AS wanted (name, low)
    JOIN symbols s ON s.symbol = wanted.name
    CROSS JOIN LATERAL (
        SELECT coalesce(max(first_trade_id), wanted.low) AS first_id FROM coverage
        WHERE symbol_id = s.id AND first_trade_id <= wanted.low
    ) AS begin
    JOIN coverage c ON c.symbol_id = s.id AND c.first_trade_id >= begin.first_id AND c.last_trade_id >= wanted.low
    ORDER BY 1, 2
"""


def union_and_overlaps(runs: Iterable[tuple[int, int]]) -> tuple[IdRanges, IdRanges]:
    """Return the ids in any of these inclusive runs, and the ids in more than one. The runs come in any order."""
    union, overlaps = IdRanges(), IdRanges()
    reached = -1
    for first, last in sorted(runs):
        union.add_range(first, last)
        if first <= reached:
            overlaps.add_range(first, min(last, reached))
        reached = max(reached, last)
    return union, overlaps


def read(connection: Connection, table: str, symbol_id: int | None) -> IdRanges:
    """Return a symbol's ids in that table; none for a symbol without a number."""
    return IdRanges(connection.execute(_READ_BY_TABLE[table], (symbol_id,)))


def read_all(connection: Connection, table: str, symbols: Collection[str]) -> dict[str, IdRanges]:
    """Return the ids of each of these symbols in that table, by name."""
    found: dict[str, list[tuple[int, int]]] = {name: [] for name in symbols}
    for name, first, last in connection.execute(_READ_ALL_BY_TABLE[table], (list(found),)):
        found[name].append((first, last))
    return {name: IdRanges(rows) for name, rows in found.items()}


def read_from(connection: Connection, first_ids: Mapping[str, int]) -> dict[str, IdRanges]:
    """Return the coverage of these symbols from the given id of each on, by name."""
    found: dict[str, list[tuple[int, int]]] = {name: [] for name in first_ids}
    for name, first, last in connection.execute(_READ_FROM, (list(first_ids), list(first_ids.values()))):
        found[name].append((first, last))
    return {name: IdRanges(rows) for name, rows in found.items()}


def write(
    connection: Connection, table: str, symbol_id: int, before: Iterable[tuple[int, int]], after: IdRanges
) -> None:
    """Replace a symbol's rows ``before`` by the ranges ``after``, inside the caller's transaction and lock."""
    # Only the difference: a symbol may have a hundred thousand ranges, and a batch changes one or two of them.
    removed, added = set(before) - set(after), set(after) - set(before)
    name = sql.Identifier(table)
    if removed:
        connection.execute(
            sql.SQL("DELETE FROM {} WHERE symbol_id = %s AND first_trade_id = ANY(%s::bigint[])").format(name),
            (symbol_id, sorted(first for first, _ in removed)),
        )
    if added:
        connection.execute(
            sql.SQL(
                "INSERT INTO {} (symbol_id, first_trade_id, last_trade_id)"
                " SELECT * FROM unnest(%s::int[], %s::bigint[], %s::bigint[])"
            ).format(name),
            column_literals((symbol_id, first, last) for first, last in sorted(added)),
        )


def record_absent(connection: Connection, symbol: str, ranges: Sequence[tuple[int, int]]) -> int:
    """
    Record that the exchange itself has no trades of these ids, in one transaction; return how many are new.

    Ids that are covered stay as they are: a trade that is stored exists. ``connection`` is in autocommit mode.

    Raises:
        StoreSchemaMismatch: If a newer program has changed the tables.
        psycopg.Error: If nothing could be recorded.
    """
    add_symbols(connection, [symbol])
    symbol_id = symbol_id_of(connection, symbol)
    assert symbol_id is not None
    runs = [(symbol_id, first, last) for first, last in IdRanges(ranges)]
    with connection.transaction():
        connection.execute(LOCK_SYMBOLS, (SYMBOL_LOCKS, [symbol_id]))
        covered = _touching(connection, COVERAGE, runs)
        check_version(connection)
        new = IdRanges(ranges) - IdRanges(covered)
        absent = _touching(connection, ABSENT, runs)
        write(connection, COVERAGE, symbol_id, covered, IdRanges(sorted([*covered, *new])))
        write(connection, ABSENT, symbol_id, absent, IdRanges(sorted([*absent, *new])))
    return new.count()


def check_version(connection: Connection) -> None:
    """
    Check that the tables are still of this program's version.

    Call it after reading the coverage in the same transaction: a migration under way locks that table, so the version
    read afterwards cannot change before the commit.

    Raises:
        StoreSchemaMismatch: If a newer program has changed them.
    """
    version = connection.execute("SELECT max(version) FROM schema_version").fetchone()
    if version != (newest_version(),):
        raise StoreSchemaMismatch(NEWER_TABLES)


def _touching(connection: Connection, table: str, runs: Sequence[SymbolRange]) -> list[tuple[int, int]]:
    """Return one symbol's ranges that overlap or touch the runs."""
    return [(first, last) for _, first, last in connection.execute(TOUCHING[table], column_literals(runs))]
