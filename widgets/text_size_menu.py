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
        self.tick(100)

    def tick(self, percent: int) -> None:
        """Show this as the chosen size, besides the usual ones."""
        self.clear()
        self._sizes = {each: self._add(each) for each in sorted({*_PERCENTS, percent})}
        self._sizes[percent].setChecked(True)

    def _add(self, percent: int) -> QAction:
        action = self.addAction(f"{percent} %" if percent != 100 else "100 % (like the system)")
        action.setCheckable(True)
        self._group.addAction(action)
        action.triggered.connect(lambda: self.percent_chosen.emit(percent))
        return action
