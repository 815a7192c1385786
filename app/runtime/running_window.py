"""
The window of a data directory, as a second start finds it.

The window holds the directory's lock and listens on a port of this machine. Beside the lock a file, readable by the
user alone, holds that port and a word; whoever says the word brings the window to the front. The answer tells a window
that works from one that hangs, which a signal could not, and a port works on every system. A window that is loading or
closing says so in the file: then a start waits for the port, or for the lock.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec

from app.market.errors import WindowSilent
from app.runtime.instance_lock import WINDOW_FILE, InstanceLock
from app.runtime.shutdown import SHUTDOWN_S

_ANSWER_S = 4.0  # a window that works answers within a frame
_NOT_NOW = 0  # a port that says: the window is loading or closing
_PUBLISH_S = 0.3  # between taking the lock and writing the file
_POLL_S = 0.05
_LONGEST_REQUEST = 4096
_RAISED = b"raised\n"
_ACTIVATION = "XDG_ACTIVATION_TOKEN"  # with it a Wayland desktop lets one program raise another's window

logger = logging.getLogger(__name__)


class _Address(msgspec.Struct):
    process: int
    port: int  # or `_NOT_NOW`
    word: str


class WindowPort:
    """Where this process's window is found, from the lock on to `close`; a start outside `answering` waits."""

    def __init__(self, data_dir: Path) -> None:
        """Write the file; the lock must be held."""
        self._path = data_dir / WINDOW_FILE
        self._word = os.urandom(16).hex()
        self._write(_NOT_NOW)

    @contextlib.asynccontextmanager
    async def answering(self, bring_to_front: Callable[[], object]) -> AsyncIterator[None]:
        """Meanwhile call ``bring_to_front`` for each start that asks."""

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError, ValueError, TimeoutError):  # whoever asked has gone, or is no start
                async with asyncio.timeout(_ANSWER_S):
                    word, _, activation = (await reader.readline()).decode().rstrip("\n").partition(" ")
                    if word == self._word:
                        if activation:
                            os.environ[_ACTIVATION] = activation  # Qt takes it from there
                        bring_to_front()
                        writer.write(_RAISED)
                        await writer.drain()
            writer.close()

        try:
            server = await asyncio.start_server(answer, "127.0.0.1", 0, limit=_LONGEST_REQUEST)
        except OSError as error:
            logger.warning("a second start will not find this window: %s", error)
            yield
            return
        self._write(server.sockets[0].getsockname()[1])
        try:
            yield
        finally:
            self._write(_NOT_NOW)
            server.close()

    def close(self) -> None:
        """Remove the file."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _write(self, port: int) -> None:
        temporary = self._path.with_suffix(".part")
        try:
            temporary.unlink(missing_ok=True)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "wb") as file:
                file.write(msgspec.json.encode(_Address(os.getpid(), port, self._word)))
            os.replace(temporary, self._path)
        except OSError as error:  # a full disk, say: the window opens all the same
            logger.warning("%s was not written: %s", self._path, error)


def raised_running_window(lock: InstanceLock, data_dir: Path) -> bool:
    """
    Take the lock and return False; where a window holds it, bring that to the front instead and return True.

    Waits for a window that is loading, or closing.

    Raises:
        UsageError: If another program holds the lock, or the directory cannot be written.
        WindowSilent: If the window that holds it does not answer within 5 s.
    """
    began_s = time.monotonic()
    while not lock.try_acquire():
        address, waited_s = _read(data_dir), time.monotonic() - began_s
        if address is None and waited_s > _PUBLISH_S:
            lock.acquire()  # which says who else may hold it
            return False
        if address is not None and address.port and _ask(address, _ANSWER_S - waited_s):
            return True
        if address is not None and waited_s > (_ANSWER_S if address.port else SHUTDOWN_S):
            raise WindowSilent(
                f"cryptopipe is open on {data_dir} already and does not answer: "
                f"end it (process {address.process}), then start again."
            )
        time.sleep(_POLL_S)
    return False


def check_room_for_window(data_dir: Path) -> None:
    """
    Check that a window could open on ``data_dir``, or be found there.

    Raises:
        UsageError: If another program records there, or the directory cannot be written.
    """
    lock = InstanceLock(data_dir)
    if lock.try_acquire():
        lock.release()
    elif _read(data_dir) is None:
        lock.acquire()  # which says who may hold it
        lock.release()


def _read(data_dir: Path) -> _Address | None:
    try:
        return msgspec.json.decode((data_dir / WINDOW_FILE).read_bytes(), type=_Address)
    except (OSError, ValueError, RecursionError):
        return None


def _ask(address: _Address, timeout_s: float) -> bool:
    """Ask the window to come to the front; return whether it says that it did."""
    if timeout_s <= 0:
        return False
    _let_to_the_front(address.process)
    request = f"{address.word} {os.environ.get(_ACTIVATION, '')}\n"
    try:
        with socket.create_connection(("127.0.0.1", address.port), timeout_s) as connection:
            connection.settimeout(timeout_s)
            connection.sendall(request.encode())
            return connection.makefile("rb").readline() == _RAISED
    except OSError:
        return False


def _let_to_the_front(process: int) -> None:
    """Let another process raise its window: Windows allows that only to the program that has the focus."""
    if sys.platform == "win32":
        import ctypes

        ctypes.windll.user32.AllowSetForegroundWindow(process)
