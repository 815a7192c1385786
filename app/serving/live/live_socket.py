"""
The WebSocket at `/` and `/ws/market`: greets a client, carries out its requests, and replays what it missed.

A replay reads what is stored from an id on, page by page and at the client's pace. While it goes on the symbol's live
trades are left out, because they are stored by then; once it has caught up they are held back, the last page is read,
and what was held back follows, without the ids of the pages. So no trade is missing and none comes twice.

A replay of ticks works the same way, by time and place, which cannot show that a tick is missing.

A replay of trades may pass holes, whose trades nobody has stored yet. While a client has any, its session looks for
them and sends what fills them; the hub may publish the same trades, and leaves out those that the client has.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Collection, Sequence
from functools import partial
from typing import Protocol

from aiohttp import WSMsgType, web

from app.concurrency.tasks import Tasks
from app.market.coverage import IdRanges
from app.market.errors import StoreError, StoreUnavailable, UsageError
from app.market.ports.clock import Clock
from app.market.ports.database import SeparateStore
from app.market.quotes.tick import Tick, position_of
from app.market.symbol import has_trades
from app.market.trade import Quote, Trade
from app.serving.access import SOCKET_PROTOCOL
from app.serving.description.route import Route
from app.serving.errors import NotFound
from app.serving.live import live_messages
from app.serving.live.hub import LiveHub
from app.serving.live.live_client import TRY_AGAIN_LATER, LiveClient
from app.serving.live.stored_pages import StoredPage, read_page
from app.serving.live.subscriptions import ClientSubscriptions, LiveRequest, is_resumable, read_request
from app.serving.request_values import is_upgrade, known_symbol
from app.serving.stored_market import StoredMarket

logger = logging.getLogger(__name__)

LIVE_GROUP = "Live messages over WebSocket"
_LONGEST_MESSAGE = 16_384
_PING_S = 30.0
_MOST_REQUESTS = 30  # in a second
_PAGE = 1_000  # trades
_READ_ENOUGH_BYTES = 1 << 16  # unread, below which a replay goes on
_REPLAYS_AT_ONCE = 2  # of one client, because all clients share the threads that read
_LOOK_S = 0.01
_HOLES_EVERY_S = 1.0
_MOST_LOOKS = 10  # for ticks that were received and are not stored
_PATIENCE_S = 30.0  # with a client that reads nothing of its replay
_POLICY_VIOLATION = 1008


class LiveSource(Protocol):
    """Where the live messages of a hub come from."""

    @property
    def has_quotes(self) -> bool:
        """Whether it publishes the best bid and ask of symbols with trades."""

    async def assets(self) -> list[str]:
        """Return the symbols that are recorded. Raises StoreError."""

    async def follow(self, symbols: Collection[str]) -> None:
        """Publish these symbols from now on, while the hub wants them. Raises StoreError."""

    def quote(self, symbol: str) -> Quote | None:
        """Return the best bid and ask, None if they are not known. From any thread."""

    def recent_trades(self, symbol: str, first_trade_id: int) -> list[Trade]:
        """Return the trades published from that id on that may not be stored yet, rising."""

    def recent_ticks(self, symbol: str, after: int) -> tuple[list[Tick], bool]:
        """
        Return the ticks published after that number that may not be stored yet, rising, and whether they are all.

        They are not if more came than are kept.
        """


class _MessageLimit:
    """How many messages a client may send in a second; one that sends more is given up."""

    def __init__(self, client: LiveClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._taken: deque[float] = deque(maxlen=_MOST_REQUESTS + 1)

    def allows(self) -> bool:
        """Count a message; return False, and give the client up, if it is one too many."""
        now_s = self._clock.monotonic_s()
        self._taken.append(now_s)
        if len(self._taken) > _MOST_REQUESTS and now_s - self._taken[0] < 1.0:
            self._client.give_up(_POLICY_VIOLATION, f"More than {_MOST_REQUESTS} messages in a second are too many.")
            return False
        return True


async def opened_socket(request: web.Request) -> web.WebSocketResponse:
    """
    Accept a WebSocket, whose messages are to be read by `requests_of`.

    It has our protocol where the client names it: a browser that names one insists on an answer.
    """
    named = [name.strip() for name in request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
    socket = web.WebSocketResponse(
        compress=False,
        max_msg_size=_LONGEST_MESSAGE,
        heartbeat=_PING_S,
        timeout=1.0,
        autoping=False,
        protocols=(SOCKET_PROTOCOL,) if SOCKET_PROTOCOL in named else (),
    )
    await socket.prepare(request)
    return socket


async def requests_of(socket: web.WebSocketResponse, client: LiveClient, clock: Clock) -> AsyncIterator[str | bytes]:
    """Yield the messages of a client until it leaves, or sends too many in a second; pings are answered, and count."""
    limit = _MessageLimit(client, clock)
    async for message in socket:
        if not limit.allows():
            return
        if message.type is WSMsgType.PING:
            client.write(live_messages.pong_frame(message.data))
        elif message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
            yield message.data


class LiveSocket:
    """Serves WebSockets from ``hub`` and the stored ``market``."""

    def __init__(self, market: StoredMarket, hub: LiveHub, source: LiveSource, clock: Clock) -> None:
        self._market = market
        self._hub = hub
        self._source = source
        self._clock = clock

    def routes(self) -> Sequence[Route]:
        """See `app.serving.description.route.Routes`."""
        sentence = "Prices, trades, quotes and candles as they come; takes subscribe and unsubscribe."
        return (Route("/ws/market", self.answer, LIVE_GROUP, sentence, is_socket=True),)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Serve one client until it leaves."""
        if not is_upgrade(request):
            raise NotFound("A WebSocket is served here: connect with ws://, or read /candles and /api/metadata.")
        with self._hub.place():
            socket = await opened_socket(request)
            if request.transport is not None:
                await self._serve(socket, request.transport)
        return socket

    async def _serve(self, socket: web.WebSocketResponse, transport: asyncio.Transport) -> None:
        client = LiveClient(transport)
        assets, trouble = list[str](), b""
        try:
            assets = await self._source.assets()
            await self._source.follow(assets)
        except StoreError as error:
            trouble = live_messages.error(str(error))
        session = _Session(client, assets, self._market, self._hub, self._source, self._clock)
        client.topics = session.subscriptions.topics
        client.write(live_messages.greeting(assets) + trouble)
        self._hub.add(client)
        try:
            async for text in requests_of(socket, client, self._clock):
                await session.take(text)
        finally:
            self._hub.remove(client)
            await session.end()


class _Session:
    """The requests of one client."""

    def __init__(
        self,
        client: LiveClient,
        assets: list[str],
        market: StoredMarket,
        hub: LiveHub,
        source: LiveSource,
        clock: Clock,
    ) -> None:
        self.subscriptions = ClientSubscriptions(assets)
        self._client = client
        self._market = market
        self._hub = hub
        self._source = source
        self._clock = clock
        self._tasks = Tasks("a live client")
        self._replays: dict[str, asyncio.Task[None]] = {}
        self._turn = asyncio.Semaphore(_REPLAYS_AT_ONCE)

    async def take(self, text: str | bytes) -> None:
        """Carry out one message, and answer it."""
        try:
            known = await self._market.shared_read("names", lambda store: store.symbol_names())
            request = read_request(text, lambda name: known_symbol(name, known), has_quotes=self._source.has_quotes)
            self.subscriptions.carry_out(request)
            await self._apply(request)
        except (UsageError, NotFound, StoreError) as error:
            self._client.write(live_messages.error(str(error)))

    async def end(self) -> None:
        """End the replays."""
        await self._tasks.end()

    async def _apply(self, request: LiveRequest) -> None:
        for topic in request.topics:
            symbol = topic[0]
            if is_resumable(topic) and (running := self._replays.pop(symbol, None)) is not None:
                running.cancel()
                self._client.replaying.discard(symbol)
                self._client.held_back.pop(symbol, None)
        replayed = request.since if request.action == "subscribe" else {}
        self._client.replaying |= replayed.keys()
        self._hub.set_topics(self._client, self.subscriptions.topics)
        try:
            await self._source.follow([symbol for symbol, _ in self.subscriptions.topics])
        finally:
            answer = live_messages.subscribed(request.action, request.broker, self.subscriptions.by_symbol())
            self._client.write(answer)
        for symbol, first in replayed.items():
            self._replays[symbol] = self._tasks.begin(self._replay_in_turn(symbol, first))

    async def _replay_in_turn(self, symbol: str, first: int) -> None:
        async with self._turn:
            if not has_trades(symbol):
                await self._replay_ticks(symbol, first)
                return
            seen = await self._replay(symbol, first)
        while seen is not None and self._client.replayed.get(symbol) is seen:
            await self._clock.sleep(_HOLES_EVERY_S)
            if seen.range_count() > 1:
                await self._fill_holes(symbol, seen)

    async def _replay(self, symbol: str, first_trade_id: int) -> IdRanges | None:
        """Send the stored trades from that id on, and let the live ones follow; return their ids, None if it failed."""
        client, seen = self._client, IdRanges()
        if first_trade_id:
            seen.add_range(0, first_trade_id - 1)  # the client has these, or does not want them
        try:
            while True:
                page = await self._market.read(partial(_next_page, symbol, first_trade_id, seen))
                await self._until_read()
                client.write(b"".join(map(live_messages.trade_message, page.trades)))
                seen |= page.known
                if page.is_last and symbol in client.held_back:
                    break
                if page.is_last:
                    client.held_back[symbol] = []
                    client.replaying.discard(symbol)
        except StoreError as error:
            self._end_early(symbol, error)
            return None
        frames = []
        recent = self._source.recent_trades(symbol, first_trade_id)
        if recent and seen.last is not None and recent[0].trade_id > seen.last + 1:
            lost = f"The trades {seen.last + 1} to {recent[0].trade_id - 1} of {symbol} are not stored yet."
            frames.append(live_messages.error(lost))
        for trade in recent:
            if seen.add(trade.trade_id):
                frames.append(live_messages.trade_message(trade))
        frames += [item.frame for item in client.held_back.pop(symbol) if seen.add(item.number)]
        client.write(b"".join(frames))
        first_stored = seen.after(first_trade_id - 1)
        if first_stored is not None and first_stored > first_trade_id:
            seen.add_range(first_trade_id, first_stored - 1)  # before all that is stored is no hole
        client.replayed[symbol] = seen
        return seen

    async def _replay_ticks(self, symbol: str, first_number: int) -> None:
        """Send the stored ticks from that number on, and let the live ones follow."""
        client, sent, recent = self._client, first_number - 1, list[Tick]()
        try:
            for _ in range(_MOST_LOOKS):
                sent = await self._send_stored_ticks(symbol, sent)
                recent, is_all = self._source.recent_ticks(symbol, sent)
                if is_all:
                    break
                # The database lags by more than is kept in memory: what is held back now will be stored, too.
                client.replaying.add(symbol)
                del client.held_back[symbol]
                await self._clock.sleep(_HOLES_EVERY_S)
            else:
                raise StoreUnavailable(f"Quotes after {position_of(max(sent, 0))} are not stored yet.")
        except StoreError as error:
            self._end_early(symbol, error)
            return
        frames = []
        for tick in recent:
            frames.append(live_messages.tick_message(tick))
            sent = tick.number
        for item in client.held_back.pop(symbol):
            if item.number > sent:
                frames.append(item.frame)
                sent = item.number
        client.write(b"".join(frames))
        client.replayed_to[symbol] = sent

    async def _send_stored_ticks(self, symbol: str, sent: int) -> int:
        """Send the stored ticks after that number, hold the live ones back, and return the number of the last sent."""
        client = self._client
        while True:
            page = await self._market.read(partial(_next_ticks, symbol, sent))
            await self._until_read()
            client.write(b"".join(map(live_messages.tick_message, page)))
            sent = page[-1].number if page else sent
            if len(page) < _PAGE and symbol in client.held_back:
                return sent
            if len(page) < _PAGE:
                client.held_back[symbol] = []
                client.replaying.discard(symbol)

    def _end_early(self, symbol: str, error: StoreError) -> None:
        sentence = f"The replay of {symbol} ended early: {error} Subscribe again, with since."
        self._client.write(live_messages.error(sentence))
        self._client.replaying.discard(symbol)
        self._client.held_back.pop(symbol, None)

    async def _fill_holes(self, symbol: str, seen: IdRanges) -> None:
        """Send the trades that were missing and are stored by now."""
        with contextlib.suppress(StoreError):  # they are looked for again
            covered = await self._market.shared_read(("coverage", symbol), lambda store: store.coverage(symbol))
            holes = IdRanges(seen.gaps()) & covered
            while holes:
                page = await self._market.read(partial(read_page, symbol=symbol, wanted=holes, most=_PAGE))
                await self._until_read()
                new = [one for one in page.trades if seen.add(one.trade_id)]  # the hub may have sent them meanwhile
                self._client.write(b"".join(map(live_messages.trade_message, new)))
                for first, last in page.known:
                    seen.add_range(first, last)
                holes -= page.known

    async def _until_read(self) -> None:
        """Return once the client has read nearly all that was sent; give it up if it reads nothing for long."""
        end_s = self._clock.monotonic_s() + _PATIENCE_S
        while self._client.unread_bytes > _READ_ENOUGH_BYTES and not self._client.is_given_up:
            if self._clock.monotonic_s() > end_s:
                self._client.give_up(TRY_AGAIN_LATER, "You read too slowly: connect again, with since.")
            await self._clock.sleep(_LOOK_S)


def _next_ticks(symbol: str, after: int, store: SeparateStore) -> list[Tick]:
    return store.tick_store.ticks_after(symbol, after, _PAGE)


def _next_page(symbol: str, since: int, seen: IdRanges, store: SeparateStore) -> StoredPage:
    """Return the next stored trades from ``since`` on that are not ``seen``, holes filled meanwhile included."""
    return read_page(store, symbol, store.coverage_from({symbol: since})[symbol] - seen, _PAGE)
