"""Exports from the window on the simulated market: what is asked for, where it goes, and closing meanwhile."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path

import pytest
from PySide6.QtGui import QDesktopServices, QGuiApplication

from app.sandbox.server.server import SandboxServer
from storage.files.export_file import RowsFile
from tests.end_to_end.helpers import Running, until
from tests.window.playing import Play
from widgets.dialogs.export_dialog import ExportDialog, ExportState
from widgets.dialogs.export_form import Range


def dialog_of(running: Running) -> ExportDialog:
    running.window.export_requested.emit()
    (dialog,) = running.window.findChildren(ExportDialog)
    return dialog


def test_the_visible_range_to_export_ends_with_the_candle_of_now(play: Play, tmp_path: Path) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        await until(lambda: running.chart.visible_range_us() is not None)
        now_us = running.engine.exchange_clock.now_us()
        assert running.chart.visible_range_us()[1] > now_us + 120_000_000  # the chart leaves room to come
        running.chart.pictures.folder.note(tmp_path / "chart.png")
        form = dialog_of(running).form
        assert str(tmp_path) in form.path.text()  # exports go where the last picture went
        start_us, end_us = form.chosen_range()
        assert start_us < end_us <= now_us
        form.include_open.click()
        assert form.chosen_range()[0] == start_us
        assert now_us < form.chosen_range()[1] <= now_us + 120_000_000

    play(scene)


def test_a_range_that_is_not_stored_is_exported_and_then_stored(
    play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown_folders: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: shown_folders.append(url.toLocalFile()))

    async def scene(running: Running, server: SandboxServer) -> None:
        await until(lambda: running.engine.database)
        running.chart.pictures.folder.note(tmp_path / "chart.png")
        running.engine.history.store.save_listing("BTCUSDT", 1)  # so that the bar has an answer to wait for
        dialog = dialog_of(running)
        dialog.form.interval.setEditText("15m")
        dialog.form.ranges[Range.DAY].click()
        await until(lambda: dialog.card.figure.text() == "96 to fetch")
        dialog.start_button.click()
        await until(lambda: dialog.state is ExportState.DONE)
        assert dialog.outcome.text().startswith("96 candles written to ")
        assert "missing" not in dialog.outcome.text()
        # A candle that ended within the last minute may still change, so it is not stored yet.
        await until(lambda: dialog.card.figure.text() in ("100 %", "1 to fetch"))
        dialog.folder_button.click()
        dialog.cancel_button.click()

    play(scene)
    assert shown_folders == [str(tmp_path)]
    (path,) = tmp_path.glob("*.csv")
    assert path.name.startswith("BTCUSDT-15m-20")
    assert len(path.read_text().splitlines()) == 97
    assert json.loads((tmp_path / f"{path.name}.meta.json").read_text())["complete"] is True


def test_an_export_that_runs_when_the_window_closes_leaves_no_half_file(
    play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing, leave = threading.Event(), threading.Event()
    write = RowsFile.write

    def slow(file: RowsFile, rows: object) -> None:
        writing.set()
        assert leave.wait(30)
        write(file, rows)

    monkeypatch.setattr(RowsFile, "write", slow)

    async def scene(running: Running, server: SandboxServer) -> None:
        await until(lambda: running.engine.database)
        dialog = dialog_of(running)
        dialog.form.set_path(str(tmp_path / "candles.csv"))
        dialog.start_button.click()
        await until(writing.is_set)
        assert running.chart.pictures.folder.path == tmp_path
        asyncio.get_running_loop().call_later(0.2, leave.set)

    play(scene)
    assert list(tmp_path.iterdir()) == []


def test_the_candles_in_view_are_copied_as_a_table(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        await until(lambda: running.engine.database and running.chart.visible_range_us())
        clipboard = QGuiApplication.clipboard()
        clipboard.clear()
        running.window.copy_candles_requested.emit()
        await until(lambda: clipboard.text())
        names, *rows = clipboard.text().splitlines()
        assert names.split("\t")[:5] == ["open_time", "open", "high", "low", "close"]
        assert rows

    play(scene)
