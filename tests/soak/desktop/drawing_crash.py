"""
Kills a desktop that draws, at random moments with SIGKILL, and lets two desktops draw at once on one database.

After each kill the next start has to show the drawings, and undo the steps, of a moment no more than a second before
it. The database comes and goes meanwhile; in the end it has to have what the desktop shows. Two desktops have to show
the same within two seconds after the last change; what each put last is there, or undo brings it back.

Usage: ``python tests/soak/desktop/drawing_crash.py [--kills N] [--seconds N] [--seed N]``; exits with 1 if anything
differs.
"""

from __future__ import annotations

import argparse
import json
import queue
import random
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.market.drawings.drawing_json import drawing_text
from storage.drawings.drawing_store import PostgresDrawings
from storage.postgres.connection import connect
from storage.postgres.pool import ConnectionPool
from storage.schema.migrate import migrate
from storage.server.embedded_server import EmbeddedServer
from tests.soak.desktop.drawing_desktop import SYMBOL

PATIENCE_S = 60.0
LOST_S = 1.0
TOGETHER_S = 2.0


class Child:
    """A desktop in a process of its own. ``lines`` are those read so far."""

    def __init__(self, folder: Path, url: str, seed: int, mode: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.lines: list[dict[str, Any]] = []
        self._coming: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.soak.desktop.drawing_desktop", str(folder), url, str(seed), mode],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, event: str) -> dict[str, Any]:
        """Return the first line of that event from here on."""
        while (line := self.next(PATIENCE_S)) is not None:
            if line["event"] == event:
                return line
        raise RuntimeError(f"the desktop ended before the event {event}")

    def next(self, timeout_s: float) -> dict[str, Any] | None:
        """Return the next line; None at the end. Raises queue.Empty."""
        line = self._coming.get(timeout=timeout_s)
        if line is not None:
            self.lines.append(line)
        return line

    def say(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def kill(self) -> float:
        """Kill it; return when, as its clock has it."""
        killed_s = time.monotonic()
        self.process.kill()
        self.process.wait()
        while self.next(PATIENCE_S) is not None:
            pass
        self._close()
        return killed_s

    def end(self) -> dict[str, Any]:
        """Let it end; return its last line."""
        self.say("end")
        line = self.wait_for("ends")
        self.process.wait(PATIENCE_S)
        self._close()
        return line

    def _close(self) -> None:
        self._reader.join()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            try:
                self._coming.put(json.loads(line))
            except ValueError:  # the kill came while it was written, so nothing after it was done
                break
        self._coming.put(None)


@dataclass
class Report:
    """It passed if ``differences`` is empty. ``lost_s``: from the first change a start lacks to the kill, for each."""

    kills: int = 0
    changes: int = 0
    lost_s: list[float] = field(default_factory=list)
    together_s: float = 0.0
    put_last: int = 0
    by_undo: int = 0
    differences: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lost = sorted(self.lost_s) or [0.0]
        return (
            f"{self.kills} kills, {self.changes:,} changes; at most {lost[-1] * 1000:.0f} ms lost, in the middle "
            f"{lost[len(lost) // 2] * 1000:.0f} ms; two desktops showed the same after {self.together_s:.2f} s, of "
            f"{self.put_last} drawings put last {self.by_undo} are there by undo; "
            f"{'no difference' if not self.differences else '; '.join(self.differences)}"
        )


def run_kills(folder: Path, url: str, kills: int, seed: int, report: Report) -> None:
    """Kill a desktop so often; then let it bring all to the database, and compare."""
    dice = random.Random(seed)
    before: list[dict[str, Any]] = []
    killed_s = 0.0
    for number in range(kills + 1):
        child = Child(folder / "alone", url, dice.randrange(1 << 30), "alone")
        begins = child.wait_for("begins")
        if before:
            _compare_start(before, killed_s, begins, number, report)
        if number == kills:
            child.say("stop")
            child.wait_for("settled")
            shown = child.end()["drawings"]
            pool = ConnectionPool(lambda: connect(url))
            stored = [drawing_text(one) for one in PostgresDrawings(pool).read([SYMBOL]).drawings]
            pool.close()
            if stored != shown:
                report.differences.append("the database has other drawings than the desktop")
            return
        time.sleep(dice.choice((dice.random() * 0.05, dice.random() * 0.5, dice.random() * 2)))
        killed_s = child.kill()
        before = child.lines
        report.kills += 1
        report.changes += len(before) - 1


def _compare_start(
    before: list[dict[str, Any]], killed_s: float, begins: dict[str, Any], number: int, report: Report
) -> None:
    """Find the moment at which the desktop was as it begins now."""
    found = max((at for at, line in enumerate(before) if line["state"] == begins["state"]), default=None)
    if found is None:
        report.differences.append(f"after kill {number} the desktop is as it never was")
        return
    lost_s = killed_s - before[found + 1]["time_s"] if found + 1 < len(before) else 0.0
    report.lost_s.append(max(0.0, lost_s))
    if lost_s > LOST_S:
        report.differences.append(f"after kill {number} the changes of {lost_s:.2f} s are lost")


def run_two(folder: Path, url: str, seconds: float, seed: int, report: Report) -> None:
    """Let two desktops draw for so long; then compare what they show, and look for what each put last."""
    pair = [Child(folder / f"desktop-{number}", url, seed + number, "together") for number in range(2)]
    for child in pair:
        child.wait_for("begins")
    time.sleep(seconds)
    for child in pair:
        child.say("stop")
    stopped_s = max(child.wait_for("stopped")["time_s"] for child in pair)
    for child in pair:
        child.wait_for("settled")
    deadline_s = time.monotonic() + PATIENCE_S
    while pair[0].lines[-1]["shown"] != pair[1].lines[-1]["shown"] and time.monotonic() < deadline_s:
        for child in pair:
            try:
                child.next(0.02)
            except queue.Empty:
                continue
    report.together_s = max(0.0, max(child.lines[-1]["time_s"] for child in pair) - stopped_s)
    report.changes += sum(len(child.lines) for child in pair)
    left, right = (child.end() for child in pair)
    if left["drawings"] != right["drawings"]:
        report.differences.append("two desktops show different drawings")
    there = {*left["drawings"], *right["drawings"]}
    by_undo = {*left["by_undo"], *right["by_undo"]}
    for put in (*left["last_put"], *right["last_put"]):
        report.put_last += 1
        report.by_undo += put not in there
        if put not in there and put not in by_undo:
            report.differences.append(f"lost: {put[:60]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=30.0, help="how long two desktops draw at once (30)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began = time.monotonic()
    report = Report()
    with tempfile.TemporaryDirectory(prefix="cryptopipe-soak-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        server = EmbeddedServer(folder / "data")
        try:
            url = server.start()
            with connect(url) as connection:
                migrate(connection)
            run_kills(folder, url, options.kills, options.seed, report)
            run_two(folder, url, options.seconds, options.seed, report)
        finally:
            server.stop()
    print(f"seed {options.seed}: {report} ({time.monotonic() - began:.0f} s)")
    if report.together_s > TOGETHER_S:
        print(f"two desktops took longer than {TOGETHER_S} s")
    sys.exit(1 if report.differences or report.together_s > TOGETHER_S else 0)


if __name__ == "__main__":
    main()
