"""
Kills the import of archive zips, a process that it started, or the database server at random moments with SIGKILL.

The import is the program's own command, with its embedded database. After each kill it is begun again, and each run
stores more before the next kill; in the end all trades are compared, their ids and their candles. The seed decides what
is killed and about when; the rest is the machine's timing.

Usage: ``python tests/soak/files/import_crash.py [--trades N] [--kills N] [--seed N]``; exits with 1 if anything
differs.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg

from app.market.errors import StoreError
from storage.integrity.verify import verify
from storage.postgres.connection import Connection, connect
from storage.server.embedded_server import EmbeddedServer
from tests.benchmarks.transfers.bench_import import FIRST_ID, copy_lines, made_day, write_zip
from tests.soak.recorder.crash import find_postmaster

FILES = 100  # in the soak; each of a day, and stored by a transaction or more of its own
KINDS = ("import", "import", "child", "server")
PATIENCE_S = 120.0
_POLL_S = 0.02
_STATEMENT_S = 3_600.0


@dataclass
class Report:
    """What was done; it passed if ``differences`` is empty. ``kills``: how many of which process."""

    trades: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    stored_at_kills: list[int] = field(default_factory=list)
    last_run: dict[str, Any] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        kills = ", ".join(f"{count} of the {kind}" for kind, count in sorted(self.kills.items()))
        moments = ", ".join(f"{stored:,}" for stored in self.stored_at_kills)
        last = {name: self.last_run.get(name) for name in ("read", "stored", "held", "refused", "missing")}
        return (
            f"kills: {kills}; trades stored when they came: {moments}; the last run: {last};"
            f" {self.trades:,} trades, {'no difference' if not self.differences else '; '.join(self.differences)}"
        )


class ImportCrash:
    """Imports archives of so many trades into the embedded database of ``folder``, killed again and again."""

    def __init__(
        self,
        folder: Path,
        trades: int,
        seed: int,
        progress: Callable[[str], object] = lambda line: None,
        *,
        files: int = FILES,
    ) -> None:
        self._archives = folder / "archives"
        self._data_dir = folder / "data"
        self._files = files
        self._rows = trades // files  # a file
        self._dice = random.Random(seed)
        self._progress = progress
        self._server = EmbeddedServer(self._data_dir)
        self.report = Report(trades=self._rows * files)

    def run(self, kinds: list[str]) -> Report:
        """Kill these processes, one a run, each at a random moment; then import to the end and compare."""
        for day in range(self._files):
            for _ in write_zip(self._archives, day, self._rows):
                pass
        self._dice.shuffle(kinds)
        try:
            self._server.start()
            for number, kind in enumerate(kinds):
                self._run_and_kill(kind, len(kinds) - number)
            self._run_to_the_end()
            with connect(self._server.start(), statement_timeout_s=_STATEMENT_S) as connection:
                self._compare(connection)
        finally:
            self._server.stop()
        return self.report

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "app.main", "import", str(self._archives), "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "CRYPTOPIPE_DATABASE_URL": "", "CRYPTOPIPE_DATA_DIR": str(self._data_dir)},
        )

    def _run_and_kill(self, kind: str, kills_left: int) -> None:
        """Begin the import, and kill some time after it has stored a share of what is left."""
        before = self._stored()
        reached = before + self._dice.randrange(max(1, 2 * (self.report.trades - before) // (kills_left + 1)))
        process = self._start()
        deadline = time.monotonic() + PATIENCE_S + self.report.trades / 10_000
        while process.poll() is None and self._stored() <= reached:
            if time.monotonic() > deadline:
                self._differ(f"the import stores nothing more after {self._stored():,} trades")
                break
            time.sleep(_POLL_S)
        time.sleep(self._dice.choice((0.0, self._dice.uniform(0.0, 0.05), self._dice.uniform(0.0, 0.2))))
        workers = _workers(process)
        victim = {
            "import": lambda: process,
            "child": lambda: self._dice.choice(workers) if workers else process,
            "server": lambda: find_postmaster(self._data_dir),
        }[kind]()
        if victim is None or process.poll() is not None:
            kind = "nothing: it had ended"
        elif victim is process:
            kind = "import"
            process.kill()
        else:
            victim.kill()
        self.report.kills[kind] += 1
        self._end(process, workers, was_killed=victim is process)
        self.report.stored_at_kills.append(self._stored())
        self._progress(f"killed {kind} once {self.report.stored_at_kills[-1]:,} trades were stored")

    def _end(self, process: subprocess.Popen[str], workers: list[psutil.Process], *, was_killed: bool) -> None:
        """Wait until the import and its processes have ended; what was not killed itself says why it ends."""
        try:
            printed, complaints = process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return self._differ("the import does not end once a process that it needs is killed")
        if not was_killed:
            is_said = process.returncode == 0 or (process.returncode == 1 and complaints.count("\n") == 1)
            if not is_said or "Traceback" in complaints or not printed.startswith("{"):
                self._differ(f"the import ended with {process.returncode} and said {complaints[-500:]!r}")
        _, alive = psutil.wait_procs(workers, PATIENCE_S)
        for one in alive:
            self._differ(f"{one.name()} outlives its import")
            one.kill()
        return None

    def _run_to_the_end(self) -> None:
        printed, complaints = self._start().communicate()
        found = self.report.last_run = json.loads(printed) if printed.startswith("{") else {}
        whole = found.get("read") == self.report.trades == found.get("stored", 0) + found.get("held", 0)
        if complaints or not whole or found["refused"] or found["missing"]:
            self._differ(f"the last run reports {found} {complaints[-500:]}")

    def _compare(self, connection: Connection) -> None:
        expected = "CREATE TEMP TABLE expected (LIKE trades)"
        connection.execute(expected.encode())
        with connection.cursor() as cursor, cursor.copy("COPY expected FROM STDIN") as copy:
            for day in range(self._files):
                copy.write(copy_lines(made_day(day, self._rows)))
        for what, one, other in (("lost", "expected", "trades"), ("too many", "trades", "expected")):
            columns = "time, trade_id, price, quantity, is_buyer_maker"
            query = f"SELECT {columns} FROM {one} EXCEPT ALL SELECT {columns} FROM {other}"
            if found := connection.execute(query.encode()).fetchall():
                self._differ(f"{len(found):,} trades are {what}, the first is {min(found)[1]}")
        ranges = connection.execute("SELECT first_trade_id, last_trade_id FROM coverage").fetchall()
        if ranges != [(FIRST_ID, FIRST_ID + self.report.trades - 1)]:
            self._differ(f"the coverage is {ranges}")
        self.report.differences += [f"{one.kind}: {one.what}" for one in verify(connection).listed]

    def _differ(self, what: str) -> None:
        self.report.differences.append(what)

    def _stored(self) -> int:
        """Return how many trades the coverage holds; 0 while nothing can be asked."""
        with suppress(StoreError, psycopg.Error), connect(self._server.start()) as connection:
            if connection.execute("SELECT to_regclass('coverage')").fetchone() == (None,):
                return 0
            found = connection.execute("SELECT sum(last_trade_id - first_trade_id + 1) FROM coverage").fetchone()
            return int(found[0] or 0) if found else 0
        return 0


def _workers(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Return the processes that the import started, without the database's."""
    with suppress(psutil.NoSuchProcess):
        found = psutil.Process(process.pid).children(recursive=True)
        return [one for one in found if not _name(one).startswith("postgres")]
    return []


def _name(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return process.name()
    return "postgres, which has ended"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trades", type=int, default=2_000_000)
    parser.add_argument("--kills", type=int, default=20, help="kills (20), of the server every fourth")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="cryptopipe-soak-") as folder:
        Path(folder).chmod(0o711)
        crash = ImportCrash(Path(folder), options.trades, options.seed, lambda line: print(line, flush=True))
        report = crash.run([KINDS[number % len(KINDS)] for number in range(options.kills)])
    print(f"seed {options.seed}: {report} ({time.monotonic() - began:.0f} s)")
    sys.exit(1 if report.differences else 0)


if __name__ == "__main__":
    main()
