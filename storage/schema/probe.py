"""Looks at a database before it is used: the server, the user's privileges, what is stored. Changes nothing."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

from psycopg import sql

from storage.postgres.connection import Connection, ServerFacts, facts_of, translated
from storage.schema.privileges import Privileges, privileges_of

_ROUND_TRIPS = 5
_HELD = sql.SQL(
    """
    SELECT coalesce(sum(trades), 0)::bigint, coalesce(sum(ticks), 0)::bigint, count(DISTINCT symbol_id)
    FROM (SELECT symbol_id, last_trade_id - first_trade_id + 1 AS trades, 0 AS ticks FROM coverage {ticks}) AS held
    """
)
_TICKS = sql.SQL("UNION ALL SELECT symbol_id, 0, ticks FROM quote_rollup_1d")  # from version 10 on


@dataclass(frozen=True, slots=True)
class Probe:
    """
    What was found. ``latency_ms`` is the median of some round trips; ``encrypted`` is None for a Unix socket, which
    nothing leaves the machine by; ``size_bytes`` is the whole database's; ``trades``, ``ticks`` and
    ``symbols`` count what cryptopipe has stored in it.
    """

    server: ServerFacts
    privileges: Privileges
    latency_ms: float
    encrypted: bool | None
    size_bytes: int
    trades: int
    ticks: int
    symbols: int


def probe(connection: Connection, *, embedded: bool = False) -> Probe:
    """Return what is known of the database. Blocks for a few round trips. Raises StoreError."""
    server, privileges = facts_of(connection, embedded=embedded), privileges_of(connection)
    with translated("look at the database"):
        latency_ms = statistics.median(_round_trip_ms(connection) for _ in range(_ROUND_TRIPS))
        size = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        held = _held(connection) if privileges.tables_version else (0, 0, 0)
        is_socket = not connection.info.hostaddr
    assert size is not None
    encrypted = None if is_socket else connection.pgconn.ssl_in_use
    return Probe(server, privileges, latency_ms, encrypted, size[0], *held)


def _held(connection: Connection) -> tuple[int, int, int]:
    """Return the number of trades, of ticks, and of symbols with any of them."""
    row = connection.execute("SELECT to_regclass('quote_rollup_1d') IS NOT NULL").fetchone()
    held = connection.execute(_HELD.format(ticks=_TICKS if row is not None and row[0] else sql.SQL(""))).fetchone()
    return (0, 0, 0) if held is None else held


def _round_trip_ms(connection: Connection) -> float:
    began_s = time.perf_counter()
    connection.execute("SELECT 1")
    return (time.perf_counter() - began_s) * 1000
