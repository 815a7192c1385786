"""
One broker of quotes while the program runs: its stream, its symbols, its candles, and why it is away.

Brokers are independent: one that is down or refuses affects no other. A broker is connected once one of its symbols is
wanted, so an unused one costs nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from typing import NamedTuple

from app.concurrency.tasks import Tasks
from app.live.recording.database_keeper import fault_sentence
from app.live.recording.symbol_directory import SymbolDirectory
from app.market.candle import Candle
from app.market.errors import CryptopipeError, FeedDisconnected, FeedRejected
from app.market.interval import Interval
from app.market.ports.clock import Clock
from app.market.ports.exchange import EventHandler, FeedState, FeedStatus, KlineSource, SymbolSource, TradeFeed
from app.market.quotes.tick import PriceSide
from app.market.symbol import Symbol

logger = logging.getLogger(__name__)


def _ignore(_: str) -> None:
    """Default callback: do nothing."""


class BrokerParts(NamedTuple):
    """
    What a broker offers once it is connected.

    ``klines`` returns its candles of one price; ``close`` ends all. ``doubt`` replaces its connections, because they
    are probably dead; it is given the reason, without a full stop.
    """

    feed: TradeFeed
    symbols: SymbolSource
    klines: Callable[[PriceSide], KlineSource]
    close: Callable[[], Awaitable[None]]
    doubt: Callable[[str], None] = _ignore


class QuoteBroker:
    """
    Runs one broker; all methods on the loop.

    ``name``: as symbols have it before the colon. ``connect`` builds its parts, and raises CryptopipeError with one
    sentence if it cannot, as without credentials; None for a broker without live prices. ``reason``: one sentence
    while it receives nothing for good. ``on_status`` is called at each change of its state.
    """

    def __init__(
        self,
        name: str,
        clock: Clock,
        connect: Callable[[], Awaitable[BrokerParts]] | None,
        *,
        reason: str = "",
    ) -> None:
        self.name = name
        self.reason = reason
        self.on_status: Callable[[], None] = lambda: None
        self.parts: BrokerParts | None = None
        self.directory = SymbolDirectory(_Symbols(self), clock, broker=name)
        self._clock = clock
        self._connect = connect
        self._symbols: Collection[str] = ()
        self._changed = asyncio.Event()
        self._tasks = Tasks(f"the broker {name}")

    @property
    def status(self) -> FeedStatus:
        """The state of its stream: refused for good where there is none."""
        if self.reason:
            return FeedStatus(FeedState.REFUSED, self.reason)
        if self.parts is None:
            return FeedStatus(FeedState.CONNECTING if self._symbols else FeedState.IDLE)
        return self.parts.feed.status

    @property
    def has_live_prices(self) -> bool:
        """Whether it has a stream at all, and candles of its own."""
        return self._connect is not None

    def status_of(self, symbol: str) -> FeedStatus:
        """Return the state of the connection that carries a symbol."""
        return self.status if self.reason or self.parts is None else self.parts.feed.status_of(symbol)

    def klines(self, side: PriceSide) -> KlineSource:
        """Return the source of its candles of one price; none before it is connected."""
        return _Klines(self, side, self._clock)

    def set_symbols(self, symbols: Collection[str]) -> None:
        """
        Receive these symbols from now on.

        Raises:
            UsageError: If they are more than can be received; nothing is changed.
        """
        if self.parts is not None:
            self.parts.feed.set_symbols(symbols)
        if set(symbols) != set(self._symbols):  # else a refusal would be answered by a further attempt
            self._symbols = symbols
            self._changed.set()

    def retry_now(self) -> None:
        """End a wait between attempts; after a refusal, begin again: the user may have changed something."""
        if self.parts is not None and not self.reason:
            self.parts.feed.retry_now()
        elif self._connect is not None:
            self._changed.set()

    def doubt(self, reason: str) -> None:
        """Replace its connections, which are probably dead; ``reason`` is a sentence without its full stop."""
        if self.parts is not None:
            self.parts.doubt(reason)

    async def run(self, handler: EventHandler) -> None:
        """Receive until cancelled; while it is refused, wait for `retry_now` or for other symbols."""
        if self._connect is None:
            return
        try:
            while True:
                await self._changed.wait()
                self._changed.clear()
                if self._symbols:
                    await self._receive(self._connect, handler)
                    self.on_status()
        finally:
            await self._tasks.end()
            if self.parts is not None:
                await self.parts.close()

    async def _receive(self, connect: Callable[[], Awaitable[BrokerParts]], handler: EventHandler) -> None:
        self.reason = ""
        try:
            if self.parts is None:
                self.parts = await connect()
                self.parts.feed.on_status(lambda _: self.on_status())
                self._tasks.begin(self.directory.run())
            self.parts.feed.set_symbols(self._symbols)
            await self.parts.feed.run(handler)
        except Exception as error:  # because a bug must not look like a quiet market
            if isinstance(error, CryptopipeError):
                self.reason = str(error)
                logger.error("%s: nothing is received: %s", self.name, error)
            else:
                self.reason = fault_sentence(f"Receiving prices of {self.name.capitalize()}", error)
                logger.critical("%s: receiving ended by a fault in the program", self.name, exc_info=error)
            self._changed.clear()  # of what the refused stream had taken in
            # Another token needs another client; one without a connection costs nothing.
            if self.parts is not None:
                await self._tasks.end()
                parts, self.parts = self.parts, None
                await parts.close()


class _Symbols:
    """The symbols of a broker that may not be connected yet."""

    def __init__(self, broker: QuoteBroker) -> None:
        self._broker = broker

    async def symbols(self) -> list[Symbol]:
        parts = self._broker.parts
        if parts is None:
            raise FeedDisconnected("The broker is not connected yet.")
        return await parts.symbols.symbols()


class _Klines:
    """The candles of a broker that may not be connected yet, or publishes none: then history is what is stored."""

    def __init__(self, broker: QuoteBroker, side: PriceSide, clock: Clock) -> None:
        self._broker = broker
        self._side = side
        self._clock = clock

    async def exchange_time_us(self) -> int:
        return self._clock.now_us()

    async def klines(
        self,
        symbol: str,
        interval: Interval,
        *,
        start_us: int | None = None,
        end_us: int | None = None,
        limit: int = 1000,
    ) -> list[Candle]:
        broker = self._broker
        if broker.parts is not None:
            source = broker.parts.klines(self._side)
            return await source.klines(symbol, interval, start_us=start_us, end_us=end_us, limit=limit)
        if broker.status.state is FeedState.CONNECTING:
            raise FeedDisconnected(f"{symbol}: the broker is not connected yet.")
        if broker.has_live_prices and broker.reason:
            raise FeedRejected(broker.reason)
        return []
