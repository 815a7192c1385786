"""
Reading what is stored: candles of any interval, trades, coverage, symbols.

A reader gets, for each candle, the one built from trades where that is complete, else the exchange's kline, else the
incomplete one, marked. All of one answer is read in one snapshot, so that candles and the ids held belong together. The
rules live in `app.market.builder` and `storage.merging`; this module fetches what they need: the candles asked for, and
of what lies before and after only the nearest.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cached_property
from itertools import starmap
from typing import Any

from psycopg import sql

from app.market.candle import Candle
from app.market.coverage import IdRanges
from app.market.interval import SECOND_US, Interval
from app.market.symbol import Symbol
from app.market.trade import Trade
from storage import candle_sql, klines, ranges
from storage.connection import Connection
from storage.merging import merged
from storage.nearby import hours_of, nearest_time
from storage.pool import ConnectionPool
from storage.repairs import RepairNotice
from storage.retention import trades_kept_from

_ALL_START_US, _ALL_END_US = 0, 4_102_444_800 * SECOND_US  # 1970 to 2100
_ALWAYS_KEPT = Interval.parse("5s")  # from the finest rollup, which outlives its trades
_NO_SLOT = -(10**15)
_WINDOW_GROWTH = 4

_TRADES = sql.SQL(
    """
    SELECT trade_id, {time_us}, trunc(price * 100000000)::bigint, trunc(quantity * 100000000)::bigint, is_buyer_maker
    FROM trades
    WHERE symbol_id = %s AND trade_id BETWEEN %s AND %s
        AND time >= timestamptz 'epoch' + %s * interval '1 microsecond'
        AND time < timestamptz 'epoch' + %s * interval '1 microsecond'
    ORDER BY trade_id
    """
).format(time_us=candle_sql.microseconds("time"))

_SAVE_SYMBOLS = """
    INSERT INTO symbols AS known (name, base, quote, tick_size, step_size, status)
    SELECT name, base, quote, tick / 100000000.0, step / 100000000.0, status
    FROM unnest(%s::text[], %s::text[], %s::text[], %s::numeric[], %s::numeric[], %s::text[])
        AS given (name, base, quote, tick, step, status)
    ORDER BY name
    ON CONFLICT (name) DO UPDATE SET base = excluded.base, quote = excluded.quote, tick_size = excluded.tick_size,
        step_size = excluded.step_size, status = excluded.status
    WHERE (known.base, known.quote, known.tick_size, known.step_size, known.status) IS DISTINCT FROM
        (excluded.base, excluded.quote, excluded.tick_size, excluded.step_size, excluded.status)
"""

_SYMBOLS = """
    SELECT name, base, quote, trunc(tick_size * 100000000)::bigint, trunc(step_size * 100000000)::bigint, status
    FROM symbols WHERE status IS NOT NULL ORDER BY name COLLATE "C"
"""


class PostgresStore:
    """
    A `app.market.ports.CandleStore`. Any number of threads may use it; each call borrows a connection.

    ``connect`` makes a connection and may raise StoreError.
    """

    def __init__(self, connect: Callable[[], Connection]) -> None:
        def connect_to_read() -> Connection:
            connection = connect()
            candle_sql.read_whole_numbers(connection)
            return connection

        self._pool = ConnectionPool(connect_to_read)
        self._notice = RepairNotice(self._pool.borrowed)

    def close(self, timeout_s: float = 0.0) -> None:
        """Close the connections; those in use when they come back, or after ``timeout_s`` whatever they wait for."""
        self._notice.close()
        self._pool.close(timeout_s)

    def candles(
        self,
        symbol: str,
        interval: Interval,
        *,
        start_us: int | None = None,
        end_us: int | None = None,
        limit: int | None = None,
        now_us: int | None = None,
    ) -> list[Candle]:
        """See `app.market.ports.CandleStore`."""
        if limit is not None and limit <= 0:
            return []
        with self._reading("read candles") as connection:
            reader = _CandleReader.open(connection, symbol, interval)
            if reader is None:
                return []
            return reader.newest(start_us, end_us, limit, now_us)

    def iter_candles(
        self,
        symbol: str,
        interval: Interval,
        *,
        start_us: int | None = None,
        end_us: int | None = None,
        now_us: int | None = None,
        batch: int = 5_000,
    ) -> Iterator[list[Candle]]:
        """
        Yield the candles that `candles` returns for the same arguments in parts of at most ``batch``, oldest first.

        Memory is bounded by the part. All parts come from one snapshot: trades stored meanwhile are not in it. Close
        the iterator, or read it to its end.
        """
        with self._reading("read candles") as connection:
            reader = _CandleReader.open(connection, symbol, interval)
            if reader is not None:
                yield from reader.parts(start_us, end_us, now_us, batch)

    def traded(self, symbol: str, interval: Interval, start_us: int, end_us: int) -> list[Candle]:
        """See `app.market.ports.CandleStore`."""
        with self._reading("read candles") as connection:
            reader = _CandleReader.open(connection, symbol, interval)
            if reader is not None and reader.lacks_trades(start_us):
                reader = _CandleReader.open(connection, symbol, _ALWAYS_KEPT)
            return [] if reader is None else reader.traded(start_us, end_us)

    def save_klines(
        self, symbol: str, interval: Interval, candles: Sequence[Candle], fetched: tuple[int, int] | None = None
    ) -> None:
        """See `app.market.ports.CandleStore`."""
        closed = [candle for candle in candles if candle.closed]
        if closed or fetched is not None:
            with self._pool.borrowed("store klines") as connection:
                klines.save(connection, symbol, interval, closed, fetched)

    def fetched_klines(self, symbol: str, interval: Interval) -> IdRanges:
        """See `app.market.ports.CandleStore`."""
        with self._pool.borrowed("read which klines are known") as connection:
            return klines.fetched(connection, _symbol_id(connection, symbol), interval)

    def save_listing(self, symbol: str, listed_us: int) -> None:
        """See `app.market.ports.CandleStore`."""
        with self._pool.borrowed("store when a symbol was listed") as connection:
            klines.save(connection, symbol, klines.EVERY_INTERVAL, [], (0, listed_us))

    def trades(self, symbol: str, first_trade_id: int, last_trade_id: int) -> list[Trade]:
        """See `app.market.ports.CandleStore`."""
        with self._reading("read trades") as connection:
            symbol_id = _symbol_id(connection, symbol)
            hours = hours_of(connection, symbol_id, first_trade_id, last_trade_id)
            if hours is None:
                return []
            wanted = (symbol_id, first_trade_id, last_trade_id, *hours)
            return [Trade(symbol, *row) for row in connection.execute(_TRADES, wanted, prepare=False)]

    def hours_of(self, symbol: str, first_trade_id: int, last_trade_id: int) -> tuple[int, int] | None:
        """See `app.market.ports.CandleStore`."""
        with self._pool.borrowed("look for trades") as connection:
            return hours_of(connection, _symbol_id(connection, symbol), first_trade_id, last_trade_id)

    def coverage(self, symbol: str) -> IdRanges:
        """See `app.market.ports.CandleStore`."""
        with self._pool.borrowed("read the coverage") as connection:
            return ranges.read(connection, ranges.COVERAGE, _symbol_id(connection, symbol))

    def save_absent(self, symbol: str, absent: Sequence[tuple[int, int]]) -> None:
        """See `app.market.ports.CandleStore`."""
        if absent:
            with self._pool.borrowed("note absent trades") as connection:
                ranges.record_absent(connection, symbol, absent)

    def coverage_of(self, symbols: Collection[str]) -> dict[str, IdRanges]:
        """See `app.market.ports.CandleStore`."""
        with self._pool.borrowed("read the coverage") as connection:
            return ranges.read_all(connection, ranges.COVERAGE, symbols)

    def absent_of(self, symbols: Collection[str]) -> dict[str, IdRanges]:
        """See `app.market.ports.CandleStore`."""
        with self._pool.borrowed("read the absent trades") as connection:
            return ranges.read_all(connection, ranges.ABSENT, symbols)

    def tell_repairs(self, small: Collection[str], whole: Collection[str], largest: int) -> set[str]:
        """See `app.market.ports.CandleStore`."""
        return self._notice.tell(small, whole, largest)

    def save_symbols(self, symbols: Sequence[Symbol]) -> None:
        """See `app.market.ports.CandleStore`."""
        distinct = {symbol.name: symbol for symbol in symbols}
        rows = [(s.name, s.base, s.quote, s.tick_size_e8, s.step_size_e8, s.status) for s in distinct.values()]
        if rows:
            with self._pool.borrowed("store the symbols") as connection:
                connection.execute(_SAVE_SYMBOLS, [list(column) for column in zip(*rows, strict=True)])

    def symbols(self) -> list[Symbol]:
        """See `app.market.ports.CandleStore`."""
        with self._pool.borrowed("read the symbols") as connection:
            return [Symbol(*row) for row in connection.execute(_SYMBOLS)]

    @contextlib.contextmanager
    def _reading(self, doing: str) -> Iterator[Connection]:
        """Borrow a connection inside a transaction that sees one snapshot."""
        with self._pool.borrowed(doing) as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield connection


class _CandleReader:
    """Reads the candles of one symbol and interval inside one transaction."""

    def __init__(self, connection: Connection, symbol_id: int, interval: Interval) -> None:
        self._connection = connection
        self._symbol_id = symbol_id
        self._interval = interval
        self._source = candle_sql.sources_for(interval)[0]
        # Trades before it may be gone, while their ids are still held: without this, what is left between would look
        # complete. The rollups stay.
        kept_from_us = trades_kept_from(connection) if self._source.is_trades else None
        self._floor_us = 0 if kept_from_us is None else interval.next_open_us(kept_from_us - 1)

    @classmethod
    def open(cls, connection: Connection, symbol: str, interval: Interval) -> _CandleReader | None:
        symbol_id = _symbol_id(connection, symbol)
        return None if symbol_id is None else cls(connection, symbol_id, interval)

    @cached_property
    def _held(self) -> IdRanges:
        return ranges.read(self._connection, ranges.COVERAGE, self._symbol_id)

    @cached_property
    def _kline_intervals(self) -> list[Interval]:
        return klines.stored_intervals(self._connection, self._symbol_id, self._interval)

    @cached_property
    def _last_kline_us(self) -> int | None:
        found = klines.nearest(self._connection, self._symbol_id, self._kline_intervals, _ALL_END_US, before=True)
        return max(found, default=None)

    def lacks_trades(self, start_us: int) -> bool:
        """Whether candles from then on are made of trades that may be dropped."""
        return self._source.is_trades and start_us < self._floor_us

    def traded(self, start_us: int, end_us: int) -> list[Candle]:
        """Return the candles with a trade that `app.market.ports.CandleStore.traded` returns."""
        start_us = self._interval.open_time_us(max(start_us, _ALL_START_US))
        end_us = self._interval.next_open_us(min(end_us, _ALL_END_US) - 1)
        if start_us >= end_us:
            return []
        before, after = self._traded_near(start_us, before=True), self._traded_near(end_us, before=False)
        return [candle for candle in (before, *self._folded(start_us, end_us), after) if candle is not None]

    def newest(self, start_us: int | None, end_us: int | None, limit: int | None, now_us: int | None) -> list[Candle]:
        """Return the candles that open in ``[start_us, end_us)``; with ``limit`` the newest of them."""
        bounds = self._bounds(start_us, end_us, now_us)
        if bounds is None:
            return []
        first, last = bounds
        if limit is None:
            return self._window(first, last, now_us)
        size, end, found = limit, last, list[Candle]()
        while end >= first and len(found) < limit:
            begin = max(first, end - size + 1)
            window = self._window(begin, end, now_us)
            found = window + found
            if window and window[0].open_time_us == self._interval.slot_open_us(begin):
                end = begin - 1
            else:
                # A hole, where trades are missing, may be of any length: on to what lies before it.
                end = self._last_slot_before(begin)
            size *= _WINDOW_GROWTH
        return found[-limit:]

    def parts(self, start_us: int | None, end_us: int | None, now_us: int | None, size: int) -> Iterator[list[Candle]]:
        """Yield the candles that open in ``[start_us, end_us)`` in parts of at most ``size``, oldest first."""
        bounds = self._bounds(start_us, end_us, now_us)
        if bounds is None:
            return
        slot, last = bounds
        while slot <= last:
            end = min(slot + size - 1, last)
            part = self._window(slot, end, now_us)
            if part:
                yield part
            slot = end + 1 if part else max(end + 1, self._first_slot_from(end + 1, last))

    def _bounds(self, start_us: int | None, end_us: int | None, now_us: int | None) -> tuple[int, int] | None:
        """Return the first and last slot that can hold a candle of ``[start_us, end_us)``, or None."""
        earliest = self._nearest(_ALL_START_US, before=False)
        latest = self._nearest(_ALL_END_US, before=True)
        if earliest is None or latest is None:
            return None
        slot = self._interval.slot
        first, last = slot(earliest), slot(max(latest, now_us or latest))
        if start_us is not None:
            # A candle belongs to the range by its open time, so one that began before it is out.
            first = max(first, slot(min(max(start_us, _ALL_START_US), _ALL_END_US) - 1) + 1)
        if end_us is not None:
            last = min(last, slot(min(max(end_us, _ALL_START_US), _ALL_END_US) - 1))
        return first, last

    def _window(self, first: int, last: int, now_us: int | None) -> list[Candle]:
        """Return the candles of the slots ``first`` to ``last``, as `merged` has them."""
        open_us = self._interval.slot_open_us
        start_us, end_us = open_us(first), open_us(last + 1)
        before = self._traded_near(start_us, before=True)
        after = self._traded_near(end_us, before=False)
        return merged(
            self._interval,
            self._held,
            before=before,
            traded=self._folded(start_us, end_us),
            after=after,
            # One slot more: a kline just before is newer than a trade long before.
            klines=klines.read(
                self._connection, self._symbol_id, self._interval, self._kline_intervals, open_us(first - 1), end_us
            ),
            last_kline_us=self._last_kline_us,
            first=first,
            last=last,
            now_us=now_us,
        )

    def _folded(self, start_us: int, end_us: int) -> list[Candle]:
        start_us = max(start_us, self._floor_us)
        if start_us >= end_us:
            return []
        rows = self._connection.execute(
            candle_sql.fold(self._interval),
            self._parameters(start_us=start_us, end_us=end_us),
            prepare=False if self._source.is_trades else None,
        )
        return list(starmap(Candle, rows.fetchall()))

    def _traded_near(self, at_us: int, *, before: bool) -> Candle | None:
        """Return the candle with trades that is nearest to ``at_us``, a candle's open time."""
        traded_us = self._nearest_traded(at_us, before=before)
        if traded_us is None:
            return None
        open_us = self._interval.open_time_us(traded_us)
        return self._folded(open_us, self._interval.next_open_us(open_us))[0]

    def _last_slot_before(self, slot: int) -> int:
        at_us = self._nearest(self._interval.slot_open_us(slot), before=True)
        return _NO_SLOT if at_us is None else self._interval.slot(at_us)

    def _first_slot_from(self, slot: int, otherwise: int) -> int:
        at_us = self._nearest(self._interval.slot_open_us(slot), before=False)
        return otherwise + 1 if at_us is None else self._interval.slot(at_us)

    def _nearest(self, at_us: int, *, before: bool) -> int | None:
        """Return the time of the nearest trade or kline, to the precision of its source."""
        traded_us = self._nearest_traded(at_us, before=before)
        times = [] if traded_us is None else [traded_us]
        times += klines.nearest(self._connection, self._symbol_id, self._kline_intervals, at_us, before=before)
        if not times:
            return None
        nearest: int = max(times) if before else min(times)
        return nearest

    def _nearest_traded(self, at_us: int, *, before: bool) -> int | None:
        return nearest_time(
            self._connection, self._source, self._symbol_id, at_us, before=before, floor_us=self._floor_us
        )

    def _parameters(self, **times: int) -> dict[str, Any]:
        return {"symbol_id": self._symbol_id, **times}


def _symbol_id(connection: Connection, symbol: str) -> int | None:
    row = connection.execute("SELECT id FROM symbols WHERE name = %s", (symbol,)).fetchone()
    return None if row is None else row[0]
