"""
Somebody in front of the real program: presses keys, clicks, waits for what that brings, and looks.

Off screen in the suite. On an X server with a window manager (Xvfb and openbox, say) the same walks run with
``DISPLAY=:77 QT_QPA_PLATFORM=xcb``. With ``WALK_PICTURES=folder`` there is a picture of every
step in that folder.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication, QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu, QWidget

from app import main as program
from app.window.window_controller import WindowController
from tests.end_to_end.helpers import move_mouse, sandbox_process, until
from tests.program import set_surroundings, unchanged_process
from widgets.chart.chart_widget import ChartWidget
from widgets.chart.painting.canvas import ChartCanvas
from widgets.keys import keys_of
from widgets.theme.style import prepare_application

SEED, RATE = 1, 60.0  # of the market that the program is at
LEFT, PLAIN = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
ALT, CONTROL = Qt.KeyboardModifier.AltModifier, Qt.KeyboardModifier.ControlModifier
PICTURES = os.environ.get("WALK_PICTURES", "")
ShownWindow = program._ShownWindow


class Walker:
    """Whoever sits in front of the window: presses keys, clicks, and waits for what that brings."""

    def __init__(self, shown: program._ShownWindow) -> None:
        self.window, self._first_chart = shown.window, shown.chart

    @property
    def controller(self) -> WindowController:
        return self.window.findChild(WindowController)

    @property
    def chart(self) -> ChartWidget:
        """The active chart."""
        controller = self.window.findChild(WindowController)
        return self._first_chart if controller is None else controller.charts.active.chart

    async def wait_for_candles(self) -> None:
        await until(lambda: self.window.findChild(WindowController) is not None)
        await until(lambda: self.controller.session is not None and self.chart.navigator.has_candles, seconds=60)
        await until(lambda: self.controller.session.joined, seconds=60)

    # Keys

    def press(self, key: Qt.Key, modifiers: Qt.KeyboardModifier = PLAIN) -> None:
        """Press a key where the focus is."""
        QTest.keyClick(self._focused(), key, modifiers)

    def give(self, command: str) -> None:
        """Press the keys of a command."""
        keys = QKeySequence(keys_of(command)[0])[0]
        self.press(keys.key(), keys.keyboardModifiers())

    def type(self, text: str) -> None:
        """Type a text where the focus is; the first letter may move it."""
        for letter in text:
            QTest.keyClick(self._focused(), letter)

    def _focused(self) -> QWidget:
        # Off screen, no window is active again once a dialog has closed.
        return QApplication.focusWidget() or self.window.focusWidget() or self.chart.focusProxy()

    async def pick(self, letters: str, name: str) -> None:
        """Type a symbol over the active chart."""
        self.chart.setFocus()
        self.type(letters)
        await until(lambda: self.window.symbol_picker.isVisible() and self.window.symbol_picker.model.rowCount())
        self.press(Qt.Key.Key_Return)
        await until(lambda: self.controller.session.symbol == name)
        await self.wait_for_candles()

    # Mouse

    async def choose(self, text: str) -> None:
        """Click on the entry of the open menu that begins so."""
        await until(lambda: isinstance(QApplication.activePopupWidget(), QMenu))
        menu = QApplication.activePopupWidget()
        assert isinstance(menu, QMenu)
        (action,) = [each for each in menu.actions() if each.text().split("\t")[0].startswith(text)]
        QTest.mouseClick(menu, LEFT, pos=menu.actionGeometry(action).center())
        await self.come_back()

    def double_click(self, part: QWidget, point: QPoint) -> None:
        """Click twice; QTest's own double click lets no button go."""
        QTest.mouseClick(part, LEFT, pos=point)
        QTest.mouseDClick(part, LEFT, pos=point)
        QTest.mouseRelease(part, LEFT, pos=point)

    def click_chart(self, *points: QPoint) -> None:
        """Click on the active chart."""
        for point in points:
            QTest.mouseClick(viewport_of(self.chart), LEFT, pos=point)

    def drag_chart(self, *points: QPoint) -> None:
        """Press at the first point of the active chart, go by the others, and let go at the last."""
        viewport = viewport_of(self.chart)
        QTest.mousePress(viewport, LEFT, pos=points[0])
        for point in points[1:]:
            move_mouse(viewport, point, LEFT)
        QTest.mouseRelease(viewport, LEFT, pos=points[-1])

    # The screen

    async def come_back(self) -> None:
        """Have the main window in front again."""

        def is_in_front() -> bool:
            self.window.activateWindow()  # a desktop does it by itself
            return self.window.isActiveWindow()

        await until(is_in_front)

    async def look(self, name: str) -> None:
        """Leave a picture of the screen, or of the window where there is none, if pictures are wanted."""
        if PICTURES:
            await asyncio.sleep(0.6)  # the pace of the panels
            has_screen = QGuiApplication.platformName() != "offscreen"
            screen = QGuiApplication.primaryScreen()
            picture = screen.grabWindow(0) if has_screen else self.window.grab()
            assert picture.save(f"{PICTURES}/{name}.png"), name


def viewport_of(chart: ChartWidget) -> QWidget:
    """Return the part of a chart that takes the mouse."""
    return chart.findChild(ChartCanvas).viewport()


Steps = Callable[[Any], Coroutine[Any, Any, None]]


@contextmanager
def walks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, data_dir: Path, qapp: QApplication
) -> Iterator[Callable[..., None]]:
    """
    Yield a function that runs the program until it ends, with someone in front of its window.

    It takes the steps, a coroutine function of the walker, and the walker's class.
    """
    prepare_application(qapp)
    qapp.setQuitOnLastWindowClosed(False)

    def run(steps: Steps, walker: Callable[[program._ShownWindow], Walker] = Walker) -> None:
        tasks: list[asyncio.Task[None]] = []

        class Watched(ShownWindow):
            def __init__(self, *arguments: Any, **named: Any) -> None:
                super().__init__(*arguments, **named)
                tasks.append(self.closing.get_loop().create_task(steps(walker(self))))
                # Whatever goes wrong in front of the window, the program ends.
                tasks[0].add_done_callback(lambda task: task.exception() and self.close())

        monkeypatch.setattr(program, "_ShownWindow", Watched)
        with unchanged_process(), quiet():
            assert program.main([]) == 0
        tasks[0].result()

    with sandbox_process("--seed", str(SEED), "--rate", str(RATE)) as environment:
        set_surroundings(monkeypatch, tmp_path, data_dir)
        for kind in ("WS", "REST"):
            name = f"CRYPTOPIPE_BINANCE_{kind}_URL"
            monkeypatch.setenv(name, environment[name])
        monkeypatch.setenv("QT_QPA_PLATFORM", qapp.platformName())
        yield run


@contextmanager
def quiet() -> Iterator[None]:
    """Fail on what the program logs as an error."""
    errors: list[str] = []

    class Collecting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            errors.append(record.getMessage())

    handler = Collecting(logging.ERROR)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
    assert errors == []
