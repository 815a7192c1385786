"""
The simulated market: a seeded exchange of some twenty pairs at the time of a given clock.

`SimulatedPair` computes every trade, past and future. This module adds the present: trades after the clock's time do
not exist yet. Trades, klines, tickers and streams are all computed from the same pairs, so they agree. Klines come from
`FoldedHistory`, which makes long intervals of deep history cheap. `app.sandbox.server` speaks the exchange's protocol.
"""

from __future__ import annotations

import asyncio
import math
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Collection, Sequence
from datetime import timedelta
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np

from app.concurrency.system_clock import SystemClock
from app.market.candle import Candle
from app.market.errors import UsageError
from app.market.interval import SECOND_US, Interval
from app.market.ports.clock import Clock
from app.market.symbol import TRADING, Symbol
from app.market.trade import DayTicker, Quote, Trade
from app.market.units import E8, parse_e8
from app.sandbox.market.folded_history import FoldedHistory, fill_empty
from app.sandbox.market.pair import DAY_S, LISTED_US, SimulatedPair
from app.sandbox.market.trade_tape import random_bits, tape_for
from app.sandbox.source import Frame, FrameCursor, RollingDay
from app.sandbox.wire import aggregate_event, day_event, quote_event, trade_event

_DAY_US = DAY_S * SECOND_US
_MINUTE_US = 60 * SECOND_US
_MINUTE = Interval.parse("1m")
# Published every 50 ms, each batch of a flood was painted twice. Shorter batches are painted once per screen frame.
_TICK_S, _FLOOD_TICK_S = 0.05, 0.01
_FLOOD_PER_S = 5_000.0
_TICKER = "@miniTicker"
_TICKER_WAIT_S = 0.02  # enough for cached days; a slower computation is collected by a later call
_AHEAD_OF_TIME = 1.2  # how much faster than the clock the next second is computed, to be ready before it begins
_CACHED_SECONDS = 4  # per symbol: the current one, the next, and two for connections that lag
_PREPARED_PAIRS, _PREPARED_CANDLES = 6, 1000


class SimulatedSecond:
    """
    The trades of one symbol in one second, including future ones, and their events as JSON.

    All connections share one object per second, so that each event is encoded once.
    """

    def __init__(self, trades: Sequence[Trade]) -> None:
        self.trades = trades
        self.times_us = [trade.time_us for trade in trades]
        self._events: dict[tuple[str, bool], list[bytes]] = {}

    def events(self, kind: str, first: int, end: int, *, microseconds: bool) -> list[bytes]:
        """Return the ``trade`` or ``aggTrade`` events of the second's trades ``[first, end)``, by position."""
        events = self._events.setdefault((kind, microseconds), [])
        # Encode only the events due by now: a whole busy second at once would hold up the loop.
        event = trade_event if kind == "trade" else aggregate_event
        events += [event(trade, microseconds=microseconds) for trade in self.trades[len(events) : end]]
        return events[first:end]


_NO_TRADES = SimulatedSecond(())


class SimulatedCursor:
    """A `FrameCursor` of a `SimulatedMarket`. A connection that lags gets every trade, up to one second per call."""

    def __init__(self, market: SimulatedMarket, clock: Clock) -> None:
        self._market = market
        self._clock = clock
        self._until_us = clock.now_us()
        self._tickers: asyncio.Future[list[Frame]] | None = None  # being computed

    async def next_frames(self, streams: Collection[str], *, microseconds: bool) -> Sequence[Frame]:
        if self._until_us + self._market.tick_s * SECOND_US > self._clock.now_us():
            await self._clock.sleep(self._market.tick_s)
        # This call returns the trades of (after_us, until_us], a span within one whole second.
        after_us = self._until_us
        second_us = (after_us + 1) // SECOND_US * SECOND_US
        until_us = max(min(self._clock.now_us(), second_us + SECOND_US - 1), after_us)
        self._until_us = until_us
        ends_second = (until_us + 1) // SECOND_US > second_us // SECOND_US
        frames = await self._ticker_frames(streams, begin=ends_second, microseconds=microseconds)
        for stream in streams:
            frames += self._events(stream, second_us, after_us, until_us, microseconds=microseconds)
        self._compute_ahead(streams, until_us)
        return frames

    def _events(
        self, stream: str, second_us: int, after_us: int, until_us: int, *, microseconds: bool
    ) -> Sequence[Frame]:
        """Return the trades of one stream in ``(after_us, until_us]``, or for bookTicker the quote after the last."""
        name, _, kind = stream.partition("@")
        if name != name.lower():
            return ()  # the exchange accepts stream names in upper case too, but never sends any events for them
        second = self._market.second(name.upper(), second_us)
        first, end = bisect_right(second.times_us, after_us), bisect_right(second.times_us, until_us)
        if first == end:
            return ()
        if kind == "bookTicker":
            return (Frame(stream, quote_event(self._market.quote_after(second.trades[end - 1], until_us))),)
        if kind not in ("trade", "aggTrade"):
            return ()
        events = second.events(kind, first, end, microseconds=microseconds)
        return [Frame(stream, event) for event in events]

    def _compute_ahead(self, streams: Collection[str], now_us: int) -> None:
        """Compute the next second of some symbols; to do all of them as it begins would hold up the loop."""
        symbols = sorted({name.upper() for name, _, _ in (stream.partition("@") for stream in streams) if name})
        second_us, within_us = now_us // SECOND_US * SECOND_US, now_us % SECOND_US
        first = int(within_us / SECOND_US * len(symbols) * _AHEAD_OF_TIME)
        count = math.ceil(len(symbols) * _AHEAD_OF_TIME * self._market.tick_s) + 1
        for symbol in symbols[first : first + count]:
            self._market.second(symbol, second_us + SECOND_US)

    async def _ticker_frames(self, streams: Collection[str], *, begin: bool, microseconds: bool) -> list[Frame]:
        """
        Return the ticker frames once they are computed in their thread, so that trades need not wait for them.

        ``begin`` starts the next computation unless one is running.
        """
        ticker_streams = [stream for stream in streams if stream.endswith(_TICKER)]
        if begin and ticker_streams and self._tickers is None:
            compute = partial(self._compute_tickers, ticker_streams, microseconds=microseconds)
            self._tickers = asyncio.get_running_loop().run_in_executor(None, compute)
        if self._tickers is None:
            return []
        await asyncio.wait([self._tickers], timeout=_TICKER_WAIT_S)
        if not self._tickers.done():
            return []
        frames, self._tickers = self._tickers.result(), None
        return frames

    def _compute_tickers(self, streams: Sequence[str], *, microseconds: bool) -> list[Frame]:
        """Return the ticker frames. Blocks: the first rolling day of a symbol takes a while to compute."""
        frames = []
        for stream in streams:
            name = stream.removesuffix(_TICKER)
            day = self._market.rolling_day(name.upper()) if name == name.lower() else None
            if day is not None:
                frames.append(Frame(stream, day_event(day.ticker, microseconds=microseconds)))
        return frames


class Listing(NamedTuple):
    """
    The parameters of one pair: ``price``, ``tick`` and ``step`` as decimal text; ``share``: how many of all trades.

    Shares need not add up to anything: a pair's trades are to all trades as its share is to their sum.
    """

    base: str
    price: str
    tick: str
    step: str
    share: float
    status: str = TRADING
    quote: str = "USDT"


# At least one of each kind: tiny and huge prices, a quote asset other than USDT, a rarely traded pair, a name in
# another script, and a pair that does not trade.
LISTINGS = (
    Listing("BTC", "60000", "0.01", "0.00001", 25.0),
    Listing("ETH", "2600", "0.01", "0.0001", 18.0),
    Listing("SOL", "150", "0.01", "0.001", 10.0),
    Listing("BNB", "560", "0.01", "0.001", 6.0),
    Listing("ADA", "0.35", "0.0001", "0.1", 5.0),
    Listing("XRP", "0.55", "0.0001", "1", 7.0),
    Listing("DOGE", "0.11", "0.00001", "1", 7.0),
    Listing("AVAX", "24", "0.01", "0.01", 3.0),
    Listing("LINK", "11", "0.01", "0.01", 3.0),
    Listing("DOT", "4.6", "0.001", "0.01", 2.0),
    Listing("LTC", "65", "0.01", "0.001", 2.0),
    Listing("TRX", "0.15", "0.0001", "0.1", 3.0),
    Listing("UNI", "7.2", "0.001", "0.01", 1.0),
    Listing("ATOM", "4.8", "0.001", "0.01", 0.8),
    Listing("SHIB", "0.00001400", "0.00000001", "1", 4.0),
    Listing("ETH", "0.043", "0.00001", "0.001", 2.0, quote="BTC"),
    Listing("ADA", "0.00000590", "0.00000001", "1", 0.15, quote="BTC"),
    Listing("NKN", "0.08", "0.0001", "1", 0.05),
    Listing("币安人生", "0.12", "0.0001", "0.1", 1.0),
    Listing("LUNA", "80", "0.01", "0.01", 0.0, status="BREAK"),
)


class SimulatedMarket:
    """
    A `MarketSource` simulated from ``seed``: equal seeds and rates give equal markets, whenever they are started.

    ``history``: how far back trades are served. ``rate``: how many trades all pairs together have in an average second.
    ``tick_s``: how often its streams publish new trades, more often in a flood.

    Raises:
        UsageError: If the rate is too high to simulate, or if the rate or the history is not above zero.
    """

    def __init__(
        self,
        seed: int = 1,
        symbols: Sequence[Listing] = LISTINGS,
        *,
        history: timedelta = timedelta(days=90),
        rate: float = 60.0,
        clock: Clock | None = None,
    ) -> None:
        if history <= timedelta(0) or not rate > 0:
            raise UsageError("The simulated market needs a history and a rate above zero.")
        self._clock = clock if clock is not None else SystemClock()
        requested_us = self._clock.now_us() - history // timedelta(microseconds=1)
        self.tick_s = _FLOOD_TICK_S if rate >= _FLOOD_PER_S else _TICK_S
        self._begin_us = max(requested_us - requested_us % _DAY_US, LISTED_US)
        self._symbols = tuple(_symbol(listing) for listing in symbols)
        sum_of_shares = sum(listing.share for listing in symbols)
        self._pairs = {
            symbol.name: pair_for(seed, symbol, parse_e8(listing.price), rate * listing.share / sum_of_shares)
            for symbol, listing in zip(self._symbols, symbols, strict=True)
            if symbol.is_trading
        }
        self._histories = {name: FoldedHistory(pair) for name, pair in self._pairs.items()}
        self._first_ids: dict[str, int] = {}
        self._seconds: OrderedDict[tuple[str, int], SimulatedSecond] = OrderedDict()

    def prepare(self) -> None:
        """Compute the minutes and the rolling day of the first pairs, which a window requests as it opens. Blocks."""
        for name in tuple(self._pairs)[:_PREPARED_PAIRS]:
            self._klines(name, _MINUTE, None, None, _PREPARED_CANDLES)
            self.rolling_day(name)

    def now_us(self) -> int:
        return self._clock.now_us()

    def symbols(self) -> Sequence[Symbol]:
        return self._symbols

    def trade_ids(self, symbol: str) -> tuple[int, int] | None:
        pair = self._pairs.get(symbol)
        if pair is None:
            return None
        if symbol not in self._first_ids:
            self._first_ids[symbol] = pair.first_id_from(self._begin_us)
        first, end = self._first_ids[symbol], pair.first_id_from(self.now_us() + 1)
        return (first, end - 1) if end > first else None

    def first_id_from(self, symbol: str, time_us: int) -> int:
        pair = self._pairs.get(symbol)
        return 0 if pair is None else pair.first_id_from(min(max(time_us, self._begin_us), self.now_us() + 1))

    def trades(self, symbol: str, first_id: int, limit: int) -> list[Trade]:
        ids = self.trade_ids(symbol)
        if ids is None:
            return []
        first, end = max(first_id, ids[0]), min(max(first_id, ids[0]) + limit, ids[1] + 1)
        pair = self._pairs[symbol]
        return pair.as_trades(pair.trades(first, end)) if first < end else []

    async def klines(
        self, symbol: str, interval: Interval, *, start_us: int | None, end_us: int | None, limit: int
    ) -> list[Candle]:
        if symbol not in self._pairs:
            return []
        return await asyncio.to_thread(self._klines, symbol, interval, start_us, end_us, limit)

    async def day(self, symbol: str) -> RollingDay | None:
        return await asyncio.to_thread(self.rolling_day, symbol)

    def quote(self, symbol: str) -> Quote | None:
        ids = self.trade_ids(symbol)
        if ids is None:
            return None
        (trade,) = self.trades(symbol, ids[1], 1)
        return self.quote_after(trade, self.now_us())

    def quote_after(self, trade: Trade, time_us: int) -> Quote:
        """Return the best bid and ask after ``trade``, as of ``time_us``: one tick apart, one of them its price."""
        pair = self._pairs[trade.symbol]
        tick, step = pair.symbol.tick_size_e8, pair.symbol.step_size_e8
        bid = trade.price_e8 if trade.is_buyer_maker else trade.price_e8 - tick
        # An update id that counts milliseconds rises with every newer quote, as the exchange's does.
        update = (time_us - LISTED_US) // 1000
        noise = random_bits(trade.trade_id, np.array([update, ~update], np.int64)) % np.uint64(4000)
        bids, asks = (int(number) * step * pair.lot for number in noise + np.uint64(1))
        return Quote(trade.symbol, update, bid, bids, bid + tick, asks)

    def open_cursor(self) -> FrameCursor:
        return SimulatedCursor(self, self._clock)

    def second(self, symbol: str, second_us: int) -> SimulatedSecond:
        """Return the second that begins at ``second_us``, with future trades; empty if the symbol does not trade."""
        if symbol not in self._pairs:
            return _NO_TRADES
        key = symbol, second_us
        cached = self._seconds.get(key)
        if cached is None:
            cached = self._seconds[key] = SimulatedSecond(self._trades_of_second(symbol, second_us))
            while len(self._seconds) > _CACHED_SECONDS * len(self._symbols):
                self._seconds.popitem(last=False)
        return cached

    def _trades_of_second(self, symbol: str, second_us: int) -> Sequence[Trade]:
        pair, second = self._pairs[symbol], (second_us - LISTED_US) // SECOND_US
        return pair.as_trades(pair.trades_of_seconds(second, second + 1))

    def _klines(
        self, symbol: str, interval: Interval, start_us: int | None, end_us: int | None, limit: int
    ) -> list[Candle]:
        now_us = self.now_us()
        first_slot = interval.slot(self._first_trade_us(symbol))
        last_slot = interval.slot(now_us if end_us is None else min(end_us, now_us))
        if start_us is None:
            first_slot = max(first_slot, last_slot - limit + 1)
        else:
            first_slot = max(first_slot, interval.slot(start_us - 1) + 1)
            last_slot = min(last_slot, first_slot + limit - 1)
        begin_us, end_us = interval.slot_open_us(first_slot), interval.slot_open_us(last_slot + 1)
        if first_slot > last_slot or begin_us > now_us:
            return []
        from_us = max(begin_us, self._begin_us)
        candles = self._histories[symbol].candles(interval, from_us, end_us, now_us)
        close_e8 = self._close_before(symbol, from_us)
        return fill_empty(candles, interval, begin_us, end_us, close_e8=close_e8, now_us=now_us)

    def rolling_day(self, symbol: str) -> RollingDay | None:
        """Return the last 24 hours of a symbol, or None if they have no trades. Blocks."""
        if symbol not in self._pairs:
            return None
        now_us = self.now_us()
        # The day begins at a whole minute, so that it can be summed from cached minutes.
        begin_us = max((now_us - _DAY_US) // _MINUTE_US * _MINUTE_US + _MINUTE_US, self._begin_us)
        day = self._histories[symbol].single_candle(begin_us, now_us + 1)
        if day is None or day.first_trade_id is None or day.last_trade_id is None:
            return None
        (newest,) = self.trades(symbol, day.last_trade_id, 1)
        ticker = DayTicker(
            symbol,
            now_us,
            day.open_e8,
            day.high_e8,
            day.low_e8,
            day.close_e8,
            day.volume_e8,
            day.quote_volume_e16 // E8,
        )
        previous_e8 = self._close_before(symbol, begin_us) or day.open_e8
        ids = day.first_trade_id, day.last_trade_id
        return RollingDay(ticker, begin_us, day.trades, *ids, previous_e8, newest.quantity_e8)

    def _first_trade_us(self, symbol: str) -> int:
        ids = self.trade_ids(symbol)
        return self.now_us() + 1 if ids is None else self.trades(symbol, ids[0], 1)[0].time_us

    def _close_before(self, symbol: str, time_us: int) -> int:
        """Return the price of the last trade before ``time_us``, or 0 if there is none."""
        pair = self._pairs[symbol]
        before = pair.first_id_from(time_us) - 1
        return int(pair.trades(before, before + 1).price[0]) * pair.symbol.tick_size_e8 if before >= 0 else 0


def _symbol(listing: Listing) -> Symbol:
    tick_e8, step_e8 = parse_e8(listing.tick), parse_e8(listing.step)
    return Symbol(listing.base + listing.quote, listing.base, listing.quote, tick_e8, step_e8, listing.status)


@lru_cache(maxsize=64)
def pair_for(seed: int, symbol: Symbol, price_e8: int, trades_per_s: float) -> SimulatedPair:
    """Return the pair; markets of one seed and rate in a process share it, as the tests' do."""
    return SimulatedPair(seed, symbol, price_e8=price_e8, trades_per_s=trades_per_s, tape=tape_for(seed))
