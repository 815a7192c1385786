"""Drawing in the program's window: the tools, the list, undo, other symbols, and what is there after a restart."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.market.drawings.drawing import DrawingKind
from app.market.interval import Interval
from app.sandbox.market.simulated import SimulatedMarket
from app.sandbox.server.server import SandboxServer
from tests.end_to_end.helpers import Running, open_window, run_on_qt_loop, settings_in, until
from tests.sandbox.helpers import serving
from tests.window.playing import Play, shown
from widgets.chart.painting.canvas import ChartCanvas

LEFT, NO_KEYS = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


def draw_line(running: Running, tool: int = 0, *points: tuple[int, int]) -> None:
    """Draw with the first tool of a group, by the mouse."""
    QTest.mouseClick(running.window.tool_strip.groups[tool], LEFT)
    viewport = running.chart.findChild(ChartCanvas).viewport()
    for point in points:  # without `QTest.mouseMove`, which runs the loop of the events inside of this task
        QTest.mouseClick(viewport, LEFT, NO_KEYS, QPoint(*point))


def test_a_line_is_drawn_listed_undone_and_redone(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        window, chart = running.window, running.chart
        window.resize(1280, 720)
        await until(lambda: shown(running))
        draw_line(running, 0, (200, 150), (320, 220))
        (line,) = chart.drawings.drawings
        assert line.kind is DrawingKind.TREND_LINE
        pages, rows = window.side_panel.pages, window.side_panel.drawings
        assert pages.tabs.tabText(1) == "Drawings 1"
        assert rows.model.drawings == [line]
        assert window.tool_strip.pointer.isChecked()
        undo, redo = (window.tool_strip.commands[name] for name in ("undo_drawing", "redo_drawing"))
        assert (undo.isEnabled(), redo.isEnabled()) == (True, False)
        QTest.mouseClick(undo, LEFT)
        assert chart.drawings.drawings == ()
        assert pages.tabs.tabText(1) == "Drawings"
        assert (undo.isEnabled(), redo.isEnabled()) == (False, True)
        QTest.keyClick(window, Qt.Key.Key_Y, Qt.KeyboardModifier.ControlModifier)
        assert chart.drawings.drawings == (line,)
        rows.locked_requested.emit(line, True)
        assert chart.drawings.drawings[0].locked
        rows.hidden_requested.emit(chart.drawings.drawings[0], True)
        assert chart.drawings.drawings[0].hidden

    play(scene)


def test_each_symbol_has_its_own_and_an_interval_changes_nothing(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        chart = running.chart
        draw_line(running, 2, (200, 150))
        (line,) = chart.drawings.drawings
        running.window.requests.interval_requested.emit(Interval.parse("5m"))
        assert chart.drawings.drawings == (line,)
        await until(lambda: shown(running))
        assert chart.drawings.drawings == (line,)
        running.window.requests.symbol_requested.emit("ETHUSDT")
        assert chart.drawings.drawings == ()
        running.window.requests.symbol_requested.emit("BTCUSDT")
        assert chart.drawings.drawings == (line,)

    play(scene)


def test_tools_of_the_strip_reach_the_chart(play: Play) -> None:
    async def scene(running: Running, server: SandboxServer) -> None:
        strip, chart = running.window.tool_strip, running.chart
        for name, is_on in (
            ("price_snap", lambda: chart.appearance.price_snap),
            ("keep_tool", lambda: chart.drawings.keeps_tool),
            ("lock_drawings", lambda: chart.drawings.is_locked),
            ("hide_drawings", lambda: not chart.drawings.is_shown),
        ):
            assert not strip.commands[name].isChecked()
            QTest.mouseClick(strip.commands[name], LEFT)
            assert is_on()
            assert strip.commands[name].isChecked()
            QTest.mouseClick(strip.commands[name], LEFT)
            assert not is_on()
        QTest.mouseClick(strip.commands["list_drawings"], LEFT)
        assert running.window.side_panel.pages.page is running.window.side_panel.drawings

    play(scene)


def test_a_drawing_and_its_undo_are_there_after_a_restart(qtbot: QtBot, data_dir: Path, tables_url: str) -> None:
    kept = []

    async def work(*, again: bool) -> None:
        async with serving(SimulatedMarket(seed=5)) as server:
            settings = settings_in(data_dir, server.ws_url, server.rest_url, symbols="BTCUSDT", database_url=tables_url)
            async with open_window(settings, simulated=False) as running:
                await until(lambda: shown(running))
                if not again:
                    draw_line(running, 2, (200, 150))
                    kept.extend(running.chart.drawings.drawings)
                    assert len(kept) == 1
                    return
                await until(lambda: running.chart.drawings.drawings == tuple(kept))
                assert running.controller.chart_controller.drawings.undo()
                assert running.chart.drawings.drawings == ()

    run_on_qt_loop(lambda: work(again=False))
    run_on_qt_loop(lambda: work(again=True))
