"""
The monthly partitions of `trades` on plain PostgreSQL, made when a month's first trade comes.

TimescaleDB makes its chunks itself; there this module has it take late trades into compressed ones, however many rows
that opens.
"""

from __future__ import annotations

import time
from datetime import date

import numpy as np

from storage import packing
from storage.connection import Connection
from storage.editions import is_hypertable
from storage.late import LateDays
from storage.packing import Columns

_NEVER_COMPRESSED_US = 5 * 86_400_000_000  # two days less than `storage.editions.COMPRESS_AFTER`

PARTITION_LOCK = (0x63_72_79_70, 0)
"""The advisory lock under which partitions are made and dropped; see `storage.locks.SYMBOL_LOCKS`."""


class Partitions:
    """The partitions that one writing connection knows to exist, and the old days that it has said it stores into."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._late = LateDays(connection)
        self._months: set[np.datetime64] = set()
        self._newest_us = (0, 0)  # the times of the last batch's newest month
        self._partitioned: bool | None = None

    def make(self, batch: Columns) -> None:
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
        months = packing.months(batch)
        for month in months:
            if month not in self._months:
                _make(self._connection, month)
                self._months.add(month)
        self._newest_us = _bounds_us(months[-1])

    def may_append(self, batch: Columns) -> bool:
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
