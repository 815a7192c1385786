"""
Corrects the differences that `storage.integrity.verify` finds, by rebuilding ranges and candles from the trades.

Each step is a transaction under the symbol's lock, like a batch of trades (see `storage.trades.trade_ledger`), so
writers wait for one step at most. Each step only removes differences: after an interruption, the next rebuild corrects
the rest. A database-wide lock (see `storage.postgres.advisory_locks`) keeps out other programs that remove ids from the
ranges or drop trades.

If an id is stored with two times, the trade with a time in microseconds stays, or else the earlier one; the other is
moved to `refused_trades`. Trades without a symbol get the symbol UNKNOWN-<number>. No trade is ever lost.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from psycopg import sql

from app.market.coverage import IdRanges
from app.market.errors import StoreError
from storage.integrity.differences import REBUILDABLE, Damage, DifferenceKind, DifferenceReport, TimeWindow
from storage.integrity.verify import IMPOSSIBLE_KLINE, Progress, dropped_before_us, parameters, verify
from storage.postgres.advisory_locks import LOCK_SYMBOLS, SYMBOL_LOCKS, try_database_lock
from storage.postgres.connection import Connection, translated
from storage.rollups import recount_sql
from storage.rollups.levels import LEVELS
from storage.schema import id_ranges
from storage.schema.editions import is_being_converted, is_hypertable
from storage.schema.retention_record import trades_kept_from

_ATTEMPTS = 4
_IDS_PER_STEP = 5_000
_WORK_MEM = "64MB"

_INSERT_SYMBOL = """
    INSERT INTO symbols (id, name) OVERRIDING SYSTEM VALUE VALUES (%(id)s, %(name)s) ON CONFLICT DO NOTHING
"""
_ADVANCE_SEQUENCE = """
    SELECT setval(pg_get_serial_sequence('symbols', 'id'), greatest(max(id), nextval(pg_get_serial_sequence('symbols',
        'id')))) FROM symbols
"""

# A time known to the microsecond is hardly ever a whole millisecond, so a whole one means a time in milliseconds.
_SET_ASIDE = """
    WITH ranked AS (
        SELECT *, row_number() OVER (
            PARTITION BY trade_id ORDER BY extract(microseconds FROM time)::bigint %% 1000 = 0, time) AS place
        FROM trades WHERE symbol_id = %(symbol_id)s AND trade_id = ANY(%(ids)s)
    ), gone AS (
        DELETE FROM trades t USING ranked r
        WHERE r.place > 1 AND t.symbol_id = r.symbol_id AND t.time = r.time AND t.trade_id = r.trade_id
        RETURNING t.*
    ), kept AS (
        INSERT INTO refused_trades (reason, trade, symbol, trade_id, stored)
        SELECT 'its id was stored twice', {gone}, %(name)s, gone.trade_id, {stays}
        FROM gone JOIN ranked r ON r.trade_id = gone.trade_id AND r.place = 1
        ON CONFLICT DO NOTHING
    )
    SELECT DISTINCT (extract(epoch FROM time) * 1000000)::bigint / %(window_us)s FROM gone
"""


def _trade_json(row: str) -> sql.Composed:
    """Return the SQL of a trade as `refused_trades` stores it: the fields of `app.market.trade.Trade`."""
    return sql.SQL(
        """
        jsonb_build_object('symbol', %(name)s::text, 'trade_id', {row}.trade_id,
            'time_us', (extract(epoch FROM {row}.time) * 1000000)::bigint,
            'price_e8', trunc({row}.price * 100000000)::bigint,
            'quantity_e8', trunc({row}.quantity * 100000000)::bigint, 'is_buyer_maker', {row}.is_buyer_maker)
        """
    ).format(row=sql.Identifier(row))


_SET_ASIDE_STATEMENT = sql.SQL(_SET_ASIDE).format(gone=_trade_json("gone"), stays=_trade_json("r"))


@dataclass(frozen=True, slots=True)
class RebuildResult:
    """``fixed`` counts the corrected differences by symbol and kind; ``remaining`` is the final verification."""

    fixed: Counter[tuple[str, DifferenceKind]]
    remaining: DifferenceReport


def rebuild(connection: Connection, names: Sequence[str] = (), progress: Progress | None = None) -> RebuildResult:
    """
    Correct all differences of these symbols (all symbols if none is named), then verify them again.

    ``connection`` is in autocommit mode. May be interrupted at any time.

    Raises:
        UsageError: If a symbol is not in the database.
        StoreError: If the database cannot be written, another program is doing such work, or a conversion is
            unfinished.
    """
    say = progress or (lambda _: None)
    with translated("rebuild the database"), _maintenance_lock(connection):
        report = verify(connection, names, say)
        fixed = Counter({key: number for key, number in report.totals.items() if key[1] in REBUILDABLE})
        for _ in range(_ATTEMPTS):
            if not report.damages:
                break
            for damage in report.damages:
                _SymbolRebuild(connection, damage, say).run()
            # Writers may have stored trades in the meantime, so only another verification proves the result.
            report = verify(connection, [_final_name(name) for name in report.differing], say)
        return RebuildResult(fixed, report)


class _SymbolRebuild:
    """Rebuilds one symbol, step by step."""

    def __init__(self, connection: Connection, damage: Damage, say: Progress) -> None:
        self._connection = connection
        self._damage = damage
        self._say = say

    def run(self) -> None:
        damage = self._damage
        if damage.has_unknown_symbol:
            self._insert_symbol()
        ids = (trade_id for first, last in damage.duplicates for trade_id in range(first, last + 1))
        while some := list(islice(ids, _IDS_PER_STEP)):
            self._say(f"{damage.name}: setting repeated trades aside")
            self._set_duplicates_aside(some)
        for number, window in enumerate(damage.windows, start=1):
            self._say(f"{damage.name}: rebuilding candles, {number} of {len(damage.windows)}")
            with self._step():
                self._rebuild_candles(window)
        if damage.missing or damage.uncovered or damage.faulty_ranges:
            self._say(f"{damage.name}: rebuilding ranges")
            self._correct_ranges()
        if damage.absent:
            self._say(f"{damage.name}: correcting absent trades")
            with self._step():
                before = id_ranges.read(self._connection, id_ranges.ABSENT, damage.symbol_id)
                id_ranges.write(self._connection, id_ranges.ABSENT, damage.symbol_id, before, before - damage.absent)
        if damage.impossible_klines:
            given = {"symbol_id": damage.symbol_id}
            with self._step():
                self._connection.execute(sql.SQL("DELETE FROM klines WHERE {}").format(IMPOSSIBLE_KLINE), given)
                # Without their ranges the klines are fetched again.
                self._connection.execute("DELETE FROM kline_ranges WHERE symbol_id = %(symbol_id)s", given)

    @contextlib.contextmanager
    def _step(self) -> Iterator[None]:
        """Hold the symbol's lock in a transaction; each statement inside sees all that was committed before it."""
        with self._connection.transaction():
            self._connection.execute(LOCK_SYMBOLS, (SYMBOL_LOCKS, [self._damage.symbol_id]))
            yield

    def _insert_symbol(self) -> None:
        with self._connection.transaction():
            given = {"id": self._damage.symbol_id, "name": _final_name(self._damage.name)}
            self._connection.execute(_INSERT_SYMBOL, given)
            self._connection.execute(_ADVANCE_SEQUENCE)

    def _set_duplicates_aside(self, ids: list[int]) -> None:
        window_us = LEVELS[-1].length_us
        given = {"symbol_id": self._damage.symbol_id, "name": _final_name(self._damage.name), "ids": ids}
        with self._step():
            if is_hypertable(self._connection):
                # The list of ids bounds the work, so TimescaleDB's limit, a guard against accidents, is not needed.
                self._connection.execute("SET LOCAL timescaledb.max_tuples_decompressed_per_dml_transaction = 0")
            touched = self._connection.execute(_SET_ASIDE_STATEMENT, {**given, "window_us": window_us}).fetchall()
            # In the same transaction, so that no candle ever counts a trade that was moved away.
            for (number,) in touched:
                self._rebuild_candles(TimeWindow(number * window_us, (number + 1) * window_us))

    def _rebuild_candles(self, window: TimeWindow) -> None:
        # Read again: TimescaleDB's policy may have dropped trades since the verification.
        dropped = window.start_us < dropped_before_us(trades_kept_from(self._connection))
        self._connection.execute(f"SET LOCAL work_mem = '{_WORK_MEM}'; SET LOCAL jit = off")
        self._connection.execute(
            recount_sql.replacement(dropped=dropped), parameters(self._damage.symbol_id, window), prepare=False
        )

    def _correct_ranges(self) -> None:
        symbol_id = self._damage.symbol_id
        with self._step():
            rows = self._connection.execute(
                "SELECT first_trade_id, last_trade_id FROM coverage WHERE symbol_id = %s ORDER BY 1", (symbol_id,)
            ).fetchall()
            before = set(rows)
            after = set(IdRanges([*rows, *self._damage.uncovered]) - self._damage.missing)
            self._connection.execute(
                "DELETE FROM coverage WHERE symbol_id = %s AND first_trade_id = ANY(%s)",
                (symbol_id, [first for first, _ in before - after]),
            )
            added = sorted(after - before)
            self._connection.execute(
                "INSERT INTO coverage (symbol_id, first_trade_id, last_trade_id)"
                " SELECT %s, * FROM unnest(%s::bigint[], %s::bigint[])",
                (symbol_id, [first for first, _ in added], [last for _, last in added]),
            )


def _final_name(name: str) -> str:
    """Return the symbol's name after the rebuild: verify calls a symbol without a name "#<number>"."""
    return f"UNKNOWN-{name[1:]}" if name.startswith("#") else name


@contextlib.contextmanager
def _maintenance_lock(connection: Connection) -> Iterator[None]:
    """Keep out retention, conversion and other rebuilds. Raises StoreError if one is running or unfinished."""
    with try_database_lock(connection) as is_locked:
        if not is_locked:
            raise StoreError(
                "Another program is rebuilding, converting or clearing up this database: wait until it has finished."
            )
        if is_being_converted(connection):
            raise StoreError(
                "A conversion of this database is unfinished: finish it first, with cryptopipe db convert."
            )
        yield
