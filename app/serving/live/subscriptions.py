"""
What a live client asks for, and what it is subscribed to. No I/O.

A client that has asked for nothing gets the prices of every symbol, as front ends of the field expect; its first
``subscribe`` replaces these.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

import msgspec

from app.market.errors import UsageError
from app.market.interval import Interval
from app.market.symbol import BROKER, broker_of

TICK, TRADE, QUOTE, CANDLE = "tick", "trade", "quote", "candle:"
MOST_TOPICS = 1_024
_MOST_LISTED = 1_024

Topic = tuple[str, str]
"""A symbol and a type: ``("BTCUSDT", "candle:1m")``."""


class LiveRequest(NamedTuple):
    """
    A request that can be carried out: ``action`` is subscribe or unsubscribe.

    ``since``: the first trade id wanted, by symbol.
    """

    action: str
    topics: list[Topic]
    since: dict[str, int]


class _Message(msgspec.Struct, forbid_unknown_fields=False):
    action: str
    broker: str = "binance"
    symbols: tuple[str, ...] = ()
    types: tuple[str, ...] = (TICK,)
    since: int | dict[str, int] | None = None


def read_request(text: str | bytes, resolve: Callable[[str], str], *, has_quotes: bool) -> LiveRequest:
    """
    Return the request that a message makes; ``resolve`` returns the name of a symbol, or raises.

    Raises:
        UsageError: If it cannot be used; the sentence says why.
        NotFound: If a symbol is not known.
    """
    try:
        message = msgspec.json.decode(text, type=_Message)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as problem:
        raise UsageError(f"This message cannot be used ({str(problem)[:120]}): {_EXAMPLE}") from problem
    if message.action not in ("subscribe", "unsubscribe"):
        raise UsageError(f"“{message.action[:40]}” is no action: {_EXAMPLE}")
    if message.broker.lower() != "binance":
        raise UsageError(f"“{message.broker[:40]}” is no broker here: there is binance.")
    if not message.symbols or not message.types:
        raise UsageError(f"The message names no symbols, or no types: {_EXAMPLE}")
    if len(message.symbols) * len(message.types) > _MOST_LISTED:
        raise UsageError(f"A message may name {_MOST_LISTED} pairs of symbol and type at most.")
    types = [_type(one, has_quotes=has_quotes) for one in message.types]
    symbols = list(dict.fromkeys(map(resolve, message.symbols)))
    for symbol in symbols:
        if broker_of(symbol) != BROKER:
            raise UsageError(f"{symbol} has quotes, and live messages are of trades: ask /candles for its candles.")
    return LiveRequest(
        message.action,
        [(symbol, kind) for symbol in symbols for kind in types],
        _since(message.since, symbols, types, resolve),
    )


_EXAMPLE = 'send {"action":"subscribe","symbols":["BTCUSDT"],"types":["trade"]}.'


def _type(text: str, *, has_quotes: bool) -> str:
    if text.startswith(CANDLE):
        return f"{CANDLE}{Interval.parse(text.removeprefix(CANDLE)).name}"
    if text == QUOTE and not has_quotes:
        raise UsageError("Quotes are not stored: this server, which only reads the database, has none.")
    if text not in (TICK, TRADE, QUOTE):
        raise UsageError(f"“{text[:40]}” is no type: there are tick, trade, quote and candle:1m.")
    return text


def _since(
    given: int | dict[str, int] | None, symbols: Collection[str], types: Collection[str], resolve: Callable[[str], str]
) -> dict[str, int]:
    if given is None:
        return {}
    if TRADE not in types:
        raise UsageError("since is the id of a trade: name the type trade with it.")
    by_symbol = (
        dict.fromkeys(symbols, given)
        if isinstance(given, int)
        else {resolve(name): first for name, first in given.items()}
    )
    if not by_symbol.keys() <= set(symbols):
        raise UsageError("since names a symbol that the message does not subscribe to.")
    if any(not 0 <= first < 1 << 62 for first in by_symbol.values()):
        raise UsageError("since is the id of a trade: a whole number from 0 on.")
    return by_symbol


class ClientSubscriptions:
    """The topics of one client; at first the prices of ``assets``, which it did not ask for."""

    def __init__(self, assets: Iterable[str]) -> None:
        self.topics = frozenset((symbol, TICK) for symbol in assets)
        self._is_default = True

    def carry_out(self, request: LiveRequest) -> None:
        """
        Change the topics as asked.

        Raises:
            UsageError: If they would be too many; nothing is changed.
        """
        asked = frozenset(request.topics)
        if request.action == "unsubscribe":
            topics = self.topics - asked
        else:
            topics = asked if self._is_default else self.topics | asked
        if len(topics) > MOST_TOPICS:
            raise UsageError(f"A client may have {MOST_TOPICS} pairs of symbol and type at most.")
        self.topics, self._is_default = topics, False

    def by_symbol(self) -> dict[str, list[str]]:
        """Return the types by symbol."""
        found: dict[str, list[str]] = {}
        for symbol, kind in self.topics:
            found.setdefault(symbol, []).append(kind)
        return found
