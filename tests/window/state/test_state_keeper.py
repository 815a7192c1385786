"""Saving the state as it changes."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication

from app.market.interval import Interval
from app.window.state import window_state
from app.window.state.state_keeper import StateKeeper
from app.window.state.symbol_lists import SymbolLists
from app.window.state.window_state import WindowState
from tests.end_to_end.helpers import run_on_qt_loop, until


def new_state() -> WindowState:
    return WindowState("BTCUSDT", Interval.parse("1m"), SymbolLists.of(["BTCUSDT"]), "dark")


def saved_symbol(folder: Path) -> str | None:
    path = folder / "window.json"
    return json.loads(path.read_bytes())["symbol"] if path.exists() else None


def test_a_change_is_saved_soon_after_it_was_noted(tmp_path: Path, qapp: QApplication) -> None:
    async def work() -> None:
        state = new_state()
        names = iter(["ETHUSDT", "SOLUSDT"])
        keeper = StateKeeper(state, tmp_path, lambda: setattr(state, "symbol", next(names, state.symbol)))
        keeper.note()
        assert saved_symbol(tmp_path) is None
        await until(lambda: saved_symbol(tmp_path) == "ETHUSDT")
        keeper.note()
        await until(lambda: saved_symbol(tmp_path) == "SOLUSDT")
        await keeper.stop()

    run_on_qt_loop(work)


def test_what_is_saved_already_is_not_written_again(tmp_path: Path, qapp: QApplication) -> None:
    async def work() -> None:
        state, collected = new_state(), list[bool]()
        keeper = StateKeeper(state, tmp_path, lambda: collected.append(True))
        keeper.save_now()
        first = os.stat(tmp_path / "window.json").st_ino
        keeper.note()
        await until(lambda: len(collected) == 2)
        keeper.save_now()
        assert os.stat(tmp_path / "window.json").st_ino == first
        await keeper.stop()

    run_on_qt_loop(work)


def test_a_slow_disk_never_puts_an_older_state_after_a_newer_one(
    tmp_path: Path, qapp: QApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, begun, real = threading.Event(), threading.Event(), window_state.write_state

    def slow_first(data: bytes, folder: Path) -> None:
        if not begun.is_set():
            begun.set()
            assert go_on.wait(20)
        real(data, folder)

    monkeypatch.setattr("app.window.state.state_keeper.write_state", slow_first)

    async def work() -> None:
        state = new_state()
        keeper = StateKeeper(state, tmp_path, lambda: None)
        keeper.note()
        await until(begun.is_set)
        state.symbol = "ETHUSDT"
        threading.Timer(0.1, go_on.set).start()
        await asyncio.to_thread(lambda: None)
        keeper.save_now()  # waits for the write under way
        assert saved_symbol(tmp_path) == "ETHUSDT"
        await keeper.stop()
        assert saved_symbol(tmp_path) == "ETHUSDT"

    run_on_qt_loop(work)


def test_a_save_given_up_at_the_end_is_made_up_for(tmp_path: Path, qapp: QApplication) -> None:
    async def work() -> None:
        keeper = StateKeeper(new_state(), tmp_path, lambda: None)
        keeper._save()  # its task has not run yet as the program ends
        await keeper.stop()
        keeper.save_now()
        assert saved_symbol(tmp_path) == "BTCUSDT"

    run_on_qt_loop(work)


def test_the_last_save_waits_for_a_write_under_way(
    tmp_path: Path, qapp: QApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, begun, real = threading.Event(), threading.Event(), window_state.write_state

    def slow(data: bytes, folder: Path) -> None:
        begun.set()
        assert go_on.wait(20)
        real(data, folder)

    monkeypatch.setattr("app.window.state.state_keeper.write_state", slow)

    async def work() -> None:
        keeper = StateKeeper(new_state(), tmp_path, lambda: None)
        keeper.note()
        await until(begun.is_set)
        await keeper.stop()
        threading.Timer(0.1, go_on.set).start()
        keeper.save_now()
        assert saved_symbol(tmp_path) == "BTCUSDT"

    run_on_qt_loop(work)


def test_the_file_is_on_the_disk_before_it_takes_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    real: dict[str, Any] = {"fsync": os.fsync, "replace": os.replace}

    def noted(name: str) -> Any:
        def call(*given: Any) -> None:
            done.append(name)
            real[name](*given)

        return call

    for name in real:
        monkeypatch.setattr(window_state.os, name, noted(name))
    window_state.save_state(new_state(), tmp_path)
    assert done == ["fsync", "replace", "fsync"]
    assert [path.name for path in tmp_path.iterdir()] == ["window.json"]


def test_a_full_disk_is_reported_until_a_later_try_succeeds(
    tmp_path: Path, qapp: QApplication, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("app.window.state.state_keeper._RETRY_MS", 20)
    is_full, real = threading.Event(), os.fsync

    def fsync(descriptor: int) -> None:
        if is_full.is_set():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    monkeypatch.setattr(window_state.os, "fsync", fsync)

    async def work() -> None:
        state, outcomes = new_state(), list[tuple[int | None, str]]()
        keeper = StateKeeper(state, tmp_path, lambda: None)
        keeper.written.connect(lambda *outcome: outcomes.append(outcome))
        is_full.set()
        keeper.note()
        await until(lambda: len(outcomes) > 2)
        assert set(outcomes) == {(None, "No space left on device")}
        assert saved_symbol(tmp_path) is None
        is_full.clear()
        await until(lambda: saved_symbol(tmp_path) == "BTCUSDT")
        await until(lambda: outcomes[-1][1] == "")
        first_us = outcomes[-1][0]
        assert abs(first_us - time.time_ns() // 1000) < 20_000_000
        is_full.set()
        state.symbol = "ETHUSDT"
        keeper.save_now()
        assert outcomes[-1] == (first_us, "No space left on device")
        assert saved_symbol(tmp_path) == "BTCUSDT"
        is_full.clear()
        await until(lambda: saved_symbol(tmp_path) == "ETHUSDT")  # though nothing changes any more
        await keeper.stop()

    run_on_qt_loop(work)
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        "the window's state was not saved: No space left on device"
    ] * 2
