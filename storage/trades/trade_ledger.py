"""
One batch, one transaction: every trade is stored exactly once.

Lock the symbols, read which of the batch's ids are held already and drop those, COPY the rest, extend the ranges held,
add to the rollups. Because all of it commits or none of it does, a batch may be repeated after any failure, writers may
overlap in any order, and a rollup always equals its trades. The locks are taken by rising symbol id, so writers never
wait for each other in a circle.

A trade whose id is held must be the stored one. Where it contradicts that, the stored one stands, and the other is kept
in `refused_trades`, in the same transaction. Only one whose id was taken to be absent is stored after all.

The usual small batch, whose ids go on where the stored ones end, goes the quick way of `storage.trades.fast_append`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from itertools import pairwise
from operator import itemgetter
from typing import NamedTuple

import numpy as np
import psycopg
from psycopg.types.json import Jsonb

from app.market.coverage import IdRanges
from app.market.errors import StoreSchemaMismatch
from app.market.trade import Trade
from storage.postgres import batch_columns
from storage.postgres.advisory_locks import LOCK_SYMBOLS, SYMBOL_LOCKS
from storage.postgres.batch_columns import TradeColumns
from storage.postgres.connection import Connection
from storage.postgres.sql_arrays import array, arrays
from storage.rollups.trade_times import hours_of
from storage.rollups.upsert import ADD_TO_ROLLUPS, rollup_arrays
from storage.schema import id_ranges
from storage.schema.migrate import newest_version
from storage.trades import partitions
from storage.trades.fast_append import LARGEST, append

_ROWS_PER_WRITE = 2_000

_COPY = "COPY trades (symbol_id, time, trade_id, price, quantity, is_buyer_maker) FROM STDIN (FORMAT BINARY)"

_SHRINK_COVERAGE = """
    DELETE FROM coverage c USING unnest(%s::int[], %s::bigint[]) AS gone (symbol_id, first)
    WHERE c.symbol_id = gone.symbol_id AND c.first_trade_id = gone.first
"""

_EXTEND_COVERAGE = """
    INSERT INTO coverage (symbol_id, first_trade_id, last_trade_id)
    SELECT * FROM unnest(%s::int[], %s::bigint[], %s::bigint[])
    ON CONFLICT (symbol_id, first_trade_id) DO UPDATE SET last_trade_id = excluded.last_trade_id
"""

# Which trades of the batch are not stored as they are. Looked for where the key finds them, at their own time. OFFSET 0
# has the lookup planned by itself: for an anti-join TimescaleDB plans every chunk, 75 ms for those of two years.
_UNCONFIRMED = """
    SELECT again.row
    FROM unnest(%(rows)s::int[], %(symbols)s::int[], %(ids)s::bigint[], %(times_us)s::bigint[], %(prices)s::numeric[],
        %(quantities)s::numeric[], %(makers)s::boolean[])
        AS again (row, symbol_id, trade_id, time_us, price, quantity, maker)
    LEFT JOIN LATERAL (
        SELECT true AS found FROM trades t
        WHERE t.symbol_id = again.symbol_id AND t.trade_id = again.trade_id
            AND t.time >= timestamptz 'epoch' + again.time_us * interval '1 microsecond'
            AND t.time < timestamptz 'epoch' + (again.time_us + 1000) * interval '1 microsecond'
            AND t.time >= timestamptz 'epoch' + %(from_us)s * interval '1 microsecond'
            AND t.time < timestamptz 'epoch' + %(to_us)s * interval '1 microsecond'
            AND t.price = again.price AND t.quantity = again.quantity AND t.is_buyer_maker = again.maker
        OFFSET 0
    ) AS stored ON true
    WHERE stored.found IS NULL
"""

# The stored trades of some ids, at whatever time: their candles tell where to look.
_STORED = """
    SELECT trade_id, (extract(epoch FROM time) * 1000000)::bigint, trunc(price * 100000000)::bigint,
        trunc(quantity * 100000000)::bigint, is_buyer_maker
    FROM trades
    WHERE symbol_id = %s AND trade_id = ANY(%s::bigint[])
        AND time >= timestamptz 'epoch' + %s * interval '1 microsecond'
        AND time < timestamptz 'epoch' + %s * interval '1 microsecond'
"""

_REFUSE = """
    INSERT INTO refused_trades (reason, trade, symbol, trade_id, stored) VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT DO NOTHING
"""

_CONTRADICTS = "it contradicts the stored trade of the same id"
_NEAR_IDS = 20_000  # ids this close together are looked for at once

Held = dict[int, list[tuple[int, int]]]
"""The ranges of ids held, as (first, last), rising, by symbol id."""


class BatchResult(NamedTuple):
    """
    What became of a batch: how many trades are stored that were not before, how many were refused because they
    contradict the stored one of their id, and how many are known by their ids but no longer stored, because retention
    dropped them. The rest was held already.
    """

    fresh: int
    refused: int
    gone: int = 0


class TradeLedger:
    """
    Writes batches over one connection, which is its own: one thread at a time.

    Every method may raise ``psycopg.Error``; the batch is then not stored. So it is where StoreSchemaMismatch says that
    a newer program has changed the tables.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._symbol_ids: dict[str, int] = {}
        self._names: dict[int, str] = {}
        self._partitions = partitions.Partitions(connection)
        # Where the ids end that this connection stored last: a guess, because others may store, too.
        self._ends: dict[int, int] = {}

    def store(self, trades: Sequence[Trade]) -> BatchResult:
        """
        Store the trades that are not held yet, in one transaction.

        ``trades``: at least one, of any symbols, in any order, each of them fit (see
        `storage.postgres.batch_columns.unfit`).
        """
        symbol_ids = self.symbol_ids(set(map(itemgetter(0), trades)))
        return self.store_columns(*batch_columns.columns(trades, symbol_ids))

    def symbol_ids(self, names: Iterable[str]) -> dict[str, int]:
        """Return the database's numbers of these symbols, and of those asked for before; new ones are added to it."""
        unknown = sorted(set(names) - self._symbol_ids.keys())
        if unknown:
            self.connection.execute(
                "INSERT INTO symbols (name) SELECT unnest(%s::text[]) ON CONFLICT (name) DO NOTHING", (unknown,)
            )
            known = self.connection.execute("SELECT name, id FROM symbols WHERE name = ANY(%s)", (unknown,))
            self._symbol_ids.update(known.fetchall())
            self._names = {number: name for name, number in self._symbol_ids.items()}
        return self._symbol_ids

    def store_columns(self, batch: TradeColumns, contradictions: TradeColumns | None = None) -> BatchResult:
        """
        Store the trades of ``batch`` that are not held yet, in one transaction; the quickest way for large batches.

        ``batch``: at least one, numbered by `symbol_ids`. ``contradictions``: see
        `storage.postgres.batch_columns.columns`.
        """
        self._partitions.make(batch)
        try:
            return self._store(batch, contradictions)
        except psycopg.errors.CheckViolation:
            # A partition that we made, or found, has been dropped by retention since.
            if not self._partitions.forget():
                raise
            self._partitions.make(batch)
            return self._store(batch, contradictions)

    def _store(self, batch: TradeColumns, contradictions: TradeColumns | None) -> BatchResult:
        try:
            if not contradictions and self._append(batch):
                return BatchResult(len(batch), 0, 0)
            held = self._begin(batch)
            fresh, repeated = _split(batch, held)
            absent = self._absent(repeated) if repeated else {}
            if absent:
                fresh, repeated = _split(batch, {one: _minus(held[one], absent.get(one, [])) for one in held})
            refused, gone = self._refuse(self._unconfirmed(repeated)) if repeated else (0, 0)
            if fresh:
                self._copy(fresh)
            if contradictions:
                refused += self._refuse(contradictions, batch)[0]
            # One wait for all that follows, which small batches feel.
            with self.connection.pipeline():
                if fresh:
                    self._extend_coverage(fresh, held)
                    self._correct_absent(fresh, absent)
                    self._add_to_rollups(fresh)
                self.connection.execute("COMMIT", prepare=True)
        except BaseException:
            with contextlib.suppress(psycopg.Error):
                self.connection.execute("ROLLBACK")
            raise
        return BatchResult(len(fresh), refused, gone)

    def _append(self, batch: TradeColumns) -> bool:
        """Store the batch the quick way, if it goes on where this connection's last ended; whether it is stored."""
        if len(batch) > LARGEST or not self._partitions.may_append(batch):
            return False
        runs = _runs(batch)
        if any(self._ends.get(symbol_id) != first - 1 for symbol_id, first, _ in runs):
            return False
        done = append(self.connection, batch, runs)
        if done:
            self._ends.update((symbol_id, last) for symbol_id, _, last in runs)
        return done

    def _begin(self, batch: TradeColumns) -> Held:
        """Lock the batch's symbols until the transaction ends; return their ranges that the batch may touch."""
        runs = [
            (symbol_id, first, last) for symbol_id, ids in _by_symbol(batch) for first, last in batch_columns.runs(ids)
        ]
        held: Held = {symbol_id: [] for symbol_id, _, _ in runs}
        with self.connection.pipeline():
            self.connection.execute("BEGIN", prepare=True)
            self.connection.execute(LOCK_SYMBOLS, (SYMBOL_LOCKS, array(held)), prepare=True)
            # A statement of its own: it must see what the holder of the lock before us committed.
            near = self.connection.execute(id_ranges.NEAR[id_ranges.COVERAGE], arrays(runs), prepare=True)
            # After the ranges: reading those waits for a migration that is under way.
            version = self.connection.execute("SELECT max(version) FROM schema_version", prepare=True)
        if version.fetchone() != (newest_version(),):
            raise StoreSchemaMismatch(id_ranges.NEWER_TABLES)
        for symbol_id, first, last in near.fetchall():
            held[symbol_id].append((first, last))
        return held

    def _copy(self, fresh: TradeColumns) -> None:
        with self.connection.cursor() as cursor, cursor.copy(_COPY) as copy:
            copy.write(batch_columns.COPY_HEADER)
            for start in range(0, len(fresh), _ROWS_PER_WRITE):
                copy.write(batch_columns.copy_rows(fresh.take(slice(start, start + _ROWS_PER_WRITE))))
            copy.write(batch_columns.COPY_TRAILER)

    def _extend_coverage(self, fresh: TradeColumns, held: Held) -> None:
        gone: list[tuple[int, int]] = []
        grown: list[tuple[int, int, int]] = []
        for symbol_id, ids in _by_symbol(fresh):
            before = set(held[symbol_id])
            after = set(IdRanges(sorted([*before, *batch_columns.runs(ids)])))
            firsts = {first for first, _ in after}
            gone += [(symbol_id, first) for first, _ in before if first not in firsts]
            grown += [(symbol_id, first, last) for first, last in after - before]
            self._ends[symbol_id] = max(last for _, last in after)
        if gone:
            self.connection.execute(_SHRINK_COVERAGE, arrays(gone), prepare=True)
        if grown:  # not where all of it was taken to be absent
            self.connection.execute(_EXTEND_COVERAGE, arrays(grown), prepare=True)

    def _correct_absent(self, fresh: TradeColumns, absent: Held) -> None:
        """Take the ids of these trades, which exist after all, out of the absent ones."""
        for symbol_id, ids in _by_symbol(fresh):
            if before := absent.get(symbol_id):
                id_ranges.write(
                    self.connection,
                    id_ranges.ABSENT,
                    symbol_id,
                    before,
                    IdRanges(_minus(before, batch_columns.runs(ids))),
                )

    def _add_to_rollups(self, fresh: TradeColumns) -> None:
        self.connection.execute(ADD_TO_ROLLUPS, rollup_arrays(fresh), prepare=True)

    # What is held already

    def _absent(self, repeated: TradeColumns) -> Held:
        """Return the absent ranges that the repeated ids touch."""
        absent: Held = {}
        rows = self.connection.execute(id_ranges.NEAR[id_ranges.ABSENT], arrays(_runs(repeated)), prepare=True)
        for symbol_id, first, last in rows.fetchall():
            absent.setdefault(symbol_id, []).append((first, last))
        return absent

    def _unconfirmed(self, repeated: TradeColumns) -> TradeColumns:
        """Return those of the repeated trades that are not stored as they are."""
        times_us = repeated.time_us // 1000 * 1000
        wanted = {
            "rows": array(range(len(repeated))),
            "symbols": array(repeated.symbol_id.tolist()),
            "ids": array(repeated.trade_id.tolist()),
            "times_us": array(times_us.tolist()),
            "prices": array(repeated.price.tolist(), "e-8"),
            "quantities": array(repeated.quantity.tolist(), "e-8"),
            "makers": array(repeated.maker.tolist()),
            # Said once more for the planner, which leaves out the partitions of other times by it.
            "from_us": int(times_us.min()),
            "to_us": int(times_us.max()) + 1000,
        }
        rows = self.connection.execute(_UNCONFIRMED, wanted, prepare=False).fetchall()
        return repeated.take(np.array(sorted(row for (row,) in rows), dtype=np.int64))

    def _refuse(self, suspects: TradeColumns, batch: TradeColumns | None = None) -> tuple[int, int]:
        """
        Keep those trades aside that contradict the stored one of their id; return how many those are, and how many have
        no stored one.

        ``batch``: where the id may be just being stored.
        """
        refused: list[tuple[object, ...]] = []
        gone = 0
        for near in _clusters(suspects):
            stored = self._stored(near)
            for at in range(len(near)):
                trade = self._trade(near, at)
                other = stored.get(trade.trade_id) or (batch and self._given(batch, near, at))
                if not other:
                    gone += 1
                elif not _agree(other, trade):
                    told = (Jsonb(trade._asdict()), trade.symbol, trade.trade_id, Jsonb(other._asdict()))
                    refused.append((_CONTRADICTS, *told))
        if refused:
            with self.connection.cursor() as cursor:
                cursor.executemany(_REFUSE, refused)
        return len(refused), gone

    def _stored(self, near: TradeColumns) -> dict[int, Trade]:
        """Return the stored trades of these ids, all of one symbol, at whatever time they are."""
        symbol_id, first, last = int(near.symbol_id[0]), int(near.trade_id[0]), int(near.trade_id[-1])
        hours = hours_of(self.connection, symbol_id, first, last)
        if hours is None:
            return {}
        ids = array(near.trade_id.tolist())
        rows = self.connection.execute(_STORED, (symbol_id, ids, *hours), prepare=False).fetchall()
        return {trade_id: Trade(self._names[symbol_id], trade_id, *values) for trade_id, *values in rows}

    def _given(self, batch: TradeColumns, suspects: TradeColumns, at: int) -> Trade | None:
        same = (batch.symbol_id == suspects.symbol_id[at]) & (batch.trade_id == suspects.trade_id[at])
        return self._trade(batch, int(np.flatnonzero(same)[0])) if same.any() else None

    def _trade(self, columns: TradeColumns, at: int) -> Trade:
        return Trade(
            self._names[int(columns.symbol_id[at])],
            int(columns.trade_id[at]),
            int(columns.time_us[at]),
            int(columns.price[at]),
            int(columns.quantity[at]),
            bool(columns.maker[at]),
        )


def _agree(stored: Trade, trade: Trade) -> bool:
    return stored._replace(time_us=stored.time_us // 1000) == trade._replace(time_us=trade.time_us // 1000)


def _split(batch: TradeColumns, held: Held) -> tuple[TradeColumns, TradeColumns]:
    """Return the batch's trades whose ids are not held, and those whose are."""
    none = slice(0, 0)
    if not any(
        first <= ids[-1] and last >= ids[0] for symbol_id, ids in _by_symbol(batch) for first, last in held[symbol_id]
    ):
        return batch, batch.take(none)  # the ranges only touch it, as nearly always
    known = [batch_columns.held_already(ids, held[symbol_id]) for symbol_id, ids in _by_symbol(batch)]
    repeated = np.concatenate(known)
    return (batch.take(~repeated), batch.take(repeated)) if repeated.any() else (batch, batch.take(none))


def _minus(some: Iterable[tuple[int, int]], others: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the ids of some disjoint, rising ranges that are not among others."""
    return list(IdRanges(some) - IdRanges(others))


def _clusters(suspects: TradeColumns) -> list[TradeColumns]:
    """Return the trades in groups of one symbol whose ids, rising, lie near each other."""
    if not suspects:
        return []
    far = (np.diff(suspects.symbol_id) != 0) | (np.diff(suspects.trade_id) > _NEAR_IDS)
    starts = [0, *(np.flatnonzero(far) + 1).tolist(), len(suspects)]
    return [suspects.take(slice(start, end)) for start, end in pairwise(starts)]


def _runs(batch: TradeColumns) -> list[tuple[int, int, int]]:
    """Return the batch's runs of consecutive ids as (symbol id, first, last), rising."""
    return [(symbol_id, first, last) for symbol_id, ids in _by_symbol(batch) for first, last in batch_columns.runs(ids)]


def _by_symbol(batch: TradeColumns) -> list[tuple[int, batch_columns.Ints]]:
    """Return the ids of each symbol, rising, by rising symbol id."""
    starts = [0, *(np.flatnonzero(np.diff(batch.symbol_id)) + 1).tolist(), len(batch)]
    return [(int(batch.symbol_id[start]), batch.trade_id[start:end]) for start, end in pairwise(starts)]
