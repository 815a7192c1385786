"""
A window's geometry and docks as bytes that can be trusted again.

Qt writes both in formats of its own and reads them without much doubt. The checksum here keeps a damaged file, or one
of another version, from reaching it.
"""

from __future__ import annotations

import struct
import zlib

from PySide6.QtWidgets import QMainWindow

_MAGIC = b"cryptopipe layout 1\n"
_CHECKSUM, _LENGTH = struct.Struct("<I"), struct.Struct("<I")  # of all that follows it; of the geometry


def pack(window: QMainWindow) -> bytes:
    """Return the window's geometry, docks and tool bars."""
    geometry = bytes(window.saveGeometry().data())
    body = _LENGTH.pack(len(geometry)) + geometry + bytes(window.saveState().data())
    return _MAGIC + _CHECKSUM.pack(zlib.crc32(body)) + body


def restore(window: QMainWindow, state: bytes) -> bool:
    """Restore what `pack` returned. Anything else changes nothing and returns False."""
    start = len(_MAGIC) + _CHECKSUM.size
    if not state.startswith(_MAGIC) or len(state) < start + _LENGTH.size:
        return False
    (checksum,) = _CHECKSUM.unpack_from(state, len(_MAGIC))
    if zlib.crc32(state[start:]) != checksum:
        return False
    (length,) = _LENGTH.unpack_from(state, start)
    geometry = start + _LENGTH.size
    return window.restoreGeometry(state[geometry : geometry + length]) and window.restoreState(
        state[geometry + length :]
    )
