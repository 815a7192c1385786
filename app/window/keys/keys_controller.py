"""The keys of one data directory: read at the start, saved when the user changes them, imported and exported."""

from __future__ import annotations

import logging
from pathlib import Path

from PySide6.QtCore import QObject

from app.window.keys.key_file import KeyFile, keep_damaged, read_keys, write_keys
from widgets.keys import current_keys
from widgets.window.main_window import MainWindow

logger = logging.getLogger(__name__)

_FILE = "keys.json"


class KeysController(QObject):
    """
    Has a window use the keys of ``data_dir`` from now on, and saves what the user changes.

    Where no keys are saved, those in force stay: so the simulated market, opened in place of the live one, keeps them.
    """

    def __init__(self, window: MainWindow, data_dir: Path) -> None:
        super().__init__(window)
        self._window, self._path = window, data_dir / _FILE
        self._file = KeyFile()
        window.keys_changed.connect(self._save)
        window.requests.keys_import_requested.connect(self._import)
        window.requests.keys_export_requested.connect(self._export)
        if (read := read_keys(self._path)) is not None:
            self._use(read)
            if read.trouble:
                keep_damaged(self._path)
                window.toasts.show(f"{read.trouble} It is kept as keys.damaged.json.")

    def _use(self, read: KeyFile) -> None:
        self._file = read
        if read.changes != current_keys.changes:
            current_keys.restore(read.changes)
            self._window.follow_keys()

    def _save(self) -> None:
        self._file.changes = current_keys.changes
        try:
            write_keys(self._path, self._file)
        except OSError as error:
            logger.warning("keys were not saved: %s", error)
            why = error.strerror or error
            self._window.toasts.show(f"The keys could not be saved: {why}. They last until you quit.")

    def _import(self, path: str) -> None:
        read = read_keys(Path(path))
        if read is None or read.trouble:
            self._say(
                f"{Path(path).name} could not be read as keys: choose a file that “Export…” wrote. No key was changed."
            )
            return
        self._use(read)
        self._save()
        changed = len(current_keys.changed)
        self._say(f"Imported: {changed} command{'' if changed == 1 else 's'} with keys of your own.")

    def _export(self, path: str) -> None:
        self._file.changes = current_keys.changes
        try:
            write_keys(Path(path), self._file)
        except OSError as error:
            self._say(f"{path} could not be written: {error.strerror or error}. Choose another folder.")
        else:
            self._say(f"Exported the changed keys as {Path(path).name}.")

    def _say(self, sentence: str) -> None:
        dialog = self._window.command_access.keys_dialog
        if dialog is not None:
            dialog.refresh()
            dialog.say(sentence)
