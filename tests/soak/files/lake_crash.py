"""
Kills pushes into a lake and pulls out of it at random moments with SIGKILL, then compares every trade.

Both are the program's own commands, each in a process of its own, on a folder or on a real S3-compatible server with
keys. A push is killed once it has written some objects more, a pull once it has stored some trades more; each goes on
where the one before was killed. In the end the lake is verified, a further push writes nothing, and the server compares
the trades, ranges and candles of both databases. Nothing but whole files lies in the lake after each kill.

Usage: ``python tests/soak/files/lake_crash.py [--trades N] [--days N] [--kills N] [--seed N] [--bucket]``; exits with 1
if anything differs. The first complete day has half of all trades, so that it has several parts where these are many.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from app.market.ports.row_files import TradeBatch
from storage.integrity.verify import verify
from storage.lake.address import parse_address
from storage.lake.credentials import bucket_access
from storage.lake.object_store import ObjectStore
from storage.lake.open_store import open_object_store
from storage.loading.bulk_loader import BulkLoader
from storage.postgres.connection import Connection, connect
from tests.benchmarks.transfers.bench_import import FIRST_ID, made_day
from tests.object_server import ObjectServer
from tests.servers import EMBEDDED, shared_server, stop_shared_servers
from tests.soak.files.round_trip import trade_differences
from tests.tables import our_tables

PATIENCE_S = 300.0
_POLL_S = 0.02
_BATCH = 80_000
_STATEMENT_S = 3_600.0
_OUTSIDE = 10_000  # trades of the day before the complete ones, and of the day after


@dataclass
class Report:
    """What was done; it passed if ``differences`` is empty. ``peak``: the most bytes that a command had resident."""

    trades: int = 0
    kills: list[str] = field(default_factory=list)
    push_s: float = 0.0
    pull_s: float = 0.0
    bytes: int = 0
    peak: int = 0
    differences: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        result = "no difference" if not self.differences else "; ".join(self.differences)
        return (
            f"{self.trades:,} trades in the lake, {self.bytes / max(1, self.trades):.2f} bytes each; "
            f"{len(self.kills)} kills ({', '.join(self.kills)}); {self.peak / 1e6:.0f} MB at most; {result}"
        )


class LakeCrash:
    """
    ``variables``: the environment in which the program has its lake; ``day_rows``: the trades of each day, of which the
    first and the last are not complete and stay out of the lake.
    """

    def __init__(
        self,
        folder: Path,
        variables: Mapping[str, str],
        day_rows: list[int],
        seed: int,
        progress: Callable[[str], object] = lambda line: None,
    ) -> None:
        self._folder = folder
        self._variables = dict(variables)
        self._day_rows = day_rows
        self._dice = random.Random(seed)
        self._progress = progress
        address = parse_address(variables["CRYPTOPIPE_LAKE"])
        is_bucket = address.folder is None
        access = bucket_access(address.bucket, variables["CRYPTOPIPE_LAKE_ENDPOINT"], variables) if is_bucket else None
        self._store: ObjectStore = open_object_store(address, access)
        self._lake_folder = address.folder
        self.report = Report(trades=sum(day_rows[1:-1]))

    def run(self, kills: int) -> Report:
        """Kill so many pushes and so many pulls, each at a random moment; then end both, and compare."""
        server = shared_server(EMBEDDED)
        with our_tables(server) as source, our_tables(server) as target:
            self._fill(source)
            days = len(self._day_rows) - 2
            for left in range(kills, 0, -1):
                self._run_and_kill("push", source, self._objects, 2 * days, left)
            pushed = self._run_to_the_end("push", source)
            self.report.bytes = sum(one.size for one in self._store.objects("") if one.key.endswith(".parquet"))
            if pushed.get("incomplete") is None or len(pushed["incomplete"]) != 2:
                self._differ(f"the last push reports {pushed}")
            again = self._run_to_the_end("push", source)
            if again.get("pushed") != [] or again.get("there") != days:
                self._differ(f"a further push reports {again}")
            verified = self._run_to_the_end("verify", source)
            if verified.get("problems") != [] or verified.get("rows") != self.report.trades:
                self._differ(f"the verification reports {verified}")
            for left in range(kills, 0, -1):
                self._run_and_kill("pull", target, lambda: self._stored(target), self.report.trades, left)
            pulled = self._run_to_the_end("pull", target)
            if pulled.get("stored", 0) + pulled.get("held", 0) != self.report.trades or pulled["refused"]:
                self._differ(f"the last pull reports {pulled}")
            self._compare(source, target)
        return self.report

    def _fill(self, url: str) -> None:
        loader = BulkLoader(lambda: connect(url, statement_timeout_s=_STATEMENT_S))
        with contextlib.closing(loader):
            first_id = FIRST_ID
            for day, rows in enumerate(self._day_rows):
                made = made_day(day, rows)
                ids = first_id + np.arange(rows)
                first_id += rows
                for start in range(0, rows, _BATCH):
                    some = slice(start, start + _BATCH)
                    columns = (made.time_us[some], made.price[some], made.quantity[some], made.maker[some])
                    loader.load(loader.prepare(TradeBatch("BTCUSDT", len(ids[some]), ids[some], *columns)))
            loader.finish()

    def _started(self, command: str, url: str) -> subprocess.Popen[str]:
        surroundings = {
            **os.environ,
            **self._variables,
            "CRYPTOPIPE_DATABASE_URL": url,
            "CRYPTOPIPE_DATA_DIR": str(self._folder / "data"),
        }
        return subprocess.Popen(
            [sys.executable, "-m", "app.main", "lake", command, "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=surroundings,
        )

    def _run_and_kill(self, command: str, url: str, done: Callable[[], int], total: int, kills_left: int) -> None:
        before = done()
        reached = before + self._dice.randrange(max(1, 2 * (total - before) // (kills_left + 1)))
        process = self._started(command, url)
        deadline = time.monotonic() + PATIENCE_S
        while process.poll() is None and done() <= reached:
            if time.monotonic() > deadline:
                self._differ(f"the {command} does nothing more after {done():,}")
                break
            time.sleep(_POLL_S)
        time.sleep(self._dice.choice((0.0, self._dice.uniform(0.0, 0.05), self._dice.uniform(0.0, 0.4))))
        had_ended = process.poll() is not None
        process.kill()
        _, complaints = process.communicate()
        self.report.kills.append(f"{command} at {done():,}{' once it had ended' if had_ended else ''}")
        if "Traceback" in complaints:
            self._differ(complaints[-500:])
        if self._lake_folder is not None and self._lake_folder.exists():
            names = [path.name for path in self._lake_folder.rglob("*") if path.is_file()]
            if others := [name for name in names if not name.endswith((".parquet", "_manifest.json"))]:
                self._differ(f"a killed {command} leaves {others}")
        self._progress(self.report.kills[-1])

    def _run_to_the_end(self, command: str, url: str) -> dict[str, Any]:
        process = self._started(command, url)
        began = time.monotonic()
        with contextlib.suppress(psutil.Error):
            program = psutil.Process(process.pid)
            while process.poll() is None:
                self.report.peak = max(self.report.peak, program.memory_info().rss)
                time.sleep(0.05)
        printed, complaints = process.communicate()
        self._progress(f"{command}: {time.monotonic() - began:.1f} s")
        if process.returncode or complaints:
            self._differ(f"{command} ended with {process.returncode}: {complaints[-500:]}")
        found: dict[str, Any] = json.loads(printed) if printed.startswith("{") else {}
        return found

    def _compare(self, source: str, target: str) -> None:
        """Compare what was pulled with the same days of what was pushed, which are cut out of the source for that."""
        first, last = FIRST_ID + self._day_rows[0], FIRST_ID + sum(self._day_rows[:-1]) - 1
        with connect(source, statement_timeout_s=_STATEMENT_S) as connection:
            # The embedded server may be TimescaleDB Community, which has compressed these old trades by now.
            connection.execute("SET timescaledb.max_tuples_decompressed_per_dml_transaction = 0")
            connection.execute(f"DELETE FROM trades WHERE NOT trade_id BETWEEN {first} AND {last}".encode())
            connection.execute(f"UPDATE coverage SET first_trade_id = {first}, last_trade_id = {last}".encode())
            for level in ("5s", "1m", "15m", "1h", "1d"):
                connection.execute(
                    f"DELETE FROM rollup_{level} WHERE NOT first_trade_id BETWEEN {first} AND {last}".encode()
                )
        self.report.differences += trade_differences(source, target, None)
        with connect(target, statement_timeout_s=_STATEMENT_S) as connection:
            self.report.differences += [f"{one.kind}: {one.what}" for one in verify(connection).listed]

    def _objects(self) -> int:
        return sum(1 for _ in self._store.objects(""))

    def _stored(self, url: str) -> int:
        with connect(url) as connection:
            return _count(connection)

    def _differ(self, what: str) -> None:
        self.report.differences.append(what)


def _count(connection: Connection) -> int:
    row = connection.execute("SELECT sum(last_trade_id - first_trade_id + 1)::bigint FROM coverage").fetchone()
    return int(row[0] or 0) if row else 0


@contextlib.contextmanager
def _lake(folder: Path, *, is_bucket: bool) -> Iterator[dict[str, str]]:
    """Yield the environment of a lake in a folder, or in a bucket of a server of its own."""
    if not is_bucket:
        yield {"CRYPTOPIPE_LAKE": str(folder / "lake")}
        return
    (folder / "objects").mkdir()
    server = ObjectServer(folder / "objects")
    try:
        server.make_bucket("lake")
        yield server.variables("lake", "some/prefix")
    finally:
        server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trades", type=int, default=5_000_000)
    parser.add_argument("--days", type=int, default=11, help="complete days (11)")
    parser.add_argument("--kills", type=int, default=10, help="kills of the push, and as many of the pull (10)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bucket", action="store_true", help="on SeaweedFS instead of a folder")
    options = parser.parse_args()
    began = time.monotonic()
    half = options.trades // 2
    day_rows = [_OUTSIDE, half, *[half // (options.days - 1)] * (options.days - 1), _OUTSIDE]
    with tempfile.TemporaryDirectory(prefix="cryptopipe-soak-") as name, contextlib.ExitStack() as ending:
        ending.callback(stop_shared_servers)
        folder = Path(name)
        variables = ending.enter_context(_lake(folder, is_bucket=options.bucket))
        crash = LakeCrash(folder, variables, day_rows, options.seed, lambda line: print(line, flush=True))
        report = crash.run(options.kills)
    print(f"seed {options.seed}: {report} ({time.monotonic() - began:.0f} s)")
    sys.exit(1 if report.differences else 0)


if __name__ == "__main__":
    main()
