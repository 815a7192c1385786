"""Workspaces in the window on a simulated market: switched, copied, reset, deleted, exported, imported, remembered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMessageBox, QTabBar

from app.market.interval import Interval
from app.sandbox.server.server import SandboxServer
from app.window.charts.open_charts import OpenChart
from tests.end_to_end.helpers import Running, until
from tests.window.playing import Play
from widgets.controls.toast import Toast
from widgets.workspace.workspace_tabs import WorkspaceTabs

CONTROL = Qt.KeyboardModifier.ControlModifier


def has_candles(one: OpenChart) -> bool:
    session = one.controller.session
    return session is not None and len(session.series) > 0 and one.chart.accessibleDescription() != ""


def charts_of(running: Running) -> list[tuple[str, str]]:
    return [(one.symbol, str(one.interval)) for one in running.controller.charts.all]


def tabs_of(running: Running) -> WorkspaceTabs:
    (tabs,) = running.window.findChildren(WorkspaceTabs)
    return tabs


def test_a_workspace_comes_back_as_it_was_left(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        controller, window = running.controller, running.window
        assert window.findChildren(WorkspaceTabs) == []
        controller.workspace.arrange(3, 2)
        window.requests.interval_requested.emit(Interval.parse("5m"))
        controller.workspace.run("maximise_chart")
        before = charts_of(running)
        QTest.keyClick(window.chart, Qt.Key.Key_T, CONTROL)
        assert charts_of(running) == [("BTCUSDT", "5m")]
        assert tabs_of(running).isVisible()
        assert tabs_of(running).names() == ["Main", "Workspace"]
        await until(lambda: has_candles(controller.charts.active))
        assert window.chart is controller.charts.active.chart
        assert window.chart.isVisible()
        QTest.keyClick(window.chart, Qt.Key.Key_PageUp, CONTROL)
        assert charts_of(running) == before
        assert controller.workspace.main.maximised == controller.charts.active.key
        await until(lambda: has_candles(controller.charts.active))
        tabs_of(running).shown_requested.emit(1)
        assert charts_of(running) == [("BTCUSDT", "5m")]
        await until(lambda: len(controller.charts.sessions) == 1)

    play(scene)


def test_charts_show_the_same_time_in_a_copy_and_after_a_switch(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        controller, workspace = running.controller, running.controller.workspace
        running.window.resize(1500, 900)
        workspace.run("split_right")
        await until(lambda: has_candles(controller.charts.active))
        then_us = running.engine.exchange_clock.now_us() - 20 * 3_600_000_000
        controller.charts.active.chart.show_time(then_us)
        await until(lambda: controller.charts.active.chart.navigator.has_candles)
        for change in ("duplicate_workspace", "previous_workspace"):
            workspace.run(change)
            await until(lambda: controller.charts.active.chart.navigator.has_candles)
            assert abs(controller.charts.active.chart.center_time_us() - then_us) < 120_000_000

    play(scene)


def test_a_chart_is_not_left_in_the_future_without_candles(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        controller, workspace = running.controller, running.controller.workspace
        running.window.resize(1500, 900)
        workspace.run("split_right")
        one = controller.charts.active
        await until(lambda: has_candles(one))
        await until(lambda: running.engine.database is not None)
        one.chart.show_time(running.engine.exchange_clock.now_us() + 20 * 3_600_000_000)
        workspace.run("duplicate_workspace")
        await until(lambda: controller.charts.active is not one and controller.charts.active.chart.is_following)

    play(scene)


def test_a_copy_is_a_workspace_of_its_own_and_names_stay_different(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        switcher = running.controller.workspace.switcher
        running.controller.workspace.run("split_right")
        running.controller.workspace.run("duplicate_workspace")
        assert switcher.names == ["Main", "Main 2"]
        assert len(running.controller.charts.all) == 2
        running.window.requests.symbol_requested.emit("SOLUSDT")
        switcher.rename(1, " Main ")
        assert switcher.names == ["Main", "Main 2"]
        switcher.rename(1, "Swing")
        switcher.move(1, 0)
        assert (switcher.names, switcher.shown) == (["Swing", "Main"], 0)
        switcher.show(1)
        assert charts_of(running) == [("BTCUSDT", "1m"), ("BTCUSDT", "1m")]
        assert tabs_of(running).names() == ["Swing", "Main"]

    play(scene)


def test_resetting_and_deleting_can_be_undone(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        controller, toasts = running.controller, running.window.toasts
        controller.workspace.arrange(3, 3)
        before = charts_of(running)
        controller.workspace.run("reset_workspace")
        assert charts_of(running) == [("BTCUSDT", "1m")]
        assert toasts.undo_latest()
        assert sorted(charts_of(running)) == sorted(before)
        controller.workspace.run("new_workspace")
        controller.workspace.run("delete_workspace")
        assert controller.workspace.switcher.names == ["Main"]
        assert len(controller.charts.all) == 3
        assert toasts.undo_latest()
        assert controller.workspace.switcher.names == ["Main", "Workspace"]
        controller.workspace.switcher.delete(0)
        assert controller.workspace.switcher.names == ["Workspace"]
        controller.workspace.run("delete_workspace")
        assert controller.workspace.switcher.names == ["Workspace"]

    play(scene)


def test_undoing_finds_a_workspace_that_has_another_name_and_takes_no_name_twice(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        controller, toasts = running.controller, running.window.toasts
        switcher = controller.workspace.switcher
        controller.workspace.run("split_right")
        controller.workspace.run("new_workspace")
        switcher.reset(0)
        switcher.rename(0, "Swing")
        switcher.rename(1, "Main")
        assert toasts.undo_latest()
        assert switcher.names == ["Swing", "Main"]
        assert (switcher.shown, len(controller.charts.all)) == (1, 1)
        switcher.delete(0)
        switcher.rename(0, "Swing")
        assert toasts.undo_latest()
        assert (switcher.names, switcher.shown) == (["Swing 2", "Swing"], 1)  # the shown one stays the shown one
        switcher.show(0)
        assert len(controller.charts.all) == 2

    play(scene)


def test_fields_of_another_version_of_a_lone_chart_are_kept(play: Play, tmp_path: Path) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        switcher = running.controller.workspace.switcher
        chart = {"key": 1, "symbol": "BTCUSDT", "interval": "1m", "glow": 3}
        file = tmp_path / "one.json"
        file.write_text(
            json.dumps({"format": "cryptopipe workspaces", "version": 1, "workspaces": [{"charts": [chart]}]})
        )
        switcher.import_file(file)
        switcher.delete(0)
        switcher.rename(0, "Main")
        (kept,) = running.controller.workspace.values()["workspaces"]
        assert kept["charts"][0]["glow"] == 3

    play(scene)


def test_a_step_without_another_workspace_says_how_to_open_one(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        running.controller.workspace.run("next_workspace")
        assert [toast.spoken for toast in running.window.toasts.shown] == ["Open another workspace first (Ctrl+T)."]

    play(scene)


def test_an_exported_workspace_is_imported_with_all_it_has(play: Play, tmp_path: Path) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        controller, switcher = running.controller, running.controller.workspace.switcher
        controller.workspace.run("split_below")
        controller.charts.active.chart.indicators.add("ema", {"period": 33})
        switcher.rename(0, "Night watch")
        file = tmp_path / "night.json"
        switcher.export(0, file)
        values = json.loads(file.read_bytes())
        values["workspaces"][0]["mood"] = {"calm": True}
        values["workspaces"][0]["charts"][0]["glow"] = 3
        file.write_text(json.dumps(values))
        switcher.import_file(file)
        assert switcher.names == ["Night watch", "Night watch 2"]
        assert len(controller.charts.all) == 2
        (study,) = [study for one in controller.charts.all for study in one.chart.indicators.studies]
        assert study.settings["period"] == 33
        again = tmp_path / "again.json"
        switcher.export(1, again)
        exported = json.loads(again.read_bytes())["workspaces"][0]
        assert exported["mood"] == {"calm": True}
        assert [chart.get("glow") for chart in exported["charts"]] in ([3, None], [None, 3])

    play(scene)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nonsense",
        b"[]",
        b'{"format": "other"}',
        b'{"format": "cryptopipe workspaces", "version": 99}',
        b'{"format": "\xff"}',
        b"[" * 100_000,
    ],
)
def test_a_file_that_holds_no_workspace_is_refused_with_a_sentence(play: Play, tmp_path: Path, content: bytes) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        file = tmp_path / "file.json"
        file.write_bytes(content)
        running.controller.workspace.switcher.import_file(file)
        (box,) = running.window.findChildren(QMessageBox)
        assert box.text().endswith(".")
        box.close()
        assert running.controller.workspace.switcher.names == ["Main"]

    play(scene)


def test_a_folder_that_cannot_be_written_to_is_named(play: Play, tmp_path: Path) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        running.controller.workspace.switcher.export(0, tmp_path / "none" / "file.json")
        (box,) = running.window.findChildren(QMessageBox)
        assert "Choose another folder." in box.text()
        box.close()

    play(scene)


def test_the_tabs_menu_offers_what_can_be_done_with_a_workspace(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        running.controller.workspace.run("split_right")
        menu = tabs_of(running).menu_of(0)
        texts = [action.text().split("\t")[0] for action in menu.actions() if action.text()]
        assert texts[0] == "Rename “Main”…"
        assert {"Duplicate", "Reset to one plain chart", "Export…", "Import…", "New workspace"} <= set(texts)
        running.window.choosers.open_picker("e")
        picker = running.window.symbol_picker
        assert picker.y() > tabs_of(running).height() + 40
        picker.dismiss()

    play(scene)


def test_the_tabs_say_when_all_was_saved_and_a_toast_why_it_is_not(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        controller, window = running.controller, running.window
        controller.show_saving(1_795_846_351_000_000, "")
        controller.workspace.run("split_right")
        assert tabs_of(running).saving.text() == "Saved 06:12:31"
        controller.show_saving(1_795_846_351_000_000, "No space left on device")
        controller.show_saving(1_795_846_351_000_000, "No space left on device")
        assert tabs_of(running).saving.text() == "Not saved: no space left on device"
        said = [toast.spoken for toast in window.findChildren(Toast)]
        assert said == ["Charts and layout are not saved: no space left on device. The program goes on trying."]
        controller.show_saving(1_795_846_352_000_000, "")
        assert tabs_of(running).saving.text() == "Saved 06:12:32"

    play(scene)


def test_firings_are_counted_on_the_tabs_that_have_the_symbol_until_they_are_shown(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        controller = running.controller
        controller.workspace.run("new_workspace")
        running.window.requests.symbol_requested.emit("ETHUSDT")
        tabs = tabs_of(running)

        def counted() -> list[str]:
            bells = [tabs.bar.tabButton(at, QTabBar.ButtonPosition.RightSide) for at in range(tabs.bar.count())]
            return ["" if bell is None else bell.text() for bell in bells]

        for symbol in ("ETHUSDT", "BTCUSDT", "BTCUSDT", "SOLUSDT"):
            controller.alerts.fired.emit(symbol)
        assert counted() == ["2", ""]
        controller.workspace.switcher.move(0, 1)
        assert counted() == ["", "2"]
        controller.workspace.run("next_workspace")
        assert counted() == ["", ""]
        assert "firings" not in json.dumps(controller.workspace.values())

    play(scene)
