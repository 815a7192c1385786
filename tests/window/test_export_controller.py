"""Exports from the window on the simulated market: what is asked for, where it goes, and closing meanwhile."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from pathlib import Path

import pytest
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QMenu

from app.market.interval import Interval
from app.market.symbol import Symbol
from app.market.trade import Trade
from app.sandbox.server.server import SandboxServer
from app.window.export_controller import ExportController
from storage.files.export_file import RowsFile
from tests.end_to_end.helpers import Running, until
from tests.window.playing import Play
from widgets.controls.save_folder import SaveFolder
from widgets.dialogs.export.column_chooser import ColumnChip
from widgets.dialogs.export.export_dialog import ExportDialog, ExportState
from widgets.dialogs.export.range_fields import Range
from widgets.dialogs.export.rows_fields import RowKind


def dialog_of(running: Running) -> ExportDialog:
    running.window.requests.export_requested.emit()
    (dialog,) = running.window.findChildren(ExportDialog)
    return dialog


def first_rows(folder: Path) -> list[list[str]]:
    """The first three rows of the one table in a folder."""
    (path,) = folder.glob("*.csv")
    return [line.split(",") for line in path.read_text().splitlines()[1:4]]


def test_the_visible_range_to_export_ends_with_the_candle_of_now(play: Play, tmp_path: Path) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        await until(lambda: running.chart.visible_range_us() is not None)
        now_us = running.engine.exchange_clock.now_us()
        assert running.chart.visible_range_us()[1] > now_us + 120_000_000  # the chart leaves room to come
        running.chart.pictures.folder.note(tmp_path / "chart.png")
        form = dialog_of(running).form
        assert str(tmp_path) in form.target.path.text()  # exports go where the last picture went
        (before,) = form.plan().files
        assert before.start_us < before.end_us <= now_us
        assert before.start_us % 60_000_000 == before.end_us % 60_000_000 == 0
        form.rows.include_open.click()
        (after,) = form.plan().files
        assert after.start_us == before.start_us
        assert now_us < after.end_us <= now_us + 120_000_000

    play(scene)


def test_a_range_that_is_not_stored_is_exported_and_then_stored(
    play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown_folders: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: shown_folders.append(url.toLocalFile()))

    async def scene(running: Running, server: SandboxServer) -> None:
        await until(lambda: running.engine.database)
        running.chart.pictures.folder.note(tmp_path / "chart.png")
        running.engine.history.store.save_listing("ETHUSDT", 1)  # so that the bar has an answer to wait for
        dialog = dialog_of(running)
        dialog.form.rows.symbols.set_texts(["ETH/USDT"])  # candles of the one that the chart shows may be stored
        dialog.form.rows.intervals.set_texts(["15m"])
        dialog.form.rows.range.buttons[Range.DAY].click()
        figure = dialog.card.rows[0].figure
        await until(lambda: figure.text() == "96 to fetch")
        dialog.foot.start_button.click()
        await until(lambda: dialog.state is ExportState.DONE)
        assert dialog.foot.outcome.text().startswith("96 candles written to ")
        assert "missing" not in dialog.foot.outcome.text()
        # A candle that ended within the last minute may still change, so it is not stored yet.
        await until(lambda: figure.text() in ("100 %", "1 to fetch"))
        await until(lambda: dialog.preview.texts() == first_rows(tmp_path))
        dialog.foot.folder_button.click()
        dialog.foot.cancel_button.click()

    play(scene)
    assert shown_folders == [str(tmp_path)]
    (path,) = tmp_path.glob("*.csv")
    assert path.name.startswith("ETHUSDT-15m-20")
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
        dialog.form.target.set_path(str(tmp_path / "candles.csv"))
        dialog.foot.start_button.click()
        await until(writing.is_set)
        assert running.chart.pictures.folder.path == tmp_path
        asyncio.get_running_loop().call_later(0.2, leave.set)

    play(scene)
    assert list(tmp_path.iterdir()) == []


def test_several_files_have_the_columns_chosen_and_begin_with_the_rows_shown_before(play: Play, tmp_path: Path) -> None:
    folder = tmp_path / "exports"

    async def scene(running: Running, server: SandboxServer) -> None:
        await until(lambda: running.engine.database)
        for is_second in (False, True):
            dialog = dialog_of(running)
            form = dialog.form
            form.rows.symbols.set_texts(["ETH/USDT", "BTC/USDT"])
            form.rows.intervals.set_texts(["5m"])
            form.rows.range.buttons[Range.DAY].click()
            form.layout_of_rows.indicators.set_texts(["sma:3"])
            form.layout_of_rows.zone.setEditText("Asia/Tokyo")
            for chip in form.layout_of_rows.columns.findChildren(ColumnChip)[1:-1]:
                if chip.text() != "close":
                    chip.click()
            form.target.set_path(str(folder))
            if is_second:  # now the first rows are stored
                await until(lambda dialog=dialog: dialog.preview.rowCount() == 3)
                first = (folder / "ETHUSDT-5m.csv").read_text().splitlines()[1:4]
                shown = [",".join(row) for row in dialog.preview.texts()]
                assert [row.rpartition(",")[0] for row in shown] == [row.rpartition(",")[0] for row in first]
            else:
                dialog.foot.start_button.click()
                await until(lambda dialog=dialog: dialog.state is ExportState.DONE)
                assert dialog.foot.outcome.text().startswith(f"2 files with 576 candles written to {folder}.")
            dialog.reject()
            await until(lambda: not running.window.findChildren(ExportDialog))

    play(scene)
    tables = {path.name: path.read_text().splitlines() for path in folder.glob("*.csv")}
    assert {name: len(lines) for name, lines in tables.items()} == {"BTCUSDT-5m.csv": 289, "ETHUSDT-5m.csv": 289}
    assert {lines[0] for lines in tables.values()} == {"open_time,close,sma_3"}
    assert tables["BTCUSDT-5m.csv"][1].split(",")[0].endswith("+09:00")
    assert all(lines[1].split(",")[2] for lines in tables.values())  # the candles before the range were read


def test_cancel_in_the_middle_leaves_whole_files_and_no_other(play: Play, tmp_path: Path) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        await until(lambda: running.engine.database)
        dialog = dialog_of(running)
        dialog.form.rows.intervals.set_texts(["1d", "1m"])
        dialog.form.rows.range.buttons[Range.YEAR].click()
        dialog.form.target.set_path(str(tmp_path))
        dialog.foot.start_button.click()
        await until(lambda: "File 2 of 2, BTCUSDT 1m" in dialog.foot.outcome.text())
        dialog.foot.cancel_button.click()
        await until(lambda: dialog.state is ExportState.EDITING)
        said = f"Cancelled. 1 file is whole in {tmp_path}: BTCUSDT-1d.csv. What was fetched is stored."
        assert dialog.foot.outcome.text() == said
        assert dialog.form.rows.symbols.isEnabled()
        dialog.reject()

    play(scene)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["BTCUSDT-1d.csv", "BTCUSDT-1d.csv.meta.json"]


@pytest.mark.skipif(sys.platform == "win32", reason="has no limit on the size of files")
def test_a_disk_that_takes_no_more_is_a_sentence_and_the_files_before_stay(play: Play, tmp_path: Path) -> None:
    import resource

    async def scene(running: Running, server: SandboxServer) -> None:
        await until(lambda: running.engine.database)
        dialog = dialog_of(running)
        dialog.form.rows.intervals.set_texts(["1h", "1m"])
        dialog.form.rows.range.buttons[Range.DAY].click()
        dialog.form.target.set_path(str(tmp_path))
        # The system itself refuses what is written beyond it, as a full disk does.
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
        try:
            dialog.foot.start_button.click()
            await until(lambda: dialog.state is ExportState.EDITING)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        path = tmp_path / "BTCUSDT-1m.csv"
        assert dialog.foot.outcome.text() == (
            f"{path} cannot be written: File too large. Nothing was left behind. "
            f"1 file is whole in {tmp_path}: BTCUSDT-1h.csv."
        )
        dialog.form.rows.intervals.set_texts(["1m"])
        dialog.form.target.set_path("/proc/candles.csv")  # where nobody can write, not even an administrator
        dialog.foot.start_button.click()
        await until(lambda: dialog.state is ExportState.EDITING)
        assert dialog.foot.outcome.text().startswith("/proc/candles.csv cannot be written: ")
        dialog.reject()

    play(scene)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["BTCUSDT-1h.csv", "BTCUSDT-1h.csv.meta.json"]


def test_trades_and_gaps_are_exported_as_they_were_shown_and_nothing_stored_is_said(play: Play, tmp_path: Path) -> None:
    first_us = 1_723_161_600_000_000
    ids = (1, 2, 3, 6, 7, 9)

    async def scene(running: Running, server: SandboxServer) -> None:
        await until(lambda: running.engine.database)
        database = running.engine.database
        trades = [Trade("ADAUSDT", number, first_us + number * 1_000_000, 35_000_000, 10**8, True) for number in ids]
        assert database.writer.put(trades)
        assert await database.writer.flush(30)
        symbols = [Symbol(name, name[:3], "USDT", tick_size_e8=10_000) for name in ("ADAUSDT", "ZZZUSDT")]
        exports = ExportController(running.engine, running.window, SaveFolder())
        dialog = exports.open(symbols, symbols[0], Interval.parse("1m"), (first_us, first_us + 60_000_000))
        for kind, rows in ((RowKind.TRADES, 3), (RowKind.GAPS, 2)):
            dialog.form.rows.kinds[kind].click()
            path = tmp_path / f"{kind.name}.csv"
            dialog.form.target.set_path(str(path))
            await until(lambda dialog=dialog, rows=rows: dialog.preview.rowCount() == rows)
            shown = [",".join(row) for row in dialog.preview.texts()]
            dialog.foot.start_button.click()
            await until(lambda dialog=dialog, path=path: str(path) in dialog.foot.outcome.text())
            assert path.read_text().splitlines()[1 : rows + 1] == shown
            dialog.reject()
            dialog = exports.open(symbols, symbols[0], Interval.parse("1m"), (first_us, first_us + 60_000_000))
        assert path.read_text().splitlines()[1:] == [
            "ADAUSDT,4,5,2,open,2024-08-09T00:00:03Z,2024-08-09T00:00:06Z",
            "ADAUSDT,8,8,1,open,2024-08-09T00:00:07Z,2024-08-09T00:00:09Z",
        ]
        dialog.form.rows.symbols.set_texts(["ZZZ/USDT"])
        dialog.form.rows.kinds[RowKind.GAPS].click()
        await until(lambda: "“ZZZUSDT” is not in the database" in dialog.preview_note.text())
        dialog.form.rows.kinds[RowKind.CANDLES].click()
        await until(lambda: "they are fetched when the export begins" in dialog.preview_note.text())
        dialog.form.rows.range.buttons[Range.STORED].click()
        await until(lambda: dialog.foot.outcome.text() == "Nothing of ZZZUSDT is stored: choose another range.")
        dialog.reject()
        await exports.stop()

    play(scene)


def test_the_candles_in_view_are_copied_from_the_menu_as_text(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        await until(lambda: running.engine.database and running.chart.visible_range_us())
        clipboard = QGuiApplication.clipboard()
        menu = running.window.top_bar.menu_button.menu()
        actions = {one.text(): one for copies in menu.findChildren(QMenu) for one in copies.actions()}
        for entry, between in (("Table for a spreadsheet", "\t"), ("CSV", ","), ("JSON", "")):
            clipboard.clear()
            actions[entry].trigger()
            await until(clipboard.text)
            if not between:
                assert list(json.loads(clipboard.text())[0])[:3] == ["open_time", "open", "high"]
                continue
            names, *rows = clipboard.text().splitlines()
            assert names.split(between)[:5] == ["open_time", "open", "high", "low", "close"]
            assert rows

    play(scene)
