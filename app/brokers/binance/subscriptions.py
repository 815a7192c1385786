"""
The streams that one socket should receive, those requested so far, and the next request. No I/O.

The exchange closes a connection that sends more than five messages per second. So a change is only noted, and each
request carries everything that changed since the one before: a storm of changes becomes a few requests. Nothing can
overflow, because the pending work is the difference of two sets. A refused request is repeated in halves, so that one
stream the exchange does not accept costs no other.
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
    """
    The streams of one socket.

    Change them with `set_wanted`, send what `next_request` returns until it returns None, and pass every answer to
    `note_answer`.
    """

    def __init__(self) -> None:
        self._wanted: set[str] = set()
        self._requested: set[str] = set()
        self._unanswered: dict[int, tuple[bool, tuple[str, ...]]] = {}
        self._halves: deque[tuple[str, ...]] = deque()
        self._last_id = 0

    def __len__(self) -> int:
        """Return the number of streams requested."""
        return len(self._requested)

    @property
    def is_synced(self) -> bool:
        """Whether every change has been requested and every request answered."""
        return not self._unanswered and self._wanted == self._requested

    @property
    def has_unanswered(self) -> bool:
        """Whether a request waits for its answer."""
        return bool(self._unanswered)

    def set_wanted(self, streams: Iterable[str]) -> None:
        """Set the streams to receive; requests for them come from `next_request`."""
        self._wanted = set(streams)

    def next_request(self) -> str | None:
        """
        Return the next request to send, or None if nothing has changed.

        Drops streams before it adds any, so that the limit of streams per connection is never exceeded in between.
        """
        if dropped := self._requested - self._wanted:
            # Sorted, so that the requests are the same in every run.
            return self._request(False, tuple(sorted(dropped)[:STREAMS_PER_REQUEST]))
        added = self._wanted - self._requested
        while self._halves:
            if half := tuple(stream for stream in self._halves.popleft() if stream in added):
                return self._request(True, half)
        return self._request(True, tuple(sorted(added)[:STREAMS_PER_REQUEST])) if added else None

    def note_answer(self, answer: SubscriptionAnswer | SubscriptionError) -> None:
        """Note the exchange's answer. A stream refused on its own is not requested again on this socket."""
        # Only an unreadable request is answered without its id; requests are answered in order, so it is the oldest.
        oldest = next(iter(self._unanswered), 0)
        adds, streams = self._unanswered.pop(oldest if answer.request_id is None else answer.request_id, (False, ()))
        if not isinstance(answer, SubscriptionError):
            return
        if adds and len(streams) > 1:
            self._requested.difference_update(streams)
            # The exchange refuses a request as a whole and does not say which stream it rejects.
            middle = len(streams) // 2
            self._halves += (streams[:middle], streams[middle:])
        else:
            log.warning("The exchange refused a request (%d %s): %s", answer.code, answer.message, ", ".join(streams))

    def _request(self, adds: bool, streams: tuple[str, ...]) -> str:
        self._last_id += 1
        self._unanswered[self._last_id] = (adds, streams)
        if adds:
            self._requested.update(streams)
        else:
            self._requested.difference_update(streams)
        method = "SUBSCRIBE" if adds else "UNSUBSCRIBE"
        return msgspec.json.encode({"method": method, "params": streams, "id": self._last_id}).decode()
