"""
What can be made to go wrong, while the server runs.

`Faults` belongs to a server: its ``handshakes`` and ``rest`` act on what comes next, and ``streams`` is the pattern of
every new connection's own `StreamFaults`. Rules on frames act on whole events and are deterministic for their seed;
what breaks the connection itself (cut, close, shutdown) is a method of `Connection`. ``counts`` says how often each
thing has gone wrong, so that a test knows that it did.
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

from app.sandbox.server.garbage import Alteration, Garbage, OutgoingMessage, altered, garbage_for


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
    """A message that goes out after so many more."""

    message: OutgoingMessage
    after: int


@dataclass(slots=True)
class StreamFaults:
    """
    What happens to the events of one connection.

    ``stalled``: events are lost, pings go on. ``silent``: nothing at all is sent, answers and pongs included, as when
    the other end of a TCP connection has vanished.
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
        """Lose that share of the events, at most ``times``, of streams whose name ends in ``stream``."""
        self._rules.append(_FrameRule(_Action.DROP, stream, share, times))

    def duplicate(self, *, share: float = 1.0, times: int | None = None, stream: str = "") -> None:
        """Send that share of the events twice."""
        self._rules.append(_FrameRule(_Action.DUPLICATE, stream, share, times))

    def reorder(self, *, share: float = 1.0, times: int | None = None, stream: str = "", by: int = 1) -> None:
        """Send that share of the events after the ``by`` events that follow them."""
        self._rules.append(_FrameRule(_Action.REORDER, stream, share, times, by=by))

    def garble(self, kind: Garbage, *, share: float = 1.0, times: int | None = None, stream: str = "") -> None:
        """Send garbage before that share of the events; the events themselves follow whole."""
        self._rules.append(_FrameRule(_Action.GARBAGE, stream, share, times, kind))

    def alter(self, kind: Alteration, *, share: float = 1.0, times: int | None = None, stream: str = "") -> None:
        """Send that share of the events altered."""
        self._rules.append(_FrameRule(_Action.ALTER, stream, share, times, kind))

    def clear(self) -> None:
        """Work as it should from now on."""
        self._rules.clear()
        self.stalled = self.silent = False

    def apply(self, messages: list[OutgoingMessage]) -> list[OutgoingMessage]:
        """Return what goes out instead of these messages."""
        if self.stalled or self.silent:
            self.counts["silenced"] += len(messages)
            return []
        if not self._rules and not self._delayed:
            return messages
        sent: list[OutgoingMessage] = []
        for message in messages:
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
        """Return faults of the same rules for another connection; what they do is counted together."""
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
    What happens to WebSocket handshakes.

    The next ``refusals`` get ``status`` and ``headers``; all wait for ``delay_s``.
    """

    refusals: int = 0
    status: int = 503
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)

    def refuse_next(self, status: int = 503, *, times: int = 1, retry_after_s: int | None = None) -> None:
        """Answer the next handshakes with that HTTP status."""
        self.status, self.refusals = status, times
        self.headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}

    def clear(self) -> None:
        """Answer as it should from now on."""
        self.refusals, self.delay_s = 0, 0.0

    def take(self) -> int | None:
        """Return the status to refuse this handshake with, or None."""
        if not self.refusals:
            return None
        self.refusals -= 1
        self.counts["refused"] += 1
        return self.status


@dataclass(slots=True)
class RestFault:
    """
    One way to answer wrongly: wait for ``hang_s``, then answer ``body`` with ``status`` and ``headers``.

    Without a body the right answer follows, as ``change`` makes it; with ``is_cut`` only half of it, and then nothing.
    """

    path: str
    times: int | None
    status: int = 200
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    hang_s: float = 0.0
    change: Callable[[Any], Any] | None = None
    is_cut: bool = False


@dataclass(slots=True)
class RestFaults:
    """What happens to the next REST requests; the oldest rule whose path fits counts."""

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
        """Answer requests of paths that end in ``path`` with an error; ``times`` None: until `clear`."""
        headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
        body = json.dumps({"code": code, "msg": message}).encode()
        self._faults.append(RestFault(path, times, status, body, headers))

    def answer_next(self, body: bytes, *, status: int = 200, times: int | None = 1, path: str = "") -> None:
        """Answer with that body, whatever was asked."""
        self._faults.append(RestFault(path, times, status, body))

    def hang_next(self, seconds: float, *, times: int | None = 1, path: str = "") -> None:
        """Answer rightly, but only after that many seconds."""
        self._faults.append(RestFault(path, times, hang_s=seconds))

    def change_next(self, change: Callable[[Any], Any], *, times: int | None = 1, path: str = "") -> None:
        """Answer with what ``change`` makes of the right answer's JSON value."""
        self._faults.append(RestFault(path, times, change=change))

    def cut_next(self, *, times: int | None = 1, path: str = "") -> None:
        """End the connection in the middle of the answer."""
        self._faults.append(RestFault(path, times, is_cut=True))

    def clear(self) -> None:
        """Answer as it should from now on."""
        self._faults.clear()

    def take(self, path: str) -> RestFault | None:
        """Return the fault for a request of that path, used up once."""
        for fault in self._faults:
            if path.endswith(fault.path):
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self._faults.remove(fault)
                self.counts["rest"] += 1
                return fault
        return None


@dataclass(slots=True)
class Faults:
    """Everything that can be made to go wrong with one server; without changes, nothing does."""

    streams: StreamFaults = field(default_factory=StreamFaults)
    handshakes: HandshakeFaults = field(default_factory=HandshakeFaults)
    rest: RestFaults = field(default_factory=RestFaults)
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.streams.counts = self.handshakes.counts = self.rest.counts = self.counts

    def clear(self) -> None:
        """Work as it should from now on; the connections that are open keep the faults of their own."""
        self.streams.clear()
        self.handshakes.clear()
        self.rest.clear()
