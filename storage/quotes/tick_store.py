"""Reads ticks, their candles, and the times fetched; each call borrows a connection."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Generator, Iterator
from typing import TYPE_CHECKING, Any

from app.market.coverage import IdRanges
from app.market.interval import Interval
from storage.postgres.pool import ConnectionPool
from storage.postgres.symbol_ids import symbol_id_of
from storage.quotes import fetched_ranges
from storage.schema.retention_record import quotes_kept_from

if TYPE_CHECKING:
    from app.market.quotes.tick import PriceSide, Tick
    from app.market.quotes.tick_candle import SideBar, TickCandle
    from storage.quotes.tick_candle_reader import SymbolTickReader


class TickStore:
    """A `app.market.ports.ticks.TickReader` on the connections of a pool; any number of threads may use it."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool

    def ticks(self, symbol: str, start_us: int, end_us: int) -> list[Tick]:
        """See `app.market.ports.ticks.TickReader`."""
        with self._reader(symbol) as reader:
            return [] if reader is None else [tick for part in reader.ticks(start_us, end_us) for tick in part]

    def iter_ticks(
        self, symbol: str, start_us: int, end_us: int, *, batch: int = 10_000
    ) -> Generator[list[Tick], None, None]:
        """See `app.market.ports.ticks.TickReader`. All come from one snapshot."""
        with self._reader(symbol) as reader:
            for part in [] if reader is None else reader.ticks(start_us, end_us):
                for start in range(0, len(part), batch):
                    yield part[start : start + batch]

    def iter_tick_columns(self, symbol: str, start_us: int, end_us: int) -> Generator[Any, None, None]:
        """Yield what `iter_ticks` yields as batches of `quote_schema`; no tick becomes an object."""
        from storage.quotes.tick_pages import tick_pages  # here: it loads Arrow

        with self._pool.borrowed("read ticks") as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            symbol_id = symbol_id_of(connection, symbol)
            if symbol_id is not None:
                yield from tick_pages(connection, symbol_id, start_us, end_us)

    def count_ticks(self, symbol: str, start_us: int, end_us: int) -> int:
        """Return how many ticks of ``[start_us, end_us)`` are stored, one by one. Raises StoreError."""
        from storage.quotes.tick_pages import count_ticks

        with self._pool.borrowed("count ticks") as connection:
            return count_ticks(connection, symbol_id_of(connection, symbol), start_us, end_us)

    def kept_ticks_from(self) -> int | None:
        """Return the time (UTC microseconds) before which retention may have dropped ticks; None if it did not."""
        with self._pool.borrowed("read the retention of ticks") as connection:
            return quotes_kept_from(connection)

    def newest_ticks(self, symbols: Collection[str]) -> dict[str, int]:
        """See `app.market.ports.ticks.TickReader`."""
        from app.market.quotes.tick import tick_number
        from storage.quotes.tick_candle_reader import NEWEST

        with self._pool.borrowed("read the newest ticks") as connection:
            rows = connection.execute(NEWEST, (list(symbols),)).fetchall()
        return {symbol: tick_number(time_us, place) for symbol, time_us, place in rows}

    def ticks_after(self, symbol: str, number: int, limit: int) -> list[Tick]:
        """See `app.market.ports.ticks.TickReader`."""
        from app.market.quotes.tick import time_and_place

        with self._reader(symbol) as reader:
            return [] if reader is None else reader.after(*time_and_place(number), limit)

    def tick_candles(
        self,
        symbol: str,
        interval: Interval,
        *,
        start_us: int | None = None,
        end_us: int | None = None,
        limit: int | None = None,
    ) -> list[TickCandle]:
        """See `app.market.ports.ticks.TickReader`."""
        if limit is not None and limit <= 0:
            return []
        with self._reader(symbol) as reader:
            return [] if reader is None else reader.newest(interval, start_us, end_us, limit)

    def side_bars(
        self,
        symbol: str,
        interval: Interval,
        side: PriceSide,
        *,
        start_us: int | None = None,
        end_us: int | None = None,
        limit: int | None = None,
    ) -> tuple[list[SideBar], IdRanges]:
        """Return the candles of one price, as `tick_candles` has them, and the times fetched (`fetched_ticks`)."""
        if limit is not None and limit <= 0:
            return [], IdRanges()
        with self._reader(symbol) as reader:
            if reader is None:
                return [], IdRanges()
            return reader.newest_of_side(interval, side, start_us, end_us, limit), reader.fetched()

    def iter_tick_candles(
        self,
        symbol: str,
        interval: Interval,
        *,
        start_us: int | None = None,
        end_us: int | None = None,
        batch: int = 5_000,
    ) -> Generator[list[TickCandle], None, None]:
        """See `app.market.ports.ticks.TickReader`. All come from one snapshot."""
        with self._reader(symbol) as reader:
            if reader is not None:
                yield from reader.parts(interval, start_us, end_us, batch)

    def fetched_ticks(self, symbol: str) -> IdRanges:
        """See `app.market.ports.ticks.TickReader`."""
        with self._pool.borrowed("read the times fetched") as connection:
            return fetched_ranges.read(connection, symbol_id_of(connection, symbol))

    @contextlib.contextmanager
    def _reader(self, symbol: str) -> Iterator[SymbolTickReader | None]:
        """Borrow a connection inside a transaction whose statements all see one snapshot; None for no such symbol."""
        from storage.quotes.tick_candle_reader import SymbolTickReader  # here: a start with trades alone needs none

        with self._pool.borrowed("read ticks") as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            symbol_id = symbol_id_of(connection, symbol)
            kept_from_us = None if symbol_id is None else quotes_kept_from(connection)
            yield None if symbol_id is None else SymbolTickReader(connection, symbol, symbol_id, kept_from_us)
