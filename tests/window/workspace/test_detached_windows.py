"""Charts in windows of their own: detached, used by keys, closed, brought back, remembered."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from app.config.settings import Settings, load
from app.sandbox.server.server import SandboxServer
from app.window.charts.open_charts import OpenChart
from app.window.state.window_state import save_state
from tests.end_to_end.helpers import Running, open_window, until
from tests.window.playing import Play
from widgets.controls.popup import Popup
from widgets.workspace.grid_layout import split_of

CONTROL = Qt.KeyboardModifier.ControlModifier


def settings_again(folder: Path, server: SandboxServer) -> Settings:
    """The settings of another start: the same symbols, from a file, so that they are not for one run only."""
    file = folder / "config.toml"
    file.write_text('symbols = ["BTCUSDT", "ETHUSDT", "SOLUSDT"]\n')
    addresses = {"binance_ws_url": server.ws_url, "binance_rest_url": server.rest_url}
    return load({"data_dir": str(folder), **addresses}, environment={}, file=file)


def saved_folder(running: Running) -> Path:
    """A data directory in which another start finds the charts as they are now."""
    running.controller.remember()
    folder = running.controller._settings.data_dir / "again"
    folder.mkdir()
    save_state(running.controller._state, folder)
    return folder


def has_candles(one: OpenChart) -> bool:
    session = one.controller.session
    return session is not None and len(session.series) > 0 and one.chart.accessibleDescription() != ""


async def detached(running: Running) -> tuple[OpenChart, OpenChart]:
    workspace = running.controller.workspace
    workspace.run("split_right")
    first, second = running.controller.charts.all
    running.window.requests.symbol_requested.emit("ETHUSDT")
    workspace.run("detach_chart", second)
    await until(lambda: has_candles(second) and has_candles(first))
    return first, second


def test_a_chart_in_a_window_of_its_own_is_the_bars_and_comes_back_when_it_is_closed(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        first, second = await detached(running)
        charts, window = running.controller.charts, running.window
        own = second.chart.window()
        assert own is not window
        assert own.isVisible()
        assert charts.active is second
        await until(lambda: own.windowTitle() == "ETH/USDT 1m · cryptopipe")
        assert "ETH/USDT" in window.windowTitle()
        assert second.chart.bar.isVisible()
        assert second.chart.bar.window() is own
        assert own.styleSheet() == window.styleSheet()
        window.requests.theme_requested.emit("light")
        assert own.styleSheet() == window.styleSheet()
        frames = second.chart.frame_count
        await until(lambda: second.chart.frame_count > frames)
        own.close()
        assert second.chart.window() is window
        assert running.controller.workspace.main.keys == [first.key, second.key]
        await until(lambda: second.chart.isVisible())

    play(scene)


def test_a_chart_comes_back_to_its_place_among_the_others(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        charts, workspace = running.controller.charts, running.controller.workspace
        first = charts.active
        workspace.run("split_right")
        second = charts.active
        workspace.run("split_below", first)
        third = charts.active
        before = workspace.main.layout
        workspace.run("detach_chart", first)
        assert workspace.main.keys == [third.key, second.key]
        workspace.run("detach_chart", first)
        assert workspace.main.layout == before
        assert workspace.main.keys == [first.key, third.key, second.key]
        workspace.run("detach_chart", first)
        workspace.run("close_chart", third)
        first.chart.window().close()
        assert set(workspace.main.keys) == {first.key, second.key}
        await until(lambda: first.chart.window() is running.window and first.chart.isVisible())

    play(scene)


def test_a_step_to_a_chart_in_a_minimised_window_shows_it(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        first, second = await detached(running)
        running.controller.workspace.activate(first)
        own = second.chart.window()
        own.showMinimized()
        running.controller.workspace.run("next_chart")
        assert not own.isMinimized()
        await until(own.isActiveWindow)

    play(scene)


def test_keys_work_in_a_detached_window_too(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        first, second = await detached(running)
        charts, workspace = running.controller.charts, running.controller.workspace
        QTest.keyClick(second.chart, Qt.Key.Key_R, CONTROL)
        third = charts.active
        assert third.chart.window() is second.chart.window()
        assert workspace.main.keys == [first.key]
        QTest.keyClick(third.chart, Qt.Key.Key_W, CONTROL)
        assert charts.all == (first, second)
        assert charts.active is second
        workspace.run("next_chart")
        assert charts.active is first
        workspace.run("close_chart", second)
        assert charts.all == (first,)
        assert workspace.rooms.detached == []
        workspace.run("detach_chart")
        assert first.chart.window() is running.window
        assert running.window.toasts.shown[-1].accessibleName().startswith("Open another chart first")

    play(scene)


def test_the_picker_opened_from_a_detached_window_has_the_keyboard_and_gives_it_back(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        first, second = await detached(running)
        own, window = second.chart.window(), running.window
        own.activateWindow()
        await until(own.isActiveWindow)
        QTest.keyClick(second.chart.focusProxy(), Qt.Key.Key_K, CONTROL)
        await until(window.isActiveWindow)
        await until(window.symbol_picker.edit.hasFocus)
        QTest.keyClicks(window.symbol_picker.edit, "sol")
        QTest.keyClick(window.symbol_picker.edit, Qt.Key.Key_Return)
        await until(own.isActiveWindow)
        assert (first.symbol, second.symbol) == ("BTCUSDT", "SOLUSDT")
        assert running.controller.charts.active is second
        QTest.keyClick(second.chart.focusProxy(), Qt.Key.Key_K, CONTROL)
        await until(window.isActiveWindow)
        QTest.mouseClick(second.chart.focusProxy().viewport(), Qt.MouseButton.LeftButton)
        assert not window.symbol_picker.isVisible()

    play(scene)


def test_popups_open_in_the_window_of_their_chart(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        workspace = running.controller.workspace
        workspace.run("split_right")
        second = running.controller.charts.active
        second.chart.open_date_entry()
        second.chart.open_indicators()
        workspace.run("detach_chart")
        for open_popup in (second.chart.open_date_entry, second.chart.open_indicators, second.chart.open_zone_picker):
            open_popup()
            (popup,) = [each for each in second.chart.window().findChildren(Popup) if each.isVisible()]
            popup.dismiss()

    play(scene)


def test_detached_windows_are_there_again_at_the_next_start(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        _, second = await detached(running)
        second.chart.window().setGeometry(40, 50, 600, 400)
        running.controller.workspace.run("split_below", second)
        async with open_window(settings_again(saved_folder(running), server)) as again:
            workspace = again.controller.workspace
            (room,) = workspace.rooms.detached
            assert [workspace.rooms.with_key(key).symbol for key in room.keys] == ["ETHUSDT", "ETHUSDT"]
            assert [workspace.rooms.with_key(key).symbol for key in workspace.main.keys] == ["BTCUSDT"]
            assert (room.window.width(), room.window.height()) == (600, 400)
            assert again.controller.charts.active.chart.window() is room.window
            await until(lambda: all(map(has_candles, again.controller.charts.all)))
            workspace.run("new_workspace")
            assert workspace.rooms.detached == []
            workspace.run("previous_workspace")
            assert len(workspace.rooms.detached) == 1
            await until(lambda: again.engine.database is not None)

    play(scene)


def homes(running: Running) -> list[bool]:
    """For each saved chart, whether the place that it left is saved with it."""
    running.controller.remember()
    (values,) = running.controller._state.workspaces["workspaces"]
    return [one["home"] is not None for one in values["charts"]]


def test_a_chart_comes_back_to_its_place_after_a_restart(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        workspace, first = running.controller.workspace, running.controller.charts.active
        workspace.run("split_right")
        workspace.run("split_below", first)
        workspace.run("detach_chart", first)
        async with open_window(settings_again(saved_folder(running), server)) as again:
            restored = again.controller.workspace
            (room,), (below, right) = restored.rooms.detached, restored.main.keys
            (alone,) = room.keys
            assert sorted(homes(again)) == [False, False, True]
            room.window.close()
            assert restored.main.layout == split_of(True, [split_of(False, [alone, below]), right])
            assert homes(again) == [False] * 3
            await until(lambda: all(map(has_candles, again.controller.charts.all)))

    play(scene)


def test_a_chart_whose_place_is_gone_after_a_restart_comes_back_to_the_right(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        workspace, charts = running.controller.workspace, running.controller.charts
        workspace.run("split_right")
        second = charts.active
        workspace.run("split_right")
        workspace.run("detach_chart", second)
        async with open_window(settings_again(saved_folder(running), server)) as again:
            restored = again.controller.workspace
            (room,), (first, third) = restored.rooms.detached, restored.main.keys
            (alone,) = room.keys
            restored.run("split_below", restored.rooms.with_key(first))
            assert restored.main.keys[2] == third
            room.window.close()
            assert restored.main.keys[2:] == [third, alone]
            await until(lambda: all(map(has_candles, again.controller.charts.all)))

    play(scene)
