"""
Keeps `trading_sessions` and `session_gaps`: sessions of the calendars in use, and what prices did between them.

Gaps come from the coarsest candles whose slots no session's start or end divides, so twenty years of forex are read as
hours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime

from app.market.calendar.calendar import Calendar, Session
from app.market.calendar.session_gaps import session_gaps, session_prices
from app.market.calendar.session_rows import session_rows
from app.market.candle import CandleSource
from app.market.interval import Interval
from app.market.ports.sessions import KeptSessions
from app.market.ports.storage import CandleReader
from storage.postgres.pool import ConnectionPool
from storage.sides import session_rows as table
from storage.sides.symbol_calendars import SymbolCalendars

_DAY_US = 86_400_000_000
_AHEAD_US = 56 * _DAY_US
_AGAIN_US = 14 * _DAY_US  # of the gaps known, the last that are made again: their prices may have come late
_SOURCES = [Interval.parse(text) for text in ("1d", "1h", "15m", "1m")]

_SYMBOLS = """
    SELECT symbol FROM symbols s
    WHERE symbol = ANY(%s) OR broker <> 'binance' AND (
        EXISTS (SELECT FROM quote_rollup_1d WHERE symbol_id = s.id)
        OR EXISTS (SELECT FROM quote_klines WHERE symbol_id = s.id)
    )
    ORDER BY symbol COLLATE "C"
"""


def keep(
    pool: ConnectionPool,
    prices: CandleReader,
    calendars: SymbolCalendars,
    now_us: int,
    symbols: Sequence[str] = (),
    *,
    whole: bool = False,
) -> list[KeptSessions]:
    """See `app.market.ports.sessions.SessionStore.keep_sessions`; ``prices`` has the candles of every symbol."""
    with pool.borrowed("read the symbols") as connection:
        found = [name for (name,) in connection.execute(_SYMBOLS, ([*calendars.chosen],))]
    begins = {name: _first_us(prices, name) for name in found if not symbols or name in symbols}
    return [
        _kept(pool, prices, calendars.of(name), name, first_us, now_us, whole=whole)
        for name, first_us in begins.items()
        if first_us is not None
    ]


def _first_us(prices: CandleReader, symbol: str) -> int | None:
    """Return when stored prices begin: each interval of the broker's candles was fetched separately."""
    begins = [prices.stored_times(symbol, source).first_us for source in _SOURCES]
    return min((begin_us for begin_us in begins if begin_us is not None), default=None)


def _kept(
    pool: ConnectionPool,
    prices: CandleReader,
    calendar: Calendar,
    symbol: str,
    first_us: int,
    now_us: int,
    *,
    whole: bool,
) -> KeptSessions:
    with pool.borrowed("store sessions") as connection, connection.transaction():
        table.save_sessions(connection, session_rows(calendar, first_us, now_us + _AHEAD_US))
        count = table.count_sessions(connection, calendar.name)
        known = None if whole else table.last_gap(connection, symbol)
    start_us = first_us if known is None else max(first_us, _day_us(known) - _AGAIN_US)
    sessions = calendar.sessions(start_us, now_us)
    found = session_prices(sessions, _prices(prices, symbol, sessions, now_us))
    # The first of them has its gap from a session before these.
    after = found[0].date if found and known is not None else None
    with pool.borrowed("store gaps") as connection, connection.transaction():
        gaps = table.save_gaps(connection, symbol, session_gaps(symbol, sessions, found), after)
    return KeptSessions(symbol, calendar.name, count, gaps)


def _prices(
    prices: CandleReader, symbol: str, sessions: Sequence[Session], now_us: int
) -> Iterator[tuple[int, int, int]]:
    """Yield open time, open and close of the candles in these sessions; none of a time without a price."""
    if not sessions:
        return
    ends = [end for one in sessions for end in (one.start_us, one.end_us) if end is not None]
    source = next((one for one in _SOURCES if not any(end % one.length_us for end in ends)), _SOURCES[-1])
    for part in prices.iter_candles(symbol, source, start_us=min(ends, default=now_us), end_us=now_us):
        for one in part:
            if one.trades or one.source is CandleSource.KLINE:
                yield one.open_time_us, one.open_e8, one.close_e8


def _day_us(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000
