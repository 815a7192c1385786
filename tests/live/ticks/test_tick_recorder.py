"""Recording of ticks: what reaches the writer, what is given up, and which times count as watched."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from app.live.recording.market_snapshot import MarketSnapshot
from app.live.ticks.tick_recorder import TickRecorder, WatchedSpan
from app.market.ports.storage import WriterStatus
from app.market.quotes.tick import Tick

EUR, JPY = "oanda:EURUSD", "oanda:USDJPY"


class Writer:
    """A queue of limited length that nothing empties but the test."""

    refused = 0

    def __init__(self, room: int) -> None:
        self.room, self.taken = room, list[Tick]()
        self.status = WriterStatus()

    def put(self, ticks: Sequence[Tick]) -> bool:
        if len(self.taken) + len(ticks) > self.room:
            return False
        self.taken += ticks
        return True

    async def wait_for_room(self, timeout_s: float) -> bool:
        return False


def recorder(limit: int = 100) -> TickRecorder:
    made = TickRecorder(MarketSnapshot(), queue_ticks=limit)
    made.set_symbols([EUR, JPY])
    return made


def tick(symbol: str, at: int) -> Tick:
    return Tick(symbol, at, 0, 100 + at, 102 + at)


async def test_every_tick_of_a_recorded_symbol_reaches_the_writer_once() -> None:
    made, writer = recorder(), Writer(10)
    for event in (tick(EUR, 1), tick(EUR, 1), tick(JPY, 1), tick("oanda:XAUUSD", 1), tick(EUR, 2)):
        made.receive(event, 0)
    made.outbox.attach(writer)
    await made.outbox.drain()
    assert writer.taken == [tick(EUR, 1), tick(JPY, 1), tick(EUR, 2)]
    assert made.ticks_received == 3


async def test_the_time_of_a_tick_that_is_given_up_does_not_count_as_watched(caplog: pytest.LogCaptureFixture) -> None:
    made = recorder(limit=2)
    for at in range(1, 2_000):
        wait = made.receive(tick(EUR, at), 0)
        if wait is not None:
            await wait
    given_up = made.lost
    assert given_up
    assert "newest ticks are given up" in caplog.text
    assert made.outbox.waiting + given_up == 1_999
    waiting = {one.time_us for one in made.outbox.waiting_rows()}
    spans = made.take_watched()
    assert spans
    assert all(at in waiting for span in spans for at in range(span.start_us, span.end_us))


async def test_a_break_ends_what_is_watched_and_the_next_tick_begins_again() -> None:
    made = recorder()
    for at in (1, 5):
        made.receive(tick(EUR, at), 0)
    made.note_break([EUR])
    for at in (20, 30):
        made.receive(tick(EUR, at), 0)
    assert made.take_watched() == [WatchedSpan(EUR, 2, 5), WatchedSpan(EUR, 21, 30)]
    assert made.take_watched() == []
    made.receive(tick(EUR, 40), 0)
    watched = made.take_watched()
    assert watched == [WatchedSpan(EUR, 30, 40)]
    made.give_back(watched)
    assert made.take_watched() == watched


async def test_the_time_of_the_price_that_a_stream_begins_with_is_not_watched() -> None:
    made = recorder()
    made.receive(tick(EUR, 1), 0)  # the first of two prices of one time is not repeated to who connects after it
    assert made.take_watched() == []
    made.receive(tick(EUR, 2), 0)
    made.receive(tick(EUR, 4), 0)
    assert made.take_watched() == [WatchedSpan(EUR, 2, 4)]


async def test_times_that_could_not_be_remembered_are_taken_again_as_one() -> None:
    made = recorder()
    for at in (1, 5):
        made.receive(tick(EUR, at), 0)
        made.receive(tick(JPY, at), 0)
    made.give_back(made.take_watched())
    made.receive(tick(EUR, 9), 0)
    assert sorted(made.take_watched()) == [WatchedSpan(EUR, 2, 9), WatchedSpan(JPY, 2, 5)]


async def test_another_database_is_not_said_to_have_what_was_watched_for_the_one_before() -> None:
    made, writer = recorder(), Writer(10)
    for at in (1, 5):
        made.receive(tick(EUR, at), 0)
    made.outbox.attach(None)
    made.change_database([tick(EUR, 0)])
    for at in (20, 30):
        made.receive(tick(EUR, at), 0)
    assert made.take_watched() == [WatchedSpan(EUR, 6, 30)]
    made.outbox.attach(writer)
    await made.outbox.drain()
    assert [one.time_us for one in writer.taken] == [0, 1, 5, 20, 30]
