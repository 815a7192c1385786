"""Whether the system is dark or light, as it changes while the program runs."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QGuiApplication

from widgets.theme.palettes import SYSTEM

_SCHEMES = {"dark": Qt.ColorScheme.Dark, "light": Qt.ColorScheme.Light}


class SystemScheme(QObject):
    """
    Watches the system's colour scheme; a system that has none counts as dark.

    Signals:
        changed(): ``is_dark`` is another.
    """

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._hints = QGuiApplication.styleHints()
        self.is_dark = self._hints.colorScheme() != Qt.ColorScheme.Light
        self._hints.colorSchemeChanged.connect(self._take)

    def request(self, theme: str) -> None:
        """Have what the system draws of the window, its title bar and file dialogs, follow a theme too."""
        self._hints.setColorScheme(_SCHEMES.get(theme, Qt.ColorScheme.Unknown))
        if theme == SYSTEM:
            self._take(self._hints.colorScheme())

    def _take(self, scheme: Qt.ColorScheme) -> None:
        is_dark = scheme != Qt.ColorScheme.Light
        if is_dark != self.is_dark:
            self.is_dark = is_dark
            self.changed.emit()
