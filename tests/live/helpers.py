"""A clock that tests set, an exchange and a store in memory, and the slow and obvious way to fold candles."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import groupby

from app.live.board import MarketBoard
from app.live.clock import ExchangeClock
from app.live.recorder import Recorder
from app.market.builder import CandleBuilder, finish
from app.market.candle import Candle, CandleSource, combine
from app.market.coverage import IdRanges
from app.market.errors import FeedDisconnected, FeedError, StoreUnavailable
from app.market.interval import SECOND_US, Interval
from app.market.ports import StoredListener, WriterStatus
from app.market.symbol import Symbol
from app.market.trade import DayTicker, Trade
from app.market.units import E8

SYMBOL = "BTCUSDT"
START_US = 1_723_161_600 * SECOND_US  # 2024-08-09T00:00:00Z
PATIENCE_S = 20.0


def trade(
    trade_id: int, seconds: float | None = None, price: int = 100, quantity: int = 1, *, symbol: str = SYMBOL
) -> Trade:
    """Return a trade so many seconds after `START_US`; by default one a second, counted by its id."""
    time_us = START_US + round((trade_id if seconds is None else seconds) * SECOND_US)
    return Trade(symbol, trade_id, time_us, price * E8, quantity * E8, trade_id % 3 == 0)


def folded(
    trades: Iterable[Trade], interval: Interval, *, now_us: int | None = None, absent: Iterable[tuple[int, int]] = ()
) -> list[Candle]:
    """Return the finished candles of trades, as if they were all that ever happened, but for ``absent`` ids."""
    builder, held = CandleBuilder(interval), IdRanges(absent)
    for one in trades:
        builder.add(one)
        held.add(one.trade_id)
    return finish(builder.candles(), interval, held, now_us=now_us)


def figures(candle: Candle) -> tuple[int, ...]:
    """Return open time, prices, volumes and count: what klines and trades have in common."""
    return tuple(candle[:10])


class HandClock:
    """A clock that stands still but while someone sleeps by it."""

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


class FakeWriter:
    """A `TradeWriter` that keeps what it is given; ``room`` is how many more trades it takes."""

    def __init__(self, room: int = 1 << 60) -> None:
        self.room = room
        self.reason = ""
        self.trades: list[Trade] = []
        self.waits = 0
        self.on_wait: Callable[[], None] = lambda: None
        self.tell_stored: StoredListener = lambda trades, took_s: None

    @property
    def ids(self) -> list[int]:
        return [one.trade_id for one in self.trades]

    @property
    def status(self) -> WriterStatus:
        return WriterStatus(self.reason, 0, len(self.trades))

    def on_stored(self, listener: StoredListener) -> None:
        self.tell_stored = listener

    def put(self, trades: Sequence[Trade]) -> bool:
        if len(trades) > self.room:
            return False
        self.trades += trades
        self.room -= len(trades)
        self.tell_stored(trades, 0.0)
        return True

    async def wait_for_room(self, timeout_s: float) -> bool:
        self.waits += 1
        await asyncio.sleep(0)
        self.on_wait()
        return self.room > 0

    async def flush(self, timeout_s: float) -> bool:
        return True

    def unwritten(self) -> list[Trade]:
        return []


class FakeExchange:
    """A `TradeHistory` over a list of trades, as of a clock; ``failure`` is raised by every call while it is set."""

    def __init__(self, trades: Sequence[Trade], clock: HandClock) -> None:
        self.trades = list(trades)
        self.clock = clock
        self.failure: FeedError | None = None
        self.kline_calls: list[tuple[Interval, int | None, int | None]] = []
        self.trade_calls: list[tuple[int, int]] = []
        self.day_calls: list[list[str]] = []
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
                closed=interval.next_open_us(candle.open_time_us) <= now_us,
                complete=True,
                source=CandleSource.KLINE,
            )
            for candle in _all_empty_filled(
                _near(known, interval, first, last), interval, min(now_us, interval.slot_open_us(last + 1))
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
        await self._answer()
        return self.known(symbol)[-limit:]

    async def first_trade_id_since(self, symbol: str, time_us: int) -> int | None:
        await self._answer()
        return next((one.trade_id for one in self.known(symbol) if one.time_us >= time_us), None)

    async def _answer(self) -> None:
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure


def _near(trades: Sequence[Trade], interval: Interval, first: int, last: int) -> list[Trade]:
    """Return the trades, those outside the slots moved right beside them: millions of empty candles take time."""
    from_us, until_us = interval.slot_open_us(first - 1), interval.slot_open_us(last + 1)
    return [one._replace(time_us=min(max(one.time_us, from_us), until_us)) for one in trades]


def _lowest_of(limit: int, trades: Sequence[Trade], interval: Interval, last: int) -> int:
    """Return the slot of the oldest of the ``limit`` newest candles of these trades up to the slot ``last``."""
    room, later, bound = limit, -1, last + 1
    for one in reversed(trades):
        slot = interval.slot(one.time_us)
        if slot < bound:
            empty = bound - slot - 1 if later == one.trade_id + 1 else 0
            if empty + 1 >= room:
                return max(slot, bound - room)
            room -= empty + 1
            bound = slot
        later = one.trade_id
    return bound


def _all_empty_filled(trades: Sequence[Trade], interval: Interval, now_us: int) -> list[Candle]:
    """Fold trades whose ids may have holes that mean nothing: the exchange knows it has them all."""
    ordered = sorted(trades, key=lambda one: one.trade_id)
    return folded([one._replace(trade_id=number) for number, one in enumerate(ordered, 1)], interval, now_us=now_us)


class FakeStore:
    """A `CandleStore` over trades in memory; ``failure`` is raised while it is set."""

    def __init__(self, trades: Iterable[Trade] = ()) -> None:
        self.stored = {one.trade_id: one for one in trades}
        self.kept: dict[Interval, dict[int, Candle]] = {}
        self.absent_ids = IdRanges()
        self.told_repairs: tuple[set[str], set[str], int] = (set(), set(), 0)
        self.others_fetch: set[str] = set()
        self.fetched: dict[Interval, IdRanges] = {}
        self.listed_us = 0
        self.failure: StoreUnavailable | None = None
        self.trade_calls = 0

    def record(self, trades: Iterable[Trade]) -> None:
        """Have stored what is stored."""
        self.stored |= {one.trade_id: one for one in trades}

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
        self._answer()
        folds = self._folded(interval, end_us, limit, now_us)
        candles = {candle.open_time_us: candle for candle in folds}
        for open_us, kline in self._klines(interval).items():
            if open_us not in candles or not (candles[open_us].complete and candles[open_us].closed):
                candles[open_us] = kline
        found = [
            candles[open_us]
            for open_us in sorted(candles)
            if (start_us is None or open_us >= start_us) and (end_us is None or open_us < end_us)
        ]
        return found if limit is None else found[-limit:]

    def traded(self, symbol: str, interval: Interval, start_us: int, end_us: int) -> list[Candle]:
        self._answer()
        return [candle for candle in folded(self.stored.values(), interval) if candle.trades]

    def _folded(self, interval: Interval, end_us: int | None, limit: int | None, now_us: int | None) -> list[Candle]:
        trades = [self.stored[number] for number in sorted(self.stored)]
        if limit is None or end_us is None or now_us is not None or not trades:
            return folded(trades, interval, now_us=now_us, absent=self.absent_ids)
        last = interval.slot(end_us - 1)
        first = _lowest_of(limit, trades, interval, last)
        return [
            candle
            for candle in folded(_near(trades, interval, first, last), interval, absent=self.absent_ids)
            if first <= interval.slot(candle.open_time_us) <= last
        ]

    def _klines(self, interval: Interval) -> dict[int, Candle]:
        """Return the kept klines of this length, and the candles of which all shorter ones are known."""
        whole: dict[int, Candle] = {}
        for length, kept in sorted(self.kept.items(), key=lambda one: one[0].length_us):
            if length == interval:
                whole |= kept
            elif length.tiles(interval):
                known = self.fetched.get(length, IdRanges())
                parts = [kept[open_us] for open_us in sorted(kept)]
                whole |= {
                    open_us: combine(open_us, list(members))
                    for open_us, members in groupby(parts, key=lambda part: interval.open_time_us(part.open_time_us))
                    if not known.missing(open_us, interval.next_open_us(open_us) - 1)
                }
        return whole

    def save_klines(
        self, symbol: str, interval: Interval, klines: Sequence[Candle], fetched: tuple[int, int] | None = None
    ) -> None:
        self._answer()
        self.kept.setdefault(interval, {}).update({kline.open_time_us: kline for kline in klines})
        if fetched is not None:
            self.fetched.setdefault(interval, IdRanges()).add_range(fetched[0], fetched[1] - 1)

    def fetched_klines(self, symbol: str, interval: Interval) -> IdRanges:
        self._answer()
        ranges = IdRanges(self.fetched.get(interval, ()))
        if self.listed_us:
            ranges.add_range(0, self.listed_us - 1)
        return ranges

    def save_listing(self, symbol: str, listed_us: int) -> None:
        self._answer()
        self.listed_us = listed_us

    def trades(self, symbol: str, first_trade_id: int, last_trade_id: int) -> list[Trade]:
        self._answer()
        self.trade_calls += 1
        return [one for key, one in sorted(self.stored.items()) if first_trade_id <= key <= last_trade_id]

    def hours_of(self, symbol: str, first_trade_id: int, last_trade_id: int) -> tuple[int, int] | None:
        self._answer()
        times = [one.time_us for one in self.trades(symbol, first_trade_id, last_trade_id)]
        hour_us = 3_600 * SECOND_US
        return (min(times) // hour_us * hour_us, (max(times) // hour_us + 1) * hour_us) if times else None

    def coverage(self, symbol: str) -> IdRanges:
        self._answer()
        return IdRanges([*((key, key) for key in sorted(self.stored)), *self.absent_ids])

    def absent_of(self, symbols: Collection[str]) -> dict[str, IdRanges]:
        self._answer()
        return {symbol: IdRanges(self.absent_ids) for symbol in symbols}

    def save_absent(self, symbol: str, absent: Sequence[tuple[int, int]]) -> None:
        self._answer()
        for first, last in absent:
            self.absent_ids.add_range(first, last)

    def coverage_of(self, symbols: Collection[str]) -> dict[str, IdRanges]:
        return {symbol: self.coverage(symbol) for symbol in symbols}

    def tell_repairs(self, small: Collection[str], whole: Collection[str], largest: int) -> set[str]:
        self._answer()
        self.told_repairs = (set(small), set(whole), largest)
        return set(self.others_fetch)

    def save_symbols(self, symbols: Sequence[Symbol]) -> None:
        self._answer()

    def symbols(self) -> list[Symbol]:
        self._answer()
        return []

    def _answer(self) -> None:
        if self.failure is not None:
            raise self.failure


def recorder_for(
    *symbols: str, clock: HandClock | None = None, repair_trades: int = 1000, queue_trades: int = 10_000
) -> Recorder:
    """Return a recorder of these symbols, `SYMBOL` where none is named."""
    made = Recorder(
        ExchangeClock(clock or HandClock()), MarketBoard(), queue_trades=queue_trades, repair_trades=repair_trades
    )
    made.set_symbols(symbols or (SYMBOL,))
    return made


def away(sentence: str = "The exchange cannot be reached: check the connection.") -> FeedDisconnected:
    """Return the error of an exchange that is away."""
    return FeedDisconnected(sentence)
