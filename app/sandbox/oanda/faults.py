"""
Faults of the loopback OANDA: of its streams, beside those of single answers (`app.sandbox.answer_faults`).

``streams`` of a server is copied for each new stream. Faults of the connection itself (cut, end) are methods of
`app.sandbox.oanda.stream.PriceStream`. ``counts`` holds how often each fault has happened.
"""

from __future__ import annotations

import copy
import random
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from app.sandbox.answer_faults import AnswerFaults


class Garbage(StrEnum):
    """A line that is none of OANDA's."""

    TEXT = "text"
    HTML = "html"
    BYTES = "bytes"
    TRUNCATED = "truncated"
    OTHER_TYPE = "other type"
    NUMBERS = "numbers"  # prices that went through a float
    NEGATIVE = "negative"
    NO_TIME = "no time"
    ARRAY = "array"
    DEEP = "deep"


_GARBAGE = {
    Garbage.TEXT: b"Unknown error",
    Garbage.HTML: b"<html><body>Bad gateway</body></html>",
    Garbage.BYTES: bytes(range(256)).replace(b"\n", b""),
    Garbage.TRUNCATED: b'{"type":"PRICE","time":"2026-07-13T12:00:00.123456789Z","instrument":"EUR_U',
    Garbage.OTHER_TYPE: b'{"type":"NEWS","time":"2026-07-13T12:00:00.123456789Z"}',
    Garbage.NUMBERS: b'{"type":"PRICE","time":"2026-07-13T12:00:00Z","instrument":"EUR_USD",'
    b'"bids":[{"price":1.1,"liquidity":1}],"asks":[{"price":1.2,"liquidity":1}]}',
    Garbage.NEGATIVE: b'{"type":"PRICE","time":"2026-07-13T12:00:00Z","instrument":"EUR_USD",'
    b'"bids":[{"price":"-1.1","liquidity":1}],"asks":[{"price":"1.2","liquidity":1}]}',
    Garbage.NO_TIME: b'{"type":"PRICE","time":"now","instrument":"EUR_USD",'
    b'"bids":[{"price":"1.1","liquidity":1}],"asks":[{"price":"1.2","liquidity":1}]}',
    Garbage.ARRAY: b"[]",
    Garbage.DEEP: b"[" * 5_000,
}


@dataclass(slots=True)
class StreamFaults:
    """
    Faults of one stream's lines.

    ``stalled``: prices are lost, while heartbeats continue. ``silent``: nothing at all is sent, as if the other end had
    vanished.
    """

    seed: int = 0
    stalled: bool = False
    silent: bool = False
    counts: Counter[str] = field(default_factory=Counter)
    _garbage: list[tuple[Garbage, float]] = field(default_factory=list)
    _repeated: float = 0.0
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def garble(self, kind: Garbage, *, share: float = 1.0) -> None:
        """Send garbage before that share of the lines; the lines themselves follow intact."""
        self._garbage.append((kind, share))

    def repeat(self, *, share: float = 1.0) -> None:
        """Send that share of the lines twice."""
        self._repeated = share

    def clear(self) -> None:
        """Remove all faults."""
        self._garbage.clear()
        self._repeated = 0.0
        self.stalled = self.silent = False

    def apply(self, lines: list[bytes]) -> list[bytes]:
        """Return the lines to send instead of these."""
        if not self._garbage and not self._repeated:
            return lines
        sent = []
        for line in lines:
            for kind, share in self._garbage:
                if self._random.random() < share:
                    self.counts["garbage"] += 1
                    sent.append(_GARBAGE[kind])
            sent.append(line)
            if self._random.random() < self._repeated:
                self.counts["repeated"] += 1
                sent.append(line)
        return sent

    def copy(self) -> StreamFaults:
        """Return faults with the same rules for another stream; both add to the same ``counts``."""
        copied = copy.deepcopy(self)
        copied.counts = self.counts
        return copied


@dataclass(slots=True)
class OandaFaults:
    """All faults of one server; without any call, it has none."""

    streams: StreamFaults = field(default_factory=StreamFaults)
    answers: AnswerFaults = field(default_factory=AnswerFaults)
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.streams.counts = self.answers.counts = self.counts

    def clear(self) -> None:
        """Remove all faults of future answers and streams; open streams keep their own."""
        self.streams.clear()
        self.answers.clear()
