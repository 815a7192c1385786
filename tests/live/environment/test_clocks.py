"""The exchange's clock and its measuring, and the two small measures of the status bar."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import pytest

from app.live.environment.clocks import ClockSync, ExchangeClock
from app.live.recording.measures import Rate, Smoothed
from app.market.trade import Trade
from tests.live.helpers import START_US, FakeExchange, HandClock, away, until


def test_before_it_is_measured_the_exchanges_time_is_ours() -> None:
    clock = ExchangeClock(HandClock())
    assert clock.skew_us is None
    assert clock.now_us() == START_US
    assert clock.delay_us(START_US, START_US + 5) is None


@pytest.mark.parametrize("skew_us", [1_250_000, -40_000_000, 0])
def test_the_measured_skew_is_applied_and_the_round_trip_split_in_half(skew_us: int) -> None:
    clock = ExchangeClock(hands := HandClock())
    clock.note_measurement(START_US + 100_000 + skew_us, START_US, START_US + 200_000)
    assert clock.skew_us == skew_us
    hands.time_us += 500_000
    assert clock.now_us() == START_US + 500_000 + skew_us


def test_it_is_never_before_the_newest_trade_and_never_goes_back_for_an_older_one() -> None:
    clock = ExchangeClock(hands := HandClock())
    clock.note_event(START_US + 9)
    clock.note_event(START_US + 3)
    assert clock.now_us() == START_US + 9
    hands.time_us += 10
    assert clock.now_us() == START_US + 10


def test_a_delay_is_never_negative() -> None:
    clock = ExchangeClock(HandClock())
    clock.note_measurement(START_US, START_US, START_US)
    assert clock.delay_us(START_US, START_US + 42) == 42
    assert clock.delay_us(START_US + 42, START_US) == 0


def test_a_rate_rises_to_what_is_counted_and_falls_to_nothing() -> None:
    rate = Rate()
    assert rate.update(1000, 0.0) == 0
    for second in range(1, 15):
        rate.update(1000 + 50 * second, second)
    assert rate.per_second == pytest.approx(50, rel=0.01)
    for second in range(15, 40):
        rate.update(1700, second)
    assert rate.per_second == 0


def test_a_rate_survives_an_update_without_time_and_a_total_that_restarts() -> None:
    rate = Rate()
    rate.update(10, 1.0)
    assert rate.update(20, 1.0) == 0
    assert rate.update(0, 2.0) == 0


def test_a_smoothed_value_begins_at_the_first_and_follows_slowly() -> None:
    smoothed = Smoothed()
    assert smoothed.value is None
    smoothed.add(100)
    assert smoothed.value == 100
    smoothed.add(200)
    assert smoothed.value == 105
    for _ in range(14):
        smoothed.add(200)
    assert 150 < smoothed.value < 160


class TwoClocks(HandClock):
    """A computer whose time of day differs from its monotonic clock by ``set_us``: it was set, or slept."""

    set_us = 0

    def now_us(self) -> int:
        return self.time_us + self.set_us


@pytest.mark.parametrize("set_us", [3_600_000_000, -3_600_000_000])
def test_the_exchanges_time_does_not_follow_when_the_computers_is_set(set_us: int) -> None:
    clock = ExchangeClock(hands := TwoClocks())
    clock.note_measurement(START_US + 5, START_US, START_US)
    hands.time_us += 1_000_000
    hands.set_us = set_us
    assert clock.now_us() == START_US + 1_000_005


def test_after_a_sleep_it_runs_on_from_the_newest_trade() -> None:
    clock = ExchangeClock(hands := TwoClocks())
    clock.note_measurement(START_US, START_US, START_US)
    hands.set_us = 3_600_000_000  # while the monotonic clock stood still
    clock.note_event(START_US + 3_600_000_000)
    assert clock.now_us() == START_US + 3_600_000_000
    hands.time_us += 7
    assert clock.now_us() == START_US + 3_600_000_007


def test_a_wrong_clock_is_logged_once_until_it_is_right_again(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "app.live.environment.clocks")
    clock = ExchangeClock(HandClock())
    for skew_us in (400_000, 3_200_000, 3_300_000, -900_000, -4_000_000):
        clock.note_measurement(START_US + skew_us, START_US, START_US)
    assert [record.getMessage() for record in caplog.records] == [
        "This computer's clock is 3.2 s behind the exchange's; candles are right.",
        "This computer's clock agrees with the exchange's again.",
        "This computer's clock is 4.0 s ahead of the exchange's; candles are right.",
    ]


class SetClock(HandClock):
    """A clock by which sleepers wait until the test ends."""

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.Event().wait()


async def test_the_clock_is_measured_regularly_and_at_once_when_asked_for() -> None:
    hands = SetClock()
    clock = ExchangeClock(hands)
    exchange = FakeExchange([], hands)
    sync = ClockSync(exchange, hands, clock)
    running = asyncio.ensure_future(sync.run())
    try:
        await sync.wait()
        await until(lambda: hands.slept)
        assert (clock.skew_us, hands.slept) == (0, [300.0])

        exchange.failure = away()
        sync.measure_now()
        await until(lambda: len(hands.slept) == 2)
        assert (clock.skew_us, hands.slept) == (0, [300.0, 4.0])  # the last measurement holds, and a retry is due soon
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def test_a_measurement_under_way_when_the_clock_was_set_does_not_count() -> None:
    hands = SetClock()
    clock = ExchangeClock(hands)
    exchange = SlowExchange([], hands)
    sync = ClockSync(exchange, hands, clock)
    running = asyncio.ensure_future(sync.run())
    try:
        await until(lambda: exchange.asked == 1)
        hands.time_us += 3_600_000_000  # the user sets it; the request began an hour ago by it
        sync.measure_now()
        await until(lambda: exchange.asked == 2)
        exchange.answers.set()
        await until(lambda: hands.slept)
        assert clock.skew_us == 0
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


class SlowExchange(FakeExchange):
    """Answers once the test lets it; counts requests."""

    asked = 0

    def __init__(self, trades: list[Trade], clock: HandClock) -> None:
        super().__init__(trades, clock)
        self.answers = asyncio.Event()

    async def server_time_us(self) -> int:
        self.asked += 1
        await self.answers.wait()
        return await super().server_time_us()


class Probing:
    """A running `ClockSync` on a clock that sleepers advance themselves; ``returned`` are the times of a return."""

    def __init__(self) -> None:
        self.hands = HandClock()
        self.exchange = FakeExchange([], self.hands)
        self.sync = ClockSync(self.exchange, self.hands, ExchangeClock(self.hands))
        self.returned: list[float] = []
        self.sync.on_return = lambda: self.returned.append(self.hands.monotonic_s() - START_US / 1e6)


async def run_until(probing: Probing, condition: Callable[[], object]) -> None:
    running = asyncio.ensure_future(probing.sync.run())
    try:
        await until(condition)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def test_an_exchange_that_is_away_is_probed_every_four_seconds_until_it_is_back_however_long_that_takes() -> None:
    probing = Probing()
    probing.exchange.failure = away()
    outage_s = 3_600

    def come_back(_: float) -> None:
        if probing.hands.monotonic_s() - START_US / 1e6 >= outage_s:
            probing.exchange.failure = None

    probing.hands.on_sleep = come_back
    await run_until(probing, lambda: probing.returned)
    assert probing.returned == [outage_s + 4]
    assert set(probing.hands.slept[: outage_s // 4]) == {4.0}
    assert not probing.sync.is_away


async def test_a_request_that_finds_the_exchange_away_starts_the_probe() -> None:
    probing = Probing()

    def note(seconds: float) -> None:
        if len(probing.hands.slept) == 1:
            probing.sync.note_away()

    probing.hands.on_sleep = note
    await run_until(probing, lambda: probing.returned)
    assert probing.hands.slept[:2] == [300.0, 4.0]


async def test_an_exchange_that_answers_the_time_alone_is_probed_less_and_less() -> None:
    probing = Probing()

    def fail_again() -> None:
        probing.returned.append(probing.hands.monotonic_s())
        probing.sync.note_away()

    probing.sync.on_return = fail_again
    probing.sync.note_away()
    await run_until(probing, lambda: len(probing.returned) >= 6)
    waits = [seconds for seconds in probing.hands.slept if seconds != 300.0]
    assert waits[:5] == [8.0, 16.0, 32.0, 60.0, 60.0]
