"""
Where past ticks, and candles of brokers of quotes, come from, by broker: built from the settings for one command.

A further broker is a folder under `app.brokers` and one line in `_SOURCES` or `_CANDLES`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import NamedTuple

from app.concurrency.background import in_background
from app.config.settings import Settings
from app.market.calendar.calendar import Calendar
from app.market.errors import UsageError
from app.market.ports.clock import Clock
from app.market.ports.quote_history import QuoteCandleSource, TickHistory
from app.market.suggestions import nearest
from app.market.symbol import Symbol


class TickSource(NamedTuple):
    """
    Past ticks of one broker. ``described`` returns a symbol as the broker describes it, and when its market is open;
    None where it says neither. It may ask the broker.
    """

    history: TickHistory
    described: Callable[[str], Awaitable[tuple[Symbol, Calendar] | None]]


def tick_source(settings: Settings, broker: str, clock: Clock) -> AbstractAsyncContextManager[TickSource]:
    """
    Return the context in which a broker can be asked for past ticks, on the running loop.

    Raises:
        UsageError: If the broker publishes none.
        SettingsError: If one of its addresses cannot be one.
    """
    check_has_ticks(broker)
    return _SOURCES[broker](settings, clock)


def has_ticks(broker: str) -> bool:
    """Whether the broker publishes past ticks."""
    return broker in _SOURCES


def has_candles(broker: str) -> bool:
    """Whether the broker makes candles itself."""
    return broker in _CANDLES


def check_has_ticks(broker: str) -> None:
    """
    Return if the broker publishes past ticks.

    Raises:
        UsageError: If it has candles alone.
    """
    if not has_ticks(broker):
        raise UsageError(f"{broker}: publishes no past ticks; write 1m instead of quotes, for its own candles.")


def candle_source(settings: Settings, broker: str, clock: Clock) -> AbstractAsyncContextManager[QuoteCandleSource]:
    """
    Return the context in which a broker can be asked for candles that it made itself, on the running loop.

    Entering it raises FeedRejected without credentials, and SettingsError for an address that cannot be one.

    Raises:
        UsageError: If the broker makes none.
    """
    source = _CANDLES.get(broker)
    if source is None:
        raise UsageError(f"{broker}: publishes no candles of its own; write quotes, of which candles are made.")
    return source(settings, clock)


def symbols_of_group(group: str) -> list[str]:
    """
    Return the symbols of a group by its name, ``"majors"``.

    Raises:
        UsageError: If there is no such group.
    """
    from app.brokers.dukascopy.instruments import BROKER, GROUPS

    names = GROUPS.get(group.strip().lower())
    if names is None:
        meant = nearest(group, GROUPS)
        hint = f"did you mean {meant}?" if meant else f"there are {', '.join(GROUPS)}."
        raise UsageError(f"There is no group “{group[:40]}”: {hint}")
    return [f"{BROKER}:{name}" for name in names]


@asynccontextmanager
async def _dukascopy(settings: Settings, clock: Clock) -> AsyncIterator[TickSource]:
    from app.runtime.quote_brokers import dukascopy_history  # here: only this needs it

    async with dukascopy_history(settings, clock) as history:

        async def described(symbol: str) -> tuple[Symbol, Calendar] | None:
            instrument = await history.instrument(symbol)
            return None if instrument is None else (instrument.symbol, instrument.calendar)

        yield TickSource(history, described)


@asynccontextmanager
async def _oanda(settings: Settings, clock: Clock) -> AsyncIterator[QuoteCandleSource]:
    from app.runtime.quote_brokers import oanda, oanda_credentials  # here: only this needs it

    credentials = await in_background(partial(oanda_credentials, settings), "read-credentials")
    async with oanda(settings, clock, credentials) as parts:
        yield parts.rest


_SOURCES: dict[str, Callable[[Settings, Clock], AbstractAsyncContextManager[TickSource]]] = {"dukascopy": _dukascopy}
_CANDLES: dict[str, Callable[[Settings, Clock], AbstractAsyncContextManager[QuoteCandleSource]]] = {"oanda": _oanda}
