"""Where the recorder sends each event, and which trades it knows to be missing."""

from __future__ import annotations

import pytest

from app.live.recording.recorder import Recorder
from app.market.coverage import IdRanges
from app.market.interval import SECOND_US
from app.market.trade import Quote
from tests.live.databases import FakeWriter
from tests.live.helpers import START_US, SYMBOL, HandClock, recorder_for, trade


def receive(recorder: Recorder, *ids: int) -> None:
    for number in ids:
        assert recorder.receive(trade(number), 0) is None


@pytest.fixture
async def recorder() -> Recorder:
    return recorder_for(repair_trades=100)


def gaps(recorder: Recorder) -> list[tuple[int, int]]:
    tracker = recorder.tracker(SYMBOL)
    assert tracker is not None
    return [(gap.first_trade_id, gap.last_trade_id) for gap in tracker.gaps()]


async def test_a_gap_is_known_at_once_and_counted_as_missing(recorder: Recorder) -> None:
    receive(recorder, 1, 2, 6)
    assert gaps(recorder) == [(3, 5)]
    assert (recorder.missing(), recorder.gaps()) == (3, 1)


async def test_a_gap_larger_than_may_be_repaired_moves_the_window(recorder: Recorder) -> None:
    receive(recorder, 1, 102)
    tracker = recorder.tracker(SYMBOL)
    assert tracker is not None
    assert tracker.generation == 0
    receive(recorder, 301)
    assert recorder.missing() == 298
    assert tracker.generation == 1
    assert tracker.window_start_us == START_US + 302 * SECOND_US


async def test_late_and_repeated_trades_count_once(recorder: Recorder) -> None:
    recorder.attach(writer := FakeWriter())
    receive(recorder, 1, 3, 2, 3, 1, 2)
    await recorder.outbox.drain()
    assert writer.ids == [1, 3, 2, 3, 1, 2]  # repeats go to the database, which compares them
    assert recorder.trades_received == 3
    assert recorder.missing() == 0


async def test_trades_of_symbols_not_recorded_are_ignored(recorder: Recorder) -> None:
    assert recorder.receive(trade(1, symbol="ETHUSDT"), 0) is None
    assert recorder.outbox.waiting == 0
    assert recorder.tracker("ETHUSDT") is None
    assert await recorder.ingest([trade(2, symbol="ETHUSDT")]) == 0


async def test_quotes_go_to_the_market_snapshot_and_not_to_the_database() -> None:
    recorder = recorder_for()
    recorder.receive(Quote(SYMBOL, 5, 1, 2, 3, 4), 0)
    assert recorder.outbox.waiting == 0
    assert recorder.trades_received == 0


async def test_the_gap_since_the_last_run_is_known_when_the_first_trade_comes_after_the_database(
    recorder: Recorder,
) -> None:
    recorder.note_stored(SYMBOL, IdRanges([(1, 10)]))
    assert gaps(recorder) == []
    receive(recorder, 21)
    assert gaps(recorder) == [(11, 20)]


async def test_the_gap_since_the_last_run_is_known_when_the_database_comes_after_the_first_trade(
    recorder: Recorder,
) -> None:
    receive(recorder, 21)
    recorder.note_stored(SYMBOL, IdRanges([(1, 4), (6, 10)]))
    assert gaps(recorder) == [(5, 5), (11, 20)]


async def test_an_old_gap_filled_before_the_feed_begins_does_not_hide_the_one_after(recorder: Recorder) -> None:
    recorder.note_stored(SYMBOL, IdRanges([(1, 4), (6, 1000)]))
    await recorder.ingest([trade(5)])
    receive(recorder, 1011)
    assert gaps(recorder) == [(1001, 1010)]
    tracker = recorder.tracker(SYMBOL)
    assert tracker is not None
    assert tracker.window_start_us == START_US + 1012 * SECOND_US


async def test_trades_given_up_are_missing_until_they_are_fetched_again() -> None:
    recorder = recorder_for(repair_trades=5000, queue_trades=1000)
    for number in range(1, 1301):
        waiting = recorder.receive(trade(number), 0)
        if waiting is not None:
            await waiting
    assert recorder.missing() == 300
    assert recorder.unstored() == 1300
    assert recorder.is_losing
    recorder.attach(writer := FakeWriter())
    assert writer.ids == list(range(1, 1001))
    assert not recorder.is_losing
    assert gaps(recorder) == [(1001, 1300)]
    assert await recorder.ingest([trade(number) for number in range(1001, 1301)]) == 300
    assert await recorder.ingest([trade(1300)]) == 0
    await recorder.outbox.drain()
    recorder.outbox.close()
    assert writer.ids == [*range(1, 1301), 1300]


async def test_removing_a_symbol_forgets_it_and_keeps_the_others() -> None:
    recorder = recorder_for(SYMBOL, "ETHUSDT")
    receive(recorder, 1)
    kept = recorder.tracker(SYMBOL)
    recorder.set_symbols([SYMBOL, "ADAUSDT"])
    assert recorder.symbols == [SYMBOL, "ADAUSDT"]
    assert recorder.tracker(SYMBOL) is kept
    assert recorder.tracker("ETHUSDT") is None
    recorder.outbox.close()


async def test_the_delay_is_corrected_by_the_clocks_difference() -> None:
    clock = HandClock()
    recorder = recorder_for(clock=clock)
    receive(recorder, 1)
    assert recorder.delay.value is None
    recorder._exchange_clock.note_measurement(START_US + 5 * SECOND_US, START_US, START_US)  # we are 5 s behind
    recorder.receive(trade(10, 10), START_US + 5_040_000)
    assert recorder.delay.value == pytest.approx(40.0)
    recorder.outbox.close()
