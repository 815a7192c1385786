"""Threads that allocate share one heap where that was asked for."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, sys, threading
from app.concurrency.one_heap import share_one_heap
if sys.argv[1] == "one":
    share_one_heap()
meeting = threading.Barrier(4)
def work():
    kept = [bytes(5_000) for _ in range(500)]
    meeting.wait()
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
ctypes.CDLL(None).malloc_stats()
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_stats"), reason="glibc alone has heaps for threads")
def test_threads_share_one_heap() -> None:
    heaps = {}
    for name in ("one", "several"):
        done = subprocess.run([sys.executable, "-c", PROGRAM, name], capture_output=True, text=True, check=True)
        heaps[name] = done.stderr.count("Arena ")
    assert heaps["one"] == 1
    assert heaps["several"] > 1
