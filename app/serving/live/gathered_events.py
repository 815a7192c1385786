"""
The exchange's events that are made of several values: rolling days of all symbols, the book, aggregated trades.

Each gathers values and publishes them to a hub after a while, on the hub's loop; none keeps anything that nobody wants.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from app.market.ports.clock import Clock
from app.market.trade import DayTicker, Quote, Trade, are_of_one_aggregate
from app.sandbox import wire
from app.sandbox.source import RollingDay
from app.serving.live.exchange_events import (
    AGGREGATE,
    BOOK_EVERY_S,
    DAY,
    EVERY,
    FULL_DAY,
    QUICKLY,
    SLOWLY,
    TOP_EVERY_S,
    is_wanted,
    items_of,
)
from app.serving.live.hub import LiveHub


class _Delay:
    """Calls ``work`` once, some time after it was first begun."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._waiting: asyncio.TimerHandle | None = None

    def begin(self, after_s: float) -> None:
        if self._waiting is None:
            self._waiting = asyncio.get_running_loop().call_later(after_s, self._end)

    def _end(self) -> None:
        self._waiting = None
        self._work()


class DayStreams:
    """Publishes rolling days: each at once for its symbol, and those of a second together for all symbols."""

    def __init__(self, hub: LiveHub) -> None:
        self._hub = hub
        self._together: dict[str, dict[str, bytes]] = {kind: {} for kind in EVERY}
        self._delay = _Delay(self._publish_together)

    def publish_day(self, ticker: DayTicker) -> None:
        """Publish the short event of a day."""
        self._publish(ticker.symbol, DAY, lambda: wire.day_event(ticker, microseconds=False))

    def publish_full_day(self, day: RollingDay, quote: Quote | None) -> None:
        """Publish the long event of a day, with the best bid and ask if they are known."""
        self._publish(day.ticker.symbol, FULL_DAY, lambda: wire.ticker_event(day, quote, microseconds=False))

    def _publish(self, symbol: str, kind: str, make: Callable[[], bytes]) -> None:
        self._hub.publish(list(items_of(symbol, kind, self._hub, make)))
        if is_wanted("", EVERY[kind], self._hub):
            self._together[kind][symbol] = make()
            self._delay.begin(SLOWLY)

    def _publish_together(self) -> None:
        for kind, events in self._together.items():
            if events:
                join = partial(b"[%b]".__mod__, b",".join(events.values()))
                events.clear()
                self._hub.publish(list(items_of("", EVERY[kind], self._hub, join)))


@dataclass(slots=True)
class _BookChanges:
    """What changed in a book of one level since ``first_id``: quantities by price, 0 where the price was left."""

    first_id: int
    last_id: int = 0
    bids: dict[int, int] = field(default_factory=dict)
    asks: dict[int, int] = field(default_factory=dict)

    def add(self, before: Quote | None, quote: Quote) -> None:
        """Take in that ``quote`` came after ``before``."""
        self.last_id = quote.update_id
        if before is not None:
            self.bids[before.bid_e8] = self.asks[before.ask_e8] = 0
        self.bids[quote.bid_e8], self.asks[quote.ask_e8] = quote.bid_quantity_e8, quote.ask_quantity_e8


class BookStreams:
    """
    Publishes the best bid and ask as a book of one level: its changes (``@depth``), and as it is (``@depth5``).

    A client that applies the changes to the answer of `/api/v3/depth`, as the exchange says, has that level.
    """

    def __init__(self, hub: LiveHub, clock: Clock) -> None:
        self._hub = hub
        self._clock = clock
        self._changes: dict[float, dict[str, _BookChanges]] = {SLOWLY: {}, QUICKLY: {}}
        self._newest: dict[float, dict[str, Quote]] = {SLOWLY: {}, QUICKLY: {}}
        self._delays = {every_s: _Delay(partial(self._publish, every_s)) for every_s in self._changes}

    def take(self, before: Quote | None, quote: Quote) -> None:
        """Take in that ``quote`` came after ``before``."""
        symbol = quote.symbol
        for kind, every_s in TOP_EVERY_S.items():
            if is_wanted(symbol, kind, self._hub):
                self._newest[every_s][symbol] = quote
                self._delays[every_s].begin(every_s)
        for every_s in {every_s for kind, every_s in BOOK_EVERY_S.items() if is_wanted(symbol, kind, self._hub)}:
            first_id = quote.update_id if before is None else before.update_id + 1
            self._changes[every_s].setdefault(symbol, _BookChanges(first_id)).add(before, quote)
            self._delays[every_s].begin(every_s)

    def _publish(self, every_s: float) -> None:
        newest, self._newest[every_s] = self._newest[every_s], {}
        changes, self._changes[every_s] = self._changes[every_s], {}
        now_us = self._clock.now_us()
        for kind, one_s in TOP_EVERY_S.items():
            for symbol, quote in newest.items() if one_s == every_s else ():
                make_top = partial(wire.encode, wire.depth(quote))
                self._hub.publish(list(items_of(symbol, kind, self._hub, make_top)))
        for kind, one_s in BOOK_EVERY_S.items():
            for symbol, book in changes.items() if one_s == every_s else ():
                ids, bids, asks = (book.first_id, book.last_id), book.bids.items(), book.asks.items()
                make_book = partial(wire.book_event, symbol, ids, bids, asks, now_us, microseconds=False)
                self._hub.publish(list(items_of(symbol, kind, self._hub, make_book)))


@dataclass(slots=True)
class _Aggregate:
    """
    Trades of one aggregate so far.

    ``is_tail``: it began before what is known, so its id is not; ``due_s``: when it counts as whole.
    """

    first: Trade
    last: Trade
    quantity_e8: int
    is_tail: bool
    due_s: float
    is_sent: bool = False


class TradeAggregates:
    """
    Joins trades to the aggregated trades of ``@aggTrade``, by the rule and with the ids of `/api/v3/aggTrades`.

    One is published when the next trade shows that it is whole, or ``settles_s`` after its last trade. Should it grow
    after that it is published again, whole. One that began before what is known is left out, as a page of the answer
    leaves it out.
    """

    def __init__(self, hub: LiveHub, settles_s: float) -> None:
        self._hub = hub
        self._settles_s = settles_s
        self._open: dict[str, dict[int, _Aggregate]] = {}  # by symbol and by the id that would continue it
        self._delay = _Delay(self._settle)

    def take(self, trade: Trade, before: Callable[[], Trade | None]) -> None:
        """Take in a trade, each once; ``before`` returns the trade of the id before it, None if nobody knows."""
        if not is_wanted(trade.symbol, AGGREGATE, self._hub):
            self._open.pop(trade.symbol, None)
            return
        joined = self._open.setdefault(trade.symbol, {})
        found = joined.pop(trade.trade_id, None)
        due_s = asyncio.get_running_loop().time() + self._settles_s
        if found is not None and are_of_one_aggregate(found.last, trade):
            found.last, found.due_s, found.is_sent = trade, due_s, False
            found.quantity_e8 += trade.quantity_e8
        else:
            is_tail = False
            if found is not None:
                self._publish(found)
            elif (previous := before()) is not None:
                is_tail = are_of_one_aggregate(previous, trade)
            found = _Aggregate(trade, trade, trade.quantity_e8, is_tail, due_s)
        joined[trade.trade_id + 1] = found
        self._delay.begin(self._settles_s)

    def _settle(self) -> None:
        """Publish what is due; of each symbol keep what waits, and the newest, which may still grow."""
        now_s = asyncio.get_running_loop().time()
        is_waiting = False
        for symbol, joined in self._open.items():
            for one in joined.values():
                if one.due_s <= now_s:
                    self._publish(one)
                is_waiting |= not one.is_sent
            newest = next(reversed(joined))
            self._open[symbol] = {key: one for key, one in joined.items() if not one.is_sent or key == newest}
        if is_waiting:
            self._delay.begin(self._settles_s)

    def _publish(self, one: _Aggregate) -> None:
        if not one.is_sent and not one.is_tail:
            whole = one.first._replace(quantity_e8=one.quantity_e8)
            make = partial(wire.aggregate_event, whole, one.last.trade_id, microseconds=False)
            self._hub.publish(list(items_of(whole.symbol, AGGREGATE, self._hub, make)))
        one.is_sent = True
