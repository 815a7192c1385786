"""
Python's garbage collector in the window's process: it runs in the main thread alone.

Python collects in whichever thread happens to allocate next. A worker thread could thus destroy Qt objects left in
reference cycles, and Qt aborts the process if an object with a timer is destroyed outside its own thread. So automatic
collection stays off while a window is open, and a timer of the main thread collects instead.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

from PySide6.QtCore import QCoreApplication, QEvent, QTimer

_EVERY_MS = 100


@contextlib.contextmanager
def collecting_in_main_thread() -> Iterator[None]:
    """
    Collect on a timer of this thread, which must be the main one. Objects that exist already are left out.

    The automatic collection is off meanwhile, and afterwards as it was before.
    """
    was_automatic = gc.isenabled()
    gc.disable()
    gc.freeze()  # loaded modules stay as long as the program; `destroy_leftovers` undoes this
    timer = QTimer()
    timer.timeout.connect(collect_due)
    timer.start(_EVERY_MS)
    try:
        yield
    finally:
        timer.stop()
        if was_automatic:
            gc.enable()


def collect_due() -> None:
    """Collect the oldest generation for which Python's own thresholds are passed, and those below it; or none."""
    due = [count > limit > 0 for count, limit in zip(gc.get_count(), gc.get_threshold(), strict=True)]
    if not due[0]:
        return
    gc.collect(max(generation for generation, is_due in enumerate(due) if is_due))


def freeze_startup_objects() -> None:
    """
    Leave the objects that exist by now out of every collection.

    Objects made during the start live as long as the program. Each full collection would scan them all, and the chart
    would miss ten frames. `destroy_leftovers` undoes this.
    """
    gc.freeze()


def destroy_leftovers() -> None:
    """Destroy the remaining widgets of a window whose loop is closed. Call it on the main thread."""
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    gc.unfreeze()
    gc.collect()
