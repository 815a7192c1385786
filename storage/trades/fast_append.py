"""
Stores the usual batch in one statement: few trades, each symbol's ids going on where the stored ones end.

Everything is sent at once and answered at once. The statement itself checks, under the symbols' locks, that the ids do
go on there, and changes nothing if they do not: another program may have stored them, or have brought the tables to a
newer version. `storage.trades.trade_ledger` then stores the batch its longer way.
"""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from storage.postgres.advisory_locks import LOCK_SYMBOLS, SYMBOL_LOCKS
from storage.postgres.batch_columns import TradeColumns
from storage.postgres.connection import Connection
from storage.postgres.sql_arrays import array_literal, column_literals
from storage.rollups.upsert import rollup_arrays, rollup_parts
from storage.schema.migrate import newest_version

LARGEST_APPEND = 500
"""The number of trades up to which this is quicker than a COPY, which takes two more round trips."""

# All parts of one statement see the tables as they were before it, so each of them may depend on the same check.
_APPEND = sql.SQL(
    """
    WITH run AS (
        SELECT * FROM unnest(%s::int[], %s::bigint[], %s::bigint[]) AS run (symbol_id, low, high)
    ), ended AS MATERIALIZED (
        -- The last range that begins at or before the id after the run must end just before the run. If another range
        -- begins that early, the run overlaps it, or touches it and would have to be joined with it.
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
    Store the batch in one transaction if its ids go on where the stored ones end; return whether it is stored.

    ``runs``: its `id_runs`, one for each symbol. Raises psycopg.Error; a transaction may be open then.
    """
    trades = (
        array_literal(batch.symbol_id.tolist()),
        array_literal(batch.time_us.tolist()),
        array_literal(batch.trade_id.tolist()),
        array_literal(batch.price.tolist(), "e-8"),
        array_literal(batch.quantity.tolist(), "e-8"),
        array_literal(batch.maker.tolist()),
    )
    values = (*column_literals(runs), newest_version(), *trades, *rollup_arrays(batch))
    with connection.pipeline():
        connection.execute("BEGIN", prepare=True)
        connection.execute(LOCK_SYMBOLS, (SYMBOL_LOCKS, array_literal(run[0] for run in runs)), prepare=True)
        # A statement of its own, so that its snapshot is taken after the wait for the locks: it must see what their
        # last holder committed.
        answer = connection.execute(_APPEND, values, prepare=True)
        connection.execute("COMMIT", prepare=True)
    return answer.fetchone() == (True,)
