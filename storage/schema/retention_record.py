"""
The database's record of retention: which period was confirmed, and from when on no trade has been dropped.

It is the database's rather than the program's, because several programs use it, and each must know what may be missing.
"""

from __future__ import annotations

from dataclasses import dataclass

from storage.postgres.connection import Connection, translated
from storage.schema.retention_period import RetentionPeriod

_READ = """
    SELECT keep, (extract(epoch FROM confirmed_at) * 1000000)::bigint,
        (extract(epoch FROM greatest(
            kept_from,
            -- TimescaleDB's policy drops whole chunks, which end with a day, without recording it.
            CASE WHEN by_policy THEN date_trunc('day', now() - keep_for, 'UTC') + interval '1 day' END
        )) * 1000000)::bigint, by_policy,
        -- By way of JSON, because databases of earlier versions have no such column.
        coalesce(to_jsonb(retention) ->> 'lake', '')
    FROM retention
"""


@dataclass(frozen=True, slots=True)
class RetentionRecord:
    """
    The record. ``keep`` is the confirmed period, None if all trades are kept; ``confirmed_at_us`` is when it was
    confirmed. Trades before ``kept_from_us``, the start of a day, may have been dropped; None if none was. Both times
    are UTC microseconds. ``by_policy``: TimescaleDB drops the trades, by a policy of its own. ``lake``: what that lake
    does not hold is not dropped; empty: no lake is asked.
    """

    keep: RetentionPeriod | None
    confirmed_at_us: int | None
    kept_from_us: int | None
    by_policy: bool
    lake: str = ""


def trades_kept_from(connection: Connection) -> int | None:
    """
    Return the time (UTC microseconds, the start of a day) before which trades may have been dropped; None if none was.

    Candles and coverage before it are kept and cannot be made again from the trades that are left. Raises StoreError.
    """
    return read_retention(connection).kept_from_us


def quotes_kept_from(connection: Connection) -> int | None:
    """Return the same for ticks."""
    with translated("read the retention of ticks"):
        row = connection.execute(
            "SELECT (extract(epoch FROM kept_from) * 1000000)::bigint FROM quote_retention"
        ).fetchone()
    return None if row is None else row[0]


def ticks_kept_for(connection: Connection) -> RetentionPeriod | None:
    """Return the period that was confirmed for ticks; None if all are kept. Raises StoreError."""
    with translated("read the retention of ticks"):
        row = connection.execute("SELECT keep FROM quote_retention").fetchone()
    return None if row is None or row[0] is None else RetentionPeriod.parse(row[0])


def read_retention(connection: Connection) -> RetentionRecord:
    """Return the record. Raises StoreError."""
    with translated("read the retention of trades"):
        row = connection.execute(_READ).fetchone()
    if row is None:
        return RetentionRecord(None, None, None, False)
    keep, *rest = row
    return RetentionRecord(None if keep is None else RetentionPeriod.parse(keep), *rest)
