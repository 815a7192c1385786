"""What bars are made of: buttons with an icon, dividers, and the » menu of what a narrow bar has no room for."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPoint, QSize, Qt
from PySide6.QtGui import QIcon, QPaintEvent
from PySide6.QtWidgets import (
    QFrame,
    QMenu,
    QStyle,
    QStyleOptionToolButton,
    QStylePainter,
    QToolButton,
    QWidget,
)

from widgets.theme import icons, style
from widgets.theme.palettes import DARK, Palette

ICON_PX = 16
_ARROW_PX, _ARROW_GAP_PX, _ARROW_MARGIN_PX = 12, 5, 6


class ChoiceButton(QToolButton):
    """A button that opens a list or a menu: after its text it has the arrow that says so."""

    def __init__(self, name: str = "", tip: str = "") -> None:
        super().__init__()
        _prepare(self, name, tip)
        self._palette = DARK

    def set_palette(self, palette: Palette) -> None:
        self._palette = palette
        self.update()

    @property
    def _room_px(self) -> int:
        """The width that the arrow takes; nothing where the text is left out."""
        with_text = self.toolButtonStyle() != Qt.ToolButtonStyle.ToolButtonIconOnly
        return style.px(_ARROW_PX) + _ARROW_GAP_PX if with_text else 0

    def sizeHint(self) -> QSize:
        return super().sizeHint() + QSize(self._room_px, 0)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        room = self._room_px
        if not room:
            super().paintEvent(event)
            return
        painter, option = QStylePainter(self), QStyleOptionToolButton()
        self.initStyleOption(option)
        label = QStyleOptionToolButton(option)
        option.text, option.icon = "", QIcon()
        painter.drawComplexControl(QStyle.ComplexControl.CC_ToolButton, option)
        label.rect.setRight(label.rect.right() - room)
        painter.drawControl(QStyle.ControlElement.CE_ToolButtonLabel, label)
        side = style.px(_ARROW_PX)
        colour = self._palette.text if self.underMouse() else self._palette.dim
        arrow = icons.pixmap("chevron-down", colour, side, self.devicePixelRatioF())
        painter.drawPixmap(QPoint(self.width() - _ARROW_MARGIN_PX - side, (self.height() - side) // 2 + 1), arrow)
        painter.end()


def tool_button(name: str, tip: str) -> QToolButton:
    """Return a button for an icon and a text beside it; a click leaves the focus where it is."""
    button = QToolButton()
    _prepare(button, name, tip)
    return button


def _prepare(button: QToolButton, name: str, tip: str) -> None:
    button.setAccessibleName(name)
    button.setToolTip(tip)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    style.sized(button, icon_size=ICON_PX)


def divider(height: int = 24) -> QFrame:
    """Return an upright line between two groups of a bar; ``height`` in logical pixels."""
    line = QFrame()
    line.setObjectName("divider")
    line.setFixedSize(1, height)
    return line


class OverflowMenu(QMenu):
    """What a bar has no room for, with icon, text and key."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("overflowMenu")
        self.setFont(style.font())

    def add(
        self, icon: QIcon, text: str, key: str, call: Callable[[], object], *, is_checked: bool | None = None
    ) -> None:
        """Add an entry; ``key`` stands at its right, and is text only. ``is_checked``: None for a plain one."""
        action = self.addAction(icon, f"{text}\t{key}" if key else text)
        if is_checked is not None:
            action.setCheckable(True)
            action.setChecked(is_checked)
        action.triggered.connect(lambda: call())
