"""
The monthly partitions of `trades` on plain PostgreSQL, made when a month's first trade comes.

TimescaleDB makes its chunks itself; there this module has it take late trades into compressed ones, however many rows
that opens.
"""

from __future__ import annotations

from datetime import date

import numpy as np

from storage import packing
from storage.connection import Connection
from storage.editions import is_hypertable
from storage.late import LateDays
from storage.packing import Columns

PARTITION_LOCK = (0x63_72_79_70, 0)
"""The advisory lock under which partitions are made and dropped; see `storage.ledger.SYMBOL_LOCKS`."""


class Partitions:
    """The partitions that one writing connection knows to exist, and the old days that it has said it stores into."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._late = LateDays(connection)
        self._months: set[np.datetime64] = set()
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
        for month in packing.months(batch):
            if month not in self._months:
                _make(self._connection, month)
                self._months.add(month)

    def forget(self) -> bool:
        """Look again what there is at the next batch; whether that can change anything."""
        known = bool(self._months)
        self._months.clear()
        self._partitioned = None
        return known


def _make(connection: Connection, month: np.datetime64) -> None:
    first: date = month.astype("datetime64[D]").item()
    # A function of the tables' owner, which locks `PARTITION_LOCK`: a role that only records may not attach.
    connection.execute("SELECT make_trades_partition(%s)", (first,))
