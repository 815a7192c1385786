"""The frame of every dialog: as high as what it shows, and never past the edge of the screen."""

from __future__ import annotations

from PySide6.QtWidgets import QApplication, QDialog, QLabel, QPushButton, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from widgets.controls.dialog_frame import DialogFrame


def test_a_dialog_that_grows_moves_up_instead_of_past_the_edge_of_the_screen(
    qtbot: QtBot, prepared: QApplication
) -> None:
    dialog, body, late = QDialog(), QWidget(), QLabel("shown later")
    qtbot.addWidget(dialog)
    late.setFixedHeight(300)
    late.hide()
    box = QVBoxLayout(body)
    box.addWidget(QLabel("first"))
    box.addWidget(late)
    close = QPushButton("Close")
    frame = DialogFrame(dialog, body, right=[close], width=400)
    dialog.show()
    screen = dialog.screen().availableGeometry()
    dialog.move(50, screen.bottom() - dialog.height() - 20)
    late.show()
    frame.fit()
    assert dialog.height() > 300
    assert dialog.geometry().bottom() <= screen.bottom()
    assert dialog.x() == 50
    late.setFixedHeight(5_000)  # more than the screen has: the body scrolls, the buttons stay
    frame.fit()
    assert screen.contains(dialog.geometry())
    assert dialog.rect().contains(close.mapTo(dialog, close.rect().bottomRight()))
