"""
Prepares `trades` or `quotes` for a batch, before its transaction.

On plain PostgreSQL the table has a partition per month, made when the month's first row comes. TimescaleDB makes its
chunks itself; there the session is allowed to add rows to compressed ones, and days that many late rows come into are
decompressed (`storage.writing.compressed_days`). On both, days of long ago that rows are stored into are noted as
backfilled, because retention spares those for a week.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import date, timedelta
from typing import TypeVar

import numpy as np
import psycopg

from storage.postgres.batch_columns import Ints, calendar_months
from storage.postgres.connection import Connection
from storage.schema.editions import is_hypertable
from storage.writing.compressed_days import NEVER_COMPRESSED_US, CompressedDays
from storage.writing.stored_table import StoredTable

_DAY_US = 86_400_000_000
_BACKFILLED_AFTER_DAYS = 20  # ten days less than the shortest retention period
_NOTE_AGAIN_AFTER_S = 3_600.0  # retention counts a week from the last note; to the hour is exact enough
_EPOCH = date(1970, 1, 1)

Result = TypeVar("Result")

PARTITION_LOCK = (0x63_72_79_70, 0)
"""The advisory lock under which partitions are made and dropped; see `storage.postgres.advisory_locks.SYMBOL_LOCKS`."""


class BackfilledDays:
    """
    Notes in the database which days of long ago rows are being stored into.

    It remembers what this connection has noted, so that a backfill of a day costs one statement an hour.
    """

    def __init__(self, connection: Connection, table: StoredTable) -> None:
        self._connection = connection
        self._statement = table.note_days.encode()
        self._noted_at_s: dict[int, float] = {}  # by day since 1970

    def forget(self) -> None:
        """Note every day again when its next row comes."""
        self._noted_at_s.clear()

    def note(self, times_us: Ints) -> None:
        """
        Note the days of long ago among a batch's times.

        Call it before the batch's transaction: noted in it, a day would be unknown to retention until the commit, and
        retention could drop the day's partition meanwhile.
        """
        recent_us = time.time_ns() // 1000 - _BACKFILLED_AFTER_DAYS * _DAY_US
        if times_us.min() >= recent_us:
            return  # as nearly every batch
        now_s = time.time()  # the monotonic clock would stand still while the computer sleeps
        days = [
            day
            for day in np.unique(times_us[times_us < recent_us] // _DAY_US).tolist()
            if abs(now_s - self._noted_at_s.get(day, -math.inf)) >= _NOTE_AGAIN_AFTER_S
        ]
        if days:
            dates = [_EPOCH + timedelta(days=day) for day in days]
            self._connection.execute(self._statement, (dates,))
            self._noted_at_s.update(dict.fromkeys(days, now_s))


class Partitions:
    """Prepares a table for the batches of one connection, and remembers which partitions exist."""

    def __init__(self, connection: Connection, table: StoredTable) -> None:
        self._connection = connection
        self._table = table
        self._backfilled_days = BackfilledDays(connection, table)
        self._compressed_days = CompressedDays(connection, table)
        self._months: set[np.datetime64] = set()
        self._newest_month_us = (0, 0)  # from, until: of the last batch's newest month
        self._is_partitioned: bool | None = None  # None: not asked yet

    def store(self, times_us: Ints, store_batch: Callable[[], Result]) -> Result:
        """
        Call `make` for a batch's times, then ``store_batch``; return what that returns.

        Retention may have dropped a partition since it was made or found. So both are done once more if the batch
        found none.
        """
        if len(times_us):
            self.make(times_us)
        try:
            return store_batch()
        except psycopg.errors.CheckViolation:
            if not len(times_us) or not self.forget():
                raise
            self.make(times_us)
            return store_batch()

    def make(self, times_us: Ints) -> None:
        """
        Note the backfilled days among a batch's times and create missing partitions or decompress days, each in its own
        transaction: a rollback of the batch keeps them.
        """
        self._backfilled_days.note(times_us)
        if self._is_partitioned is None:
            self._is_partitioned = not is_hypertable(self._connection, self._table.name)
            if not self._is_partitioned:
                # TimescaleDB limits how many rows a statement may decompress, to protect against careless ones. Ours
                # are bounded by the size of a batch, and a backfill must not fail on the limit.
                self._connection.execute(
                    "SELECT set_config('timescaledb.max_tuples_decompressed_per_dml_transaction', '0', false)"
                )
        if not self._is_partitioned:
            self._compressed_days.prepare(times_us)
            return
        from_us, until_us = self._newest_month_us
        if from_us <= times_us.min() and times_us.max() < until_us:
            return  # as nearly every batch
        months = calendar_months(times_us)
        for month in months:
            if month not in self._months:
                self._make_partition(month)
                self._months.add(month)
        self._newest_month_us = _bounds_us(months[-1])

    def note_stored(self, times_us: Ints) -> None:
        """Note the times of rows that were committed by a COPY."""
        if not self._is_partitioned:
            self._compressed_days.note(times_us)

    def may_append(self, times_us: Ints) -> bool:
        """
        Whether another statement than COPY may store rows of these times; call it after `make`.

        Not where a row may belong in a compressed chunk of TimescaleDB: into those only COPY writes.
        """
        return bool(self._is_partitioned) or times_us.min() > time.time_ns() // 1000 - NEVER_COMPRESSED_US

    def forget(self) -> bool:
        """Forget what exists, so that the next `make` looks again; return whether that can change anything."""
        knew_any = bool(self._months)
        self._backfilled_days.forget()
        self._compressed_days.forget()
        self._months.clear()
        self._newest_month_us = (0, 0)
        self._is_partitioned = None
        return knew_any

    def _make_partition(self, month: np.datetime64) -> None:
        first: date = month.astype("datetime64[D]").item()
        # A function of the tables' owner, which takes `PARTITION_LOCK`: attaching a partition takes the ownership of
        # the table, which a role that only records has not.
        self._connection.execute(self._table.make_partition.encode(), (first,))


def _bounds_us(month: np.datetime64) -> tuple[int, int]:
    """Return the time (UTC microseconds) the month begins at, and the time the next one does."""
    begin, end = (int(at.astype("datetime64[us]").astype(np.int64)) for at in (month, month + np.timedelta64(1, "M")))
    return begin, end
