"""What the user chooses for the look: shown at once on the window and every chart, and remembered."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from app.market.interval import Interval
from app.sandbox.server.server import SandboxServer
from app.window.appearance import show_state
from app.window.state.symbol_lists import SymbolLists
from app.window.state.window_state import WindowState
from tests.end_to_end.helpers import Running
from tests.window.playing import Play
from widgets.theme import text_size
from widgets.theme.palettes import BLUE_ORANGE


def test_a_choice_is_shown_on_the_window_and_every_chart_and_remembered(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        window, controller, state = running.window, running.controller, running.controller._state
        saves: list[str] = []
        controller.workspace.run("split_right")
        controller.state_changed.connect(lambda: saves.append(state.theme))
        state.lasting_theme = "dark"  # a start with another theme than the remembered one
        window.requests.theme_requested.emit("light")
        window.requests.candle_colours_requested.emit(BLUE_ORANGE)
        assert (state.theme, state.lasting_theme, state.candle_colours) == ("light", None, BLUE_ORANGE)
        assert window.colours.name == "light"
        assert {one.chart._scene.palette for one in controller.charts.all} == {window.colours}
        assert saves[:2] == ["light", "light"]
        usual = text_size.px(100)
        try:
            window.requests.text_percent_requested.emit(150)
            assert state.text_percent == 150
            assert text_size.px(100) > usual
        finally:
            window.requests.text_percent_requested.emit(100)

    play(scene)


def test_the_bar_says_that_one_may_just_type_until_one_did(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        window, chart = running.window, running.chart
        state = WindowState("BTCUSDT", Interval.parse("1m"), SymbolLists.of([]), "dark")
        window.resize(1500, 800)
        show_state(window, chart, state)
        assert chart.bar.hint.isVisible()
        QTest.keyClick(chart, Qt.Key.Key_5)
        window.interval_entry.dismiss()
        assert not chart.bar.hint.isVisible()
        state.bars = window.layout_values()
        chart.bar.show_hint(True)
        show_state(window, chart, state)
        assert not chart.bar.hint.isVisible()

    play(scene)
