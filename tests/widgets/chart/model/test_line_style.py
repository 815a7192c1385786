"""Dashes stay where they are: while the chart pans, and while only a part of it is painted."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from widgets.chart.model.line_style import DASHED_LINE, SOLID_LINE, LineDash, LineStyle, dash_segments

PATTERN = (6.0, 4.0)


def wave(first: int, count: int, bar_px: float = 7.0, left: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    slots = np.arange(first, first + count, dtype=np.int64)
    return (slots - left) * bar_px, 50 + 40 * np.sin(slots / 9), slots


def lengths(pieces: np.ndarray) -> np.ndarray:
    made: np.ndarray = np.hypot(pieces[:, 2] - pieces[:, 0], pieces[:, 3] - pieces[:, 1])
    return made


def test_dashes_lie_on_the_line_and_are_about_as_long_as_asked() -> None:
    xs, ys, slots = wave(64, 128)
    pieces = dash_segments(xs, ys, slots, PATTERN)
    np.testing.assert_allclose(np.interp(pieces[:, 0], xs, ys), pieces[:, 1])
    along = np.hypot(np.diff(xs), np.diff(ys)).sum()
    assert lengths(pieces).sum() == pytest.approx(along * 0.6, rel=0.05)
    joined = np.flatnonzero(pieces[1:, 0] - pieces[:-1, 2] > 1e-6)
    ends = np.concatenate(([-1], joined, [len(pieces) - 1]))
    dashes = [lengths(pieces[start + 1 : end + 1]).sum() for start, end in pairwise(ends)]
    assert min(dashes[:-1]) > 5
    assert max(dashes) < 7


@given(st.integers(0, 40), st.integers(0, 40))
def test_whole_blocks_have_their_dashes_wherever_the_view_begins_and_ends(before: int, after: int) -> None:
    shown = dash_segments(*wave(96 - before, 65 + before + after), PATTERN)
    alone = dash_segments(*wave(96, 65), PATTERN)
    xs = wave(96, 65)[0]
    inside = shown[(shown[:, 0] >= xs[0] - 1e-6) & (shown[:, 2] <= xs[-1] + 1e-6)]
    np.testing.assert_allclose(lengths(inside).sum(), lengths(alone).sum(), atol=0.1)
    np.testing.assert_allclose(inside[:20], alone[:20], atol=1e-6)


def test_a_line_of_a_point_or_none_has_no_dashes() -> None:
    for count in (0, 1):
        assert dash_segments(*wave(5, count), PATTERN).shape == (0, 4)
    assert dash_segments(np.zeros(3), np.zeros(3), np.arange(3), PATTERN).shape == (0, 4)


@given(st.lists(st.floats(-1e4, 1e4), min_size=2, max_size=80), st.integers(-100, 100), st.floats(0.5, 60))
def test_any_line_has_finite_dashes_from_left_to_right(ys: list[float], first: int, bar_px: float) -> None:
    slots = np.arange(first, first + len(ys), dtype=np.int64)
    pieces = dash_segments(slots * bar_px, np.array(ys), slots, PATTERN)
    assert np.isfinite(pieces).all()
    assert (pieces[:, 2] >= pieces[:, 0]).all()


@pytest.mark.parametrize("values", [None, {}, {"width": 7, "dash": "wavy"}, {"width": True, "dash": 3}, [1]])
def test_invalid_stored_styles_become_the_usual(values: object) -> None:
    assert LineStyle.from_values(values, DASHED_LINE) == DASHED_LINE


def test_a_style_survives_a_file() -> None:
    chosen = LineStyle(3.0, LineDash.DOTTED)
    assert LineStyle.from_values(chosen.to_values(), SOLID_LINE) == chosen
