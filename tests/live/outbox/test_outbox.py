"""Received trades without a spool: the database is there, busy, stuck, or away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.live.outbox.backlog import OutboxListener
from app.live.outbox.outbox import Outbox
from app.market.trade import Trade
from tests.live.databases import FakeWriter
from tests.live.helpers import trade, until


class Boxed:
    """An outbox and what it reported."""

    def __init__(self, limit: int) -> None:
        self.lost: list[int] = []
        self.recovered = 0
        listener = OutboxListener(on_lost=self._on_lost, on_recovered=self._on_recovered)
        self.box = Outbox(limit, listener, plural="trades")

    def _on_lost(self, trades: list[Trade]) -> None:
        self.lost += [one.trade_id for one in trades]

    def _on_recovered(self) -> None:
        self.recovered += 1

    async def put(self, first: int, last: int) -> None:
        """Put trades as the recorder does: await `make_room` when the outbox asks for it."""
        for number in range(first, last + 1):
            if not self.box.put(trade(number)):
                await self.box.make_room()


@pytest.fixture
async def boxed() -> AsyncIterator[Boxed]:
    made = Boxed(limit=1000)
    yield made
    made.box.close()


async def test_trades_reach_the_writer_in_order_exactly_once(boxed: Boxed) -> None:
    boxed.box.attach(writer := FakeWriter())
    await boxed.put(1, 2000)
    await until(lambda: boxed.box.waiting == 0)
    assert writer.ids == list(range(1, 2001))


async def test_a_single_trade_is_handed_over_after_a_moment(boxed: Boxed) -> None:
    boxed.box.attach(writer := FakeWriter())
    assert boxed.box.put(trade(1))
    assert writer.ids == []
    await until(lambda: writer.ids == [1])


async def test_without_a_writer_trades_wait_for_one(boxed: Boxed) -> None:
    await boxed.put(1, 900)
    await asyncio.sleep(0.02)
    assert boxed.box.waiting == 900
    boxed.box.attach(writer := FakeWriter())
    assert writer.ids == list(range(1, 901))
    assert boxed.lost == []
    assert boxed.box.waiting == 0


async def test_without_a_writer_no_more_than_the_limit_is_kept_and_the_newest_are_given_up(boxed: Boxed) -> None:
    await boxed.put(1, 1500)
    assert boxed.box.waiting == 1000
    assert boxed.lost == list(range(1001, 1501))
    boxed.box.attach(writer := FakeWriter())
    assert writer.ids == list(range(1, 1001))
    assert boxed.recovered == 1


async def test_a_full_queue_of_a_writer_at_work_is_waited_for_and_nothing_is_lost(boxed: Boxed) -> None:
    writer = FakeWriter(room=0)
    writer.on_wait = lambda: setattr(writer, "room", 600)
    boxed.box.attach(writer)
    await boxed.put(1, 3000)
    writer.room = 1 << 30
    await boxed.box.drain()
    assert writer.waits >= 3
    assert writer.ids == list(range(1, 3001))
    assert boxed.lost == []


async def test_a_quiet_symbols_trades_are_handed_over_once_there_is_room_again(boxed: Boxed) -> None:
    boxed.box.attach(writer := FakeWriter(room=0))
    await boxed.put(1, 3)
    await asyncio.sleep(0.02)
    assert writer.ids == []
    writer.room = 100
    await until(lambda: writer.ids == [1, 2, 3])


async def test_while_the_database_is_away_the_newest_are_given_up_at_once(boxed: Boxed) -> None:
    writer = FakeWriter(room=0)
    writer.reason = "The database is away."
    boxed.box.attach(writer)
    await boxed.put(1, 2000)
    assert writer.waits == 0
    assert boxed.box.waiting <= 1000
    kept = boxed.box.waiting
    assert boxed.lost == list(range(kept + 1, 2001))
    writer.room, writer.reason = 1 << 30, ""
    await boxed.put(2001, 2001)
    await until(lambda: boxed.box.waiting == 0)
    assert writer.ids == [*range(1, kept + 1), 2001]
    assert boxed.recovered == 1


async def test_a_stuck_writer_is_waited_for_only_so_long(boxed: Boxed) -> None:
    boxed.box.attach(writer := FakeWriter(room=0))
    await boxed.put(1, 600)
    assert writer.waits >= 1
    assert boxed.lost
    assert boxed.box.waiting + len(boxed.lost) == 600


async def test_draining_hands_over_waiting_trades_and_closing_leaves_no_timer(boxed: Boxed) -> None:
    boxed.box.attach(writer := FakeWriter())
    await boxed.put(1, 10)
    await boxed.box.drain()
    assert writer.ids == list(range(1, 11))
    await boxed.put(11, 12)
    boxed.box.close()
    await asyncio.sleep(0.02)
    assert writer.ids == list(range(1, 11))
    assert boxed.box.waiting == 2
