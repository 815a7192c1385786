"""
The About dialog: the program's name, version and licence, and those of the packages it is made of.

It shows what it is given. The list and the text beside it scroll, so it fits any screen and any size of text.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from widgets.controls.dialog_frame import PADDING_PX, size_first
from widgets.controls.labels import label
from widgets.theme import icons, style
from widgets.view_values import ComponentView

_ICON_PX = 48
_SIZE_PX = (720, 520)


class AboutDialog(QDialog):
    """Shows the program, ``own``, and the packages it is made of as soon as `add_packages` names them."""

    def __init__(self, own: ComponentView, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFont(style.font())
        self.setWindowTitle("About cryptopipe")
        self._components: list[ComponentView] = []
        self.list = QListWidget()
        self.list.setObjectName("packages")
        self.list.setAccessibleName("Packages")
        self.licence = label("", "dim")
        self.licence.setWordWrap(True)
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setTabChangesFocus(True)
        self.text.setAccessibleName("Licence")
        self.text.setFont(style.fixed_font())
        self.close_button = QPushButton("Close")
        self.close_button.setDefault(True)
        self.close_button.clicked.connect(self.accept)
        self._arrange(own)
        self.list.currentRowChanged.connect(self._show_component)
        self.add_packages([own])
        self.list.setCurrentRow(0)
        size_first(self, *_SIZE_PX)

    def add_packages(self, packages: Sequence[ComponentView]) -> None:
        """List these below what is listed; the chosen one stays."""
        self._components += packages
        self.list.addItems([f"{each.name} {each.version}".rstrip() for each in packages])

    def _show_component(self, row: int) -> None:
        component = self._components[row]
        self.licence.setText(f"{component.name} {component.version} · {component.licence}")
        self.text.setPlainText(component.text or "The package brings no text of its licence along.")

    def _arrange(self, own: ComponentView) -> None:
        head = QHBoxLayout()
        head.setSpacing(16)
        icon = QLabel()
        icon.setPixmap(icons.application_icon().pixmap(_ICON_PX, _ICON_PX))
        head.addWidget(icon)
        words = QVBoxLayout()
        words.setSpacing(2)
        for text in (
            label(f"{own.name} {own.version}", "", style.font(style.TITLE_PX)),
            label("Live Binance candles, and every trade in a database of your own.", "dim"),
            label(f"Free software: {own.licence} licence. Made of the packages below.", "dim"),
        ):
            text.setWordWrap(True)
            text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            words.addWidget(text)
        head.addLayout(words, 1)
        beside = QVBoxLayout()
        beside.setSpacing(8)
        beside.addWidget(self.licence)
        beside.addWidget(self.text, 1)
        body = QHBoxLayout()
        body.setSpacing(12)
        body.addWidget(self.list, 1)
        body.addLayout(beside, 2)
        foot = QHBoxLayout()
        foot.addStretch(1)
        foot.addWidget(self.close_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(PADDING_PX, PADDING_PX, PADDING_PX, 12)
        layout.setSpacing(16)
        layout.addLayout(head)
        layout.addLayout(body, 1)
        layout.addLayout(foot)
