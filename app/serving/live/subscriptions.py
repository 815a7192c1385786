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
from app.market.quotes.tick import PriceSide, number_at, tick_number
from app.market.symbol import BROKER, QUOTE_BROKERS, has_trades
from app.serving.request_values import LAST_US

TICK, TRADE, QUOTE, CANDLE = "tick", "trade", "quote", "candle:"
MOST_TOPICS = 1_024
_MOST_LISTED = 1_024

Topic = tuple[str, str]
"""A symbol and a type: ``("BTCUSDT", "candle:1m")``, ``("oanda:EURUSD", "candle:1m:bid")``."""


class LiveRequest(NamedTuple):
    """
    A request that can be carried out: ``action`` is subscribe or unsubscribe.

    ``since``: by symbol the first trade wanted, by its id, or the first tick, by its number (`Tick.number`).
    """

    action: str
    broker: str
    topics: list[Topic]
    since: dict[str, int]


class _Message(msgspec.Struct, forbid_unknown_fields=False):
    action: str
    broker: str = "binance"
    symbols: tuple[str, ...] = ()
    types: tuple[str, ...] = (TICK,)
    since: int | str | dict[str, int | str] | None = None


def read_request(text: str | bytes, resolve: Callable[[str], str], *, has_quotes: bool) -> LiveRequest:
    """
    Return the request that a message makes; ``resolve`` returns the name of a symbol, or raises.

    ``has_quotes``: whether the best bid and ask of symbols with trades are available.

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
    broker = message.broker.lower()
    if broker not in (BROKER, *QUOTE_BROKERS):
        raise UsageError(f"“{message.broker[:40]}” is no broker here: there are {BROKER}, {', '.join(QUOTE_BROKERS)}.")
    if not message.symbols or not message.types:
        raise UsageError(f"The message names no symbols, or no types: {_EXAMPLE}")
    if len(message.symbols) * len(message.types) > _MOST_LISTED:
        raise UsageError(f"A message may name {_MOST_LISTED} pairs of symbol and type at most.")
    types = [_type(one) for one in message.types]

    def resolve_here(name: str) -> str:
        return resolve(name if ":" in name or broker == BROKER else f"{broker}:{name}")

    symbols = list(dict.fromkeys(map(resolve_here, message.symbols)))
    if message.action == "subscribe":
        for symbol in symbols:
            for kind in types:
                _check(symbol, kind, has_quotes=has_quotes)
    return LiveRequest(
        message.action,
        message.broker,
        [(symbol, kind) for symbol in symbols for kind in types],
        _since(message.since, symbols, types, resolve_here),
    )


def is_resumable(topic: Topic) -> bool:
    """Whether a client may resume a topic, by ``since``: the trades, or the quotes where there are no trades."""
    symbol, kind = topic
    return kind == (TRADE if has_trades(symbol) else QUOTE)


def candle_of(kind: str) -> tuple[Interval, PriceSide] | None:
    """Return the interval and the price of a type of candles, None for other types."""
    if not kind.startswith(CANDLE):
        return None
    name, _, price = kind.removeprefix(CANDLE).partition(":")
    return Interval.parse(name), PriceSide(price or PriceSide.MID)


_EXAMPLE = 'send {"action":"subscribe","symbols":["BTCUSDT"],"types":["trade"]}.'


def _type(text: str) -> str:
    if text.startswith(CANDLE):
        name, _, price = text.removeprefix(CANDLE).partition(":")
        if price not in ("", *PriceSide):
            raise UsageError(f"“{price[:40]}” is no price of a candle: write candle:1m:bid or candle:1m:ask.")
        # A type without a price is of the mid.
        return f"{CANDLE}{Interval.parse(name).name}" + (f":{price}" if price not in ("", PriceSide.MID) else "")
    if text not in (TICK, TRADE, QUOTE):
        raise UsageError(f"“{text[:40]}” is no type: there are tick, trade, quote and candle:1m.")
    return text


def _check(symbol: str, kind: str, *, has_quotes: bool) -> None:
    """Raise UsageError if there are no messages of that type of the symbol."""
    if not has_trades(symbol):
        if kind == TRADE:
            raise UsageError(f"{symbol} has quotes and no trades: subscribe to its quote, tick or candle:1m.")
    elif kind == QUOTE and not has_quotes:
        raise UsageError(
            f"Quotes of {symbol} are not stored: this server, which only reads the database, has none of symbols with "
            "trades."
        )
    elif kind.count(":") > 1:
        raise UsageError(f"Candles of {symbol} are of its trades: write {kind.rpartition(':')[0]}.")


def _since(
    given: int | str | dict[str, int | str] | None,
    symbols: Collection[str],
    types: Collection[str],
    resolve: Callable[[str], str],
) -> dict[str, int]:
    if given is None:
        return {}
    by_symbol = (
        {resolve(name): first for name, first in given.items()}
        if isinstance(given, dict)
        else dict.fromkeys(symbols, given)
    )
    if not by_symbol.keys() <= set(symbols):
        raise UsageError("since names a symbol that the message does not subscribe to.")
    return {symbol: _first_wanted(symbol, since, types) for symbol, since in by_symbol.items()}


def _first_wanted(symbol: str, since: int | str, types: Collection[str]) -> int:
    """Return the id of the first trade wanted, or the number of the first tick."""
    if has_trades(symbol):
        if TRADE not in types:
            raise UsageError("since is the id of a trade: name the type trade with it.")
        if not isinstance(since, int) or not 0 <= since < 1 << 62:
            raise UsageError("since is the id of a trade: a whole number from 0 on.")
        return since
    if QUOTE not in types:
        raise UsageError("since is the position of a quote: name the type quote with it.")
    if isinstance(since, int):
        if not 0 <= since <= LAST_US // 1_000:
            raise UsageError("since cannot be that time: write milliseconds since 1970, or the position of a quote.")
        return tick_number(since * 1_000, 0)
    number = number_at(since)
    if number is None or number > tick_number(LAST_US, 0):
        raise UsageError(
            f"“{since[:40]}” is no position of a quote: write it as the quote has it (1783504800123456-0), or "
            "milliseconds since 1970."
        )
    return number + 1


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
