"""The two tables of single rows, trades and quotes, and what a writer must know of each to prepare it for a batch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StoredTable:
    """
    A table of rows by time.

    ``name``: the table. ``plural``: its rows, in words. ``days``, ``count``: the table of its daily candles, and their
    column that counts rows. ``retention``: the table of how long they are kept; ``late_days``: that of the days of long
    ago that were stored into. ``make_partition`` makes the partition of a month, given its first day; ``note_days``
    notes days of long ago that are stored into, given a list of them. ``chunk_days``: the days in a TimescaleDB chunk.
    """

    name: str
    plural: str
    days: str
    count: str
    retention: str
    late_days: str
    make_partition: str
    note_days: str
    chunk_days: int


TRADES = StoredTable(
    "trades",
    "trades",
    "rollup_1d",
    "trades",
    "retention",
    "late_days",
    "SELECT make_trades_partition(%s)",
    "SELECT note_late_days(%s)",
    1,
)
QUOTES = StoredTable(
    "quotes",
    "ticks",
    "quote_rollup_1d",
    "ticks",
    "quote_retention",
    "late_quote_days",
    "SELECT make_quotes_partition(%s)",
    """
    INSERT INTO late_quote_days SELECT DISTINCT day, now() FROM unnest(%s::date[]) AS day ORDER BY day
    ON CONFLICT (day) DO UPDATE SET stored_at = excluded.stored_at
    """,
    7,
)
