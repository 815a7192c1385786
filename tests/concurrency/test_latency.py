"""A program that serves does not scan its modules in each garbage collection."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator

import pytest

from app.concurrency.latency import low_latency


@pytest.fixture
def usual_interval() -> Iterator[float]:
    """Python's own switch interval, which another test of this process may have shortened."""
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(0.005)
    yield sys.getswitchinterval()
    sys.setswitchinterval(before_s)


def test_what_exists_is_left_out_of_collections_and_threads_take_turns_sooner(usual_interval: float) -> None:
    before_s = usual_interval
    with low_latency():
        assert gc.get_freeze_count() > len(sys.modules)
        assert sys.getswitchinterval() < before_s
    assert gc.get_freeze_count() == 0
    assert sys.getswitchinterval() == before_s
