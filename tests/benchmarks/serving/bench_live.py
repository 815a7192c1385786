"""
How late live trades reach a thousand clients of a program that records, and what clients that do not read do to it.

    python -m tests.benchmarks.serving.bench_live [clients, 1000] [trades/s, 100] [seconds, 60] [deaf clients, 0]

`cryptopipe collect --serve-port` records a simulated exchange on the first processor, with its database; exchange and
clients have the others. Each client gets each trade. The delay is from the trade's time at the exchange, which sends
every 5 ms, until a client has it. The yardstick is a bare asyncio server that writes as many bytes to as many clients
at the same pace, in the same run. At the end the stored ids are compared with those of the exchange. To be met: p99
under 50 ms, no message lost by a client that reads, deaf clients cut, memory bounded, no trade lost.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import re
import resource
import select
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from urllib.request import urlopen

import psutil

from app.market.candle import Candle
from app.market.trade import Trade
from app.sandbox.market.simulated import Listing, SimulatedMarket
from app.sandbox.server.server import SandboxServer
from app.serving.live.live_messages import trade_message
from storage.database import Database
from tests.benchmarks._database import benchmark_folder, benchmark_options
from tests.program import PROGRAM, free_port

TICK_S = 0.005
BARE_WAIT_S = 0.025  # the longest that the server rests between two writes
TIMED = 50  # clients whose messages are read; the others' are only counted
SETTLING_S = 3.0
_FEW_BYTES = 4_096
_MARK = b'"type":"trade"'
_END = b'"isBuyerMaker"'  # the last key of a trade
_ID, _SENT = re.compile(rb'"id":(\d+)'), re.compile(rb'"timestamp":(\d+)')
_PING, _PONG = b"\x89\x00", b"\x8a\x80" + bytes(4)
_BITCOIN = Listing("BTC", "60000", "0.01", "0.00001", 1.0)
HANDSHAKE = (
    b"GET /ws/market HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def text_frame(message: dict[str, object]) -> bytes:
    """Return a short masked frame of text; a mask of zeros leaves the text as it is."""
    text = json.dumps(message).encode()
    assert len(text) < 126
    return bytes((0x81, 0x80 | len(text))) + bytes(4) + text


class Reader:
    """
    A client that reads. ``delays`` are ms, of clients that are timed.

    ``lost``: how many trades are missing between the first and the last heard, less those heard twice.
    """

    def __init__(self, connection: socket.socket, *, is_timed: bool) -> None:
        self.connection = connection
        self.trades = 0
        self.delays: list[float] = []
        self.is_cut = False
        self._is_timed = is_timed
        self._first = self._last = 0
        self._rest = b""

    def take(self, data: bytes) -> None:
        """Count what was read."""
        now_ms = time.time() * 1e3
        if _PING in data:  # who does not answer is cut
            self.connection.send(_PONG)
        data = self._rest + data
        whole, end, self._rest = data.rpartition(_END)
        if not end:
            return
        self.trades += whole.count(_END) + 1
        if not self._first:
            first = _ID.search(whole)
            self._first = 0 if first is None else int(first[1])
        if last := _ID.search(whole, max(whole.rfind(_MARK), 0)):
            self._last = int(last[1])
        if self._is_timed:
            self.delays += [now_ms - int(sent) for sent in _SENT.findall(whole)]

    @property
    def lost(self) -> int:
        """See the class."""
        return self._last - self._first + 1 - self.trades


class Readers(threading.Thread):
    """Reads all clients until `stop`; one look at all sockets at a time, which costs less than an event loop."""

    def __init__(self, readers: Sequence[Reader]) -> None:
        super().__init__(name="readers", daemon=True)
        self._by_file = {one.connection.fileno(): one for one in readers}
        self._is_ending = False

    def run(self) -> None:
        poll = select.epoll()
        for number, reader in self._by_file.items():
            reader.connection.setblocking(False)
            poll.register(number, select.EPOLLIN)
        while not self._is_ending:
            for number, _ in poll.poll(0.2):
                reader = self._by_file[number]
                try:
                    data = reader.connection.recv(1 << 16)
                except OSError:
                    data = b""
                if data:
                    reader.take(data)
                else:
                    reader.is_cut = True
                    poll.unregister(number)
        poll.close()

    def stop(self) -> None:
        self._is_ending = True
        self.join()


def connected(port: int, opening: bytes) -> socket.socket:
    """Return a connection that has sent these bytes."""
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(opening)
    return connection


def subscribed(port: int, types: Sequence[str] = ("trade",), symbols: Sequence[str] = ("BTCUSDT",)) -> socket.socket:
    """Return a client that gets each trade of these symbols."""
    connection = connected(port, HANDSHAKE)
    connection.recv(1 << 16)  # the answer, before which nothing may be sent
    connection.sendall(text_frame({"action": "subscribe", "symbols": symbols, "types": types}))
    return connection


def on_processors(numbers: set[int]) -> None:
    """Run this process, and what it starts, on these processors; where the system has no such thing, anywhere."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, numbers)


def processors() -> tuple[set[int], set[int]]:
    """Return the server's processor, and the others."""
    everyone = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
    return set(everyone[:1]), set(everyone[1:] or everyone)


class SteadyMarket(SimulatedMarket):
    """A market of one symbol whose trades are equally far apart: their ids are their times."""

    def __init__(self, rate: float) -> None:
        super().__init__(symbols=(_BITCOIN,), history=timedelta(hours=1))
        self.tick_s = TICK_S
        self._spacing_us = round(1e6 / rate)
        self._first = self.now_us() // self._spacing_us

    def trade_ids(self, symbol: str) -> tuple[int, int]:
        return self._first, self.now_us() // self._spacing_us

    def first_id_from(self, symbol: str, time_us: int) -> int:
        first, last = self.trade_ids(symbol)
        return min(max(-(-time_us // self._spacing_us), first), last + 1)

    def trades(self, symbol: str, first_id: int, limit: int) -> list[Trade]:
        first, last = self.trade_ids(symbol)
        begin = max(first_id, first)
        return self._trades(begin, min(begin + limit, last + 1))

    async def klines(self, *of: object, **of_range: object) -> list[Candle]:
        return []

    def rolling_day(self, symbol: str) -> None:
        return None

    def _trades_of_second(self, symbol: str, second_us: int) -> list[Trade]:
        return self._trades(*(-(-us // self._spacing_us) for us in (second_us, second_us + 10**6)))

    def _trades(self, first: int, end: int) -> list[Trade]:
        price_e8 = 6_100_000_000_000
        return [Trade("BTCUSDT", at, at * self._spacing_us, price_e8, 10**6, at % 2 == 0) for at in range(first, end)]


def run_exchange(rate: float, parent: Connection, used: set[int]) -> None:
    """Serve a simulated market of one symbol until something is received; run in a process of its own."""
    on_processors(used)

    async def serve() -> None:
        server = SandboxServer(SteadyMarket(rate))
        await server.start()
        parent.send((server.ws_url, server.rest_url))
        await asyncio.to_thread(parent.recv)
        await server.stop()

    asyncio.run(serve())


def run_bare(rate: float, parent: Connection, used: set[int]) -> None:
    """Write trades of now to every connection, those of `BARE_WAIT_S` at once, until something is received."""
    on_processors(used)
    clients: set[asyncio.Transport] = set()

    class Client(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            self.transport = transport
            clients.add(transport)

        def connection_lost(self, exc: Exception | None) -> None:
            clients.discard(self.transport)

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Client, "127.0.0.1", 0, backlog=1024)
        parent.send(server.sockets[0].getsockname()[1])
        stopping = loop.run_in_executor(None, parent.recv)
        began_us, sent = time.time_ns() / 1e3, 0
        while not stopping.done():
            frames = []
            while sent < (time.time_ns() / 1e3 - began_us) / 1e6 * rate:
                sent += 1
                trade = Trade("BTCUSDT", sent, round(began_us + sent / rate * 1e6), 6_100_000_000_000, 10**6, False)
                frames.append(trade_message(trade))
            part = b"".join(frames)
            for client in clients:
                client.write(part)
            await asyncio.sleep(BARE_WAIT_S)
        server.close()

    asyncio.run(serve())


@contextmanager
def beside(work: Callable[..., None], rate: float, used: set[int]) -> Iterator[object]:
    """Run ``work`` in a process of its own; yields what it says first."""
    here, there = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=work, args=(rate, there, used))
    process.start()
    try:
        yield here.recv()
    finally:
        here.send("end")
        process.join(10)
        assert process.exitcode == 0


@contextmanager
def recording(data_dir: Path, urls: tuple[str, str], used: set[int]) -> Iterator[tuple[int, psutil.Process]]:
    """`cryptopipe collect` of that exchange, which serves; yields its port and process."""
    port = free_port()
    variables = {
        **{name: value for name, value in os.environ.items() if not name.startswith("CRYPTOPIPE_")},
        "CRYPTOPIPE_DATA_DIR": str(data_dir),
        "CRYPTOPIPE_SYMBOLS": "BTCUSDT",
        "CRYPTOPIPE_BINANCE_WS_URL": urls[0],
        "CRYPTOPIPE_BINANCE_REST_URL": urls[1],
        "CRYPTOPIPE_SERVE_REQUESTS_PER_MINUTE": "0",
    }
    process = subprocess.Popen(
        [*PROGRAM, "collect", "--serve-port", str(port)],
        env=variables,
        stdout=subprocess.DEVNULL,
        preexec_fn=lambda: on_processors(used),
    )
    try:
        until_healthy(port)
        yield port, psutil.Process(process.pid)
    finally:
        process.terminate()
        assert process.wait(30) == 0


def until_healthy(port: int) -> None:
    """Return once the server reports that everything works."""
    while True:
        try:
            with urlopen(f"http://127.0.0.1:{port}/health") as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.2)


def heard(connections: Sequence[socket.socket], seconds: float) -> list[Reader]:
    """Read these for so long, after they have settled; return what they heard."""
    step = max(1, len(connections) // TIMED)
    readers = [Reader(one, is_timed=number % step == 0) for number, one in enumerate(connections)]
    reading = Readers(readers)
    reading.start()
    time.sleep(SETTLING_S)
    for reader in readers:
        reader.delays.clear()
    time.sleep(seconds)
    reading.stop()
    return readers


def figures(readers: Sequence[Reader]) -> tuple[str, float]:
    """Return the delays as text, and their p99 in ms."""
    delays = sorted(delay for reader in readers for delay in reader.delays)
    if not delays:
        raise SystemExit("no client heard a trade")
    half, most, all_of = (delays[min(int(len(delays) * share), len(delays) - 1)] for share in (0.5, 0.99, 1.0))
    return f"p50 {half:.0f} ms, p99 {most:.0f} ms, most {all_of:.0f} ms", most


def last_words(connection: socket.socket) -> str:
    """Return how a client's connection ended: what a client finds that begins to read."""
    connection.settimeout(1.0)
    data = b""
    try:
        while part := connection.recv(1 << 20):
            data = (data + part)[-_FEW_BYTES:]
    except TimeoutError:
        return "still connected"
    except OSError:
        return "cut"
    return "given the reason, then cut" if b"read too slowly" in data and data[-4:-2] == b"\x88\x02" else "cut"


def stored_trades(data_dir: Path) -> tuple[int, int]:
    """Return how many trades are stored, and how many are missing between the first and the last."""
    database = Database.open(None, data_dir)
    try:
        ids = database.store.coverage("BTCUSDT")
        assert ids.first is not None
        assert ids.last is not None
        return ids.count(), ids.last - ids.first + 1 - ids.count()
    finally:
        database.close()


def main() -> None:
    options = benchmark_options(__doc__, clients=1000, rate=100, seconds=60, deaf=0)
    clients, deaf = int(options.clients), int(options.deaf)
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
    servers, others = processors()
    on_processors(others)
    bare_s = min(options.seconds, 10.0)
    with beside(run_bare, options.rate, servers) as port:
        bare, bare_p99 = figures(heard([connected(port, b"") for _ in range(clients)], bare_s))
    with benchmark_folder() as folder:
        with (
            beside(run_exchange, options.rate, others) as urls,
            recording(folder / "data", urls, servers) as (port, process),
        ):
            deaf_ones = [subscribed(port, ("trade", "tick")) for _ in range(deaf)]
            connections = [subscribed(port) for _ in range(clients)]
            memory, worked = process.memory_info().rss, process.cpu_times()
            began_s = time.perf_counter()
            readers = heard(connections, options.seconds)
            took_s = time.perf_counter() - began_s
            now = process.cpu_times()
            grown = process.memory_info().rss - memory
            ends = Counter(map(last_words, deaf_ones))
        stored, missing = stored_trades(folder / "data")
    shown, p99 = figures(readers)
    counts = [reader.trades for reader in readers]
    cores = (now.user + now.system - worked.user - worked.system) / took_s
    cut = sum(reader.is_cut for reader in readers)
    print(f"{clients:,} clients, {max(counts) / took_s:.0f} trades/s each, {took_s:.0f} s: {shown}; {cut} cut")
    print(f"bare asyncio: {bare}; ratio of p99 {p99 / bare_p99:.1f}")
    print(f"{sum(counts):,} trades heard, {sum(abs(reader.lost) for reader in readers):,} lost")
    print(f"server: {cores:.0%} of a processor, memory {memory / 1e6:.0f} MB, {grown / 1e6:+.0f} MB in the run")
    if deaf:
        print(f"clients that do not read: {', '.join(f'{count} {end}' for end, count in ends.items())}")
    print(f"{stored:,} trades stored, {missing} missing between them")
    if missing or cut or any(reader.lost for reader in readers) or (deaf and ends["still connected"]):
        raise SystemExit("a trade was lost, or a client that reads was cut, or one that does not was not")


if __name__ == "__main__":
    main()
