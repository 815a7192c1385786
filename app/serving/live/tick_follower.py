"""
Follows stored ticks: publishes all that are newer than the last published one, each once, in order.

The 5 s candles have each symbol's newest tick, so a look costs one index row, as for trades. Ticks that are stored
later with earlier times are history and are not published.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Set
from functools import partial

from app.market.ports.database import SeparateStore
from app.market.quotes.tick import Tick
from app.serving.live import live_messages
from app.serving.live.hub import LiveHub
from app.serving.live.live_client import LiveItem
from app.serving.live.subscriptions import QUOTE, TICK
from app.serving.stored_market import StoredMarket

MOST_AT_ONCE = 5_000  # ticks of one symbol; the next look brings more


class TickFollower:
    """Publishes to ``hub`` the stored ticks of symbols without trades; ``on_ticks`` gets each symbol published."""

    def __init__(self, market: StoredMarket, hub: LiveHub, on_ticks: Callable[[str], None]) -> None:
        self._market = market
        self._hub = hub
        self._on_ticks = on_ticks
        self._published: dict[str, int] = {}  # by symbol followed the number of the newest tick published, or -1

    async def newest(self, symbols: Collection[str]) -> dict[str, int]:
        """Return the number of the newest stored tick, -1 for none, of those not followed yet. Raises StoreError."""
        started = [symbol for symbol in symbols if symbol not in self._published]
        if not started:
            return {}
        found = await self._market.shared_read(
            ("newest ticks", *started), lambda store: store.tick_store.newest_ticks(started)
        )
        return {symbol: found.get(symbol, -1) for symbol in started}

    def follow(self, newest: Mapping[str, int]) -> None:
        """Publish what is stored after these ticks, the result of `newest`, from now on."""
        self._published = {**newest, **self._published}

    async def publish(self, wanted: Set[str]) -> None:
        """Publish what is new of these symbols, and forget the others. Raises StoreError."""
        for gone in self._published.keys() - wanted:
            del self._published[gone]
        if not wanted:
            return
        self.follow(await self.newest(wanted))
        new = await self._market.read(partial(_new_ticks, dict(self._published)))
        for symbol, ticks in new.items():
            if symbol in self._published:
                self._published[symbol] = max(self._published[symbol], ticks[-1].number)
                self._hub.publish([item for tick in ticks for item in tick_items(tick, self._hub)])
                self._on_ticks(symbol)

    def begin_again(self) -> None:
        """Forget what was published: another database is followed from now on."""
        self._published.clear()


def tick_items(tick: Tick, hub: LiveHub) -> list[LiveItem]:
    """Return the messages of a tick that any client wants."""
    items, symbol = list[LiveItem](), tick.symbol
    if hub.is_wanted((symbol, QUOTE)):
        items.append(LiveItem((symbol, QUOTE), tick.number, live_messages.tick_message(tick)))
    if hub.is_wanted((symbol, TICK)):
        items.append(LiveItem((symbol, TICK), -1, live_messages.tick_price(tick)))
    return items


def _new_ticks(published: Mapping[str, int], store: SeparateStore) -> dict[str, list[Tick]]:
    """Return the stored ticks after those published, of the symbols that have any."""
    newest = store.tick_store.newest_ticks(published.keys())
    found = {
        symbol: store.tick_store.ticks_after(symbol, published[symbol], MOST_AT_ONCE)
        for symbol, number in newest.items()
        if number > published[symbol]
    }
    return {symbol: ticks for symbol, ticks in found.items() if ticks}
