"""
Injects a thousand random faults into an hour of a busy simulated market, then compares every trade.

The exchange runs in this process. The recording runs in another, which is killed now and then; the database server is
stopped, killed and frozen. The seed decides which fault happens when; the rest is the machine's timing.

Usage: ``python tests/soak/feed/feed.py [--minutes 60] [--faults 1000] [--seed N] [--out FILE]``. Exits with 1 if a
trade was lost, duplicated or changed. Uses one core, and about 2 GB of disk per hour.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from tests.faults.kinds import KINDS, Kind, do
from tests.faults.rig import Stored, first_trades_stored, settings_for
from tests.faults.truth import expected_ranges
from tests.faults.world import DatabaseServer, Scene, scene_of
from tests.servers import forget
from tests.soak.feed.feed_report import FeedReport, Life

INJECTED_KINDS = [kind for kind in KINDS if not (kind.needs_clock or kind.contradicts or kind.is_outage)]
OUTAGES = [kind for kind in KINDS if kind.is_outage]
_EFFECT_WITHIN_S = 5.0
_SAMPLE_S = 5.0
_SETTLE_S = 900.0
_RETRY_MARGIN_S = 5.0  # the client waits a little longer than it was refused
_WORDS_KEPT = 2000


class Injection(NamedTuple):
    """A fault ``at_s`` seconds after the start; without a kind, a kill of the recording."""

    at_s: float
    kind: Kind | None


def plan(seed: int, seconds: float, faults: int, kills: int, outages: int) -> list[Injection]:
    """Return the injections in order of time. Kills come in the first third, so that one process lives long."""
    dice = random.Random(seed)
    kinds = [dice.choice(INJECTED_KINDS) for _ in range(faults - kills - outages)]
    injections = [Injection(dice.uniform(0, seconds), kind) for kind in kinds]
    injections += [Injection(dice.uniform(0, seconds / 3), None) for _ in range(kills)]
    step_s = seconds / max(outages, 1)
    injections += [
        Injection(step_s * number + dice.uniform(0, step_s / 3), dice.choice(OUTAGES)) for number in range(outages)
    ]
    return sorted(injections, key=lambda injection: injection.at_s)


class Recording:
    """The recording process, and what it reports."""

    def __init__(self, environment: dict[str, str], report: FeedReport) -> None:
        self._environment = environment
        self._report = report
        self._reading: asyncio.Task[None] | None = None
        self.process: asyncio.subprocess.Process | None = None
        self.outages: list[tuple[float, float]] = []
        self.unstored: int | None = None

    @property
    def life(self) -> Life:
        return self._report.lives[-1]

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.soak.feed.feed_recording",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=self._environment,
            cwd=Path(__file__).parents[3],
            limit=2**20,
        )
        self._report.lives.append(Life(time.monotonic()))
        self._reading = asyncio.create_task(self._read(self.process, self.life))

    async def kill(self) -> None:
        """Kill it with SIGKILL, and wait until it is gone."""
        assert self.process is not None
        self.sample()
        with suppress(ProcessLookupError):
            self.process.kill()
        await self._gone()

    async def finish(self) -> None:
        """Ask it to stop, and wait until it has."""
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.close()
        await asyncio.wait_for(self._gone(), 120)

    def sample(self) -> int:
        """Record and return its resident memory in bytes; 0 if it does not run."""
        try:
            assert self.process is not None
            process = psutil.Process(self.process.pid)
            rss, times = process.memory_info().rss, process.cpu_times()
        except psutil.NoSuchProcess:
            return 0
        self.life.memory.append((time.monotonic() - self.life.began_s, rss))
        self.life.cpu_s = times.user + times.system
        return int(rss)

    async def _gone(self) -> None:
        assert self.process is not None
        assert self._reading is not None
        await self.process.wait()
        await self._reading

    async def _read(self, process: asyncio.subprocess.Process, life: Life) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            values = json.loads(line) if line.endswith(b"\n") else {}
            if "closed" in values:
                self.unstored = values["closed"]
            elif values:
                self.outages += [(lost_s, live_s) for lost_s, live_s in values.pop("outages")]
                self._report.delays_ms.update(max(0.0, delay) for delay in values.pop("delays_ms"))
                self._report.note_most("missing", values["missing"])
                self._report.note_most("waiting", values["outbox"] + values["writer"].get("queued", 0))
                life.last_report = values


class Soak:
    """Injects a plan of faults into a recording, and compares what is stored."""

    def __init__(
        self,
        scene: Scene,
        stored: Stored,
        recording: Recording,
        report: FeedReport,
        data_dir: Path,
        longest_outage_s: float,
    ) -> None:
        self._scene = scene
        self._stored = stored
        self._recording = recording
        self._report = report
        self._data_dir = data_dir
        self._longest_outage_s = longest_outage_s
        self._refusals: list[tuple[float, float]] = []
        self._database_turn = asyncio.Lock()
        self._kill_turn = asyncio.Lock()

    async def run(self, injections: list[Injection], seconds: float) -> None:
        """Record, inject, wait for calm, compare."""
        await self._recording.start()
        await first_trades_stored(self._scene, self._stored)
        watching = asyncio.create_task(self._watch())
        begin_s = time.monotonic()
        tasks: set[asyncio.Task[None]] = set()
        for injection in injections:
            await asyncio.sleep(max(0.0, begin_s + injection.at_s - time.monotonic()))
            work: Coroutine[Any, Any, None] = self._kill() if injection.kind is None else self._inject(injection.kind)
            tasks.add(asyncio.create_task(work))
        await asyncio.sleep(max(0.0, begin_s + seconds - time.monotonic()))
        for failure in await asyncio.gather(*tasks, return_exceptions=True):
            if failure is not None:  # the comparison still has to run
                self._report.differences.append(f"a fault could not be injected: {failure!r}")
        self._report.minutes = (time.monotonic() - begin_s) / 60
        await self._settle()
        watching.cancel()
        await self._recording.finish()
        self._sort_outages()
        await asyncio.to_thread(self._judge)

    async def _inject(self, kind: Kind) -> None:
        scene, name = self._scene, kind.name.replace(" for five minutes", "").replace(", small queue", "")
        self._report.kinds[name] += 1
        if kind.is_outage:
            async with self._database_turn:
                scene.outage_s = scene.random.uniform(2.0, self._longest_outage_s)
                await do(kind.begin, scene)
                await do(kind.end, scene)
            return
        begin_s, before = time.monotonic(), scene.count(kind.counter)
        # A fault whose effect does not show is given up, so that the others go on.
        with suppress(TimeoutError):
            async with asyncio.timeout(_EFFECT_WITHIN_S):
                await do(kind.begin, scene)
                while scene.count(kind.counter) < before + kind.times:
                    await asyncio.sleep(0.05)
        if scene.count(kind.counter) < before + kind.times:
            self._report.without_effect[name] += 1
        await do(kind.end, scene)
        scene.calm()
        if kind.refuses_handshakes:
            self._refusals.append((begin_s, time.monotonic() + _RETRY_MARGIN_S))

    async def _kill(self) -> None:
        async with self._kill_turn:
            self._report.kinds["kill -9 of the recording"] += 1
            await self._recording.kill()
            await self._recording.start()

    async def _watch(self) -> None:
        minute, begin_s = 0, time.monotonic()
        while True:
            rss = self._recording.sample()
            values = self._recording.life.last_report
            spool = sum(path.stat().st_size for path in self._data_dir.glob("*spool*") if path.is_file())
            self._report.note_most("spool_bytes", spool)
            if time.monotonic() - begin_s >= 60 * minute and rss and values:
                self._print_minute(minute, rss, values)
                minute += 1
            await asyncio.sleep(_SAMPLE_S)

    def _print_minute(self, minute: int, rss: int, values: dict[str, Any]) -> None:
        waiting, faults = values["outbox"] + values["writer"].get("queued", 0), sum(self._report.kinds.values())
        row = {"minute": minute, "rss": rss, "waiting": waiting, "received": values["received"]}
        self._report.per_minute.append(row | {"missing": values["missing"]})
        print(
            f"minute {minute}: {faults} faults, {rss / 1e6:.0f} MB, {values['received']:,} received,"
            f" {values['missing']:,} missing, {waiting:,} waiting, {values['state']}",
            flush=True,
        )

    async def _settle(self) -> None:
        """End every fault, and wait until all trades of the market are stored."""
        begin_s = time.monotonic()
        scene = self._scene
        await asyncio.to_thread(scene.database.start)
        scene.calm()
        self._stored.patience_s = _SETTLE_S
        await self._stored.reaches({symbol: scene.market.last_id(symbol) + 1 for symbol in scene.market.first_given})
        try:
            await self._stored.is_complete()
        except AssertionError as error:
            self._report.differences.append(f"after {_SETTLE_S:.0f} s of calm: {error}")
        self._report.settled_after_s = time.monotonic() - begin_s

    def _sort_outages(self) -> None:
        for lost_s, live_s in self._recording.outages:
            refused = any(begin_s <= live_s and lost_s <= end_s for begin_s, end_s in self._refusals)
            times = self._report.refused_outages_s if refused else self._report.outages_s
            times.append(live_s - lost_s)

    def _judge(self) -> None:
        report, scene = self._report, self._scene
        if self._recording.unstored != 0:
            report.differences.append(f"{self._recording.unstored} trades were not stored at the end")
        report.differences += self._stored.differences()
        report.counts = scene.server.faults.counts
        for symbol, ranges in expected_ranges(scene.market).items():
            report.trades[symbol] = sum(last - first + 1 for first, last in ranges)


async def soak(options: argparse.Namespace, folder: Path, report: FeedReport) -> None:
    """Run one soak in ``folder``."""
    database = DatabaseServer(folder / "server")
    data_dir = folder / "data"
    limits = {"weight_per_minute": options.weight, "lifetime_s": 90.0, "ping_every_s": 5.0}
    seconds = options.minutes * 60
    injections = plan(options.seed, seconds, options.faults, options.kills, options.outages)
    try:
        async with scene_of(options.seed, database, symbols=6, rate=options.rate, speed=1.0, **limits) as scene:
            settings = settings_for(
                scene, database.url, data_dir, batch_seconds=1.0, stall_seconds=3.0, queue_trades=options.queue
            )
            environment = {f"CRYPTOPIPE_{name.upper()}": value for name, value in settings.items()}
            recording = Recording({**os.environ, **environment, "XDG_CONFIG_HOME": str(folder)}, report)
            try:
                stored = Stored(scene, database.url)
                run = Soak(scene, stored, recording, report, data_dir, options.longest_outage)
                await run.run(injections, seconds)
            finally:
                if recording.process is not None and recording.process.returncode is None:
                    await recording.kill()
    finally:
        database.end()
        forget(folder / "server")


def options_of(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0, help="of the market (60)")
    parser.add_argument("--faults", type=int, default=1000, help="in all, including kills and outages (1000)")
    parser.add_argument("--kills", type=int, default=20, help="of the recording process (20)")
    parser.add_argument("--outages", type=int, default=20, help="of the database (20)")
    parser.add_argument("--longest-outage", type=float, default=15.0, metavar="S", help="of the database (15 s)")
    parser.add_argument("--rate", type=float, default=3000.0, help="trades per second over all symbols (3000)")
    parser.add_argument("--weight", type=int, default=60_000, help="REST weight allowed per minute (60000)")
    parser.add_argument("--queue", type=int, default=20_000, help="most trades queued in memory (20000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="file for the report, which is printed too")
    return parser.parse_args(arguments)


def main() -> None:
    options = options_of(sys.argv[1:])
    report = FeedReport(options.seed, f'make soak ARGS="{" ".join(sys.argv[1:])}"', rate=options.rate)
    began = psutil.Process().cpu_times()
    with tempfile.TemporaryDirectory(prefix="cryptopipe-soak-") as folder:
        Path(folder).chmod(0o711)
        asyncio.run(soak(options, Path(folder), report))
    ended = psutil.Process().cpu_times()
    report.sandbox_cpu_s = ended.user + ended.system - began.user - began.system
    print(report.markdown())
    if options.out is not None:
        options.out.write_text(report.markdown())
    sys.exit(1 if report.has_lost else 0)


if __name__ == "__main__":
    main()
