"""
One heap for all threads, for commands whose memory is bounded.

glibc gives nearly every thread a heap of its own. Where threads come and go and each leaves some arrays of its work
behind, the holes between them add up over all heaps: an export of rolling candles then takes 50 MB more.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys

_M_ARENA_MAX = -8  # of glibc's malloc.h


def share_one_heap() -> None:
    """Have all threads allocate from one heap; call it before the first one starts. It changes glibc on Linux alone."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
