"""Looks by symbol: off at first; kept for each symbol and each chart; there again after a start."""

from __future__ import annotations

import json

from app.sandbox.server.server import SandboxServer
from app.window.charts.open_charts import OpenChart
from app.window.state.window_state import save_state
from app.window.workspace.workspace_document import MOST_LOOKS, read_document, workspaces_from_values
from tests.end_to_end.helpers import Running, open_window, until
from tests.window.playing import Play
from tests.window.workspace.test_workspace_controller import has_candles, settings_again
from widgets.chart.model.pane_layout import VOLUME


def names_on(one: OpenChart) -> list[str]:
    return [study.indicator.name for study in one.chart.indicators.studies]


def test_a_look_goes_along_to_the_next_symbol_until_the_option_is_on(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        window, one = running.window, running.controller.charts.active
        one.chart.indicators.add("ema", {"period": 9})
        window.requests.symbol_requested.emit("ETHUSDT")
        one.chart.indicators.add("rsi")
        window.requests.symbol_requested.emit("BTCUSDT")
        assert names_on(one) == ["EMA", "RSI"]
        assert running.controller.workspace.values() == {}
        window.commands.run("looks_by_symbol")
        window.requests.symbol_requested.emit("ETHUSDT")
        assert names_on(one) == ["EMA", "RSI"]  # not shown before: the look goes along once more
        one.chart.indicators.remove(one.chart.indicators.studies[0].key)
        one.chart.appearance.set_pane_layout(one.chart.appearance.pane_layout.without(VOLUME))
        window.requests.symbol_requested.emit("BTCUSDT")
        assert names_on(one) == ["EMA", "RSI"]
        assert VOLUME in one.chart.appearance.pane_layout.keys
        window.requests.symbol_requested.emit("ETHUSDT")
        assert names_on(one) == ["RSI"]
        assert VOLUME not in one.chart.appearance.pane_layout.keys
        await until(lambda: has_candles(one))

    play(scene)


def test_the_bar_shows_the_style_that_came_back(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        window, one = running.window, running.controller.charts.active
        window.commands.run("looks_by_symbol")
        window.requests.symbol_requested.emit("ETHUSDT")
        style = one.chart.chart_style
        one.chart._panes.change_style(type(style).from_values({**style.to_values(), "kind": "line"}))
        shown = window.top_bar.chart_button.text()
        window.requests.symbol_requested.emit("BTCUSDT")
        assert window.top_bar.chart_button.text() != shown
        window.requests.symbol_requested.emit("ETHUSDT")
        assert window.top_bar.chart_button.text() == shown

    play(scene)


def test_looks_are_each_charts_own_and_come_back_at_the_next_start(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        controller, window = running.controller, running.window
        window.commands.run("looks_by_symbol")
        window.requests.symbol_requested.emit("ETHUSDT")
        first = controller.charts.active
        first.chart.indicators.add("rsi")
        controller.workspace.run("split_right")
        second = controller.charts.active
        second.chart.indicators.add("macd")
        for one in (first, second):
            controller.show_on(one, "SOLUSDT", one.interval)
            for study in one.chart.indicators.studies:
                one.chart.indicators.remove(study.key)
        document = json.loads(json.dumps(controller.workspace.values()))
        assert document == json.loads(json.dumps(controller.workspace.values()))
        (kept,) = read_document(document).all
        assert kept.looks_by_symbol
        assert [sorted(one.looks) for one in kept.charts.values()] == [["BTCUSDT", "ETHUSDT"]] * 2
        controller.remember()
        folder = controller._settings.data_dir / "again"
        folder.mkdir()
        save_state(controller._state, folder)
        async with open_window(settings_again(folder, server)) as again:
            charts = again.controller.charts
            assert [one.symbol for one in charts.all] == ["SOLUSDT", "SOLUSDT"]
            for one in charts.all:
                again.controller.show_on(one, "ETHUSDT", one.interval)
            assert sorted(map(names_on, charts.all)) == [["RSI"], ["RSI", "MACD"]]
            for one in charts.all:
                again.controller.show_on(one, "BTCUSDT", one.interval)
            assert list(map(names_on, charts.all)) == [[], []]
            await until(lambda: all(map(has_candles, charts.all)))

    play(scene)


def test_only_the_newest_looks_of_a_chart_are_kept(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        one, looks = running.controller.charts.active, running.controller.workspace.looks
        looks.is_on = True
        for at in range(MOST_LOOKS + 5):
            before, one.symbol = one.symbol, f"S{at}USDT"
            looks.change(one, before)
        assert len(looks.of(one)) == MOST_LOOKS
        assert "BTCUSDT" not in looks.of(one)
        one.symbol = "BTCUSDT"

    play(scene)


def test_a_file_with_too_many_or_senseless_looks_keeps_the_usable_ones() -> None:
    looks = {f"S{at}": {"style": {}} for at in range(MOST_LOOKS + 3)} | {"": {}, "X": 7}
    chart = {"key": 1, "symbol": "BTCUSDT", "interval": "1m", "looks": looks}
    document = {"workspaces": [{"name": "Main", "charts": [chart], "looks by symbol": "yes"}]}
    found = workspaces_from_values(document)
    assert found is not None
    (one,) = found.all
    assert not one.looks_by_symbol
    assert list(one.charts[1].looks) == [f"S{at}" for at in range(3, MOST_LOOKS + 3)]
    assert not one.is_plain
