"""Going far back, and coming forward again: what is loaded, what is not, and what is requested twice."""

from __future__ import annotations

import asyncio

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.live.charts.history_loader import RequestedSlots
from app.live.charts.prefetch import Prefetch
from app.market.interval import SECOND_US
from tests.live.charts.helpers import Chart
from tests.live.helpers import PATIENCE_S, START_US, away, trade
from tests.live.market import Market

DAYS, A_DAY = 20, 288
UNIT_US = 300 * SECOND_US


async def far_market(days: int = DAYS) -> tuple[Market, Chart]:
    """So many days of a trade every five minutes, and a chart of the latest thousand candles."""
    market = Market([trade(number, number * 300) for number in range(days * A_DAY)], now=days * A_DAY - 10)
    chart = market.chart("5m")
    market.hear(market.trades[-10])
    await chart.session.run()
    return market, chart


def held_by(chart: Chart) -> set[int]:
    """The candles that the chart has, counted from the start."""
    return set((chart.series.slots - chart.session.interval.slot(START_US)).tolist())


async def test_going_to_a_date_loads_its_candles_and_none_in_between() -> None:
    market, chart = await far_market()
    before = held_by(chart)
    calls = len(market.exchange.kline_calls)
    jump = await chart.session.jump_to(START_US + 5 * A_DAY * UNIT_US)
    assert (jump.time_us, jump.begins, jump.failure) == (START_US + 5 * A_DAY * UNIT_US, False, "")
    new = held_by(chart) - before
    assert set(range(5 * A_DAY - 400, 5 * A_DAY + 400)) <= new
    assert len(new) == 1000
    assert len(market.exchange.kline_calls) <= calls + 2
    market.close()


async def test_before_the_listing_one_comes_to_the_first_candle() -> None:
    market, chart = await far_market()
    jump = await chart.session.jump_to(START_US - 400 * 86_400 * SECOND_US)
    assert (jump.time_us, jump.begins) == (START_US, True)
    assert chart.bars[0].open_time_us == START_US
    assert chart.series.begins
    assert await chart.session.load_older() == 0
    market.close()


async def test_after_the_latest_candle_one_comes_to_that() -> None:
    market, chart = await far_market()
    newest_us = chart.bars[-1].open_time_us
    jump = await chart.session.jump_to(newest_us + 10 * A_DAY * UNIT_US)
    assert jump.time_us == newest_us + UNIT_US - 1
    market.close()


async def test_where_nothing_can_be_loaded_a_jump_says_why() -> None:
    market, chart = await far_market()
    market.exchange.failure = away()
    jump = await chart.session.jump_to(START_US + 86_400 * SECOND_US)
    assert (jump.time_us, jump.failure) == (None, str(away()))
    market.exchange.failure = None
    assert (await chart.session.jump_to(START_US + 86_400 * SECOND_US)).time_us is not None
    market.close()


async def test_visible_candles_that_cannot_be_loaded_are_reported_until_they_can() -> None:
    market, chart = await far_market(2 * DAYS)
    there_us = START_US + 5 * A_DAY * UNIT_US
    far = there_us - 300 * UNIT_US, there_us + 300 * UNIT_US
    between = there_us + 1200 * UNIT_US, there_us + 1500 * UNIT_US
    for start_us, end_us in (far, between):
        market.exchange.failure = away()
        await chart.session.load_view(start_us, end_us)
        assert chart.states[-1] == ("ready", str(away()))
        assert chart.session.is_stale
        market.exchange.failure = None
        await chart.session.load_view(start_us, end_us)
        assert chart.states[-1] == ("ready", "")
        assert not chart.session.lacks_candles(start_us, end_us)
    market.close()


async def test_where_there_never_was_a_candle_no_failure_is_reported() -> None:
    market, chart = await far_market()
    await chart.session.load_view(START_US - 500 * A_DAY * UNIT_US, START_US - 499 * A_DAY * UNIT_US)
    assert chart.states[-1] == ("ready", "")
    market.close()


async def test_older_candles_on_their_way_during_a_jump_neither_get_lost_nor_pass_for_the_beginning() -> None:
    market, chart = await far_market()
    first = min(held_by(chart))
    target_us = START_US + 2 * 86_400 * SECOND_US
    await asyncio.gather(chart.session.load_older(), chart.session.jump_to(target_us))
    assert set(range(first - 1000, first)) <= held_by(chart)
    assert await chart.session.load_older() == 2 * A_DAY - 500 + 1  # from the jump's page to the beginning
    market.close()


async def test_a_page_comes_in_slices_and_a_jump_between_two_of_them_leaves_no_candle_out() -> None:
    market, chart = await far_market()
    first = min(held_by(chart))
    older = asyncio.create_task(chart.session.load_older())
    async with asyncio.timeout(PATIENCE_S):
        while min(held_by(chart)) == first:
            await asyncio.sleep(0)  # no more than one slice comes between two looks
    assert min(held_by(chart)) == first - 500
    assert not chart.session.lacks_candles(START_US, START_US + UNIT_US)  # it is under way still
    await chart.session.jump_to(START_US + 2 * 86_400 * SECOND_US)
    assert await older == 1000
    assert set(range(first - 1000, first)) <= held_by(chart)
    assert not chart.series.begins
    market.close()


async def test_from_a_jump_on_one_scrolls_forward_to_now_without_a_hole() -> None:
    market, chart = await far_market()
    session = chart.session
    await session.jump_to(START_US + 10 * 86_400 * SECOND_US)
    for step in range(10 * A_DAY, DAYS * A_DAY, 600):
        view = [START_US + at * UNIT_US for at in (step, step + 900)]
        while session.lacks_candles(*view):
            await session.load_view(*view)
    held = sorted(held_by(chart))
    assert held == list(range(held[0], held[-1] + 1))
    market.assert_right(chart)
    market.close()


async def test_a_view_far_back_is_loaded_with_the_latest_candles_and_nothing_between() -> None:
    market, _ = await far_market()
    chart = market.chart("15m")
    centre_us, reach_us = START_US + 3 * 86_400 * SECOND_US, 100 * 900 * SECOND_US
    await chart.session.run((centre_us - reach_us, centre_us + reach_us))
    held = held_by(chart)
    assert set(range(3 * 96 - 100, 3 * 96 + 100)) <= held
    assert DAYS * 96 - 5 in held
    assert 850 not in held
    assert not chart.session.lacks_candles(centre_us - reach_us, centre_us + reach_us)
    market.close()


@given(st.sets(st.integers(0, 60)), st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20))))
def test_the_newest_run_neither_held_nor_requested(held: set[int], requests: list[tuple[int, int]]) -> None:
    requested, known = RequestedSlots(), set(held)
    for first, length in requests:
        requested.note_requested(first, first + length)
        known |= set(range(first, first + length + 1))
    found = requested.last_not_requested(np.array(sorted(held), np.int64), 10, 50)
    lacking = [slot for slot in range(10, 51) if slot not in known]
    if not lacking:
        assert found is None
        return
    first = last = lacking[-1]
    while first - 1 >= 10 and first - 1 not in known:
        first -= 1
    assert found == (first, last)


def test_a_jump_does_not_count_as_scrolling_speed() -> None:
    prefetch = Prefetch()
    assert prefetch.update(1000, 1200, 0.0) == 800
    assert prefetch.update(-50_000, -49_800, 0.1) == -50_200
    assert prefetch.update(-50_100, -49_900, 0.2) < -50_300
