"""The chart as a picture: to the clipboard, or to a PNG file that the user chooses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtGui import QGuiApplication, QPixmap
from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

from widgets.chart.interaction.navigator import Navigator
from widgets.chart.model.clipboard_text import time_as_text
from widgets.chart.painting.scene import Scene
from widgets.controls.save_folder import SaveFolder


class PictureExport:
    """
    Exports what ``take`` returns. ``parent``: the parent of the dialogs. ``note``: called with what was done.

    ``folder``: the one suggested, which other exports share.
    """

    def __init__(
        self,
        parent: QWidget,
        take: Callable[[], QPixmap],
        scene: Scene,
        navigator: Navigator,
        note: Callable[[str], object],
    ) -> None:
        self._parent, self._take, self._scene, self._navigator = parent, take, scene, navigator
        self._note = note
        self.folder = SaveFolder()

    def commands(self) -> dict[str, Callable[[], object]]:
        """Return what this does for commands of `widgets.keys`, by the commands' names."""
        return {"copy_picture": self.copy, "save_picture": self.save}

    def copy(self) -> None:
        """Copy the picture to the clipboard."""
        QGuiApplication.clipboard().setPixmap(self._take())
        self._note("Copied: a picture of the chart.")

    def save(self) -> None:
        """Ask for a file and save the picture there, as PNG."""
        pixmap = self._take()  # before the dialog: the market moves on while it is open
        path, _ = QFileDialog.getSaveFileName(
            self._parent, "Save the picture", str(self.folder.path / self._file_name()), "PNG pictures (*.png)"
        )
        if not path:
            return
        file = Path(path if path.lower().endswith(".png") else f"{path}.png")
        if pixmap.save(str(file), "PNG"):
            self.folder.note(file)
            self._note(f"Saved the picture “{file.name}” in {file.parent}.")
        else:
            text = f"The picture could not be written to {path}: choose a folder that you may write to."
            QMessageBox.warning(self._parent, "Save the picture", text)

    def _file_name(self) -> str:
        series, last = self._navigator.series, self._scene.last
        if series is None or last is None:
            return "chart.png"
        # To the minute, and without the colon, which Windows allows in no file name.
        stamp = time_as_text(last.open_time_us, self._scene.time_style.zone.rules)[:16]
        return f"{series.symbol} {series.interval} {stamp.replace(':', '').replace('T', ' ')}.png"
