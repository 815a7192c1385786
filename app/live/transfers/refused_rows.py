"""The rows of a file that could not be used, in a file beside it."""

from __future__ import annotations

import contextlib
import csv
import secrets
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO, cast

from app.market.ports.row_files import RefusedRow

SUFFIX = ".refused.csv"
_HEADER = ("number", "reason", "row", "table")


def _hidden_file(folder: Path) -> TextIO:
    # What is no text of any language, such as half of a surrogate pair in JSON, is written as its code.
    file = tempfile.TemporaryFile(  # noqa: SIM115  # because `discard` closes it
        "w+", encoding="utf-8", errors="backslashreplace", newline="", dir=folder
    )
    return cast("TextIO", file)


class RefusedRows:
    """
    Writes ``FILE.refused.csv``: number, reason, row and table. Made with the first row, named by `finish`.

    All tables of a file share one. It is hidden until `finish`, so a kill leaves nothing; of several imports at once
    the last to finish stays, whole. `remove_earlier` removes that of an earlier import. ``failure``: one sentence if
    the file could not be written or removed, else empty; nothing is raised, so that the import goes on.
    """

    def __init__(self, source: Path) -> None:
        self.source = source
        self.path = source.with_name(source.name + SUFFIX)
        self.failure = ""
        self._file: TextIO | None = None

    def add(self, rows: Sequence[RefusedRow], table: str = "") -> None:
        """Add rows of a table, in the order they are to have."""
        if self.failure or not rows:
            return
        try:
            if self._file is None:
                # In that folder: so what cannot be written is known at once, and the disk is the one that has room.
                self._file = _hidden_file(self.path.parent)
                csv.writer(self._file).writerow(_HEADER)
            csv.writer(self._file).writerows((*row, table) for row in rows)
        except OSError as error:
            self._note_failure(error)

    def finish(self) -> None:
        """Give the file its name, if there is one."""
        if self._file is None:
            return
        hidden = self.path.with_name(f".{secrets.token_hex(8)}.part")
        try:
            self._file.seek(0)
            with hidden.open("x", encoding="utf-8", newline="") as copy:
                shutil.copyfileobj(self._file, copy)
            hidden.replace(self.path)
        except OSError as error:
            with contextlib.suppress(OSError):
                hidden.unlink(missing_ok=True)
            self._note_failure(error)
        self.discard()

    def remove_earlier(self) -> None:
        """Remove the rows that an earlier import refused: beside an import that refused none they would mislead."""
        try:
            with self.path.open("rb") as file:
                is_ours = file.readline(100).rstrip(b"\r\n") == ",".join(_HEADER).encode()
            if is_ours:
                self.path.unlink()
        except FileNotFoundError:
            pass
        except OSError as error:
            self.failure = f"{self.path} could not be removed: {error.strerror}. It is of an earlier import."

    def discard(self) -> None:
        """Leave no file. Does nothing after `finish`."""
        file, self._file = self._file, None
        with contextlib.suppress(OSError):  # a full disk refuses what is still to be written
            if file is not None:
                file.close()

    def _note_failure(self, error: OSError) -> None:
        self.failure = f"{self.path} could not be written: {error.strerror}. The refused rows are counted all the same."
        self.discard()
