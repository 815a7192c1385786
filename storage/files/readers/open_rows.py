"""
Opens files and folders of trades and candles, whatever their format.

What a file is, its first bytes say and not its suffix. A file that cannot be used is one `RefusedFile`, so that the
others of a folder go on.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from app.market.errors import FileError
from app.market.ports.row_files import ReadingOptions, RefusedFile, RowFile
from storage.files.readers.byte_source import ByteSource, PlainOrPacked, readable
from storage.files.readers.checksum import CHECKSUM_SUFFIX, check_checksum
from storage.files.readers.csv_file import open_csv
from storage.files.readers.names import META_SUFFIX, name_facts
from storage.files.readers.zip_members import zip_members

_NO_DATA = (CHECKSUM_SUFFIX.lower(), META_SUFFIX, ".refused.csv", ".part", ".tmp")
_DATA_SUFFIXES = {
    *(".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".parquet", ".feather", ".arrow", ".ipc", ".xlsx", ".xls"),
    *(".ods", ".zip", ".gz", ".zst", ".bz2", ".xz", ".data", ".sqlite", ".db"),
}


def open_rows(path: Path, options: ReadingOptions | None = None) -> Iterator[RowFile | RefusedFile]:
    """
    Open a file, or every usable file in a folder and its folders, oldest first by name.

    Each file is opened when the iterator reaches it. A file with rows of several kinds is several RowFiles in a row,
    and so is an archive of several tables.

    Raises:
        UsageError: If the user's columns are none of ours.
    """
    options = options or ReadingOptions()
    if not path.is_dir():
        yield from _opened(path, options)
        return
    files = [file for file in _files_below(path) if _is_data(file)]
    if not files:
        yield RefusedFile(path, f"{path} holds no file of trades or candles.")
    for file in files:
        yield from _opened(file, options)


def _files_below(folder: Path) -> list[Path]:
    return sorted(
        file
        for file in folder.rglob("*")
        if not any(part.startswith(".") for part in file.relative_to(folder).parts) and file.is_file()
    )


def _is_data(path: Path) -> bool:
    name = path.name.lower()
    return not name.endswith(_NO_DATA) and path.suffix.lower() in _DATA_SUFFIXES


def _opened(path: Path, options: ReadingOptions) -> Iterator[RowFile | RefusedFile]:
    try:
        files = _row_files(path, options)
    except FileError as error:
        yield RefusedFile(path, str(error))
        return
    yield from files


def _row_files(path: Path, options: ReadingOptions) -> list[RowFile | RefusedFile]:
    with readable(path), path.open("rb") as file:
        head = file.read(16)
    if not head:
        raise FileError(f"{path} is empty.")
    check_checksum(path)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return [_one(member, options) for member in zip_members(path)]
    return [_one(PlainOrPacked(path), options)]


def _one(source: ByteSource, options: ReadingOptions) -> RowFile | RefusedFile:
    facts = name_facts(source.path, source.name)
    if facts.exact and options.symbol is not None and options.symbol != facts.symbol:
        return RefusedFile(
            source.path, f"{source.path} holds {facts.symbol} by its name, not {options.symbol}: leave out --symbol."
        )
    try:
        return open_csv(source, facts, options)
    except FileError as error:
        text = str(error)
        return RefusedFile(source.path, f"{source.path}: {text}" if text.startswith("it ") else text)
