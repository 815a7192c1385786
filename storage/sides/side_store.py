"""
The candles of one price of ticks, as everything that reads candles wants them.

A candle is made of ticks where all of its time is known (`app.market.quote_candles`); else it is the broker's own if
one is stored; else it is made of the ticks there are, and incomplete.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from itertools import chain
from typing import Any

from app.market.availability import StoredTimes
from app.market.calendar.calendar import Calendar
from app.market.candle import Candle
from app.market.columns.candle_columns import columns_of
from app.market.coverage import IdRanges
from app.market.interval import Interval
from app.market.quote_candles.side_candles import finish_side, finished_bars
from app.market.quotes.tick import PriceSide
from storage.postgres.pool import ConnectionPool
from storage.postgres.symbol_ids import symbol_id_of
from storage.quotes.tick_store import TickStore
from storage.sides import quote_klines

_BATCH = 5_000


class SideStore:
    """
    A `app.market.ports.storage.CandleStore` of symbols with ticks, for one price; any number of threads may use it.

    ``calendar_of`` returns when the market of a symbol is closed. Without ``saves`` nothing is kept.
    """

    def __init__(
        self,
        pool: ConnectionPool,
        ticks: TickStore,
        side: PriceSide,
        calendar_of: Callable[[str], Calendar],
        *,
        saves: bool = True,
    ) -> None:
        self._pool = pool
        self._ticks = ticks
        self._side = side
        self._calendar_of = calendar_of
        self._saves = saves

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
        bars, fetched = self._ticks.side_bars(
            symbol, interval, self._side, start_us=start_us, end_us=end_us, limit=limit
        )
        made = finished_bars(bars, interval, fetched, self._calendar_of(symbol), limit) if bars else []
        # Beside ticks of a page that is full, older candles of the broker are not wanted.
        first_us = made[0].open_time_us if limit is not None and len(made) >= limit else start_us
        published = self._published(symbol, interval, first_us, end_us, limit)
        if not published:
            return made
        merged = {one.open_time_us: one for one in published}
        merged |= {one.open_time_us: one for one in made if one.complete or one.open_time_us not in merged}
        ordered = [merged[open_us] for open_us in sorted(merged)]
        return ordered if limit is None else ordered[len(ordered) - min(limit, len(ordered)) :]

    def iter_candles(
        self,
        symbol: str,
        interval: Interval,
        *,
        start_us: int | None = None,
        end_us: int | None = None,
        now_us: int | None = None,
        batch: int = _BATCH,
    ) -> Generator[list[Candle], None, None]:
        """See `app.market.ports.storage.CandleReader`."""
        times = self.stored_times(symbol, interval)
        ranges = (*times.traded, *times.klines, *self._outermost(symbol), *self._published_ends(symbol, interval))
        if not ranges:
            return
        ends = [*chain.from_iterable(ranges)]
        first_us = start_us or 0
        last_us = min(max(ends) + 1, end_us) if end_us is not None else max(ends) + 1
        at_us = interval.open_time_us(max(min(ends), first_us))
        fetched, calendar = self._ticks.fetched_ticks(symbol), self._calendar_of(symbol)
        before = self.candles(symbol, interval, end_us=at_us, limit=1)
        while at_us < last_us:
            until_us = min(interval.slot_open_us(interval.slot(at_us) + batch), last_us)
            part = self.candles(symbol, interval, start_us=max(at_us, first_us), end_us=until_us)
            if part:
                # Between two parts, too, a slot without a tick is an empty candle where all of it is known.
                empty = finish_side([*before, part[0]], interval, fetched, calendar)[len(before) : -1]
                yield [*(one for one in empty if one.open_time_us >= first_us), *part]
                before = part[-1:]
            at_us = until_us

    def iter_candle_columns(
        self, symbol: str, interval: Interval, *, start_us: int | None = None, end_us: int | None = None
    ) -> Generator[Any, None, None]:
        """See `app.market.ports.storage.CandleReader`."""
        for candles in self.iter_candles(symbol, interval, start_us=start_us, end_us=end_us):
            yield columns_of(candles)

    def stored_times(self, symbol: str, interval: Interval) -> StoredTimes:
        """See `app.market.ports.storage.CandleReader`; ``traded`` are the times of which all ticks are stored."""
        fetched = tuple(self._ticks.fetched_ticks(symbol))
        return StoredTimes(fetched or self._outermost(symbol), self.fetched_klines(symbol, interval))

    def traded_candles(self, symbol: str, interval: Interval, start_us: int, end_us: int) -> list[Candle]:
        """Ticks have no ids, so no candle of them says where ids lie: return none."""
        return []

    def save_klines(
        self, symbol: str, interval: Interval, klines: Sequence[Candle], fetched: tuple[int, int] | None = None
    ) -> int:
        """See `app.market.ports.storage.KlineStore`: candles as the broker published them. Return how many changed."""
        if not self._saves:
            return 0
        with self._pool.borrowed("store candles") as connection:
            return quote_klines.save(connection, symbol, interval, self._side, klines, fetched)

    def fetched_klines(self, symbol: str, interval: Interval) -> IdRanges:
        """See `app.market.ports.storage.KlineStore`."""
        with self._pool.borrowed("read the times fetched") as connection:
            return quote_klines.fetched_times(connection, symbol_id_of(connection, symbol), interval, self._side)

    def save_listing(self, symbol: str, listed_us: int) -> None:
        """Keep nothing: an instrument's description says from when on it is known."""

    def _published(
        self, symbol: str, interval: Interval, start_us: int | None, end_us: int | None, limit: int | None
    ) -> list[Candle]:
        calendar = self._calendar_of(symbol)  # first: it may need a connection, and the pool may have just one
        with self._pool.borrowed("read candles") as connection:
            symbol_id = symbol_id_of(connection, symbol)
            if symbol_id is None:
                return []
            return quote_klines.read(connection, symbol_id, interval, self._side, start_us, end_us, calendar, limit)

    def _published_ends(self, symbol: str, interval: Interval) -> list[tuple[int, int]]:
        with self._pool.borrowed("read candles") as connection:
            symbol_id = symbol_id_of(connection, symbol)
            return [] if symbol_id is None else quote_klines.ends(connection, symbol_id, interval)

    def _outermost(self, symbol: str) -> tuple[tuple[int, int], ...]:
        """Return the open times of the first and last candle of ticks, where no time was fetched whole."""
        day = Interval.parse("1d")
        newest = self._ticks.tick_candles(symbol, day, limit=1)
        if not newest:
            return ()
        oldest = next(iter(self._ticks.iter_tick_candles(symbol, day, batch=1)))
        return ((oldest[0].first[0], newest[-1].last[0]),)
