"""
Prepares the table `trades` for a batch, before its transaction.

On plain PostgreSQL the table has a partition per month, made when the month's first trade comes. TimescaleDB makes its
chunks itself; there the session is allowed to add trades to compressed ones, and days that many late trades come into
are decompressed (`storage.trades.compressed_days`). On both, days of long ago that trades are
stored into are noted as backfilled, because retention spares those for a week.
"""

from __future__ import annotations

import math
import time
from datetime import date, timedelta

import numpy as np

from storage.postgres import batch_columns
from storage.postgres.batch_columns import TradeColumns
from storage.postgres.connection import Connection
from storage.schema.editions import is_hypertable
from storage.trades.compressed_days import NEVER_COMPRESSED_US, CompressedDays

_DAY_US = 86_400_000_000
_BACKFILLED_AFTER_DAYS = 20  # ten days less than the shortest retention period
_NOTE_AGAIN_AFTER_S = 3_600.0  # retention counts a week from the last note; to the hour is exact enough
_EPOCH = date(1970, 1, 1)

PARTITION_LOCK = (0x63_72_79_70, 0)
"""The advisory lock under which partitions are made and dropped; see `storage.postgres.advisory_locks.SYMBOL_LOCKS`."""


class BackfilledDays:
    """
    Notes in the database which days of long ago trades are being stored into.

    It remembers what this connection has noted, so that a backfill of a day costs one statement an hour.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._noted_at_s: dict[int, float] = {}  # by day since 1970

    def forget(self) -> None:
        """Note every day again when its next trade comes."""
        self._noted_at_s.clear()

    def note(self, batch: TradeColumns) -> None:
        """
        Note the batch's days of long ago.

        Call it before the batch's transaction: noted in it, a day would be unknown to retention until the commit, and
        retention could drop the day's partition meanwhile.
        """
        recent_us = time.time_ns() // 1000 - _BACKFILLED_AFTER_DAYS * _DAY_US
        if batch.time_us.min() >= recent_us:
            return  # as nearly every batch
        now_s = time.time()  # the monotonic clock would stand still while the computer sleeps
        days = [
            day
            for day in np.unique(batch.time_us[batch.time_us < recent_us] // _DAY_US).tolist()
            if abs(now_s - self._noted_at_s.get(day, -math.inf)) >= _NOTE_AGAIN_AFTER_S
        ]
        if days:
            dates = [_EPOCH + timedelta(days=day) for day in days]
            self._connection.execute("SELECT note_late_days(%s)", (dates,))
            self._noted_at_s.update(dict.fromkeys(days, now_s))


class Partitions:
    """Prepares `trades` for the batches of one connection, and remembers which partitions exist."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._backfilled_days = BackfilledDays(connection)
        self._compressed_days = CompressedDays(connection)
        self._months: set[np.datetime64] = set()
        self._newest_month_us = (0, 0)  # from, until: of the last batch's newest month
        self._is_partitioned: bool | None = None  # None: not asked yet

    def make(self, batch: TradeColumns) -> None:
        """
        Note the batch's backfilled days and create its missing partitions or decompress its days, each in its own
        transaction: a rollback of the batch keeps them.
        """
        self._backfilled_days.note(batch)
        if self._is_partitioned is None:
            self._is_partitioned = not is_hypertable(self._connection)
            if not self._is_partitioned:
                # TimescaleDB limits how many rows a statement may decompress, to protect against careless ones. Ours
                # are bounded by the size of a batch, and a backfill must not fail on the limit.
                self._connection.execute(
                    "SELECT set_config('timescaledb.max_tuples_decompressed_per_dml_transaction', '0', false)"
                )
        if not self._is_partitioned:
            self._compressed_days.prepare(batch)
            return
        from_us, until_us = self._newest_month_us
        if from_us <= batch.time_us.min() and batch.time_us.max() < until_us:
            return  # as nearly every batch
        months = batch_columns.calendar_months(batch)
        for month in months:
            if month not in self._months:
                _make_partition(self._connection, month)
                self._months.add(month)
        self._newest_month_us = _bounds_us(months[-1])

    def note_stored(self, fresh: TradeColumns) -> None:
        """Note trades that were committed by another way than `storage.trades.fast_append`."""
        if not self._is_partitioned:
            self._compressed_days.note(fresh)

    def may_append(self, batch: TradeColumns) -> bool:
        """
        Whether `storage.trades.fast_append` may store the batch; call it after `make`.

        Not where a trade may belong in a compressed chunk of TimescaleDB: into those only COPY writes.
        """
        return bool(self._is_partitioned) or batch.time_us.min() > time.time_ns() // 1000 - NEVER_COMPRESSED_US

    def forget(self) -> bool:
        """Forget what exists, so that the next `make` looks again; return whether that can change anything."""
        knew_any = bool(self._months)
        self._backfilled_days.forget()
        self._compressed_days.forget()
        self._months.clear()
        self._newest_month_us = (0, 0)
        self._is_partitioned = None
        return knew_any


def _bounds_us(month: np.datetime64) -> tuple[int, int]:
    """Return the time (UTC microseconds) the month begins at, and the time the next one does."""
    begin, end = (int(at.astype("datetime64[us]").astype(np.int64)) for at in (month, month + np.timedelta64(1, "M")))
    return begin, end


def _make_partition(connection: Connection, month: np.datetime64) -> None:
    first: date = month.astype("datetime64[D]").item()
    # A function of the tables' owner, which takes `PARTITION_LOCK`: attaching a partition takes the ownership of
    # trades, which a role that only records has not.
    connection.execute("SELECT make_trades_partition(%s)", (first,))
