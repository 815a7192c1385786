"""Several charts in the window on a simulated market: split, activated, closed, arranged, remembered."""

from __future__ import annotations

import json
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMenu

from app.config.settings import Settings, load
from app.market.interval import Interval
from app.sandbox.server.server import SandboxServer
from app.window.charts.open_charts import OpenChart
from app.window.state.window_state import load_state, save_state
from tests.end_to_end.helpers import Running, open_window, until
from tests.window.playing import Play, shown
from widgets.workspace.grid_layout import grid_of, keys_of, split_of

CONTROL = Qt.KeyboardModifier.ControlModifier
ALT_SHIFT = Qt.KeyboardModifier.AltModifier | Qt.KeyboardModifier.ShiftModifier


def settings_again(folder: Path, server: SandboxServer) -> Settings:
    """The settings of another start: the same symbols, from a file, so that they are not for one run only."""
    file = folder / "config.toml"
    file.write_text('symbols = ["BTCUSDT", "ETHUSDT", "SOLUSDT"]\n')
    addresses = {"binance_ws_url": server.ws_url, "binance_rest_url": server.rest_url}
    return load({"data_dir": str(folder), **addresses}, environment={}, file=file)


def has_candles(one: OpenChart) -> bool:
    session = one.controller.session
    return session is not None and len(session.series) > 0 and one.chart.accessibleDescription() != ""


def state_of(running: Running):
    return running.controller._state


def test_a_split_shows_the_same_beside_the_chart_and_becomes_the_active_one(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        charts, window = running.controller.charts, running.window
        running.chart.indicators.add("ema", {"period": 9})
        QTest.keyClick(running.chart, Qt.Key.Key_R, CONTROL)
        first, second = charts.all
        assert charts.active is second
        assert window.chart is second.chart
        assert (second.symbol, second.interval) == (first.symbol, first.interval)
        assert [study.indicator.name for study in second.chart.indicators.studies] == ["EMA"]
        await until(lambda: has_candles(second))
        assert second.chart.mapTo(window, second.chart.rect().topLeft()).x() > first.chart.width() - 5

    play(scene)


def test_bars_and_panels_are_the_active_charts(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        charts, window = running.controller.charts, running.window
        running.controller.workspace.run("split_right")
        first, second = charts.all
        window.requests.symbol_requested.emit("ETHUSDT")
        window.requests.interval_requested.emit(Interval.parse("5m"))
        assert (first.symbol, second.symbol) == ("BTCUSDT", "ETHUSDT")
        assert "ETH/USDT" in window.windowTitle()
        await until(lambda: has_candles(second))
        QTest.keyClick(second.chart, Qt.Key.Key_F6, CONTROL)
        assert charts.active is first
        assert first.chart.isAncestorOf(first.chart.focusProxy())
        assert "BTC/USDT" in window.windowTitle()
        assert (state_of(running).symbol, str(state_of(running).interval)) == ("BTCUSDT", "1m")
        QTest.keyClick(first.chart, Qt.Key.Key_F6, CONTROL | Qt.KeyboardModifier.ShiftModifier)
        assert charts.active is second
        head = running.controller.workspace.main.grid.frames[second.key].head
        await until(lambda: head.price.text() != "")
        assert (head.symbol.text(), head.interval.text()) == ("ETH/USDT", "5m")

    play(scene)


def test_a_symbol_is_recorded_while_any_chart_shows_it(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        charts, engine, workspace = running.controller.charts, running.engine, running.controller.workspace
        workspace.run("split_below")
        second = charts.active
        running.window.requests.symbol_requested.emit("BNBUSDT")  # not on the watchlist
        await until(lambda: engine.is_recorded("BNBUSDT") and has_candles(second))
        await until(lambda: second.controller.is_live)
        workspace.run("previous_chart")
        assert engine.is_recorded("BNBUSDT")
        workspace.run("close_chart", second)
        assert not engine.is_recorded("BNBUSDT")
        assert len(charts.all) == 1

    play(scene)


def test_the_neighbour_of_a_closed_chart_becomes_active_and_the_last_one_stays(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        charts, workspace = running.controller.charts, running.controller.workspace
        first = charts.active
        workspace.run("split_right")
        workspace.run("split_right")
        _, second, third = charts.all
        QTest.keyClick(third.chart, Qt.Key.Key_W, CONTROL)
        assert charts.active is second
        assert charts.all == (first, second)
        workspace.run("close_chart", first)
        assert charts.active is second
        workspace.run("close_chart")
        assert charts.all == (second,)
        await until(lambda: has_candles(second))
        frame = workspace.main.grid.frames[second.key]
        assert not frame.head.isVisible()
        assert not frame.is_framed

    play(scene)


def test_one_key_gives_a_chart_all_the_room_and_shows_all_again(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        charts, workspace = running.controller.charts, running.controller.workspace
        workspace.run("split_right")
        first, second = charts.all
        QTest.keyClick(second.chart, Qt.Key.Key_Return, CONTROL)
        assert second.chart.isVisible()
        assert not first.chart.isVisible()
        workspace.run("next_chart")
        assert first.chart.isVisible()
        assert not second.chart.isVisible()
        QTest.keyClick(first.chart, Qt.Key.Key_Return, CONTROL)
        assert first.chart.isVisible()
        assert second.chart.isVisible()

    play(scene)


def test_what_needs_another_chart_says_so(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        workspace, toasts = running.controller.workspace, running.window.toasts
        reasons = {
            "close_chart": "one stays in this window",
            "detach_chart": "one stays in this window",
            "maximise_chart": "this one has all the room",
            "next_chart": "there is no other",
        }
        for command, reason in reasons.items():
            workspace.run(command)
            assert toasts.shown[-1].spoken == f"Open another chart first (Ctrl+R): {reason}."
        assert len(running.controller.charts.all) == 1

    play(scene)


def test_a_chart_that_is_left_alone_is_not_maximised(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        workspace = running.controller.workspace
        workspace.run("split_right")
        workspace.run("maximise_chart")
        workspace.run("close_chart")
        assert workspace.main.maximised is None
        workspace.run("split_right")
        workspace.run("maximise_chart")
        workspace.run("next_chart")
        workspace.run("detach_chart")
        assert workspace.main.maximised is None

    play(scene)


def test_an_arrangement_opens_charts_of_the_watchlist(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        charts, workspace = running.controller.charts, running.controller.workspace
        workspace.arrange(4, 2)
        assert [one.symbol for one in charts.all] == ["BTCUSDT", "ETHUSDT", "SOLUSDT", "BTCUSDT"]
        await until(lambda: all(map(has_candles, charts.all)))
        assert workspace.main.layout == grid_of([one.key for one in charts.all], 2)
        workspace.arrange(2, 4)
        assert len(charts.all) == 4
        running.window.requests.arrangement_requested.emit(running.window.mapToGlobal(running.window.rect().center()))
        menu = next(each for each in running.window.findChildren(QMenu) if each.isVisible())
        texts = [action.text() for action in menu.actions() if action.text()]
        assert texts[0] == "Another chart to the right\tCtrl+R"
        assert "2 × 2" in texts
        menu.close()

    play(scene)


def test_keys_move_the_line_between_charts(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        charts, workspace = running.controller.charts, running.controller.workspace
        workspace.run("split_right")
        second = charts.active
        QTest.keyClick(
            second.chart, Qt.Key.Key_Right, Qt.KeyboardModifier.AltModifier | Qt.KeyboardModifier.ShiftModifier
        )
        assert workspace.main.layout.shares[1] > 0.54
        workspace.run("chart_narrower")
        assert round(workspace.main.layout.shares[1], 3) == 0.5

    play(scene)


def test_templates_are_the_windows(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        charts = running.controller.charts
        running.controller.workspace.run("split_right")
        first, second = charts.all
        second.chart.indicators.add("ema", {"period": 9})
        second.chart.templates.save("Trend")
        assert list(first.chart.templates.templates.names) == ["Trend"]

    play(scene)


def test_the_palette_reaches_every_chart_and_head(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        running.controller.workspace.run("split_right")
        for theme in ("light", "dark"):
            running.window.requests.theme_requested.emit(theme)
            assert {one.chart._scene.palette.name for one in running.controller.charts.all} == {theme}
            assert running.controller.workspace.main.grid._palette.name == theme

    play(scene)


def test_charts_are_there_again_at_the_next_start(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        controller, state = running.controller, state_of(running)
        controller.workspace.arrange(3, 2)
        _, second, third = controller.charts.all
        controller.workspace.activate(second)
        running.window.requests.interval_requested.emit(Interval.parse("13m"))
        third.chart.indicators.add("rsi", {"period": 7})
        controller.workspace.run("chart_wider", second)
        await until(lambda: all(map(has_candles, controller.charts.all)))
        controller.remember()
        folder = running.controller._settings.data_dir / "again"
        folder.mkdir()
        save_state(state, folder)
        settings = settings_again(folder, server)
        assert load_state(settings).workspaces == json.loads(json.dumps(state.workspaces))
        async with open_window(settings) as again:
            charts = again.controller.charts
            assert [(one.symbol, str(one.interval)) for one in charts.all] == [
                ("ETHUSDT", "13m"),
                ("BTCUSDT", "1m"),
                ("SOLUSDT", "1m"),
            ]
            assert charts.active.symbol == "ETHUSDT"
            await until(lambda: all(map(has_candles, charts.all)))
            ((study,),) = [one.chart.indicators.studies for one in charts.all if one.symbol == "SOLUSDT"]
            assert study.settings["period"] == 7
            in_order = {one.key: one.symbol for one in charts.all}
            layout = again.controller.workspace.main.layout
            assert [in_order[key] for key in keys_of(layout)] == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
            assert layout.shares == controller.workspace.main.layout.shares
            again.controller.remember()
            await until(lambda: again.engine.database is not None)

    play(scene)


def test_one_plain_chart_is_remembered_as_before_and_loads_no_grid(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        running.controller.remember()
        assert state_of(running).workspaces == {}
        assert "workspace" not in running.controller.__dict__
        assert running.window.centralWidget() is running.chart
        running.controller.workspace.run("split_right")
        running.controller.workspace.run("close_chart")
        running.controller.remember()
        assert state_of(running).workspaces == {}
        assert shown(running)

    play(scene)


def test_symbols_given_for_one_run_leave_the_saved_charts_alone(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        controller, state = running.controller, state_of(running)
        controller.workspace.run("split_right")
        controller.remember()
        saved = state.workspaces
        state.lasting = ("BTCUSDT", state.lists)
        controller.workspace.run("split_right")
        controller.remember()
        assert state.workspaces == saved

    play(scene)


def test_a_new_neighbour_divides_the_charts_own_room(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        workspace, charts = running.controller.workspace, running.controller.charts
        workspace.run("split_right")
        workspace.run("split_below")
        first, second, third = (one.key for one in charts.all)
        assert workspace.main.layout == split_of(True, (first, split_of(False, (second, third))))

    play(scene)


def test_a_place_is_shown_on_an_open_chart_of_its_symbol(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        controller = running.controller
        charts, workspace = controller.charts, controller.workspace
        workspace.run("split_right")
        running.window.requests.symbol_requested.emit("ETHUSDT")
        first, second = charts.all
        await until(lambda: has_candles(first) and has_candles(second))
        workspace.run("maximise_chart", second)
        time_us = first.controller.session.series.bar(0).open_time_us
        controller.alerts._go_to("BTCUSDT", time_us, "trade 1")
        assert charts.active is first
        assert workspace.main.maximised == first.key
        assert (first.symbol, second.symbol) == ("BTCUSDT", "ETHUSDT")
        await until(lambda: first.chart.visible_range_us()[0] <= time_us <= first.chart.visible_range_us()[1])
        controller.alerts._go_to("SOLUSDT", time_us, "trade 2")
        assert (first.symbol, second.symbol) == ("SOLUSDT", "ETHUSDT")

    play(scene)
