"""Delays are counted by the exchange's time, once for each live trade, and never guessed."""

from __future__ import annotations

from app.live.environment.clocks import ExchangeClock
from app.live.recording.measures import Distribution, Measures, PaintWatch
from tests.live.databases import FakeWriter
from tests.live.helpers import START_US, HandClock, recorder_for, trade


def clocks(skew_us: int | None = 0) -> tuple[HandClock, ExchangeClock]:
    clock = HandClock(START_US)
    exchange_clock = ExchangeClock(clock)
    exchange_clock.skew_us = skew_us
    return clock, exchange_clock


def test_a_value_on_a_bound_counts_below_it_and_larger_values_have_their_own_count() -> None:
    spread = Distribution((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 9.0):
        spread.add(value)
    assert spread.counts == [2, 1, 1]
    assert (spread.count, spread.total) == (4, 12.0)


def test_a_stored_trade_counts_from_its_own_time_to_the_commit_corrected_for_skew() -> None:
    clock, exchange_clock = clocks(skew_us=-2_000_000)
    measures = Measures(exchange_clock)
    clock.time_us = START_US + 5_000_000
    measures.note_stored([trade(1, 1.0), trade(2, 2.5)], 0.25)
    assert measures.stored.count == 2
    assert measures.stored.total == 2.0 + 0.5
    assert (measures.batch_trades.total, measures.batch_s.total) == (2, 0.25)


def test_trades_fetched_for_a_gap_count_in_the_batch_but_not_as_delays() -> None:
    clock, exchange_clock = clocks()
    measures = Measures(exchange_clock)
    clock.time_us = START_US + 100_000_000
    measures.note_stored([trade(90)], 0.0)
    measures.note_stored([trade(5), trade(90), trade(91), trade(6, symbol="ETHUSDT")], 0.0)
    assert measures.stored.count == 3
    assert measures.batch_trades.total == 5


def test_without_a_measured_skew_no_delay_is_counted() -> None:
    _, exchange_clock = clocks(skew_us=None)
    measures = Measures(exchange_clock)
    measures.note_stored([trade(1)], 0.1)
    watch = PaintWatch(exchange_clock, measures.painted)
    watch.note_change(trade(1), frames=0)
    watch.note_paint(frames=1)
    assert (measures.stored.count, measures.painted.count, measures.batch_s.count) == (0, 0, 1)


async def test_the_recorder_measures_trades_when_they_arrive_and_when_they_are_stored() -> None:
    recorder = recorder_for(clock=(clock := HandClock()))
    recorder._exchange_clock.note_measurement(START_US, START_US, START_US)
    recorder.attach(FakeWriter())
    for number in (1, 2, 2):
        assert recorder.receive(trade(number), clock.now_us()) is None
    await recorder.outbox.drain()
    assert recorder.measures.received.count == 2
    assert recorder.measures.batch_trades.total == 3
    assert recorder.measures.stored.count == 2


def test_a_trade_is_painted_at_the_first_paint_after_its_frame() -> None:
    clock, exchange_clock = clocks()
    measures = Measures(exchange_clock)
    watch = PaintWatch(exchange_clock, measures.painted)
    watch.note_change(trade(1, 0.0), frames=7)
    clock.time_us = START_US + 20_000
    watch.note_paint(frames=7)  # the crosshair moved: not in the picture yet
    assert measures.painted.count == 0
    watch.note_change(trade(2, 0.01), frames=7)
    watch.note_change(trade(3, 0.02), frames=8)  # after the frame, before its paint
    clock.time_us = START_US + 30_000
    watch.note_paint(frames=8)
    assert (measures.painted.count, round(measures.painted.total, 6)) == (1, 0.02)
    watch.note_paint(frames=8)
    assert measures.painted.count == 1
    watch.note_paint(frames=9)
    assert measures.painted.count == 2


def test_trades_from_before_a_chart_was_shown_do_not_count() -> None:
    clock, exchange_clock = clocks()
    measures = Measures(exchange_clock)
    watch = PaintWatch(exchange_clock, measures.painted)
    old = trade(1)
    watch.note_change(trade(9), frames=0)
    watch.reset(old)
    watch.note_change(old, frames=0)
    clock.time_us += 60_000_000
    watch.note_paint(frames=1)
    assert measures.painted.count == 0
