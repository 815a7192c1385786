"""Opens the About dialog with what the program is made of."""

from __future__ import annotations

from app.concurrency.background import in_background
from app.concurrency.tasks import Tasks
from app.runtime.components import components, own_component
from widgets.dialogs.about_dialog import AboutDialog
from widgets.view_values import ComponentView
from widgets.window.main_window import MainWindow


class AboutController:
    """Opens the dialog over ``window`` with the program itself, and adds the packages once they are read."""

    def __init__(self, window: MainWindow) -> None:
        self._window = window
        self._tasks = Tasks("the About dialog")

    def open(self) -> None:
        """Open the dialog, or bring the open one to the front."""
        dialog = self._window.findChild(AboutDialog)
        if dialog is None:
            dialog = AboutDialog(ComponentView(*own_component()), self._window)
            reading = self._tasks.begin(self._add_packages(dialog))
            dialog.finished.connect(lambda: reading.cancel())
            dialog.finished.connect(dialog.deleteLater)
        dialog.open()
        dialog.raise_()

    async def stop(self) -> None:
        """Stop reading; the dialog closes with its window."""
        await self._tasks.end()

    async def _add_packages(self, dialog: AboutDialog) -> None:
        # Half a second of reading small files: on the loop it would stop the chart and whatever arrives.
        found = await in_background(components, "licences")
        dialog.add_packages([ComponentView(*each) for each in found[1:]])
