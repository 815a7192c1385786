"""
The database and the exchange's time, for commands that read or fetch candles and that a signal ends.

A database that is being opened does not keep a command from ending, and one that is open is closed in every case.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from functools import partial

from app.concurrency.background import Background, in_background
from app.concurrency.system_clock import SystemClock
from app.config.settings import Settings
from app.live.environment.clocks import ExchangeClock
from app.market.errors import CryptopipeError, FeedError
from app.market.ports.exchange import TimeSource
from app.runtime.open_database import open_database
from app.runtime.shutdown import StopEvent, unless_stopped
from storage.database import Database

_OPEN_AFTER_CANCEL_S = 5.0
_CLOSE_S = 10.0
_CLOCK_S = 5.0


@contextlib.asynccontextmanager
async def opened_database(
    settings: Settings, stop: StopEvent, begin_shutdown: Callable[[], None]
) -> AsyncIterator[Database | None]:
    """
    Yield the open database, closed afterwards; None if ``stop`` was set first.

    Raises:
        StoreError: If it cannot be opened; the sentence says why.
    """
    opening = Background(partial(open_database, settings), lambda one: one.close(_CLOSE_S), "open-database")
    database = await unless_stopped(opening.result(), stop)
    is_stopped = database is None
    if database is None:
        # A server that is being started for us must be stopped again, so wait for it; but not for one that hangs.
        with contextlib.suppress(TimeoutError, CryptopipeError):
            async with asyncio.timeout(_OPEN_AFTER_CANCEL_S):
                database = await opening.result()
    try:
        yield None if is_stopped else database
    finally:
        begin_shutdown()
        if database is not None:
            await in_background(partial(database.close, _CLOSE_S), "close-database", to_its_end=True)


async def measure_exchange_clock(exchange_clock: ExchangeClock, exchange: TimeSource) -> None:
    """Set the clock to the exchange's time; without an answer in 5 s this computer's stays in force."""
    clock = SystemClock()
    asked_us = clock.now_us()
    with contextlib.suppress(FeedError, TimeoutError):
        async with asyncio.timeout(_CLOCK_S):
            exchange_clock.note_measurement(await exchange.server_time_us(), asked_us, clock.now_us())
