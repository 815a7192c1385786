"""Repairs while the exchange is away, refuses, or falls silent about a gap, and with a bug in the program."""

from __future__ import annotations

import asyncio

import pytest

from app.live.recording.recorder import Recorder
from app.live.repair.repairer import Repairer
from app.market.coverage import IdRanges
from app.market.errors import FeedDisconnected, FeedRejected, UnknownSymbol
from app.market.trade import Trade
from tests.live.helpers import SYMBOL, HandClock, away, trade, until
from tests.live.repair.helpers import LAST, exchange_with, receive, repairing


async def test_a_gap_the_exchange_never_answers_for_does_not_hold_up_the_others(recorder: Recorder) -> None:
    recorder.set_symbols([SYMBOL, "ETHUSDT"])
    exchange = exchange_with(range(1, LAST + 1))
    for name in (SYMBOL, "ETHUSDT"):
        recorder.receive(trade(1, symbol=name), 0)
        recorder.receive(trade(20, symbol=name), 0)
    async with repairing(recorder, exchange, HandClock()) as repairer:
        await until(repairer.stuck_because)
        assert repairer.stuck_because() == "The exchange's answers end before them."
        assert repairer.repairing == set()
    left = {name: tracker.missing() for name in (SYMBOL, "ETHUSDT") if (tracker := recorder.tracker(name)) is not None}
    assert left == {SYMBOL: 0, "ETHUSDT": 18}
    assert repairer.absent == 0


async def test_while_the_exchange_is_away_the_gap_waits(recorder: Recorder) -> None:
    exchange = exchange_with(range(1, LAST + 1))
    exchange.failure = away()
    clock = HandClock()
    receive(recorder, 1, 20)
    async with repairing(recorder, exchange, clock) as repairer:
        await until(lambda: len(exchange.trade_calls) >= 3)
        assert repairer.repairing == {SYMBOL}
        assert repairer.waits_because == str(exchange.failure)
        exchange.failure = None
        await until(lambda: recorder.missing() == 0)
        await until(lambda: not repairer.repairing)
        assert repairer.waits_because == ""


async def test_it_waits_as_long_as_the_exchange_asks(recorder: Recorder) -> None:
    exchange = exchange_with(range(1, LAST + 1))
    exchange.failure = away()
    exchange.failure.retry_after_s = 77.0
    clock = HandClock()
    receive(recorder, 1, 20)
    async with repairing(recorder, exchange, clock):
        await until(lambda: clock.slept.count(77.0) >= 2)
        assert set(clock.slept) == {77.0}


async def test_a_refused_gap_is_put_off_for_long_and_tried_again(recorder: Recorder) -> None:
    exchange = exchange_with(range(1, LAST + 1))
    exchange.failure = FeedRejected("The exchange refuses.", code=-1121)
    clock = HandClock()
    receive(recorder, 1, 20)
    async with repairing(recorder, exchange, clock) as repairer:
        await until(lambda: len(exchange.trade_calls) == repairer.failures == 3)  # asked, and answered
        assert sum(clock.slept) >= 60.0 + 120.0
        exchange.failure = None
        await until(lambda: recorder.missing() == 0)
        assert repairer.failures >= 3


async def test_after_one_gap_of_an_unknown_symbol_no_other_is_tried(recorder: Recorder) -> None:
    """A delisted symbol is known without asking, so that a thousand gaps would be tried without a pause."""
    exchange = exchange_with(range(1, LAST))
    exchange.failure = UnknownSymbol(SYMBOL)
    receive(recorder, *range(1, LAST, 2))
    repairer = Repairer(recorder, exchange, exchange.clock)
    assert await repairer.step() == 0
    assert await repairer.step() > 0  # there is nothing to do
    assert len(exchange.trade_calls) == 1
    assert repairer.repairing == set()
    receive(recorder, LAST + 2)  # it trades, so it may be known again
    await repairer.step()
    assert len(exchange.trade_calls) == 2
    recorder.outbox.close()


async def test_a_bug_in_one_gap_is_logged_once_and_the_others_are_repaired(
    recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    exchange = exchange_with(range(1, LAST + 1))
    answer, faults = exchange.trades_from, -1  # after the first request it is not known which range is to blame

    async def faulty(symbol: str, first_trade_id: int, *, limit: int = 1000) -> list[Trade]:
        nonlocal faults
        if first_trade_id < 40 and faults < 3:
            faults += 1
            raise ZeroDivisionError("a bug")
        return await answer(symbol, first_trade_id, limit=limit)

    exchange.trades_from = faulty  # type: ignore[method-assign]  # because no real exchange has this bug
    clock = HandClock()
    receive(recorder, 1, 39, 41, 60)
    async with repairing(recorder, exchange, clock):
        await until(lambda: recorder.missing() == 0)
    assert sum(clock.slept) >= 60.0 + 120.0 + 240.0
    assert [record.levelname for record in caplog.records].count("CRITICAL") == 1
    caplog.clear()


async def test_a_bug_outside_of_any_gap_does_not_end_the_repairs(
    recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    exchange, clock = exchange_with(range(1, LAST + 1)), HandClock()
    receive(recorder, 1, 20)
    tracker = recorder.tracker(SYMBOL)
    assert tracker is not None
    missing_ids = tracker.missing_ids
    failing = iter([True, True])

    def faulty() -> IdRanges:
        if next(failing, False):
            raise ZeroDivisionError("a bug")
        return missing_ids()

    tracker.missing_ids = faulty  # type: ignore[method-assign]  # because no tracker has this bug
    async with repairing(recorder, exchange, clock):
        await until(lambda: tracker.received.held.count() == 20)
    assert [record.levelname for record in caplog.records].count("CRITICAL") == 1
    caplog.clear()


class Asleep(HandClock):
    """A clock by which whoever waits longer than a moment sleeps for ever."""

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await (asyncio.sleep(0.001) if seconds < 1 else asyncio.Event().wait())


async def test_a_gap_that_waits_for_the_exchange_is_fetched_as_soon_as_that_is_back(recorder: Recorder) -> None:
    exchange = exchange_with(range(1, LAST + 1))
    exchange.failure = away()
    clock = Asleep()
    receive(recorder, 1, 20)
    async with repairing(recorder, exchange, clock) as repairer:
        for failures in (1, 2, 3):
            await until(lambda failures=failures: repairer.failures == failures)
            repairer.wake()
        await until(lambda: repairer.failures == 4)
        exchange.failure = None
        repairer.wake()
        await until(lambda: recorder.missing() == 0)


async def test_a_wait_that_the_exchange_asked_for_is_not_cut_short(recorder: Recorder) -> None:
    exchange = exchange_with(range(1, LAST + 1))
    exchange.failure = FeedDisconnected("It asked for a pause.", retry_after_s=77.0)
    clock = Asleep()
    receive(recorder, 1, 20)
    async with repairing(recorder, exchange, clock) as repairer:
        await until(lambda: clock.slept == [77.0])
        repairer.wake()
        await asyncio.sleep(0.02)
        assert len(exchange.trade_calls) == 1
