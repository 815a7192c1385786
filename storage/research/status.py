"""The state of the tables ``ohlcv_{N}m``: rows, sizes, updates and plans."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import sql

from storage.postgres.connection import Connection
from storage.research.tables import Series, branch_of, indicator_names, series_of, table_name, table_of

_PARTS = """
    SELECT count(*), coalesce(sum(pg_total_relation_size(p.relid)), 0)::bigint,
        coalesce(sum(s.n_tup_upd), 0)::bigint, coalesce(sum(s.n_tup_hot_upd), 0)::bigint
    FROM pg_partition_tree((quote_ident(current_schema()) || '.' || quote_ident(%s))::regclass) p
    LEFT JOIN pg_stat_user_tables s ON s.relid = p.relid
    WHERE p.isleaf
"""


@dataclass(frozen=True, slots=True)
class SeriesStatus:
    """
    The rows of one symbol in one table.

    ``partitions`` counts months, ``bytes`` includes indexes. ``updates`` counts the rows updated since the server began
    to count; ``hot_share`` is the share of them that touched no index, 1 without updates. ``month_reads`` is the number
    of partitions that a query of the newest month reads, by the server's plan; 0 without rows. ``due``: the indicators
    whose values are not in all rows yet.
    """

    table: str
    symbol: str
    minutes: int
    rows: int
    partitions: int
    bytes: int
    updates: int
    hot_share: float
    month_reads: int
    first: datetime | None
    last: datetime | None
    kept: bool
    indicators: list[str]
    due: list[str]


def read_status(connection: Connection, symbols: Sequence[str], lengths: Sequence[int]) -> list[SeriesStatus]:
    """Return the state of the series of these symbols and lengths, none for all. Raises psycopg.Error."""
    names = indicator_names(connection)
    return [
        _status(connection, one, names)
        for one in series_of(connection)
        if (not symbols or one.symbol in symbols) and (not lengths or one.minutes in lengths)
    ]


def _status(connection: Connection, series: Series, names: Sequence[str]) -> SeriesStatus:
    row = connection.execute(
        sql.SQL("SELECT count(*), min(timestamp), max(timestamp) FROM {} WHERE symbol = %s").format(
            table_of(series.minutes)
        ),
        (series.symbol,),
    ).fetchone()
    assert row is not None
    rows, first, last = row
    branch = branch_of(connection, series.symbol, series.minutes)
    found = None if branch is None else connection.execute(_PARTS, (branch,)).fetchone()
    partitions, size, updates, hot = found or (0, 0, 0, 0)
    return SeriesStatus(
        table_name(series.minutes),
        series.symbol,
        series.minutes,
        rows,
        partitions,
        size,
        updates,
        hot / updates if updates else 1.0,
        0 if last is None else month_reads(connection, series.symbol, series.minutes, last),
        first,
        last,
        series.kept,
        list(names),
        [name for name in names if name not in series.indicators],
    )


def month_reads(connection: Connection, symbol: str, minutes: int, moment: datetime) -> int:
    """Return how many partitions the server reads for the rows of the month of a time, as it plans it."""
    first = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    after = (first + timedelta(days=32)).replace(day=1)
    row = connection.execute(
        sql.SQL(
            "EXPLAIN (FORMAT JSON) SELECT * FROM {} WHERE symbol = {} AND timestamp >= {} AND timestamp < {}"
        ).format(table_of(minutes), sql.Literal(symbol), sql.Literal(first), sql.Literal(after))
    ).fetchone()
    assert row is not None
    plan = json.loads(row[0]) if isinstance(row[0], str) else row[0]
    return len({node["Relation Name"] for node in _nodes(plan[0]["Plan"]) if "Relation Name" in node})


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from _nodes(part)
