"""
A window's geometry and docks as bytes that are safe to restore.

Qt writes both in formats of its own and hardly checks them when it reads. The header here keeps a damaged file, or a
file of another version, away from Qt.
"""

from __future__ import annotations

import struct
import zlib

from PySide6.QtWidgets import QMainWindow

_MAGIC = b"cryptopipe layout 1\n"
_CHECKSUM = struct.Struct("<I")  # of everything after it
_LENGTH = struct.Struct("<I")  # of the geometry; the rest is the docks and tool bars


def pack(window: QMainWindow) -> bytes:
    """Return the window's geometry, docks and tool bars."""
    geometry = bytes(window.saveGeometry().data())
    body = _LENGTH.pack(len(geometry)) + geometry + bytes(window.saveState().data())
    return _MAGIC + _CHECKSUM.pack(zlib.crc32(body)) + body


def restore(window: QMainWindow, state: bytes) -> bool:
    """Restore what `pack` returned; return False, and change nothing, for anything else."""
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
