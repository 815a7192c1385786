"""What a second start says to a window, and what it makes of the answer."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
from pathlib import Path

import pytest

from app.market.errors import UsageError, WindowSilent
from app.runtime import running_window
from app.runtime.instance_lock import WINDOW_FILE, InstanceLock
from app.runtime.running_window import WindowPort, check_room_for_window, raised_running_window


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running_window, "_ANSWER_S", 1.0)


@pytest.fixture
def held(tmp_path: Path) -> InstanceLock:
    lock = InstanceLock(tmp_path)
    lock.acquire()
    return lock


def second_start(data_dir: Path) -> bool:
    lock = InstanceLock(data_dir)
    try:
        return raised_running_window(lock, data_dir)
    finally:
        lock.release()


def test_a_start_raises_the_window_with_the_desktops_token_and_a_stranger_does_not(
    tmp_path: Path, held: InstanceLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    raised: list[str] = []

    def bring_to_front() -> None:
        raised.append(running_window.os.environ["XDG_ACTIVATION_TOKEN"])

    async def scene() -> None:
        port = WindowPort(tmp_path)
        asking = asyncio.get_running_loop().run_in_executor(None, second_start, tmp_path)
        await asyncio.sleep(0.2)  # it waits for a window that still loads
        async with port.answering(bring_to_front):
            assert await asking
            assert raised == ["token"]
            address = json.loads((tmp_path / WINDOW_FILE).read_bytes())
            for says in (b"wrong\n", b"\xff\n", b"x" * 9_000 + b"\n"):
                reader, writer = await asyncio.open_connection("127.0.0.1", address["port"])
                writer.write(says)
                with contextlib.suppress(ConnectionResetError):  # what came of the long one was not read to its end
                    assert await reader.read() == b""
                writer.close()
        assert raised == ["token"]
        port.close()

    monkeypatch.setenv("XDG_ACTIVATION_TOKEN", "token")
    asyncio.run(scene())
    assert not (tmp_path / WINDOW_FILE).exists()
    held.release()


def test_the_file_can_be_read_by_the_user_alone(tmp_path: Path, held: InstanceLock) -> None:
    port = WindowPort(tmp_path)
    assert (tmp_path / WINDOW_FILE).stat().st_mode & 0o077 == 0
    port.close()
    (tmp_path / WINDOW_FILE).with_suffix(".part").mkdir()  # it cannot be written: the window opens all the same
    WindowPort(tmp_path).close()
    held.release()


def test_a_start_waits_for_a_window_that_is_closing_and_then_opens_its_own(tmp_path: Path, held: InstanceLock) -> None:
    async def open_and_close() -> None:
        async with port.answering(lambda: None):
            pass

    def end() -> None:
        time.sleep(1.5)  # longer than a window may take to answer
        port.close()
        held.release()

    port = WindowPort(tmp_path)
    asyncio.run(open_and_close())
    ending = threading.Thread(target=end)
    ending.start()
    assert not second_start(tmp_path)
    ending.join()


def test_a_window_that_does_not_answer_is_named_and_what_lies_about_is_no_window(
    tmp_path: Path, held: InstanceLock
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = {"process": 4711, "port": listening.getsockname()[1], "word": "x"}
        (tmp_path / WINDOW_FILE).write_text(json.dumps(address))
        with pytest.raises(WindowSilent, match=r"does not answer: end it \(process 4711\)"):
            second_start(tmp_path)
        check_room_for_window(tmp_path)  # it may still come to itself
    for left in (b"", b"{", b'{"process": 1}'):
        (tmp_path / WINDOW_FILE).write_bytes(left)
        with pytest.raises(UsageError, match="Another cryptopipe already records"):
            second_start(tmp_path)
        with pytest.raises(UsageError, match="Another cryptopipe already records"):
            check_room_for_window(tmp_path)
    held.release()


def test_whoever_takes_the_lock_removes_the_file_of_a_window_that_crashed(tmp_path: Path) -> None:
    (tmp_path / WINDOW_FILE).write_text('{"process": 1, "port": 1, "word": "x"}')
    check_room_for_window(tmp_path)
    assert not (tmp_path / WINDOW_FILE).exists()


def test_a_window_opens_even_where_it_cannot_be_found_later(
    tmp_path: Path, held: InstanceLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_port(*_: object, **__: object) -> None:
        raise OSError("no port is free")

    async def scene() -> None:
        async with port.answering(lambda: None):
            pass

    monkeypatch.setattr(asyncio, "start_server", no_port)
    port = WindowPort(tmp_path)
    asyncio.run(scene())
    port.close()
    held.release()
