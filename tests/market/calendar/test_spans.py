"""Sets of spans, against sets of single moments."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.market.calendar.spans import Spans, between, length_us, merged, spans_of, within, without
from tests.market.calendar.helpers import covers

END = 60
rows = st.lists(st.tuples(st.integers(0, END), st.integers(0, END)), max_size=8)
edges = st.tuples(st.integers(0, END), st.integers(0, END))


def moments(spans: Spans | list[tuple[int, int]]) -> set[int]:
    return {moment for start, end in np.asarray(spans).reshape(-1, 2).tolist() for moment in range(start, end)}


def is_set(spans: Spans) -> bool:
    flat = spans.ravel()
    return bool((np.diff(flat) > 0).all())


@given(rows)
def test_merged_spans_cover_the_same_moments_without_touching(drawn: list[tuple[int, int]]) -> None:
    found = spans_of(drawn)
    assert is_set(found)
    assert moments(found) == moments(drawn)
    assert length_us(found) == len(moments(drawn))
    assert merged(found).tolist() == found.tolist()


@given(rows, edges)
def test_a_range_is_cut_out_of_a_set_and_its_outside(drawn: list[tuple[int, int]], ends: tuple[int, int]) -> None:
    spans, (start, end) = spans_of(drawn), ends
    inside, outside = within(spans, start, end), between(spans, start, end)
    assert is_set(inside)
    assert is_set(outside)
    assert moments(inside) == moments(spans) & set(range(start, end))
    assert moments(outside) == set(range(start, end)) - moments(spans)


@given(rows, rows)
def test_one_set_is_taken_out_of_another(drawn: list[tuple[int, int]], other: list[tuple[int, int]]) -> None:
    left = without(spans_of(drawn), spans_of(other))
    assert is_set(left)
    assert moments(left) == moments(drawn) - moments(other)


@given(rows)
def test_moments_are_looked_up_at_once(drawn: list[tuple[int, int]]) -> None:
    times = np.arange(-2, END + 2, dtype=np.int64)
    assert set(times[covers(spans_of(drawn), times)].tolist()) == moments(drawn)
