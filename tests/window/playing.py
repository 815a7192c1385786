"""Scenes in a window on the simulated market."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from app.sandbox.oanda.server import OandaSandbox
from app.sandbox.server.server import SandboxServer
from tests.end_to_end.helpers import Running

QuoteScene = Callable[[Running, OandaSandbox], Awaitable[None]]
PlayQuotes = Callable[..., None]
Scene = Callable[[Running, SandboxServer], Awaitable[None]]
Play = Callable[[Scene], None]


def shown(running: Running) -> int:
    """How many candles the chart shows."""
    session = running.session
    return len(session.series) if session is not None and running.chart.accessibleDescription() else 0
