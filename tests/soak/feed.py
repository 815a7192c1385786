"""
A thousand random faults over an hour of a busy simulated market; then every trade is compared.

The exchange runs here, the recording in a process of its own, which is killed now and then, and the database server is
stopped, killed and frozen. What happens when follows from the seed; the rest is the machine's timing.

Usage: ``python tests/soak/feed.py [--minutes 60] [--faults 1000] [--seed N] [--out FILE]``; ends with 1 where anything
was lost, doubled or wrong. One core, about 2 GB of disk an hour.
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
from tests.faults.rig import Stored, begun, settings_for
from tests.faults.truth import expected_ranges
from tests.faults.world import DatabaseServer, Scene, scene_of
from tests.servers import forget
from tests.soak.feed_report import FeedReport, Life

KINDS_THROWN = [kind for kind in KINDS if not (kind.needs_clock or kind.contradicts or kind.is_outage)]
OUTAGES = [kind for kind in KINDS if kind.is_outage]
_BITES_WITHIN_S = 5.0
_SAMPLE_S = 5.0
_SETTLE_S = 900.0
_BACK_AGAIN_S = 5.0  # after refusals the client waits on for a while
_WORDS_KEPT = 2000


class Throw(NamedTuple):
    """What is to happen so many seconds after the beginning; no kind: the recording is killed."""

    at_s: float
    kind: Kind | None


def plan(seed: int, seconds: float, faults: int, kills: int, outages: int) -> list[Throw]:
    """Return what happens when. Kills come in the first third, so that the last process lives long enough to judge."""
    dice = random.Random(seed)
    some = [dice.choice(KINDS_THROWN) for _ in range(faults - kills - outages)]
    throws = [Throw(dice.uniform(0, seconds), kind) for kind in some]
    throws += [Throw(dice.uniform(0, seconds / 3), None) for _ in range(kills)]
    step_s = seconds / max(outages, 1)
    throws += [Throw(step_s * number + dice.uniform(0, step_s / 3), dice.choice(OUTAGES)) for number in range(outages)]
    return sorted(throws, key=lambda throw: throw.at_s)


class Recording:
    """The process that records; started again by `restart`."""

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
            "tests.soak.feed_recording",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=self._environment,
            cwd=Path(__file__).parents[2],
            limit=2**20,
        )
        self._report.lives.append(Life(time.monotonic()))
        self._reading = asyncio.create_task(self._read(self.process, self.life))

    async def kill(self) -> None:
        """Kill -9; returns when it is gone."""
        assert self.process is not None
        self.sample()
        with suppress(ProcessLookupError):
            self.process.kill()
        await self._gone()

    async def finish(self) -> None:
        """Let it end by itself."""
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.close()
        await asyncio.wait_for(self._gone(), 120)

    def sample(self) -> int:
        """Note its memory and return it; 0 where it is just not there."""
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
            said = json.loads(line) if line.endswith(b"\n") else {}
            if "closed" in said:
                self.unstored = said["closed"]
            elif said:
                self.outages += [(lost_s, live_s) for lost_s, live_s in said.pop("outages")]
                self._report.delays_ms.update(max(0.0, delay) for delay in said.pop("delays_ms"))
                self._report.note_most("missing", said["missing"])
                self._report.note_most("waiting", said["outbox"] + said["writer"].get("queued", 0))
                life.said = said


class Soak:
    """Throws a plan at a recording, and judges what is left."""

    def __init__(self, scene: Scene, stored: Stored, recording: Recording, report: FeedReport, data_dir: Path) -> None:
        self._scene = scene
        self._stored = stored
        self._recording = recording
        self._report = report
        self._data_dir = data_dir
        self._kept_out: list[tuple[float, float]] = []
        self._database_turn = asyncio.Lock()
        self._kill_turn = asyncio.Lock()

    async def run(self, throws: list[Throw], seconds: float) -> None:
        """Record, throw, calm down, compare."""
        await self._recording.start()
        await begun(self._scene, self._stored)
        watching = asyncio.create_task(self._watch())
        begin_s = time.monotonic()
        thrown: set[asyncio.Task[None]] = set()
        for throw in throws:
            await asyncio.sleep(max(0.0, begin_s + throw.at_s - time.monotonic()))
            work: Coroutine[Any, Any, None] = self._kill() if throw.kind is None else self._throw(throw.kind)
            thrown.add(asyncio.create_task(work))
        await asyncio.sleep(max(0.0, begin_s + seconds - time.monotonic()))
        for failure in await asyncio.gather(*thrown, return_exceptions=True):
            if failure is not None:  # what was stored is compared all the same
                self._report.differences.append(f"a fault could not be thrown: {failure!r}")
        self._report.minutes = (time.monotonic() - begin_s) / 60
        await self._settle()
        watching.cancel()
        await self._recording.finish()
        self._sort_outages()
        await asyncio.to_thread(self._judge)

    async def _throw(self, kind: Kind) -> None:
        scene, name = self._scene, kind.name.replace(" for five minutes", "").replace(", small queue", "")
        self._report.kinds[name] += 1
        if kind.is_outage:
            async with self._database_turn:
                scene.outage_s = scene.random.uniform(2.0, 15.0)
                await do(kind.begin, scene)
                await do(kind.end, scene)
            return
        begin_s, before = time.monotonic(), scene.count(kind.bites)
        # One answer that never comes is not waited for here: others happen meanwhile.
        with suppress(TimeoutError):
            async with asyncio.timeout(_BITES_WITHIN_S):
                await do(kind.begin, scene)
                while scene.count(kind.bites) < before + kind.times:
                    await asyncio.sleep(0.05)
        if scene.count(kind.bites) < before + kind.times:
            self._report.without_effect[name] += 1
        await do(kind.end, scene)
        scene.calm()
        if kind.keeps_out:
            self._kept_out.append((begin_s, time.monotonic() + _BACK_AGAIN_S))

    async def _kill(self) -> None:
        async with self._kill_turn:
            self._report.kinds["kill -9 of the recording"] += 1
            await self._recording.kill()
            await self._recording.start()

    async def _watch(self) -> None:
        minute, begin_s = 0, time.monotonic()
        while True:
            rss = self._recording.sample()
            said = self._recording.life.said
            spool = sum(path.stat().st_size for path in self._data_dir.glob("*spool*") if path.is_file())
            self._report.note_most("spool_bytes", spool)
            if time.monotonic() - begin_s >= 60 * minute and rss and said:
                self._tell(minute, rss, said)
                minute += 1
            await asyncio.sleep(_SAMPLE_S)

    def _tell(self, minute: int, rss: int, said: dict[str, Any]) -> None:
        waiting, faults = said["outbox"] + said["writer"].get("queued", 0), sum(self._report.kinds.values())
        row = {"minute": minute, "rss": rss, "waiting": waiting, "received": said["received"]}
        self._report.per_minute.append(row | {"missing": said["missing"]})
        print(
            f"minute {minute}: {faults} faults, {rss / 1e6:.0f} MB, {said['received']:,} received,"
            f" {said['missing']:,} missing, {waiting:,} waiting, {said['state']}",
            flush=True,
        )

    async def _settle(self) -> None:
        """Calm everything, and wait until what the market had is stored."""
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
            kept_out = any(begin_s <= live_s and lost_s <= end_s for begin_s, end_s in self._kept_out)
            times = self._report.outages_kept_out_s if kept_out else self._report.outages_s
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
    """Run one soak in that folder."""
    database = DatabaseServer(folder / "server")
    data_dir = folder / "data"
    limits = {"weight_per_minute": options.weight, "lifetime_s": 90.0, "ping_every_s": 5.0}
    seconds = options.minutes * 60
    throws = plan(options.seed, seconds, options.faults, options.kills, options.outages)
    try:
        async with scene_of(options.seed, database, symbols=6, rate=options.rate, speed=1.0, **limits) as scene:
            settings = settings_for(
                scene, database.url, data_dir, batch_seconds=1.0, stall_seconds=3.0, queue_trades=options.queue
            )
            environment = {f"CRYPTOPIPE_{name.upper()}": value for name, value in settings.items()}
            recording = Recording({**os.environ, **environment, "XDG_CONFIG_HOME": str(folder)}, report)
            try:
                await Soak(scene, Stored(scene, database.url), recording, report, data_dir).run(throws, seconds)
            finally:
                if recording.process is not None and recording.process.returncode is None:
                    await recording.kill()
    finally:
        database.end()
        forget(folder / "server")


def options_of(arguments: Sequence[str]) -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0, help="of the market (60)")
    parser.add_argument("--faults", type=int, default=1000, help="in all, kills and outages among them (1000)")
    parser.add_argument("--kills", type=int, default=20, help="of the recording process (20)")
    parser.add_argument("--outages", type=int, default=20, help="of the database (20)")
    parser.add_argument("--rate", type=float, default=3000.0, help="trades a second of all symbols (3000)")
    parser.add_argument("--weight", type=int, default=60_000, help="REST weight the exchange allows a minute (60000)")
    parser.add_argument("--queue", type=int, default=20_000, help="trades that wait in memory at most (20000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="file to write the report to, as well as printing it")
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
