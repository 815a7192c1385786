"""
The store of a database with symbols of all brokers: each question goes by the symbol's broker.

Who asks for candles need not know what they are made of. Of ticks they are those of the mid; `of_side` has the others.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from app.market.availability import StoredTimes
from app.market.calendar.calendar import Calendar
from app.market.candle import Candle
from app.market.coverage import IdRanges
from app.market.interval import Interval
from app.market.ports.sessions import KeptSessions
from app.market.quotes.tick import PriceSide
from app.market.symbol import BROKER, broker_of
from storage.candles.read_only import ReadOnlyStore
from storage.candles.store import PostgresStore
from storage.postgres.connection import Connection
from storage.postgres.pool import MOST_CONNECTIONS
from storage.quotes.tick_store import TickStore
from storage.sides.symbol_calendars import SymbolCalendars

if TYPE_CHECKING:
    from app.market.calendar.session_gaps import SessionGap
    from app.market.calendar.session_rows import SessionRow
    from storage.sides.side_store import SideStore


class _Range(TypedDict, total=False):
    start_us: int | None
    end_us: int | None


class _Page(_Range, total=False):
    limit: int | None
    now_us: int | None


class _Parts(_Range, total=False):
    now_us: int | None
    batch: int


class MarketStore(PostgresStore):
    """
    A `app.market.ports.database.MarketStore`; see `PostgresStore`, and for the calendars `SymbolCalendars`.
    """

    is_read_only = False

    def __init__(
        self,
        connect: Callable[[], Connection],
        most: int = MOST_CONNECTIONS,
        *,
        calendars: Mapping[str, str] | None = None,
        named_calendar: Callable[[str], Calendar] | None = None,
    ) -> None:
        super().__init__(connect, most)
        self._calendars = SymbolCalendars(self.pool, calendars or {}, named_calendar)
        self.tick_store = TickStore(self.pool)
        self._sides: dict[PriceSide, SideStore] = {}

    def of_side(self, side: PriceSide) -> SideStore:
        """See `app.market.ports.ticks.SideStores`."""
        found = self._sides.get(side)
        if found is None:
            from storage.sides.side_store import SideStore  # here: a start with trades alone needs none

            made = SideStore(self.pool, self.tick_store, side, self._calendars.of, saves=not self.is_read_only)
            found = self._sides.setdefault(side, made)
        return found

    def reading_alike(self, connect: Callable[[], Connection], most: int) -> ReadOnlyMarketStore:
        """Return a store of the same database on other connections, with the same calendars."""
        choice = self._calendars
        return ReadOnlyMarketStore(connect, most, calendars=choice.chosen, named_calendar=choice.named)

    def calendar_at_once(self, symbol: str) -> Calendar | None:
        """See `app.market.ports.sessions.SessionStore`."""
        return self._calendars.at_once(symbol)

    def calendar_of(self, symbol: str) -> Calendar:
        """See `app.market.ports.sessions.SessionStore`."""
        return self._calendars.of(symbol)

    def learn_calendar(self, symbol: str, calendar: Calendar) -> None:
        """See `app.market.ports.sessions.SessionStore`."""
        self._calendars.learn(symbol, calendar)

    def keep_sessions(self, now_us: int, symbols: Sequence[str] = (), *, whole: bool = False) -> list[KeptSessions]:
        """See `app.market.ports.sessions.SessionStore`."""
        from storage.sides import session_keeper  # here: needed once a day

        return session_keeper.keep(self.pool, self, self._calendars, now_us, symbols, whole=whole)

    def stored_sessions(self, exchange: str) -> list[SessionRow]:
        """See `app.market.ports.sessions.SessionStore`."""
        from storage.sides import session_rows

        with self.pool.borrowed("read sessions") as connection:
            return session_rows.calendar_rows(connection, exchange)

    def stored_session_gaps(self, symbol: str) -> list[SessionGap]:
        """See `app.market.ports.sessions.SessionStore`."""
        from storage.sides import session_rows

        with self.pool.borrowed("read the gaps between sessions") as connection:
            return session_rows.read_gaps(connection, symbol)

    def _mid_of(self, symbol: str) -> SideStore | None:
        """Return the candles of the mid of a symbol with ticks; None for one with trades."""
        return None if broker_of(symbol) == BROKER else self.of_side(PriceSide.MID)

    def candles(self, symbol: str, interval: Interval, **page: Unpack[_Page]) -> list[Candle]:
        mid = self._mid_of(symbol)
        return super().candles(symbol, interval, **page) if mid is None else mid.candles(symbol, interval, **page)

    def iter_candles(
        self, symbol: str, interval: Interval, **parts: Unpack[_Parts]
    ) -> Generator[list[Candle], None, None]:
        mid = self._mid_of(symbol)
        if mid is not None:
            return mid.iter_candles(symbol, interval, **parts)
        return super().iter_candles(symbol, interval, **parts)

    def iter_candle_columns(
        self, symbol: str, interval: Interval, **within: Unpack[_Range]
    ) -> Generator[Any, None, None]:
        mid = self._mid_of(symbol)
        if mid is not None:
            return mid.iter_candle_columns(symbol, interval, **within)
        return super().iter_candle_columns(symbol, interval, **within)

    def stored_times(self, symbol: str, interval: Interval) -> StoredTimes:
        mid = self._mid_of(symbol)
        return super().stored_times(symbol, interval) if mid is None else mid.stored_times(symbol, interval)

    def traded_candles(self, symbol: str, interval: Interval, start_us: int, end_us: int) -> list[Candle]:
        mid = self._mid_of(symbol)
        return (
            super().traded_candles(symbol, interval, start_us, end_us)
            if mid is None
            else mid.traded_candles(symbol, interval, start_us, end_us)
        )

    def save_klines(
        self, symbol: str, interval: Interval, candles: Sequence[Candle], fetched: tuple[int, int] | None = None
    ) -> int:
        mid = self._mid_of(symbol)
        return (
            super().save_klines(symbol, interval, candles, fetched)
            if mid is None
            else mid.save_klines(symbol, interval, candles, fetched)
        )

    def fetched_klines(self, symbol: str, interval: Interval) -> IdRanges:
        mid = self._mid_of(symbol)
        return super().fetched_klines(symbol, interval) if mid is None else mid.fetched_klines(symbol, interval)

    def save_listing(self, symbol: str, listed_us: int) -> None:
        if self._mid_of(symbol) is None:
            super().save_listing(symbol, listed_us)


class ReadOnlyMarketStore(MarketStore, ReadOnlyStore):
    """A `MarketStore` that reads as usual and saves nothing."""

    is_read_only = True

    def keep_sessions(self, now_us: int, symbols: Sequence[str] = (), *, whole: bool = False) -> list[KeptSessions]:
        """Keep nothing."""
        return []
