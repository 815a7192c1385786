"""The first rows of a file as text, for a look at it before it is written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.market.file_columns import Form, Rows
from app.market.file_format import FileFormat, FileLayout
from storage.files.arrangement import arrangement_of
from storage.files.column_text import text_of


class PreviewFile:
    """
    An `app.market.ports.files.ExportFile` that keeps the first ``most`` rows in memory.

    ``names`` are those of the columns, ``rows`` their values as text: as a file of text has them, and otherwise what
    its readers get.

    Raises:
        UsageError: If a column is chosen that is none.
    """

    def __init__(self, file_format: FileFormat, layout: FileLayout, rows: Rows, most: int) -> None:
        self._arrangement = arrangement_of(rows, layout, file_format)
        self._most = most
        columns = self._arrangement.layout.columns
        self._trimmed = {column.name for column in columns if column.form is Form.NUMBER}
        # Their times are moments, which each reader shows in a zone of its own.
        self._zone = "UTC" if file_format in (FileFormat.PARQUET, FileFormat.FEATHER) else layout.zone
        self.names: tuple[str, ...] = tuple(column.name for column in columns)
        self.rows: list[tuple[str, ...]] = []

    def write(self, rows: Any) -> None:
        """See `app.market.ports.files.ExportFile`."""
        first = rows.slice(0, self._most - len(self.rows))
        if first.num_rows:
            arranged = self._arrangement.arranged(first)
            columns = [
                text_of(column, self._zone, trims=name in self._trimmed).to_pylist()
                for name, column in zip(self.names, arranged.columns, strict=True)
            ]
            self.rows += [tuple(text or "" for text in row) for row in zip(*columns, strict=True)]

    def finish(self, name: str, facts: Mapping[str, object]) -> Path | None:
        """Do nothing: no file was made."""

    def discard(self) -> None:
        """Do nothing."""
