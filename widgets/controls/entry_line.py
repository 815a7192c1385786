"""A popup with one line to type a value into, and under it the value in words, or why there is none."""

from __future__ import annotations

from abc import abstractmethod
from typing import Generic, TypeVar

from PySide6.QtCore import QSize
from PySide6.QtWidgets import QLineEdit, QVBoxLayout, QWidget

from app.market.errors import UsageError
from widgets.controls.labels import label
from widgets.controls.popup import Popup
from widgets.theme import style

Value = TypeVar("Value")


class EntryLine(Popup, Generic[Value]):
    """
    ``heading``, ``edit``, and ``message`` below them. Enter hands on a valid value and closes.

    An invalid value gets a hint while the user is typing, and the error only on Enter: it may not be complete yet.
    """

    WIDTH = 320

    def __init__(self, window: QWidget, heading: str) -> None:
        super().__init__(window)
        self.edit = QLineEdit()
        self.message = label("", "dim", style.font(12))
        self.message.setWordWrap(True)
        self._layout = layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 12, 12, 12)
        layout.setSpacing(8)
        layout.addWidget(label(heading, "faint", style.head_font()))
        layout.addWidget(self.edit)
        layout.addWidget(self.message)
        self.edit.textChanged.connect(self._describe)
        self.edit.returnPressed.connect(self._enter)

    @abstractmethod
    def _read(self, text: str) -> Value:
        """
        Return the value typed.

        Raises:
            UsageError: If it is invalid; its text is shown.
        """

    @abstractmethod
    def _meaning(self, value: Value) -> str:
        """Return the value in words, and what Enter will do."""

    @abstractmethod
    def _hint(self) -> str:
        """Return what can be typed."""

    @abstractmethod
    def _take(self, value: Value) -> None:
        """Hand on the value; called on Enter."""

    def sizeHint(self) -> QSize:
        width = style.px(self.WIDTH)
        height = self._layout.totalHeightForWidth(width)
        return QSize(width, height if height > 0 else super().sizeHint().height())

    def _describe(self) -> None:
        try:
            self._say(self._meaning(self._read(self.edit.text())), "dim")
        except UsageError:
            self._say(self._hint(), "dim")

    def _enter(self) -> None:
        try:
            value = self._read(self.edit.text())
        except UsageError as error:
            self._say(str(error), "warning")
            return
        self.dismiss()
        self._take(value)

    def _say(self, text: str, tone: str) -> None:
        self.message.setText(text)
        style.set_tone(self.message, tone)
        self.adjustSize()  # the message may need another line
