"""A clock that tests set, an exchange in memory, and the slow and obvious way to fold candles."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence

from app.live.environment.clocks import ExchangeClock
from app.live.recording.market_snapshot import MarketSnapshot
from app.live.recording.recorder import Recorder
from app.market.builder import CandleBuilder, finish
from app.market.candle import Candle, CandleSource
from app.market.coverage import IdRanges
from app.market.errors import FeedAway, FeedError
from app.market.interval import SECOND_US, Interval
from app.market.symbol import Symbol
from app.market.trade import DayTicker, Trade
from app.market.units import E8

SYMBOL = "BTCUSDT"
START_US = 1_723_161_600 * SECOND_US  # 2024-08-09T00:00:00Z
PATIENCE_S = 20.0


def trade(
    trade_id: int, seconds: float | None = None, price: int = 100, quantity: int = 1, *, symbol: str = SYMBOL
) -> Trade:
    """Return a trade ``seconds`` after `START_US`; by default its id is the second."""
    time_us = START_US + round((trade_id if seconds is None else seconds) * SECOND_US)
    return Trade(symbol, trade_id, time_us, price * E8, quantity * E8, trade_id % 3 == 0)


def folded(
    trades: Iterable[Trade], interval: Interval, *, now_us: int | None = None, absent: Iterable[tuple[int, int]] = ()
) -> list[Candle]:
    """Return the finished candles of trades, as if no others existed; ``absent`` ids do not count as missing."""
    builder, held = CandleBuilder(interval), IdRanges(absent)
    for one in trades:
        builder.add(one)
        held.add(one.trade_id)
    return finish(builder.candles(), interval, held, now_us=now_us)


def figures(candle: Candle) -> tuple[int, ...]:
    """Return open time, prices, volumes and count: what klines and trades have in common."""
    return tuple(candle[:10])


class HandClock:
    """A clock that advances only when something sleeps by it."""

    def __init__(self, now_us: int = START_US) -> None:
        self.time_us = now_us
        self.slept: list[float] = []
        self.on_sleep: Callable[[float], None] = lambda _: None

    def now_us(self) -> int:
        return self.time_us

    def monotonic_s(self) -> float:
        return self.time_us / SECOND_US

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.on_sleep(seconds)
        self.time_us += round(seconds * SECOND_US)
        await asyncio.sleep(0)


async def until(condition: Callable[[], object], what: str = "the condition") -> None:
    """Return as soon as ``condition`` holds; fail after `PATIENCE_S`."""
    end_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end_s, f"waited in vain for {what}"
        await asyncio.sleep(0.002)


class FakeExchange:
    """A `TradeHistory` over a list of trades, as of a clock; ``failure`` is raised by every call while it is set."""

    def __init__(self, trades: Sequence[Trade], clock: HandClock) -> None:
        self.trades = list(trades)
        self.clock = clock
        self.failure: FeedError | None = None
        self.kline_calls: list[tuple[Interval, int | None, int | None]] = []
        self.trade_calls: list[tuple[int, int]] = []
        self.day_calls: list[list[str]] = []
        self.recent_calls: list[str] = []
        self.published_until: int | None = None  # the newest id the REST side knows; None: all

    def known(self, symbol: str = SYMBOL) -> list[Trade]:
        return [one for one in self.trades if one.symbol == symbol and one.time_us <= self.clock.now_us()]

    async def symbols(self) -> list[Symbol]:
        await self._answer()
        return [Symbol(SYMBOL, "BTC", "USDT", 10**6, 10**3)]

    async def server_time_us(self) -> int:
        await self._answer()
        return self.clock.now_us()

    async def exchange_time_us(self) -> int:
        await self._answer()
        return self.clock.now_us()

    async def day_tickers(self, symbols: Sequence[str]) -> list[DayTicker]:
        self.day_calls.append(list(symbols))
        await self._answer()
        newest = {name: max((one.trade_id for one in self.known(name)), default=None) for name in symbols}
        return [DayTicker(name, self.clock.now_us(), *[0] * 6, newest[name]) for name in symbols]

    async def klines(
        self,
        symbol: str,
        interval: Interval,
        *,
        start_us: int | None = None,
        end_us: int | None = None,
        limit: int = 1000,
    ) -> list[Candle]:
        self.kline_calls.append((interval, start_us, end_us))
        await self._answer()
        known, now_us = self.known(symbol), self.clock.now_us()
        if not known:
            return []
        first = interval.slot(known[0].time_us)
        last = interval.slot(now_us if end_us is None else min(now_us, end_us - 1))
        if start_us is None:
            first = max(first, last - limit + 1)
        else:
            first = max(first, interval.slot(start_us - 1) + 1)
            last = min(last, first + limit - 1)
        return [
            candle._replace(
                first_trade_id=None,
                last_trade_id=None,
                closed=(closed := interval.next_open_us(candle.open_time_us) <= now_us),
                complete=closed,
                source=CandleSource.KLINE,
            )
            for candle in _all_empty_filled(
                near(known, interval, first, last), interval, min(now_us, interval.slot_open_us(last + 1))
            )
            if first <= interval.slot(candle.open_time_us) <= last
        ]

    async def trades_from(self, symbol: str, first_trade_id: int, *, limit: int = 1000) -> list[Trade]:
        self.trade_calls.append((first_trade_id, limit))
        await self._answer()
        until_id = self.published_until
        found = [
            one
            for one in self.known(symbol)
            if one.trade_id >= first_trade_id and (until_id is None or one.trade_id <= until_id)
        ]
        return sorted(found, key=lambda one: one.trade_id)[: min(limit, 1000)]

    async def recent_trades(self, symbol: str, *, limit: int = 1000) -> list[Trade]:
        self.recent_calls.append(symbol)
        await self._answer()
        return self.known(symbol)[-limit:]

    async def first_trade_id_since(self, symbol: str, time_us: int) -> int | None:
        await self._answer()
        return next((one.trade_id for one in self.known(symbol) if one.time_us >= time_us), None)

    async def _answer(self) -> None:
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure


def near(trades: Sequence[Trade], interval: Interval, first: int, last: int) -> list[Trade]:
    """Return the trades, with those outside the slots moved next to them: millions of empty candles take time."""
    from_us, until_us = interval.slot_open_us(first - 1), interval.slot_open_us(last + 1)
    return [one._replace(time_us=min(max(one.time_us, from_us), until_us)) for one in trades]


def _all_empty_filled(trades: Sequence[Trade], interval: Interval, now_us: int) -> list[Candle]:
    """Fold trades whose ids may have gaps: the exchange has all of its trades, so none is missing."""
    ordered = sorted(trades, key=lambda one: one.trade_id)
    return folded([one._replace(trade_id=number) for number, one in enumerate(ordered, 1)], interval, now_us=now_us)


def recorder_for(
    *symbols: str, clock: HandClock | None = None, repair_trades: int = 1000, queue_trades: int = 10_000
) -> Recorder:
    """Return a recorder of these symbols, of `SYMBOL` by default."""
    made = Recorder(
        ExchangeClock(clock or HandClock()), MarketSnapshot(), queue_trades=queue_trades, repair_trades=repair_trades
    )
    made.set_symbols(symbols or (SYMBOL,))
    return made


def away(sentence: str = "The exchange cannot be reached: check the connection.") -> FeedAway:
    """Return the error of an exchange that is away."""
    return FeedAway(sentence)
