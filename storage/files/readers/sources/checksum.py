"""The checksum that Binance's archive puts beside each file: FILE.CHECKSUM, ``<sha256>  <name>``."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from app.market.errors import FileError
from storage.files.readers.sources.byte_source import readable

CHECKSUM_SUFFIX = ".CHECKSUM"
_SHA256 = re.compile(rb"\s*([0-9a-fA-F]{64})\b")


def check_checksum(path: Path) -> bool:
    """
    Check a file against the checksum beside it; return whether there is one.

    Raises:
        FileError: If it has another checksum, or what lies beside it is none.
    """
    beside = path.with_name(path.name + CHECKSUM_SUFFIX)
    if not beside.is_file():
        return False
    with readable(beside), beside.open("rb") as file:
        match = _SHA256.match(file.read(1024))
    if match is None:
        raise FileError(f"{beside} holds no SHA-256 checksum. Get it again, or remove it to use {path.name} unchecked.")
    with readable(path), path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != match[1].decode().lower():
        raise FileError(f"{path} does not have the checksum in {beside.name}: it is damaged. Get both again.")
    return True
