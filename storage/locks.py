"""The advisory locks that keep writers apart. They are a transaction's, and end with it however it ends."""

from __future__ import annotations

SYMBOL_LOCKS = 0x63_72_79_70
"""The first half of our lock numbers. The second is a symbol's id, or 0: the lock of the partitions."""

LOCK_SYMBOLS = (
    "SELECT pg_advisory_xact_lock(%s, id) FROM (SELECT id FROM unnest(%s::int[]) AS id ORDER BY id) AS symbol"
)
"""
Parameters: SYMBOL_LOCKS and symbol ids. Whoever changes a symbol's trades, coverage or rollups holds its lock.

Taken by rising id, so that nobody waits for another in a circle.
"""
