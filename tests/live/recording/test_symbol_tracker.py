"""One recorded symbol: which trades count, what is missing, and the window of its last hours."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.live.recording.symbol_tracker import SymbolTracker
from app.market.coverage import IdRanges, TradeGap
from app.market.interval import SECOND_US
from tests.live.helpers import START_US, SYMBOL, trade


def test_a_repeated_trade_is_recognised_and_reaches_no_listener_twice() -> None:
    tracker = SymbolTracker(SYMBOL)
    heard: list[int] = []
    tracker.listeners.append(lambda one: heard.append(one.trade_id))
    assert tracker.add(trade(1, 0.5))
    assert tracker.add(trade(2, 1.5))
    assert not tracker.add(trade(2, 1.5))
    assert heard == [1, 2]
    assert tracker.total == 2


def test_the_window_begins_at_the_next_whole_second_and_leaves_out_what_is_older() -> None:
    tracker = SymbolTracker(SYMBOL)
    tracker.add(trade(1, 0.25))
    assert tracker.window_start_us == START_US + SECOND_US
    assert tracker.recent.candles() == []
    tracker.add(trade(2, 0.999_999))
    assert tracker.recent.candles() == []
    tracker.add(trade(3, 1.0))
    assert [candle.open_time_us for candle in tracker.recent.candles()] == [START_US + SECOND_US]


def test_a_first_trade_on_a_whole_second_does_not_make_that_second_known() -> None:
    tracker = SymbolTracker(SYMBOL)
    tracker.add(trade(1, 3.0))
    assert tracker.window_start_us == START_US + 4 * SECOND_US


def test_a_restarted_window_forgets_what_it_held_and_raises_the_generation() -> None:
    tracker = SymbolTracker(SYMBOL)
    for number in range(5):
        tracker.add(trade(number + 1, number))
    tracker.restart_window(trade(5, 4))
    assert tracker.generation == 1
    assert tracker.window_start_us == START_US + 5 * SECOND_US
    assert len(tracker.recent) == 0
    assert tracker.received.held == IdRanges([(1, 5)])


def test_a_trade_fetched_before_the_feed_began_opens_no_window() -> None:
    tracker = SymbolTracker(SYMBOL)
    assert tracker.add(trade(7, 7), live=False)
    assert tracker.window_start_us is None
    assert len(tracker.recent) == 0
    assert 7 in tracker.held()
    tracker.add(trade(90, 90.5))
    assert tracker.window_start_us == START_US + 91 * SECOND_US


def test_a_gap_reaches_from_the_stored_trades_to_the_first_live_one() -> None:
    tracker = SymbolTracker(SYMBOL)
    tracker.note_stored(IdRanges([(1, 10), (12, 20)]))
    assert tracker.gaps() == (TradeGap(SYMBOL, 11, 11),)
    tracker.add(trade(31))
    assert tracker.gaps() == (TradeGap(SYMBOL, 11, 11), TradeGap(SYMBOL, 21, 30))
    assert tracker.missing() == 11


def test_a_lost_trade_is_missing_until_it_is_regained() -> None:
    tracker = SymbolTracker(SYMBOL)
    for number in range(1, 6):
        tracker.add(trade(number))
    tracker.ids.lose(3, 3)
    assert tracker.gaps() == (TradeGap(SYMBOL, 3, 3),)
    assert not tracker.ids.regain(4)
    assert tracker.ids.regain(3)
    assert not tracker.ids.regain(3)
    assert tracker.gaps() == ()


def test_absent_ids_are_no_gap_and_late_trades_close_one() -> None:
    tracker = SymbolTracker(SYMBOL)
    tracker.add(trade(1))
    tracker.add(trade(10))
    assert tracker.missing() == 8
    tracker.ids.note_absent(2, 5)
    assert tracker.gaps() == (TradeGap(SYMBOL, 6, 9),)
    tracker.add(trade(6))
    assert tracker.missing() == 3


def test_a_trade_believed_absent_counts_when_it_comes() -> None:
    tracker = SymbolTracker(SYMBOL)
    tracker.add(trade(1))
    tracker.add(trade(10))
    tracker.ids.note_absent(2, 9)
    assert (tracker.held().count(), tracker.absent.count()) == (10, 8)
    filled = tracker.filled
    assert tracker.add(trade(5))
    assert not tracker.add(trade(5))
    assert (tracker.total, tracker.filled) == (3, filled + 1)
    assert list(tracker.absent) == list(tracker.ids.absent_unsaved) == [(2, 4), (6, 9)]


def test_trades_another_program_stored_in_a_gap_are_not_missing_and_restart_the_window() -> None:
    tracker = SymbolTracker(SYMBOL)
    for number in (1, 2, 6, 7):
        tracker.add(trade(number))
    tracker.ids.lose(7, 7)
    tracker.note_stored(IdRanges([(1, 2), (6, 6)]))
    assert (tracker.missing(), tracker.generation) == (4, 0)
    tracker.note_stored(IdRanges([(1, 7)]), IdRanges([(4, 4)]))
    assert (tracker.missing(), tracker.generation) == (0, 1)
    assert tracker.window_start_us == START_US + 8 * SECOND_US
    assert not tracker.ids.lost
    assert list(tracker.absent) == [(4, 4)]
    tracker.note_stored(IdRanges([(1, 7)]))
    assert tracker.generation == 1


@pytest.mark.parametrize(("looked_at", "kept_s"), [(True, 7_200), (False, 600)])
def test_old_seconds_are_forgotten_sooner_without_a_listener(looked_at: bool, kept_s: int) -> None:
    tracker = SymbolTracker(SYMBOL)
    if looked_at:
        tracker.listeners.append(lambda _: None)
    last_s = 2 * kept_s
    for number in range(last_s):
        tracker.add(trade(number + 1, number))
    first_kept_us = tracker.recent.candles()[0].open_time_us
    assert tracker.window_start_us is not None
    assert START_US + (last_s - kept_s) * SECOND_US >= first_kept_us >= tracker.window_start_us
    assert first_kept_us >= START_US + (last_s - kept_s - 120) * SECOND_US
    assert len(tracker.recent) <= kept_s + 120


@given(
    stored=st.sets(st.integers(1, 40)),
    steps=st.lists(
        st.tuples(st.sampled_from(["add", "fetch", "lose", "regain", "absent", "move", "stored"]), st.integers(1, 40))
    ),
)
def test_the_gaps_are_those_of_plain_sets(stored: set[int], steps: list[tuple[str, int]]) -> None:
    tracker = SymbolTracker(SYMBOL)
    tracker.note_stored(IdRanges((number, number) for number in stored))
    received: set[int] = set()
    lost: set[int] = set()
    elsewhere: set[int] = set()
    unreceived: set[int] = set()  # absent, as far as is known
    for act, number in steps:
        match act:
            case "add" | "fetch":
                assert tracker.add(trade(number), live=act == "add") == (number not in received - unreceived)
                received.add(number)
                elsewhere -= unreceived & {number}
                unreceived.discard(number)
            case "lose":
                tracker.ids.lose(number, number)
                lost.add(number)
            case "regain":
                assert tracker.ids.regain(number) == (number in lost or number in elsewhere)
                elsewhere = elsewhere - {number} if number not in lost else elsewhere
                lost.discard(number)
            case "absent":
                tracker.ids.note_absent(number, number + 2)
                absent = {number, number + 1, number + 2}
                unreceived |= absent - received
                received |= absent
                lost -= absent
                elsewhere -= absent
            case "move":
                tracker.change_database(IdRanges([(number, number + 3)]))
                elsewhere = received - set(range(number, number + 4)) - lost
                stored = set()
            case "stored":
                stored = stored | set(range(number, 41, 3))
                tracker.note_stored(IdRanges((one, one) for one in stored))
                lost -= stored
        # Ask now and then, because answers are kept between changes.
        if random.Random(number).random() < 0.5:
            tracker.gaps()
    known = stored | (received - elsewhere)
    held = known - lost
    missing = set(range(min(known), max(known) + 1)) - held if known else set()
    assert {one for gap in tracker.gaps() for one in range(gap.first_trade_id, gap.last_trade_id + 1)} == missing
    assert tracker.missing() == len(missing)
    assert tracker.held().count() == len(held)
