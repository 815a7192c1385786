"""
Kill -9 of ``cryptopipe collect`` and of its database at random moments, at the broker's true limits.

A stream cannot be asked again for what a killed recorder had in memory: less than two seconds. All else is stored.
"""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest

from app.sandbox.oanda.server import OandaLimits
from storage.postgres.connection import connect
from tests.faults.program import collecting, fork_server
from tests.faults.quotes.rig import found_by, says_no_secret, settings_for
from tests.faults.quotes.truth import newest_us
from tests.faults.quotes.world import EURUSD, GBPUSD, SECRETS, USDJPY, XAUUSD, QuoteScene, quote_scene
from tests.faults.world import PATIENCE_S, DatabaseServer

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork server")

SYMBOLS = (EURUSD, USDJPY, GBPUSD, XAUUSD)
_IN_MEMORY_US = 2_000_000
_LIMITS_S = 1.1  # a new process does not know what the killed one asked for in the last second


class Program:
    """The program's processes in one data directory, and what they say."""

    def __init__(self, scene: QuoteScene, url: str, data_dir: Path) -> None:
        self.said = data_dir.with_name("said")
        self._scene = scene
        self._url = url
        self._data_dir = data_dir
        self._settings = settings_for(scene, url, data_dir)
        self._context = fork_server()
        self._process: ForkServerProcess | None = None

    def start(self, arguments: Sequence[str] = ("collect",)) -> None:
        self.said.write_text("")
        self._process = collecting(self._context, self._settings, self.said, arguments=arguments, environment=SECRETS)

    def kill(self) -> None:
        """Kill it, if it runs; ticks that it had in memory are lost."""
        if self._process is not None and self._process.is_alive():
            self._process.kill()
            self._process.join()

    def terminate(self) -> None:
        assert self._process is not None
        self._process.terminate()

    async def ends(self) -> int | None:
        """Wait for its end; return the exit code."""
        assert self._process is not None
        await asyncio.to_thread(self._process.join, PATIENCE_S)
        return self._process.exitcode

    async def stores(self) -> None:
        """Wait until ticks of every symbol from now on are stored."""
        from_us = self._scene.market_clock.now_us()
        end_s = asyncio.get_running_loop().time() + PATIENCE_S
        while await asyncio.to_thread(self._newest_us) < from_us:
            assert asyncio.get_running_loop().time() < end_s, self.said.read_text()
            await asyncio.sleep(0.05)

    def text(self) -> str:
        """Return what it said, and its log."""
        return self.said.read_text() + (self._data_dir / "logs" / "cryptopipe.log").read_text()

    def _newest_us(self) -> int:
        with connect(self._url) as connection:
            return newest_us(connection, len(self._scene.symbols))


@asynccontextmanager
async def program_of(database: DatabaseServer, url: str, data_dir: Path) -> AsyncIterator[tuple[QuoteScene, Program]]:
    """Yield a market in real time at OANDA's limits, and the program that is to record it."""
    async with quote_scene(31, database, symbols=SYMBOLS, prices_per_s=10.0, speed=1.0, limits=OandaLimits()) as scene:
        program = Program(scene, url, data_dir)
        try:
            yield scene, program
        finally:
            program.kill()


async def test_kills_of_the_recorder_and_of_the_server_cost_at_most_what_was_in_memory(
    database: DatabaseServer, url: str, data_dir: Path
) -> None:
    async with program_of(database, url, data_dir) as (scene, program):
        program.start()
        await program.stores()
        for strike in range(2):
            await scene.pass_time(scene.random.uniform(0.1, 0.6))
            if strike == 0:
                scene.cut()
            else:  # the ticks of an outage are on disk, and wait for the next start
                await asyncio.to_thread(database.stop, signal.SIGKILL)
                await scene.pass_time(3.0)
            begin_us = scene.market_clock.now_us() - _IN_MEMORY_US
            program.kill()
            await scene.pass_time(_LIMITS_S)
            await asyncio.to_thread(database.start)
            program.start()
            await program.stores()
            scene.away.append((begin_us, scene.market_clock.now_us()))
        program.terminate()
        assert await program.ends() == 0, program.text()
        assert re.search(r"\d+ ticks of .+ received and stored\.", program.said.read_text())
        assert await found_by(scene, url, known=False) == []
        program.start(["db", "verify"])
        assert await program.ends() == 0, program.text()
        assert scene.server.faults.counts["too fast"] == 0
        says_no_secret(program.text())


async def test_a_recording_of_a_fixed_length_ends_as_it_went(
    database: DatabaseServer, url: str, data_dir: Path
) -> None:
    async with program_of(database, url, data_dir) as (scene, program):
        program.start(["collect", "--for", "3s"])
        await program.stores()
        scene.away.append((scene.market_clock.now_us() - _IN_MEMORY_US, scene.market_clock.now_us() + _IN_MEMORY_US))
        scene.cut()
        assert await program.ends() == 0, program.text()
        assert await found_by(scene, url, known=False) == []
        scene.server.token = "another-token"
        await scene.pass_time(_LIMITS_S)
        program.start(["collect", "--for", "60s"])
        assert await program.ends() == 1
        assert re.fullmatch(r"cryptopipe: OANDA refuses the token \(HTTP 401\): .+\.\n", program.said.read_text())
        assert scene.server.faults.counts["too fast"] == 0
        says_no_secret(program.text())
