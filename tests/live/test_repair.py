"""Fetching what was missed: from the sandbox exchange over real sockets, and from one that misbehaves on purpose."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from enum import StrEnum

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.binance.rest import BinanceRest
from app.binance.stream import BinanceFeed
from app.live import repair
from app.live.clock import SystemClock
from app.live.recorder import Recorder
from app.live.repair import Repairer
from app.live.wanted import Download
from app.market.coverage import IdRanges
from app.market.errors import FeedRejected
from app.market.ports import Clock, TradeHistory
from app.market.trade import Trade
from app.sandbox.faults import Faults
from app.sandbox.server import SandboxServer
from app.sandbox.simulated import Listing, SimulatedMarket
from tests.live.helpers import SYMBOL, FakeExchange, FakeWriter, HandClock, away, recorder_for, trade, until

LAST = 400


@asynccontextmanager
async def repairing(recorder: Recorder, history: TradeHistory, clock: Clock) -> AsyncIterator[Repairer]:
    """A repairer at work, ended afterwards."""
    repairer = Repairer(recorder, history, clock)
    task = asyncio.ensure_future(repairer.run())
    try:
        yield repairer
    finally:
        ended_by_itself = task.done()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        recorder.outbox.close()
        assert not ended_by_itself


def exchange_with(ids: Sequence[int]) -> FakeExchange:
    """An exchange with trades of these ids, all of them past."""
    clock = HandClock()
    clock.time_us += 10**12
    return FakeExchange([trade(number) for number in ids], clock)


def receive(recorder: Recorder, *ids: int) -> None:
    for number in ids:
        recorder.receive(trade(number), 0)


@pytest.fixture
async def recorder() -> Recorder:
    made = recorder_for(repair_trades=100_000)
    made.attach(FakeWriter())
    return made


async def test_dropped_and_reordered_frames_leave_no_gap() -> None:
    faults = Faults()
    faults.streams.drop(share=0.2, stream="@trade")
    faults.streams.reorder(share=0.1, stream="@trade")
    faults.streams.duplicate(share=0.1, stream="@trade")
    listing = Listing("BTC", "60000", "0.01", "0.00001", 1.0)
    market = SimulatedMarket(5, [listing], history=timedelta(hours=1), rate=400.0)
    server = SandboxServer(market, faults=faults)
    await server.start()
    clock = SystemClock()
    rest = BinanceRest(server.rest_url, clock=clock)
    feed = BinanceFeed(server.ws_url, clock=clock)
    feed.set_symbols([SYMBOL])
    recorder = recorder_for(repair_trades=100_000)
    recorder.attach(writer := FakeWriter())
    tracker = recorder.tracker(SYMBOL)
    assert tracker is not None
    receiving = asyncio.ensure_future(feed.run(recorder.receive))
    try:
        async with repairing(recorder, rest, clock) as repairer:
            await until(lambda: tracker.total > 400 and repairer.repaired > 40, "repaired trades")
            server.connections[0].faults.clear()
            await until(lambda: not recorder.missing() and not repairer.repairing, "no gap left")
            held = tracker.received.held
            assert list(held) == [(held.first, held.last)]
    finally:
        receiving.cancel()
        await asyncio.gather(receiving, return_exceptions=True)
        await rest.close()
        await server.stop()
    await recorder.outbox.drain()
    assert held.first is not None
    # What came twice was put twice, for the database to compare, and was the same.
    assert sorted(set(writer.trades)) == market.trades(SYMBOL, held.first, held.count())


async def test_gaps_near_each_other_are_fetched_by_one_request_and_nothing_beside_them(recorder: Recorder) -> None:
    exchange = exchange_with([number for number in range(1, 5_001) if number != 4_500])
    receive(recorder, *(number for number in range(1, 5_001) if number % 10))
    await recorder.outbox.drain()
    writer = recorder.outbox.writer
    assert isinstance(writer, FakeWriter)
    before = len(writer.trades)
    async with repairing(recorder, exchange, HandClock()) as repairer:
        await until(lambda: recorder.missing() == 0)
        await recorder.outbox.drain()
        assert (repairer.repaired, repairer.absent, repairer.gaps_repaired) == (498, 1, 499)
    assert sorted(one.trade_id for one in writer.trades[before:]) == [
        number for number in range(10, 5_000, 10) if number != 4_500
    ]
    assert [first for first, _ in exchange.trade_calls] == [4_000, 4_000, 4_000, 3_000, 2_000, 1_000, 10]


async def test_a_gap_of_many_pages_is_fetched_whole_from_its_end(recorder: Recorder) -> None:
    exchange = exchange_with(range(1, 3501))
    receive(recorder, 1, 3500)
    async with repairing(recorder, exchange, HandClock()) as repairer:
        await until(lambda: recorder.missing() == 0)
        assert (repairer.repaired, repairer.absent, repairer.failures) == (3498, 0, 0)
        assert repairer.gaps_repaired == 1
    assert [call[0] for call in exchange.trade_calls] == [2501, 1502, 503, 2]
    assert all(limit <= 1000 for _, limit in exchange.trade_calls)


async def test_the_range_in_view_comes_first_and_a_changed_view_reorders(recorder: Recorder) -> None:
    exchange = exchange_with(range(1, 50_001))
    receive(recorder, 1, 20_001, 20_002, 50_000)
    repairer = Repairer(recorder, exchange, HandClock())
    repairer.wanted.look_at(SYMBOL, [(9_001, 10_500), (7_000, 7_010)])
    for _ in range(2):
        await repairer.step()
    repairer.wanted.look_at(SYMBOL, [(4_001, 4_010)])
    for _ in range(2):
        await repairer.step()
    repairer.wanted.look_at("ETHUSDT", [(3_000, 3_010)])
    await repairer.step()
    # One in four is the newest of all, however little of it is in view.
    assert [first for first, _ in exchange.trade_calls] == [9_502, 9_001, 4_001, 49_001, 48_002]


async def test_the_symbols_take_turns_while_one_of_them_is_in_view(recorder: Recorder) -> None:
    symbols = [SYMBOL, "ETHUSDT", "ADAUSDT"]
    recorder.set_symbols(symbols)
    exchange = exchange_with(range(1, 20_001))
    exchange.trades += [one._replace(symbol=name) for name in symbols[1:] for one in exchange.trades]
    asked: list[str] = []
    answer = exchange.trades_from

    async def noting(symbol: str, first_trade_id: int, *, limit: int = 1000) -> list[Trade]:
        asked.append(symbol)
        return await answer(symbol, first_trade_id, limit=limit)

    exchange.trades_from = noting  # type: ignore[method-assign]  # because the symbols are not among the calls
    for name in symbols:
        for number in (1, 20_000):
            recorder.receive(trade(number, symbol=name), 0)
    repairer = Repairer(recorder, exchange, HandClock())
    repairer.wanted.look_at("ETHUSDT", [(1, 20_000)])
    for _ in range(16):
        await repairer.step()
    assert asked.count("ETHUSDT") >= 12
    assert {SYMBOL, "ADAUSDT"} <= set(asked)
    asked.clear()
    repairer.wanted.look_at("", [])
    for _ in range(6):
        await repairer.step()
    assert sorted(asked) == sorted(symbols * 2)


async def test_ids_the_exchange_passes_over_are_noted_and_not_asked_for_again(recorder: Recorder) -> None:
    exchange = exchange_with([1, *range(5, 8), *range(12, LAST + 1)])
    receive(recorder, 1, 20, 12)
    tracker = recorder.tracker(SYMBOL)
    assert tracker is not None
    async with repairing(recorder, exchange, HandClock()) as repairer:
        await until(lambda: recorder.missing() == 0 and not repairer.repairing)
        assert list(tracker.absent) == list(tracker.absent_unsaved) == [(2, 4), (8, 11)]
        asked = len(exchange.trade_calls)
        recorder.stored(SYMBOL, tracker.stored_before)
        receive(recorder, 22)
        await until(lambda: recorder.missing() == 0 and not repairer.repairing)
    assert [first for first, _ in exchange.trade_calls[asked:]] == [21]
    assert (repairer.repaired, repairer.absent) == (3 + 7 + 1, 3 + 4)


@pytest.mark.parametrize("wrong", [1, 2])
async def test_ids_that_a_few_answers_leave_out_are_asked_for_again(recorder: Recorder, wrong: int) -> None:
    clock = HandClock(trade(LAST).time_us)
    exchange = Moody([trade(number) for number in range(1, LAST + 1)], clock, [Answer.HOLED] * wrong)
    receive(recorder, 1, 20)
    async with repairing(recorder, exchange, clock) as repairer:
        await until(lambda: recorder.missing() == 0)
    assert repairer.absent == 0
    assert [first for first, _ in exchange.trade_calls] == [2] * (wrong + 1)


async def test_what_other_programs_found_absent_is_not_asked_for(recorder: Recorder) -> None:
    exchange = exchange_with([])
    recorder.stored(SYMBOL, IdRanges([(1, 100)]), IdRanges([(40, 60)]))
    clock = HandClock()
    async with repairing(recorder, exchange, clock):
        await until(lambda: len(clock.slept) > 3)
    assert exchange.trade_calls == []


async def test_an_answer_that_ends_too_early_proves_nothing_and_is_asked_for_again(recorder: Recorder) -> None:
    exchange = exchange_with(range(1, LAST + 1))
    exchange.published_until = 10  # the stream is ahead of the rest of the exchange
    clock = HandClock()

    def catch_up(_: float) -> None:
        if len(exchange.trade_calls) == 4:
            exchange.published_until = None

    clock.on_sleep = catch_up
    receive(recorder, 1, 20)
    async with repairing(recorder, exchange, clock) as repairer:
        await until(lambda: recorder.missing() == 0)
        assert repairer.absent == 0
    # The second asks at once for what the first left out, the others after 5 and 10 s.
    assert [first for first, _ in exchange.trade_calls] == [2, 11, 11, 11, 11]
    assert sum(clock.slept) >= 15.0


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
    assert recorder.tracker(SYMBOL).missing() == 0  # type: ignore[union-attr]
    assert recorder.tracker("ETHUSDT").missing() == 18  # type: ignore[union-attr]
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
        await until(lambda: len(exchange.trade_calls) == 3)
        assert sum(clock.slept) >= 60.0 + 120.0
        exchange.failure = None
        await until(lambda: recorder.missing() == 0)
        assert repairer.failures >= 3


async def test_a_bug_in_one_gap_is_said_once_and_keeps_nobody_from_the_others(
    recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    exchange = exchange_with(range(1, LAST + 1))
    answer, faults = exchange.trades_from, -1  # of the first request it is not known which range is to blame

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


async def test_a_gap_of_a_symbol_no_longer_recorded_is_dropped(recorder: Recorder) -> None:
    exchange = exchange_with(range(1, LAST + 1))
    receive(recorder, 1, 20)
    recorder.set_symbols(["ETHUSDT"])
    clock = HandClock()
    async with repairing(recorder, exchange, clock) as repairer:
        await until(lambda: clock.slept)
        assert not repairer.repairing
    assert exchange.trade_calls == []


async def test_a_large_gap_is_fetched_only_while_it_is_downloaded() -> None:
    recorder = recorder_for(repair_trades=100)
    recorder.attach(FakeWriter())
    exchange = exchange_with(range(1, 10_001))
    receive(recorder, 1, 5_000, 5_051, 10_000)
    repairer = Repairer(recorder, exchange, HandClock())
    assert repairer.wanted.too_large(SYMBOL) == 4_998 + 4_948
    while not await repairer.step():
        pass
    assert recorder.missing() == 4_998 + 4_948
    assert repairer.wanted.downloading(SYMBOL) is None
    repairer.download(SYMBOL)
    assert repairer.wanted.too_large(SYMBOL) == 0
    await repairer.step()
    assert repairer.wanted.downloading(SYMBOL) == Download(4_998 + 4_948, 4_998 + 4_948 - 999)
    repairer.wanted.stop_download(SYMBOL)
    assert repairer.wanted.downloading(SYMBOL) is None
    assert await repairer.step()  # nothing to do
    repairer.download(SYMBOL)
    while not await repairer.step():
        pass
    assert recorder.missing() == 0
    assert repairer.wanted.downloading(SYMBOL) is None


async def test_more_trades_given_up_than_a_repair_may_fetch_are_fetched_again_and_not_while_more_are_given_up() -> None:
    recorder = recorder_for(repair_trades=200, queue_trades=1000)
    exchange = exchange_with(range(1, 1_501))
    for number in range(1, 1_501):
        waiting = recorder.receive(trade(number), 0)
        if waiting is not None:
            await waiting
    repairer = Repairer(recorder, exchange, HandClock())
    assert await repairer.step()
    assert exchange.trade_calls == []
    recorder.attach(writer := FakeWriter())
    while not await repairer.step():
        pass
    await recorder.outbox.drain()
    recorder.outbox.close()
    assert recorder.unstored() == 0
    assert sorted(writer.ids) == list(range(1, 1_501))


async def test_where_repairs_are_switched_off_not_even_what_was_given_up_is_fetched() -> None:
    recorder = recorder_for(repair_trades=0, queue_trades=1000)
    exchange = exchange_with(range(1, 1_301))
    for number in range(1, 1_301):
        waiting = recorder.receive(trade(number), 0)
        if waiting is not None:
            await waiting
    recorder.attach(FakeWriter())
    assert await Repairer(recorder, exchange, HandClock()).step()
    assert exchange.trade_calls == []
    assert recorder.missing() == 300
    recorder.outbox.close()


class Answer(StrEnum):
    """How an exchange may answer one request."""

    RIGHT = "right"
    EMPTY = "empty"
    SHORT = "short"
    HOLED = "holed"
    AWAY = "away"
    REFUSED = "refused"
    BUG = "bug"
    OTHERWISE = "otherwise"  # it disagrees with what the stream said of a trade


class Moody(FakeExchange):
    """Answers each request as it is told to, and rightly when that is used up."""

    def __init__(self, trades: Sequence[Trade], clock: HandClock, answers: Sequence[Answer]) -> None:
        super().__init__(trades, clock)
        self.answers = iter(answers)

    async def trades_from(self, symbol: str, first_trade_id: int, *, limit: int = 1000) -> list[Trade]:
        page = await super().trades_from(symbol, first_trade_id, limit=limit)
        match next(self.answers, Answer.RIGHT):
            case Answer.EMPTY:
                return []
            case Answer.SHORT:
                return page[: len(page) // 2]
            case Answer.HOLED:
                return page[:1] + page[3:]
            case Answer.AWAY:
                raise away()
            case Answer.REFUSED:
                raise FeedRejected("The exchange refuses.")
            case Answer.BUG:
                raise ZeroDivisionError
            case Answer.OTHERWISE:
                return [one._replace(price_e8=one.price_e8 + 1) for one in page]
            case _:
                return page


IDS = st.integers(1, 80)


@settings(max_examples=60, deadline=None)
@given(
    stored=st.sets(IDS),
    arrivals=st.lists(IDS, min_size=1, max_size=30),
    lost=st.sets(IDS),
    lacking=st.sets(IDS),
    # Two answers in a row with the same hole are proof.
    answers=st.lists(st.sampled_from([one for one in Answer if one is not Answer.HOLED]), max_size=25),
    view=st.tuples(IDS, IDS),
    largest=st.sampled_from([3, 20, 100]),
)
def test_in_the_end_all_is_held_that_exists_and_just_the_rest_is_absent(
    stored: set[int],
    arrivals: list[int],
    lost: set[int],
    lacking: set[int],
    answers: list[Answer],
    view: tuple[int, int],
    largest: int,
) -> None:
    async def work() -> None:
        recorder = recorder_for(repair_trades=100)
        recorder.attach(writer := FakeWriter())
        receive(recorder, *arrivals)
        await recorder.outbox.drain()
        tracker = recorder.tracker(SYMBOL)
        assert tracker is not None
        clock = HandClock(trade(1_000).time_us)
        exchange = Moody([trade(number) for number in range(1, 200) if number not in lacking], clock, answers)
        recorder.stored(SYMBOL, IdRanges((one, one) for one in sorted(stored)))
        for number in (lost & set(arrivals)) - stored:
            tracker.lose(number)
        highest, lowest = max(stored | set(arrivals)), min(stored | set(arrivals))
        held_before = (stored | set(arrivals)) - (lost - stored)
        repairer = Repairer(recorder, exchange, clock)
        repairer.wanted.look_at(SYMBOL, [(min(view), max(view))])
        for _ in range(2_000):
            wait_s = await repairer.step()
            if not recorder.missing():
                break
            if wait_s:
                await clock.sleep(max(wait_s, 60.0))
        assert not recorder.missing()
        await recorder.outbox.drain()
        recorder.outbox.close()
        everything = set(range(lowest, highest + 1))
        expected_absent = (everything & lacking) - held_before
        assert {one for first, last in tracker.absent for one in range(first, last + 1)} == expected_absent
        assert stored | set(writer.ids) >= everything - expected_absent
        for first, limit in exchange.trade_calls:
            assert limit <= largest + 1
            assert first not in held_before

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(repair, "_IDS_A_PAGE", largest)
        asyncio.run(work())
