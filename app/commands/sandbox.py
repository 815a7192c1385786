"""
``cryptopipe sandbox``: serves simulated or recorded markets on this machine, in the protocol of each broker.

The window of ``--demo`` waits for Binance's, so it imports as little as possible: no database, no engine, and the
brokers of quotes once that one serves.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from app.commands.options import Options
from app.market.errors import UsageError
from app.runtime.shutdown import StopEvent, at_end_of_stdin, on_signals, parse_duration
from app.sandbox.market.recording import RecordedMarket
from app.sandbox.market.simulated import SimulatedMarket
from app.sandbox.server.server import SandboxServer
from app.sandbox.source import MarketSource

if TYPE_CHECKING:
    from app.sandbox.oanda.tape import RecordedTape


def prepare(options: Options) -> Callable[[], int]:
    """
    Return the function that serves until Ctrl-C, SIGTERM or, if so asked, the end of standard input.

    Raises:
        UsageError: If an option is wrong. No file was made.
    """
    if not 0 <= options.port <= 65_535:
        raise UsageError("--port must be a number from 0 to 65535; 0 picks a free one.")
    source = _sandbox_source(options)
    quotes = _quote_sandboxes(options)
    return partial(_run, source, options.port, quotes, until_stdin_closes=options.until_stdin_closes)


def _sandbox_source(options: Options) -> MarketSource:
    if not options.replay:
        history = timedelta(seconds=parse_duration(options.history))
        if options.rate is not None and not 0 < options.rate <= 1_000_000:
            raise UsageError("--rate must be a number of trades per second above 0, such as 60.")
        rate = {} if options.rate is None else {"rate": options.rate}
        return SimulatedMarket(seed=options.seed, history=history, **rate)
    return RecordedMarket([Path(file) for file in options.replay], speed=_speed_of(options.speed))


def _speed_of(text: str) -> float:
    try:
        speed = math.inf if text == "max" else float(text)
    except ValueError:
        speed = 0.0
    if not speed > 0:
        raise UsageError(f"--speed cannot be “{text}”: give a number above 0, or max.")
    return speed


def _quote_sandboxes(options: Options) -> QuoteSandboxes:
    folder: Path | None = options.dukascopy_folder
    if folder is not None and not folder.is_dir():
        raise UsageError(f"{folder} is no folder of Dukascopy's recordings.")
    tape = None
    if options.oanda_replay:
        from app.sandbox.oanda.tape import RecordedTape  # as below

        tape = RecordedTape(options.oanda_replay)
    return QuoteSandboxes(options.seed, tape, folder, _speed_of(options.speed))


class QuoteSandboxes(NamedTuple):
    """What the sandboxes of OANDA and Dukascopy serve: recordings, or a simulated market of ``seed``."""

    seed: int
    oanda_tape: RecordedTape | None
    dukascopy_folder: Path | None
    speed: float

    @asynccontextmanager
    async def serving(self, port: int) -> AsyncIterator[None]:
        """Serve at the two ports after ``port``, or at free ones, and print the addresses."""
        # Here, because the window of --demo waits for the exchange and not for these.
        from app.sandbox.dukascopy.server import DukascopySandbox
        from app.sandbox.dukascopy.sources import RecordedArchive, SimulatedArchive
        from app.sandbox.oanda.server import ACCOUNT, TOKEN, OandaSandbox
        from app.sandbox.oanda.tape import SimulatedTape

        def oanda_at(port: int) -> OandaSandbox:
            tape = self.oanda_tape
            if tape is None:
                return OandaSandbox(SimulatedTape(self.seed, prices_per_s=2.0), port=port)
            # Recorded prices were sampled when they were recorded.
            return OandaSandbox(tape, port=port, begin_us=tape.start_us - 1, speed=self.speed, sampled=False)

        def dukascopy_at(port: int) -> DukascopySandbox:
            folder = self.dukascopy_folder
            return DukascopySandbox(
                SimulatedArchive(self.seed) if folder is None else RecordedArchive(folder), port=port
            )

        async with AsyncExitStack() as serving:
            oanda = await _started(oanda_at, port and port + 1, serving)
            dukascopy = await _started(dukascopy_at, port and port + 2, serving)
            print(f"OANDA's is at {oanda.url} (token {TOKEN}, account {ACCOUNT}).", flush=True)
            print(f"Dukascopy's interfaces are both at {dukascopy.url}.", flush=True)
            yield


Quotes = TypeVar("Quotes", bound="_Serving")


class _Serving(Protocol):
    async def start(self) -> None: ...

    async def stop(self) -> None: ...


async def _started(make: Callable[[int], Quotes], port: int, serving: AsyncExitStack) -> Quotes:
    """Return a server that serves at ``port``, or at a free one; ``serving`` stops it."""
    server = make(port if port <= 65_535 else 0)
    try:
        await server.start()
    except UsageError:  # another program has the port
        server = make(0)
        await server.start()
    serving.push_async_callback(server.stop)
    return server


def _run(source: MarketSource, port: int, quotes: QuoteSandboxes, *, until_stdin_closes: bool) -> int:
    stop = StopEvent()
    with on_signals(stop.set):
        return asyncio.run(_serve(source, port, quotes, stop, until_stdin_closes=until_stdin_closes))


async def _serve(
    source: MarketSource, port: int, quotes: QuoteSandboxes, stop: StopEvent, *, until_stdin_closes: bool
) -> int:
    server = SandboxServer(source, port=port)
    await server.start()
    try:
        print(f"The sandbox exchange serves {server.ws_url} and {server.rest_url}.", flush=True)
        if until_stdin_closes:
            at_end_of_stdin(stop.set)
        async with quotes.serving(port):
            if isinstance(source, SimulatedMarket):
                await asyncio.to_thread(source.prepare)  # the window of --demo still loads meanwhile
            await stop.wait()
    finally:
        await server.stop()
    return 0
