"""The menu of themes: like the system, dark or light; and the colours of rising and falling."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMenu, QWidget

from widgets.theme import style
from widgets.theme.palettes import BLUE_ORANGE, GREEN_RED, SYSTEM

_PERCENTS = (80, 90, 100, 110, 125, 150, 175, 200)


class TextSizeMenu(QMenu):
    """
    Ticks what is chosen, whatever it is.

    Signals:
        percent_chosen(int): the user chose another size.
    """

    percent_chosen = Signal(int)

    def __init__(self, parent: QWidget) -> None:
        super().__init__("Text size", parent)
        self.setFont(style.font())
        self._group = QActionGroup(self)
        self._sizes: dict[int, QAction] = {}
        for percent in _PERCENTS:
            self._add(percent)
        self.tick(100)

    def tick(self, percent: int) -> None:
        """Show this as the chosen size, besides the usual ones."""
        # None is taken away: it may be the one that is being triggered.
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


_THEMES = {SYSTEM: "Like the system", "dark": "Dark", "light": "Light"}
_COLOURS = {GREEN_RED: "Green and red", BLUE_ORANGE: "Blue and orange (colour-blind safe)"}


class ThemeMenu(QMenu):
    """
    Ticks what is chosen.

    Signals:
        theme_chosen(str), colours_chosen(str): the user chose another; carry its name.
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
        """Show these as the chosen ones."""
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
