"""The About dialog: what it names, and that it fits a small screen and large text."""

from __future__ import annotations

from PySide6.QtCore import QSize
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from tests.widgets.cleanup import close_and_delete
from widgets.dialogs.about_dialog import AboutDialog
from widgets.theme import text_size
from widgets.view_values import ComponentView
from widgets.window.main_window import MainWindow

OWN = ComponentView("cryptopipe", "1.2.3", "MIT", "Permission is hereby granted")
QT = ComponentView("PySide6_Essentials", "6.11.3", "LGPL-3.0-only OR GPL-2.0-only OR GPL-3.0-only", "")


def test_each_package_is_named_with_its_version_and_shows_its_licence_when_chosen(
    window: MainWindow, qtbot: QtBot
) -> None:
    dialog = AboutDialog(OWN, window)
    dialog.open()
    dialog.add_packages([QT])
    assert [dialog.list.item(row).text() for row in range(2)] == ["cryptopipe 1.2.3", "PySide6_Essentials 6.11.3"]
    assert dialog.licence.text() == "cryptopipe 1.2.3 · MIT"
    assert dialog.text.toPlainText() == OWN.text
    dialog.list.setCurrentRow(1)
    assert dialog.licence.text().endswith(QT.licence)
    assert "brings no text" in dialog.text.toPlainText()
    assert dialog.close_button.isDefault()
    dialog.close_button.click()
    assert not dialog.isVisible()


def test_the_dialog_has_room_on_a_small_screen_with_text_twice_as_large(
    window: MainWindow, prepared: QApplication
) -> None:
    dialog = AboutDialog(OWN, window)
    dialog.add_packages([QT, OWN] * 40)
    dialog.open()
    try:
        text_size.set_percent(200)
        QApplication.processEvents()
        assert dialog.minimumSizeHint().width() <= 800
        assert dialog.minimumSizeHint().height() <= 560
        dialog.resize(QSize(800, 560))
        QApplication.processEvents()
        foot = dialog.close_button.mapTo(dialog, dialog.close_button.rect().bottomRight())
        assert dialog.rect().contains(foot)
    finally:
        text_size.set_percent(100)
        close_and_delete(dialog)
