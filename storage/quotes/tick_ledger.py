"""
One batch, one transaction: every tick is stored exactly once.

Lock the symbols, find out which of the batch's ticks are held already (`storage.quotes.held_ticks`), COPY the others,
add them to the rollups, and remember the times that were fetched whole. Because all of it commits or none of it does, a
batch may be repeated after any failure, writers may overlap in any order, and a rollup always equals its ticks.

A tick is identified by symbol, time and place. One whose identity is held must be the stored one; if it contradicts the
stored one, that one stands, and the other goes into `refused_quotes` in the same transaction, unless its file keeps it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter

import numpy as np
import psycopg

from app.market.errors import StoreSchemaMismatch
from app.market.quotes.tick import Tick
from storage.postgres.advisory_locks import LOCK_SYMBOLS, SYMBOL_LOCKS
from storage.postgres.batch_columns import COPY_HEADER, COPY_TRAILER
from storage.postgres.connection import Connection
from storage.postgres.sql_arrays import array_literal
from storage.postgres.symbol_ids import SymbolNumbers
from storage.quotes import fetched_ranges, held_ticks
from storage.quotes.fast_append import LARGEST_APPEND, LOCK_TABLES, append
from storage.quotes.held_ticks import TouchedCandles
from storage.quotes.refused_ticks import save_contradictions, save_refused
from storage.quotes.tick_columns import COPY, TickColumns, copy_pieces, one_tick, same_identity, tick_columns
from storage.quotes.tick_rollups import (
    ADD_TO_ROLLUPS,
    COPY_FINEST,
    TickCandleColumns,
    all_levels,
    copy_candles,
    finest_candles,
    rollup_arrays,
)
from storage.schema.id_ranges import NEWER_TABLES
from storage.schema.migrate import newest_version
from storage.writing.batch_writer import BatchResult
from storage.writing.partitions import Partitions
from storage.writing.stored_table import QUOTES

_LARGEST_PART = 50_000  # ticks of a batch that are held in memory in several forms at a time
_FEWEST_COPIED = 200  # candles; a COPY takes two more round trips

# As for trades: TimescaleDB looks a COPY's table up before it waits for the table's lock.
_LOCK_QUOTES = "LOCK TABLE ONLY quotes IN ROW EXCLUSIVE MODE"

Fetched = tuple[str, int, int]
"""A symbol and a span ``[start, end)`` of UTC microseconds."""


class TickLedger:
    """
    Writes batches over one connection of its own; one thread at a time.

    Every method may raise ``psycopg.Error``, and StoreSchemaMismatch if a newer program has changed the tables. Nothing
    of the batch is stored then.
    """

    def __init__(
        self,
        connection: Connection,
        note_contradictions: Callable[[Connection, Sequence[tuple[Tick, Tick]]], None] = save_contradictions,
    ) -> None:
        """``note_contradictions`` gets the ticks that contradict stored ones, each with that, in the transaction."""
        self.connection = connection
        self._note_contradictions = note_contradictions
        self._symbols = SymbolNumbers(connection)
        self._partitions = Partitions(connection, QUOTES)
        # The last tick that this connection stored of each symbol, as (time, place). Only a guess, because other
        # programs store ticks too: the statement of `append` checks it.
        self._last: dict[int, tuple[int, int]] = {}

    def store(self, rows: Sequence[Tick], fetched: Fetched | None = None) -> BatchResult:
        """
        Store the ticks that are not held yet, in one transaction.

        ``rows``: ticks of any symbols, in any order, each without a `storage.quotes.refused_ticks.refusal_reason`.
        ``fetched``: times of which the source has these ticks and no others; remembered in the same transaction.
        """
        names = set(map(itemgetter(0), rows)) | ({fetched[0]} if fetched else set())
        if not names:
            return BatchResult(0, 0)
        symbol_ids = self.symbol_ids(names)
        return self.store_columns(*tick_columns(rows, symbol_ids), fetched=fetched)

    def set_aside(self, refused: Sequence[tuple[Tick, str]]) -> None:
        """See `storage.writing.batch_writer.Ledger`."""
        save_refused(self.connection, refused)

    def symbol_ids(self, names: Iterable[str]) -> dict[str, int]:
        """See `storage.postgres.symbol_ids.SymbolNumbers.ids`."""
        return self._symbols.ids(names)

    def store_columns(
        self,
        batch: TickColumns,
        contradictions: TickColumns | None = None,
        *,
        fetched: Fetched | None = None,
        restores: bool = False,
    ) -> BatchResult:
        """
        Store the ticks of ``batch`` that are not held yet, in one transaction; the quickest way for large batches.

        ``batch``: numbered by `symbol_ids`, sorted, each once; with its ``contradictions`` as
        `storage.quotes.tick_columns.tick_columns` returns them. ``restores``: store those again that retention dropped,
        and count them as fresh; the candles count them already. The batch then has all ticks of each of its times.
        """
        return self._partitions.store(batch.time_us, lambda: self._store(batch, contradictions, fetched, restores))

    def _store(
        self, batch: TickColumns, contradictions: TickColumns | None, fetched: Fetched | None, restores: bool
    ) -> BatchResult:
        stored: list[TickColumns] = []
        refused = dropped = 0
        try:
            if not contradictions and not fetched and self._append(batch):
                return BatchResult(len(batch), 0)
            self._begin({*np.unique(batch.symbol_id).tolist(), *self._fetched_ids(fetched)})
            if restores and len(batch):
                batch = held_ticks.at_counted_places(batch, self._touched(batch))
            for start in range(0, len(batch), _LARGEST_PART):
                part = batch.take(slice(start, start + _LARGEST_PART))
                touched = self._touched(part)
                part = self._settled(part, touched)
                is_new, differing, is_gone = held_ticks.split(self.connection, part, touched)
                fresh = part if is_new.all() else part.take(is_new)
                if len(fresh):
                    self._copy(fresh, touched)
                    stored.append(fresh)
                self._refuse([(part, row, kept, at) for row, kept, at in differing])
                refused += len(differing)
                if restores and is_gone.any():
                    stored.append(part.take(is_gone))
                    self._copy_ticks(stored[-1])
                else:
                    dropped += int(is_gone.sum())
            if contradictions:
                refused += self._refuse_within(contradictions, batch)
            if fetched:
                symbol, *span = fetched
                fetched_ranges.add(self.connection, self.symbol_ids([symbol])[symbol], *span)
            self.connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(psycopg.Error):
                self.connection.execute("ROLLBACK")
            raise
        for fresh in stored:
            self._partitions.note_stored(fresh.time_us)
        self._note_last(batch)
        return BatchResult(sum(map(len, stored)), refused, dropped)

    def _append(self, batch: TickColumns) -> bool:
        """Store the batch by `append` if that may work: if it goes on after this connection's last one."""
        if not 0 < len(batch) <= LARGEST_APPEND or not self._partitions.may_append(batch.time_us):
            return False
        for symbol_id, rows in batch.symbol_parts():
            last = self._last.get(symbol_id)
            if last is None or (int(batch.time_us[rows.start]), int(batch.place[rows.start])) <= last:
                return False
        is_stored = append(self.connection, batch)
        if is_stored:
            self._note_last(batch)
        return is_stored

    def _note_last(self, batch: TickColumns) -> None:
        for symbol_id, rows in batch.symbol_parts():
            last = int(batch.time_us[rows.stop - 1]), int(batch.place[rows.stop - 1])
            self._last[symbol_id] = max(last, self._last.get(symbol_id, last))

    def _fetched_ids(self, fetched: Fetched | None) -> list[int]:
        return [self.symbol_ids([fetched[0]])[fetched[0]]] if fetched else []

    def _begin(self, symbol_ids: set[int]) -> None:
        """Begin a transaction and lock the symbols."""
        with self.connection.pipeline():
            self.connection.execute("BEGIN", prepare=True)
            self.connection.execute(LOCK_SYMBOLS, (SYMBOL_LOCKS, array_literal(sorted(symbol_ids))), prepare=True)
            self.connection.execute(LOCK_TABLES, prepare=True)
            version = self.connection.execute("SELECT max(version) FROM schema_version", prepare=True)
            self.connection.execute(_LOCK_QUOTES, prepare=True)
        if version.fetchone() != (newest_version(),):
            raise StoreSchemaMismatch(NEWER_TABLES)

    def _touched(self, part: TickColumns) -> TouchedCandles:
        """Return the stored candles of 5 s that may hold ticks of this part."""
        ranges = held_ticks.slot_ranges(part)
        return TouchedCandles.of(self.connection.execute(held_ticks.TOUCHED, ranges, prepare=True).fetchall())

    def _settled(self, part: TickColumns, touched: TouchedCandles) -> TickColumns:
        """Return a part with the places to store; here, those given by the source."""
        del touched
        return part

    def _copy(self, fresh: TickColumns, touched: TouchedCandles) -> None:
        """Store ticks, at least one, and add them to the rollups."""
        self._copy_ticks(fresh)
        levels = all_levels(finest_candles(fresh))
        is_new = touched.index_of(levels[0].symbol_id, levels[0].open_us) < 0
        if is_new.sum() >= _FEWEST_COPIED:
            self._copy_finest(levels[0].take(is_new))
            levels[0] = levels[0].take(~is_new)
        self.connection.execute(ADD_TO_ROLLUPS, rollup_arrays(levels), prepare=True)

    def _copy_ticks(self, ticks: TickColumns) -> None:
        with self.connection.cursor() as cursor, cursor.copy(COPY) as copy:
            copy.write(COPY_HEADER)
            for piece in copy_pieces(ticks):
                copy.write(piece)
            copy.write(COPY_TRAILER)

    def _copy_finest(self, candles: TickCandleColumns) -> None:
        with self.connection.cursor() as cursor, cursor.copy(COPY_FINEST) as copy:
            copy.write(COPY_HEADER + copy_candles(candles) + COPY_TRAILER)

    def _refuse(self, differing: Sequence[tuple[TickColumns, int, TickColumns, int]]) -> None:
        """Record ticks that contradict others, as (columns, row) of each twice: of the refused, then of the stored."""
        if differing:
            pairs = [(self._tick(refused, row), self._tick(kept, at)) for refused, row, kept, at in differing]
            self._note_contradictions(self.connection, pairs)

    def _refuse_within(self, contradictions: TickColumns, batch: TickColumns) -> int:
        """Record ticks that contradict another one of their batch, which stands; return how many."""
        differing = []
        for row in range(len(contradictions)):
            tick = contradictions.take(slice(row, row + 1))
            if not held_ticks.is_at_another_place(tick, batch):
                at = np.flatnonzero(same_identity(batch, tick))
                differing.append((contradictions, row, batch, int(at[0])))
        self._refuse(differing)
        return len(differing)

    def _tick(self, columns: TickColumns, row: int) -> Tick:
        return one_tick(self._symbols.name_of(int(columns.symbol_id[row])), columns, row)
