"""
Faults to inject while the server runs.

`Faults` belongs to a server: its ``handshakes``, ``rest`` and ``archive`` act on the next requests, and ``streams`` is
copied for each new connection. Rules on frames act on whole events and are deterministic for their seed. Faults of the
connection itself (cut, close, shutdown) are methods of `Connection`. ``counts`` holds how often each fault has
happened, so that a test can check that it did.
"""

from __future__ import annotations

import copy
import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from app.sandbox.answer_faults import AnswerFault, take_first
from app.sandbox.server.archive_faults import ArchiveFaults
from app.sandbox.server.garbage import Alteration, Garbage, OutgoingMessage, altered, garbage_for

_REST = "rest"  # the kind by which all faults of REST are counted


class _Action(StrEnum):
    DROP = "dropped"
    DUPLICATE = "doubled"
    REORDER = "late"
    GARBAGE = "garbage"
    ALTER = "altered"


@dataclass(slots=True)
class _FrameRule:
    action: _Action
    stream: str
    share: float
    times: int | None
    kind: Garbage | Alteration | None = None
    by: int = 1


@dataclass(slots=True)
class _DelayedMessage:
    """A message to send after ``after`` further ones."""

    message: OutgoingMessage
    after: int


@dataclass(slots=True)
class StreamFaults:
    """
    Faults of one connection's events.

    ``stalled``: events are lost, while pings continue. ``silent``: nothing at all is sent, not even answers and pongs,
    as if the other end of a TCP connection had vanished.
    """

    seed: int = 0
    stalled: bool = False
    silent: bool = False
    counts: Counter[str] = field(default_factory=Counter)
    _rules: list[_FrameRule] = field(default_factory=list)
    _delayed: list[_DelayedMessage] = field(default_factory=list)
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def drop(self, *, share: float = 1.0, times: int | None = None, stream: str = "") -> None:
        """Drop that share of the events, at most ``times``, of streams whose name ends in ``stream``."""
        self._rules.append(_FrameRule(_Action.DROP, stream, share, times))

    def duplicate(self, *, share: float = 1.0, times: int | None = None, stream: str = "") -> None:
        """Send that share of the events twice."""
        self._rules.append(_FrameRule(_Action.DUPLICATE, stream, share, times))

    def reorder(self, *, share: float = 1.0, times: int | None = None, stream: str = "", by: int = 1) -> None:
        """Send that share of the events after the ``by`` events that follow them."""
        self._rules.append(_FrameRule(_Action.REORDER, stream, share, times, by=by))

    def garble(self, kind: Garbage, *, share: float = 1.0, times: int | None = None, stream: str = "") -> None:
        """Send garbage before that share of the events; the events themselves follow intact."""
        self._rules.append(_FrameRule(_Action.GARBAGE, stream, share, times, kind))

    def alter(self, kind: Alteration, *, share: float = 1.0, times: int | None = None, stream: str = "") -> None:
        """Send that share of the events altered."""
        self._rules.append(_FrameRule(_Action.ALTER, stream, share, times, kind))

    def clear(self) -> None:
        """Remove all faults."""
        self._rules.clear()
        self.stalled = self.silent = False

    def apply(self, messages: list[OutgoingMessage]) -> list[OutgoingMessage]:
        """Return the messages to send instead of these."""
        if self.stalled or self.silent:
            self.counts["silenced"] += len(messages)
            return []
        if not self._rules and not self._delayed:
            return messages
        sent: list[OutgoingMessage] = []
        for message in messages:
            # Taken out first, because the rules may delay this message too, which must not count down yet.
            held, self._delayed = self._delayed, []
            sent += self._apply_rules(message)
            for late in held:
                late.after -= 1
                if late.after > 0 and self._rules:
                    self._delayed.append(late)
                else:
                    sent.append(late.message)
        return sent

    def copy(self) -> StreamFaults:
        """Return faults with the same rules for another connection; both add to the same ``counts``."""
        copied = copy.deepcopy(self)
        copied.counts = self.counts
        return copied

    def _apply_rules(self, message: OutgoingMessage) -> list[OutgoingMessage]:
        sent = [message]
        for rule in self._rules:
            if rule.times == 0 or not message.stream.endswith(rule.stream) or self._random.random() >= rule.share:
                continue
            if rule.times is not None:
                rule.times -= 1
            self.counts[rule.action] += 1
            if rule.action is _Action.DROP:
                return []
            if rule.action is _Action.REORDER:
                self._delayed.append(_DelayedMessage(message, rule.by))
                return []
            if isinstance(rule.kind, Alteration):
                sent[-1] = altered(sent[-1], rule.kind)
            else:
                sent.insert(0, message if rule.kind is None else garbage_for(message, rule.kind))
        return sent


@dataclass(slots=True)
class HandshakeFaults:
    """
    Faults of WebSocket handshakes.

    The next ``refusals`` are answered with ``status`` and ``headers``; all wait for ``delay_s``.
    """

    refusals: int = 0
    status: int = 503
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)

    def refuse_next(self, status: int = 503, *, times: int = 1, retry_after_s: int | None = None) -> None:
        """Answer the next ``times`` handshakes with that HTTP status."""
        self.status, self.refusals = status, times
        self.headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}

    def clear(self) -> None:
        """Remove all faults."""
        self.refusals, self.delay_s = 0, 0.0

    def take(self) -> int | None:
        """Count this handshake, and return the status to refuse it with, or None."""
        if not self.refusals:
            return None
        self.refusals -= 1
        self.counts["refused"] += 1
        return self.status


@dataclass(slots=True)
class RestFault(AnswerFault):
    """One faulty answer; the right one may be altered by ``change``, which gets its JSON value."""

    change: Callable[[Any], Any] | None = None


@dataclass(slots=True)
class RestFaults:
    """Faults of the next REST requests; the oldest one whose path matches is used."""

    counts: Counter[str] = field(default_factory=Counter)
    _faults: list[RestFault] = field(default_factory=list)

    def fail_next(
        self,
        status: int,
        *,
        times: int | None = 1,
        path: str = "",
        retry_after_s: int | None = None,
        code: int = -1000,
        message: str = "An unknown error occurred while processing the request.",
    ) -> None:
        """Answer ``times`` requests for paths that end in ``path`` with an error; None means until `clear`."""
        headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
        body = json.dumps({"code": code, "msg": message}).encode()
        self._faults.append(RestFault(_REST, path, times, status, body, headers))

    def answer_next(self, body: bytes, *, status: int = 200, times: int | None = 1, path: str = "") -> None:
        """Answer any request with that body."""
        self._faults.append(RestFault(_REST, path, times, status, body))

    def hang_next(self, seconds: float, *, times: int | None = 1, path: str = "") -> None:
        """Answer correctly, but only after that many seconds."""
        self._faults.append(RestFault(_REST, path, times, hang_s=seconds))

    def change_next(self, change: Callable[[Any], Any], *, times: int | None = 1, path: str = "") -> None:
        """Answer with the result of ``change`` for the JSON value of the right answer."""
        self._faults.append(RestFault(_REST, path, times, change=change))

    def cut_next(self, *, times: int | None = 1, path: str = "") -> None:
        """End the connection in the middle of the answer."""
        self._faults.append(RestFault(_REST, path, times, is_cut=True))

    def clear(self) -> None:
        """Remove all faults."""
        self._faults.clear()

    def take(self, path: str) -> RestFault | None:
        """Return the fault for a request for that path, or None, and count its use."""
        return take_first(self._faults, self.counts, path.endswith)


@dataclass(slots=True)
class Faults:
    """All faults of one server; without any call, it has none."""

    streams: StreamFaults = field(default_factory=StreamFaults)
    handshakes: HandshakeFaults = field(default_factory=HandshakeFaults)
    rest: RestFaults = field(default_factory=RestFaults)
    archive: ArchiveFaults = field(default_factory=ArchiveFaults)
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.streams.counts = self.handshakes.counts = self.rest.counts = self.archive.counts = self.counts

    def clear(self) -> None:
        """Remove all faults of future requests and connections; open connections keep their own."""
        self.streams.clear()
        self.handshakes.clear()
        self.rest.clear()
        self.archive.clear()
