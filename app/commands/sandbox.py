"""
``cryptopipe sandbox``: serves a simulated or recorded market on this machine.

The window of ``--demo`` waits for it, so it imports as little as possible: no database, no engine.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

from app.commands.options import Options
from app.market.errors import UsageError
from app.runtime.shutdown import StopEvent, at_end_of_stdin, on_signals, parse_duration
from app.sandbox.market.recording import RecordedMarket
from app.sandbox.market.simulated import SimulatedMarket
from app.sandbox.server.server import SandboxServer
from app.sandbox.source import MarketSource


def prepare(options: Options) -> Callable[[], int]:
    """
    Return the function that serves until Ctrl-C, SIGTERM or, if so asked, the end of standard input.

    Raises:
        UsageError: If an option is wrong. No file was made.
    """
    if not 0 <= options.port <= 65_535:
        raise UsageError("--port must be a number from 0 to 65535; 0 picks a free one.")
    source = _sandbox_source(options)
    return partial(_run, source, options.port, until_stdin_closes=options.until_stdin_closes)


def _sandbox_source(options: Options) -> MarketSource:
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
    return RecordedMarket([Path(file) for file in options.replay], speed=speed)


def _run(source: MarketSource, port: int, *, until_stdin_closes: bool) -> int:
    stop = StopEvent()
    with on_signals(stop.set):
        return asyncio.run(_serve(source, port, stop, until_stdin_closes=until_stdin_closes))


async def _serve(source: MarketSource, port: int, stop: StopEvent, *, until_stdin_closes: bool) -> int:
    server = SandboxServer(source, port=port)
    await server.start()
    try:
        print(f"The sandbox exchange serves {server.ws_url} and {server.rest_url}.", flush=True)
        if until_stdin_closes:
            at_end_of_stdin(stop.set)
        if isinstance(source, SimulatedMarket):
            await asyncio.to_thread(source.prepare)  # the window of --demo still loads meanwhile
        await stop.wait()
    finally:
        await server.stop()
    return 0
