"""Recording of ticks: what reaches the writer, what is given up, and which times count as watched."""

from __future__ import annotations

from collections.abc import Sequence

from app.live.recording.market_snapshot import MarketSnapshot
from app.live.ticks.tick_outbox import TickOutbox
from app.live.ticks.tick_recorder import TickRecorder, WatchedSpan
from app.market.ports.storage import WriterStatus
from app.market.quotes.tick import Tick

EUR, JPY = "oanda:EURUSD", "oanda:USDJPY"


class Writer:
    """A queue of limited length that nothing empties but the test."""

    def __init__(self, room: int) -> None:
        self.room, self.taken = room, list[Tick]()
        self.status = WriterStatus()

    def put(self, ticks: Sequence[Tick]) -> bool:
        if len(self.taken) + len(ticks) > self.room:
            return False
        self.taken += ticks
        return True

    async def flush(self, timeout_s: float) -> bool:
        return True

    def unwritten(self) -> list[Tick]:
        return []


def recorder(limit: int = 100) -> TickRecorder:
    made = TickRecorder(MarketSnapshot(), TickOutbox(limit))
    made.set_symbols([EUR, JPY])
    return made


def tick(symbol: str, at: int) -> Tick:
    return Tick(symbol, at, 0, 100 + at, 102 + at)


async def test_every_tick_of_a_recorded_symbol_reaches_the_writer_once() -> None:
    made, writer = recorder(), Writer(10)
    for event in (tick(EUR, 1), tick(EUR, 1), tick(JPY, 1), tick("oanda:XAUUSD", 1), tick(EUR, 2)):
        made.receive(event, 0)
    made.outbox.attach(writer)
    assert writer.taken == [tick(EUR, 1), tick(JPY, 1), tick(EUR, 2)]
    assert made.ticks_received == 3


async def test_a_full_writer_gets_all_ticks_in_order_once_it_has_room() -> None:
    made, writer = recorder(), Writer(0)
    made.outbox.attach(writer)
    made.receive(tick(EUR, 1), 0)
    made.outbox.hand_over()
    made.receive(tick(EUR, 2), 0)
    writer.room = 10
    made.outbox.hand_over()
    assert [one.time_us for one in writer.taken] == [1, 2]
    assert made.outbox.close() == []


async def test_the_time_of_a_tick_that_is_given_up_does_not_count_as_watched() -> None:
    made = recorder(limit=2)
    for at in (1, 5, 9, 14):
        made.receive(tick(EUR, at), 0)
    assert made.outbox.lost == 2
    assert made.take_watched() == [WatchedSpan(EUR, 6, 14)]


async def test_a_break_ends_what_is_watched_and_the_next_tick_begins_again() -> None:
    made = recorder()
    for at in (1, 5):
        made.receive(tick(EUR, at), 0)
    made.note_break([EUR])
    for at in (20, 30):
        made.receive(tick(EUR, at), 0)
    assert made.take_watched() == [WatchedSpan(EUR, 1, 5), WatchedSpan(EUR, 20, 30)]
    assert made.take_watched() == []
    made.receive(tick(EUR, 40), 0)
    assert made.take_watched() == [WatchedSpan(EUR, 30, 40)]
