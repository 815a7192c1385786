"""The streams of the simulated market, for one connection: what the clock has passed since it last asked."""

from __future__ import annotations

import asyncio
import math
from bisect import bisect_right
from collections.abc import Collection, Sequence
from functools import partial
from typing import TYPE_CHECKING

from app.market.interval import SECOND_US
from app.market.ports import Clock
from app.market.trade import Trade
from app.sandbox.source import Frame
from app.sandbox.wire import aggregate_event, day_event, quote_event, trade_event

if TYPE_CHECKING:
    from app.sandbox.simulated import SimulatedMarket

_TICKER = "@miniTicker"
_TICKER_WAIT_S = 0.02
_PREPARED_EARLY = 1.2  # how much faster than time the next second is made


class PublishedSecond:
    """The trades of one symbol and second, its future included, with their events as text; all connections share it."""

    def __init__(self, trades: Sequence[Trade]) -> None:
        self.trades = trades
        self.times_us = [trade.time_us for trade in trades]
        self._events: dict[tuple[str, bool], list[bytes]] = {}

    def events(self, kind: str, first: int, end: int, *, microseconds: bool) -> list[bytes]:
        """Return the ``trade`` or ``aggTrade`` events of the second's trades ``first`` to ``end``, exclusive."""
        events = self._events.setdefault((kind, microseconds), [])
        # Written as they are due: a whole busy second at once would hold up the loop.
        event = trade_event if kind == "trade" else aggregate_event
        events += [event(trade, microseconds=microseconds) for trade in self.trades[len(events) : end]]
        return events[first:end]


class SimulatedFeed:
    """A `Feed` of a `SimulatedMarket`; begins now. A connection that lags gets all of it, a second at a time."""

    def __init__(self, market: SimulatedMarket, clock: Clock) -> None:
        self._market = market
        self._clock = clock
        self._until_us = clock.now_us()
        self._days: asyncio.Future[list[Frame]] | None = None

    async def frames(self, streams: Collection[str], *, microseconds: bool) -> Sequence[Frame]:
        if self._until_us + self._market.tick_s * SECOND_US > self._clock.now_us():
            await self._clock.sleep(self._market.tick_s)
        after_us = self._until_us
        second_us = (after_us + 1) // SECOND_US * SECOND_US
        until_us = max(min(self._clock.now_us(), second_us + SECOND_US - 1), after_us)
        self._until_us = until_us
        ends_second = (until_us + 1) // SECOND_US > second_us // SECOND_US
        frames = await self._tickers(streams, begin=ends_second, microseconds=microseconds)
        for stream in streams:
            frames += self._events(stream, second_us, after_us, until_us, microseconds=microseconds)
        self._prepare(streams, until_us)
        return frames

    def _events(
        self, stream: str, second_us: int, after_us: int, until_us: int, *, microseconds: bool
    ) -> Sequence[Frame]:
        """Return the trades of one stream, or the quote after the last of them, in ``(after_us, until_us]``."""
        name, _, kind = stream.partition("@")
        if name != name.lower():
            return ()  # the exchange's stream names are lower case; others stay silent
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

    def _prepare(self, streams: Collection[str], now_us: int) -> None:
        """Compute the next second of some symbols: all at once, at its begin, would hold up a busy market's loop."""
        symbols = sorted({name.upper() for name, _, _ in (stream.partition("@") for stream in streams) if name})
        second_us, within_us = now_us // SECOND_US * SECOND_US, now_us % SECOND_US
        first = int(within_us / SECOND_US * len(symbols) * _PREPARED_EARLY)
        count = math.ceil(len(symbols) * _PREPARED_EARLY * self._market.tick_s) + 1
        for symbol in symbols[first : first + count]:
            self._market.second(symbol, second_us + SECOND_US)

    async def _tickers(self, streams: Collection[str], *, begin: bool, microseconds: bool) -> list[Frame]:
        """Return the rolling days begun before, once they are there; a trade never waits for them."""
        wanted = [stream for stream in streams if stream.endswith(_TICKER)]
        if begin and wanted and self._days is None:
            compute = partial(self._day_frames, wanted, microseconds=microseconds)
            self._days = asyncio.get_running_loop().run_in_executor(None, compute)
        if self._days is None:
            return []
        await asyncio.wait([self._days], timeout=_TICKER_WAIT_S)
        if not self._days.done():
            return []
        frames, self._days = self._days.result(), None
        return frames

    def _day_frames(self, streams: Sequence[str], *, microseconds: bool) -> list[Frame]:
        """Blocks: a day that nobody has asked for yet takes a while."""
        frames = []
        for stream in streams:
            name = stream.removesuffix(_TICKER)
            day = self._market.day_now(name.upper()) if name == name.lower() else None
            if day is not None:
                frames.append(Frame(stream, day_event(day, microseconds=microseconds)))
        return frames
