"""The page of alerts in the side panel. What it holds is made, and loaded, when it is first shown."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QFrame, QVBoxLayout

from widgets.theme.palettes import DARK, Palette

if TYPE_CHECKING:  # the window opens without
    from widgets.alerts.alert_list import AlertList


class AlertsPage(QFrame):
    """
    Holds ``list``, once it was shown or is asked for.

    Signals:
        shown(): it came into view.
    """

    shown = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("alertsPage")
        self._palette = DARK
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)

    @cached_property
    def list(self) -> AlertList:
        """The list with its head."""
        from widgets.alerts.alert_list import AlertList

        made = AlertList()
        made.set_palette(self._palette)
        self._column.addWidget(made)
        return made

    @property
    def is_made(self) -> bool:
        """Whether there is a list."""
        return "list" in self.__dict__

    def set_palette(self, palette: Palette) -> None:
        """Draw in a palette, and in the present size of text."""
        self._palette = palette
        if self.is_made:
            self.list.set_palette(palette)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.shown.emit()

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())
