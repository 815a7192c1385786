"""
What the exchange's streams send, as messages for the hub; the sandbox's code writes the events.

A topic of a stream is its kind as the exchange writes it (``@trade``), with ``/`` before it for clients that want the
stream's name with each event. A stream of all symbols is a topic without a symbol (``!miniTicker@arr``). No I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from app.market.candle import Candle
from app.market.interval import EXCHANGE_INTERVALS, Interval
from app.market.trade import Quote, Trade
from app.sandbox import wire
from app.serving.live.hub import LiveHub
from app.serving.live.live_client import LiveItem
from app.serving.live.subscriptions import Topic

WRAPPED = "/"
AGGREGATE = "@aggTrade"
SLOWLY, QUICKLY = 1.0, 0.1
BOOK_EVERY_S = {"@depth": SLOWLY, "@depth@1000ms": SLOWLY, "@depth@100ms": QUICKLY}
TOP_EVERY_S = {
    f"@depth{levels}{speed}": every_s
    for levels in (5, 10, 20)
    for speed, every_s in (("", SLOWLY), ("@1000ms", SLOWLY), ("@100ms", QUICKLY))
}
"""By stream how often it has the best bid and ask: their changes, and as they are."""
DAY, FULL_DAY = "@miniTicker", "@ticker"
EVERY = {DAY: "!miniTicker@arr", FULL_DAY: "!ticker@arr"}
"""By stream of one symbol the stream of all."""
_TRADE, _QUOTE, _KLINE = "@trade", "@bookTicker", "@kline_"
_QUOTES = {_QUOTE, *BOOK_EVERY_S, *TOP_EVERY_S}
_KINDS = {_TRADE, AGGREGATE, *EVERY, *_QUOTES, *(f"{_KLINE}{interval.name}" for interval in EXCHANGE_INTERVALS)}


def topic_of(stream: str, *, wrapped: bool) -> Topic | None:
    """Return the topic of a stream's name; None for one that does not exist, which the exchange is silent about."""
    before = WRAPPED if wrapped else ""
    if stream in EVERY.values():
        return "", before + stream
    symbol, _, kind = stream.partition("@")
    if symbol and symbol == symbol.lower() and f"@{kind}" in _KINDS:
        return symbol.upper(), f"{before}@{kind}"
    return None


def is_of_quotes(kind: str) -> bool:
    """Whether the topics of that kind are made of the best bid and ask alone."""
    return kind.removeprefix(WRAPPED) in _QUOTES


def is_of_all(topic: Topic) -> bool:
    """Whether a topic is of all symbols."""
    return not topic[0]


def days_wanted(kind: str, topics: Collection[Topic], symbols: Collection[str]) -> set[str]:
    """Return the symbols whose rolling days are wanted as events of that kind; ``symbols``: all that there are."""
    wanted = {symbol for symbol, one in topics if one.removeprefix(WRAPPED) == kind}
    if any(one.removeprefix(WRAPPED) == EVERY[kind] for _, one in topics):
        wanted |= set(symbols)
    return wanted


def kline_interval(kind: str) -> Interval | None:
    """Return the interval of the topics of klines of that kind, None for other topics."""
    name = kind.removeprefix(WRAPPED)
    return Interval.parse(name.removeprefix(_KLINE)) if name.startswith(_KLINE) else None


def is_wanted(symbol: str, kind: str, hub: LiveHub) -> bool:
    """Whether any client gets the stream of that kind."""
    return hub.is_wanted((symbol, kind)) or hub.is_wanted((symbol, WRAPPED + kind))


def trade_items(trade: Trade, hub: LiveHub) -> Iterator[LiveItem]:
    """Yield the events of a trade that any client wants."""
    yield from items_of(trade.symbol, _TRADE, hub, lambda: wire.trade_event(trade, microseconds=False))


def quote_items(quote: Quote, hub: LiveHub) -> Iterator[LiveItem]:
    """Yield the events of a best bid and ask that any client wants."""
    yield from items_of(quote.symbol, _QUOTE, hub, lambda: wire.quote_event(quote))


def kline_item(topic: Topic, interval: Interval, candle: Candle, now_us: int) -> LiveItem:
    """Return the event of a candle for a topic of klines."""
    symbol, kind = topic
    payload = wire.kline_event(symbol, interval, candle, now_us, microseconds=False)
    return _item(symbol, kind.removeprefix(WRAPPED), payload, wrapped=kind.startswith(WRAPPED))


def items_of(symbol: str, kind: str, hub: LiveHub, make: Callable[[], bytes]) -> Iterator[LiveItem]:
    """Yield the event that ``make`` returns, for each topic of that kind that any client gets."""
    for wrapped in (False, True):
        if hub.is_wanted((symbol, WRAPPED + kind if wrapped else kind)):
            yield _item(symbol, kind, make(), wrapped=wrapped)


def _item(symbol: str, kind: str, payload: bytes, *, wrapped: bool) -> LiveItem:
    if not wrapped:
        return LiveItem((symbol, kind), -1, wire.text_frame(payload))
    whole = b'{"stream":"%b%b","data":%b}' % (symbol.lower().encode(), kind.encode(), payload)
    return LiveItem((symbol, WRAPPED + kind), -1, wire.text_frame(whole))
