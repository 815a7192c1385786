"""What bars are made of: buttons with an icon, dividers, and the » menu of what a narrow bar has no room for."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QFrame, QMenu, QToolButton, QWidget

from widgets.theme import style

ICON_PX = 16


def tool_button(name: str, tip: str) -> QToolButton:
    """Return a button for an icon and a text beside it; a click leaves the focus where it is."""
    button = QToolButton()
    button.setAccessibleName(name)
    button.setToolTip(tip)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    style.sized(button, icon_size=ICON_PX)
    return button


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
