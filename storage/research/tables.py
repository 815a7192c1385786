"""
The tables ``ohlcv_{N}m``: their columns, partitions and indicators.

A table is partitioned by symbol, and each of these partitions by month; they are native partitions on every edition.
All tables have the columns of the same indicators. Every function takes an autocommit connection and may raise
psycopg.Error.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

import numpy as np
from psycopg import sql

from app.market.errors import StoreError, UsageError
from app.market.indicators.research_names import NamedIndicator, named_indicators
from storage.postgres.connection import Connection

LONGEST = 32_767
"""The most minutes of a window: minute_index is a smallint."""
_LONGEST_SYMBOL = 20

COLUMNS = (
    "timestamp",
    "minute_index",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "trade_count",
    "vwap",
    "minutes_into_session",
    "window_minutes",
    "window_spans_sessions",
    "is_regular_session",
    "has_gap_from_prior_session",
)
"""The columns of a row besides its symbol and its indicators."""

_MAKE = """
    CREATE TABLE {table} (
        timestamp timestamptz NOT NULL,
        symbol varchar(20) NOT NULL,
        minute_index smallint NOT NULL,
        open double precision NOT NULL,
        high double precision NOT NULL,
        low double precision NOT NULL,
        close double precision NOT NULL,
        volume double precision NOT NULL,
        trade_count integer NOT NULL,
        vwap double precision,
        minutes_into_session smallint,
        window_minutes smallint NOT NULL,
        window_spans_sessions boolean NOT NULL,
        is_regular_session boolean NOT NULL,
        has_gap_from_prior_session boolean NOT NULL,
        PRIMARY KEY (symbol, timestamp)
    ) PARTITION BY LIST (symbol)
"""
# Whoever may read candles may read these, and whoever keeps candles may keep these.
_RIGHTS = """
    SELECT CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
        string_agg(privilege_type, ', ')
    FROM pg_class, aclexplode(relacl)
    WHERE oid = 'rollup_1m'::regclass AND grantee <> relowner AND privilege_type IN ('SELECT', 'INSERT', 'UPDATE')
    GROUP BY 1
"""
_LOCK = "1668446578, hashtext(concat_ws(' ', current_schema(), %s::text, %s::text))"
_KEEP = """
    UPDATE research_series known SET kept = %(kept)s, kept_from = CASE
        WHEN known.kept AND (known.kept_from IS NULL OR %(from_us)s::bigint IS NULL) THEN NULL
        WHEN known.kept THEN least(known.kept_from, given.time) ELSE given.time END
    FROM (SELECT timestamptz 'epoch' + %(from_us)s::bigint * interval '1 microsecond' AS time) AS given
    WHERE symbol = %(symbol)s AND minutes = %(minutes)s
"""
_BRANCH = """
    SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = (quote_ident(current_schema()) || '.' || %s)::regclass
        AND pg_get_expr(c.relpartbound, c.oid) = format('FOR VALUES IN (%%L)', %s::text)
"""


class Series(NamedTuple):
    """The rows of one symbol in one table. ``indicators``: the names whose values are in all of them."""

    symbol: str
    minutes: int
    kept: bool
    kept_from: datetime | None
    indicators: frozenset[str]


def table_name(minutes: int) -> str:
    """Return the table of windows of that many minutes."""
    return f"ohlcv_{minutes}m"


def table_of(minutes: int) -> sql.Identifier:
    """Return the same for a statement."""
    return sql.Identifier(table_name(minutes))


def check_minutes(minutes: int) -> None:
    """Raise UsageError where no table can have windows of that many minutes."""
    if not 1 <= minutes <= LONGEST:
        raise UsageError(f"A window of {minutes} minutes is not possible: give 1 to {LONGEST:,}.")


def check_symbol(symbol: str) -> None:
    """Raise UsageError where the name of a symbol does not fit into a row."""
    if len(symbol) > _LONGEST_SYMBOL:
        raise UsageError(
            f"{symbol} is longer than the {_LONGEST_SYMBOL} characters that these tables have for a symbol."
        )


def tables(connection: Connection) -> list[int]:
    """Return the lengths in minutes that have a table, rising."""
    return [minutes for (minutes,) in connection.execute("SELECT minutes FROM research_tables ORDER BY 1")]


def indicator_names(connection: Connection) -> tuple[str, ...]:
    """Return the names of the indicators that all tables have, in the order in which they came."""
    return tuple(name for (name,) in connection.execute("SELECT name FROM research_indicators ORDER BY place"))


def known_indicators(connection: Connection) -> tuple[NamedIndicator, ...]:
    """
    Return the indicators that all tables have.

    Raises:
        UsageError: If one is not known to this program.
    """
    names = indicator_names(connection)
    return named_indicators(",".join(names)) if names else ()


def series_of(connection: Connection) -> list[Series]:
    """Return all series, by symbol and length."""
    found = connection.execute(
        "SELECT symbol, minutes, kept, kept_from, indicators FROM research_series ORDER BY symbol, minutes"
    )
    return [Series(symbol, minutes, kept, since, frozenset(names)) for symbol, minutes, kept, since, names in found]


@contextlib.contextmanager
def locked_series(connection: Connection, symbol: str, lengths: Collection[int]) -> Iterator[None]:
    """
    Lock these series for the block; wait for programs that hold one.

    So rows made of minutes that were read inside the block never overwrite rows of newer minutes. A killed program
    loses its locks with its session.
    """
    with contextlib.ExitStack() as ending:
        for minutes in sorted(lengths):  # all programs in one order
            connection.execute(f"SELECT pg_advisory_lock({_LOCK})".encode(), (symbol, str(minutes)))
            ending.callback(_unlock, connection, symbol, minutes)
        yield


@contextlib.contextmanager
def try_locked_series(connection: Connection, symbol: str, minutes: int) -> Iterator[bool]:
    """Like `locked_series` for one, but yield False at once if another program has it; True if the block has it."""
    statement = f"SELECT pg_try_advisory_lock({_LOCK})".encode()
    taken = connection.execute(statement, (symbol, str(minutes))).fetchone() == (True,)
    try:
        yield taken
    finally:
        if taken:
            _unlock(connection, symbol, minutes)


def _unlock(connection: Connection, symbol: str, minutes: int) -> None:
    if not connection.closed:
        connection.execute(f"SELECT pg_advisory_unlock({_LOCK})".encode(), (symbol, str(minutes)))


def make_table(connection: Connection, minutes: int) -> None:
    """
    Make the table of that length with the columns of all indicators, unless it is there.

    Raises:
        StoreError: If the database holds another table of that name.
    """
    with _structure(connection):
        if minutes in tables(connection):
            return
        name = table_name(minutes)
        if connection.execute("SELECT to_regclass(quote_ident(current_schema()) || '.' || %s)", (name,)).fetchone() != (
            None,
        ):
            raise StoreError(f"The database holds another table {name}, which is not of cryptopipe: rename that one.")
        connection.execute(sql.SQL(_MAKE).format(table=table_of(minutes)))
        connection.execute(
            sql.SQL("CREATE INDEX {} ON {} (symbol, minute_index, timestamp)").format(
                sql.Identifier(f"idx_{name}_lookup"), table_of(minutes)
            )
        )
        for role, rights in connection.execute(_RIGHTS).fetchall():
            connection.execute(f'GRANT {rights} ON "{name}" TO {role}'.encode())
        connection.execute("INSERT INTO research_tables (minutes) VALUES (%s)", (minutes,))
        for one in known_indicators(connection):
            _add_columns(connection, minutes, one)


def add_indicators(connection: Connection, wanted: Sequence[NamedIndicator]) -> None:
    """
    Add the missing columns of these indicators to all tables. Their values are due.

    Raises:
        UsageError: If two indicators share a column name.
    """
    with _structure(connection):
        known = indicator_names(connection)
        new = [one for one in wanted if one.name not in known]
        if not new:
            return
        named_indicators(",".join([*known, *(one.name for one in new)]))
        for one in new:
            connection.execute("INSERT INTO research_indicators (name) VALUES (%s)", (one.name,))
            for minutes in tables(connection):
                _add_columns(connection, minutes, one)


def _add_columns(connection: Connection, minutes: int, one: NamedIndicator) -> None:
    # Without a default, so that no row is written: the catalogue alone changes.
    added = sql.SQL(", ").join(
        sql.SQL("ADD COLUMN {} double precision").format(sql.Identifier(column)) for column in one.columns
    )
    connection.execute(sql.SQL("ALTER TABLE {} {}").format(table_of(minutes), added))


def add_series(connection: Connection, symbol: str, minutes: int, names: Sequence[str]) -> None:
    """Record a series; a new one has no rows, so the values of these indicators are in all of them."""
    connection.execute(
        "INSERT INTO research_series (symbol, minutes, indicators) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        (symbol, minutes, list(names)),
    )


def keep_series(connection: Connection, symbol: str, minutes: int, *, kept: bool, from_us: int | None = None) -> None:
    """
    Let recording programs keep the rows of a series up to date, or no longer.

    ``from_us``: the start (UTC microseconds), None for all. For a series that is kept already, the earlier start
    counts.
    """
    connection.execute(_KEEP, {"kept": kept, "from_us": from_us, "symbol": symbol, "minutes": minutes})


def make_partitions(connection: Connection, symbol: str, minutes: int, first_us: int, last_us: int) -> None:
    """Make the partitions of a symbol that rows of these times need, each in a transaction of its own."""
    first, last = np.array([first_us, last_us]).astype("datetime64[us]").astype("datetime64[M]")
    for month in np.arange(first, last + 1).astype("datetime64[D]").tolist():
        connection.execute("SELECT make_research_partition(%s, %s, %s)", (minutes, symbol, month))


def drop_series(connection: Connection, symbol: str, minutes: int) -> bool:
    """Drop the rows of a series; the table, too, if it was the last one. Return whether it existed."""
    with locked_series(connection, symbol, [minutes]), _structure(connection):
        found = connection.execute(
            "DELETE FROM research_series WHERE symbol = %s AND minutes = %s", (symbol, minutes)
        ).rowcount
        if not found:
            return False
        branch = branch_of(connection, symbol, minutes)
        if branch is not None:
            connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(branch)))
        if not connection.execute("SELECT FROM research_series WHERE minutes = %s LIMIT 1", (minutes,)).fetchall():
            connection.execute(sql.SQL("DROP TABLE {}").format(table_of(minutes)))
            connection.execute("DELETE FROM research_tables WHERE minutes = %s", (minutes,))
        if not tables(connection):
            connection.execute("DELETE FROM research_indicators")
        return True


def branch_of(connection: Connection, symbol: str, minutes: int) -> str | None:
    """Return the partition of a symbol in a table, the parent of its months; None if there is none yet."""
    row = connection.execute(_BRANCH, (table_name(minutes), symbol)).fetchone()
    return None if row is None else str(row[0])


def analyze(connection: Connection, symbol: str, minutes: int) -> None:
    """Analyze the rows of a symbol for the planner; without effect for a role that only records."""
    branch = branch_of(connection, symbol, minutes)
    if branch is not None:
        connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(branch)))


@contextlib.contextmanager
def _structure(connection: Connection) -> Iterator[None]:
    """A transaction that changes tables and columns; one at a time."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(1668446578, hashtext(current_schema()))")
        yield
