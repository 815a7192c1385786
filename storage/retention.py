"""Retention of trades: how long they are kept, and from when on they all are still there."""

from __future__ import annotations

from storage.connection import Connection, translated

_KEPT_FROM = """
    SELECT (extract(epoch FROM greatest(
        kept_from,
        -- The policy drops whole chunks, which end with a day.
        CASE WHEN by_policy THEN date_trunc('day', now() - keep_for, 'UTC') + interval '1 day' END
    )) * 1000000)::bigint
    FROM retention
"""


def trades_kept_from(connection: Connection) -> int | None:
    """
    Return the time (UTC microseconds, the start of a day) before which trades may have been dropped; None: none was.

    Candles and coverage of the time before stay, so they cannot be made again from what is left. Raises StoreError.
    """
    with translated("read the retention of trades"):
        row = connection.execute(_KEPT_FROM).fetchone()
    return None if row is None else row[0]
