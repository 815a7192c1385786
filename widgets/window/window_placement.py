"""
Where the window stands on the screen, and how large it is: what one asks for is bounded by the screen there is.

A saved geometry may be of a screen that is gone or has another size. Large text never enlarges the window: the least
size is the same for all sizes of text, and the parts make do with it.
"""

from __future__ import annotations

import time

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtWidgets import QApplication, QMainWindow, QWidget

FIRST_SIZE = QSize(1440, 900)  # of the first start, where the screen has room
SMALLEST_SIZE = QSize(640, 480)
_TITLE_BAR_PX = 40  # the highest of the usual desktops; a window learns its own only once it is shown

_EXPOSED_S = 0.25  # a window manager may be slow, or not show a window that starts minimised
_POLL_S = 0.002


def place_first(window: QMainWindow) -> None:
    """Give the window the size of a first start, and its least size."""
    available = window.screen().availableSize()
    window.setMinimumSize(SMALLEST_SIZE.boundedTo(available))
    window.resize(FIRST_SIZE.boundedTo(available - QSize(0, _TITLE_BAR_PX)))


def keep_on_screen(window: QMainWindow) -> None:
    """Move and shrink a window, where needed, to lie wholly within its screen."""
    if window.windowState() & (Qt.WindowState.WindowMaximized | Qt.WindowState.WindowFullScreen):
        return  # the window manager fits those
    fitted = fitted_to(window.frameGeometry(), window.screen().availableGeometry(), _frame_of(window))
    if fitted != window.geometry():
        window.setGeometry(fitted)


def fitted_to(frame: QRect, available: QRect, margins: tuple[int, int, int, int]) -> QRect:
    """
    Return the geometry, without its frame, of a window that has ``frame`` and should lie within ``available``.

    ``margins``: the frame's left, top, right and bottom.
    """
    left, top, right, bottom = margins
    size = frame.size().boundedTo(available.size())
    x = min(max(frame.x(), available.left()), available.right() + 1 - size.width())
    y = min(max(frame.y(), available.top()), available.bottom() + 1 - size.height())
    return QRect(x, y, size.width(), size.height()).adjusted(left, top, -right, -bottom)


def show_painted(window: QMainWindow) -> None:
    """
    Show the window and return once its first frame is on the screen, or after `_EXPOSED_S`.

    What follows may keep the loop busy; until its first frame a window shows whatever was there before it.
    """
    window.show()
    handle, end_s = window.windowHandle(), time.monotonic() + _EXPOSED_S
    QApplication.processEvents()
    while not handle.isExposed() and time.monotonic() < end_s:
        time.sleep(_POLL_S)
        QApplication.processEvents()


def toggle_full_screen(window: QMainWindow) -> None:
    """Fill the screen, or go back to the size before, be that maximized."""
    window.setWindowState(window.windowState() ^ Qt.WindowState.WindowFullScreen)


def bring_to_front(window: QWidget) -> None:
    """Show a window or dialog over the others and give it the focus, as far as the desktop lets a program do so."""
    window.setWindowState(window.windowState() & ~Qt.WindowState.WindowMinimized)
    window.show()
    window.raise_()
    window.activateWindow()


def _frame_of(window: QMainWindow) -> tuple[int, int, int, int]:
    frame, inner = window.frameGeometry(), window.geometry()
    return (
        inner.left() - frame.left(),
        inner.top() - frame.top(),
        frame.right() - inner.right(),
        frame.bottom() - inner.bottom(),
    )
