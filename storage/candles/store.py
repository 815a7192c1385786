"""
The store that readers use: candles of any interval, trades, coverage, symbols, and the little they save.

Each call borrows a connection from the pool. Candles and the coverage that judges them are read in one snapshot, so
that they belong together. `storage.candles.candle_reader` reads the candles, `storage.candles.klines` and
`storage.schema.id_ranges` know their tables; the trades themselves are written by `storage.trades`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from typing import Any

from psycopg import sql

from app.market.availability import StoredTimes
from app.market.candle import Candle
from app.market.coverage import IdRanges
from app.market.interval import Interval
from app.market.stored_symbol import DayHeld, StoredSymbol
from app.market.symbol import Symbol
from app.market.trade import Trade
from storage.candles import klines, stored_times, symbol_rows
from storage.candles.candle_reader import SymbolCandleReader
from storage.candles.column_reader import column_parts
from storage.candles.trade_columns import nearest_trade, trade_pages
from storage.postgres.connection import Connection
from storage.postgres.pool import MOST_CONNECTIONS, ConnectionPool
from storage.postgres.repair_locks import RepairNotice
from storage.postgres.symbol_ids import known_symbols, symbol_id_of
from storage.rollups import candle_sql
from storage.rollups.time_sql import microseconds
from storage.rollups.trade_times import hours_of
from storage.schema import id_ranges
from storage.schema.retention_record import trades_kept_from

_FINEST_ROLLUP = Interval.parse("5s")  # retention drops trades and keeps the rollups

_TRADES = sql.SQL(
    """
    SELECT trade_id, {time_us}, trunc(price * 100000000)::bigint, trunc(quantity * 100000000)::bigint, is_buyer_maker
    FROM trades
    WHERE symbol_id = %s AND trade_id BETWEEN %s AND %s
        AND time >= timestamptz 'epoch' + %s * interval '1 microsecond'
        AND time < timestamptz 'epoch' + %s * interval '1 microsecond'
    ORDER BY trade_id
    """
).format(time_us=microseconds("time"))

_COUNT_TRADES = """
    SELECT count(*) FROM trades
    WHERE symbol_id = %s AND time >= timestamptz 'epoch' + %s * interval '1 microsecond'
        AND time < timestamptz 'epoch' + %s * interval '1 microsecond'
"""
_SYMBOLS = sql.SQL('SELECT {} FROM symbols WHERE status IS NOT NULL ORDER BY symbol COLLATE "C"').format(
    symbol_rows.COLUMNS
)


class PostgresStore:
    """
    A `app.market.ports.database.MarketStore`. Any number of threads may use it; each call borrows a connection.

    ``connect`` makes a connection and may raise StoreError; the thread that needs one calls it. ``most``: connections
    open at a time.
    """

    def __init__(self, connect: Callable[[], Connection], most: int = MOST_CONNECTIONS) -> None:
        def connect_reader() -> Connection:
            connection = connect()
            candle_sql.load_numerics_as_int(connection)
            return connection

        self._pool = ConnectionPool(connect_reader, most=most)
        self._notice = RepairNotice(self._pool.borrowed)

    @property
    def pool(self) -> ConnectionPool:
        """The connections that other readers of this database share; they are closed with the store."""
        return self._pool

    def close(self, timeout_s: float = 0.0) -> None:
        """Close idle connections now, those in use as they are given back; hang up on the rest after ``timeout_s``."""
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
        """See `app.market.ports.storage.CandleReader`."""
        if limit is not None and limit <= 0:
            return []
        with self._snapshot("read candles") as connection:
            reader = SymbolCandleReader.open(connection, symbol, interval)
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
    ) -> Generator[list[Candle], None, None]:
        """
        Yield the candles that `candles` returns for the same arguments, in parts of at most ``batch``, oldest first.

        Memory is bounded by the part. All parts come from one snapshot: trades stored meanwhile are not in it. The
        iterator holds a connection: close it, or read it to its end.
        """
        with self._snapshot("read candles") as connection:
            reader = SymbolCandleReader.open(connection, symbol, interval)
            if reader is not None:
                yield from reader.parts(start_us, end_us, now_us, batch)

    def iter_candle_columns(
        self, symbol: str, interval: Interval, *, start_us: int | None = None, end_us: int | None = None
    ) -> Generator[Any, None, None]:
        """See `app.market.ports.storage.CandleReader`."""
        with self._snapshot("read candles") as connection:
            reader = SymbolCandleReader.open(connection, symbol, interval)
            if reader is not None:
                yield from column_parts(reader, start_us, end_us)

    def traded_candles(self, symbol: str, interval: Interval, start_us: int, end_us: int) -> list[Candle]:
        """See `app.market.ports.storage.CandleReader`."""
        with self._snapshot("read candles") as connection:
            reader = SymbolCandleReader.open(connection, symbol, interval)
            if reader is not None and reader.lacks_trades(start_us):
                # Coarser than asked for, but it says where the dropped trades were.
                reader = SymbolCandleReader.open(connection, symbol, _FINEST_ROLLUP)
            return [] if reader is None else reader.traded_candles(start_us, end_us)

    def recounted_candles(self, symbol: str, interval: Interval, start_us: int, end_us: int) -> list[Candle]:
        """See `app.market.ports.storage.TruthReader`."""
        with self._snapshot("read trades") as connection:
            reader = SymbolCandleReader.open(connection, symbol, interval, from_trades=True)
            return [] if reader is None else reader.traded_candles(start_us, end_us)

    def klines(self, symbol: str, interval: Interval, start_us: int, end_us: int) -> list[Candle]:
        """See `app.market.ports.storage.TruthReader`."""
        with self._snapshot("read klines") as connection:
            reader = SymbolCandleReader.open(connection, symbol, interval)
            return [] if reader is None else reader.klines(start_us, end_us)

    def save_klines(
        self, symbol: str, interval: Interval, candles: Sequence[Candle], fetched: tuple[int, int] | None = None
    ) -> int:
        """See `app.market.ports.storage.KlineStore`."""
        closed = [candle for candle in candles if candle.closed]
        if not closed and fetched is None:
            return 0
        with self._pool.borrowed("store klines") as connection:
            return klines.save(connection, symbol, interval, closed, fetched)

    def fetched_klines(self, symbol: str, interval: Interval) -> IdRanges:
        """See `app.market.ports.storage.KlineStore`."""
        with self._pool.borrowed("read which klines were fetched") as connection:
            return klines.fetched_ranges(connection, symbol_id_of(connection, symbol), interval)

    def stored_times(self, symbol: str, interval: Interval) -> StoredTimes:
        """See `app.market.ports.storage.CandleReader`."""
        with self._snapshot("read when candles are stored") as connection:
            return stored_times.read(connection, symbol_id_of(connection, symbol), interval)

    def save_listing(self, symbol: str, listed_us: int) -> None:
        """See `app.market.ports.storage.KlineStore`."""
        with self._pool.borrowed("store when a symbol was listed") as connection:
            klines.save(connection, symbol, klines.EVERY_INTERVAL, [], (0, listed_us))

    def save_fetched_trades(self, symbol: str, start_us: int, end_us: int) -> None:
        """See `app.market.ports.storage.FetchedTrades`."""
        with self._pool.borrowed("store which trades were fetched") as connection:
            klines.save(connection, symbol, klines.EVERY_TRADE, [], (start_us, end_us))

    def forget_fetched_trades(self, symbol: str, start_us: int, end_us: int) -> None:
        """See `app.market.ports.storage.FetchedTrades`."""
        with self._pool.borrowed("store which trades were fetched") as connection:
            klines.forget_range(connection, symbol, klines.EVERY_TRADE, start_us, end_us)

    def fetched_trades(self, symbol: str) -> IdRanges:
        """See `app.market.ports.storage.FetchedTrades`."""
        return self.fetched_klines(symbol, klines.EVERY_TRADE)

    def trades(self, symbol: str, first_trade_id: int, last_trade_id: int) -> list[Trade]:
        """See `app.market.ports.storage.TradeReader`."""
        with self._snapshot("read trades") as connection:
            symbol_id = symbol_id_of(connection, symbol)
            hours = hours_of(connection, symbol_id, first_trade_id, last_trade_id)
            if hours is None:
                return []
            values = (symbol_id, first_trade_id, last_trade_id, *hours)
            return [Trade(symbol, *row) for row in connection.execute(_TRADES, values, prepare=False)]

    def iter_trade_columns(self, symbol: str, start_us: int, end_us: int) -> Generator[Any, None, None]:
        """See `app.market.ports.storage.TradeReader`."""
        with self._snapshot("read trades") as connection:
            symbol_id = symbol_id_of(connection, symbol)
            if symbol_id is not None:
                yield from trade_pages(connection, symbol, symbol_id, start_us, end_us)

    def nearest_trade(self, symbol: str, at_us: int, *, before: bool) -> Trade | None:
        """See `app.market.ports.storage.TradeReader`."""
        with self._pool.borrowed("look for a trade") as connection:
            symbol_id = symbol_id_of(connection, symbol)
            return None if symbol_id is None else nearest_trade(connection, symbol, symbol_id, at_us, before=before)

    def kept_trades_from(self) -> int | None:
        """Return the time (UTC microseconds) before which retention may have dropped trades; None if it did not."""
        with self._pool.borrowed("read the retention of trades") as connection:
            return trades_kept_from(connection)

    def count_trades(self, symbol: str, start_us: int, end_us: int) -> int:
        """Return how many trades of ``[start_us, end_us)`` are stored, one by one."""
        with self._pool.borrowed("count trades") as connection:
            symbol_id = symbol_id_of(connection, symbol)
            row = connection.execute(_COUNT_TRADES, (symbol_id, start_us, end_us), prepare=False).fetchone()
            return row[0] if row else 0

    def hours_of(self, symbol: str, first_trade_id: int, last_trade_id: int) -> tuple[int, int] | None:
        """See `app.market.ports.storage.TradeReader`."""
        with self._pool.borrowed("look for trades") as connection:
            return hours_of(connection, symbol_id_of(connection, symbol), first_trade_id, last_trade_id)

    def coverage(self, symbol: str) -> IdRanges:
        """See `app.market.ports.storage.CoverageStore`."""
        with self._pool.borrowed("read the coverage") as connection:
            return id_ranges.read(connection, id_ranges.COVERAGE, symbol_id_of(connection, symbol))

    def save_absent(self, symbol: str, absent: Sequence[tuple[int, int]]) -> None:
        """See `app.market.ports.storage.CoverageStore`."""
        if absent:
            with self._pool.borrowed("record absent trades") as connection:
                id_ranges.record_absent(connection, symbol, absent)

    def coverage_of(self, symbols: Collection[str]) -> dict[str, IdRanges]:
        """See `app.market.ports.storage.CoverageStore`."""
        with self._pool.borrowed("read the coverage") as connection:
            return id_ranges.read_all(connection, id_ranges.COVERAGE, symbols)

    def coverage_from(self, first_ids: Mapping[str, int]) -> dict[str, IdRanges]:
        """See `app.market.ports.storage.CoverageStore`."""
        with self._pool.borrowed("read the coverage") as connection:
            return id_ranges.read_from(connection, first_ids)

    def absent_of(self, symbols: Collection[str]) -> dict[str, IdRanges]:
        """See `app.market.ports.storage.CoverageStore`."""
        with self._pool.borrowed("read the absent trades") as connection:
            return id_ranges.read_all(connection, id_ranges.ABSENT, symbols)

    def stored_symbols(self) -> list[StoredSymbol]:
        """See `app.market.ports.storage.InventoryReader`."""
        from storage.candles import stored_symbols  # here, as below: the window opens without

        with self._snapshot("read what is stored") as connection:
            return stored_symbols.read(connection)

    def stored_symbol(self, symbol: str) -> StoredSymbol | None:
        """See `app.market.ports.storage.InventoryReader`."""
        from storage.candles import stored_symbols

        with self._snapshot("read what is stored") as connection:
            return stored_symbols.read_one(connection, symbol)

    def stored_days(self, symbol: str) -> list[DayHeld]:
        """See `app.market.ports.storage.InventoryReader`."""
        from storage.candles import stored_symbols

        with self._snapshot("read what is stored") as connection:
            return stored_symbols.read_days(connection, symbol_id_of(connection, symbol))

    def announce_repairs(self, small: Collection[str], whole: Collection[str], largest: int) -> set[str]:
        """See `app.market.ports.storage.RepairAnnouncements`."""
        return self._notice.announce(small, whole, largest)

    def save_symbols(self, symbols: Sequence[Symbol]) -> None:
        """See `app.market.ports.storage.SymbolStore`."""
        if symbols:
            with self._pool.borrowed("store the symbols") as connection:
                symbol_rows.save(connection, symbols)

    def symbols(self) -> list[Symbol]:
        """See `app.market.ports.storage.SymbolStore`."""
        with self._pool.borrowed("read the symbols") as connection:
            return [symbol_rows.symbol_of_row(row) for row in connection.execute(_SYMBOLS)]

    def symbol_names(self) -> set[str]:
        """See `app.market.ports.storage.SymbolStore`."""
        with self._pool.borrowed("read the symbols") as connection:
            return known_symbols(connection)

    @contextlib.contextmanager
    def _snapshot(self, doing: str) -> Iterator[Connection]:
        """Borrow a connection, inside a transaction whose statements all see one snapshot."""
        with self._pool.borrowed(doing) as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield connection
