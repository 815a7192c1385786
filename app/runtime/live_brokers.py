"""
The brokers of quotes that an engine runs beside the exchange, built from the settings.

A further broker is a folder under `app.brokers` and one line here. What a broker needs is imported when it is
connected: a start without its symbols does not wait for it.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial

from app.concurrency.background import in_background
from app.config.settings import Settings
from app.live.ticks.quote_broker import BrokerParts, QuoteBroker
from app.market.ports.clock import Clock
from app.market.symbol import history_command

NO_LIVE_PRICES = f"Dukascopy has history only: {history_command('dukascopy:EURUSD')} fetches it."


def live_brokers(settings: Settings, clock: Clock) -> list[QuoteBroker]:
    """Return the brokers, none of them connected yet."""
    return [
        QuoteBroker("oanda", clock, partial(_oanda, settings, clock)),
        QuoteBroker("dukascopy", clock, None, reason=NO_LIVE_PRICES),
    ]


async def _oanda(settings: Settings, clock: Clock) -> BrokerParts:
    """Return OANDA's parts for the running loop; raises as `app.runtime.quote_brokers.oanda`, and FeedRejected."""
    from app.brokers.oanda.rest import OandaKlines
    from app.runtime.quote_brokers import oanda, oanda_credentials

    credentials = await in_background(partial(oanda_credentials, settings), "read-credentials")
    async with AsyncExitStack() as stack:
        feed, rest = await stack.enter_async_context(oanda(settings, clock, credentials))

        def doubt(reason: str) -> None:
            rest.renew()
            feed.doubt(reason)

        return BrokerParts(feed, rest, lambda side: OandaKlines(rest, side, clock=clock), stack.pop_all().aclose, doubt)
    raise AssertionError("the stack ends with a return")
