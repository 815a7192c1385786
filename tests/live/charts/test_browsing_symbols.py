"""Browsing symbols as fast as keys repeat: for a symbol left behind, nothing is requested or computed any more."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

from aiohttp import web

from app.brokers.binance.rest import BinanceRest
from app.concurrency.system_clock import SystemClock
from app.live.charts.candle_history import CandleHistory
from app.live.charts.chart_session import ChartSession
from app.live.environment.clocks import ExchangeClock
from app.market.candle import Candle
from app.market.interval import Interval
from app.sandbox.market.simulated import Listing, SimulatedMarket
from app.sandbox.server.server import SandboxServer
from tests.live.helpers import until

SYMBOLS = 60
AT_ONCE = 4  # requests of history, at either end


class BusyMarket(SimulatedMarket):
    """An exchange that answers requests for history once ``may_answer`` is set."""

    def __init__(self) -> None:
        listings = [Listing(f"C{number}", "100", "0.01", "0.001", 1.0) for number in range(SYMBOLS)]
        super().__init__(3, listings, history=timedelta(hours=2), rate=0.05)
        self.begun: list[str] = []
        self.may_answer = asyncio.Event()

    async def klines(
        self, symbol: str, interval: Interval, *, start_us: int | None, end_us: int | None, limit: int
    ) -> list[Candle]:
        self.begun.append(symbol)
        await self.may_answer.wait()
        return await super().klines(symbol, interval, start_us=start_us, end_us=end_us, limit=limit)


class CountingServer(SandboxServer):
    """Counts the requests of history that reach it."""

    asked = 0

    def _kline_slot(self, request: web.Request) -> AbstractAsyncContextManager[None]:
        self.asked += "klines" in request.path
        return super()._kline_slot(request)


def ignored() -> None:
    """Ignore the charts' callbacks."""


async def test_browsing_sixty_symbols_asks_little_and_computes_only_what_is_looked_at() -> None:
    market = BusyMarket()
    server = CountingServer(market)
    await server.start()
    clock = SystemClock()
    rest = BinanceRest(server.rest_url, clock=clock)
    history = CandleHistory(rest)
    await rest.server_time_us()

    def open_chart(symbol: str) -> ChartSession:
        return ChartSession(
            symbol,
            Interval.parse("30s"),
            history=history,
            tracker=None,
            exchange_clock=ExchangeClock(clock),
            clock=clock,
            on_state=ignored,
            on_change=ignored,
        )

    async def asks_more_than(seen: int) -> None:
        await until(lambda: server.asked > seen, "the first request")

    symbols = sorted(symbol.name for symbol in await rest.symbols())
    assert len(symbols) == SYMBOLS
    for symbol in symbols[:-1]:
        seen = server.asked
        session = open_chart(symbol)
        looking = asyncio.ensure_future(session.run())
        await asks_more_than(seen)
        session.close()
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
    last = open_chart(symbols[-1])
    looking = asyncio.ensure_future(last.run())
    market.may_answer.set()
    await looking
    assert len(last.series) > 100
    assert server.asked <= AT_ONCE * SYMBOLS + 30
    left_behind = [symbol for symbol in market.begun if symbol != symbols[-1]]
    assert len(left_behind) <= AT_ONCE
    last.close()
    await rest.close()
    await server.stop()
