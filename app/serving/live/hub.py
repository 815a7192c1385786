"""
Spreads live messages to the clients of the WebSocket, each made once, however many clients there are.

Messages wait for a moment and go out together: one write for each client, not one for each message, which is what lets
one processor serve a thousand clients. Clients with the same topics get the same bytes. A client that does not read is
disconnected once `MOST_UNREAD_BYTES` wait for it: an error message, close code 1013, then the connection is aborted.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from app.market.coverage import IdRanges
from app.serving.live import live_messages
from app.serving.live.subscriptions import TRADE, Topic

MOST_UNREAD_BYTES = 1 << 19
_FLUSH_PER_CLIENT_S = 25e-6
_LONGEST_WAIT_S = 0.025
_LAST_WORDS_S = 2.0  # for a client that was given up to read why
TRY_AGAIN_LATER, GOING_AWAY = 1013, 1001
_TOO_SLOW = "You read too slowly: the messages that waited for you are lost. Connect again, with since."


class LiveItem(NamedTuple):
    """A message of one topic; ``trade_id`` of a trade, else -1."""

    topic: Topic
    trade_id: int
    frame: bytes


class LiveClient:
    """
    One client as the hub sees it. ``topics`` is what it gets.

    Trades of a symbol in ``replaying`` are not sent, because a replay will find them stored; of one in ``held_back``
    they wait there for the end of the replay. Of one in ``replayed`` the client has these ids already; that is kept up
    while there are holes among them.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self.topics: frozenset[Topic] = frozenset()
        self.replaying: set[str] = set()
        self.held_back: dict[str, list[LiveItem]] = {}
        self.replayed: dict[str, IdRanges] = {}
        self.is_given_up = False
        self._transport = transport

    @property
    def is_plain(self) -> bool:
        """Whether it gets its topics just as they come."""
        return not (self.replaying or self.held_back or self.replayed)

    @property
    def unread_bytes(self) -> int:
        """How much waits to be read by it, in this process."""
        return self._transport.get_write_buffer_size()

    def write(self, frames: bytes) -> None:
        """Send these frames; give the client up if too much waits for it already."""
        if self.is_given_up or self._transport.is_closing():
            return
        if self.unread_bytes > MOST_UNREAD_BYTES:
            self.give_up(TRY_AGAIN_LATER, _TOO_SLOW)
        else:
            self._transport.write(frames)

    def give_up(self, code: int, sentence: str) -> None:
        """Tell the client why, close with that code, and cut it if it does not read that either."""
        if self.is_given_up or self._transport.is_closing():
            return
        self.is_given_up = True
        # Not through the socket, whose close waits for a client that does not read.
        self._transport.write(live_messages.error(sentence) + live_messages.close_frame(code))
        self._transport.close()
        asyncio.get_running_loop().call_later(_LAST_WORDS_S, self._transport.abort)

    def filtered(self, items: Iterable[LiveItem]) -> list[bytes]:
        """Return the frames for a client that is not plain; hold back what has to wait for a replay."""
        frames = []
        for item in items:
            symbol, kind = item.topic
            if item.topic not in self.topics:
                continue
            if kind == TRADE:
                if symbol in self.replaying:
                    continue
                if symbol in self.held_back:
                    self.held_back[symbol].append(item)
                    continue
                if symbol in self.replayed and self._has(symbol, item.trade_id):
                    continue
            frames.append(item.frame)
        return frames

    def _has(self, symbol: str, trade_id: int) -> bool:
        replayed = self.replayed[symbol]
        if replayed.last is None or (trade_id > replayed.last and replayed.range_count() == 1):
            # Trades are published in order, so the replay is behind us.
            del self.replayed[symbol]
            return False
        return not replayed.add(trade_id)


class LiveHub:
    """The clients of one server; all methods on its loop. ``sent`` counts the published messages sent to clients."""

    def __init__(self) -> None:
        self.sent = 0
        self._clients: set[LiveClient] = set()
        self._wanted: Counter[Topic] = Counter()
        self._items: list[LiveItem] = []
        self._flushing: asyncio.TimerHandle | None = None

    @property
    def clients(self) -> int:
        """How many clients there are."""
        return len(self._clients)

    @property
    def wanted(self) -> frozenset[Topic]:
        """The topics that any client gets."""
        return frozenset(self._wanted)

    def is_wanted(self, topic: Topic) -> bool:
        """Whether any client gets that topic."""
        return topic in self._wanted

    def add(self, client: LiveClient) -> None:
        """Send to that client from now on."""
        self._clients.add(client)
        self._wanted.update(client.topics)

    def remove(self, client: LiveClient) -> None:
        """Send nothing more to it."""
        if client in self._clients:
            self._clients.remove(client)
            self._forget(client.topics)

    def set_topics(self, client: LiveClient, topics: frozenset[Topic]) -> None:
        """Let the client get these topics from now on; what was published before goes by its old ones."""
        self.flush()
        before, client.topics = client.topics, topics
        for symbol, kind in before - topics:
            if kind == TRADE:
                client.replaying.discard(symbol)
                client.held_back.pop(symbol, None)
                client.replayed.pop(symbol, None)
        if client in self._clients:
            self._wanted.update(topics - before)
            self._forget(before - topics)

    def publish(self, items: Sequence[LiveItem]) -> None:
        """Send these messages to the clients that get their topics, soon and in order."""
        if not items:
            return
        self._items += items
        if self._flushing is None:
            wait_s = min(len(self._clients) * _FLUSH_PER_CLIENT_S, _LONGEST_WAIT_S)
            self._flushing = asyncio.get_running_loop().call_later(wait_s, self.flush)

    def flush(self) -> None:
        """Send what waits now."""
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        items, self._items = self._items, []
        if not items:
            return
        frames_of: dict[frozenset[Topic], tuple[bytes, int]] = {}
        for client in list(self._clients):
            if not client.is_plain:
                if frames := client.filtered(items):
                    client.write(b"".join(frames))
                    self.sent += len(frames)
                continue
            found = frames_of.get(client.topics)
            if found is None:
                chosen = [item.frame for item in items if item.topic in client.topics]
                found = frames_of[client.topics] = b"".join(chosen), len(chosen)
            if found[0]:
                client.write(found[0])
                self.sent += found[1]

    def broadcast(self, frame: bytes) -> None:
        """Send one message to every client."""
        self.flush()
        for client in list(self._clients):
            client.write(frame)

    def close(self, sentence: str) -> None:
        """Give up every client, with that sentence as the reason."""
        self.flush()
        for client in list(self._clients):
            client.give_up(GOING_AWAY, sentence)

    def _forget(self, topics: Iterable[Topic]) -> None:
        for topic in topics:
            self._wanted[topic] -= 1
            if self._wanted[topic] <= 0:
                del self._wanted[topic]
