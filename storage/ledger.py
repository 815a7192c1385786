"""
One batch, one transaction: every trade is stored exactly once.

Lock the symbols, read which of the batch's ids are held already and drop those, COPY the rest, extend the ranges held,
add to the rollups. Because all of it commits or none of it does, a batch may be repeated after any failure, writers may
overlap in any order, and a rollup always equals its trades. The locks are taken by rising symbol id, so writers never
wait for each other in a circle.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import pairwise

import numpy as np
from psycopg import sql

from app.market.coverage import IdRanges
from app.market.trade import Trade
from storage import packing
from storage.connection import Connection
from storage.packing import Columns, RollupRow

_SYMBOL_LOCKS = 0x63_72_79_70  # the first half of our advisory lock numbers; the symbol's id is the other
_ROWS_PER_WRITE = 2_000

_COPY = "COPY trades (symbol_id, time, trade_id, price, quantity, is_buyer_maker) FROM STDIN (FORMAT BINARY)"

_LOCK = "SELECT pg_advisory_xact_lock(%s, id) FROM (SELECT id FROM unnest(%s::int[]) AS id ORDER BY id) AS symbol"

_READ_COVERAGE = """
    SELECT c.symbol_id, c.first_trade_id, c.last_trade_id
    FROM coverage c
    JOIN unnest(%s::int[], %s::bigint[], %s::bigint[]) AS batch (symbol_id, low, high) USING (symbol_id)
    WHERE c.first_trade_id <= batch.high + 1 AND c.last_trade_id >= batch.low - 1
    ORDER BY 1, 2
"""

_SHRINK_COVERAGE = """
    DELETE FROM coverage c USING unnest(%s::int[], %s::bigint[]) AS gone (symbol_id, first)
    WHERE c.symbol_id = gone.symbol_id AND c.first_trade_id = gone.first
"""

_EXTEND_COVERAGE = """
    INSERT INTO coverage (symbol_id, first_trade_id, last_trade_id)
    SELECT * FROM unnest(%s::int[], %s::bigint[], %s::bigint[])
    ON CONFLICT (symbol_id, first_trade_id) DO UPDATE SET last_trade_id = excluded.last_trade_id
"""

_ADD_TO_ROLLUP = """
    INSERT INTO {table} AS held (symbol_id, open_time, open, high, low, close, volume, quote_volume, trades,
        taker_buy_volume, taker_buy_quote_volume, first_trade_id, last_trade_id)
    SELECT symbol_id, timestamptz 'epoch' + open_us * interval '1 microsecond', open, high, low, close, volume,
        quote_volume, trades, taker_volume, taker_quote_volume, first_id, last_id
    FROM unnest(%s::int[], %s::bigint[], %s::numeric[], %s::numeric[], %s::numeric[], %s::numeric[], %s::numeric[],
        %s::numeric[], %s::bigint[], %s::numeric[], %s::numeric[], %s::bigint[], %s::bigint[]) AS batch (symbol_id,
        open_us, open, high, low, close, volume, quote_volume, trades, taker_volume, taker_quote_volume, first_id,
        last_id)
    ON CONFLICT (symbol_id, open_time) DO UPDATE SET
        open = CASE WHEN excluded.first_trade_id < held.first_trade_id THEN excluded.open ELSE held.open END,
        high = greatest(held.high, excluded.high),
        low = least(held.low, excluded.low),
        close = CASE WHEN excluded.last_trade_id > held.last_trade_id THEN excluded.close ELSE held.close END,
        volume = held.volume + excluded.volume,
        quote_volume = held.quote_volume + excluded.quote_volume,
        trades = held.trades + excluded.trades,
        taker_buy_volume = held.taker_buy_volume + excluded.taker_buy_volume,
        taker_buy_quote_volume = held.taker_buy_quote_volume + excluded.taker_buy_quote_volume,
        first_trade_id = least(held.first_trade_id, excluded.first_trade_id),
        last_trade_id = greatest(held.last_trade_id, excluded.last_trade_id)
"""


class Ledger:
    """
    Writes batches over one connection, which is its own: one thread at a time.

    Every method may raise ``psycopg.Error``; the batch is then not stored.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._symbol_ids: dict[str, int] = {}
        self._months: set[np.datetime64] = set()
        self._partitioned: bool | None = None

    def store(self, trades: Sequence[Trade]) -> int:
        """
        Store the trades that are not held yet, in one transaction; return how many those were.

        ``trades``: at least one, of any symbols, in any order, each of them fit (see `storage.packing.unfit`).
        """
        self._learn_symbols({trade.symbol for trade in trades})
        batch = packing.columns(trades, self._symbol_ids)
        self._make_partitions(batch)
        with self.connection.transaction():
            held = self._lock_and_read(batch)
            fresh = _not_held(batch, held)
            if len(fresh):
                self._copy(fresh)
                with self.connection.pipeline():  # one wait for all, which small batches feel
                    self._extend_coverage(fresh, held)
                    self._add_to_rollup("rollup_1m", packing.rollup(fresh, packing.MINUTE_US))
                    self._add_to_rollup("rollup_1h", packing.rollup(fresh, packing.HOUR_US))
        return len(fresh)

    def _learn_symbols(self, names: set[str]) -> None:
        unknown = sorted(names - self._symbol_ids.keys())
        if unknown:
            self.connection.execute(
                "INSERT INTO symbols (name) SELECT unnest(%s::text[]) ON CONFLICT (name) DO NOTHING", (unknown,)
            )
            known = self.connection.execute("SELECT name, id FROM symbols WHERE name = ANY(%s)", (unknown,))
            self._symbol_ids.update(known.fetchall())

    def _make_partitions(self, batch: Columns) -> None:
        """Make the partitions of the batch's months, before its transaction: they stay whatever becomes of that."""
        if self._partitioned is None:
            row = self.connection.execute(
                "SELECT relkind = 'p' FROM pg_class WHERE oid = 'trades'::regclass"
            ).fetchone()
            self._partitioned = row is not None and bool(row[0])
        if not self._partitioned:
            return
        for month in packing.months(batch):
            if month not in self._months:
                _make_partition(self.connection, month)
                self._months.add(month)

    def _lock_and_read(self, batch: Columns) -> dict[int, list[tuple[int, int]]]:
        """Lock the batch's symbols until the transaction ends; return their ranges that the batch may touch."""
        starts = _symbol_starts(batch)
        symbol_ids = batch.symbol_id[starts].tolist()
        lows = batch.trade_id[starts].tolist()
        highs = batch.trade_id[[*(starts[1:] - 1), len(batch) - 1]].tolist()
        with self.connection.pipeline():
            self.connection.execute(_LOCK, (_SYMBOL_LOCKS, symbol_ids))
            # A statement of its own: it must see what the holder of the lock before us committed.
            rows = self.connection.execute(_READ_COVERAGE, (symbol_ids, lows, highs)).fetchall()
        held: dict[int, list[tuple[int, int]]] = {symbol_id: [] for symbol_id in symbol_ids}
        for symbol_id, first, last in rows:
            held[symbol_id].append((first, last))
        return held

    def _copy(self, fresh: Columns) -> None:
        with self.connection.cursor() as cursor, cursor.copy(_COPY) as copy:
            copy.write(packing.COPY_HEADER)
            for start in range(0, len(fresh), _ROWS_PER_WRITE):
                copy.write(packing.copy_rows(fresh.take(slice(start, start + _ROWS_PER_WRITE))))
            copy.write(packing.COPY_TRAILER)

    def _extend_coverage(self, fresh: Columns, held: dict[int, list[tuple[int, int]]]) -> None:
        gone: list[tuple[int, int]] = []
        grown: list[tuple[int, int, int]] = []
        bounds = [*_symbol_starts(fresh).tolist(), len(fresh)]
        for start, end in pairwise(bounds):
            symbol_id = int(fresh.symbol_id[start])
            before = held[symbol_id]
            after = IdRanges([*before, *packing.runs(fresh.trade_id[start:end])])
            firsts = {first for first, _ in after}
            gone += [(symbol_id, first) for first, _ in before if first not in firsts]
            grown += [(symbol_id, first, last) for first, last in after if (first, last) not in before]
        if gone:
            self.connection.execute(_SHRINK_COVERAGE, _transposed(gone))
        self.connection.execute(_EXTEND_COVERAGE, _transposed(grown))

    def _add_to_rollup(self, table: str, rows: list[RollupRow]) -> None:
        statement = sql.SQL(_ADD_TO_ROLLUP).format(table=sql.Identifier(table))
        self.connection.execute(statement, _transposed(rows))


def _not_held(batch: Columns, held: dict[int, list[tuple[int, int]]]) -> Columns:
    if not any(held.values()):
        return batch
    bounds = [*_symbol_starts(batch).tolist(), len(batch)]
    known = [
        packing.held_already(batch.trade_id[start:end], held[int(batch.symbol_id[start])])
        for start, end in pairwise(bounds)
    ]
    repeated = np.concatenate(known)
    return batch.take(~repeated) if repeated.any() else batch


def _symbol_starts(batch: Columns) -> packing.Ints:
    return np.concatenate(([0], np.flatnonzero(np.diff(batch.symbol_id)) + 1))


def _transposed(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _make_partition(connection: Connection, month: np.datetime64) -> None:
    first: date = month.astype("datetime64[D]").item()
    after: date = (month + 1).astype("datetime64[D]").item()
    name = sql.Identifier(f"trades_{first:%Y_%m}")
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s, 0)", (_SYMBOL_LOCKS,))
        if connection.execute("SELECT to_regclass(%s)", (name.as_string(connection),)).fetchone() != (None,):
            return
        connection.execute(sql.SQL("CREATE TABLE {} (LIKE trades INCLUDING ALL)").format(name))
        # Attached rather than made as a partition: that locks out neither readers nor writers of the other months.
        connection.execute(
            sql.SQL("ALTER TABLE trades ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})").format(
                name, sql.Literal(f"{first} 00:00:00+00"), sql.Literal(f"{after} 00:00:00+00")
            )
        )
