"""A slim bar for one sentence that the user must not miss, with buttons that do something about it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QWidget

from widgets.controls.labels import ElidedLabel
from widgets.theme import icons, style
from widgets.theme.palettes import DARK, Palette


class NoticeAction(Enum):
    """What a button of a notice does; the window passes each on as a signal."""

    RETRY_DATABASE = "retry database"
    CHOOSE_DATABASE = "choose database"
    RETRY_FEED = "retry feed"
    OPEN_SIMULATED_MARKET = "open simulated market"
    DISMISS = "dismiss"

    @property
    def label(self) -> str:
        return _LABELS[self]


_LABELS = {
    NoticeAction.RETRY_DATABASE: "Retry",
    NoticeAction.CHOOSE_DATABASE: "Database…",
    NoticeAction.RETRY_FEED: "Retry",
    NoticeAction.OPEN_SIMULATED_MARKET: "Use the simulated market",
    NoticeAction.DISMISS: "Dismiss",
}


class NoticeBar(QWidget):
    """
    Shows a sentence and its buttons; hidden while there is none.

    Signals:
        action_requested: A button was pressed; carries its `NoticeAction`.
    """

    action_requested = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("notice")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        style.sized(self, fixed_height=40)
        self.sign = QLabel()
        self.text = ElidedLabel()
        self.buttons: dict[NoticeAction, QPushButton] = {}
        self._layout = QHBoxLayout(self)
        self._layout.setContentsMargins(16, 0, 12, 0)
        self._layout.setSpacing(10)
        self._layout.addWidget(self.sign)
        self._layout.addWidget(self.text, 1)
        self.set_palette(DARK)
        self.hide()

    def set_notice(self, text: str, actions: Sequence[NoticeAction] = ()) -> None:
        """Show ``text`` and a button for each action, in order. Buttons that stay are not made again."""
        if text != self.text.text():
            self.text.setText(text)
            self.text.setToolTip(text)
            self.setAccessibleName(text)
        # A sentence that counts down changes every second: new buttons each time would vanish under the mouse.
        if tuple(actions) != tuple(self.buttons):
            for button in self.buttons.values():
                self._layout.removeWidget(button)
                button.deleteLater()
            self.buttons = {action: self._add_button(action) for action in actions}
        if self.isHidden():
            self.show()

    def clear_notice(self) -> None:
        """Hide the bar."""
        self.hide()

    def set_palette(self, palette: Palette) -> None:
        self.sign.setPixmap(icons.pixmap("warning", palette.warning, 16, self.devicePixelRatioF()))

    def _add_button(self, action: NoticeAction) -> QPushButton:
        button = QPushButton(action.label)
        button.setFont(style.font(12))
        button.clicked.connect(lambda: self.action_requested.emit(action))
        self._layout.addWidget(button)
        return button
