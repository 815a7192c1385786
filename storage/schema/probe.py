"""Looks at a database before it is used: the server, the user's privileges, what is stored. Changes nothing."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

from storage.postgres.connection import Connection, ServerFacts, facts_of, translated
from storage.schema.privileges import Privileges, privileges_of

_ROUND_TRIPS = 5


@dataclass(frozen=True, slots=True)
class Probe:
    """
    What was found. ``latency_ms`` is the median of some round trips; ``encrypted`` is None for a Unix socket, which
    nothing leaves the machine by; ``size_bytes`` is the whole database's; ``trades`` and ``symbols`` count what
    cryptopipe has stored in it.
    """

    server: ServerFacts
    privileges: Privileges
    latency_ms: float
    encrypted: bool | None
    size_bytes: int
    trades: int
    symbols: int


def probe(connection: Connection, *, embedded: bool = False) -> Probe:
    """Return what is known of the database. Blocks for a few round trips. Raises StoreError."""
    server, privileges = facts_of(connection, embedded=embedded), privileges_of(connection)
    with translated("look at the database"):
        latency_ms = statistics.median(_round_trip_ms(connection) for _ in range(_ROUND_TRIPS))
        size = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        held = (0, 0)
        if privileges.tables_version:
            held = (
                connection.execute(
                    "SELECT coalesce(sum(last_trade_id - first_trade_id + 1), 0)::bigint, count(DISTINCT symbol_id)"
                    " FROM coverage"
                ).fetchone()
                or held
            )
        is_socket = not connection.info.hostaddr
    assert size is not None
    encrypted = None if is_socket else connection.pgconn.ssl_in_use
    return Probe(server, privileges, latency_ms, encrypted, size[0], held[0], held[1])


def _round_trip_ms(connection: Connection) -> float:
    began_s = time.perf_counter()
    connection.execute("SELECT 1")
    return (time.perf_counter() - began_s) * 1000
