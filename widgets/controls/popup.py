"""
A panel over the window that closes by itself: on Esc, on a click elsewhere, or when the focus moves elsewhere.

It is a child of the window, not a window of its own: so it needs neither a grab nor a position on the screen, and
behaves the same on X11, Wayland, Windows and macOS.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPoint, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QApplication, QFrame, QWidget

from widgets.theme.palettes import Palette


class Popup(QFrame):
    """
    A floating panel inside ``window``, which comes to the front for it. Closing returns the focus to the widget that
    had it before, which may be in another window of the program.
    """

    _MARGIN = 8

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self.setObjectName("popup")
        self._focus_before: QWidget | None = None
        self.hide()

    def open_at(self, top_left: QPoint, focus: QWidget) -> None:
        """
        Show the panel and focus one of its parts.

        Its corner is at ``top_left`` (window coordinates), moved left and up where the panel would not fit.
        """
        self.adjustSize()
        x = min(top_left.x(), self._window.width() - self.width() - self._MARGIN)
        y = min(top_left.y(), self._window.height() - self.height() - self._MARGIN)
        self.move(max(self._MARGIN, x), max(self._MARGIN, y))
        if not self.isVisible():
            self._focus_before = QApplication.focusWidget()
            application = QApplication.instance()
            assert isinstance(application, QApplication)
            application.installEventFilter(self)  # while open only: Python is called for every event
            application.focusChanged.connect(self._follow_focus)
        self.show()
        self.raise_()
        focus.setFocus(Qt.FocusReason.PopupFocusReason)
        _bring_to_front(self._window)

    def dismiss(self) -> None:
        """Close the panel, and do nothing else."""
        if self.isHidden():
            return
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        application.removeEventFilter(self)
        application.focusChanged.disconnect(self._follow_focus)
        focus = QApplication.focusWidget()
        had_focus = focus is not None and self.isAncestorOf(focus)
        self.hide()
        if had_focus and self._focus_before is not None:
            self._focus_before.setFocus(Qt.FocusReason.PopupFocusReason)
            _bring_to_front(self._focus_before)
        self._focus_before = None

    def set_palette(self, palette: Palette) -> None:
        """Use these colours for what the window's stylesheet does not cover. To be extended."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.MouseButtonPress and isinstance(watched, QWidget) and not self._holds(watched):
            self.dismiss()
        return False

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.dismiss()
        # No key goes on to the window: a digit typed here must not open the interval entry.
        event.accept()

    def _follow_focus(self, _: QWidget | None, now: QWidget | None) -> None:
        # None: another program is in front. The panel stays open until the user is back.
        if now is not None and not self._holds(now):
            self.dismiss()

    def _holds(self, widget: QWidget) -> bool:
        # A menu or a list that drops down from the panel is a window of its own, and part of the panel all the same.
        window = widget.window()
        is_beside = window is not self.window() and window.windowType() is not Qt.WindowType.Window
        return widget is self or self.isAncestorOf(widget) or is_beside


def _bring_to_front(part: QWidget) -> None:
    """Let the keyboard reach a part's window, if another window of the program has it."""
    active, window = QApplication.activeWindow(), part.window()
    if active is not None and active is not window:
        if window.isMinimized():
            window.showNormal()
        window.raise_()
        window.activateWindow()
