"""Builds the parts of the program from the settings; used by the window and by the commands alike."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

from app.brokers.binance.endpoints import exchange_of
from app.brokers.binance.feed import BinanceFeed
from app.brokers.binance.rest import BinanceRest
from app.concurrency.system_clock import SystemClock
from app.config.settings import Settings
from app.live.engine import Engine
from app.live.environment.ban_file import FILE_NAME as SHUTOUT_FILE
from app.live.environment.ban_file import StoredBan
from app.live.environment.clocks import ExchangeClock
from app.live.environment.system_events import SystemEvent, watch_system
from app.market.exchange_ban import ExchangeBan
from app.market.ports.clock import Clock
from app.market.ports.database import OpenDatabase
from app.runtime.early_open import open_database as open_database
from storage.spool.disk_spool import FILE_NAME, DiskSpool

logger = logging.getLogger(__name__)


def spool_of(settings: Settings) -> DiskSpool | None:
    """Return the spool of the settings' data directory, not opened; None where it is switched off."""
    if not settings.spool_megabytes:
        return None
    return DiskSpool(settings.data_dir / FILE_NAME, settings.spool_megabytes * 1_000_000)


def ban_of(settings: Settings, clock: Clock) -> ExchangeBan:
    """Return how long the exchange keeps this address out, as far as an earlier run was told."""
    exchanges = {exchange_of(url) for url in (settings.binance_ws_url, settings.binance_rest_url)}
    return StoredBan(settings.data_dir / SHUTOUT_FILE, exchanges, clock)


@asynccontextmanager
async def exchange_rest(
    settings: Settings, exchange_clock: ExchangeClock, ban: ExchangeBan | None = None
) -> AsyncIterator[BinanceRest]:
    """Yield the exchange's REST client on the running loop; closed afterwards."""
    ban = ban or ban_of(settings, exchange_clock)
    rest = BinanceRest(settings.binance_rest_url, clock=exchange_clock, proxy=settings.proxy, ban=ban)
    try:
        yield rest
    finally:
        await rest.close()


def exchange_feed(
    settings: Settings, clock: Clock, ban: ExchangeBan | None = None, *, max_attempts: int | None = None
) -> BinanceFeed:
    """Return the live feed, which does nothing yet; ``max_attempts`` in place of the setting's."""
    return BinanceFeed(
        settings.binance_ws_url,
        clock=clock,
        stall_after_s=settings.stall_seconds,
        max_attempts=settings.reconnect_attempts if max_attempts is None else max_attempts,
        proxy=settings.proxy,
        ban=ban or ban_of(settings, clock),
    )


@asynccontextmanager
async def engine_for(
    settings: Settings, clock: Clock | None = None, *, opening: OpenDatabase | None = None
) -> AsyncIterator[Engine]:
    """
    Yield an engine that is not started yet; its REST client is closed afterwards.

    ``clock`` is this machine's by default; ``opening`` opens the database of the settings, where that has begun.

    Raises:
        SettingsError: If an address of the exchange cannot be one.
    """
    clock = clock if clock is not None else SystemClock()
    exchange_clock = ExchangeClock(clock)
    ban = ban_of(settings, clock)  # a ban is the address's: whoever is told of it, both obey
    feed = exchange_feed(settings, clock, ban)
    async with exchange_rest(settings, exchange_clock, ban) as rest:
        engine = Engine(
            feed=feed,
            exchange=rest,
            open_database=opening or partial(open_database, settings),
            clock=clock,
            exchange_clock=exchange_clock,
            queue_trades=settings.queue_trades,
            repair_trades=settings.repair_trades,
            ban=ban,
            spool=spool_of(settings),
        )
        engine.stall_detector.on_stalled = partial(_doubt_streams, feed)
        async with _watching(engine, feed, rest):
            yield engine


def _doubt_streams(feed: BinanceFeed, symbols: Sequence[str]) -> None:
    """Replace the connections of these symbols, each once."""
    for symbol in symbols:
        feed.doubt(f"Trades of {symbol} do not arrive", symbol)


@asynccontextmanager
async def _watching(engine: Engine, feed: BinanceFeed, rest: BinanceRest) -> AsyncIterator[None]:
    """Meanwhile replace connections at once that the computer's sleep or another network has left dead."""

    def on_event(event: SystemEvent) -> None:
        logger.warning("%s.", event.what)
        if event.cuts:
            feed.doubt(event.what)
            rest.renew()
        engine.measure_clock()

    watching = asyncio.get_running_loop().create_task(watch_system(engine.clock, on_event))
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
