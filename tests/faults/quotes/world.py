"""
The environment of a recording of quotes: a loopback OANDA whose clock runs fast, and a database server that can fail.

The market's prices are known, so that what is stored can be compared with them. Some come two at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from app.brokers.oanda.endpoints import instrument_of
from app.brokers.oanda.feed import OandaFeed
from app.live.engine import Engine
from app.market.quotes.tick import Tick
from app.sandbox.oanda.server import ACCOUNT, TOKEN, OandaLimits, OandaSandbox
from app.sandbox.oanda.tape import LISTINGS, Listing, PriceColumns, SimulatedTape, TapePrice
from tests.faults.world import DatabaseServer, HurriedClock

EURUSD, USDJPY, GBPUSD, XAUUSD = "oanda:EURUSD", "oanda:USDJPY", "oanda:GBPUSD", "oanda:XAUUSD"
UNLIMITED = OandaLimits(requests_per_s=10_000, connections_per_s=1_000)
_LATER_US = 250

Span = tuple[int, int]
"""From and to a time, UTC microseconds, both inclusive."""


class PairedTape:
    """The prices of a `SimulatedTape`, a third of them followed by another one of the same millisecond."""

    def __init__(self, seed: int, *, prices_per_s: float) -> None:
        self._tape = SimulatedTape(seed, prices_per_s=prices_per_s, always_open=True)

    @property
    def listings(self) -> Sequence[Listing]:
        return self._tape.listings

    def prices(self, name: str, start_us: int, end_us: int) -> Sequence[TapePrice]:
        found: list[TapePrice] = []
        for price in self._tape.prices(name, start_us - 1_000, end_us):
            found.append(price)
            if price.bid % 6 == 0:  # of the same time
                found.append(price._replace(bid=price.bid + 1, ask=price.ask + 1))
            elif price.bid % 6 == 1:
                found.append(price._replace(time_us=price.time_us + _LATER_US, ask=price.ask + 1))
        return [price for price in found if start_us < price.time_us <= end_us]

    def columns(self, name: str, start_us: int, end_us: int) -> PriceColumns:
        rows = np.array([price[:3] for price in self.prices(name, start_us, end_us)], dtype=np.int64).reshape(-1, 3)
        return PriceColumns(*(np.ascontiguousarray(column) for column in rows.T))

    def last(self, name: str, at_us: int) -> TapePrice | None:
        single = self._tape.last(name, at_us)
        return None if single is None else self.prices(name, single.time_us - 1, at_us)[-1]

    def ticks(self, symbol: str, start_us: int, end_us: int) -> list[Tick]:
        """Return the prices of ``[start_us, end_us]`` as the ticks to be stored."""
        listing, _ = LISTINGS[instrument_of(symbol)]
        point_e8 = 10 ** (8 - listing.precision)
        ticks: list[Tick] = []
        for price in self.prices(listing.name, start_us - 1, end_us):
            place = ticks[-1].place + 1 if ticks and ticks[-1].time_us == price.time_us else 0
            size_e8 = price.liquidity * 100
            prices_e8 = price.bid * point_e8, price.ask * point_e8
            ticks.append(Tick(symbol, price.time_us, place, *prices_e8, size_e8, size_e8))
        return ticks


@dataclass
class QuoteScene:
    """
    What a fault acts on.

    ``engine`` and ``clock`` are the recording's, where that runs in this process; ``received``: its ticks. ``away``:
    times of which prices may be missing; ``blind``: those in which the broker sent heartbeats without its prices.
    """

    tape: PairedTape
    market_clock: HurriedClock
    server: OandaSandbox
    database: DatabaseServer
    symbols: list[str]
    random: random.Random
    engine: Engine | None = None
    clock: HurriedClock | None = None
    received: list[Tick] = field(default_factory=list)
    away: list[Span] = field(default_factory=list)
    blind: list[Span] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.began_s = self.market_clock.monotonic_s()

    @property
    def feed(self) -> OandaFeed:
        """The recording's feed, once it is connected."""
        assert self.engine is not None
        parts = self.engine.quotes.brokers["oanda"].parts
        assert parts is not None
        assert isinstance(parts.feed, OandaFeed)
        return parts.feed

    @property
    def received_us(self) -> int:
        """Up to when every price of every symbol was received: a fault that begins now may cost only later ones."""
        newest = {tick.symbol: tick.time_us for tick in self.received}
        return min(newest[symbol] for symbol in self.symbols)

    @property
    def is_live(self) -> bool:
        """Whether the recording's stream is live: one that ends at once, as a page does, is so for a moment."""
        return self.engine is not None and self.engine.is_receiving(self.symbols[0])

    async def pass_time(self, seconds: float) -> None:
        """Wait for that much of the market's time, reading its clock, which else would stand still meanwhile."""
        end_s = self.market_clock.monotonic_s() + seconds
        while self.market_clock.monotonic_s() < end_s:
            await asyncio.sleep(0.02)

    def cut(self) -> None:
        """Cut every stream."""
        for stream in list(self.server.streams):
            stream.cut()

    def calm(self) -> None:
        """Clear all faults of the broker; a connection that lost what was sent to it ends."""
        self.server.token = TOKEN
        self.server.faults.clear()
        for stream in list(self.server.streams):
            if stream.faults.silent:
                stream.cut()  # no TCP connection goes on behind a hole
            stream.faults.clear()


@contextlib.asynccontextmanager
async def quote_scene(
    seed: int,
    database: DatabaseServer,
    *,
    symbols: Sequence[str] = (EURUSD, USDJPY),
    prices_per_s: float = 2.0,
    speed: float = 25.0,
    clock: HurriedClock | None = None,
    limits: OandaLimits = UNLIMITED,
) -> AsyncIterator[QuoteScene]:
    """
    Yield an OANDA that sends every price of its market; stop it afterwards.

    ``prices_per_s``: of each instrument, in the market's time, which runs ``speed`` times as fast as real time, or is
    that of ``clock``.
    """
    clock = clock or HurriedClock(speed=speed)
    tape = PairedTape(seed, prices_per_s=prices_per_s)
    server = OandaSandbox(tape, clock=clock, sampled=False, limits=limits)
    await server.start()
    try:
        yield QuoteScene(tape, clock, server, database, list(symbols), random.Random(seed))
    finally:
        await server.stop()


SECRETS = {"OANDA_API_KEY": TOKEN, "OANDA_ACCOUNT_ID": ACCOUNT}
"""The environment of a recording; no log may name either value."""
