"""The menu of how large text is, in percent of the system's."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMenu, QWidget

from widgets import style

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
