"""Prices that cross the lines of drawings, against the slow and obvious way in fractions."""

from __future__ import annotations

import re
import uuid
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.market.alerts.alert import Direction, DrawingCrosses
from app.market.alerts.drawn_line import DrawnLine, drawn_lines, read_line
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


conditions = st.builds(
    DrawingCrosses,
    st.uuids().map(str),
    st.none() | st.sampled_from(Direction),
    st.lists(lines(), max_size=3).map(tuple),
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("trade"), st.integers(-9_000, 800_000), st.integers(-15, 15)),
        st.tuples(st.just("add"), st.integers(0, 3), conditions),
        st.tuples(st.just("discard"), st.integers(0, 3), st.none()),
    ),
    max_size=60,
)


def price_of(line: DrawnLine, time_us: int) -> Fraction | None:
    if (line.start_us is not None and time_us < line.start_us) or (line.end_us is not None and time_us > line.end_us):
        return None
    slope = Fraction(line.price1_e8 - line.price0_e8, line.time1_us - line.time0_us)
    return line.price0_e8 + slope * (time_us - line.time0_us)


def expected(condition: DrawingCrosses, before: tuple[int, int], now: tuple[int, int]) -> Direction | None:
    for line in condition.lines:
        was, is_now = price_of(line, before[0]), price_of(line, now[0])
        if was is None or is_now is None:
            continue
        if before[1] < was and now[1] >= is_now and condition.direction is not Direction.DOWN:
            return Direction.UP
        if before[1] > was and now[1] <= is_now and condition.direction is not Direction.UP:
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


@given(lines())
def test_the_text_of_a_line_is_read_as_the_same(line: DrawnLine) -> None:
    assert read_line(line.text) == line
    assert " " not in line.text


@pytest.mark.parametrize("text", ["1@2", "1@2,3@2,,", "1@2,3@1,,", "x@2,3@4,,"])
def test_what_is_no_line_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        read_line(text)


def test_the_lines_of_a_drawing_are_those_on_the_chart() -> None:
    anchors = (Anchor(10, 65_000.5), Anchor(20, 65_210.0), Anchor(10, 64_000.5))
    style = DrawingStyle(extend=Extend.RIGHT)
    channel = Drawing(str(uuid.uuid4()), "BTCUSDT", DrawingKind.PARALLEL_CHANNEL, anchors, style)
    assert [one.text for one in drawn_lines(channel)] == ["65000.5@10,65210@20,10,", "64000.5@10,64210@20,10,"]


def test_a_drawing_without_a_line_is_refused_in_one_sentence() -> None:
    note = Drawing(str(uuid.uuid4()), "BTCUSDT", DrawingKind.VERTICAL_LINE, (Anchor(1, 2.0),))
    with pytest.raises(UsageError, match=r"^No price crosses a vertical line: .*\.$"):
        drawn_lines(note)
