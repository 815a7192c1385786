"""The command ``sandbox``: serves a simulated or recorded market on this machine. Returns its exit code.

Apart from the other commands, because ``--demo`` waits for it: it loads nothing it does not need.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import sys
import threading
from datetime import timedelta
from pathlib import Path

from app.market.errors import UsageError
from app.sandbox.recording import RecordingSource
from app.sandbox.server import SandboxServer
from app.sandbox.simulated import SimulatedMarket
from app.sandbox.source import MarketSource
from app.stopping import parse_duration, stop_on_signals


def sandbox(options: argparse.Namespace) -> int:
    """Serve until Ctrl-C, SIGTERM or, when asked to, the end of standard input."""
    source = _sandbox_source(options)
    return asyncio.run(_serve(source, options.port, until_stdin_closes=options.until_stdin_closes))


def _sandbox_source(options: argparse.Namespace) -> MarketSource:
    if not options.replay:
        history = timedelta(seconds=parse_duration(options.history))
        if options.rate is not None and not 0 < options.rate <= 1_000_000:
            raise UsageError("--rate must be a number of trades per second above 0, such as 60.")
        rate = {} if options.rate is None else {"rate": options.rate}
        return SimulatedMarket(seed=options.seed, history=history, **rate)
    try:
        speed = math.inf if options.speed == "max" else float(options.speed)
    except ValueError:
        speed = 0.0
    if not speed > 0:
        raise UsageError(f"--speed cannot be “{options.speed}”: give a number above 0, or max.")
    return RecordingSource([Path(file) for file in options.replay], speed=speed)


async def _serve(source: MarketSource, port: int, *, until_stdin_closes: bool) -> int:
    stop = stop_on_signals()
    server = SandboxServer(source, port=port)
    await server.start()
    try:
        print(f"The sandbox exchange serves {server.ws_url} and {server.rest_url}.", flush=True)
        if until_stdin_closes:
            _stop_with_stdin(stop)
        await stop.wait()
    finally:
        await server.stop()
    return 0


def _stop_with_stdin(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()

    def wait() -> None:
        while sys.stdin.buffer.read(4096):
            pass
        loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=wait, name="stdin", daemon=True).start()
