"""
Sets of spans of time as arrays: rows of start and end, UTC microseconds, end exclusive.

Rows of a *set* rise, are not empty and do not touch. Everything here works on whole arrays: twenty years have thousands
of closed spans.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Spans = NDArray[np.int64]
"""Spans of time, of shape (n, 2)."""


def spans_of(rows: Iterable[tuple[int, int]]) -> Spans:
    """Return the set that covers these spans, which may come in any order, overlap and be empty."""
    return merged(np.array([*rows], np.int64).reshape(-1, 2))


def merged(spans: Spans) -> Spans:
    """Return the set that covers these spans, which may come in any order, overlap and be empty."""
    spans = spans[spans[:, 0] < spans[:, 1]]
    if len(spans) < 2:
        return spans
    spans = spans[np.argsort(spans[:, 0], kind="stable")]
    reached = np.maximum.accumulate(spans[:, 1])
    begins = np.concatenate(([True], spans[1:, 0] > reached[:-1]))
    ends = np.concatenate((begins[1:], [True]))
    return np.column_stack((spans[begins, 0], reached[ends]))


def within(spans: Spans, start_us: int, end_us: int) -> Spans:
    """Return the part of a set that lies between two times."""
    first = int(np.searchsorted(spans[:, 1], start_us, side="right"))
    last = int(np.searchsorted(spans[:, 0], end_us, side="left"))
    return np.clip(spans[first:last], start_us, end_us) if start_us < end_us else spans[:0]


def between(spans: Spans, start_us: int, end_us: int) -> Spans:
    """Return what lies between two times and outside of a set."""
    inside = within(spans, start_us, end_us)
    edges = np.concatenate(([start_us], inside.ravel(), [end_us])).reshape(-1, 2)
    return edges[edges[:, 0] < edges[:, 1]]


def without(spans: Spans, removed: Spans) -> Spans:
    """Return the part of a set that another set does not cover."""
    if not len(spans) or not len(removed):
        return spans
    start_us, end_us = int(spans[0, 0]), int(spans[-1, 1])
    outside = np.concatenate((between(spans, start_us, end_us), within(removed, start_us, end_us)))
    return between(merged(outside), start_us, end_us)


def length_us(spans: Spans) -> int:
    """Return the microseconds that a set covers."""
    return int((spans[:, 1] - spans[:, 0]).sum())
