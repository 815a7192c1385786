"""
How fast stored data is served, and how late live trades of a database come to a thousand clients.

    python -m tests.benchmarks.serving.bench_serving [million trades, 1.2] [clients, 1000] [s, 12] [--database URL]

`cryptopipe serve` runs in a process of its own, on the database that this one writes at default batching. First the
median times of requests, beside a plain SELECT of as many rows in the same run. Then 100 trades a second, of which each
client gets each; the delay is from handing a trade to the writer until a client has it. The clients share this machine
with server, database and writer. To be met: 1,000 latest candles under 30 ms, a trade's p99 under 1.2 s.
"""

from __future__ import annotations

import asyncio
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen

import psycopg

from app.market.trade import Trade
from storage.database import Database
from tests.benchmarks._database import benchmark_database, benchmark_options
from tests.benchmarks.serving.bench_live import HANDSHAKE, TIMED, text_frame
from tests.peers.served_recording import serving
from tests.soak.files.round_trip import FIRST_ID, SPACING_US, TRADED, TRADES_FROM_US, RoundTrip

RUNS = 9
TRADES_PER_S = 100
PART = 5  # trades handed over at a time
_MARK = b'"type":"trade"'


class Read(NamedTuple):
    """A request, and the SELECT of as many rows to compare it with."""

    title: str
    path: str
    query: str


def reads(trades: int) -> list[Read]:
    """Return what is read."""
    begin, end = TRADES_FROM_US // 1_000, (TRADES_FROM_US + trades * SPACING_US) // 1_000
    latest = "SELECT * FROM rollup_1m ORDER BY open_time DESC LIMIT 1000"
    return [
        Read("1,000 latest of 1m", "/candles?asset=BTC&duration=1m", latest),
        Read(
            "all candles of 5s",
            f"/api/candles?symbol=BTC&timeframe=5s&from={begin // 1_000}&to={end // 1_000}",
            "SELECT * FROM rollup_5s ORDER BY open_time",
        ),
        Read(
            "1M trades as Arrow",
            f"/trades.arrow?symbol=BTC&from={begin}&to={end}",
            "SELECT time, price, quantity, is_buyer_maker FROM trades ORDER BY time, trade_id LIMIT 1000000",
        ),
    ]


def median_ms(work: Callable[[], object], runs: int) -> float:
    """Return the median of its times."""
    took = []
    for _ in range(runs):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return statistics.median(took) * 1e3


def show_reads(address: str, database_url: str, trades: int) -> None:
    with psycopg.connect(database_url) as connection:
        for one in reads(trades):
            runs = 3 if "trades" in one.title else RUNS

            def fetch(path: str = one.path) -> bytes:
                with urlopen(address + path) as answer:
                    return bytes(answer.read())

            def select(query: str = one.query) -> list[tuple[object, ...]]:
                return connection.execute(query.encode()).fetchall()

            size, rows = len(fetch()), len(select())
            served_ms, plain_ms = median_ms(fetch, runs), median_ms(select, runs)
            print(
                f"{one.title:>20}: {served_ms:7.1f} ms, {size / 1e6:5.1f} MB; a SELECT of {rows:>9,} rows "
                f"{plain_ms:7.1f} ms, ratio {served_ms / plain_ms:.2f}",
                flush=True,
            )


class Listener(asyncio.Protocol):
    """A client of live trades. ``delays``: seconds, of the clients that are timed."""

    def __init__(self, handed_s: dict[int, float], *, is_timed: bool) -> None:
        self.trades = 0
        self.delays: list[float] = []
        self.is_cut = False
        self._handed_s = handed_s if is_timed else {}
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport: asyncio.Transport | None = transport
        transport.write(HANDSHAKE)

    def data_received(self, data: bytes) -> None:
        if self._transport is not None:  # the handshake's answer, before which nothing may be sent
            self._transport.write(text_frame({"action": "subscribe", "symbols": [TRADED], "types": ["trade"]}))
            self._transport = None
        data = self._rest + data
        pieces = data.split(_MARK)
        self.trades += len(pieces) - 1
        if self._handed_s:
            now_s = time.perf_counter()
            for piece in pieces[1:]:
                head = piece.partition(b'"id":')[2].partition(b",")[0]
                if head.isdigit() and int(head) in self._handed_s:
                    self.delays.append(now_s - self._handed_s[int(head)])
        self._rest = pieces[-1][-len(_MARK) + 1 :]  # a mark may have been cut in two

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_cut = True


def coming_trades(first_id: int) -> Iterator[Trade]:
    """Yield trades of now."""
    for trade_id in range(first_id, first_id + 10**9):
        yield Trade(TRADED, trade_id, time.time_ns() // 1_000, 6_100_000_000_000, 10**6, trade_id % 2 == 0)


async def show_live(address: str, database: Database, first_id: int, clients: int, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    host, _, port = address.removeprefix("http://").partition(":")
    handed_s: dict[int, float] = {0: 0.0}  # not empty, so that timed clients know that they are
    listeners = []
    for number in range(clients):
        made = Listener(handed_s, is_timed=number < TIMED)
        transport, listener = await loop.create_connection(lambda made=made: made, host, int(port))
        listeners.append((transport, listener))
    await asyncio.sleep(1.0)
    trades, sent = coming_trades(first_id), 0
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        part = [next(trades) for _ in range(PART)]
        now_s = time.perf_counter()
        handed_s.update((one.trade_id, now_s) for one in part)
        assert database.writer.put(part)
        sent += PART
        await asyncio.sleep(max(0.0, began + sent / TRADES_PER_S - time.perf_counter()))
    await asyncio.sleep(3.0)
    heard = [listener.trades for _, listener in listeners]
    delays = sorted(delay for _, listener in listeners for delay in listener.delays)
    cut = sum(listener.is_cut for _, listener in listeners)
    deaf = heard.count(0)
    for transport, _ in listeners:
        transport.abort()
    if not delays:
        raise SystemExit("no client heard a trade")
    at = [delays[min(int(len(delays) * share), len(delays) - 1)] for share in (0.5, 0.99, 1.0)]
    print(
        f"{clients:,} clients, {sent / seconds:.0f} trades/s each: {sum(heard):,} of {sent * clients:,} messages, "
        f"{cut} clients cut, {deaf} heard none; delay p50 {at[0]:.2f} s, p99 {at[1]:.2f} s, most {at[2]:.2f} s"
    )


def main() -> None:
    options = benchmark_options(__doc__, millions=1.2, clients=1000, seconds=12)
    trades, clients = int(options.millions * 1e6), int(options.clients)
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
    with benchmark_database(options.database) as database, tempfile.TemporaryDirectory() as folder:
        RoundTrip(database.url, Path(folder)).fill(database.url, trades, 0)
        with serving(database.url, Path(folder) / "server", "--serve-requests-per-minute", "0") as address:
            show_reads(address, database.url, trades)
            asyncio.run(show_live(address, database, FIRST_ID + trades, clients, options.seconds))


if __name__ == "__main__":
    main()
