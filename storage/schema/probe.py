"""What a server is and holds, and what would be done with it: for a look before it is used. Nothing is changed."""

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
    ``latency_ms`` is a round trip's median, ``encrypted`` None where nothing leaves the machine's kernel (a socket),
    ``size_bytes`` that of the whole database, ``trades`` and ``symbols`` what cryptopipe has stored in it.
    """

    server: ServerFacts
    privileges: Privileges
    latency_ms: float
    encrypted: bool | None
    size_bytes: int
    trades: int
    symbols: int


def probe(connection: Connection, *, embedded: bool = False) -> Probe:
    """Look at the database behind a connection. Blocks for a few round trips. Raises StoreError."""
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
