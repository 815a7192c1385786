"""
Builds the brokers of quotes from the settings: Dukascopy's history, and OANDA's stream and candles.

Imported only where one of their symbols is used, so that a start without them loads none of it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from app.brokers.dukascopy.history import DukascopyHistory, Interface
from app.brokers.dukascopy.retries import RetryPlan
from app.brokers.oanda.credentials import Credentials
from app.brokers.oanda.endpoints import check_rest_base, check_stream_base
from app.brokers.oanda.feed import OandaFeed
from app.brokers.oanda.http_client import HttpClient
from app.brokers.oanda.rest import OandaRest
from app.config import passwords
from app.config.settings import Settings
from app.market.ports.clock import Clock


@asynccontextmanager
async def dukascopy_history(settings: Settings, clock: Clock) -> AsyncIterator[DukascopyHistory]:
    """
    Yield Dukascopy's history for the running loop, and close it afterwards.

    Raises:
        SettingsError: If an address cannot be one.
    """
    history = DukascopyHistory(
        settings.dukascopy_url,
        settings.dukascopy_files_url,
        clock=clock,
        proxy=settings.proxy,
        first=Interface(settings.dukascopy_first),
        plan=RetryPlan(settings.dukascopy_tries),
    )
    try:
        yield history
    finally:
        await history.close()


class Oanda(NamedTuple):
    """OANDA's stream, not started, and what it can be asked for."""

    feed: OandaFeed
    rest: OandaRest


def oanda_credentials(settings: Settings) -> Credentials:
    """
    Return token and account, from the environment or else from the keyring, for which it may block: use a worker.

    Raises:
        FeedRejected: If one is missing or cannot be one; its sentence says what to set.
    """
    return Credentials(
        settings.oanda_api_key.text or passwords.kept("oanda_api_key"),
        settings.oanda_account_id.text or passwords.kept("oanda_account_id"),
    )


@asynccontextmanager
async def oanda(settings: Settings, clock: Clock, credentials: Credentials) -> AsyncIterator[Oanda]:
    """
    Yield OANDA for the running loop, and close its connections afterwards.

    Raises:
        SettingsError: If an address cannot be one.
    """
    http = HttpClient(credentials, clock=clock, proxy=settings.proxy)
    rest = OandaRest(check_rest_base(settings.oanda_rest_url, settings.oanda_server), http, clock=clock)
    stream_url = check_stream_base(settings.oanda_stream_url, settings.oanda_server)
    feed = OandaFeed(stream_url, http, rest, clock=clock, max_attempts=settings.reconnect_attempts)
    try:
        yield Oanda(feed, rest)
    finally:
        await http.close()
