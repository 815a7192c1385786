"""
The program that a server runs in, as its health routes see it.

A follower only reads a database that others record into; a recorder has an engine of its own, see
`app.serving.recorder`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import psutil

from app.market.ports.clock import Clock


@dataclass(frozen=True, slots=True)
class ProgramFigures:
    """
    The figures of `/metrics` as JSON.

    ``latency_ms``: of a trade, from the exchange until it was received; ``batch_ms``: what committing a batch takes;
    both the mean. ``errors``: messages that could not be read. ``buffered``: trades not committed yet. A follower
    receives and stores nothing: its figures of that are 0.
    """

    uptime_s: float
    memory_bytes: int
    trades_per_s: float = 0.0
    latency_ms: float = 0.0
    batch_ms: float = 0.0
    errors: int = 0
    reconnects: int = 0
    buffered: int = 0
    trades: int = 0
    ticks: int = 0
    batches: int = 0
    is_feed_live: bool = False


class BrokerState(NamedTuple):
    """The state of a broker's stream, as `app.market.ports.exchange.FeedState` names it, and what is wrong with it."""

    state: str
    trouble: str = ""


class ServedProgram(Protocol):
    """What the server reports of the program it runs in; called on the server's loop."""

    @property
    def has_feed(self) -> bool:
        """Whether it receives from the exchange itself."""

    async def feed_trouble(self) -> str:
        """Return one sentence while the exchange's stream is not live, else an empty text."""

    async def brokers(self) -> dict[str, BrokerState]:
        """Return the state of each recorded broker's stream of quotes, by the broker's name."""

    async def metrics_text(self) -> bytes:
        """Return its metrics as Prometheus's text."""

    async def figures(self) -> ProgramFigures:
        """Return its figures."""


class Follower:
    """A program without a feed, which reads what others record."""

    has_feed = False

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._begin_s = clock.monotonic_s()
        self._process = psutil.Process()

    async def feed_trouble(self) -> str:
        """Return an empty text: there is no feed to be in trouble."""
        return ""

    async def brokers(self) -> dict[str, BrokerState]:
        """Return none: it records from no broker."""
        return {}

    async def metrics_text(self) -> bytes:
        """Return nothing: what it measures, the server does."""
        return b""

    async def figures(self) -> ProgramFigures:
        """See `ServedProgram`."""
        uptime_s = self._clock.monotonic_s() - self._begin_s
        return ProgramFigures(uptime_s, self._process.memory_info().rss)
