"""Garbage is collected in the main thread alone."""

from __future__ import annotations

import gc
import threading

from PySide6.QtCore import QTimer
from pytestqt.qtbot import QtBot

from app.window.collector import collecting_in_main_thread, destroy_leftovers


class Cycle:
    """Garbage that only the collector frees; notes the thread in which it dies."""

    def __init__(self, died_in: list[int]) -> None:
        self._died_in, self._itself = died_in, self
        self._timer = QTimer()  # destroyed in another thread it ends the process
        self._timer.start(60_000)

    def __del__(self) -> None:
        self._died_in.append(threading.get_ident())


def test_cycles_die_in_the_main_thread_however_much_another_one_allocates(qtbot: QtBot) -> None:
    died_in: list[int] = []
    stopped = threading.Event()
    rounds = 0

    def allocate() -> None:
        nonlocal rounds
        while not stopped.is_set():
            kept = [[number] for number in range(50_000)]  # seventy times what begins an automatic collection
            rounds += bool(kept)

    with collecting_in_main_thread():
        thread = threading.Thread(target=allocate)
        thread.start()
        try:
            for _ in range(5):
                Cycle(died_in)
            qtbot.waitUntil(lambda: len(died_in) == 5 and rounds > 10, timeout=60_000)
        finally:
            stopped.set()
            thread.join()
            destroy_leftovers()
    assert set(died_in) == {threading.main_thread().ident}


def test_the_automatic_collection_is_as_it_was_before(qtbot: QtBot) -> None:
    for before in (True, False):
        (gc.enable if before else gc.disable)()
        try:
            with collecting_in_main_thread():
                assert not gc.isenabled()
            assert gc.isenabled() is before
        finally:
            gc.enable()
            destroy_leftovers()
