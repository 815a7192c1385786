"""The submenus of the window's menu: the theme, the colours of rising and falling, and the size of text."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMenu, QWidget

from widgets.theme import style
from widgets.theme.palettes import BLUE_ORANGE, GREEN_RED, SYSTEM

_THEMES = {SYSTEM: "Like the system", "dark": "Dark", "light": "Light"}
_COLOURS = {GREEN_RED: "Green and red", BLUE_ORANGE: "Blue and orange (colour-blind safe)"}
_TEXT_PERCENTS = (80, 90, 100, 110, 125, 150, 175, 200)


class ThemeMenu(QMenu):
    """
    Themes, and colours of rising and falling; ticks the current ones.

    Signals:
        theme_chosen, colours_chosen: The user chose one; carry its name.
    """

    theme_chosen = Signal(str)
    colours_chosen = Signal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__("Theme", parent)
        self.setFont(style.font())
        self._themes = self._group(_THEMES, self.theme_chosen.emit)
        self.addSeparator()
        self._colours = self._group(_COLOURS, self.colours_chosen.emit)

    def tick(self, theme: str, colours: str) -> None:
        """Tick these as the current ones."""
        self._themes[theme].setChecked(True)
        self._colours[colours].setChecked(True)

    def _group(self, titles: dict[str, str], choose: Callable[[str], object]) -> dict[str, QAction]:
        group, made = QActionGroup(self), {}
        for name, title in titles.items():
            action = made[name] = self.addAction(title)
            action.setCheckable(True)
            group.addAction(action)
            action.triggered.connect(lambda _checked=False, name=name: choose(name))
        return made


class TextSizeMenu(QMenu):
    """
    Sizes of text; ticks the current one, which need not be one of the usual ones.

    Signals:
        percent_chosen: The user chose a size; carries percent of the system's.
    """

    percent_chosen = Signal(int)

    def __init__(self, parent: QWidget) -> None:
        super().__init__("Text size", parent)
        self.setFont(style.font())
        self._group = QActionGroup(self)
        self._sizes: dict[int, QAction] = {}
        for percent in _TEXT_PERCENTS:
            self._add(percent)
        self.tick(100)

    def tick(self, percent: int) -> None:
        """Tick this as the current size; add it to the menu if it is not one of the usual ones."""
        # No entry is ever removed: it may be the very one whose signal led here.
        if percent not in self._sizes:
            self._add(percent)
        self._sizes[percent].setChecked(True)

    def _add(self, percent: int) -> None:
        action = QAction(f"{percent} %" if percent != 100 else "100 % (like the system)", self._group)
        action.setCheckable(True)
        action.triggered.connect(lambda: self.percent_chosen.emit(percent))
        larger = min((each for each in self._sizes if each > percent), default=None)
        if larger is None:
            self.addAction(action)
        else:
            self.insertAction(self._sizes[larger], action)
        self._sizes[percent] = action
