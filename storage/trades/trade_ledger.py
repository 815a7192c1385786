"""
One batch, one transaction: every trade is stored exactly once.

Lock the symbols, read which of the batch's ids are held already and drop those, COPY the rest, extend the coverage, add
to the rollups. Because all of it commits or none of it does, a batch may be repeated after any failure, writers may
overlap in any order, and a rollup always equals its trades.

A trade whose id is held must be the stored one. If it contradicts the stored one, that one stands, and the other goes
into `refused_trades` in the same transaction. An id that was recorded as absent is the exception: its trade is stored
after all.

The usual small batch, whose ids go on where the stored ones end, takes the single statement of
`storage.trades.fast_append` instead.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter

import numpy as np
import psycopg

from app.market.coverage import IdRanges
from app.market.errors import StoreSchemaMismatch
from app.market.trade import Trade
from storage.postgres import batch_columns
from storage.postgres.advisory_locks import LOCK_SYMBOLS, SYMBOL_LOCKS
from storage.postgres.batch_columns import TradeColumns
from storage.postgres.connection import Connection
from storage.postgres.sql_arrays import array_literal, column_literals
from storage.postgres.symbol_ids import SymbolNumbers
from storage.rollups.trade_times import hours_of
from storage.rollups.upsert import ADD_TO_ROLLUPS, rollup_arrays
from storage.schema import id_ranges
from storage.schema.migrate import newest_version
from storage.trades.encoded_batch import COPY, EncodedBatch, copy_pieces
from storage.trades.fast_append import LARGEST_APPEND, append
from storage.trades.refused_trades import save_contradictions, save_refused
from storage.trades.repeated_trades import clusters, unconfirmed
from storage.writing.batch_writer import BatchResult
from storage.writing.partitions import Partitions
from storage.writing.stored_table import TRADES

_SHRINK_COVERAGE = """
    DELETE FROM coverage c USING unnest(%s::int[], %s::bigint[]) AS gone (symbol_id, first)
    WHERE c.symbol_id = gone.symbol_id AND c.first_trade_id = gone.first
"""

_EXTEND_COVERAGE = """
    INSERT INTO coverage (symbol_id, first_trade_id, last_trade_id)
    SELECT * FROM unnest(%s::int[], %s::bigint[], %s::bigint[])
    ON CONFLICT (symbol_id, first_trade_id) DO UPDATE SET last_trade_id = excluded.last_trade_id
"""

# TimescaleDB looks up the table of a COPY before it waits for the table's lock. If a conversion ends during that wait,
# it takes the new hypertable for a plain table, and from 2.23 on stores the rows where no query finds them.
_LOCK_TRADES = "LOCK TABLE ONLY trades IN ROW EXCLUSIVE MODE"

# The stored trades of some ids, within the hours that the rollups give for them.
_STORED = """
    SELECT trade_id, (extract(epoch FROM time) * 1000000)::bigint, trunc(price * 100000000)::bigint,
        trunc(quantity * 100000000)::bigint, is_buyer_maker
    FROM trades
    WHERE symbol_id = %s AND trade_id = ANY(%s::bigint[])
        AND time >= timestamptz 'epoch' + %s * interval '1 microsecond'
        AND time < timestamptz 'epoch' + %s * interval '1 microsecond'
"""

_STORED_IDS = """
    SELECT trade_id FROM trades
    WHERE symbol_id = %s AND trade_id BETWEEN %s AND %s
        AND time >= timestamptz 'epoch' + %s * interval '1 microsecond'
        AND time < timestamptz 'epoch' + %s * interval '1 microsecond'
"""

RangesBySymbol = dict[int, list[tuple[int, int]]]
"""Disjoint ranges of trade ids as (first, last), both inclusive, rising; by symbol id."""


class TradeLedger:
    """
    Writes batches over one connection of its own; one thread at a time.

    Every method may raise ``psycopg.Error``, and StoreSchemaMismatch if a newer program has changed the tables. Nothing
    of the batch is stored then. ``keep_contradictions`` is called with those of a batch in its transaction.
    """

    def __init__(
        self,
        connection: Connection,
        keep_contradictions: Callable[[Connection, Sequence[tuple[Trade, Trade]]], None] = save_contradictions,
    ) -> None:
        self.connection = connection
        self._keep_contradictions = keep_contradictions
        self._symbols = SymbolNumbers(connection)
        self._partitions = Partitions(connection, TRADES)
        # The last id that this connection stored of each symbol. Only a guess, because other programs store trades too:
        # the statement of `append` checks it.
        self._last_ids: dict[int, int] = {}

    def store(self, trades: Sequence[Trade]) -> BatchResult:
        """
        Store the trades that are not held yet, in one transaction.

        ``trades``: at least one, of any symbols, in any order, each without a
        `storage.trades.refused_trades.refusal_reason`.
        """
        symbol_ids = self.symbol_ids(set(map(itemgetter(0), trades)))
        return self.store_columns(*batch_columns.trade_columns(trades, symbol_ids))

    def set_aside(self, refused: Sequence[tuple[Trade, str]]) -> None:
        """See `storage.writing.batch_writer.Ledger`."""
        save_refused(self.connection, refused)

    def symbol_ids(self, names: Iterable[str]) -> dict[str, int]:
        """See `storage.postgres.symbol_ids.SymbolNumbers.ids`."""
        return self._symbols.ids(names)

    def store_columns(
        self,
        batch: TradeColumns,
        contradictions: TradeColumns | None = None,
        encoding: EncodedBatch | None = None,
    ) -> BatchResult:
        """
        Store the trades of ``batch`` that are not held yet, in one transaction; the quickest way for large batches.

        ``batch``: at least one trade, numbered by `symbol_ids`. ``contradictions``: see
        `storage.postgres.batch_columns.trade_columns`. ``encoding``: the batch, where it was encoded beforehand.
        """
        return self._partitions.store(batch.time_us, lambda: self._store(batch, contradictions, encoding))

    def restore_columns(self, batch: TradeColumns) -> int:
        """
        Store those trades of ``batch`` again that retention dropped, in one transaction; return how many.

        Neither coverage nor rollups change: both still count them. ``batch``: as for `store_columns`.
        """
        return self._partitions.store(batch.time_us, lambda: self._restore(batch))

    def _restore(self, batch: TradeColumns) -> int:
        try:
            _, repeated = _split(batch, self._begin(batch))
            stored = set[tuple[int, int]]()
            for symbol_id, ids in repeated.ids_by_symbol():
                first, last = int(ids.min()), int(ids.max())
                hours = hours_of(self.connection, symbol_id, first, last)
                if hours is not None:
                    rows = self.connection.execute(_STORED_IDS, (symbol_id, first, last, *hours), prepare=False)
                    stored |= {(symbol_id, trade_id) for (trade_id,) in rows}
            keys = zip(repeated.symbol_id.tolist(), repeated.trade_id.tolist(), strict=True)
            gone = repeated.take(np.array([key not in stored for key in keys], dtype=np.bool_))
            if gone:
                self._copy(copy_pieces(gone))
            self.connection.execute("COMMIT", prepare=True)
        except BaseException:
            with contextlib.suppress(psycopg.Error):
                self.connection.execute("ROLLBACK")
            raise
        self._partitions.note_stored(gone.time_us)
        return len(gone)

    def _store(
        self, batch: TradeColumns, contradictions: TradeColumns | None, encoding: EncodedBatch | None
    ) -> BatchResult:
        try:
            if not contradictions and self._append(batch):
                return BatchResult(len(batch), 0)
            held = self._begin(batch)
            fresh, repeated = _split(batch, held)
            absent = self._absent(repeated) if repeated else {}
            if absent:
                fresh, repeated = _split(batch, {one: _without(held[one], absent.get(one, [])) for one in held})
            refused, dropped = self._refuse(unconfirmed(self.connection, repeated)) if repeated else (0, 0)
            encoding = encoding if fresh is batch else None
            if fresh:
                self._copy(encoding.rows if encoding else copy_pieces(fresh))
            if contradictions:
                refused += self._refuse(contradictions, batch)[0]
            # A pipeline, so that all of this costs one round trip: with small batches the waiting is most of the cost.
            with self.connection.pipeline():
                if fresh:
                    self._extend_coverage(fresh, held)
                    self._correct_absent(fresh, absent)
                    added = encoding.rollups if encoding else rollup_arrays(fresh)
                    self.connection.execute(ADD_TO_ROLLUPS, added, prepare=True)
                self.connection.execute("COMMIT", prepare=True)
        except BaseException:
            with contextlib.suppress(psycopg.Error):
                self.connection.execute("ROLLBACK")
            raise
        self._partitions.note_stored(fresh.time_us)
        return BatchResult(len(fresh), refused, dropped)

    def _append(self, batch: TradeColumns) -> bool:
        """Store the batch by `append` if that may work: if it goes on where this connection's last one ended."""
        if len(batch) > LARGEST_APPEND or not self._partitions.may_append(batch.time_us):
            return False
        runs = batch.id_runs()
        if any(self._last_ids.get(symbol_id) != first - 1 for symbol_id, first, _ in runs):
            return False
        is_stored = append(self.connection, batch, runs)
        if is_stored:
            self._last_ids.update((symbol_id, last) for symbol_id, _, last in runs)
        return is_stored

    def _begin(self, batch: TradeColumns) -> RangesBySymbol:
        """Begin a transaction and lock the batch's symbols; return the coverage that the batch overlaps or touches."""
        runs = batch.id_runs()
        held: RangesBySymbol = {symbol_id: [] for symbol_id, _, _ in runs}
        with self.connection.pipeline():
            self.connection.execute("BEGIN", prepare=True)
            self.connection.execute(LOCK_SYMBOLS, (SYMBOL_LOCKS, array_literal(held)), prepare=True)
            # A statement of its own, so that its snapshot is taken after the wait for the locks: it must see what their
            # last holder committed.
            touching = self.connection.execute(
                id_ranges.TOUCHING[id_ranges.COVERAGE], column_literals(runs), prepare=True
            )
            # After the coverage, which a migration under way locks: only then is the version the one we write to.
            version = self.connection.execute("SELECT max(version) FROM schema_version", prepare=True)
            self.connection.execute(_LOCK_TRADES, prepare=True)
        if version.fetchone() != (newest_version(),):
            raise StoreSchemaMismatch(id_ranges.NEWER_TABLES)
        for symbol_id, first, last in touching.fetchall():
            held[symbol_id].append((first, last))
        return held

    def _copy(self, pieces: Iterable[bytes]) -> None:
        with self.connection.cursor() as cursor, cursor.copy(COPY) as copy:
            copy.write(batch_columns.COPY_HEADER)
            for piece in pieces:
                copy.write(piece)
            copy.write(batch_columns.COPY_TRAILER)

    def _extend_coverage(self, fresh: TradeColumns, held: RangesBySymbol) -> None:
        """Join the ids of these trades with the ranges that they touch."""
        vanished: list[tuple[int, int]] = []  # ranges that became part of an earlier one, as (symbol id, first id)
        changed: list[tuple[int, int, int]] = []
        for symbol_id, ids in fresh.ids_by_symbol():
            before = set(held[symbol_id])
            after = set(IdRanges(sorted([*before, *batch_columns.id_runs(ids)])))
            firsts = {first for first, _ in after}
            vanished += [(symbol_id, first) for first, _ in before if first not in firsts]
            changed += [(symbol_id, first, last) for first, last in after - before]
            self._last_ids[symbol_id] = max(last for _, last in after)
        if vanished:
            self.connection.execute(_SHRINK_COVERAGE, column_literals(vanished), prepare=True)
        if changed:  # nothing changes if all ids were recorded as absent: those are covered already
            self.connection.execute(_EXTEND_COVERAGE, column_literals(changed), prepare=True)

    def _correct_absent(self, fresh: TradeColumns, absent: RangesBySymbol) -> None:
        """Take the ids of these trades, which do exist, out of the absent ones."""
        for symbol_id, ids in fresh.ids_by_symbol():
            if before := absent.get(symbol_id):
                after = IdRanges(_without(before, batch_columns.id_runs(ids)))
                id_ranges.write(self.connection, id_ranges.ABSENT, symbol_id, before, after)

    # Trades whose ids are held

    def _absent(self, repeated: TradeColumns) -> RangesBySymbol:
        """Return the absent ranges that the repeated ids overlap or touch."""
        absent: RangesBySymbol = {}
        runs = column_literals(repeated.id_runs())
        rows = self.connection.execute(id_ranges.TOUCHING[id_ranges.ABSENT], runs, prepare=True)
        for symbol_id, first, last in rows.fetchall():
            absent.setdefault(symbol_id, []).append((first, last))
        return absent

    def _refuse(self, suspects: TradeColumns, batch: TradeColumns | None = None) -> tuple[int, int]:
        """
        Record the suspects that contradict the stored trade of their id; return how many those are, and how many have
        no stored trade.

        ``batch``: trades that are being stored in this transaction, among which the id may be.
        """
        contradictions: list[tuple[Trade, Trade]] = []
        dropped = 0
        for rows in clusters(suspects):
            group = suspects.take(rows)
            stored_trades = self._stored(group)
            for row in range(len(group)):
                trade = self._trade(group, row)
                stored = stored_trades.get(trade.trade_id) or (batch and self._find(batch, group, row))
                if not stored:
                    dropped += 1
                elif not _is_same(stored, trade):
                    contradictions.append((trade, stored))
        if contradictions:
            self._keep_contradictions(self.connection, contradictions)
        return len(contradictions), dropped

    def _stored(self, group: TradeColumns) -> dict[int, Trade]:
        """Return the stored trades of these ids, all of one symbol, whatever their times are."""
        symbol_id, first, last = int(group.symbol_id[0]), int(group.trade_id[0]), int(group.trade_id[-1])
        hours = hours_of(self.connection, symbol_id, first, last)
        if hours is None:
            return {}
        ids = array_literal(group.trade_id.tolist())
        rows = self.connection.execute(_STORED, (symbol_id, ids, *hours), prepare=False).fetchall()
        name = self._symbols.name_of(symbol_id)
        return {trade_id: Trade(name, trade_id, *values) for trade_id, *values in rows}

    def _find(self, batch: TradeColumns, suspects: TradeColumns, row: int) -> Trade | None:
        """Return the trade of the batch that has the suspect's id, or None."""
        same = (batch.symbol_id == suspects.symbol_id[row]) & (batch.trade_id == suspects.trade_id[row])
        return self._trade(batch, int(np.flatnonzero(same)[0])) if same.any() else None

    def _trade(self, columns: TradeColumns, row: int) -> Trade:
        return Trade(
            self._symbols.name_of(int(columns.symbol_id[row])),
            int(columns.trade_id[row]),
            int(columns.time_us[row]),
            int(columns.price[row]),
            int(columns.quantity[row]),
            bool(columns.maker[row]),
        )


def _is_same(stored: Trade, trade: Trade) -> bool:
    """Whether two trades of one id are the same; see `storage.postgres.batch_columns.same_trade`."""
    return stored._replace(time_us=stored.time_us // 1000) == trade._replace(time_us=trade.time_us // 1000)


def _split(batch: TradeColumns, held: RangesBySymbol) -> tuple[TradeColumns, TradeColumns]:
    """Return the batch's trades whose ids are not held, and its trades whose ids are."""
    none = slice(0, 0)
    by_symbol = batch.ids_by_symbol()
    if not any(first <= ids[-1] and last >= ids[0] for symbol_id, ids in by_symbol for first, last in held[symbol_id]):
        return batch, batch.take(none)  # nearly always: the ranges touch the batch and do not overlap it
    is_held = np.concatenate([batch_columns.ids_within(ids, held[symbol_id]) for symbol_id, ids in by_symbol])
    return (batch.take(~is_held), batch.take(is_held)) if is_held.any() else (batch, batch.take(none))


def _without(some: Iterable[tuple[int, int]], others: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the ids of some disjoint, rising ranges that are not in the others, as such ranges."""
    return list(IdRanges(some) - IdRanges(others))
