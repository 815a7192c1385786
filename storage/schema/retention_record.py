"""What the database records of retention: what was confirmed, and from when on all trades are there."""

from __future__ import annotations

from dataclasses import dataclass

from storage.postgres.connection import Connection, translated
from storage.schema.retention_period import RetentionPeriod

_READ = """
    SELECT keep, (extract(epoch FROM confirmed_at) * 1000000)::bigint,
        (extract(epoch FROM greatest(
            kept_from,
            -- The policy drops whole chunks, which end with a day.
            CASE WHEN by_policy THEN date_trunc('day', now() - keep_for, 'UTC') + interval '1 day' END
        )) * 1000000)::bigint, by_policy
    FROM retention
"""


@dataclass(frozen=True, slots=True)
class Retention:
    """
    What the database says: ``keep`` as confirmed (None: all trades are kept) and when (UTC microseconds); trades before
    ``kept_from_us``, the start of a day, may have been dropped (None: none was); ``by_policy``: TimescaleDB does it.
    """

    keep: RetentionPeriod | None
    confirmed_at_us: int | None
    kept_from_us: int | None
    by_policy: bool


def trades_kept_from(connection: Connection) -> int | None:
    """
    Return the time (UTC microseconds, the start of a day) before which trades may have been dropped; None: none was.

    Candles and coverage of the time before stay, so they cannot be made again from what is left. Raises StoreError.
    """
    return read_retention(connection).kept_from_us


def read_retention(connection: Connection) -> Retention:
    """Return what the database says of it. Only reading is needed. Raises StoreError."""
    with translated("read the retention of trades"):
        row = connection.execute(_READ).fetchone()
    if row is None:
        return Retention(None, None, None, False)
    keep, *rest = row
    return Retention(None if keep is None else RetentionPeriod.parse(keep), *rest)
