"""
The bytes of a file, unpacked: a plain file, one of gzip, zstd, bzip2 or xz, or a member of a zip.

A source is read from its start each time `ByteSource.blocks` is called, in constant memory. What cannot be read is a
FileError that names the file.
"""

from __future__ import annotations

import bz2
import contextlib
import lzma
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import IO, Protocol

from isal import igzip, isal_zlib

from app.market.errors import FileError
from app.market.ports.row_files import never

BLOCK_BYTES = 1 << 20
_GZIP, _ZSTD, _BZIP2, _XZ = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ\x00"
_PACKED_SUFFIXES = {".gz", ".zst", ".bz2", ".xz"}
_INFLATE_ERROR: type[Exception] = isal_zlib.IsalError  # type: ignore[assignment]  # because isal declares it as Any
_DAMAGE = (zlib.error, _INFLATE_ERROR, lzma.LZMAError, zipfile.BadZipFile)


class ByteSource(Protocol):
    """
    Bytes that can be read again and again.

    ``path`` is the file; ``name`` is the name of what is in it, without the suffix of the compression.
    """

    @property
    def path(self) -> Path: ...

    @property
    def name(self) -> str: ...

    def blocks(self) -> Generator[bytes, None, None]:
        """
        Yield the bytes from the start, at most `BLOCK_BYTES` at once and never none.

        Raises:
            FileError: If the file cannot be read, is damaged or ends early, or the reading is stopped.
        """

    def progress(self) -> float:
        """Return how much of the file the latest reading has read, 0 to 1."""

    def verify(self) -> None:
        """
        Unpack all of it once, unless its checksum has been seen to be right, so that no row of a damaged file is used.

        Raises:
            FileError: If it is damaged or ends early, or the reading is stopped.
        """


class PlainOrPacked:
    """A file that is one stream of bytes, compressed or not; its first bytes say which. See `ByteSource`."""

    def __init__(self, path: Path, is_stopped: Callable[[], bool] = never, *, is_verified: bool = False) -> None:
        self.path = path
        self._is_stopped = is_stopped
        self.name = path.stem if path.suffix.lower() in _PACKED_SUFFIXES else path.name
        self._is_verified = is_verified
        self._progress = 0.0

    def blocks(self) -> Generator[bytes, None, None]:
        """See `ByteSource`."""
        with readable(self.path), self.path.open("rb") as raw:
            size = raw.seek(0, 2)
            raw.seek(0)
            with _unpacked(raw) as stream:
                while block := stream.read(BLOCK_BYTES):
                    check_going(self.path, self._is_stopped)
                    self._progress = raw.tell() / size
                    yield block
        self._progress = 1.0

    def progress(self) -> float:
        """See `ByteSource`."""
        return self._progress

    def verify(self) -> None:
        """See `ByteSource`."""
        if not self._is_verified and self._is_packed():
            for _ in self.blocks():
                pass
        self._is_verified = True

    def _is_packed(self) -> bool:
        with readable(self.path), self.path.open("rb") as raw:
            return raw.read(6).startswith((_GZIP, _ZSTD, _BZIP2, _XZ))


def verified_blocks(source: ByteSource) -> Iterator[bytes]:
    """
    Yield the bytes of a source of which all can be unpacked.

    Raises:
        FileError: If it cannot be read, is damaged or ends early.
    """
    source.verify()
    yield from source.blocks()


def first_bytes(source: ByteSource, size: int = BLOCK_BYTES) -> bytes:
    """
    Return the first ``size`` bytes, fewer if there are no more.

    Raises:
        FileError: If they cannot be read.
    """
    found = bytearray()
    with contextlib.closing(source.blocks()) as blocks:
        for block in blocks:
            found += block
            if len(found) >= size:
                break
    return bytes(found[:size])


def check_going(path: Path, is_stopped: Callable[[], bool]) -> None:
    """
    Check, before each block of a file, that the reading goes on: a large file takes minutes to be unpacked.

    Raises:
        FileError: If it is stopped.
    """
    if is_stopped():
        raise FileError(f"{path} was not read to its end, because the reading was stopped.")


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what reading a file raises into a FileError of one sentence."""
    try:
        yield
    except EOFError as error:
        raise FileError(f"{path} ends early: it was cut off. Get it again.") from error
    except _DAMAGE as error:
        raise FileError(f"{path} is damaged and cannot be unpacked. Get it again.") from error
    except OSError as error:
        if error.errno is None:  # gzip's complaints about content are OSErrors, too
            raise FileError(f"{path} is damaged and cannot be unpacked. Get it again.") from error
        raise FileError(f"{path} cannot be read: {error.strerror}.") from error


def _unpacked(raw: IO[bytes]) -> contextlib.AbstractContextManager[IO[bytes]]:
    head = raw.read(6)
    raw.seek(0)
    if head.startswith(_GZIP):
        stream: IO[bytes] = igzip.IGzipFile(fileobj=raw, mode="rb")  # type: ignore[no-untyped-call, assignment]  # because isal has no types
        return stream
    if head.startswith(_BZIP2):
        return bz2.BZ2File(raw)
    if head.startswith(_XZ):
        return lzma.LZMAFile(raw)
    if head.startswith(_ZSTD):
        import pyarrow as pa  # a start need not wait for it

        unpacked: IO[bytes] = pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), "zstd")
        return unpacked
    return contextlib.nullcontext(raw)
