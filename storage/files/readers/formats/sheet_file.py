"""Spreadsheets: XLSX, XLS and ODS. Each sheet that holds trades or candles is a table of its own."""

from __future__ import annotations

import contextlib
import re
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import python_calamine

from app.market.errors import FileError
from app.market.ports.row_files import ReadingOptions
from storage.files.readers.batches import NumberedRow
from storage.files.readers.cells import Cell
from storage.files.readers.formats.table_file import TableFile
from storage.files.readers.head import Head, understand
from storage.files.readers.layout import is_header
from storage.files.readers.names import NameFacts, with_export_facts
from storage.files.readers.sources.byte_source import readable

_HEAD_ROWS = 200
_PROPERTY = re.compile(r'name="(symbol|interval|zone)"[^>]*><vt:lpwstr>([^<]*)<')


def open_sheets(path: Path, facts: NameFacts, options: ReadingOptions) -> list[TableFile]:
    """
    Open the sheets of a spreadsheet that hold rows.

    Raises:
        FileError: If it cannot be read, or none of its sheets holds trades or candles.
    """
    facts = with_export_facts(facts, _properties(path))
    files: list[TableFile] = []
    first_error: FileError | None = None
    for name in sheet_names(path):
        try:
            files.append(_open_sheet(path, name, facts, options))
        except FileError as error:
            first_error = first_error or error
    if len(files) == 1:
        files[0].table = ""
    if files:
        return files
    raise first_error or FileError(f"{path} is empty: it has no rows.")


def sheet_names(path: Path) -> list[str]:
    """
    Return the names of the sheets.

    Raises:
        FileError: If it is no spreadsheet, or is damaged.
    """
    return list(_workbook(path).sheet_names)


def sheet_head(path: Path, name: str, zone: str = "UTC") -> Head:
    """
    Return a sheet's header, None if it has none, and its first rows.

    Raises:
        FileError: If it has no rows.
    """
    rows = [row for _, row in islice(_rows(path, name, zone, [0, 1]), _HEAD_ROWS)]
    if not rows:
        raise FileError(f"{path} is empty: it has no rows.")
    if is_header(rows[0]):
        return Head(tuple("" if cell is None else str(cell).strip() for cell in rows[0]), rows[1:])
    return Head(None, rows)


def _open_sheet(path: Path, name: str, facts: NameFacts, options: ReadingOptions) -> TableFile:
    understanding = understand(sheet_head(path, name, facts.zone), facts, options)
    names = understanding.head.names
    seen = [0, 1]

    def numbered() -> Iterator[NumberedRow]:
        for number, cells in islice(_rows(path, name, facts.zone, seen), 1 if names is not None else 0, None):
            yield NumberedRow(number - (names is not None), cells)

    def progress() -> float:
        return seen[0] / max(seen[1], 1)

    return TableFile(path, understanding, numbered, progress, name)


def _rows(path: Path, name: str, zone: str, seen: list[int]) -> Iterator[tuple[int, list[Cell]]]:
    """Yield the rows that hold something, counted from 1; ``seen`` follows: how many of how many."""
    with _damage_named(path):
        sheet = _workbook(path).get_sheet_by_name(name)
        clock = ZoneInfo(zone) if zone in available_timezones() else UTC
        seen[:] = 0, sheet.total_height
        number = 0
        for row in sheet.iter_rows():
            seen[0] += 1
            if any(cell not in ("", None) for cell in row):
                number += 1
                yield number, [_cell(cell, clock) for cell in row]
        seen[0] = seen[1]


def _workbook(path: Path) -> Any:
    with _damage_named(path):
        return python_calamine.CalamineWorkbook.from_path(str(path))


@contextlib.contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    with readable(path):
        try:
            yield
        except (python_calamine.CalamineError, python_calamine.XmlError, python_calamine.ZipError) as error:
            raise FileError(f"{path} is damaged and cannot be read as a spreadsheet. Get it again.") from error


def _properties(path: Path) -> dict[str, str]:
    """Return the properties that our own export gave the document."""
    try:
        with zipfile.ZipFile(path) as archive:
            text = archive.read("docProps/custom.xml").decode("utf-8", "replace")
    except (KeyError, OSError, zipfile.BadZipFile):
        return {}
    return dict(_PROPERTY.findall(text))


def _cell(cell: Cell, clock: tzinfo) -> Cell:
    if isinstance(cell, datetime):  # a sheet's times are fractions of a day without a zone: milliseconds survive
        millis = round(cell.microsecond / 1000)
        return cell.replace(microsecond=0, tzinfo=clock) + timedelta(milliseconds=millis)
    return None if cell == "" else cell
