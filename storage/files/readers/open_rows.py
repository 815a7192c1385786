"""
Opens files and folders of trades, quotes and candles, whatever their format.

What a file is, its first bytes say and not its suffix. A file that cannot be used is one `RefusedFile`, so that the
others of a folder go on. Arrow and the reader of spreadsheets are imported with the first file that needs them, so a
window that imports nothing starts faster.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from app.market.errors import FileError
from app.market.ports.row_files import ReadingOptions, RefusedFile, RowFile, RowKind, named, never
from storage.files.readers.formats.json_file import is_json, open_json
from storage.files.readers.formats.octobot_file import SQLITE, open_octobot
from storage.files.readers.formats.recording_file import is_recording, open_recording
from storage.files.readers.formats.rest_answers_file import is_rest_answers, open_rest_answers
from storage.files.readers.head import Table, UnknownTable
from storage.files.readers.names import META_SUFFIX, NameFacts, is_lean_candles, name_facts
from storage.files.readers.sources.byte_source import ByteSource, PlainOrPacked, first_bytes, readable
from storage.files.readers.sources.checksum import CHECKSUM_SUFFIX, check_checksum
from storage.files.readers.sources.text_blocks import utf8_blocks
from storage.files.readers.sources.zip_members import is_spreadsheet, zip_members

_SPREADSHEET = (b"PK", b"\xd0\xcf\x11\xe0")  # of a zip, and of Excel before 2007
_ARROW = (b"PAR1", b"ARROW1", b"FEA1", b"\xff\xff\xff\xff")  # Parquet, Arrow IPC and Feather, Feather 1, a stream
_HEAD_BYTES = 4096
_NO_DATA = (CHECKSUM_SUFFIX.lower(), META_SUFFIX, ".refused.csv", ".part", ".tmp")
_DATA_SUFFIXES = {
    *(".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".parquet", ".feather", ".arrow", ".ipc", ".xlsx", ".xls"),
    *(".ods", ".zip", ".gz", ".zst", ".bz2", ".xz", ".data", ".sqlite", ".db"),
}


class _OtherKind(RefusedFile):
    """A file that holds another kind of rows than the one asked for, as its name says."""


OpenFile = Callable[[Path, ReadingOptions], RowFile | RefusedFile]
"""Opens a file of a format that is known by its suffix, whatever kind of rows is asked for."""


def open_rows(
    path: Path,
    options: ReadingOptions | None = None,
    is_stopped: Callable[[], bool] = never,
    formats: Mapping[str, OpenFile] | None = None,
) -> Iterator[RowFile | RefusedFile]:
    """
    Open a file, or every usable file in a folder and its folders, oldest first by name.

    Each file is opened when the iterator reaches it. A file with rows of several kinds is several RowFiles in a row,
    and so is an archive of several tables. ``is_stopped`` is asked before each block of bytes; once it returns True,
    the file cannot be used. ``formats``: by their suffixes, such as ``.bi5``, formats that are read elsewhere. Where a
    kind is asked for, files of a folder that are of another by their name are passed over.

    Raises:
        UsageError: If the user's columns are none of ours.
    """
    options, formats = options or ReadingOptions(), formats or {}
    if not path.is_dir():
        yield from _row_files(path, options, is_stopped, formats)
        return
    files, closed = _files_below(path)
    files = [file for file in files if file.suffix.lower() in formats or _is_data(file)]
    for error in closed:
        yield RefusedFile(path, str(error))
    if not files and not closed:
        yield RefusedFile(path, f"{path} holds no file of trades, quotes or candles.")
    found = False
    for file in files:
        for one in _row_files(file, options, is_stopped, formats):
            if not isinstance(one, _OtherKind):
                found = True
                yield one
    if files and not found:
        yield RefusedFile(path, f"{path} holds no file of {options.kind}.")


def _row_files(
    path: Path, options: ReadingOptions, is_stopped: Callable[[], bool], formats: Mapping[str, OpenFile]
) -> Iterator[RowFile | RefusedFile]:
    if open_file := formats.get(path.suffix.lower()):
        opened = open_file(path, options)
        if not isinstance(opened, RefusedFile) and options.kind not in (None, opened.kind):
            opened = _OtherKind(path, f"{path} holds {opened.kind}, not {options.kind}: leave out --kind.")
        yield opened
        return
    if options.kind is RowKind.QUOTES and is_lean_candles(path):
        yield _OtherKind(path, f"{path} holds candles by its name, not quotes: import the file of its ticks.")
        return
    for table in open_tables(path, options, is_stopped):
        yield RefusedFile(path, str(table)) if isinstance(table, FileError) else table


def _files_below(folder: Path) -> tuple[list[Path], list[FileError]]:
    """Return the files in a folder and its folders, by name, and why some of the folders cannot be looked into."""
    found: list[Path] = []
    closed: list[FileError] = []

    def note(error: OSError) -> None:
        closed.append(FileError(f"{error.filename} cannot be read: {error.strerror}."))

    for parent, folders, names in os.walk(folder, onerror=note):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(parent, name) for name in names if not name.startswith(".")]
    return sorted(file for file in found if file.is_file()), closed


def _is_data(path: Path) -> bool:
    name = path.name.lower()
    if name.endswith(_NO_DATA):
        return False
    if path.suffix.removeprefix(".").isdigit():  # cryptofeed numbers its recordings: BINANCE.ws.1.0
        try:
            return is_recording(first_bytes(PlainOrPacked(path), _HEAD_BYTES))
        except FileError:
            return False
    return path.suffix.lower() in _DATA_SUFFIXES


def open_tables(path: Path, options: ReadingOptions, is_stopped: Callable[[], bool] = never) -> list[Table | FileError]:
    """
    Open the tables of one file, at least one; instead of one that cannot be used, return why, as a sentence.

    Raises:
        UsageError: If the user's columns are none of ours.
    """
    try:
        with readable(path):
            if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait for somebody to write
                raise FileError(f"{path} is a device or a pipe: save what it gives in a file first.")
            with path.open("rb") as file:
                head = file.read(16)
        if not head:
            raise FileError(f"{path} is empty.")
        is_verified = check_checksum(path, is_stopped)
        if head.startswith((b"PK\x03\x04", b"PK\x05\x06")) and not is_spreadsheet(path):
            members = zip_members(path, is_stopped, is_verified=is_verified)
            return [
                _of_member(path, member.place, table) if len(members) > 1 else table
                for member in members
                for table in _opened(path, member.name, options, member)
            ]
    except FileError as error:
        return [error]
    if head.startswith((*_SPREADSHEET, *_ARROW)):
        return _opened(path, path.name, options, None)
    source = PlainOrPacked(path, is_stopped, is_verified=is_verified)
    return _opened(path, source.name, options, source)


def _of_member(path: Path, member: str, table: Table | FileError) -> Table | FileError:
    """Return the table, or why it cannot be used, with the name of its member of an archive."""
    if isinstance(table, FileError):
        sentence = named(str(table), path, member)
        return UnknownTable(sentence, table.head) if isinstance(table, UnknownTable) else FileError(sentence)
    table.table = f"{member}, {table.table}" if table.table else member
    return table


def _opened(path: Path, name: str, options: ReadingOptions, source: ByteSource | None) -> list[Table | FileError]:
    facts = name_facts(path, name)
    try:
        if facts.exact and options.symbol is not None and options.symbol != facts.symbol:
            raise FileError(f"{path} holds {facts.symbol} by its name, not {options.symbol}: leave out --symbol.")
        return list(_stream_tables(source, facts, options) if source else _whole_tables(path, facts, options))
    except UnknownTable as error:
        return [UnknownTable(f"{path}: {error}", error.head)]
    except FileError as error:
        return [error]


def _whole_tables(path: Path, facts: NameFacts, options: ReadingOptions) -> Sequence[Table]:
    """Open a file of a format that has to be read from several places of it."""
    with path.open("rb") as file:
        head = file.read(8)
    if head.startswith(_SPREADSHEET):
        from storage.files.readers.formats.sheet_file import open_sheets

        return open_sheets(path, facts, options)
    from storage.files.readers.formats.arrow_file import open_arrow

    return [open_arrow(path, facts, options)]


def _stream_tables(source: ByteSource, facts: NameFacts, options: ReadingOptions) -> Sequence[Table]:
    """Open a stream of bytes: what it is, they say themselves."""
    head = first_bytes(source, _HEAD_BYTES)
    if head.startswith(SQLITE):
        return [open_octobot(source, options)]
    text = b"".join(utf8_blocks(source.path, [head] if head else []))
    if is_recording(text):
        return open_recording(source, options)
    if is_rest_answers(text):
        return open_rest_answers(source, options)
    if is_json(text):
        return [open_json(source, facts, options)]
    from storage.files.readers.formats.csv_file import open_csv

    return [open_csv(source, facts, options)]
