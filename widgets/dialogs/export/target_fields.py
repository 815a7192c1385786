"""The target fields of the export dialog: a file or, for several files, a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QLayout, QLineEdit, QPushButton

from app.market.errors import UsageError
from app.market.file_format import FileFormat
from widgets.controls.labels import ElidedLabel, label
from widgets.dialogs.export.layout_fields import format_filter
from widgets.dialogs.form_parts import table
from widgets.theme import style


class TargetFields(QObject):
    """
    Builds these fields and reads them. What the user has typed stays; else the suggestions are shown.

    Signals:
        edited: The user named a file or a folder.
    """

    edited = Signal()

    def __init__(self, folder: Path, parent: QObject) -> None:
        super().__init__(parent)
        self._folder = folder
        self._names: Sequence[str] = ()
        self._format = FileFormat.CSV
        self._typed: dict[bool, str] = {}  # by whether it is a folder
        self.path = QLineEdit()
        self.browse_button = QPushButton("Browse…")
        self.browse_button.setAutoDefault(False)
        self.caption = label("File", "dim")
        self.names = ElidedLabel("", "faint", style.font(style.SMALL_PX))
        self.path.textEdited.connect(self.set_path)  # textEdited, not textChanged: a suggestion is no typing
        self.browse_button.clicked.connect(self._browse)

    @property
    def is_folder(self) -> bool:
        """Whether several files go into a folder."""
        return len(self._names) > 1

    @property
    def is_typed(self) -> bool:
        """Whether the user named it; otherwise a file gets the name of the range that is in it."""
        return self.is_folder in self._typed

    def suggest(self, names: Sequence[str], file_format: FileFormat) -> None:
        """Suggest a file of that name or, for several names, a folder for all."""
        self._names, self._format = names, file_format
        caption = "Folder" if self.is_folder else "File"
        self.caption.setText(caption)
        self.path.setAccessibleName(caption)
        suggested = str(self._folder if self.is_folder else self._folder / "".join(names))
        self.path.setText(self._typed.get(self.is_folder, suggested))
        self.names.setText(f"{names[0]} and {len(names) - 1} more" if self.is_folder else "")
        self.names.setVisible(self.is_folder)

    def set_path(self, path: str) -> None:
        """Use this file or folder, and suggest no other from now on."""
        self._typed[self.is_folder] = path
        if self.path.text() != path:
            self.path.setText(path)
        self.edited.emit()

    def chosen_path(self) -> Path:
        """
        Return the file to write, or the folder for several.

        Raises:
            UsageError: If there is no name, no folder that it would be in, or it is the other of the two.
        """
        text = self.path.text().strip()
        path = Path(text).expanduser()
        if self.is_folder:
            if not text or path.is_file():
                raise UsageError("Name the folder for the files.")
        else:
            if not text or path.is_dir():
                raise UsageError(f"Name the file to write, such as candles.{self._format}.")
            if not path.name.lower().endswith(f".{self._format}"):
                raise UsageError(
                    f"“{path.name}” is not the name of a file of this format: let it end in .{self._format}."
                )
        if not path.parent.is_dir():
            raise UsageError(f"The folder “{path.parent}” does not exist: choose another or create it.")
        return path

    def set_editable(self, editable: bool) -> None:
        """Enable or disable the fields."""
        for field in (self.path, self.browse_button):
            field.setEnabled(editable)

    def layout_fields(self) -> QLayout:
        """Return the fields, laid out."""
        rows = table()
        file = QHBoxLayout()
        file.setSpacing(8)
        file.addWidget(self.path, 1)
        file.addWidget(self.browse_button)
        rows.addWidget(self.caption, 0, 0)
        rows.addLayout(file, 0, 1)
        rows.addWidget(self.names, 1, 1)
        return rows

    def _browse(self) -> None:
        window = self.path.window()
        if self.is_folder:
            path = QFileDialog.getExistingDirectory(window, "Export to", self.path.text())
        else:
            # No question here whether to replace a file: it is asked once, when the export starts.
            path, _ = QFileDialog.getSaveFileName(
                window,
                "Export to",
                self.path.text(),
                format_filter(self._format),
                options=QFileDialog.Option.DontConfirmOverwrite,
            )
        if path:
            self.set_path(path)
