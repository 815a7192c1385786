"""
Verifies that the database agrees with itself: the trades are the truth for its ranges of ids and its candles.

A symbol is compared in time windows, each in one snapshot. Writers store a batch in one transaction, so candles and
trades agree in every snapshot, even while another program records. The ranges are compared across all windows: ids
covered before the first window must be stored, and every stored id must be covered after the last, because neither set
ever shrinks. Window lengths adapt so that each takes about `_TARGET_S`; memory is bounded by the windows and by the
number of gaps.

Ids which the exchange lacks (`storage.schema.id_ranges`) are in the ranges and must not be stored. Where retention has
dropped trades, candles are compared with finer candles, and their number of trades with the ranges.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

from psycopg import sql

from app.market.candle import CANDLE_FIGURES
from app.market.coverage import IdRanges
from app.market.errors import UsageError
from storage.integrity import tick_check
from storage.integrity.differences import MAX_LISTED, Damage, Difference, DifferenceKind, DifferenceReport, TimeWindow
from storage.postgres.connection import Connection, translated
from storage.rollups import recount_sql
from storage.rollups.levels import LEVELS
from storage.schema import id_ranges
from storage.schema.editions import refuse_unreadable_trades
from storage.schema.id_ranges import union_and_overlaps
from storage.schema.retention_record import quotes_kept_from, trades_kept_from


class Progress(Protocol):
    """Called now and then with the current work in words; where it counts trades, with those done and all of them."""

    def __call__(self, work: str, done: int = 0, total: int = 0) -> None: ...


_COARSEST_US = LEVELS[-1].length_us
_FIRST_US, _END_US = 0, 47_482 * _COARSEST_US  # 1970 to 2100
_TARGET_S = 0.3  # per window: often enough for progress, and no snapshot holds back vacuum for long
_MAX_GROWTH = 4
_WORK_MEM = "64MB"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_SYMBOLS = """
    WITH RECURSIVE stored AS (
        SELECT min(symbol_id) AS id FROM trades
        UNION ALL
        SELECT (SELECT min(symbol_id) FROM trades WHERE symbol_id > stored.id) FROM stored WHERE id IS NOT NULL
    )
    SELECT id, symbol, false FROM symbols
    UNION ALL
    SELECT id, '#' || id, true FROM stored WHERE id IS NOT NULL AND id NOT IN (SELECT id FROM symbols)
    ORDER BY 3, 2
"""

_FAULTY_RANGES = """
    SELECT before, first_trade_id, last_trade_id
    FROM (
        SELECT first_trade_id, last_trade_id, max(last_trade_id) OVER (
            ORDER BY first_trade_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
        FROM coverage WHERE symbol_id = %s
    ) AS range
    WHERE first_trade_id <= before + 1
    ORDER BY 2
"""

IMPOSSIBLE_KLINE = sql.SQL(
    """
    symbol_id = %(symbol_id)s AND NOT (
        low <= least(open, close) AND high >= greatest(open, close) AND low >= 0 AND trades >= 0 AND volume >= 0
        AND quote_volume >= 0 AND taker_buy_volume BETWEEN 0 AND volume
        AND taker_buy_quote_volume BETWEEN 0 AND quote_volume
        AND seconds >= 0 AND months >= 0 AND (seconds = 0) <> (months = 0)
    )
    """
)

_KLINES = sql.SQL(
    """
    SELECT (extract(epoch FROM open_time) * 1000000)::bigint, seconds, months,
        concat_ws(', ', 'open ' || open, 'high ' || high, 'low ' || low, 'close ' || close, 'volume ' || volume),
        count(*) OVER ()
    FROM klines WHERE {impossible}
    ORDER BY seconds, months, open_time LIMIT %(listed)s
    """
).format(impossible=IMPOSSIBLE_KLINE)

_TIME_BOUNDS = sql.SQL(
    """
    SELECT (extract(epoch FROM least({firsts})) * 1000000)::bigint,
        (extract(epoch FROM greatest({lasts})) * 1000000)::bigint
    FROM (SELECT min(time), max(time) FROM trades WHERE symbol_id = %(id)s) AS t (first_0, last_0), {tables}
    """
).format(
    firsts=sql.SQL(", ").join(sql.Identifier(f"first_{number}") for number in range(len(LEVELS) + 1)),
    lasts=sql.SQL(", ").join(sql.Identifier(f"last_{number}") for number in range(len(LEVELS) + 1)),
    tables=sql.SQL(", ").join(
        sql.SQL("(SELECT min(open_time), max(open_time) FROM {} WHERE symbol_id = %(id)s) AS {} ({}, {})").format(
            *map(sql.Identifier, (level.table, f"l_{number}", f"first_{number}", f"last_{number}"))
        )
        for number, level in enumerate(LEVELS, start=1)
    ),
)


def verify(connection: Connection, names: Sequence[str] = (), progress: Progress | None = None) -> DifferenceReport:
    """
    Verify all stored data of these symbols (all symbols if none is named). Only needs to read.

    ``connection`` is in autocommit mode. May be interrupted at any time.

    Raises:
        UsageError: If a symbol is not in the database.
        StoreError: If the database, or what Community compressed in it, cannot be read.
    """
    with translated("verify the database"):
        refuse_unreadable_trades(connection)
        while True:
            kept_from_us, ticks_from_us = trades_kept_from(connection), quotes_kept_from(connection)
            report = DifferenceReport()
            for symbol_id, name, has_unknown_symbol in _selected_symbols(connection, names):
                check = _SymbolCheck(connection, report, symbol_id, name, kept_from_us, ticks_from_us)
                is_held = check.run(progress or (lambda *_: None), has_unknown_symbol=has_unknown_symbol)
                if is_held or names:
                    report.symbols.append(name)
            # If retention dropped trades in the meantime, the differences may be false: verify again.
            if (trades_kept_from(connection), quotes_kept_from(connection)) == (kept_from_us, ticks_from_us):
                return report


def parameters(symbol_id: int, window: TimeWindow) -> dict[str, object]:
    """Return the parameters of `storage.rollups.recount_sql` for a window."""
    return {"symbol_id": symbol_id, "start": _utc_datetime(window.start_us), "end": _utc_datetime(window.end_us)}


def dropped_before_us(kept_from_us: int | None) -> int:
    """
    Return the time (UTC microseconds) before which windows count as dropped, given `trades_kept_from`'s result.

    That is the result rounded up to the coarsest level's length.
    """
    return -(-(kept_from_us or 0) // _COARSEST_US) * _COARSEST_US


def _selected_symbols(connection: Connection, names: Sequence[str]) -> list[tuple[int, str, bool]]:
    symbols: list[tuple[int, str, bool]] = connection.execute(_SYMBOLS).fetchall()
    unknown = sorted(set(names) - {name for _, name, _ in symbols})
    if unknown:
        raise UsageError(f"“{unknown[0]}” is not in the database: name a symbol that was recorded there.")
    return [symbol for symbol in symbols if not names or symbol[1] in names]


class _SymbolCheck:
    """Verifies one symbol and adds its differences to the report."""

    def __init__(
        self,
        connection: Connection,
        report: DifferenceReport,
        symbol_id: int,
        name: str,
        kept_from_us: int | None,
        ticks_from_us: int | None,
    ) -> None:
        self._connection = connection
        self._report = report
        self._kept_from_us = kept_from_us
        self._ticks_from_us = ticks_from_us
        self._damage = Damage(symbol_id, name)
        self._runs: list[tuple[int, int]] = []
        self._dropped_trades = 0  # counted by candles, but no longer stored
        self._dropped_ids = IdRanges()  # the ranges that contain the ids of those

    def run(self, progress: Progress, *, has_unknown_symbol: bool) -> bool:
        """Return whether the symbol has, or should have, trades or ticks; most of the exchange's symbols have none."""
        name, symbol_id = self._damage.name, self._damage.symbol_id
        covered_before, absent_before = self._read_coverage()
        covered_before = covered_before - absent_before
        looked_at, expected = 0, covered_before.count()
        progress(f"Comparing {name}", 0, expected)
        for window in _windows(*self._time_bounds(), self._kept_from_us):
            looked_at += self._compare_window(window)
            progress(f"Comparing {name}", looked_at, max(looked_at, expected))
        covered_after, absent_after = self._read_coverage()
        self._compare_ids(covered_before, covered_after)
        self._check_absent(covered_after, absent_after)
        self._check_ranges()
        self._check_klines()
        if has_unknown_symbol:
            self._damage.has_unknown_symbol = True
            what = f"the table of symbols has none of the number {symbol_id}"
            self._add(DifferenceKind.UNKNOWN_SYMBOL, looked_at, what)
        self._report.trades += looked_at
        has_ticks = self._compare_ticks(progress)
        if self._damage:
            self._report.damages.append(self._damage)
        return bool(looked_at or expected or has_ticks or self._damage)

    def _compare_ticks(self, progress: Progress) -> bool:
        """Compare the candles of ticks with the ticks; return whether the symbol has any."""
        symbol_id, name = self._damage.symbol_id, self._damage.name
        bounds = tick_check.time_bounds(self._connection, symbol_id)
        if bounds is None:
            return False
        before = self._report.ticks
        for window in _windows(*bounds, self._ticks_from_us):
            if tick_check.compare(self._connection, self._report, symbol_id, name, window):
                self._damage.tick_windows.append(window)
            compared = self._report.ticks - before
            progress(f"Comparing ticks of {name}", compared, compared)
        return True

    def _time_bounds(self) -> tuple[int, int]:
        """Return the times of the first and last trade or candle; first > last if there is none."""
        first_us, last_us = self._fetch(_TIME_BOUNDS, {"id": self._damage.symbol_id})[0]
        return (_END_US, 0) if first_us is None else (max(first_us, _FIRST_US), last_us)

    def _compare_window(self, window: TimeWindow) -> int:
        """Compare one window in one snapshot; return its number of trades."""
        given = parameters(self._damage.symbol_id, window)
        with self._connection.transaction():
            self._connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            self._connection.execute(f"SET LOCAL work_mem = '{_WORK_MEM}'")
            begun = self._fetch(recount_sql.RUNS, given)
            last = self._fetch(recount_sql.LAST, given)
            differing = self._fetch(recount_sql.comparison(dropped=window.dropped), {**given, "listed": MAX_LISTED})
            if window.dropped:
                self._count_dropped(given)
        ends = [before for _, before in begun[1:]] + [end for (end,) in last]
        runs = [(first, end) for (first, _), end in zip(begun, ends, strict=True)]
        self._runs += runs
        trades: int = sum(last - first + 1 for first, last in runs)
        if window.dropped:
            self._dropped_trades -= trades
        if differing:
            self._report_candles(differing, window)
        return trades

    def _report_candles(self, differing: list[tuple[Any, ...]], window: TimeWindow) -> None:
        counted = set()
        is_rebuildable = False
        for level, open_us, stored, made, more, alike in differing:
            kind = _candle_kind(stored, made, unfounded=window.dropped and more is not False)
            group = (level, stored is None, made is None, more)
            difference = Difference(
                self._damage.name,
                kind,
                1,
                _candle_difference(stored, made),
                table=LEVELS[level].table,
                open_time_us=open_us,
            )
            self._report.add(difference, of=0 if group in counted else alike)
            counted.add(group)
            is_rebuildable |= kind is not DifferenceKind.CANDLE_UNFOUNDED
        if is_rebuildable:
            self._damage.windows.append(window)

    def _count_dropped(self, given: dict[str, object]) -> None:
        """Add the number and the ids of the trades in the window's candles, stored or not."""
        self._dropped_trades += self._fetch(recount_sql.COUNTED, given)[0][0]
        for first, last in self._fetch(recount_sql.SPANS, given):
            self._dropped_ids.add_range(first, last)

    def _compare_ids(self, covered_before: IdRanges, covered_after: IdRanges) -> None:
        stored, duplicates = union_and_overlaps(self._runs)
        missing = covered_before - stored
        if self._kept_from_us is not None:
            lost = missing - self._dropped_ids
            dropped, missing = missing.count() - lost.count(), lost
            if dropped != self._dropped_trades:
                what = f"the ranges say that {dropped:,} trades were dropped, their candles {self._dropped_trades:,}"
                self._add(DifferenceKind.UNCOUNTED, abs(dropped - self._dropped_trades), what)
        self._damage.missing = missing
        self._damage.uncovered = stored - covered_after
        self._damage.duplicates = duplicates
        self._add_ids(DifferenceKind.MISSING, self._damage.missing, "held by the ranges, but not among the trades")
        self._add_ids(DifferenceKind.UNCOVERED, self._damage.uncovered, "among the trades, but not held by the ranges")
        if duplicates:
            self._add_duplicates(duplicates)

    def _add_duplicates(self, duplicates: IdRanges) -> None:
        # No index finds a trade by id alone: one pass over the symbol finds all that are listed.
        listed = [
            trade_id for first, last in duplicates for trade_id in range(first, min(last, first + MAX_LISTED) + 1)
        ][:MAX_LISTED]
        times = self._connection.execute(recount_sql.TIMES, (self._damage.symbol_id, listed)).fetchall()
        for number, (trade_id, moments) in enumerate(times):
            what = "at " + " and ".join(f"{moment:%Y-%m-%d %H:%M:%S.%f}" for moment in moments)
            difference = Difference(self._damage.name, DifferenceKind.DUPLICATE, 1, what, trade_id, trade_id)
            self._report.add(difference, of=0 if number else duplicates.count())

    def _check_absent(self, said: IdRanges, absent: IdRanges) -> None:
        stored, _ = union_and_overlaps(self._runs)
        uncovered = absent - said
        existing = absent & stored
        self._add_ids(DifferenceKind.ABSENT, existing, "said to exist nowhere, but among the trades")
        self._add_ids(DifferenceKind.ABSENT, uncovered - existing, "said to exist nowhere, but not held by the ranges")
        self._damage.absent = IdRanges(sorted([*existing, *uncovered]))

    def _check_ranges(self) -> None:
        for before, first, last in self._connection.execute(_FAULTY_RANGES, (self._damage.symbol_id,)):
            does = "touches" if first == before + 1 else "overlaps"
            what = f"the range {first}–{last} {does} one that ends with {before}"
            self._report.add(Difference(self._damage.name, DifferenceKind.RANGES, 1, what, first, last))
            self._damage.faulty_ranges = True

    def _check_klines(self) -> None:
        rows = self._fetch(_KLINES, {"symbol_id": self._damage.symbol_id, "listed": MAX_LISTED})
        for number, (open_us, seconds, months, figures, alike) in enumerate(rows):
            length = f"{months} months" if months else f"{seconds} s"
            what = f"the kline of {length} cannot be: {figures}"
            difference = Difference(
                self._damage.name, DifferenceKind.KLINE, 1, what, table="klines", open_time_us=open_us
            )
            self._report.add(difference, of=0 if number else alike)
        self._damage.impossible_klines = bool(rows)

    def _add_ids(self, kind: DifferenceKind, ids: IdRanges, what: str) -> None:
        for first, last in ids:
            self._report.add(Difference(self._damage.name, kind, last - first + 1, what, first, last))

    def _add(self, kind: DifferenceKind, count: int, what: str) -> None:
        self._report.add(Difference(self._damage.name, kind, count, what))

    def _read_coverage(self) -> tuple[IdRanges, IdRanges]:
        """Return the covered ids, and the covered ids which the exchange lacks, in one snapshot."""
        with self._connection.transaction():
            self._connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            symbol_id = self._damage.symbol_id
            covered = id_ranges.read(self._connection, id_ranges.COVERAGE, symbol_id)
            return covered, id_ranges.read(self._connection, id_ranges.ABSENT, symbol_id)

    def _fetch(self, query: sql.Composed, given: dict[str, object]) -> list[tuple[Any, ...]]:
        # Not prepared: a generic plan would visit every partition.
        return self._connection.execute(query, given, prepare=False).fetchall()


def _windows(first_us: int, last_us: int, kept_from_us: int | None) -> Iterator[TimeWindow]:
    """
    Yield adjoining windows from the first time on, each as long as can be compared in about `_TARGET_S`.

    The estimate comes from the time that the caller spent on the previous window. The last window has no end, so that
    it includes trades recorded in the meantime.
    """
    kept_us = dropped_before_us(kept_from_us)
    start_us, length = first_us // _COARSEST_US * _COARSEST_US, 1
    while start_us < _END_US:
        end_us = start_us + length * _COARSEST_US
        dropped = start_us < kept_us
        if dropped:
            end_us = min(end_us, kept_us)
        elif end_us > last_us:
            end_us = _END_US
        began = time.monotonic()
        yield TimeWindow(start_us, end_us, dropped)
        took = max(time.monotonic() - began, 1e-3)
        length = max(1, int(length * min(_TARGET_S / took, _MAX_GROWTH)))
        start_us = end_us


def _candle_kind(stored: list[str] | None, made: list[str] | None, *, unfounded: bool) -> DifferenceKind:
    if stored is None:
        return DifferenceKind.CANDLE_MISSING
    if unfounded:
        return DifferenceKind.CANDLE_UNFOUNDED
    return DifferenceKind.CANDLE_SUPERFLUOUS if made is None else DifferenceKind.CANDLE_DIFFERENT


def _candle_difference(stored: list[str] | None, made: list[str] | None) -> str:
    if stored is None:
        return "there are trades, but no candle"
    if made is None:
        return "there is a candle, but no trade"
    pairs = zip(CANDLE_FIGURES, map(Decimal, stored), map(Decimal, made), strict=True)
    return ", ".join(f"{name} {has:f} instead of {should:f}" for name, has, should in pairs if has != should)


def _utc_datetime(time_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=time_us)
