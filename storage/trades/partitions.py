"""
The monthly partitions of `trades` on plain PostgreSQL, made when a month's first trade comes.

TimescaleDB makes its chunks itself; there this module has it take late trades into compressed ones, however many rows
that opens.
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

_DAY_US = 86_400_000_000
_LATE_AFTER_DAYS = 20  # ten days less than the shortest retention
_AGAIN_AFTER_S = 3_600.0
_EPOCH = date(1970, 1, 1)


class BackfilledDays:
    """The days that one writing connection has noted, and when."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._noted: dict[int, float] = {}

    def forget(self) -> None:
        """Note them all anew."""
        self._noted.clear()

    def note(self, batch: TradeColumns) -> None:
        """Note the batch's days of long ago, outside its transaction: they stay whatever becomes of that."""
        late_us = time.time_ns() // 1000 - _LATE_AFTER_DAYS * _DAY_US
        if batch.time_us.min() >= late_us:
            return
        now_s = time.time()  # a monotonic clock stands still while the computer sleeps
        days = [
            day
            for day in np.unique(batch.time_us[batch.time_us < late_us] // _DAY_US).tolist()
            if abs(now_s - self._noted.get(day, -math.inf)) >= _AGAIN_AFTER_S
        ]
        if days:
            dates = [_EPOCH + timedelta(days=day) for day in days]
            self._connection.execute("SELECT note_late_days(%s)", (dates,))
            self._noted.update(dict.fromkeys(days, now_s))


_NEVER_COMPRESSED_US = 5 * 86_400_000_000  # two days less than `storage.schema.editions.COMPRESS_AFTER`

PARTITION_LOCK = (0x63_72_79_70, 0)
"""The advisory lock under which partitions are made and dropped; see `storage.postgres.advisory_locks.SYMBOL_LOCKS`."""


class Partitions:
    """The partitions that one writing connection knows to exist, and the old days that it has said it stores into."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._late = BackfilledDays(connection)
        self._months: set[np.datetime64] = set()
        self._newest_us = (0, 0)  # the times of the last batch's newest month
        self._partitioned: bool | None = None

    def make(self, batch: TradeColumns) -> None:
        """Make those of the batch's months, outside its transaction: they stay whatever becomes of that."""
        self._late.note(batch)
        if self._partitioned is None:
            self._partitioned = not is_hypertable(self._connection)
            if not self._partitioned:
                # The batch bounds it. The server's own limit is for statements that nobody has thought about.
                self._connection.execute(
                    "SELECT set_config('timescaledb.max_tuples_decompressed_per_dml_transaction', '0', false)"
                )
        if not self._partitioned:
            return
        begin_us, end_us = self._newest_us
        if begin_us <= batch.time_us.min() and batch.time_us.max() < end_us:
            return  # as nearly every batch
        months = batch_columns.months(batch)
        for month in months:
            if month not in self._months:
                _make(self._connection, month)
                self._months.add(month)
        self._newest_us = _bounds_us(months[-1])

    def may_append(self, batch: TradeColumns) -> bool:
        """Whether none of the batch's trades can belong into a compressed chunk, which is for COPY; after `make`."""
        return bool(self._partitioned) or batch.time_us.min() > time.time_ns() // 1000 - _NEVER_COMPRESSED_US

    def forget(self) -> bool:
        """Look again what there is at the next batch; whether that can change anything."""
        known = bool(self._months)
        self._late.forget()
        self._months.clear()
        self._newest_us = (0, 0)
        self._partitioned = None
        return known


def _bounds_us(month: np.datetime64) -> tuple[int, int]:
    begin, end = (int(at.astype("datetime64[us]").astype(np.int64)) for at in (month, month + 1))
    return begin, end


def _make(connection: Connection, month: np.datetime64) -> None:
    first: date = month.astype("datetime64[D]").item()
    # A function of the tables' owner, which locks `PARTITION_LOCK`: a role that only records may not attach.
    connection.execute("SELECT make_trades_partition(%s)", (first,))
