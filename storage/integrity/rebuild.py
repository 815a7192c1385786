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
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from typing import NamedTuple

from psycopg import sql

from app.market.coverage import IdRanges
from app.market.errors import StoreError
from storage.integrity import tick_check
from storage.integrity.differences import REBUILDABLE, Damage, DifferenceKind, DifferenceReport, TimeWindow
from storage.integrity.verify import IMPOSSIBLE_KLINE, Progress, dropped_before_us, parameters, verify
from storage.postgres.advisory_locks import LOCK_SYMBOLS, SYMBOL_LOCKS, try_database_lock
from storage.postgres.connection import Connection, translated
from storage.rollups import recount_sql
from storage.rollups.levels import LEVELS
from storage.schema import id_ranges
from storage.schema.editions import is_being_converted, is_hypertable
from storage.schema.retention_record import quotes_kept_from, trades_kept_from

# Only what writers with a fault add meanwhile takes a second round; a third and a fourth bound how long one that never
# stops can keep us at it.
_ROUNDS = 4
_IDS_PER_STEP = 5_000  # some tenths of a second, for which the writers of the symbol wait
_WORK_MEM = "64MB"  # as `verify`: a window's recount fits, and one program at a time rebuilds

_INSERT_SYMBOL = """
    INSERT INTO symbols (id, name) OVERRIDING SYSTEM VALUE VALUES (%(id)s, %(name)s) ON CONFLICT DO NOTHING
"""
_ADVANCE_SEQUENCE = """
    SELECT setval(pg_get_serial_sequence('symbols', 'id'), greatest(max(id), nextval(pg_get_serial_sequence('symbols',
        'id')))) FROM symbols
"""

# A time known to the microsecond is hardly ever a whole millisecond, so a whole one means a time in milliseconds. The
# bounds of the ids, which the list of ids implies, are what TimescaleDB compares with those of a compressed batch.
_REPEATS = sql.SQL(
    """
    WITH stored AS (
        SELECT t.trade_id, t.time, {trade} AS trade, extract(microseconds FROM t.time)::bigint %% 1000 = 0 AS is_rounded
        FROM trades t
        WHERE t.symbol_id = %(symbol_id)s AND t.trade_id = ANY(%(ids)s)
            AND t.trade_id >= %(first_id)s AND t.trade_id <= %(last_id)s
    ), ranked AS (
        SELECT trade_id, time, trade, row_number() OVER best_first AS place, first_value(trade) OVER best_first AS stays
        FROM stored WINDOW best_first AS (PARTITION BY trade_id ORDER BY is_rounded, time)
    )
    SELECT time, trade_id, trade::text, stays::text FROM ranked WHERE place > 1 ORDER BY 1, 2
    """
)
_REFUSE = """
    INSERT INTO refused_trades (reason, trade, symbol, trade_id, stored)
    SELECT 'its id was stored twice', trade::jsonb, %s, trade_id, stays::jsonb
    FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS repeat (trade_id, trade, stays)
    ON CONFLICT DO NOTHING
"""
# All bounds are values, and implied by the list: by them TimescaleDB finds the compressed batches that it must open.
# With a join alone it opens every batch of the table.
_DELETE_TRADES = """
    DELETE FROM trades
    WHERE symbol_id = %(symbol_id)s AND time >= %(first_time)s AND time <= %(last_time)s
        AND trade_id >= %(first_id)s AND trade_id <= %(last_id)s
        AND (time, trade_id) IN (SELECT * FROM unnest(%(times)s::timestamptz[], %(ids)s::bigint[]))
"""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NEAR = timedelta(minutes=1)  # repeats that are closer share a statement: a source repeats whole stretches at a time


class _Repeat(NamedTuple):
    """A stored trade whose id has another stored trade that ``stays``; both as the JSON of `refused_trades`."""

    time: datetime
    trade_id: int
    trade: str
    stays: str


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


_REPEATS_STATEMENT = _REPEATS.format(trade=_trade_json("t"))


@dataclass(frozen=True, slots=True)
class RebuildResult:
    """
    ``found``: the number of differences that the trades tell how to correct, by symbol and kind, as they were before.
    ``remaining``: the verification after the last round; what is in it was not corrected.
    """

    found: Counter[tuple[str, DifferenceKind]]
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
    say = progress or (lambda *_: None)
    with translated("rebuild the database"), _maintenance_lock(connection):
        report = verify(connection, names, say)
        found = Counter({key: number for key, number in report.totals.items() if key[1] in REBUILDABLE})
        for _ in range(_ROUNDS):
            if not report.damages:
                break
            for damage in report.damages:
                _SymbolRebuild(connection, damage, say).run()
            # Writers may have stored trades in the meantime, so only another verification proves the result.
            report = verify(connection, [_final_name(name) for name in report.differing], say)
        return RebuildResult(found, report)


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
        self._set_repeats_aside()
        self._correct_candles()
        self._correct_tick_candles()
        if damage.missing or damage.uncovered or damage.faulty_ranges:
            self._say(f"{damage.name}: rebuilding ranges")
            self._correct_ranges()
        if damage.absent:
            self._say(f"{damage.name}: correcting absent trades")
            self._correct_absent()
        if damage.impossible_klines:
            self._delete_impossible_klines()

    @contextlib.contextmanager
    def _step(self) -> Iterator[None]:
        """Hold the symbol's lock in a transaction; each statement inside sees all that was committed before it."""
        with self._connection.transaction():
            self._connection.execute(LOCK_SYMBOLS, (SYMBOL_LOCKS, [self._damage.symbol_id]))
            yield

    def _insert_symbol(self) -> None:
        with self._connection.transaction():
            symbol = {"id": self._damage.symbol_id, "name": _final_name(self._damage.name)}
            self._connection.execute(_INSERT_SYMBOL, symbol)
            self._connection.execute(_ADVANCE_SEQUENCE)

    def _set_repeats_aside(self) -> None:
        ids = (trade_id for first, last in self._damage.duplicates for trade_id in range(first, last + 1))
        while step_ids := list(islice(ids, _IDS_PER_STEP)):
            self._say(f"{self._damage.name}: setting repeated trades aside")
            with self._step():
                self._set_aside(step_ids)

    def _set_aside(self, ids: list[int]) -> None:
        """Move all trades but one of each id to `refused_trades`, and rebuild the candles that counted them."""
        name = _final_name(self._damage.name)
        bounds = {"first_id": ids[0], "last_id": ids[-1]}
        values = {"symbol_id": self._damage.symbol_id, "name": name, "ids": ids, **bounds}
        rows = self._connection.execute(_REPEATS_STATEMENT, values, prepare=False).fetchall()
        repeats = [_Repeat(*row) for row in rows]
        if not repeats:
            return
        _, trade_ids, trades, stays = map(list, zip(*repeats, strict=True))
        self._connection.execute(_REFUSE, (name, trade_ids, trades, stays))
        if is_hypertable(self._connection):
            # The bounds limit the work, so TimescaleDB's limit, a guard against accidents, is not needed.
            self._connection.execute("SET LOCAL timescaledb.max_tuples_decompressed_per_dml_transaction = 0")
        for near in _near_each_other(repeats):
            self._delete(near)
        # In the same transaction, so that no candle ever counts a trade that was moved away.
        window_us = LEVELS[-1].length_us
        for number in sorted({(repeat.time - _EPOCH) // timedelta(microseconds=window_us) for repeat in repeats}):
            self._rebuild_candles(TimeWindow(number * window_us, (number + 1) * window_us))

    def _delete(self, repeats: Sequence[_Repeat]) -> None:
        times, ids = [repeat.time for repeat in repeats], [repeat.trade_id for repeat in repeats]
        bounds = {"first_time": times[0], "last_time": times[-1], "first_id": min(ids), "last_id": max(ids)}
        values = {"symbol_id": self._damage.symbol_id, "times": times, "ids": ids, **bounds}
        self._connection.execute(_DELETE_TRADES, values, prepare=False)

    def _correct_candles(self) -> None:
        windows = self._damage.windows
        for number, window in enumerate(windows, start=1):
            self._say(f"{self._damage.name}: rebuilding candles, {number} of {len(windows)}")
            with self._step():
                self._rebuild_candles(window)

    def _correct_tick_candles(self) -> None:
        windows = self._damage.tick_windows
        for number, window in enumerate(windows, start=1):
            self._say(f"{self._damage.name}: rebuilding candles of ticks, {number} of {len(windows)}")
            with self._step():
                # Read again: retention may have dropped ticks since the verification.
                dropped = window.start_us < dropped_before_us(quotes_kept_from(self._connection))
                tick_check.replace(self._connection, self._damage.symbol_id, window._replace(dropped=dropped))

    def _rebuild_candles(self, window: TimeWindow) -> None:
        # Read again: TimescaleDB's policy may have dropped trades since the verification.
        dropped = window.start_us < dropped_before_us(trades_kept_from(self._connection))
        self._connection.execute(f"SET LOCAL work_mem = '{_WORK_MEM}'")
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

    def _correct_absent(self) -> None:
        symbol_id = self._damage.symbol_id
        with self._step():
            before = id_ranges.read(self._connection, id_ranges.ABSENT, symbol_id)
            id_ranges.write(self._connection, id_ranges.ABSENT, symbol_id, before, before - self._damage.absent)

    def _delete_impossible_klines(self) -> None:
        symbol = {"symbol_id": self._damage.symbol_id}
        with self._step():
            self._connection.execute(sql.SQL("DELETE FROM klines WHERE {}").format(IMPOSSIBLE_KLINE), symbol)
            # Without their ranges the klines are fetched again.
            self._connection.execute("DELETE FROM kline_ranges WHERE symbol_id = %(symbol_id)s", symbol)


def _near_each_other(repeats: Sequence[_Repeat]) -> Iterator[Sequence[_Repeat]]:
    """Yield the repeats, which are sorted by time, in groups: from one to the next it is `_NEAR` at most."""
    begin = 0
    for number, (one, following) in enumerate(pairwise(repeats), start=1):
        if following.time - one.time > _NEAR:
            yield repeats[begin:number]
            begin = number
    yield repeats[begin:]


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
