"""A reader that keeps values computed from a series learns which slots have changed."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from app.market.candle import Candle
from app.market.interval import Interval
from app.market.series.change_log import ChangeLog, Span
from app.market.series.series import CandleSeries
from app.market.units import E8

MINUTE = Interval.parse("1m")


def candle(slot: int, price: int = 100) -> Candle:
    return Candle(MINUTE.slot_open_us(slot), price * E8, price * E8, price * E8, price * E8, E8, E8, 1, 0, 0)


changes = st.lists(
    st.one_of(
        st.tuples(st.just("upsert"), st.integers(0, 400), st.integers(1, 9)),
        st.tuples(st.just("merge"), st.integers(0, 400), st.integers(1, 40)),
        st.tuples(st.just("prepend"), st.integers(0, 400), st.integers(1, 200)),
        st.tuples(st.just("replace"), st.integers(0, 400), st.integers(0, 40)),
        st.tuples(st.just("doubt"), st.integers(0, 400), st.just(0)),
        st.tuples(st.just("begins"), st.integers(0, 1), st.just(0)),
    ),
    max_size=60,
)


def apply(series: CandleSeries, change: tuple[str, int, int]) -> None:
    name, slot, count = change
    if name == "upsert":
        series.upsert(candle(slot, count))
    elif name == "doubt" and len(series):
        series.mark_incomplete(slot % len(series))
    elif name == "begins":
        series.set_begins(begins=bool(slot))
    elif name == "prepend":
        series.prepend([candle(at) for at in range(slot, slot + count, 3)])
    elif name in ("merge", "replace"):
        getattr(series, name)([candle(at, 5) for at in range(slot, slot + count, 2)])


def rows(series: CandleSeries) -> dict[int, tuple[object, ...]]:
    return {int(slot): series.bar(at)[1:] for at, slot in enumerate(series.slots)}


@given(changes, st.data())
def test_all_that_differs_lies_between_the_two_slots(made: list[tuple[str, int, int]], data: st.DataObject) -> None:
    series = CandleSeries("X", MINUTE)
    series.replace([candle(at) for at in range(100, 120)])
    seen = data.draw(st.integers(0, len(made)))
    for change in made[:seen]:
        apply(series, change)
    revision, before = series.revision, rows(series)
    for change in made[seen:]:
        apply(series, change)
    if series.revision == revision:
        return
    spans, after = series.changed_since(revision), rows(series)
    if spans is None:
        return
    inside = {slot for span in spans for slot in range(span.first, span.last + 1)}
    left, right = ({slot: row for slot, row in table.items() if slot not in inside} for table in (before, after))
    assert left == right
    assert all(one.last + 1 < other.first for one, other in pairwise(spans))
    for span in spans:
        counts = [sum(span.first <= slot <= span.last for slot in table) for table in (before, after)]
        assert counts[1] - counts[0] == span.grown


def test_a_live_market_never_fills_the_log() -> None:
    log = ChangeLog()
    for revision in range(1, 1801):
        slot, ticks = divmod(revision, 60)
        log.note(revision, Span(1000 + slot, 1000 + slot, int(ticks == 0)))
    assert log.since(1799) == [Span(1029, 1030, 1)]
    assert log.since(600) == [Span(1010, 1030, 20)]
    log.note(1801, Span(10, 900, 800))
    assert log.since(1799) == [Span(10, 900, 800), Span(1029, 1030, 1)]
    assert log.since(1800) == [Span(10, 900, 800)]


def test_what_the_log_forgot_is_everything() -> None:
    log = ChangeLog()
    for revision in range(1, 100):
        log.note(revision, Span(revision * 1000, revision * 1000, 1))
    assert log.since(1) is None
    log.forget(100)
    assert log.since(99) is None
    log.note(101, Span(3, 4, 0))
    assert log.since(100) == [Span(3, 4, 0)]
