"""The system's colour scheme, dark or light, which may change while the program runs."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QGuiApplication

from widgets.theme.palettes import SYSTEM

_SCHEMES = {"dark": Qt.ColorScheme.Dark, "light": Qt.ColorScheme.Light}


class SystemScheme(QObject):
    """
    Follows the system's colour scheme; a system without one counts as dark.

    Signals:
        changed: ``is_dark`` has changed.
    """

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._hints = QGuiApplication.styleHints()
        self.is_dark = self._hints.colorScheme() != Qt.ColorScheme.Light
        self._hints.colorSchemeChanged.connect(self._take)

    def request(self, theme: str) -> None:
        """Ask the system to draw its own parts, such as title bars and file dialogs, in this theme."""
        self._hints.setColorScheme(_SCHEMES.get(theme, Qt.ColorScheme.Unknown))
        if theme == SYSTEM:
            self._take(self._hints.colorScheme())

    def _take(self, scheme: Qt.ColorScheme) -> None:
        is_dark = scheme != Qt.ColorScheme.Light
        if is_dark != self.is_dark:
            self.is_dark = is_dark
            self.changed.emit()
