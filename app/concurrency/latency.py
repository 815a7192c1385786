"""How a program without a window keeps its threads from delaying each other."""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Iterator

_SWITCH_INTERVAL_S = 0.0005


@contextlib.contextmanager
def low_latency() -> Iterator[None]:
    """
    Shorten the pauses of this process's threads during the block, which begins once the program is loaded.

    What exists by then stays as long as the program: a full garbage collection would scan it all, which takes a tenth
    of a second. A computing thread gives up the interpreter sooner than after Python's 5 ms, because the server needs
    it a thousand times to write to a thousand clients.
    """
    before_s = sys.getswitchinterval()
    gc.collect()
    gc.freeze()
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before_s)
        gc.unfreeze()
