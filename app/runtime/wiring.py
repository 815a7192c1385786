"""
Builds the program's parts from the settings, for the window and for the commands.

Only here is a broker chosen: everything else knows the ports in `app.market.ports`. It imports the whole engine, so
what a start needs before that has a module of its own beside it (`early_open`, `exchange_addresses`).
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from app.brokers.binance.endpoints import exchange_of
from app.brokers.binance.feed import BinanceFeed
from app.brokers.binance.rest import BinanceRest
from app.brokers.rate_limit import SHARE_USED
from app.concurrency.system_clock import SystemClock
from app.config.settings import Settings
from app.live.engine import Engine
from app.live.environment.ban_file import FILE_NAME as BAN_FILE
from app.live.environment.ban_file import StoredBan
from app.live.environment.clocks import ExchangeClock
from app.live.environment.system_events import SystemEvent, watch_system
from app.market.exchange_ban import ExchangeBan
from app.market.ports.clock import Clock
from app.market.ports.cold import ColdSource
from app.market.ports.database import OpenDatabase
from app.runtime.early_open import open_database as open_database
from app.runtime.live_brokers import live_brokers
from storage.drawings.drawing_journal import FILE_NAME as DRAWINGS_FILE
from storage.drawings.drawing_journal import SqliteJournal
from storage.lake.credentials import bucket_of_r2
from storage.spool.disk_spool import FILE_NAME, TICK_FILE_NAME, DiskSpool, TickDiskSpool

if TYPE_CHECKING:
    from app.brokers.binance.archive import BinanceArchive
    from storage.lake.lake import Lake

logger = logging.getLogger(__name__)


def spool_of(settings: Settings) -> DiskSpool | None:
    """Return the spool of the settings' data directory, not opened yet; None if it is switched off."""
    if not settings.spool_megabytes:
        return None
    return DiskSpool(settings.data_dir / FILE_NAME, settings.spool_megabytes * 1_000_000)


def tick_spool_of(settings: Settings) -> TickDiskSpool | None:
    """Return the spool of ticks, as `spool_of` returns that of trades."""
    if not settings.spool_megabytes:
        return None
    return TickDiskSpool(settings.data_dir / TICK_FILE_NAME, settings.spool_megabytes * 1_000_000)


def ban_of(settings: Settings, clock: Clock) -> ExchangeBan:
    """Return the exchange's ban of this address, as far as earlier runs recorded one."""
    exchanges = {exchange_of(url) for url in (settings.binance_ws_url, settings.binance_rest_url)}
    return StoredBan(settings.data_dir / BAN_FILE, exchanges, clock)


@asynccontextmanager
async def exchange_rest(
    settings: Settings,
    exchange_clock: ExchangeClock,
    ban: ExchangeBan | None = None,
    *,
    share: float = SHARE_USED,
) -> AsyncIterator[BinanceRest]:
    """
    Yield the exchange's REST client for the running loop, and close it afterwards.

    ``share``: the part of each minute's weight that it may use; the weight is that of all programs on this address.
    """
    ban = ban or ban_of(settings, exchange_clock)
    rest = BinanceRest(settings.binance_rest_url, clock=exchange_clock, proxy=settings.proxy, ban=ban, share=share)
    try:
        yield rest
    finally:
        await rest.close()


@asynccontextmanager
async def exchange_archive(settings: Settings) -> AsyncIterator[BinanceArchive]:
    """Yield the exchange's archive for the running loop, its files in the data directory; close it afterwards."""
    from app.brokers.binance.archive import BinanceArchive  # here: only downloads need it
    from app.runtime.archive_folder import archive_folder

    with archive_folder(settings.data_dir) as folder:
        archive = BinanceArchive(settings.archive_url, folder, proxy=settings.proxy)
        try:
            yield archive
        finally:
            await archive.close()


def exchange_feed(
    settings: Settings, clock: Clock, ban: ExchangeBan | None = None, *, max_attempts: int | None = None
) -> BinanceFeed:
    """Return the live feed, not started; ``max_attempts`` overrides the setting."""
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
    Yield an engine, not started, and close its REST client afterwards.

    ``clock`` defaults to this machine's; ``opening`` to a function that opens the settings' database.

    Raises:
        SettingsError: If an address of the exchange cannot be one.
    """
    clock = clock if clock is not None else SystemClock()
    exchange_clock = ExchangeClock(clock)
    ban = ban_of(settings, clock)  # a ban is of our address: feed and REST client share it
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
            quote_brokers=live_brokers(settings, clock),
            tick_spool=tick_spool_of(settings),
            has_left_ticks=(settings.data_dir / TICK_FILE_NAME).exists(),
            cold=_cold_source(settings),
            drawing_journal=SqliteJournal(settings.data_dir / DRAWINGS_FILE),
            data_dir=settings.data_dir,
        )
        engine.stall_detector.on_stalled = partial(_doubt_streams, feed)
        async with _replacing_dead_connections(engine, feed, rest):
            yield engine


def _cold_source(settings: Settings) -> ColdSource | None:
    """Return the lake of the settings for charts; None without one. The first chart that needs it opens it."""
    if not settings.lake and not bucket_of_r2(os.environ):
        return None

    from storage.lake.reading.cold_seconds import ColdSeconds  # here: few charts have a lake

    def opened() -> Lake:
        from app.runtime.lakes import open_lake  # here: few charts need it, and it loads what speaks to buckets

        return open_lake(settings)

    return ColdSeconds(opened)


def _doubt_streams(feed: BinanceFeed, symbols: Sequence[str]) -> None:
    """Replace the connections of these symbols, each once."""
    for symbol in symbols:
        feed.doubt(f"Trades of {symbol} do not arrive", symbol)


@asynccontextmanager
async def _replacing_dead_connections(engine: Engine, feed: BinanceFeed, rest: BinanceRest) -> AsyncIterator[None]:
    """Meanwhile, after a sleep of the computer or a change of network, replace all connections: they may be dead."""

    def on_event(event: SystemEvent) -> None:
        logger.warning("%s.", event.what)
        if event.cuts:
            feed.doubt(event.what)
            rest.renew()
            engine.quotes.doubt(event.what)
        engine.measure_clock()

    watching = asyncio.get_running_loop().create_task(watch_system(engine.clock, on_event))
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
