"""Minutes to store, and the rows that the tables must then have, window by window."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from app.market.candle import Candle, CandleSource, combine
from app.market.columns.rolling import MINUTE_US
from app.market.interval import ORIGIN_US, Interval
from storage.postgres.connection import Connection, connect
from storage.research.day_states import DayStateReader
from storage.research.minutes import stored_range
from storage.research.research_store import Research
from storage.research.series_builder import SeriesBuilder
from storage.research.tables import series_of
from storage.sides.market_store import MarketStore

MINUTE = Interval.parse("1m")
START_US = 1_723_161_240_000_000  # 2024-08-08T23:54, a minute
DAY_US = 86_400_000_000
COLUMNS = (
    "extract(epoch FROM timestamp)::bigint * 1000000, minute_index, open, high, low, close, volume, trade_count, vwap,"
    " window_minutes, window_spans_sessions, minutes_into_session, is_regular_session, has_gap_from_prior_session"
)


class Place:
    """A database with a store and the tables of research."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.store = MarketStore(self.connect)
        self.research = Research(self.connect, self.store)

    def connect(self) -> Connection:
        return connect(self.url)

    def save(self, candles: Sequence[Candle], symbol: str = "BTCUSDT") -> None:
        self.store.save_klines(symbol, MINUTE, candles)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.connect() as connection:
            return connection.execute(query.encode()).fetchall()

    def table(self, minutes: int, symbol: str = "BTCUSDT") -> list[tuple[Any, ...]]:
        """Return the rows of a symbol, by time, without their symbol and their indicators."""
        return self.rows(f"SELECT {COLUMNS} FROM ohlcv_{minutes}m WHERE symbol = '{symbol}' ORDER BY timestamp")

    def everything(self, minutes: int) -> list[tuple[Any, ...]]:
        """Return all columns of all rows."""
        return self.rows(f"SELECT * FROM ohlcv_{minutes}m ORDER BY symbol, timestamp")


def some_minutes(
    count: int, *, seed: int = 1, missing: Callable[[random.Random], bool] = lambda _: False, start_us: int = START_US
) -> list[Candle]:
    """Return closed minutes as klines; those that are missing are left out. The first and the last are there."""
    dice = random.Random(seed)
    close, found = 10**10, []
    for at in range(count):
        open_ = close
        close = max(10**8, close + dice.randrange(-(10**7), 10**7))
        high, low = max(open_, close) + dice.randrange(10**6), min(open_, close) - dice.randrange(10**6)
        volume = dice.choice((0, dice.randrange(1, 10**12)))
        trades = dice.randrange(1, 50) if volume else 0
        bought = dice.randrange(volume + 1)
        candle = Candle(
            start_us + at * MINUTE_US,
            *((open_, high, low, close) if volume else (open_,) * 4),
            volume,
            volume * open_,
            trades,
            bought,
            bought * open_,
            closed=True,
            complete=True,
            source=CandleSource.KLINE,
        )
        close = candle.close_e8
        if at in (0, count - 1) or not missing(dice):
            found.append(candle)
    return found


def expected_rows(
    minutes: Sequence[Candle], length: int, start_us: int | None = None, end_us: int | None = None
) -> list[tuple[Any, ...]]:
    """Return the rows of `Place.table` for a symbol that is always open, one by one, by `combine`."""
    by_time = {one.open_time_us: one for one in minutes}
    first_us, last_us = min(by_time), max(by_time)
    rows = []
    for end in range(first_us + length * MINUTE_US, last_us + 2 * MINUTE_US, MINUTE_US):
        if (start_us is not None and end <= start_us) or (end_us is not None and end > end_us):
            continue
        times = range(end - length * MINUTE_US, end, MINUTE_US)
        parts = [by_time[time_us] for time_us in times if time_us in by_time]
        if not parts:
            continue
        whole = combine(times[0], parts)
        into = ((end - MINUTE_US) % DAY_US) // MINUTE_US + 1
        spans = times[0] // DAY_US != (end - MINUTE_US) // DAY_US
        rows.append(
            (
                end,
                (end - ORIGIN_US) // MINUTE_US % length,
                *(price / 1e8 for price in whole[1:5]),
                whole.volume_e8 / 1e8,
                whole.trades,
                whole.quote_volume_e16 / whole.volume_e8 / 1e8 if whole.volume_e8 and whole.quote_volume_e16 else None,
                sum(one.complete for one in parts),
                spans,
                into,
                True,
                False,
            )
        )
    return rows


def time_of(time_us: int) -> datetime:
    return datetime.fromtimestamp(time_us // 1_000_000, UTC)


def keep_once(connection: Connection, store: MarketStore) -> int:
    """Bring every kept series up to date, as the thread of a recording program does; return how many rows changed."""
    builder, states, changed = SeriesBuilder(connection, store), DayStateReader(connection), 0
    for symbol, series in groupby((one for one in series_of(connection) if one.kept), key=lambda one: one.symbol):
        known, stored = states.read(symbol), stored_range(store, symbol)
        assert stored is not None
        changed += builder.keep(symbol, list(series), known, stored)
    return changed
