"""When a batch is due, what a full queue takes, and who is woken: without a database."""

from __future__ import annotations

import asyncio

from app.market.trade import Trade
from storage.writing.batch_queue import LARGEST_BATCH, BatchQueue
from tests.storage.helpers import some_trades

HOUR_S = 3_600.0


def queue(*, batch_trades: int = 10, batch_seconds: float = HOUR_S, limit: int = 100) -> BatchQueue[Trade]:
    return BatchQueue(batch_rows=batch_trades, batch_seconds=batch_seconds, limit=limit)


def test_a_batch_takes_all_that_wait_once_enough_do() -> None:
    trades, filled = some_trades(25), queue()
    assert filled.put(trades)
    assert filled.take_batch()
    assert filled.in_hand == trades
    assert filled.at_work_s >= 0
    filled.settle(25)
    assert (filled.in_hand, filled.unsettled, filled.at_work_s) == ([], 0, 0.0)


def test_a_batch_is_bounded_and_the_rest_stays_in_the_queue() -> None:
    trades, filled = some_trades(LARGEST_BATCH + 5), queue(limit=20_000)
    filled.put(trades)
    assert filled.take_batch()
    assert filled.in_hand == trades[:LARGEST_BATCH]
    assert filled.unwritten() == trades


def test_trades_in_hand_take_up_room_until_they_are_settled() -> None:
    trades, full = some_trades(101), queue()
    assert full.put(trades[:100])
    assert full.take_batch()
    assert not full.put(trades[100:])
    full.settle(1)
    assert full.put(trades[100:])
    assert full.unwritten() == trades[1:]


def test_an_empty_queue_takes_more_than_its_limit() -> None:
    assert queue(limit=10).put(some_trades(50))


def test_a_few_trades_are_due_after_their_wait_a_flush_or_a_close() -> None:
    waiting = queue(batch_seconds=0.01)
    waiting.put(some_trades(1))
    assert waiting.take_batch()
    flushed = queue()
    flushed.put(some_trades(1))
    flushed.hurry()
    assert flushed.take_batch()
    closed = queue()
    closed.put(some_trades(1))
    closed.close()
    assert closed.take_batch()
    assert not closed.take_batch()
    assert not closed.put(some_trades(1))


def test_an_abandoned_queue_gives_no_batch_and_keeps_what_is_unwritten() -> None:
    trades, abandoned = some_trades(30), queue()
    abandoned.put(trades[:10])
    assert abandoned.take_batch()
    abandoned.put(trades[10:])
    abandoned.abandon()
    abandoned.pause(HOUR_S)
    assert not abandoned.take_batch()
    assert abandoned.unwritten() == trades


async def test_a_flush_waits_for_the_trades_put_before_it_and_no_others() -> None:
    filled = queue()
    filled.put(some_trades(2))
    flushing = asyncio.create_task(filled.flush(HOUR_S))
    await asyncio.sleep(0)
    filled.put(some_trades(3, first_id=200))
    assert filled.take_batch()
    filled.settle(1)
    await asyncio.sleep(0)
    assert not flushing.done()
    filled.settle(1)
    assert await flushing
    assert not await filled.flush(0.0)


async def test_room_is_a_tenth_of_the_queue() -> None:
    filled = queue()
    filled.put(some_trades(100))
    assert filled.take_batch()
    waiting = asyncio.create_task(filled.wait_for_room(HOUR_S))
    await asyncio.sleep(0)
    filled.settle(9)
    await asyncio.sleep(0)
    assert not waiting.done()
    filled.settle(1)
    assert await waiting
