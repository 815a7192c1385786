"""
The exchange's own streams, `/ws/…` and `/stream`: what a client of Binance subscribes to, from the same hub.

Requests are answered by the sandbox's code. A topic of a stream is its kind as the exchange writes it (``@trade``),
with ``/`` before it for clients that want the stream's name with each event. Each trade is its own aggregated trade.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from aiohttp import WSMsgType, web

from app.market.candle import Candle
from app.market.errors import StoreError
from app.market.interval import EXCHANGE_INTERVALS, Interval
from app.market.ports.clock import Clock
from app.market.trade import DayTicker, Quote, Trade
from app.sandbox import wire
from app.sandbox.server.subscriptions import MAX_STREAMS, ClientSubscriptions
from app.serving.answers import error_answer
from app.serving.description.route import Parameter, Route
from app.serving.live.hub import LiveClient, LiveHub, LiveItem
from app.serving.live.live_socket import LIVE_GROUP, LiveSource, MessageLimit, opened_socket
from app.serving.live.subscriptions import Topic
from app.serving.request_values import is_upgrade

WRAPPED = "/"
_COMBINED = (Parameter("streams", "Names with / between.", "btcusdt@trade/btcusdt@kline_1m"),)
_TRADE, _AGGREGATE, _QUOTE, _DAY, KLINE = "@trade", "@aggTrade", "@bookTicker", "@miniTicker", "@kline_"
_KINDS = {_TRADE, _AGGREGATE, _QUOTE, _DAY, *(f"{KLINE}{interval.name}" for interval in EXCHANGE_INTERVALS)}


def trade_items(trade: Trade, hub: LiveHub) -> Iterator[LiveItem]:
    """Yield the events of a trade that any client wants."""
    yield from _items(trade.symbol, _TRADE, hub, lambda: wire.trade_event(trade, microseconds=False))
    yield from _items(trade.symbol, _AGGREGATE, hub, lambda: wire.aggregate_event(trade, microseconds=False))


def quote_items(quote: Quote, hub: LiveHub) -> Iterator[LiveItem]:
    """Yield the events of a best bid and ask that any client wants."""
    yield from _items(quote.symbol, _QUOTE, hub, lambda: wire.quote_event(quote))


def day_items(ticker: DayTicker, hub: LiveHub) -> Iterator[LiveItem]:
    """Yield the events of a rolling day that any client wants."""
    yield from _items(ticker.symbol, _DAY, hub, lambda: wire.day_event(ticker, microseconds=False))


def is_of_days(kind: str) -> bool:
    """Whether the topics of that kind are rolling days."""
    return kind.removeprefix(WRAPPED) == _DAY


def kline_interval(kind: str) -> Interval | None:
    """Return the interval of the topics of klines of that kind, None for other topics."""
    name = kind.removeprefix(WRAPPED)
    return Interval.parse(name.removeprefix(KLINE)) if name.startswith(KLINE) else None


def kline_item(topic: Topic, interval: Interval, candle: Candle, now_us: int) -> LiveItem:
    """Return the event of a candle for a topic of klines."""
    symbol, kind = topic
    payload = wire.kline_event(symbol, interval, candle, now_us, microseconds=False)
    return _item(symbol, kind.removeprefix(WRAPPED), payload, wrapped=kind.startswith(WRAPPED))


def _items(symbol: str, kind: str, hub: LiveHub, make: Callable[[], bytes]) -> Iterator[LiveItem]:
    for wrapped in (False, True):
        if hub.is_wanted((symbol, WRAPPED + kind if wrapped else kind)):
            yield _item(symbol, kind, make(), wrapped=wrapped)


def _item(symbol: str, kind: str, payload: bytes, *, wrapped: bool) -> LiveItem:
    if not wrapped:
        return LiveItem((symbol, kind), -1, wire.text_frame(payload))
    whole = b'{"stream":"%b%b","data":%b}' % (symbol.lower().encode(), kind.encode(), payload)
    return LiveItem((symbol, WRAPPED + kind), -1, wire.text_frame(whole))


class ExchangeStreams:
    """Serves the exchange's streams from ``hub``."""

    def __init__(self, hub: LiveHub, source: LiveSource, clock: Clock) -> None:
        self._hub = hub
        self._source = source
        self._clock = clock

    def routes(self) -> Sequence[Route]:
        """See `app.serving.description.route.Routes`; those of our own below `/ws` come before."""
        raw = "The exchange’s streams of that name, such as btcusdt@trade; more of them with / between."
        return (
            Route("/ws/{streams:.+}", self._raw, LIVE_GROUP, raw, is_socket=True),
            Route("/ws", self._raw, LIVE_GROUP, "The exchange’s streams, by SUBSCRIBE.", is_socket=True),
            Route(
                "/stream",
                self._combined,
                LIVE_GROUP,
                "The exchange’s streams, each event with the name of its stream.",
                parameters=_COMBINED,
                is_socket=True,
            ),
        )

    async def _raw(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(request, request.match_info.get("streams", ""), wrapped=False)

    async def _combined(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(request, request.query.get("streams", ""), wrapped=True)

    async def _serve(self, request: web.Request, streams: str, *, wrapped: bool) -> web.StreamResponse:
        names = [name for name in streams.split("/") if name]
        if len(names) > MAX_STREAMS:
            return error_answer(400, f"A client may have {MAX_STREAMS} streams at most.")
        if not is_upgrade(request):
            return error_answer(400, "A WebSocket is served here: connect with ws://.")
        socket = await opened_socket(request)
        if request.transport is None:
            return socket
        client, subscriptions = LiveClient(request.transport), ClientSubscriptions(names)
        limit = MessageLimit(client, self._clock)
        await self._set_topics(client, subscriptions, wrapped=wrapped)
        self._hub.add(client)
        try:
            async for message in socket:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY) and limit.allows():
                    answer = subscriptions.answer(message.data)
                    await self._set_topics(client, subscriptions, wrapped=wrapped)
                    client.write(wire.text_frame(answer))
        finally:
            self._hub.remove(client)
        return socket

    async def _set_topics(self, client: LiveClient, subscriptions: ClientSubscriptions, *, wrapped: bool) -> None:
        topics = set[Topic]()
        for name in subscriptions.names():
            symbol, _, kind = name.partition("@")
            if symbol == symbol.lower() and f"@{kind}" in _KINDS:  # the exchange is silent about all others
                topics.add((symbol.upper(), f"{WRAPPED if wrapped else ''}@{kind}"))
        self._hub.set_topics(client, frozenset(topics))
        try:
            await self._source.follow({symbol for symbol, _ in topics})
        except StoreError:
            return  # the follower goes on trying
