"""Whoever keeps something computed from a series learns which slots to compute anew."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.market.candle import Candle
from app.market.changes import ChangeLog
from app.market.interval import Interval
from app.market.series import CandleSeries
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
        series.doubt(slot % len(series))
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
    span, after = series.changed_since(revision), rows(series)
    if span is not None:
        inside = range(span[0], span[1] + 1)
        left, right = ({slot: row for slot, row in table.items() if slot not in inside} for table in (before, after))
        assert left == right


def test_a_live_market_never_fills_the_log() -> None:
    log = ChangeLog()
    for revision in range(1, 5001):
        log.note(revision, 1000 + revision // 60, 1000 + revision // 60)
    assert log.since(4999) is not None
    assert log.since(2000) == (1000, 1083)
    log.note(5001, 10, 900)
    assert log.since(5000) == (10, 900)


def test_what_the_log_forgot_is_everything() -> None:
    log = ChangeLog()
    for revision in range(1, 100):
        log.note(revision, revision * 1000, revision * 1000)
    assert log.since(1) is None
    log.forget(100)
    assert log.since(99) is None
    log.note(101, 3, 4)
    assert log.since(100) == (3, 4)
