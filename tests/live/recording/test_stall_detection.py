"""Silent symbols: their trades are found anyway, and a stream that stalled alone is reported."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from app.live.environment.clocks import ExchangeClock
from app.live.recording.stall_detection import StallDetector
from tests.live.helpers import START_US, SYMBOL, FakeExchange, HandClock, away, recorder_for, trade

LOOK_S = 30


class Silence:
    """A recorder that received trades 1 and 2 of an exchange that trades every 20 s."""

    def __init__(self, *, repair_trades: int = 1000) -> None:
        self.clock = HandClock(START_US + 40_000_000)
        self.trades = [trade(number, 20 * number) for number in range(1, 41)]
        self.exchange = FakeExchange(self.trades, self.clock)
        self.recorder = recorder_for(clock=self.clock, repair_trades=repair_trades)
        self.live, self.stalled = True, list[str]()
        exchange_clock = ExchangeClock(self.clock)
        self.symbols = StallDetector(
            self.recorder, self.exchange, self.clock, exchange_clock, is_receiving=lambda _: self.live
        )
        self.symbols.on_stalled = self.stalled.extend
        self.hear(1, 2)

    def hear(self, *ids: int) -> None:
        for number in ids:
            self.recorder.receive(self.trades[number - 1], self.clock.now_us())

    async def look(self) -> None:
        await self.clock.sleep(LOOK_S)
        await self.symbols.look()

    @property
    def missing(self) -> list[tuple[int, int]]:
        tracker = self.recorder.tracker(SYMBOL)
        assert tracker is not None
        return list(tracker.missing_ids())


@pytest.fixture
async def silence() -> AsyncIterator[Silence]:
    made = Silence()
    yield made
    made.recorder.outbox.close()


async def test_trades_of_a_stalled_stream_are_missing_at_once_and_it_is_reported_once(silence: Silence) -> None:
    await silence.look()
    assert not silence.exchange.day_calls  # one look does not show that it is silent
    await silence.look()
    assert silence.missing == [(3, 4)]  # the newest was fetched
    assert silence.stalled == [SYMBOL]
    for _ in range(2):
        await silence.look()
    assert silence.missing == [(3, 4), (6, 6)]
    assert silence.stalled == [SYMBOL]
    silence.hear(9)  # it delivers again
    for _ in range(2):
        await silence.look()
    assert silence.stalled == [SYMBOL, SYMBOL]


async def test_trades_from_before_listening_are_missing_but_no_stall(silence: Silence) -> None:
    silence.exchange.trades = silence.trades[:8]
    silence.clock.time_us += 3_600_000_000
    await silence.look()
    await silence.look()
    assert silence.missing == [(3, 7)]
    assert not silence.stalled


async def test_a_symbol_whose_stream_never_delivered_anything_is_watched_too(silence: Silence) -> None:
    silence.recorder.set_symbols(["ETHUSDT"])
    silence.exchange.trades = [trade(number, 20 * number, symbol="ETHUSDT") for number in range(1, 41)]
    for _ in range(3):
        await silence.look()
    tracker = silence.recorder.tracker("ETHUSDT")
    assert tracker is not None
    assert list(tracker.received.held) == [(5, 5), (7, 7)]  # earlier trades are not missing: nothing was known of them
    assert silence.stalled == ["ETHUSDT"]


async def test_a_trade_that_arrives_meanwhile_was_only_on_its_way(silence: Silence) -> None:
    await silence.look()
    silence.clock.on_sleep = lambda seconds: silence.hear(3, 4, 5) if seconds < LOOK_S else None
    await silence.look()
    assert silence.exchange.day_calls == [[SYMBOL]]
    assert silence.exchange.recent_calls == []
    assert (silence.missing, silence.stalled) == ([], [])


async def test_a_symbol_that_is_disconnected_or_delivers_is_not_looked_up(silence: Silence) -> None:
    for number in (3, 4, 5):
        await silence.look()
        silence.hear(number)
    silence.live = False
    for _ in range(3):
        await silence.look()
    assert not silence.exchange.day_calls


async def test_a_gap_too_large_to_be_fetched_restarts_the_window_behind_it() -> None:
    silence = Silence(repair_trades=2)
    silence.exchange.trades = silence.trades[:8]
    silence.clock.time_us += 3_600_000_000
    tracker = silence.recorder.tracker(SYMBOL)
    assert tracker is not None
    before = tracker.generation
    for _ in range(2):
        await silence.look()
    assert silence.missing == [(3, 7)]
    assert tracker.generation == before + 1
    silence.recorder.outbox.close()


async def test_an_exchange_that_is_away_ends_nothing(silence: Silence) -> None:
    silence.exchange.failure = away()

    def come_back(seconds: float) -> None:
        if len(silence.exchange.day_calls) == 3:
            silence.exchange.failure = None
        if silence.stalled:
            raise KeyboardInterrupt  # the end of the test

    silence.clock.on_sleep = come_back
    with pytest.raises(KeyboardInterrupt):
        await silence.symbols.run()
    assert silence.missing


def watched(silence: Silence) -> bool:
    tracker = silence.recorder.tracker(SYMBOL)
    assert tracker is not None
    return tracker.is_watched


def break_connection(silence: Silence) -> None:
    tracker = silence.recorder.tracker(SYMBOL)
    assert tracker is not None
    tracker.note_break()


async def test_a_silence_proves_nothing_after_a_break_until_a_trade_comes(silence: Silence) -> None:
    assert watched(silence)
    break_connection(silence)
    assert not watched(silence)
    await silence.recorder.ingest([silence.trades[2]])  # fetched: the feed has yet to deliver
    assert not watched(silence)
    silence.hear(4)
    assert watched(silence)


async def test_a_silence_is_proved_where_the_exchange_names_no_later_trade(silence: Silence) -> None:
    silence.exchange.trades = silence.trades[:2]
    await silence.look()
    break_connection(silence)
    await silence.look()
    assert not watched(silence)  # it broke since the last look: it may not be subscribed again
    await silence.look()
    assert watched(silence)


async def test_a_silence_is_not_proved_where_the_exchange_names_a_later_trade(silence: Silence) -> None:
    break_connection(silence)
    await silence.look()
    silence.exchange.trades = silence.trades[:3]
    silence.clock.time_us = silence.trades[2].time_us
    await silence.look()
    assert not watched(silence)
