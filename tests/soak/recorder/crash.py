"""
Kills the recording process and the database server with SIGKILL under load, then compares everything.

The seed decides what is killed and when; the rest is the machine's timing. Each new process must open the database
without help, and all acknowledged trades must be there before it writes.

Usage: ``python tests/soak/recorder/crash.py [--writer N] [--server N] [--seed N]``; exits with 1 if anything differs.
"""

from __future__ import annotations

import argparse
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from storage.integrity.verify import verify
from storage.postgres.connection import connect
from storage.server.embedded_server import EmbeddedServer
from tests.soak.recorder.checks import differences, missing_of_rounds
from tests.soak.recorder.recording import BURSTS
from tests.soak.recorder.tape import SAFE_ROUNDS

PATIENCE_S = 60.0


class Failure(Exception):
    """Raised where the program broke a promise; the text says which."""


@dataclass
class Report:
    """Counts of a soak; it passed if ``differences`` is empty."""

    writer_kills: int = 0
    server_kills: int = 0
    opened_after_s: list[float] = field(default_factory=list)
    rounds: int = 0
    trades: int = 0
    differences: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        starts = sorted(self.opened_after_s)
        return (
            f"{self.writer_kills} kills of the writer, {self.server_kills} of the server; {self.trades:,} trades in"
            f" {self.rounds:,} rounds; {len(starts)} starts, all without help, median"
            f" {statistics.median(starts):.2f} s, longest {starts[-1]:.2f} s; "
            + ("no difference" if not self.differences else "; ".join(self.differences))
        )


class Recording:
    """The recording process; see `tests.soak.recorder.recording`."""

    def __init__(self, data_dir: Path, seed: int, first_round: int) -> None:
        self.first_round = self.acknowledged = first_round
        self.opened = threading.Event()
        self.closed = False
        self._stderr = tempfile.TemporaryFile("w+")  # noqa: SIM115  # because it lives as long as the process
        self._began = time.monotonic()
        self._last_words = ""
        self.opened_after_s = 0.0
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.soak.recorder.recording", str(data_dir), str(seed), str(first_round)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            text=True,
            cwd=Path(__file__).parents[3],
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            word, _, number = line.strip().partition(" ")
            if word == "open":
                self.opened_after_s = time.monotonic() - self._began
                self.opened.set()
            elif word == "acknowledged" and line.endswith("\n"):
                self.acknowledged = int(number)
            elif word == "closed":
                self.closed = True

    def wait_open(self) -> None:
        """Wait until it has opened the database; raises Failure if it does not."""
        deadline = time.monotonic() + PATIENCE_S
        while not self.opened.wait(0.05):
            if self.process.poll() is not None or time.monotonic() >= deadline:
                self.kill()
                raise Failure(f"the database was not opened: {self.last_words()}")

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        self.process.kill()
        self._end()

    def finish(self) -> None:
        """Ask it to stop and wait; raises Failure if it does not end cleanly."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.kill()
        self._end()
        if not self.closed:
            raise Failure(f"the recording did not end cleanly: {self.last_words()}")

    def last_words(self) -> str:
        """Return the end of its standard error, once it has ended."""
        return self._last_words or "it printed nothing"

    def _end(self) -> None:
        self.process.wait()
        self._reader.join()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            try:
                stream.close()
            except BrokenPipeError:
                continue
        self._stderr.seek(0)
        self._last_words = self._stderr.read()[-2000:]
        self._stderr.close()


class Soak:
    """Kills and restarts the recording and the server of one data directory."""

    def __init__(self, data_dir: Path, seed: int, progress: Callable[[str], object] = lambda line: None) -> None:
        self._data_dir = data_dir
        self._seed = seed
        self._progress = progress
        self._recording: Recording | None = None
        self.report = Report()

    def run(self, writer_kills: int, server_kills: int) -> Report:
        """Kill that often, stop cleanly, compare. Raises Failure at the first broken promise."""
        dice = random.Random(self._seed)
        kills = [self._kill_writer] * writer_kills + [self._kill_server] * server_kills
        dice.shuffle(kills)
        try:
            self._start(0)
            for number, kill in enumerate(kills, 1):
                time.sleep(dice.choice((0.0, 0.01, dice.uniform(0.0, 0.3), dice.uniform(0.2, 1.0))))
                kill()
                if number % 10 == 0:
                    self._progress(f"{number} of {len(kills)} kills, {self._last_acknowledged():,} rounds acknowledged")
            self._catch_up()
            assert self._recording is not None
            self._recording.finish()
        except BaseException:
            self._end_all()
            raise
        self._compare()
        return self.report

    def _end_all(self) -> None:
        """Stop everything after a failure."""
        if self._recording is not None and self._recording.process.poll() is None:
            self._recording.kill()
        if (server := find_postmaster(self._data_dir)) is not None:
            server.send_signal(signal.SIGQUIT)
            server.wait(PATIENCE_S)

    def _last_acknowledged(self) -> int:
        return self._recording.acknowledged if self._recording is not None else 0

    def _start(self, first_round: int) -> None:
        self._recording = Recording(self._data_dir, self._seed, first_round)
        self._recording.wait_open()
        self.report.opened_after_s.append(self._recording.opened_after_s)
        if first_round:
            self._check_acknowledged(first_round)
        self._recording.go()

    def _check_acknowledged(self, rounds: int) -> None:
        server = EmbeddedServer(self._data_dir)
        try:
            with connect(server.start()) as connection:
                lost = missing_of_rounds(connection, self._seed, range(max(0, rounds - SAFE_ROUNDS), rounds))
        finally:
            server.stop()
        if lost:
            raise Failure(f"{len(lost)} acknowledged trades are lost, among them {lost[0]}")

    def _kill_writer(self) -> None:
        assert self._recording is not None
        self._recording.kill()
        self.report.writer_kills += 1
        self._start(self._recording.acknowledged)

    def _kill_server(self) -> None:
        """Kill the postmaster, or the next one that starts; it may still be recovering from the last kill."""
        deadline = time.monotonic() + PATIENCE_S
        while (server := find_postmaster(self._data_dir)) is None:
            if time.monotonic() >= deadline:
                assert self._recording is not None
                self._recording.kill()
                raise Failure(f"the server was not started again: {self._recording.last_words()}")
            time.sleep(0.005)
        server.kill()
        self.report.server_kills += 1

    def _catch_up(self) -> None:
        """Wait until every trade sent is acknowledged, including those a process had stored when it was killed."""
        assert self._recording is not None
        target, deadline = self._recording.first_round + max(BURSTS), time.monotonic() + PATIENCE_S
        while self._recording.acknowledged < target:
            if time.monotonic() >= deadline or self._recording.process.poll() is not None:
                self._recording.kill()
                raise Failure(f"recording has stopped: {self._recording.last_words()}")
            time.sleep(0.05)

    def _compare(self) -> None:
        assert self._recording is not None
        if find_postmaster(self._data_dir) is not None:
            raise Failure("the last process left the server running")
        self.report.rounds = self._recording.acknowledged
        server = EmbeddedServer(self._data_dir)
        try:
            with connect(server.start()) as connection:
                self.report.differences = differences(connection, self._seed, self.report.rounds)
                self.report.differences += [f"{one.kind}: {one.what}" for one in verify(connection).listed]
                row = connection.execute("SELECT count(*) FROM trades").fetchone()
                assert row is not None
                self.report.trades = row[0]
        finally:
            server.stop()


def find_postmaster(data_dir: Path) -> psutil.Process | None:
    """Return the running server of ``data_dir``; None if the process of its pid file is not a server."""
    base = data_dir / "database"
    location = base / "location"
    try:
        home = Path(location.read_text().strip()) if location.exists() else base
        cluster = home / "cluster"
        process = psutil.Process(int((cluster / "postmaster.pid").read_text().split("\n", 1)[0]))
        if process.name().startswith("postgres") and Path(process.cwd()) == cluster.resolve():
            return process if process.status() != psutil.STATUS_ZOMBIE else None
    except (OSError, ValueError, psutil.Error):
        pass
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--writer", type=int, default=100, help="kills of the recording process (100)")
    parser.add_argument("--server", type=int, default=50, help="kills of the database server (50)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="cryptopipe-soak-") as folder:
        Path(folder).chmod(0o711)
        soak = Soak(Path(folder) / "data", options.seed, lambda line: print(line, flush=True))
        try:
            report = soak.run(options.writer, options.server)
        except Failure as failure:
            sys.exit(f"seed {options.seed}: after {soak.report.writer_kills} and {soak.report.server_kills}: {failure}")
    print(f"seed {options.seed}: {report} ({time.monotonic() - began:.0f} s)")
    sys.exit(1 if report.differences else 0)


if __name__ == "__main__":
    main()
