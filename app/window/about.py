"""Opens the About dialog with what the program is made of."""

from __future__ import annotations

from app.runtime.components import components
from widgets.dialogs.about_dialog import AboutDialog
from widgets.view_values import ComponentView
from widgets.window.main_window import MainWindow


def open_about(window: MainWindow) -> None:
    """Open the dialog over ``window``, or bring the open one to the front."""
    dialog = window.findChild(AboutDialog)
    if dialog is None:
        dialog = AboutDialog([ComponentView(*each) for each in components()], window)
        dialog.finished.connect(dialog.deleteLater)
    dialog.open()
    dialog.raise_()
