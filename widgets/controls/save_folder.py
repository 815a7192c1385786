"""The folder that is suggested for the next file: the one of the last, whatever was saved there."""

from __future__ import annotations

from pathlib import Path


class SaveFolder:
    """Begins with the home directory. Exports of candles and of pictures share one."""

    def __init__(self) -> None:
        self._path = Path.home()

    @property
    def path(self) -> Path:
        """The folder; the home directory where it has gone."""
        return self._path if self._path.is_dir() else Path.home()

    def note(self, file: Path) -> None:
        """Suggest the folder of a file that was just saved."""
        self._path = file.parent
