"""A text's bytes as UTF-8, and cut into blocks at the ends of lines."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from pathlib import Path

from app.market.errors import FileError

LONGEST_LINE = 1 << 20
_UTF16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


def utf8_blocks(path: Path, blocks: Iterable[bytes]) -> Iterator[bytes]:
    """
    Yield a text as UTF-8 without a byte order mark, lines ending in LF or CRLF.

    Raises:
        FileError: If it is no text.
    """
    decode: codecs.IncrementalDecoder | None = None
    old_mac = False
    for number, block in enumerate(blocks):
        if number == 0:
            encoding = _UTF16.get(block[:2])
            if encoding is not None:
                decode = codecs.getincrementaldecoder(encoding)("replace")
                block = block[2:]
            elif block.startswith(codecs.BOM_UTF8):
                block = block[3:]
            elif b"\0" in block:
                raise FileError(f"{path} is not a table of a kind that is read here.")
            head = block[:LONGEST_LINE]
            old_mac = decode is None and b"\r" in head and b"\n" not in head
        if decode is not None:
            block = decode.decode(block).encode()
        if old_mac:
            block = block.replace(b"\r", b"\n")
        if block:
            yield block


def line_blocks(path: Path, blocks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """
    Yield blocks of about ``size`` bytes that hold whole lines; the last may lack its line end.

    Raises:
        FileError: If a line is longer than `LONGEST_LINE`.
    """
    parts: list[bytes] = []
    length = 0
    for block in blocks:
        end = block.rfind(b"\n") + 1
        if length + end < size:
            parts.append(block)
            length += len(block)
            if not end and length > LONGEST_LINE and b"\n" not in b"".join(parts)[-LONGEST_LINE:]:
                raise FileError(f"{path} has a line longer than {LONGEST_LINE:,} bytes: it is no table.")
            continue
        if end:
            yield b"".join((*parts, block[:end]))
            parts, length = [block[end:]], len(block) - end
            continue
        whole = b"".join((*parts, block))
        end = whole.rfind(b"\n") + 1
        if len(whole) - end > LONGEST_LINE:
            raise FileError(f"{path} has a line longer than {LONGEST_LINE:,} bytes: it is no table.")
        if end:
            yield whole[:end]
        parts, length = [whole[end:]], len(whole) - end
    rest = b"".join(parts)
    if rest:
        yield rest
