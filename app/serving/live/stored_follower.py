"""
Follows what is stored, so that live messages reach clients of a server that does not record itself.

It asks the coverage of the symbols that somebody wants, twenty times a second: one look at an index. Ids that were not
there before are trades just committed; they are read and published, each once, in rising order. Trades that fill a hole
come when they are stored, after younger ones. Nothing is asked while nobody listens. Ticks have a follower of their
own.

Candles and rolling days are read again once a second after trades or ticks: of days one for each look, because each
takes some milliseconds, and candles wait for it.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Collection, Mapping
from functools import partial

from app.market.candle import Candle
from app.market.coverage import IdRanges
from app.market.errors import StoreError
from app.market.interval import SECOND_US, Interval
from app.market.ports.clock import Clock
from app.market.ports.database import SeparateStore
from app.market.quotes.tick import PriceSide, Tick
from app.market.symbol import has_trades
from app.market.trade import Quote, Trade
from app.serving.candle_ranges import passes_for_kline
from app.serving.live import exchange_events, live_messages
from app.serving.live.exchange_events import AGGREGATE, DAY, FULL_DAY
from app.serving.live.gathered_events import DayStreams, TradeAggregates
from app.serving.live.hub import LiveHub
from app.serving.live.live_client import LiveItem
from app.serving.live.stored_pages import StoredPage, read_page
from app.serving.live.subscriptions import CANDLE, QUOTE, TICK, TRADE, Topic, candle_of
from app.serving.live.tick_follower import TickFollower
from app.serving.stored_day import stored_day
from app.serving.stored_market import SETTLES_S, TICKS_SETTLE_S, StoredMarket

logger = logging.getLogger(__name__)

POLL_S = 0.05
_RETRY_S = 1.0
_CANDLES_EVERY_S = 1.0
_DAYS_EVERY_S = 1.0
_ASSETS_FOR_S = 5.0
_MOST_AT_ONCE = 5_000  # trades of one symbol; the next poll brings more


class StoredFollower:
    """
    Publishes to ``hub`` what others store; `run` until cancelled. ``spread_percent``: see the setting. Of the symbols
    that ``leave_out`` returns only candles and long rolling days are published, and only after `note_trades`; these
    have the best bid and ask that ``best_of`` returns. ``days`` publishes rolling days, also those of a recorder.

    An `app.serving.live.live_socket.LiveSource`.
    """

    has_quotes = False

    def __init__(self, market: StoredMarket, hub: LiveHub, clock: Clock, spread_percent: float = 0.0) -> None:
        self._market = market
        self._hub = hub
        self._clock = clock
        self._spread_percent = spread_percent
        self.leave_out: Callable[[], Collection[str]] = tuple
        self.best_of: Callable[[str], Quote | None] = self.quote
        self.days = DayStreams(hub)
        self._aggregates = TradeAggregates(hub, SETTLES_S)
        self._ticks = TickFollower(market, hub, self.note_trades)
        self._begins: dict[str, int] = {}  # the first id that is new, by symbol followed
        self._published: dict[str, IdRanges] = {}
        self._candles: dict[Topic, tuple[float, list[Candle]]] = {}  # when last read, and what was published
        self._days: dict[str, float] = {}  # when last read
        self._traded_s: dict[str, float] = {}  # when the symbol's newest trades or ticks came
        self._assets: list[str] = []
        self._assets_s = 0.0

    async def assets(self) -> list[str]:
        """Return the symbols whose trades or ticks are stored; as of some seconds ago at most. Raises StoreError."""
        now_s = self._clock.monotonic_s()
        if not self._assets or now_s - self._assets_s > _ASSETS_FOR_S:
            self._assets = await self._market.shared_read("assets", _recorded_symbols)
            self._assets_s = now_s
        return list(self._assets)

    async def follow(self, symbols: Collection[str]) -> None:
        """Publish what is stored of these symbols from now on, if the hub wants it. Raises StoreError."""
        newest = await self._ticks.newest([symbol for symbol in symbols if not has_trades(symbol)])
        started = [symbol for symbol in symbols if symbol not in self._begins and has_trades(symbol)]
        ends = dict[str, int]()
        if started:
            ends = await self._market.shared_read(("ends", *started), lambda store: _ends(store, started))
        # At once, after all reads: during one, a look would forget what no client gets yet.
        self._ticks.follow(newest)
        for symbol, last in ends.items():
            self._begins.setdefault(symbol, last + 1)
            self._published.setdefault(symbol, IdRanges())

    def note_trades(self, symbol: str) -> None:
        """Read the symbol's candles again soon, because there are new trades or ticks."""
        self._traded_s[symbol] = self._clock.monotonic_s()

    def begin_again(self) -> None:
        """Forget what was published: another database is followed from now on."""
        self._ticks.begin_again()
        self._begins.clear()
        self._published.clear()
        self._candles.clear()
        self._days.clear()
        self._assets.clear()

    def quote(self, symbol: str) -> Quote | None:
        """Return None: the best bid and ask of symbols with trades are not stored."""
        del symbol
        return None

    def recent_trades(self, symbol: str, first_trade_id: int) -> list[Trade]:
        """Return the trades published that may not be stored yet: none, because they are read from there."""
        del symbol, first_trade_id
        return []

    def recent_ticks(self, symbol: str, after: int) -> tuple[list[Tick], bool]:
        """Return no ticks, like `recent_trades`: everything published here is stored."""
        del symbol, after
        return [], True

    async def run(self) -> None:
        """Follow until cancelled; a database that is away is tried again."""
        # Candles and days have a loop of their own: reading those of many topics takes longer than a trade may wait.
        async with asyncio.TaskGroup() as loops:
            loops.create_task(self._follow_trades())
            loops.create_task(self._follow_candles())

    async def _follow_trades(self) -> None:
        is_away = False
        while True:
            try:
                await self._publish_trades()
                is_away = False
                wait_s = POLL_S
            except StoreError as error:
                if not is_away:
                    logger.warning("the live stream waits for the database: %s", error)
                    self._hub.broadcast(live_messages.error(f"Live messages will be late: {error}"))
                is_away, wait_s = True, _RETRY_S
            await self._clock.sleep(wait_s)

    async def _follow_candles(self) -> None:
        while True:
            try:
                await self._publish_candles()
                await self._publish_day()
                wait_s = POLL_S
            except StoreError:  # which the other loop reports
                wait_s = _RETRY_S
            await self._clock.sleep(wait_s)

    async def _publish_trades(self) -> None:
        wanted = await self._wanted_symbols() - set(self.leave_out())
        followed = set(filter(has_trades, wanted))
        await self._ticks.publish(wanted - followed)
        for gone in self._begins.keys() - followed:
            del self._begins[gone], self._published[gone]
        if followed:
            await self.follow(followed)
            begins, published = dict(self._begins), {name: IdRanges(ids) for name, ids in self._published.items()}
            joined = {symbol for symbol in begins if exchange_events.is_wanted(symbol, AGGREGATE, self._hub)}
            new = await self._market.read(lambda store: _new_trades(store, begins, published, joined))
            for symbol, found in new.items():
                if symbol in self._published:
                    self._published[symbol] |= found.known
                    self._publish(symbol, found)

    async def _wanted_symbols(self) -> set[str]:
        """Return the symbols whose trades or ticks lead to anything that any client gets. Raises StoreError."""
        wanted = self._hub.wanted
        symbols = {
            symbol
            for symbol, kind in wanted
            if symbol and not (kind == QUOTE and has_trades(symbol)) and not exchange_events.is_of_quotes(kind)
        }
        if any(map(exchange_events.is_of_all, wanted)):
            symbols |= set(filter(has_trades, await self.assets()))
        return symbols

    def _publish(self, symbol: str, page: StoredPage) -> None:
        items, wanted = [], self._hub.wanted  # which may have changed during the read
        for trade in page.trades:
            if (symbol, TRADE) in wanted:
                items.append(LiveItem((symbol, TRADE), trade.trade_id, live_messages.trade_message(trade)))
            if (symbol, TICK) in wanted:
                frame = live_messages.price_around(trade, self._spread_percent)
                items.append(LiveItem((symbol, TICK), -1, frame))
            items += exchange_events.trade_items(trade, self._hub)
            self._aggregates.take(trade, partial(page.before.get, trade.trade_id))
        self._hub.publish(items)
        if page.trades:
            self.note_trades(symbol)

    async def _publish_candles(self) -> None:
        """
        Publish the newest candles of symbols that had trades or ticks, each topic once per second at most.

        Trades noted may not be stored yet, so a topic is read until `SETTLES_S` after the newest; ticks settle later.
        """
        wanted = self._hub.wanted
        topics = {topic: found for topic in wanted if (found := _candle_of(topic[1])) is not None}
        for gone in self._candles.keys() - topics:
            del self._candles[gone]
        for gone_symbol in self._traded_s.keys() - await self._wanted_symbols():
            del self._traded_s[gone_symbol]
        for topic, (interval, side) in topics.items():
            symbol, kind = topic
            settles_s = SETTLES_S if has_trades(symbol) else TICKS_SETTLE_S
            now_s = self._clock.monotonic_s()
            read_s, before = self._candles.get(topic, (-math.inf, []))
            traded_s = self._traded_s.get(symbol, -math.inf)
            if now_s - read_s < _CANDLES_EVERY_S or traded_s + settles_s <= read_s:
                continue
            is_ours = kind.startswith(CANDLE)
            if has_trades(symbol):
                work = partial(_newest_candles, symbol, interval, only_klines=not is_ours)
            else:
                work = partial(_newest_of_ticks, symbol, interval, side)
            newest = await self._market.read(work)
            self._candles[topic] = now_s, newest
            changed = [one for one in newest if one not in before] if before else newest[-1:]
            if is_ours:
                items = [LiveItem(topic, -1, live_messages.candle_message(symbol, kind, one)) for one in changed]
            else:
                items = [exchange_events.kline_item(topic, interval, one, self._clock.now_us()) for one in changed]
            self._hub.publish(items)

    async def _publish_day(self) -> None:
        """Publish the rolling day of a symbol that had trades: the one that waits longest."""
        wanted, left_out = self._hub.wanted, set(self.leave_out())
        is_of_all = any(map(exchange_events.is_of_all, wanted))
        every = list(filter(has_trades, await self.assets())) if is_of_all else ()
        full = exchange_events.days_wanted(FULL_DAY, wanted, every)
        short = exchange_events.days_wanted(DAY, wanted, every) - left_out
        self._days = {symbol: self._days.get(symbol, -math.inf) for symbol in full | short}
        now_s, now_us = self._clock.monotonic_s(), self._clock.now_us()
        due = []
        for symbol, read_s in self._days.items():
            settles_s = SETTLES_S if symbol in left_out else 0  # its newest trades may not be stored yet
            if self._traded_s.get(symbol, -math.inf) + settles_s > read_s:
                due.append((read_s, symbol))
        read_s, symbol = min(due, default=(math.inf, ""))
        if now_s - read_s >= _DAYS_EVERY_S:
            self._days[symbol] = now_s
            found = await self._market.read(lambda store: stored_day(store, symbol, now_us))
            if found is not None and symbol in short:
                self.days.publish_day(found.day.ticker)
            if found is not None and symbol in full:
                self.days.publish_full_day(found.day, self.best_of(symbol))


def _candle_of(kind: str) -> tuple[Interval, PriceSide] | None:
    """Return the interval and the price of a topic of candles, None for other topics."""
    if (found := candle_of(kind)) is not None:
        return found
    interval = exchange_events.kline_interval(kind)
    return None if interval is None else (interval, PriceSide.MID)


def _newest_candles(symbol: str, interval: Interval, store: SeparateStore, *, only_klines: bool) -> list[Candle]:
    newest = store.candles(symbol, interval, limit=2)
    if only_klines and not all(one.complete for one in newest):
        held = store.coverage(symbol)
        newest = [one for one in newest if passes_for_kline(one, held)]
    return newest


def _newest_of_ticks(symbol: str, interval: Interval, side: PriceSide, store: SeparateStore) -> list[Candle]:
    """Return the newest candles of one price, back to one that was open when ticks were not settled yet."""
    unsettled = math.ceil(TICKS_SETTLE_S * SECOND_US / interval.length_us)
    return store.of_side(side).candles(symbol, interval, limit=unsettled + 1)


def _recorded_symbols(store: SeparateStore) -> list[str]:
    return [one.symbol.name for one in store.stored_symbols() if one.first is not None or one.ticks is not None]


def _ends(store: SeparateStore, symbols: Collection[str]) -> dict[str, int]:
    return {name: -1 if ids.last is None else ids.last for name, ids in store.coverage_of(symbols).items()}


def _new_trades(
    store: SeparateStore, begins: Mapping[str, int], published: Mapping[str, IdRanges], joined: Collection[str]
) -> dict[str, StoredPage]:
    """Return the trades stored that were not published; of the symbols in ``joined`` with the trades before them."""
    found = {}
    for symbol, covered in store.coverage_from(begins).items():
        if new := covered - published[symbol]:
            found[symbol] = read_page(store, symbol, new, _MOST_AT_ONCE, with_trades_before=symbol in joined)
    return found
