"""The program as a process of its own, with an exchange beside it: for tests of commands, endings and signals."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol, TypeVar

import psutil
import pytest

from app.config.foreign_variables import FOREIGN_VARIABLES
from app.sandbox.market.simulated import Listing, SimulatedMarket
from app.sandbox.server.server import SandboxServer

PROGRAM = [sys.executable, "-m", "app.main"]
NOWHERE = "127.0.0.1:9"  # the discard port: nothing listens there

needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to send")


def set_surroundings(monkeypatch: pytest.MonkeyPatch, folder: Path, data_dir: Path) -> None:
    """Let no setting of this machine's user count, and no exchange be reached by mistake."""
    for name in list(os.environ):
        if (name.startswith("CRYPTOPIPE_") and name != "CRYPTOPIPE_SHARED_DATA") or name in FOREIGN_VARIABLES:
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
    monkeypatch.setenv("CRYPTOPIPE_DATA_DIR", str(data_dir))
    monkeypatch.setenv("CRYPTOPIPE_BINANCE_WS_URL", f"ws://{NOWHERE}")
    monkeypatch.setenv("CRYPTOPIPE_BINANCE_REST_URL", f"http://{NOWHERE}")
    monkeypatch.setenv("CRYPTOPIPE_ARCHIVE_URL", f"http://{NOWHERE}")
    for name in ("OANDA_REST_URL", "OANDA_STREAM_URL", "DUKASCOPY_URL", "DUKASCOPY_FILES_URL"):
        monkeypatch.setenv(f"CRYPTOPIPE_{name}", f"http://{NOWHERE}")
    buckets = [name for name in os.environ if name.startswith(("AWS_", "R2_"))]
    for name in ("OANDA_API_KEY", "OANDA_ACCOUNT_ID", *buckets):
        monkeypatch.delenv(name, raising=False)


@contextmanager
def unchanged_process() -> Iterator[None]:
    """Undo what a command changes in its process: logging, hooks, signals."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, sys.excepthook, threading.excepthook, logging.raiseExceptions
    signals = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with warnings.catch_warnings():
        yield
    for handler in root.handlers:
        if handler not in before[0]:
            handler.close()
    root.handlers[:], level, sys.excepthook, threading.excepthook, logging.raiseExceptions = before
    root.setLevel(level)
    for number, handled_by in signals.items():
        signal.signal(number, handled_by)


@contextmanager
def exchange(port: int = 0, rate: float = 40.0) -> Iterator[SandboxServer]:
    """A sandbox exchange, `served`; ``rate``: trades per second."""
    listings = [
        Listing("BTC", "60000", "0.01", "0.00001", 1.0),
        Listing("LUNA", "80", "0.01", "0.01", 0.0, status="BREAK"),
    ]
    with served(SandboxServer(SimulatedMarket(3, listings, rate=rate), port=port)) as server:
        yield server


class _Sandbox(Protocol):
    async def start(self) -> None: ...

    async def stop(self) -> None: ...


AnySandbox = TypeVar("AnySandbox", bound=_Sandbox)


@contextmanager
def served(server: AnySandbox) -> Iterator[AnySandbox]:
    """Start a sandbox on a loop in a thread of its own, so that commands can run theirs; stop it afterwards."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="sandbox")
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(20)
        try:
            yield server
        finally:
            asyncio.run_coroutine_threadsafe(server.stop(), loop).result(20)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


def point_to(server: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the program find that exchange."""
    monkeypatch.setenv("CRYPTOPIPE_BINANCE_WS_URL", server.ws_url)
    monkeypatch.setenv("CRYPTOPIPE_BINANCE_REST_URL", server.rest_url)
    monkeypatch.setenv("CRYPTOPIPE_ARCHIVE_URL", server.rest_url)


def free_port() -> int:
    """A port of this machine that nothing listens at just now."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


class Silent:
    """A server that takes connections and never says a word; ``address`` is ``"127.0.0.1:…"``."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._is_closing = False
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self.connections: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, name="silent")
        self._thread.start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listening.accept()
            if self._is_closing:
                connection.close()
                return
            self.connections.append(connection)

    def close(self) -> None:
        """Hang up on everyone."""
        self._is_closing = True
        with socket.create_connection(self._listening.getsockname()):
            self._thread.join()
        for connection in [*self.connections, self._listening]:
            connection.close()


@contextmanager
def silent_server() -> Iterator[Silent]:
    """A `Silent`, closed afterwards."""
    made = Silent()
    try:
        yield made
    finally:
        made.close()


def hanging_url(address: str, connect_timeout_s: int = 0) -> str:
    """The URL of a database at a `silent_server`, which never answers."""
    return f"postgresql://x@{address}/hangs?sslmode=disable&connect_timeout={connect_timeout_s}"


@contextmanager
def started(*arguments: str, script: str | None = None, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """
    The program as a process of its own, or ``script``, with these variables in its environment; ended at the latest
    with the test.
    """
    program = PROGRAM if script is None else [sys.executable, "-c", script]
    process = subprocess.Popen(
        [*program, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, **variables},
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            children = psutil.Process(process.pid).children(recursive=True)
            process.kill()
            for child in children:
                with suppress(psutil.NoSuchProcess):
                    child.kill()
        process.communicate()


def pause_after(began_s: float) -> None:
    """Wait before a question is asked again that was begun then: thrice as long as it took, 0.05 s at least."""
    time.sleep(max(0.05, 3 * (time.monotonic() - began_s)))


def wait_for(condition: Callable[[], object], process: subprocess.Popen[str]) -> None:
    """Return once it holds, while the process runs."""
    end_s = (began_s := time.monotonic()) + 40
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end_s
        pause_after(began_s)
        began_s = time.monotonic()


def servers_in(data_dir: Path) -> list[psutil.Process]:
    """The database servers that run in a data directory."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.name().startswith("postgres") and Path(process.cwd()).is_relative_to(data_dir.resolve()):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found
