"""What a person sees of a file before it is imported, and by which names they can say what its columns are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from app.market.errors import FileError
from app.market.ports.row_files import ReadingOptions, RowKind
from storage.files.readers.head import Head, UnknownTable
from storage.files.readers.open_rows import open_tables
from storage.files.readers.presets import COLUMNS_OF_KIND

MAPPABLE_COLUMNS: Mapping[RowKind, tuple[str, ...]] = COLUMNS_OF_KIND
"""The names of ours that `ReadingOptions.columns` can give to a file's columns, for each kind of rows."""


class Preview(NamedTuple):
    """
    The first table of a file.

    ``header``: its columns by name, or by number from 1 where it has no header; these are what can be mapped.
    ``columns``: from our names to those, as far as they are recognised. ``rows``: the first ones, as text.
    ``problem``: why it cannot be imported as it is; empty if it can. The rest is None where it is not known.
    """

    header: tuple[str, ...]
    columns: Mapping[str, str]
    rows: tuple[tuple[str, ...], ...]
    problem: str = ""
    kind: RowKind | None = None
    symbol: str | None = None
    interval: str | None = None
    recognised_by: str | None = None


def preview(path: Path, options: ReadingOptions | None = None, rows: int = 10) -> Preview:
    """
    Return what a file looks like, and how it is understood with these options.

    Raises:
        FileError: If it cannot be read, or holds no table.
        UsageError: If the user's columns are none of ours.
    """
    table = open_tables(path, options or ReadingOptions())[0]
    if isinstance(table, UnknownTable):
        return Preview(*_shown(table.head, rows), problem=str(table))
    if isinstance(table, FileError):
        raise table
    found = table.understanding
    header, _, first = _shown(found.head, rows)
    columns = {ours: header[place] for ours, place in found.layout.columns.items()}
    interval = found.identity.interval
    return Preview(
        header,
        columns,
        first,
        kind=found.layout.kind,
        symbol=found.symbol,
        interval=None if interval is None else str(interval),
        recognised_by=found.layout.preset,
    )


def _shown(head: Head, rows: int) -> tuple[tuple[str, ...], Mapping[str, str], tuple[tuple[str, ...], ...]]:
    width = max((len(row) for row in head.rows), default=0)
    header = head.names or tuple(str(number + 1) for number in range(width))
    return header, {}, tuple(tuple("" if cell is None else str(cell) for cell in row) for row in head.rows[:rows])
