"""Tells the user one sentence that needs no answer."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMessageBox, QWidget

from widgets.theme import style


def tell(parent: QWidget, sentence: str) -> QMessageBox:
    """Show ``sentence`` over ``parent`` until the user closes it; return at once."""
    box = QMessageBox(QMessageBox.Icon.Warning, "cryptopipe", sentence, QMessageBox.StandardButton.Ok, parent)
    box.setTextFormat(Qt.TextFormat.PlainText)
    box.setFont(style.font())
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.open()
    return box
