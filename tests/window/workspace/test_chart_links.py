"""Linked charts on a simulated market: what they share, and what they do not."""

from __future__ import annotations

import asyncio

from PySide6.QtCore import QPoint, QPointF
from PySide6.QtWidgets import QMenu

from app.market.interval import Interval
from app.sandbox.server.server import SandboxServer
from app.window.charts.open_charts import OpenChart
from app.window.workspace.chart_links import ChartLinks
from tests.end_to_end.helpers import Running, until
from tests.window.playing import Play


def has_candles(one: OpenChart) -> bool:
    session = one.controller.session
    return session is not None and len(session.series) > 0 and one.chart.accessibleDescription() != ""


async def two_linked(running: Running) -> tuple[OpenChart, OpenChart, ChartLinks]:
    workspace = running.controller.workspace
    workspace.run("split_right")
    first, second = running.controller.charts.all
    for one in (first, second):
        workspace.links.put_into(one, 1)
    await until(lambda: has_candles(first) and has_candles(second))
    return first, second, workspace.links


def test_linked_charts_share_their_symbol_and_each_keeps_its_interval(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        first, second, links = await two_linked(running)
        running.window.requests.interval_requested.emit(Interval.parse("5m"))
        running.window.requests.symbol_requested.emit("ETHUSDT")
        assert [(one.symbol, str(one.interval)) for one in (first, second)] == [("ETHUSDT", "1m"), ("ETHUSDT", "5m")]
        links.set_parts(1, ("interval",))
        assert str(first.interval) == "5m"
        running.window.requests.symbol_requested.emit("SOLUSDT")
        assert first.symbol == "ETHUSDT"
        running.window.requests.interval_requested.emit(Interval.parse("1m"))
        assert str(first.interval) == "1m"
        await until(lambda: has_candles(first) and has_candles(second))

    play(scene)


def test_linked_charts_look_at_the_same_time_and_follow_the_market_together(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        first, second, _ = await two_linked(running)
        then_us = running.engine.exchange_clock.now_us() - 5 * 3_600_000_000
        second.chart.show_time(then_us)
        await until(lambda: not first.chart.is_following)
        await until(lambda: abs(first.chart.center_time_us() - then_us) < 60_000_000)
        second.chart.navigator.zoom(2.0)
        await until(lambda: first.chart.navigator.place.bar_px == second.chart.navigator.place.bar_px)
        running.controller.workspace.links.put_into(first, 0)
        second.chart.navigator.follow_latest()
        await until(lambda: second.chart.is_following)
        assert not first.chart.is_following
        running.controller.workspace.links.put_into(first, 1)
        assert first.chart.is_following

    play(scene)


def test_a_chart_behind_a_maximised_one_catches_up_as_it_is_shown_again(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        running.window.resize(1300, 800)
        shown, hidden, _ = await two_linked(running)
        workspace = running.controller.workspace
        workspace.maximise(shown)
        await until(lambda: not hidden.chart.isVisible())
        for _ in range(5):
            shown.chart.keyboard.commands["screen_earlier"]()
        await until(lambda: not shown.chart.is_following and hidden.controller.is_asleep)
        then_us = shown.chart.center_time_us()
        hidden.chart.visible_range_changed.emit()  # as before it is painted in another size
        assert abs(shown.chart.center_time_us() - then_us) < 60_000_000
        workspace.maximise(shown)
        await until(lambda: not hidden.controller.is_asleep)
        await asyncio.sleep(0.5)  # time for it to lead, which it must not
        assert abs(shown.chart.center_time_us() - then_us) < 2 * 3_600_000_000  # another width, and so another centre
        assert abs(hidden.chart.center_time_us() - shown.chart.center_time_us()) < 60_000_000
        assert not shown.chart.is_following

    play(scene)


def test_the_crosshair_of_one_shows_its_time_on_the_other(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        first, second, links = await two_linked(running)
        width = second.chart._scene.layout.panes.width()
        second.chart.reading_tools.point_at(QPointF(width * 0.6, 120))
        await until(lambda: first.chart._scene.guide is not None)
        slot = second.chart._scene.crosshair.slot
        assert first.chart._scene.guide.slot == slot
        assert first.chart._scene.crosshair is None
        assert first.chart._readout.bar.slot == slot
        second.chart.reading_tools.point_at(None)
        await until(lambda: first.chart._scene.guide is None)
        links.set_parts(1, ("symbol",))
        second.chart.reading_tools.point_at(QPointF(width * 0.5, 120))
        await until(lambda: second.chart._scene.crosshair is not None)
        assert first.chart._readout.guide_us is None

    play(scene)


def test_a_chart_that_joins_a_group_takes_over_what_it_shares(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        workspace = running.controller.workspace
        workspace.run("split_right")
        first, second = running.controller.charts.all
        running.window.requests.symbol_requested.emit("ETHUSDT")
        workspace.links.put_into(first, 2)
        workspace.links.put_into(second, 2)
        assert second.symbol == "BTCUSDT"
        running.controller.remember()
        (values,) = running.controller._state.workspaces["workspaces"]
        assert [chart["link"] for chart in values["charts"]] == [2, 2]
        workspace.run("close_chart", first)
        assert workspace.links.group_of(second) == 2

    play(scene)


def test_the_menu_of_links_ticks_the_group_and_what_it_shares(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        first, second, links = await two_linked(running)
        workspace = running.controller.workspace
        workspace.run("link_chart")
        menu = next(each for each in workspace.main.grid.findChildren(QMenu) if each.isVisible())
        ticked = [action.text() for action in menu.actions() if action.isChecked()]
        assert ticked == ["Group 1: BTC/USDT 1m", "Share the symbol", "Share the time", "Share the crosshair"]
        next(action for action in menu.actions() if action.text() == "Share the interval").trigger()
        assert links.parts_of(1) == ("symbol", "interval", "time", "crosshair")
        menu.close()
        badge = workspace.main.grid.frames[first.key].head.link
        assert badge.accessibleName() == "Linked in group 1: symbol, interval, time, crosshair"
        assert workspace.links.group_of(second) == 1

    play(scene)


def test_the_top_bar_says_what_the_active_chart_shares_and_opens_its_menus(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        workspace, charts, bar = running.controller.workspace, running.controller.charts, running.window.top_bar
        running.window.resize(1920, 800)
        assert not bar.links.isVisible()
        workspace.arrange(4, 2)
        first, second, third, _ = charts.all
        assert bar.links.isVisible()
        assert bar.links.accessibleName() == "Not linked"
        assert bar.arrangement.text().strip() == "2 × 2"
        for one in (first, second):
            workspace.links.put_into(one, 2)
        assert bar.links.text().strip() == "Linked: symbol, time, crosshair"
        workspace.links.set_parts(2, ("interval",))
        assert bar.links.accessibleName() == "Linked: interval"
        workspace.activate(third)
        assert bar.links.accessibleName() == "Not linked"
        workspace.activate(second)
        assert bar.links.accessibleName() == "Linked: interval"
        bar.links.click()
        menu = next(each for each in running.window.findChildren(QMenu) if each.isVisible())
        assert [action.text() for action in menu.actions() if action.isChecked()] == [
            "Group 2: BTC/USDT 1m",
            "Share the interval",
        ]
        next(action for action in menu.actions() if action.text() == "Not linked").trigger()
        menu.close()
        assert workspace.links.group_of(second) == 0
        bar.compare_button.click()
        menu = next(each for each in running.window.findChildren(QMenu) if each.isVisible())
        assert menu.mapToGlobal(QPoint()).y() >= bar.mapToGlobal(QPoint(0, bar.height())).y()
        next(action for action in menu.actions() if action.text() == "SOL/USDT").trigger()
        menu.close()
        assert second.controller.compared == ("SOLUSDT",)
        workspace.close(third)
        assert bar.arrangement.text().strip() == "3 charts"
        workspace.run("new_workspace")
        assert not bar.links.isVisible()
        assert bar.arrangement.text() == ""

    play(scene)
