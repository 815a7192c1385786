"""
Decompresses a day of trades, or a week of ticks, of long ago before many late rows are stored into it.

TimescaleDB Community stores a late row into a compressed chunk by decompressing the batches whose key it might
repeat, which takes several times as long as storing it into the same chunk uncompressed. So the rows stored into each
compressed chunk are counted, and once that took about as long as decompressing it would, it is decompressed: whatever
comes, at most twice the time of the better way is spent. The server's policy compresses the chunk again when it next
runs, and the counting starts over.

Nothing depends on it: a chunk whose decompression fails, or is cut short, takes rows as before, only slower.
"""

from __future__ import annotations

import logging
import time
from collections import Counter

import numpy as np
import psycopg
from psycopg import sql

from storage.postgres.batch_columns import Ints
from storage.postgres.connection import Connection, Edition, facts_of
from storage.schema.editions import owns_trades, timescale_schema, version_numbers
from storage.writing.stored_table import StoredTable

logger = logging.getLogger(__name__)

_DAY_US = 86_400_000_000
NEVER_COMPRESSED_US = 5 * _DAY_US
"""Rows younger than this lie in no compressed chunk: two days less than `storage.schema.editions.COMPRESS_AFTER`."""

_FEWEST = 2_000  # rows; fewer are stored in a second, whatever they lie in
# Rows that are decompressed in the time that each late row takes longer, by
# tests/benchmarks/storage/bench_late_trades.py: TimescaleDB 2.20 made the storing quicker.
_ROWS_DECOMPRESSED, _ROWS_DECOMPRESSED_BEFORE_2_20 = 16, 160
_LOCK_WAIT_MS = 5_000  # for the policy, which may be compressing the chunk
_LONGEST_MS = 600_000

_COMPRESSED = """
    SELECT format('%%I.%%I', chunk_schema, chunk_name), (
        SELECT coalesce(sum({count}), 0)::bigint FROM {days} WHERE open_time >= range_start AND open_time < range_end
    ), (extract(epoch FROM range_start) * 1000000)::bigint, (extract(epoch FROM range_end) * 1000000)::bigint
    FROM timescaledb_information.chunks
    WHERE hypertable_schema = current_schema() AND hypertable_name = {table} AND is_compressed
        AND range_start < timestamptz 'epoch' + %s * interval '1 microsecond'
        AND range_end > timestamptz 'epoch' + %s * interval '1 microsecond'
"""


class CompressedDays:
    """The days into which one connection stores late rows; where nothing is ever compressed it does nothing."""

    def __init__(self, connection: Connection, table: StoredTable) -> None:
        self._connection = connection
        self._plural = table.plural
        self._chunk_days = table.chunk_days
        self._compressed = sql.SQL(_COMPRESSED).format(
            count=sql.Identifier(table.count), days=sql.Identifier(table.days), table=sql.Literal(table.name)
        )
        self._stored: Counter[int] = Counter()  # late rows, by day since 1970
        self._schema: sql.Identifier | None = None
        self._rows_decompressed = _ROWS_DECOMPRESSED
        self._is_asked = False

    def forget(self) -> None:
        """Ask the server again what it is."""
        self._stored.clear()
        self._is_asked = False

    def note(self, times_us: Ints) -> None:
        """Count rows of these times, which were stored just now."""
        late = _late_days(times_us)
        if len(late):
            days, counts = np.unique(late, return_counts=True)
            self._stored.update(dict(zip(days.tolist(), counts.tolist(), strict=True)))

    def prepare(self, times_us: Ints) -> None:
        """
        Decompress the chunks of a batch's times into which enough rows were stored. Call it before the transaction.

        Raises psycopg.Error if the connection breaks.
        """
        if not self._stored:
            return
        for day in np.unique(_late_days(times_us)).tolist():
            # A chunk of ticks holds a week, and late ones may come into all its days.
            near = range(day - self._chunk_days + 1, day + self._chunk_days)
            if sum(self._stored[other] for other in near) >= _FEWEST and self._may_decompress():
                self._open(day)

    def _may_decompress(self) -> bool:
        if not self._is_asked:
            facts = facts_of(self._connection)
            compresses = facts.edition is Edition.TIMESCALE_COMMUNITY
            if compresses and version_numbers(facts.timescale_version) < (2, 20):
                self._rows_decompressed = _ROWS_DECOMPRESSED_BEFORE_2_20
            self._schema = timescale_schema(self._connection) if compresses and owns_trades(self._connection) else None
            self._is_asked = True
        return self._schema is not None

    def _open(self, day: int) -> None:
        bounds = ((day + 1) * _DAY_US, day * _DAY_US)
        for chunk, rows, start_us, end_us in self._connection.execute(self._compressed, bounds).fetchall():
            days = [other for other in self._stored if start_us <= other * _DAY_US < end_us]
            if sum(self._stored[other] for other in days) * self._rows_decompressed >= rows:
                self._decompress(chunk, rows)
                for other in days:
                    del self._stored[other]

    def _decompress(self, chunk: str, rows: int) -> None:
        began_s = time.perf_counter()
        try:
            with self._connection.transaction():
                self._connection.execute(
                    "SELECT set_config('lock_timeout', %s, true), set_config('statement_timeout', %s, true)",
                    (str(_LOCK_WAIT_MS), str(_LONGEST_MS)),
                )
                self._connection.execute(
                    sql.SQL("SELECT {}.decompress_chunk(%s::regclass, true)").format(self._schema), (chunk,)
                )
        except psycopg.OperationalError as error:
            if self._connection.closed or not error.sqlstate:
                raise
            logger.info("Late %s go into compressed ones: %s", self._plural, error.diag.message_primary)
        except psycopg.DatabaseError as error:
            # Another program has decompressed or dropped it, or the user may not.
            logger.info("Late %s go into compressed ones: %s", self._plural, error.diag.message_primary)
        else:
            took_s = time.perf_counter() - began_s
            logger.info("A chunk of %d %s was decompressed for late ones in %.1f s", rows, self._plural, took_s)


def _late_days(times_us: Ints) -> Ints:
    """Return the day since 1970 of each time that may belong in a compressed chunk."""
    first_us = time.time_ns() // 1000 - NEVER_COMPRESSED_US
    if not len(times_us) or times_us.min() >= first_us:
        return np.empty(0, np.int64)  # as nearly always
    late: Ints = times_us[times_us < first_us] // _DAY_US
    return late
