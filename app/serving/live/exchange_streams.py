"""
The exchange's own streams, `/ws/…` and `/stream`: what a client of Binance subscribes to, from the same hub.

Requests are answered by the sandbox's code; `app.serving.live.exchange_events` names the streams that there are.
"""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from app.market.errors import StoreError
from app.market.ports.clock import Clock
from app.market.symbol import has_trades
from app.sandbox import wire
from app.sandbox.server.subscriptions import MAX_STREAMS, ClientSubscriptions
from app.serving.answers import error_answer
from app.serving.description.route import Parameter, Route
from app.serving.live import exchange_events
from app.serving.live.hub import LiveHub
from app.serving.live.live_client import LiveClient
from app.serving.live.live_socket import LIVE_GROUP, LiveSource, opened_socket, requests_of
from app.serving.request_values import is_upgrade

_COMBINED = (Parameter("streams", "Names with / between.", "btcusdt@trade/btcusdt@kline_1m"),)


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
        with self._hub.place():
            socket = await opened_socket(request)
            if request.transport is not None:
                client = LiveClient(request.transport)
                await self._follow(socket, client, ClientSubscriptions(names), wrapped=wrapped)
        return socket

    async def _follow(
        self, socket: web.WebSocketResponse, client: LiveClient, subscriptions: ClientSubscriptions, *, wrapped: bool
    ) -> None:
        await self._set_topics(client, subscriptions, wrapped=wrapped)
        self._hub.add(client)
        try:
            async for text in requests_of(socket, client, self._clock):
                answer = subscriptions.answer(text)
                await self._set_topics(client, subscriptions, wrapped=wrapped)
                client.write(wire.text_frame(answer))
        finally:
            self._hub.remove(client)

    async def _set_topics(self, client: LiveClient, subscriptions: ClientSubscriptions, *, wrapped: bool) -> None:
        found = (exchange_events.topic_of(name, wrapped=wrapped) for name in subscriptions.names())
        topics = frozenset(topic for topic in found if topic is not None)
        self._hub.set_topics(client, topics)
        try:
            symbols = {symbol for symbol, _ in topics if symbol}
            if any(map(exchange_events.is_of_all, topics)):
                symbols |= set(filter(has_trades, await self._source.assets()))
            await self._source.follow(symbols)
        except StoreError:
            return  # the follower goes on trying
