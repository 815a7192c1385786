"""
Spreads live messages to the clients of the WebSocket, each made once, however many clients there are.

Messages wait for a moment and go out together: one write for each client, not one for each message, which is what lets
one processor serve a thousand clients. Clients with the same topics get the same bytes. A client that does not read is
given up: see `app.serving.live.live_client`.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from app.serving.errors import ServerBusy
from app.serving.live.live_client import GOING_AWAY, LiveClient, LiveItem
from app.serving.live.subscriptions import Topic, is_resumable

_REST_PER_WORK = 1.0  # the hub rests as long as it wrote: it leaves half of a processor, however many clients there are
_LONGEST_REST_S = 0.025


class LiveHub:
    """
    The clients of one server, at most ``most``; all methods on its loop.

    ``sent`` counts the published messages sent to clients.
    """

    def __init__(self, most: int) -> None:
        self.sent = 0
        self._places = most
        self._clients: set[LiveClient] = set()
        self._wanted: Counter[Topic] = Counter()
        self._items: list[LiveItem] = []
        self._flushing: asyncio.TimerHandle | None = None
        self._rests_until_s = 0.0

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

    @contextmanager
    def place(self) -> Iterator[None]:
        """
        Hold a place for a client during the block.

        Raises:
            ServerBusy: If there is none.
        """
        if not self._places:
            raise ServerBusy("The server has too many clients of live messages: retry later.")
        self._places -= 1
        try:
            yield
        finally:
            self._places += 1

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
        for topic in before - topics:
            if is_resumable(topic):
                symbol = topic[0]
                client.replaying.discard(symbol)
                client.held_back.pop(symbol, None)
                client.replayed.pop(symbol, None)
                client.replayed_to.pop(symbol, None)
        if client in self._clients:
            self._wanted.update(topics - before)
            self._forget(before - topics)

    def publish(self, items: Sequence[LiveItem]) -> None:
        """Send these messages to the clients that get their topics, soon and in order."""
        if not items:
            return
        self._items += items
        if self._flushing is None:
            wait_s = self._rests_until_s - time.perf_counter()
            self._flushing = asyncio.get_running_loop().call_later(max(wait_s, 0.0), self.flush)

    def flush(self) -> None:
        """Send what waits now."""
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        items, self._items = self._items, []
        if not items:
            return
        began_s = time.perf_counter()
        self._write(items)
        ended_s = time.perf_counter()
        self._rests_until_s = ended_s + min((ended_s - began_s) * _REST_PER_WORK, _LONGEST_REST_S)

    def _write(self, items: Sequence[LiveItem]) -> None:
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
