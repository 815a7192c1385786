"""
Writes rows into a table ``ohlcv_{N}m``: by COPY into a staging table, and from there each exactly once.

While the table has no row of these times, COPY writes into it directly: the lock of the series keeps others away. An
existing row is replaced only if it differs, so writing the same rows again changes nothing. Every function takes a
connection in a transaction, whose session holds the lock of the series, and may raise psycopg.Error.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from psycopg import sql

from storage.postgres.batch_columns import COPY_HEADER, COPY_TRAILER
from storage.postgres.binary_rows import PG_EPOCH_US, RowLayout
from storage.postgres.connection import Connection
from storage.research.tables import COLUMNS, table_of
from storage.research.window_rows import LAYOUT
from storage.rollups.time_sql import microseconds

_ANALYZED_FROM = 10_000  # rows; below, the planner guesses well enough

# The session's own, and empty after each transaction: made once, so that a row a minute does not fill the catalogue.
_STAGE = """
    CREATE TEMP TABLE IF NOT EXISTS research_rows (
        timestamp timestamptz, minute_index smallint, open double precision, high double precision,
        low double precision, close double precision, volume double precision, trade_count integer,
        vwap double precision, minutes_into_session smallint, window_minutes smallint,
        window_spans_sessions boolean, is_regular_session boolean, has_gap_from_prior_session boolean
    ) ON COMMIT DELETE ROWS
"""
_KINDS = (">i8", ">i2", *[">f8"] * 5, ">i4", ">f8", ">i2", ">i2", *["u1"] * 3)
_NULLS = {"vwap": "NaN", "minutes_into_session": "-1"}


class Written(NamedTuple):
    """The number of new or changed rows, and their first and last time (UTC microseconds)."""

    rows: int
    first_us: int | None
    last_us: int | None


def write_rows(connection: Connection, symbol: str, minutes: int, columns: Sequence[NDArray[Any]]) -> Written:
    """Store rows, columns as in `storage.research.window_rows.columns_of_rows`; their partitions must exist."""
    if not len(columns[0]):
        return Written(0, None, None)
    first_us, last_us = int(columns[0][0]), int(columns[0][-1])
    if not _has_rows(connection, symbol, minutes, first_us, last_us):
        names = sql.SQL(", ").join(sql.Identifier(name) for name in (*COLUMNS, "symbol"))
        _copy(connection, sql.SQL("{} ({})").format(table_of(minutes), names), _packed(symbol, columns))
        return Written(len(columns[0]), first_us, last_us)
    connection.execute(_STAGE)
    copy_rows(connection, sql.Identifier("research_rows"), LAYOUT, columns)
    row = connection.execute(_merge(minutes), (symbol,)).fetchone()
    assert row is not None
    return Written(*row)


def copy_rows(
    connection: Connection, table: sql.Identifier, layout: RowLayout, columns: Sequence[NDArray[Any]]
) -> None:
    """Bring rows into a staging table."""
    _copy(connection, table, layout.pack(columns))
    if len(columns[0]) >= _ANALYZED_FROM:
        connection.execute(sql.SQL("ANALYZE {}").format(table))


def _copy(connection: Connection, target: sql.Composable, rows: bytes) -> None:
    statement = sql.SQL("COPY {} FROM STDIN (FORMAT binary)").format(target)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(COPY_HEADER)
        copy.write(rows)
        copy.write(COPY_TRAILER)


def _has_rows(connection: Connection, symbol: str, minutes: int, first_us: int, last_us: int) -> bool:
    """Whether the table has a row of these times or between."""
    row = connection.execute(
        sql.SQL(
            "SELECT EXISTS (SELECT FROM {} WHERE symbol = %s AND timestamp BETWEEN"
            " timestamptz 'epoch' + %s * interval '1 microsecond'"
            " AND timestamptz 'epoch' + %s * interval '1 microsecond')"
        ).format(table_of(minutes)),
        (symbol, first_us, last_us),
    ).fetchone()
    return row == (True,)


def _packed(symbol: str, columns: Sequence[NDArray[Any]]) -> bytes:
    """Return the rows of a binary COPY of `COLUMNS` and then the symbol, with NULLs."""
    name = symbol.encode()
    fields: list[Any] = [("fields", ">i2")]
    for number, kind in enumerate(_KINDS):
        fields += [(f"s{number}", ">i4"), (f"v{number}", kind)]
    rows = np.zeros(len(columns[0]), np.dtype([*fields, ("size", ">i4"), ("symbol", f"S{len(name)}")]))
    places = rows.dtype.fields
    assert places is not None
    rows["fields"], rows["size"], rows["symbol"] = len(_KINDS) + 1, len(name), name
    is_there = np.ones((len(rows), rows.itemsize), np.bool_)
    for number, (column, values) in enumerate(zip(COLUMNS, columns, strict=True)):
        rows[f"s{number}"] = rows.dtype[f"v{number}"].itemsize
        rows[f"v{number}"] = values - PG_EPOCH_US if column == "timestamp" else values
        is_null = values != values if column == "vwap" else values == -1 if column == "minutes_into_session" else None
        if is_null is not None and is_null.any():
            rows[f"s{number}"][is_null] = -1  # and no value follows
            begin = places[f"v{number}"][1]
            is_there[np.flatnonzero(is_null), begin : begin + rows.dtype[f"v{number}"].itemsize] = False
    if is_there.all():
        return rows.tobytes()
    return rows.view(np.uint8).reshape(len(rows), -1)[is_there].tobytes()


def _merge(minutes: int) -> sql.Composed:
    names = [sql.Identifier(name) for name in COLUMNS]
    values = [
        sql.SQL("nullif({}, {})").format(sql.Identifier(name), sql.Literal(_NULLS[name]))
        if name in _NULLS
        else sql.Identifier(name)
        for name in COLUMNS
    ]
    return sql.SQL(
        """
        WITH written AS (
            INSERT INTO {table} AS known (symbol, {names})
            SELECT %s, {values} FROM research_rows ORDER BY timestamp
            ON CONFLICT (symbol, timestamp) DO UPDATE SET {assigned}
            WHERE ({known}) IS DISTINCT FROM ({given})
            RETURNING timestamp
        )
        SELECT count(*), {first}, {last} FROM written
        """
    ).format(
        table=table_of(minutes),
        names=sql.SQL(", ").join(names),
        values=sql.SQL(", ").join(values),
        assigned=sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(name) for name in names[1:]),
        known=sql.SQL(", ").join(sql.SQL("known.{}").format(name) for name in names[1:]),
        given=sql.SQL(", ").join(sql.SQL("excluded.{}").format(name) for name in names[1:]),
        first=microseconds(sql.SQL("min(timestamp)")),
        last=microseconds(sql.SQL("max(timestamp)")),
    )
