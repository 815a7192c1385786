"""The checksum that Binance's archive puts beside each file: FILE.CHECKSUM, ``<sha256>  <name>``."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

from app.market.errors import FileError
from app.market.ports.row_files import never
from storage.files.readers.sources.byte_source import BLOCK_BYTES, check_going, readable

CHECKSUM_SUFFIX = ".CHECKSUM"
_SHA256 = re.compile(rb"\s*([0-9a-fA-F]{64})\b")


def check_checksum(path: Path, is_stopped: Callable[[], bool] = never) -> bool:
    """
    Check a file against the checksum beside it; return whether there is one.

    Raises:
        FileError: If it has another checksum, or what lies beside it is none, or the reading is stopped.
    """
    beside = path.with_name(path.name + CHECKSUM_SUFFIX)
    if not beside.is_file():
        return False
    with readable(beside), beside.open("rb") as file:
        match = _SHA256.match(file.read(1024))
    if match is None:
        raise FileError(f"{beside} holds no SHA-256 checksum. Get it again, or remove it to use {path.name} unchecked.")
    digest = hashlib.sha256()
    with readable(path), path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            check_going(path, is_stopped)
            digest.update(block)
    if digest.hexdigest() != match[1].decode().lower():
        raise FileError(f"{path} does not have the checksum in {beside.name}: it is damaged. Get both again.")
    return True
