"""The rows of a file that could not be used, in a file beside it."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from app.market.ports.row_files import RefusedRow

SUFFIX = ".refused.csv"


class RefusedRows:
    """
    Writes ``FILE.refused.csv``: number, reason and row. Made with the first row, named by `finish`.

    ``failure``: one sentence if it could not be written, else empty; nothing is raised, so that the import goes on.
    """

    def __init__(self, source: Path) -> None:
        self.path = source.with_name(source.name + SUFFIX)
        self.failure = ""
        self._hidden = source.with_name(f".{source.name}{SUFFIX}.part")
        self._file: TextIO | None = None

    def add(self, rows: Sequence[RefusedRow]) -> None:
        """Add rows, in the order they are to have."""
        if self.failure or not rows:
            return
        try:
            if self._file is None:
                self._file = self._hidden.open("w", encoding="utf-8", newline="")
                csv.writer(self._file).writerow(("number", "reason", "row"))
            csv.writer(self._file).writerows(rows)
        except OSError as error:
            self._note_failure(error)

    def finish(self) -> None:
        """Give the file its name, if there is one."""
        if self._file is None:
            return
        try:
            self._file.close()
            self._hidden.replace(self.path)
        except OSError as error:
            self._note_failure(error)
        self._file = None

    def discard(self) -> None:
        """Leave no file. Does nothing after `finish`."""
        with contextlib.suppress(OSError):
            if self._file is not None:
                self._file.close()
                self._hidden.unlink(missing_ok=True)

    def _note_failure(self, error: OSError) -> None:
        self.failure = f"{self.path} could not be written: {error.strerror}."
        self.discard()
        self._file = None
