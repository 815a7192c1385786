"""
The tables inside a zip, unpacked while they are read.

Nothing of a zip is written to disk, so a name inside it cannot reach another folder. One that tries to is refused
nevertheless, like whatever else an honest exchange of files has no use for: too many members, sizes that no table
packs to, a password. Members are inflated by isal, at several times the speed of zlib, and checked against the size
and the checksum that the zip states.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from isal import isal_zlib

from app.market.errors import FileError
from app.market.ports.row_files import never
from storage.files.readers.sources.byte_source import BLOCK_BYTES, check_going, readable

_TABLE_SUFFIXES = {".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson"}
_ARCHIVE_SUFFIXES = {".zip", ".gz", ".7z", ".rar", ".tar", ".tgz"}
_SPREADSHEET_PARTS = ("xl/workbook.xml", "xl/workbook.bin", "content.xml")
_MOST_MEMBERS = 10_000
# Tables of trades pack to a tenth or a fifth; deflate cannot do more than 1,032.
_HIGHEST_RATIO = 200
_RATIO_COUNTS_FROM = 1 << 20
_LARGEST_SHEET = 1 << 30  # its cells are in memory all at once, and take twice the bytes of their XML
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_ENCRYPTED = 0x1
_UNREAD = "{} is packed in a way that is not read here. Unpack it first."


class ZipMember:
    """One table in a zip, and its ``place`` in it; see `storage.files.readers.sources.byte_source.ByteSource`."""

    def __init__(
        self, path: Path, info: zipfile.ZipInfo, is_stopped: Callable[[], bool], *, is_verified: bool = False
    ) -> None:
        self.path = path
        self._is_stopped = is_stopped
        self.place = info.filename
        self.name = PurePosixPath(info.filename).name
        self._info = info
        self._is_verified = is_verified
        self._progress = 0.0

    def blocks(self) -> Generator[bytes, None, None]:
        """See `ByteSource`."""
        info, size, checksum = self._info, 0, 0
        with readable(self.path), self.path.open("rb") as raw:
            for block in _inflated(raw, info):
                check_going(self.path, self._is_stopped)
                size += len(block)
                if size > info.file_size:
                    raise FileError(f"{self.path} unpacks to more than it states: it is damaged, or a trap.")
                checksum = isal_zlib.crc32(block, checksum)
                self._progress = size / info.file_size
                yield block
        if size != info.file_size or checksum != info.CRC:
            raise FileError(f"{self.path} is damaged: {self.name} does not have the checksum that the zip states.")
        self._progress = 1.0

    def progress(self) -> float:
        """See `ByteSource`."""
        return self._progress

    def verify(self) -> None:
        """See `ByteSource`."""
        if not self._is_verified:
            for _ in self.blocks():
                pass
        self._is_verified = True


def is_spreadsheet(path: Path) -> bool:
    """
    Whether a zip is a spreadsheet.

    Raises:
        FileError: If it is damaged, or is a spreadsheet that unpacks to more than fits into memory.
    """
    members = _members(path)
    if not any(info.filename in _SPREADSHEET_PARTS for info in members):
        return False
    for info in members:
        _check_size(path, info)
        if info.file_size > _LARGEST_SHEET:
            raise FileError(f"{path} holds a sheet of {info.file_size:,} bytes, too many for memory: save it as CSV.")
    return True


def zip_members(path: Path, is_stopped: Callable[[], bool] = never, *, is_verified: bool = False) -> list[ZipMember]:
    """
    Return the tables in a zip, by name.

    ``is_stopped``: see `storage.files.readers.sources.byte_source.check_going`. ``is_verified``: a checksum has shown
    that the file is as it was sent.

    Raises:
        FileError: If it is damaged, holds no table, or is not what an honest sender sends.
    """
    members = [info for info in _members(path) if not info.filename.endswith("/")]
    if len(members) > _MOST_MEMBERS:
        raise FileError(f"{path} holds {len(members):,} files, more than {_MOST_MEMBERS:,}. Unpack it first.")
    for info in members:
        _check_name(path, info.filename)
    tables = [info for info in members if _is_table(info.filename)]
    if not tables:
        nested = next((info for info in members if _suffix(info.filename) in _ARCHIVE_SUFFIXES), None)
        if nested is not None:
            raise FileError(f"{path} holds another archive, {nested.filename}. Unpack it first.")
        raise FileError(f"{path} holds no table: a zip is read where it holds CSV or JSON.")
    for info in tables:
        _check_member(path, info)
    tables.sort(key=lambda info: info.filename)
    return [ZipMember(path, info, is_stopped, is_verified=is_verified) for info in tables]


def _members(path: Path) -> list[zipfile.ZipInfo]:
    with readable(path):
        try:
            with zipfile.ZipFile(path) as archive:
                return archive.infolist()
        except NotImplementedError as error:  # because zipfile raises that for a later version of the format
            raise FileError(_UNREAD.format(path)) from error
        except (zipfile.BadZipFile, ValueError) as error:  # ValueError: a name that is no text
            raise FileError(f"{path} is no whole zip: it is damaged or was cut off. Get it again.") from error


def _check_name(path: Path, name: str) -> None:
    pure = PurePosixPath(name.replace("\\", "/"))
    if pure.is_absolute() or ".." in pure.parts or ":" in "".join(pure.parts[:1]):
        raise FileError(f"{path} holds a file that would leave its folder, {name}: nothing of it was used.")


def _check_member(path: Path, info: zipfile.ZipInfo) -> None:
    if info.flag_bits & _ENCRYPTED:
        raise FileError(f"{path} is encrypted. Unpack it first, with its password.")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise FileError(_UNREAD.format(path))
    _check_size(path, info)


def _check_size(path: Path, info: zipfile.ZipInfo) -> None:
    if info.file_size > max(_RATIO_COUNTS_FROM, _HIGHEST_RATIO * info.compress_size):
        raise FileError(
            f"{path} would unpack from {info.compress_size:,} to {info.file_size:,} bytes, which no table does: "
            "nothing of it was used."
        )


def _is_table(name: str) -> bool:
    pure = PurePosixPath(name)
    return _suffix(name) in _TABLE_SUFFIXES and "__MACOSX" not in pure.parts and not pure.name.startswith(".")


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _inflated(raw: IO[bytes], info: zipfile.ZipInfo) -> Iterator[bytes]:
    raw.seek(info.header_offset)
    header = raw.read(_LOCAL_HEADER.size)
    if len(header) < _LOCAL_HEADER.size:
        raise EOFError
    signature, name_length, extra_length = _LOCAL_HEADER.unpack(header)
    if signature != b"PK\x03\x04":
        raise zipfile.BadZipFile
    raw.seek(name_length + extra_length, 1)
    left = info.compress_size
    inflate = isal_zlib.decompressobj(-15) if info.compress_type == zipfile.ZIP_DEFLATED else None
    while left:
        packed = raw.read(min(left, BLOCK_BYTES // 4))
        if not packed:
            raise EOFError
        left -= len(packed)
        if inflate is None:
            yield packed
            continue
        while packed:
            if block := inflate.decompress(packed, BLOCK_BYTES):
                yield block
            packed = inflate.unconsumed_tail
            if inflate.eof:
                return
