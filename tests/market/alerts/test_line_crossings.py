"""Prices that cross lines and paths of drawings, and moments, against the slow and obvious way in fractions."""

from __future__ import annotations

import re
import uuid
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.market.alerts.alert import Direction, DrawingCrosses
from app.market.alerts.drawn_line import DrawnLine
from app.market.alerts.drawn_parts import DrawnMoment, DrawnPart, drawn_parts, read_part
from app.market.alerts.drawn_path import DrawnPath, Point, paths_of
from app.market.alerts.line_crossings import LineCrossings
from app.market.drawings.drawing import Anchor, Drawing, DrawingKind, DrawingStyle, Extend
from app.market.errors import UsageError

SECOND = 1_000_000
times = st.integers(-5, 40)
ends = st.none() | times


@st.composite
def lines(draw: st.DrawFn) -> DrawnLine:
    first = draw(times)
    last = first + draw(st.integers(1, 30))
    prices = st.integers(-20, 20)
    start, end = draw(ends), draw(ends)
    return DrawnLine(
        first * SECOND // 3,
        draw(prices),
        last * SECOND // 3,
        draw(prices),
        None if start is None else start * SECOND // 3,
        None if end is None else end * SECOND // 3,
    )


@st.composite
def paths(draw: st.DrawFn) -> DrawnPath:
    whens = sorted(draw(st.lists(times, min_size=2, max_size=8)))
    whens[-1] += whens[0] == whens[-1]
    return DrawnPath(tuple((when * SECOND // 3, draw(st.integers(-20, 20))) for when in whens))


parts = st.one_of(lines(), paths(), times.map(lambda when: DrawnMoment(when * SECOND // 3)))
conditions = st.builds(
    DrawingCrosses,
    st.uuids().map(str),
    st.none() | st.sampled_from(Direction),
    st.lists(parts, max_size=3).map(tuple),
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("trade"), st.integers(-9_000, 800_000), st.integers(-15, 15)),
        st.tuples(st.just("add"), st.integers(0, 3), conditions),
        st.tuples(st.just("discard"), st.integers(0, 3), st.none()),
    ),
    max_size=60,
)


def prices_of(part: DrawnLine | DrawnPath, time_us: int) -> tuple[Fraction, Fraction] | None:
    """The lowest and the highest price of a line or a path at a time; None where it has none."""
    if isinstance(part, DrawnLine):
        price = price_of(part, time_us)
        return None if price is None else (price, price)
    found = list[Fraction]()
    for (time0, price0), (time1, price1) in pairwise(part.points):
        if time0 == time1 == time_us:
            found += [Fraction(price0), Fraction(price1)]
        elif time0 <= time_us <= time1 and time0 < time1:
            found.append(price0 + Fraction(price1 - price0, time1 - time0) * (time_us - time0))
    return (min(found), max(found)) if found else None


def price_of(line: DrawnLine, time_us: int) -> Fraction | None:
    if (line.start_us is not None and time_us < line.start_us) or (line.end_us is not None and time_us > line.end_us):
        return None
    slope = Fraction(line.price1_e8 - line.price0_e8, line.time1_us - line.time0_us)
    return line.price0_e8 + slope * (time_us - line.time0_us)


def expected(condition: DrawingCrosses, before: tuple[int, int], now: tuple[int, int]) -> Direction | None:
    for part in condition.lines:
        is_up = is_down = False
        if isinstance(part, DrawnMoment):
            if before[0] < part.time_us <= now[0]:
                is_up, is_down = now[1] >= before[1], now[1] < before[1]
        else:
            was, is_now = prices_of(part, before[0]), prices_of(part, now[0])
            if was is None or is_now is None:
                continue
            is_up, is_down = before[1] < was[0] and now[1] >= is_now[0], before[1] > was[1] and now[1] <= is_now[1]
        if is_up and condition.direction is not Direction.DOWN:
            return Direction.UP
        if is_down and condition.direction is not Direction.UP:
            return Direction.DOWN
    return None


@given(steps)
def test_what_is_met_is_what_fractions_say(steps: list) -> None:
    crossings, waiting = LineCrossings(), dict[int, DrawingCrosses]()
    before: tuple[int, int] | None = None
    time_us = 0
    for kind, number, value in steps:
        match kind:
            case "add":
                waiting[number] = value
                crossings.add(number, value)
            case "discard":
                waiting.pop(number, None)
                crossings.discard(number)
            case _:
                time_us += number
                found = dict(crossings.met(time_us, value))
                now = (time_us, value)
                wanted = {} if before is None else {key: expected(one, before, now) for key, one in waiting.items()}
                assert found == {key: way for key, way in wanted.items() if way}
                before = now


@given(parts)
def test_the_text_of_a_part_is_read_as_the_same(part: DrawnPart) -> None:
    assert read_part(part.text) == part
    assert type(read_part(part.text)) is type(part)
    assert not set(part.text) & {" ", ";"}


@pytest.mark.parametrize("text", ["1@2", "1@2,3@2,,", "1@2,3@1,,", "x@2,3@4,,", "1@2>3@1", "1@2>3@2", "@x", "1@2>x"])
def test_what_is_no_part_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text.split(">")[-1].strip("@"))):
        read_part(text)


@given(st.lists(st.tuples(times, st.integers(-9, 9)), min_size=2, max_size=12), times)
def test_a_line_by_hand_has_the_prices_of_its_pieces_at_every_time(points: list[Point], time_us: int) -> None:
    drawn = [
        price0 if time0 == time1 else price0 + Fraction(price1 - price0, time1 - time0) * (time_us - time0)
        for (time0, price0), (time1, price1) in pairwise(points)
        if min(time0, time1) <= time_us <= max(time0, time1) and time0 != time1
    ]
    found = [prices_of(path, time_us) for path in paths_of(points)]
    edges = [one for prices in found if prices is not None for one in prices]
    assert set(drawn) <= {price for price in drawn if any(low <= price <= high for low, high in filter(None, found))}
    assert all(min(price for _, price in points) <= edge <= max(price for _, price in points) for edge in edges)
    assert bool(edges) == bool(drawn)


def test_a_line_by_hand_that_turns_back_is_crossed_once_for_each_pass() -> None:
    there_and_back = [(0, 10), (100, 10), (50, 20), (60, 20), (60, 25), (90, 25)]
    paths = paths_of(there_and_back)
    assert [one.points for one in paths] == [
        ((0, 10), (100, 10)),
        ((50, 20), (100, 10)),
        ((50, 20), (60, 20), (60, 25), (90, 25)),
    ]
    assert [one.went((55, 5), (56, 30)) for one in paths] == [1, 1, 1]
    assert [one.went((59, 22), (61, 22)) for one in paths] == [0, 0, -1]  # it stands still, and the line jumps over it
    assert [one.went((95, 5), (99, 30)) for one in paths] == [1, 1, 0]


def test_time_crosses_a_moment_with_the_first_trade_at_or_after_it() -> None:
    crossings = LineCrossings()
    crossings.add(1, DrawingCrosses("id", None, (DrawnMoment(100),)))
    times_us = (98, 99, 100, 101, 105)
    assert [crossings.met(time_us, 7) for time_us in times_us] == [[], [], [(1, Direction.UP)], [], []]
    late = LineCrossings()
    late.add(1, DrawingCrosses("id", None, (DrawnMoment(100),)))
    assert [late.met(time_us, 7) for time_us in times_us[2:]] == [[], [], []]  # it was past when the alert began


def test_the_lines_of_a_drawing_are_those_on_the_chart() -> None:
    anchors = (Anchor(10, 65_000.5), Anchor(20, 65_210.0), Anchor(10, 64_000.5))
    style = DrawingStyle(extend=Extend.RIGHT)
    channel = Drawing(str(uuid.uuid4()), "BTCUSDT", DrawingKind.PARALLEL_CHANNEL, anchors, style)
    assert [one.text for one in drawn_parts(channel)] == ["65000.5@10,65210@20,10,", "64000.5@10,64210@20,10,"]


def test_a_drawing_without_a_line_is_refused_in_one_sentence() -> None:
    note = Drawing(str(uuid.uuid4()), "BTCUSDT", DrawingKind.NOTE, (Anchor(1, 2.0),))
    with pytest.raises(UsageError, match=r"^No price crosses this note: .*\.$"):
        drawn_parts(note)
    upright = Drawing(str(uuid.uuid4()), "BTCUSDT", DrawingKind.FREEHAND, (Anchor(1, 2.0), Anchor(1, 3.0)))
    with pytest.raises(UsageError, match=r"^No price crosses this freehand: .*\.$"):
        drawn_parts(upright)
