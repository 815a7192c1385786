"""
How much a run of the tests repeats.

Every run makes each point. ``make deeptest`` makes it with every example, kind of fault, earlier version and edition
that there is: with ``TEST_DEPTH=deep``, tests marked ``deep`` run too, and `examples` are all drawn.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

import pytest

Value = TypeVar("Value")

DEEP = os.environ.get("TEST_DEPTH") == "deep"
_FEWEST = 5


def examples(count: int) -> int:
    """Return how many examples of ``count`` this run draws: a quarter, and five at least; all in a deep run."""
    return count if DEEP else min(count, max(_FEWEST, count // 4))


def repeats(usual: int, deep: int) -> int:
    """Return how often this run repeats something, such as kills."""
    return deep if DEEP else usual


def mostly_deep(values: Sequence[Value], usual: Sequence[Value]) -> list[object]:
    """Return the values as parameters of a test; those beside ``usual`` are for deep runs."""
    return [one if one in usual else pytest.param(one, marks=pytest.mark.deep) for one in values]


def is_wanted(item: pytest.Item) -> bool:
    """Whether this run has the test."""
    return DEEP or item.get_closest_marker("deep") is None
