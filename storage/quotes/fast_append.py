"""
Stores the usual batch in one statement: few ticks, each symbol's later than all that are stored of it.

As for trades (`storage.trades.fast_append`): everything is sent at once and answered at once, and the statement itself
checks under the symbols' locks that nothing is stored from the batch's first ticks on, by the candles of 5 s.
"""

from __future__ import annotations

from psycopg import sql

from storage.postgres.advisory_locks import LOCK_SYMBOLS, SYMBOL_LOCKS
from storage.postgres.connection import Connection
from storage.postgres.sql_arrays import array_literal
from storage.quotes.tick_columns import TickColumns
from storage.quotes.tick_levels import FINEST
from storage.quotes.tick_rollups import all_levels, finest_candles, rollup_arrays, rollup_parts
from storage.schema.migrate import newest_version

LARGEST_APPEND = 500

LOCK_TABLES = "LOCK TABLE ONLY coverage IN ACCESS SHARE MODE"
"""Waits for a migration under way, which locks that table: only then is the version the one that is written to."""

_APPEND = sql.SQL(
    """
    WITH run AS (
        SELECT * FROM unnest(%s::int[], %s::bigint[], %s::int[], %s::bigint[]) AS run (symbol_id, low, place, high)
    ), ready AS MATERIALIZED (
        SELECT (SELECT max(version) FROM schema_version) = %s AND NOT EXISTS (
            SELECT FROM run CROSS JOIN LATERAL (
                SELECT last_time, last_place FROM {finest} WHERE symbol_id = run.symbol_id
                    AND open_time >= timestamptz 'epoch' + (run.low - run.low %% {slot_us}) * interval '1 microsecond'
                    AND open_time <= timestamptz 'epoch' + run.high * interval '1 microsecond'
            ) AS held
            WHERE (last_time, last_place) >= (timestamptz 'epoch' + run.low * interval '1 microsecond', run.place)
        ) AS ok
    ), stored AS (
        INSERT INTO quotes (symbol_id, time, place, bid, ask, bid_size, ask_size)
        SELECT symbol_id, timestamptz 'epoch' + time_us * interval '1 microsecond', place, bid, ask, bid_size, ask_size
        FROM unnest(%s::int[], %s::bigint[], %s::smallint[], %s::numeric[], %s::numeric[], %s::numeric[],
            %s::numeric[]) AS tick (symbol_id, time_us, place, bid, ask, bid_size, ask_size)
        WHERE (SELECT ok FROM ready)
    ), {rollups}
    SELECT ok FROM ready
    """
).format(
    finest=sql.Identifier(FINEST.table),
    slot_us=sql.Literal(FINEST.length_us),
    rollups=rollup_parts("(SELECT ok FROM ready)"),
)


def append(connection: Connection, batch: TickColumns) -> bool:
    """
    Store a sorted batch in one transaction if nothing is stored from its first ticks on; return whether it is stored.

    Raises psycopg.Error; a transaction may be open then.
    """
    parts = batch.symbol_parts()
    runs = (
        array_literal(symbol_id for symbol_id, _ in parts),
        array_literal(int(batch.time_us[rows.start]) for _, rows in parts),
        array_literal(int(batch.place[rows.start]) for _, rows in parts),
        array_literal(int(batch.time_us[rows.stop - 1]) for _, rows in parts),
    )
    ticks = [
        array_literal(column.tolist(), "" if number < 3 else "e-8") for number, column in enumerate(batch.columns())
    ]
    values = (*runs, newest_version(), *ticks, *rollup_arrays(all_levels(finest_candles(batch))))
    with connection.pipeline():
        connection.execute("BEGIN", prepare=True)
        connection.execute(LOCK_SYMBOLS, (SYMBOL_LOCKS, runs[0]), prepare=True)
        connection.execute(LOCK_TABLES, prepare=True)
        # A statement of its own, so that its snapshot is taken after the wait for the locks: it must see what their
        # last holder committed.
        answer = connection.execute(_APPEND, values, prepare=True)
        connection.execute("COMMIT", prepare=True)
    return answer.fetchone() == (True,)
