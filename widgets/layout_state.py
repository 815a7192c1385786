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
_HEADER = struct.Struct("<II")  # checksum of what follows, length of the geometry


def pack(window: QMainWindow) -> bytes:
    """Return the window's geometry, docks and tool bars."""
    geometry = bytes(window.saveGeometry().data())
    body = geometry + bytes(window.saveState().data())
    return _MAGIC + _HEADER.pack(zlib.crc32(body), len(geometry)) + body


def restore(window: QMainWindow, state: bytes) -> bool:
    """Restore what `pack` returned. Anything else changes nothing and returns False."""
    start = len(_MAGIC) + _HEADER.size
    if not state.startswith(_MAGIC) or len(state) < start:
        return False
    checksum, length = _HEADER.unpack_from(state, len(_MAGIC))
    body = state[start:]
    if zlib.crc32(body) != checksum or length > len(body):
        return False
    return window.restoreGeometry(body[:length]) and window.restoreState(body[length:])
