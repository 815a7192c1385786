"""Symbols compared on a chart of the simulated market."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMenu

from app.market.interval import Interval
from app.sandbox.server.server import SandboxServer
from tests.end_to_end.helpers import Running, until
from tests.widgets.chart.charts import picture
from tests.window.playing import Play
from widgets.chart.indicators.compare_lines import ZeroLine, compare_lines
from widgets.chart.model.chart_style import PriceStyle
from widgets.chart.painting.axes import last_price_place


def lines_of(running: Running):
    return compare_lines(running.chart._scene)


def test_compared_symbols_are_lines_in_percent_that_follow_the_market(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        workspace, chart = running.controller.workspace, running.chart
        one = running.controller.charts.active
        workspace.compare(one, ("ETHUSDT", "BNBUSDT", "BTCUSDT", "ETHUSDT"))
        assert one.controller.compared == ("ETHUSDT", "BNBUSDT")
        assert running.engine.is_recorded("BNBUSDT")
        await until(lambda: len(lines_of(running)) == 2 and all(line.last_value for line in lines_of(running)))
        assert chart._scene.price.value_scale.is_percent
        assert chart.chart_style.price_style is PriceStyle.CANDLES  # the user's own choice stays
        legend = chart._readout.full_legend(chart.series)
        assert "■ BTC" in legend
        assert "■ ETH" in legend
        assert "since" in legend
        await until(lambda: {name.text for name in chart._scene.price.names} == {"BTC", "ETH", "BNB"})
        own = next(name for name in chart._scene.price.names if name.text == "BTC")
        assert own.colour == chart._scene.colours.accent
        assert {label.text for label in chart._scene.price.labels} >= {chart._scene.last_text}
        assert last_price_place(chart._scene).isEmpty()
        zeros = [layer for layer in chart._scene.price.layers if isinstance(layer, ZeroLine)]
        assert len(zeros) == 1
        image, price, level = picture(chart), chart._scene.price, chart._scene.colours.level.name()
        rows = [int(price.y_of(price.value_scale.base)) + by for by in (-2, -1, 0, 1, 2)]
        width = int(chart._scene.layout.panes.width())
        assert max(sum(image.pixelColor(x, row).name() == level for x in range(width)) for row in rows) > width / 4
        eth = lines_of(running)[0]
        series = eth.series
        assert eth.last_value == pytest.approx(
            chart._scene.price.value_scale.base * series.bar(-1).close / eth.base, rel=1e-9
        )
        revision = series.revision
        await until(lambda: series.revision > revision)
        running.window.requests.interval_requested.emit(Interval.parse("5m"))
        await until(lambda: all(str(line.series.interval) == "5m" and line.last_value for line in lines_of(running)))
        running.controller.remember()
        (values,) = running.controller._state.workspaces["workspaces"]
        assert values["charts"][0]["compare"] == ["ETHUSDT", "BNBUSDT"]
        workspace.compare(one, ())
        assert lines_of(running) == []
        assert not last_price_place(chart._scene).isEmpty()
        assert not [layer for layer in chart._scene.price.layers if isinstance(layer, ZeroLine)]
        assert not chart._scene.price.value_scale.is_percent
        assert not running.engine.is_recorded("BNBUSDT")
        assert len(running.controller.charts.sessions) == 1

    play(scene)


def test_no_symbol_is_compared_with_itself_and_it_comes_back_with_the_next_one(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        workspace, one = running.controller.workspace, running.controller.charts.active
        workspace.compare(one, ("ETHUSDT", "SOLUSDT"))
        await until(lambda: [line.name for line in lines_of(running)] == ["ETH", "SOL"])
        running.controller.show_on(one, "ETHUSDT", one.interval)
        await until(lambda: [line.name for line in lines_of(running)] == ["SOL"])
        assert one.controller.compared == ("ETHUSDT", "SOLUSDT")
        running.controller.show_on(one, "BTCUSDT", one.interval)
        await until(lambda: [line.name for line in lines_of(running)] == ["ETH", "SOL"])

    play(scene)


def test_more_symbols_than_a_chart_compares_with_are_left_out_with_a_sentence(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        workspace, one = running.controller.workspace, running.controller.charts.active
        names = [f"A{number}USDT" for number in range(17)]
        workspace.compare(one, names)
        assert one.controller.compared == tuple(names[:16])
        said = [toast.spoken for toast in running.window.toasts.shown]
        assert "A chart compares with at most 16 symbols: take one off first." in said

    play(scene)


def test_the_menu_ticks_what_is_compared_and_takes_any_other_symbol(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        workspace, one = running.controller.workspace, running.controller.charts.active
        workspace.compare(one, ("ETHUSDT",))
        workspace.run("compare_symbols")
        menu = next(each for each in running.window.findChildren(QMenu) if each.isVisible())
        by_text = {action.text(): action for action in menu.actions()}
        assert [text for text, action in by_text.items() if action.isChecked()] == ["ETH/USDT"]
        by_text["SOL/USDT"].trigger()
        assert one.controller.compared == ("ETHUSDT", "SOLUSDT")
        menu.close()
        workspace.run("compare_symbols")
        menu = next(each for each in running.window.findChildren(QMenu) if each.isVisible())
        QTest.keyClick(menu, Qt.Key.Key_B)  # a letter searches, as it does on the chart
        assert running.window.symbol_picker.isVisible()
        assert running.window.symbol_picker.edit.text() == "b"
        running.window.symbol_picker.symbol_requested.emit("BNBUSDT")
        assert one.controller.compared == ("ETHUSDT", "SOLUSDT", "BNBUSDT")
        assert one.symbol == "BTCUSDT"
        running.window.symbol_picker.dismiss()
        running.window.symbol_picker.symbol_requested.emit("ETHUSDT")
        assert one.symbol == "ETHUSDT"

    play(scene)
