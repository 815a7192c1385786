"""A slim bar for one sentence that the user must not miss, with buttons that do something about it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QPushButton, QWidget

from widgets.controls.labels import label
from widgets.theme import icons, style
from widgets.theme.palettes import DARK, Palette

_HEIGHT_PX, _SIGN_PX, _GAP_PX = 40, 16, 10
_LEAST_TEXT_PX = 240  # in less room than that the sentence stands above its buttons


class NoticeAction(Enum):
    """What a button of a notice does; the window passes each on as a signal."""

    RETRY_DATABASE = "retry database"
    CHOOSE_DATABASE = "choose database"
    RETRY_FEED = "retry feed"
    OPEN_SIMULATED_MARKET = "open simulated market"
    COPY_HISTORY_COMMAND = "copy history command"
    DISMISS = "dismiss"
    CANCEL_FETCH = "cancel fetch"
    DISMISS_LAKE = "dismiss lake"

    @property
    def label(self) -> str:
        return _LABELS[self]


_LABELS = {
    NoticeAction.RETRY_DATABASE: "Retry",
    NoticeAction.CHOOSE_DATABASE: "Database…",
    NoticeAction.RETRY_FEED: "Retry",
    NoticeAction.OPEN_SIMULATED_MARKET: "Use the simulated market",
    NoticeAction.COPY_HISTORY_COMMAND: "Copy command",
    NoticeAction.DISMISS: "Dismiss",
    NoticeAction.CANCEL_FETCH: "Cancel",
    NoticeAction.DISMISS_LAKE: "Dismiss",
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
        self.sign = QLabel()
        self.text = label()
        self.text.setWordWrap(True)
        self._palette = DARK
        self._is_trouble = True
        self.buttons: dict[NoticeAction, QPushButton] = {}
        self._button_row = QWidget(self)
        row = self._buttons_layout = QHBoxLayout(self._button_row)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(_GAP_PX)
        row.addStretch(1)
        self._is_below: bool | None = None  # whether the buttons stand below the sentence
        self._layout = QGridLayout(self)
        self._layout.setContentsMargins(16, 4, 12, 4)
        self._layout.setHorizontalSpacing(_GAP_PX)
        self._layout.setVerticalSpacing(4)
        self._layout.setColumnStretch(1, 1)
        self._layout.addWidget(self.sign, 0, 0)
        self._layout.addWidget(self.text, 0, 1)
        self.set_palette(DARK)
        self.hide()

    def set_notice(self, text: str, actions: Sequence[NoticeAction] = (), *, is_trouble: bool = True) -> None:
        """
        Show ``text`` and a button for each action, in order. Buttons that stay are not made again.

        ``is_trouble``: something is wrong, so the sign before it is a warning's.
        """
        if is_trouble is not self._is_trouble:
            self._is_trouble = is_trouble
            self.set_palette(self._palette)
        if text != self.text.text():
            self.text.setText(text)
            self.text.setToolTip(text)
            self.setAccessibleName(text)
            self._fit()
        # A sentence that counts down changes every second: new buttons each time would vanish under the mouse.
        if tuple(actions) != tuple(self.buttons):
            for button in self.buttons.values():
                button.setParent(None)
                button.deleteLater()
            self.buttons = {action: self._add_button(action) for action in actions}
            self._fit()
        if self.isHidden():
            self.show()
            self._fit()

    def clear_notice(self) -> None:
        """Hide the bar."""
        self.hide()

    def set_palette(self, palette: Palette) -> None:
        self._palette = palette
        size = style.px(_SIGN_PX)
        name, colour = ("warning", palette.warning) if self._is_trouble else ("info", palette.dim)
        self.sign.setPixmap(icons.pixmap(name, colour, size, self.devicePixelRatioF()))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self._fit()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            QTimer.singleShot(0, self, self._fit)  # after Qt has given every part its new font

    def _fit(self) -> None:
        """Make the bar as high as the whole sentence needs, and the sign as large as the text."""
        self.set_palette(self._palette)
        beside = self.width() - self._button_row.sizeHint().width() - style.px(_SIGN_PX) - 28 - 2 * _GAP_PX
        is_below = bool(self.buttons) and beside < style.px(_LEAST_TEXT_PX)
        if is_below != self._is_below:
            self._is_below = is_below
            self._layout.removeWidget(self._button_row)
            self._layout.addWidget(self._button_row, 1 if is_below else 0, 1 if is_below else 2)
        self._layout.activate()
        height = max(style.px(_HEIGHT_PX), self._layout.totalHeightForWidth(self.width()))
        if height != self.height():
            self.setFixedHeight(height)
        for layout in (self._layout, self._buttons_layout):
            layout.activate()  # at once: a button may be pressed before the next turn of the loop

    def _add_button(self, action: NoticeAction) -> QPushButton:
        button = QPushButton(action.label)
        button.setFont(style.font(12))
        button.clicked.connect(lambda: self.action_requested.emit(action))
        self._buttons_layout.addWidget(button)
        button.show()  # at once, so that its size counts
        return button
