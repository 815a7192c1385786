"""
What one connection is subscribed to, what it should be, and how soon the next request may go. No I/O.

The exchange closes a connection that sends it more than five messages a second. So wishes are only noted, and each
request carries all that has changed since the one before: a storm of wishes becomes a few requests. The queue of
wishes cannot overflow: it is the difference of two sets. What is refused is asked for again by halves, so that one
stream which the exchange does not like costs no other.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable

import msgspec

from app.brokers.binance.decode_stream import SubscriptionAnswer, SubscriptionError
from app.brokers.binance.endpoints import STREAMS_PER_REQUEST

log = logging.getLogger(__name__)


class Subscriptions:
    """The streams of one connection."""

    def __init__(self) -> None:
        self._wanted: set[str] = set()
        self._asked: set[str] = set()
        self._unanswered: dict[int, tuple[bool, tuple[str, ...]]] = {}
        self._halves: deque[tuple[str, ...]] = deque()
        self._last_id = 0

    def __len__(self) -> int:
        """How many streams the exchange has been asked for."""
        return len(self._asked)

    @property
    def is_settled(self) -> bool:
        """Whether every wish has been asked for and every request answered."""
        return not self._unanswered and self._wanted == self._asked

    @property
    def has_unanswered(self) -> bool:
        """Whether a request waits for its answer."""
        return bool(self._unanswered)

    def want(self, streams: Iterable[str]) -> None:
        """Make these the streams wanted; `next_request` then says how."""
        self._wanted = set(streams)

    def next_request(self) -> str | None:
        """
        Return the next request to send, or None where nothing has changed.

        Drops before it adds, so that the limit of streams a connection may have is never passed on the way.
        """
        if dropped := self._asked - self._wanted:
            return self._request(False, tuple(sorted(dropped)[:STREAMS_PER_REQUEST]))
        added = self._wanted - self._asked
        while self._halves:
            if half := tuple(stream for stream in self._halves.popleft() if stream in added):
                return self._request(True, half)
        return self._request(True, tuple(sorted(added)[:STREAMS_PER_REQUEST])) if added else None

    def answered(self, answer: SubscriptionAnswer | SubscriptionError) -> None:
        """Note the exchange's answer. A stream that it refused alone is not asked for again on this connection."""
        # Only an unreadable request is answered without its id: the oldest one open.
        oldest = next(iter(self._unanswered), 0)
        adds, streams = self._unanswered.pop(oldest if answer.request_id is None else answer.request_id, (False, ()))
        if not isinstance(answer, SubscriptionError):
            return
        if adds and len(streams) > 1:
            self._asked.difference_update(streams)
            middle = len(streams) // 2
            self._halves += (streams[:middle], streams[middle:])
        else:
            log.warning("The exchange refused a request (%d %s): %s", answer.code, answer.message, ", ".join(streams))

    def _request(self, adds: bool, streams: tuple[str, ...]) -> str:
        self._last_id += 1
        self._unanswered[self._last_id] = (adds, streams)
        if adds:
            self._asked.update(streams)
        else:
            self._asked.difference_update(streams)
        method = "SUBSCRIBE" if adds else "UNSUBSCRIBE"
        return msgspec.json.encode({"method": method, "params": streams, "id": self._last_id}).decode()
