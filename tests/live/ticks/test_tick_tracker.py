"""The ticks of one symbol as charts and the database get them: places, repeats after a reconnect, breaks."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from app.live.ticks.tick_tracker import JOIN_STEP_US, TickTracker
from app.market.candle import CandleSource
from app.market.quotes.tick import PriceSide, Tick
from app.market.units import E8

SYMBOL = "oanda:EURUSD"
BEGIN_US = 1_783_944_000_000_000


def tick(after_us: int, bid: int = 100, ask: int = 102) -> Tick:
    return Tick(SYMBOL, BEGIN_US + after_us, 0, bid, ask)


def test_each_price_is_folded_by_itself() -> None:
    tracker = TickTracker(SYMBOL)
    for at, bid, ask in ((0, 100, 104), (JOIN_STEP_US, 101, 103), (JOIN_STEP_US + 1, 99, 107)):
        tracker.add(tick(at, bid, ask))

    closes = {side: one.recent.candles()[-1].close_e8 for side, one in tracker.sides.items()}
    assert closes == {PriceSide.BID: 99, PriceSide.ASK: 107, PriceSide.MID: 103}
    assert all(one.source is CandleSource.TICKS for one in tracker.sides.values())
    assert tracker.sides[PriceSide.MID].recent.candles()[-1].volume_e8 == 2 * E8


def test_the_window_begins_where_the_brokers_shortest_candles_do() -> None:
    tracker = TickTracker(SYMBOL)
    tracker.add(tick(7_000_001))
    assert tracker.sides[PriceSide.BID].window_start_us == BEGIN_US + 10_000_000


def test_a_price_that_a_reconnect_repeats_is_taken_once() -> None:
    tracker = TickTracker(SYMBOL)
    assert tracker.add(tick(5)) == tick(5)
    tracker.note_break()
    assert tracker.add(tick(5)) is None
    assert tracker.total == 1


def test_two_prices_of_one_time_are_both_kept_in_their_order() -> None:
    tracker = TickTracker(SYMBOL)
    stored = [tracker.add(one) for one in (tick(5), tick(5, 101, 103), tick(5, 100, 102), tick(6))]
    assert [one and one.place for one in stored] == [0, 1, 2, 0]


def test_after_a_break_charts_begin_again_behind_it() -> None:
    tracker = TickTracker(SYMBOL)
    tracker.add(tick(0))
    before = [one.generation for one in tracker.sides.values()]
    tracker.note_break()
    assert tracker.watched_from_us is None
    assert not tracker.sides[PriceSide.MID].is_watched

    tracker.add(tick(60_000_000, 105, 107))

    assert [one.generation for one in tracker.sides.values()] == [one + 1 for one in before]
    assert tracker.sides[PriceSide.MID].window_start_us == BEGIN_US + 65_000_000
    assert tracker.watched_from_us == BEGIN_US + 60_000_001


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3), st.booleans()), max_size=40))
def test_symbol_time_and_place_identify_every_tick_however_often_the_stream_breaks(steps) -> None:
    tracker, at, kept = TickTracker(SYMBOL), 0, []
    for later, bid, breaks in steps:
        at += later
        if breaks:
            tracker.note_break()
        stored = tracker.add(tick(at, bid, bid + 1))
        if stored is not None:
            kept.append(stored)
    assert len({(one.time_us, one.place) for one in kept}) == len(kept) == tracker.total
    for one, following in pairwise(kept):
        assert following.place == (one.place + 1 if one.time_us == following.time_us else 0)
