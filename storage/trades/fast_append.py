"""
The quick way to store the usual batch: few trades, each symbol's ids going on where the stored ones end.

Everything travels at once and is answered at once. The statement itself looks whether the ids do go on there, under the
symbols' locks, and changes nothing where they do not: another program may have stored them, or have brought the tables
to a newer version. See `storage.trades.trade_ledger` for
what is done then.
"""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from storage.postgres.advisory_locks import LOCK_SYMBOLS, SYMBOL_LOCKS
from storage.postgres.batch_columns import TradeColumns
from storage.postgres.connection import Connection
from storage.postgres.sql_arrays import array, arrays
from storage.rollups.upsert import rollup_arrays, rollup_parts
from storage.schema.migrate import newest_version

LARGEST = 500
"""Trades up to which this is quicker than a COPY between two exchanges."""

_APPEND = sql.SQL(
    """
    WITH run AS (
        SELECT * FROM unnest(%s::int[], %s::bigint[], %s::bigint[]) AS run (symbol_id, low, high)
    ), ended AS MATERIALIZED (
        -- Each run's last range that begins at or before the id after it must end just before the run.
        SELECT run.symbol_id, run.high, before.first_trade_id
        FROM run CROSS JOIN LATERAL (
            SELECT first_trade_id, last_trade_id FROM coverage
            WHERE coverage.symbol_id = run.symbol_id AND first_trade_id <= run.high + 1
            ORDER BY first_trade_id DESC LIMIT 1
        ) AS before
        WHERE before.last_trade_id = run.low - 1
    ), ready AS MATERIALIZED (
        SELECT (SELECT count(*) FROM ended) = (SELECT count(*) FROM run)
            AND (SELECT max(version) FROM schema_version) = %s AS ok
    ), grown AS (
        UPDATE coverage SET last_trade_id = ended.high FROM ended
        WHERE coverage.symbol_id = ended.symbol_id AND coverage.first_trade_id = ended.first_trade_id
            AND (SELECT ok FROM ready)
    ), stored AS (
        INSERT INTO trades (symbol_id, time, trade_id, price, quantity, is_buyer_maker)
        SELECT symbol_id, timestamptz 'epoch' + time_us * interval '1 microsecond', trade_id, price, quantity, maker
        FROM unnest(%s::int[], %s::bigint[], %s::bigint[], %s::numeric[], %s::numeric[], %s::bool[])
            AS trade (symbol_id, time_us, trade_id, price, quantity, maker)
        WHERE (SELECT ok FROM ready)
    ), {rollups}
    SELECT ok FROM ready
    """
).format(rollups=rollup_parts("(SELECT ok FROM ready)"))


def append(connection: Connection, batch: TradeColumns, runs: Sequence[tuple[int, int, int]]) -> bool:
    """
    Store the batch in one transaction if its ids go on where the stored ones end; whether it is stored.

    ``runs``: its ids as (symbol id, first, last), one for each symbol. Raises psycopg.Error; a transaction may then be
    open.
    """
    trades = (
        array(batch.symbol_id.tolist()),
        array(batch.time_us.tolist()),
        array(batch.trade_id.tolist()),
        array(batch.price.tolist(), "e-8"),
        array(batch.quantity.tolist(), "e-8"),
        array(batch.maker.tolist()),
    )
    values = (*arrays(runs), newest_version(), *trades, *rollup_arrays(batch))
    with connection.pipeline():
        connection.execute("BEGIN", prepare=True)
        connection.execute(LOCK_SYMBOLS, (SYMBOL_LOCKS, array(run[0] for run in runs)), prepare=True)
        # A statement of its own: it must see what the holder of the lock before us committed.
        answer = connection.execute(_APPEND, values, prepare=True)
        connection.execute("COMMIT", prepare=True)
    return answer.fetchone() == (True,)
