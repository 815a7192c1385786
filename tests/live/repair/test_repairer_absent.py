"""Ids that the exchange has no trades for: which answers prove that, and which do not."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.live.recording.recorder import Recorder
from app.live.repair import chunks
from app.live.repair.repairer import Repairer
from app.market.coverage import IdRanges
from tests.depth import examples
from tests.live.databases import FakeWriter
from tests.live.helpers import SYMBOL, HandClock, recorder_for, trade, until
from tests.live.repair.helpers import LAST, Answer, Moody, exchange_with, receive, repairing


async def test_ids_that_all_answers_leave_out_are_noted_as_absent_and_not_asked_for_again(recorder: Recorder) -> None:
    exchange = exchange_with([1, *range(5, 8), *range(12, LAST + 1)])
    receive(recorder, 1, 20, 12)
    tracker = recorder.tracker(SYMBOL)
    assert tracker is not None
    async with repairing(recorder, exchange, HandClock()) as repairer:
        await until(lambda: recorder.missing() == 0 and not repairer.repairing)
        assert list(tracker.absent) == list(tracker.ids.absent_unsaved) == [(2, 4), (8, 11)]
        asked = len(exchange.trade_calls)
        recorder.note_stored(SYMBOL, tracker.ids.stored)
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


async def test_ids_other_programs_found_absent_are_not_asked_for(recorder: Recorder) -> None:
    exchange = exchange_with([])
    recorder.note_stored(SYMBOL, IdRanges([(1, 100)]), IdRanges([(40, 60)]))
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


IDS = st.integers(1, 80)


@settings(max_examples=examples(60), deadline=None)
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
def test_in_the_end_every_existing_trade_is_held_and_only_the_others_are_absent(
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
        recorder.note_stored(SYMBOL, IdRanges((one, one) for one in sorted(stored)))
        for number in (lost & set(arrivals)) - stored:
            tracker.ids.lose(number, number)
        highest, lowest = max(stored | set(arrivals)), min(stored | set(arrivals))
        held_before = (stored | set(arrivals)) - (lost - stored)
        repairer = Repairer(recorder, exchange, clock)
        repairer.plan.set_view(SYMBOL, [(min(view), max(view))])
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
        patch.setattr(chunks, "_IDS_A_PAGE", largest)
        asyncio.run(work())
