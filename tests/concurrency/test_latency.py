"""A program that serves does not scan its modules in each garbage collection."""

from __future__ import annotations

import gc
import sys

from app.concurrency.latency import low_latency


def test_what_exists_is_left_out_of_collections_and_threads_take_turns_sooner() -> None:
    before_s = sys.getswitchinterval()
    with low_latency():
        assert gc.get_freeze_count() > len(sys.modules)
        assert sys.getswitchinterval() < before_s
    assert gc.get_freeze_count() == 0
    assert sys.getswitchinterval() == before_s
