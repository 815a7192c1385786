"""A window of its own for some charts, on any screen: a grid, and nothing around it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QRect, Signal
from PySide6.QtGui import QCloseEvent, QGuiApplication, QKeyEvent, QMoveEvent, QResizeEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from widgets.theme import style
from widgets.theme.palettes import Palette
from widgets.window.keyboard import WindowKeyboard
from widgets.window.window_placement import fitted_to
from widgets.workspace.chart_grid import ChartGrid

_FIRST_WIDTH, _FIRST_HEIGHT = 900, 640
_SMALLEST = 320, 240


class DetachedWindow(QWidget):
    """
    The window around ``grid``. ``keyboard_for``: makes the keyboard of a window that takes the main window's commands.

    Signals:
        closed: The user closed it; its charts are the receiver's to take back.
        placed: It was moved, or got another size.
    """

    closed = Signal()
    placed = Signal()

    def __init__(self, grid: ChartGrid, keyboard_for: Callable[[QWidget], WindowKeyboard]) -> None:
        super().__init__()
        self.setObjectName("detachedWindow")
        self.setWindowTitle("cryptopipe")
        self.setMinimumSize(*_SMALLEST)
        self.setFont(style.font())
        self._may_close = False
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.addWidget(grid)
        self._keyboard = keyboard_for(self)
        self.resize(_FIRST_WIDTH, _FIRST_HEIGHT)

    def place_at(self, place: tuple[int, int, int, int] | None) -> None:
        """Stand there, as far as there is a screen now: left, top, width and height; None: where the system likes."""
        if place is None:
            return
        wanted = QRect(*place)
        screen = QGuiApplication.screenAt(wanted.center()) or QGuiApplication.primaryScreen()
        self.setGeometry(fitted_to(wanted, screen.availableGeometry(), (0, 0, 0, 0)))

    def place(self) -> tuple[int, int, int, int]:
        """Return left, top, width and height, for `place_at` at the next start."""
        now = self.normalGeometry() if self.isMaximized() else self.geometry()
        return now.x(), now.y(), now.width(), now.height()

    def set_palette(self, palette: Palette) -> None:
        """Change the colours of everything but the charts."""
        sheet = style.stylesheet(palette)
        if sheet != self.styleSheet():
            self.setStyleSheet(sheet)

    def follow_keys(self) -> None:
        """Use the keys that are in force now."""
        self._keyboard.follow_keys()

    def end(self) -> None:
        """Close for good."""
        self._may_close = True
        self.close()
        self.deleteLater()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not self._keyboard.handle(event):
            super().keyPressEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        if self._may_close:
            super().closeEvent(event)
            return
        event.ignore()
        self.closed.emit()

    def moveEvent(self, event: QMoveEvent) -> None:
        super().moveEvent(event)
        self.placed.emit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.placed.emit()
