"""Strokes brought into a view, against points on them computed one by one."""

from __future__ import annotations

from math import hypot, inf

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.market.calendar.open_axis import PLAIN_AXIS, OpenAxis
from app.market.drawings.drawing import DrawingKind, Extend
from app.market.interval import Interval
from tests.widgets.chart.charts import FIRST_SLOT, MINUTE
from tests.widgets.chart.drawings.helpers import anchor, drawn
from widgets.chart.drawings.figures import Figures, Lines, View, positions_of
from widgets.chart.drawings.line_painting import dashes_of
from widgets.chart.drawings.shapes import Shape, Stroke, shape_of
from widgets.chart.scales.time_scale import TimeScale, position_of
from widgets.chart.scales.value_scale import ScaleMode, ValueScale

TOP, WIDTH, HEIGHT = 20.0, 600.0, 300.0
CLOSED = OpenAxis(np.array([[FIRST_SLOT + 40, FIRST_SLOT + 90], [FIRST_SLOT + 130, FIRST_SLOT + 200]]))
LINE = drawn(DrawingKind.TREND_LINE, anchor(0, 1), anchor(1, 1))

slots, prices = st.integers(-300, 300), st.floats(20, 400)


@st.composite
def views(draw: st.DrawFn) -> View:
    axis = draw(st.sampled_from([PLAIN_AXIS, CLOSED]))
    scale = TimeScale(WIDTH, draw(st.sampled_from([0.5, 3.0, 7.0, 40.0])), axis=axis)
    scale.right = axis.at(FIRST_SLOT) + draw(st.integers(-50, 250))
    low = draw(st.floats(30, 100))
    mode = draw(st.sampled_from([ScaleMode.LINEAR, ScaleMode.LOG]))
    values = ValueScale(low, low * draw(st.floats(1.02, 6)), mode=mode, inverted=draw(st.booleans()))
    return View(scale, values, TOP, WIDTH, HEIGHT)


def all_pieces(figures: Figures, view: View) -> np.ndarray:
    projection = figures.project(view)
    return np.concatenate([part.pieces for part in (projection.slants, projection.levels, projection.uprights)])


def point_on(view: View, stroke: Stroke, share: float) -> tuple[float, float]:
    """A point of a stroke, a share of the way from its start to its end, in pixels."""
    time_us = stroke.start_us + share * (stroke.end_us - stroke.start_us)
    price = stroke.start + share * (stroke.end - stroke.start)
    scale = view.time_scale
    # A time between two microseconds counts: at the widest zoom a slot is 40 pixels.
    position = (time_us - MINUTE.origin_us) / MINUTE.length_us - 0.5
    return (scale.axis.at(position) - scale.left) * scale.bar_px, TOP + view.value_scale.share_of(price) * HEIGHT


def distance(pieces: np.ndarray, point: tuple[float, float]) -> float:
    """How far a point is from the nearest of these pieces."""
    if not len(pieces):
        return inf
    start, by = pieces[:, :2], pieces[:, 2:] - pieces[:, :2]
    away = np.array(point) - start
    lengths = np.maximum((by * by).sum(axis=1), 1e-12)
    shares = np.clip((away * by).sum(axis=1) / lengths, 0, 1)
    return float(np.hypot(*(away - by * shares[:, None]).T).min())


def figures_of(stroke: Stroke) -> Figures:
    return Figures([LINE], [Shape([stroke])], MINUTE)


@given(
    st.tuples(slots, prices, slots, prices),
    st.booleans(),
    st.booleans(),
    views(),
    st.lists(st.floats(0, 1), min_size=5, max_size=5),
)
def test_what_is_painted_is_the_stroke(
    ends: tuple[int, float, int, float], before: bool, after: bool, view: View, shares: list[float]
) -> None:
    one, other = anchor(ends[0], ends[1]), anchor(ends[2], ends[3])
    assume(one != other)
    stroke = Stroke(*one, *other, before, after)
    pieces = all_pieces(figures_of(stroke), view)
    for share in shares:
        share = (share - 0.5) * 6 if before and after else share * 3 if after else share * 3 - 2 if before else share
        point = point_on(view, stroke, share)
        price = stroke.start + share * (stroke.end - stroke.start)
        if 0 <= point[0] <= WIDTH and TOP <= point[1] <= TOP + HEIGHT and price > 0:
            assert distance(pieces, point) < 1.0
    left, top, right, bottom = view.box
    assert (pieces[:, (0, 2)] >= left - 1e-6).all()
    assert (pieces[:, (0, 2)] <= right + 1e-6).all()
    assert (pieces[:, (1, 3)] >= top - 1e-6).all()
    assert (pieces[:, (1, 3)] <= bottom + 1e-6).all()


@given(st.tuples(slots, prices, slots, prices), views())
def test_nothing_is_painted_beside_the_stroke(ends: tuple[int, float, int, float], view: View) -> None:
    one, other = anchor(ends[0], ends[1]), anchor(ends[2], ends[3])
    assume(one.time_us != other.time_us)
    stroke = Stroke(*one, *other)
    steps = np.linspace(0, 1, 400)
    path = np.array([point_on(view, stroke, share) for share in steps])
    way = np.column_stack((path[:-1], path[1:]))
    for piece in all_pieces(figures_of(stroke), view):
        for point in (piece[:2], piece[2:], (piece[:2] + piece[2:]) / 2):
            assert distance(way, tuple(point)) < 1.5  # low prices of a logarithmic axis bend most, out of view more so


def test_level_and_upright_lines_cross_the_whole_pane() -> None:
    scale = TimeScale(WIDTH, 7.0)
    scale.right = float(FIRST_SLOT + 50)
    view = View(scale, ValueScale(50, 150), TOP, WIDTH, HEIGHT)
    shape = Shape([Stroke(-inf, 100, inf, 100), Stroke(anchor(20, 0).time_us, -inf, anchor(20, 0).time_us, inf)])
    projection = Figures([LINE], [shape], MINUTE).project(view)
    (level,), (upright,) = projection.levels.pieces.tolist(), projection.uprights.pieces.tolist()
    assert level[0] <= 0
    assert level[2] >= WIDTH
    assert level[1] == level[3] == pytest.approx(TOP + HEIGHT / 2)
    assert upright[1] <= TOP
    assert upright[3] >= TOP + HEIGHT
    assert upright[0] == upright[2] == pytest.approx(scale.x_of(FIRST_SLOT + 20))


@pytest.mark.parametrize("kind", [DrawingKind.RAY, DrawingKind.TREND_LINE])
@pytest.mark.parametrize(("across", "up"), [(1, 0), (-1, 0), (0, 1), (0, -1)])
@pytest.mark.parametrize("mode", [ScaleMode.LINEAR, ScaleMode.LOG])
def test_a_level_or_upright_line_goes_on_where_it_is_extended(
    kind: DrawingKind, across: int, up: int, mode: ScaleMode
) -> None:
    """A ray goes through its second anchor; “right” is later, and says nothing about a line that stands upright."""
    scale = TimeScale(WIDTH, 6.0)
    scale.right = float(FIRST_SLOT + 50)
    view = View(scale, ValueScale(50, 150, mode=mode), TOP, WIDTH, HEIGHT)
    line = drawn(kind, anchor(0, 100), anchor(10 * across, 100 + 10 * up), extend=Extend.RIGHT)
    (piece,) = all_pieces(Figures([line], [shape_of(line, 2, None)], MINUTE), view)
    ends = {"x": sorted(piece[[0, 2]].tolist()), "y": sorted(piece[[1, 3]].tolist())}
    xs = [scale.x_of(FIRST_SLOT + min(0, 10 * across)), scale.x_of(FIRST_SLOT + max(0, 10 * across))]
    ys = sorted(TOP + HEIGHT * view.value_scale.share_of(price) for price in (100, 100 + 10 * up))
    beyond = {"left": xs[0], "right": xs[1], "top": ys[0], "bottom": ys[1]}
    if kind is DrawingKind.RAY:
        towards = {(1, 0): "right", (-1, 0): "left", (0, 1): "top", (0, -1): "bottom"}[across, up]
        beyond[towards] = dict(zip(("left", "top", "right", "bottom"), view.box, strict=True))[towards]
        if across:
            beyond["left" if across > 0 else "right"] = scale.x_of(FIRST_SLOT)
    elif across:
        beyond["right"] = view.box[2]
    assert ends["x"] == pytest.approx([beyond["left"], beyond["right"]])
    assert ends["y"] == pytest.approx([beyond["top"], beyond["bottom"]])


@pytest.mark.parametrize("interval", ["1s", "1m", "1h+5m", "3d", "1w", "1M", "3M"])
def test_positions_are_those_of_the_time_scale(interval: str) -> None:
    kind = Interval.parse(interval)
    times = np.array([[-1e15, 0.0], [1.7e15, 1.723161255200000e15]])
    expected = [[position_of(kind, time) for time in row] for row in times.tolist()]
    assert positions_of(kind, times) == pytest.approx(np.array(expected), abs=1e-6)


@given(
    st.floats(0, 500),
    st.floats(0, 300),
    st.floats(1, 500),
    st.floats(0, 6.28),
    st.floats(-200, 200),
    st.tuples(st.floats(2, 20), st.floats(2, 20)),
)
def test_dashes_lie_on_the_line_and_repeat(
    x: float, y: float, length: float, turn: float, phase: float, pattern: tuple[float, float]
) -> None:
    by = np.array((np.cos(turn), np.sin(turn)))
    start = np.array((x, y))
    piece = np.concatenate((start, start + by * length))[None, :]
    dashes = dashes_of(piece, np.array([phase]), pattern)
    period = sum(pattern)
    for dash in dashes:
        begin, end = (float((part - start) @ by) for part in (dash[:2], dash[2:]))
        assert -1e-6 <= begin < end + 1e-9
        assert end <= length + 1e-6
        assert end - begin <= pattern[0] + 1e-6
        assert hypot(*(start + by * begin - dash[:2])) < 1e-6
    # A point is covered exactly where its phase says so.
    for share in (0.1, 0.37, 0.52, 0.9):
        at = share * length
        along = (phase + at) % period
        if min(abs(along - pattern[0]), along, period - along) > 1e-3:
            covered = any((dash[:2] - start) @ by - 1e-6 <= at <= (dash[2:] - start) @ by + 1e-6 for dash in dashes)
            assert covered == (along < pattern[0])


def test_lines_of_a_look_are_painted_in_the_order_of_their_drawings() -> None:
    lines = [drawn(DrawingKind.TREND_LINE, anchor(at, 100), anchor(at + 9, 120), width=1 + at % 2) for at in range(6)]
    scale = TimeScale(WIDTH, 7.0)
    scale.right = float(FIRST_SLOT + 50)
    shapes = [shape_of(line, 2, None) for line in lines]
    found: Lines = Figures(lines, shapes, MINUTE).project(View(scale, ValueScale(50, 150), TOP, WIDTH, HEIGHT)).slants
    assert found.looks.tolist() == [0, 0, 0, 1, 1, 1]
    assert found.owners.tolist() == [0, 2, 4, 1, 3, 5]
