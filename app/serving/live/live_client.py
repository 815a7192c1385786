"""
One client of live messages: what it gets, what waits for it, and its end if it does not read.

What the connection does not take at once waits here as the bytes that all clients share, so a client that lags costs
little memory. It is given up when too much waits: that is dropped, an error message and a close frame follow what it
has been sent, and after some seconds it is cut, read or not.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from app.market.coverage import IdRanges
from app.serving.live import live_messages
from app.serving.live.subscriptions import Topic

MOST_UNREAD_BYTES = 1 << 19
TRY_AGAIN_LATER, GOING_AWAY = 1013, 1001
SENT_BYTES = 1 << 16  # in the system's hands, where Linux allows twice that; by itself it would keep megabytes
_LOOK_S = 0.02
LAST_WORDS_S = 5.0  # for a client that was given up to read why
_TOO_SLOW = "You read too slowly: the messages that waited for you are lost. Connect again, with since."


class LiveItem(NamedTuple):
    """
    A message of one topic.

    ``number`` is the id of a trade, the number of a tick (`Tick.number`), else -1: by it a client resumes.
    """

    topic: Topic
    number: int
    frame: bytes


class LiveClient:
    """
    One client as the hub sees it. ``topics`` is what it gets.

    By symbol: trades or ticks of a symbol in ``replaying`` are not sent, because a replay will find them stored;
    ``held_back`` keeps them until the end of the replay. ``replayed`` has the ids of trades already sent, as long as
    there are holes among them; ``replayed_to`` has the number of the last tick sent.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self.topics: frozenset[Topic] = frozenset()
        self.replaying: set[str] = set()
        self.held_back: dict[str, list[LiveItem]] = {}
        self.replayed: dict[str, IdRanges] = {}
        self.replayed_to: dict[str, int] = {}
        self.is_given_up = False
        self._transport = transport
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        connection = transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SENT_BYTES)

    @property
    def is_plain(self) -> bool:
        """Whether it gets its topics just as they come."""
        return not (self.replaying or self.held_back or self.replayed or self.replayed_to)

    @property
    def unread_bytes(self) -> int:
        """How much waits to be read by it, in this process."""
        return self._transport.get_write_buffer_size() + self._waiting_bytes

    def write(self, frames: bytes) -> None:
        """Send these whole frames, once those before are sent; give the client up if too much waits for it already."""
        if self.is_given_up or self._transport.is_closing():
            return
        if not self._waiting and not self._transport.get_write_buffer_size():
            self._transport.write(frames)
        elif self._waiting_bytes > MOST_UNREAD_BYTES:
            self.give_up(TRY_AGAIN_LATER, _TOO_SLOW)
        else:
            if not self._waiting:
                asyncio.get_running_loop().call_later(_LOOK_S, self._send_waiting)
            self._waiting.append(frames)
            self._waiting_bytes += len(frames)

    def _send_waiting(self) -> None:
        """Send what waits, and look again soon while something does."""
        if self._transport.is_closing():
            self._drop_waiting()
        while self._waiting and not self._transport.get_write_buffer_size():
            frames = self._waiting.popleft()
            self._waiting_bytes -= len(frames)
            self._transport.write(frames)
        if self._waiting:
            asyncio.get_running_loop().call_later(_LOOK_S, self._send_waiting)

    def _drop_waiting(self) -> None:
        self._waiting.clear()
        self._waiting_bytes = 0

    def give_up(self, code: int, sentence: str) -> None:
        """Tell the client why, close with that code, and cut it if it does not read that either."""
        if self.is_given_up or self._transport.is_closing():
            return
        self.is_given_up = True
        self._drop_waiting()
        # Not through the socket, whose close waits for a client that does not read.
        self._transport.write(live_messages.error(sentence) + live_messages.close_frame(code))
        self._transport.close()
        asyncio.get_running_loop().call_later(LAST_WORDS_S, self._transport.abort)

    def filtered(self, items: Iterable[LiveItem]) -> list[bytes]:
        """Return the frames for a client that is not plain; hold back what has to wait for a replay."""
        frames = []
        for item in items:
            symbol = item.topic[0]
            if item.topic not in self.topics:
                continue
            if item.number >= 0:
                if symbol in self.replaying:
                    continue
                if symbol in self.held_back:
                    self.held_back[symbol].append(item)
                    continue
                if symbol in self.replayed and self._has(symbol, item.number):
                    continue
                if item.number <= self.replayed_to.get(symbol, -1):
                    continue
                self.replayed_to.pop(symbol, None)  # ticks are published in order, so the replay is behind us
            frames.append(item.frame)
        return frames

    def _has(self, symbol: str, trade_id: int) -> bool:
        replayed = self.replayed[symbol]
        if replayed.last is None or (trade_id > replayed.last and replayed.range_count() == 1):
            # Trades are published in order, so the replay is behind us.
            del self.replayed[symbol]
            return False
        return not replayed.add(trade_id)
