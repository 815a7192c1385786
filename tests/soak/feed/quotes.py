"""
Injects random faults into a recording of OANDA's prices for as long as it is to last, then compares every tick.

The broker runs in this process, at its true limits. Two recorders run in others, into one database, and each is killed
now and then; the database server is stopped, killed and frozen. The faults come one after another; the seed decides
which.

Usage: ``python tests/soak/feed/quotes.py [--minutes 30] [--recorders 2] [--seed N] [--out FILE]``. Exits with 1 if a
tick was lost outside of an outage, duplicated or changed, or a recorder asked too fast.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import psutil

from app.sandbox.oanda.server import OandaLimits
from app.sandbox.oanda.tape import LISTINGS
from storage.postgres.connection import connect
from tests.faults.program import collecting, fork_server
from tests.faults.quotes.kinds import KINDS, QuoteKind, do
from tests.faults.quotes.rig import found_by, inject, settings_for
from tests.faults.quotes.truth import newest_us, stored_ticks
from tests.faults.quotes.world import SECRETS, QuoteScene, quote_scene
from tests.faults.world import DatabaseServer
from tests.servers import forget
from tests.soak.feed.feed_report import Life

INJECTED_KINDS = [kind for kind in KINDS if not (kind.needs_engine or kind.is_outage)]
OUTAGES = [kind for kind in KINDS if kind.is_outage]
KILL = QuoteKind("kill -9 of a recorder", lambda scene: None)
_IN_MEMORY_US = 2_000_000
_LIMITS_S = 1.1  # a new process does not know what the killed one asked for in the last second
_PATIENCE_S = 120.0
_LOOK_S = 0.1


@dataclass
class QuoteReport:
    """Counts and times of one soak; it failed if ``differences`` is not empty."""

    command: str
    minutes: float = 0.0
    kinds: Counter[str] = field(default_factory=Counter)
    stored_again_s: list[float] = field(default_factory=list)
    lives: list[Life] = field(default_factory=list)
    held: Counter[str] = field(default_factory=Counter)
    missing: int = 0
    too_fast: int = 0
    differences: list[str] = field(default_factory=list)

    def markdown(self) -> str:
        """Return the report."""
        times = sorted(self.stored_again_s)
        slopes = [f"{slope:+.1f} MB/h" for life in self.lives if (slope := life.slope_mb_h()) is not None]
        rows = [
            ("Ticks stored", f"{sum(self.held.values()):,} of {len(self.held)} instruments"),
            ("Ticks lost outside of outages, duplicated or changed", "; ".join(self.differences) or "nothing"),
            ("Ticks of the market that fell into an outage", f"{self.missing:,}"),
            ("Requests and connections faster than the broker allows", f"{self.too_fast:,}"),
            (
                "From the end of a fault until all instruments are stored again",
                f"median {statistics.median(times):.1f} s, longest {times[-1]:.1f} s" if times else "never",
            ),
            ("Memory of a recorder", f"at most {max((life.most_mb for life in self.lives), default=0):.0f} MB"),
            ("Growth of those that lived for five minutes", ", ".join(slopes) or "none lived that long"),
        ]
        return "\n".join(
            [
                "# A soak of quotes",
                "",
                f"`{self.command}`",
                "",
                f"{sum(self.kinds.values()):,} random faults, one after another, over {self.minutes:.0f} minutes of a "
                "simulated OANDA that sends every price, injected into the recorders and their database server. Then "
                "every price was compared with what was stored, to the digit, the candles of bid, ask and mid were "
                "recomputed from the ticks, and `verify` was run.",
                "",
                "| | |",
                "|---|---|",
                *(f"| {name} | {value} |" for name, value in rows),
                "",
                "| kind | times |",
                "|---|---|",
                *(f"| {name} | {count} |" for name, count in sorted(self.kinds.items())),
                "",
            ]
        )


class QuoteSoak:
    """Keeps recorders running, injects faults, and compares what is stored."""

    def __init__(self, scene: QuoteScene, folder: Path, recorders: int, report: QuoteReport) -> None:
        self._scene = scene
        self._folder = folder
        self._report = report
        self._context = fork_server()
        self._processes: list[ForkServerProcess | None] = [None] * recorders
        self._lives: list[Life] = [Life(0.0)] * recorders

    async def run(self, seconds: float) -> None:
        """Record and inject for that long, then compare."""
        for number in range(len(self._processes)):
            self._start(number)
        await self._is_stored()
        begin_s = time.monotonic()
        while time.monotonic() < begin_s + seconds:
            await self._suffer(self._chosen())
        self._report.minutes = (time.monotonic() - begin_s) / 60
        await self._finish()
        await self._judge()

    def kill_all(self) -> None:
        """Leave no process behind."""
        for process in self._processes:
            if process is not None and process.is_alive():
                process.kill()

    def _chosen(self) -> QuoteKind:
        dice = self._scene.random
        if dice.random() < 0.1:
            return KILL
        return dice.choice(OUTAGES if dice.random() < 0.15 else INJECTED_KINDS)

    async def _suffer(self, kind: QuoteKind) -> None:
        scene, report = self._scene, self._report
        begin_us = scene.market_clock.now_us() - _IN_MEMORY_US
        report.kinds[kind.name] += 1
        if kind is KILL:
            await self._kill()
        else:
            await inject(kind, scene)
            await do(kind.end, scene)
        scene.calm()
        end_s = time.monotonic()
        await self._is_stored()
        report.stored_again_s.append(time.monotonic() - end_s)
        if not kind.spares and (kind is not KILL or len(self._processes) == 1):
            scene.away.append((begin_us, scene.market_clock.now_us()))
        self._sample()
        await asyncio.sleep(scene.random.uniform(0.0, 1.0))

    async def _kill(self) -> None:
        number = self._scene.random.randrange(len(self._processes))
        process = self._processes[number]
        assert process is not None
        await asyncio.sleep(self._scene.random.uniform(0.0, 1.0))
        process.kill()
        await asyncio.to_thread(process.join)
        await asyncio.sleep(_LIMITS_S)
        self._start(number)

    def _start(self, number: int) -> None:
        data_dir = self._folder / f"recorder-{number}"
        settings = settings_for(self._scene, self._scene.database.url, data_dir, batch_seconds=0.5)
        said = self._folder / f"said-{number}"
        self._processes[number] = collecting(self._context, settings, said, environment=SECRETS)
        self._lives[number] = Life(time.monotonic())
        self._report.lives.append(self._lives[number])

    async def _is_stored(self) -> None:
        """Wait until every recorder streams, and ticks of every instrument from now on are stored."""
        scene, end_s = self._scene, time.monotonic() + _PATIENCE_S
        from_us = scene.market_clock.now_us()
        while len(scene.server.streams) < len(self._processes) or await asyncio.to_thread(self._newest_us) < from_us:
            assert time.monotonic() < end_s, self._said()
            assert all(process is not None and process.is_alive() for process in self._processes), self._said()
            await asyncio.sleep(_LOOK_S)

    def _newest_us(self) -> int:
        with connect(self._scene.database.url) as connection:
            return newest_us(connection, len(self._scene.symbols))

    def _said(self) -> str:
        return "\n".join(path.read_text()[-2_000:] for path in sorted(self._folder.glob("said-?")))

    def _sample(self) -> None:
        for process, life in zip(self._processes, self._lives, strict=True):
            if process is not None and process.pid is not None and process.is_alive():
                life.memory.append((time.monotonic() - life.began_s, psutil.Process(process.pid).memory_info().rss))

    async def _finish(self) -> None:
        for process in self._processes:
            assert process is not None
            process.terminate()
            await asyncio.to_thread(process.join, _PATIENCE_S)
            if process.exitcode != 0:
                self._report.differences.append(f"a recorder ended with {process.exitcode}: {self._said()}")

    async def _judge(self) -> None:
        scene, report = self._scene, self._report
        url = scene.database.url
        report.too_fast = scene.server.faults.counts["too fast"]
        report.differences += await found_by(scene, url, known=False, several=len(self._processes) > 1)
        if report.too_fast:
            report.differences.append(f"{report.too_fast} requests were too fast")
        with connect(url) as connection:
            for symbol in scene.symbols:
                held = stored_ticks(connection, symbol)
                report.held[symbol] = len(held)
                report.missing += len(scene.tape.ticks(symbol, held[0].time_us, held[-1].time_us)) - len(held)
        logs = [path.read_text() for path in self._folder.glob("recorder-*/logs/*.log*")]
        report.differences += [
            f"{name} is in a log"
            for name, value in SECRETS.items()
            if any(value in log for log in [*logs, self._said()])
        ]


async def soak(options: argparse.Namespace, folder: Path, report: QuoteReport) -> None:
    """Run one soak in ``folder``."""
    database = DatabaseServer(folder / "server")
    symbols = [f"oanda:{name.replace('_', '')}" for name in LISTINGS][: options.symbols]
    limits = OandaLimits(connections_per_s=2 * options.recorders)  # no recorder knows of the other
    try:
        async with quote_scene(
            options.seed, database, symbols=symbols, prices_per_s=options.rate, speed=1.0, limits=limits
        ) as scene:
            scene.random = random.Random(options.seed)
            running = QuoteSoak(scene, folder, options.recorders, report)
            try:
                await running.run(options.minutes * 60)
            finally:
                running.kill_all()
    finally:
        database.end()
        forget(folder / "server")


def options_of(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0, help="of faults (30)")
    parser.add_argument("--recorders", type=int, default=2, help="into one database (2)")
    parser.add_argument("--symbols", type=int, default=9, help="instruments, at most 9 (9)")
    parser.add_argument("--rate", type=float, default=8.0, help="prices per second of each instrument (8)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="file for the report, which is printed too")
    return parser.parse_args(arguments)


def main() -> None:
    options = options_of(sys.argv[1:])
    report = QuoteReport(f'make quotesoak ARGS="{" ".join(sys.argv[1:])}"')
    with tempfile.TemporaryDirectory(prefix="cryptopipe-soak-") as folder:
        Path(folder).chmod(0o711)
        asyncio.run(soak(options, Path(folder), report))
    print(report.markdown())
    if options.out is not None:
        options.out.write_text(report.markdown())
    sys.exit(1 if report.differences else 0)


if __name__ == "__main__":
    main()
