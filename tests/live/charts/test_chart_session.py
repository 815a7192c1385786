"""One chart's candles, history and live, with an exchange in memory whose clock the test sets."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.live.charts.chart_session import SessionState
from app.market.interval import SECOND_US, Interval
from app.market.trade import Trade
from tests.depth import examples
from tests.live.charts.helpers import Chart
from tests.live.helpers import START_US, away, trade
from tests.live.market import Market, every_second


async def test_history_and_live_trades_join_without_a_gap() -> None:
    market = Market(every_second(400), now=200)
    chart = market.chart("1m")
    market.hear(market.trades[200])
    await chart.session.run()
    assert chart.session.joined
    market.hear(*market.trades[201:])
    assert chart.session.refresh()
    market.assert_right(chart)
    assert not chart.session.refresh()
    market.close()


async def test_loading_is_said_first_and_then_that_it_is_ready() -> None:
    market = Market(every_second(400), now=200)
    chart = market.chart("1m")
    market.hear(market.trades[200])
    assert chart.session.state is SessionState.LOADING
    await chart.session.run()
    assert chart.states == [("ready", "")]
    market.close()


async def test_a_late_trade_changes_its_own_candle_and_the_price_of_the_empty_ones_after_it() -> None:
    trades = [trade(1, 0.1, 10), trade(2, 0.5, 11), trade(3, 2.2, 12), trade(4, 2.9, 13)]
    market = Market(trades, now=1)
    chart = market.chart("1s")
    market.hear(*trades[:2])
    await chart.session.run()
    market.hear(trades[2])
    chart.session.refresh()
    market.clock.time_us = START_US + 5_500_000
    assert chart.session.tick()
    assert [bar.close for bar in chart.bars[-3:]] == [12, 12, 12]
    market.hear(trades[3])  # it was on its way
    chart.session.refresh()
    market.assert_right(chart)
    assert [bar.close for bar in chart.bars[-4:]] == [13, 13, 13, 13]
    market.close()


async def test_time_opens_empty_candles_and_only_time() -> None:
    market = Market([trade(0, 0), *every_second(3), trade(4, 100)], now=2)
    chart = market.chart("5s")
    market.hear(*market.trades[1:4])
    await chart.session.run()
    chart.session.refresh()
    count = len(chart.series)
    assert not chart.session.tick()
    assert len(chart.series) == count
    market.clock.time_us = START_US + 14 * SECOND_US
    assert chart.session.tick()
    assert not chart.session.tick()
    market.assert_right(chart)
    assert [(bar.trades, bar.closed) for bar in chart.bars[-2:]] == [(0, True), (0, False)]
    market.close()


async def test_across_missing_trades_nothing_is_taken_for_empty_until_they_came() -> None:
    trades = [trade(number, number * 10) for number in range(1, 21)]
    market = Market(trades, now=3)
    chart = market.chart("5s")
    market.hear(*trades[2:4])
    await chart.session.run()
    market.hear(trades[4], trades[10])  # 6 to 10 are missing
    chart.session.refresh()
    times = [(bar.open_time_us - START_US) // SECOND_US for bar in chart.bars]
    assert times[-3:] == [45, 50, 110]
    assert [bar.complete for bar in chart.bars[-2:]] == [False, False]
    await market.recorder.ingest(trades[5:10])
    chart.session.refresh()
    market.assert_right(chart)
    market.close()


async def test_a_hole_too_large_makes_the_session_stale_and_reloading_makes_it_right() -> None:
    market = Market(every_second(900), now=200, repair_trades=50)
    chart = market.chart("30s")
    market.hear(market.trades[200])
    await chart.session.run()
    market.hear(*market.trades[201:250])
    assert not chart.session.is_stale
    market.hear(*market.trades[600:640])
    assert chart.session.is_stale
    await chart.session.reload()
    assert not chart.session.is_stale
    market.hear(*market.trades[640:])
    chart.session.refresh()
    market.assert_right(chart)
    assert len(market.tracker.listeners) == 1
    market.close()


async def test_a_closed_session_changes_nothing_any_more_and_leaves_nothing_behind() -> None:
    market = Market(every_second(400), now=100)
    chart, other = market.chart("1m"), market.chart("5s")
    market.hear(market.trades[100])
    await chart.session.run()
    market.hear(*market.trades[101:150])
    chart.session.refresh()
    chart.session.close()
    assert market.tracker.listeners == []
    before, changes, states = chart.bars, chart.changes, list(chart.states)
    await other.session.run()
    market.hear(*market.trades[150:])
    other.session.refresh()
    assert not chart.session.refresh()
    assert not chart.session.tick()
    assert await chart.session.load_older() == 0
    await chart.session.ensure(START_US - 10**9, START_US)
    assert (chart.bars, chart.changes, chart.states) == (before, changes, states)
    market.assert_right(other)
    market.close()


async def test_a_session_closed_while_it_loads_shows_nothing_later() -> None:
    market = Market(every_second(400), now=100)
    chart = market.chart("1m")
    market.hear(market.trades[100])
    running = asyncio.ensure_future(chart.session.run())
    await asyncio.sleep(0)
    chart.session.close()
    await running
    assert len(chart.series) == 0
    assert chart.states == []
    assert market.tracker.listeners == []
    market.close()


async def test_a_session_closed_while_it_waits_for_the_live_join_ends() -> None:
    market = Market(every_second(400), now=100)
    chart = market.chart("1m")
    running = asyncio.ensure_future(chart.session.run())  # no trade has been heard, so there is no live join yet
    while not market.clock.slept:
        await asyncio.sleep(0)
    chart.session.close()
    await running
    assert not chart.session.joined
    market.close()


async def test_joined_without_its_beginning_the_first_candle_is_not_called_complete() -> None:
    market = Market(every_second(400), now=200)
    market.exchange.failure = away()
    chart = market.chart("1m")
    market.hear(market.trades[200])
    await chart.session.run()
    market.hear(*market.trades[201:])
    chart.session.refresh()
    assert chart.session.state is SessionState.READY
    assert [bar.complete for bar in chart.bars] == [False, True, True, True]
    expected = market.expected(Interval.parse("1m"))
    assert [bar.trades for bar in chart.bars[1:]] == [candle.trades for candle in expected[-3:]]
    market.close()


async def test_trades_missing_just_after_the_live_join_make_its_candle_incomplete() -> None:
    market = Market(every_second(400), now=200)
    chart = market.chart("1m")
    market.hear(market.trades[200], *market.trades[203:210])
    await chart.session.run()
    chart.session.refresh()
    assert not chart.bars[-1].complete
    await market.recorder.ingest(market.trades[201:203])
    market.hear(*market.trades[210:])
    chart.session.refresh()
    market.assert_right(chart)
    market.close()


async def test_candles_beside_trades_that_do_not_exist_become_complete() -> None:
    trades = [one for one in every_second(400) if one.trade_id not in range(250, 330)]
    market = Market(trades, now=200)
    chart = market.chart("1m")
    market.hear(market.trades[200])
    await chart.session.run()
    market.hear(*market.trades[201:])
    chart.session.refresh()
    assert [bar.complete for bar in chart.bars[-3:]] == [False, False, True]
    market.tracker.ids.note_absent(250, 329)
    assert chart.session.tick()
    assert all(bar.complete for bar in chart.bars)
    assert not chart.session.tick()
    market.close()


async def test_a_symbol_without_any_trade_is_empty_until_its_first() -> None:
    trades = [trade(1, 50, 10), trade(2, 52, 11), trade(3, 54, 12)]
    market = Market(trades)
    market.clock.time_us = START_US
    chart = market.chart("1s")
    running = asyncio.ensure_future(chart.session.run())
    while not chart.states:
        await asyncio.sleep(0)
    assert chart.states == [("empty", "")]
    market.hear(trades[0])
    await running
    market.hear(*trades[1:])
    chart.session.refresh()
    assert chart.session.state is SessionState.READY
    assert chart.bars[-1].close == 12
    market.close()


async def test_a_symbol_that_is_not_recorded_shows_its_history() -> None:
    market = Market(every_second(400), now=399)
    chart = Chart("1m", market.exchange, None, market.exchange_clock, market.clock)
    await chart.session.run()
    market.assert_right(chart)
    assert not chart.session.joined
    assert not chart.session.is_stale
    market.close()


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[Trade], int, int]:
    """Draw trades with bursts and quiet spells, how many are history at the start, and a seed for the rest."""
    at_s = 0.0
    trades = []
    for number in range(1, draw(st.integers(8, 60))):
        at_s += draw(st.sampled_from([0.0, 0.0, 0.1, 0.3, 0.9, 1.0, 2.5, 7.0, 61.0, 400.0]))
        trades.append(trade(number, at_s, draw(st.integers(1, 9)), draw(st.integers(1, 5))))
    return trades, draw(st.integers(2, len(trades) - 3)), draw(st.integers(0, 1000))


@settings(max_examples=examples(40))
@given(deliveries(), st.sampled_from("1s 5s 30s 1m 90s 3m 13m 181m 1d 1w 1M 3m+1m 1h+7m 1d+61m".split()))
def test_whatever_comes_late_twice_or_by_repair_the_series_is_all_trades_folded(
    delivery: tuple[list[Trade], int, int], name: str
) -> None:
    trades, past, seed = delivery
    dice = random.Random(seed)

    async def play() -> None:
        market = Market(trades, now=past)
        chart = market.chart(name)
        market.hear(trades[past])
        # Each trade arrives up to three places late; some do not arrive, and are fetched at the end.
        coming = sorted(trades[past + 1 :], key=lambda one: one.trade_id + dice.choice([0, 0, 0, 0, 1, 3]))
        dropped = {one.trade_id for one in coming[:-1] if dice.random() < 0.2}
        join_at = dice.randrange(len(coming))
        for at, one in enumerate(coming):
            if at == join_at:
                await chart.session.run()
            if one.trade_id not in dropped:
                market.hear(one)
                if dice.random() < 0.3:
                    market.hear(one)
            if dice.random() < 0.5:
                chart.session.refresh()
            if dice.random() < 0.3:
                chart.session.tick()
        market.clock.time_us = max(market.clock.time_us, trades[-1].time_us)
        await market.recorder.ingest([one for one in coming if one.trade_id in dropped])
        chart.session.tick()
        market.assert_right(chart)
        chart.session.close()
        assert market.tracker.listeners == []
        market.close()

    asyncio.run(play())


@pytest.mark.parametrize("name", ["1s", "1m"])
async def test_what_a_chart_remembers_of_a_long_run_is_bounded(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.live.charts.live_follower._LIVE_KEEPS", 20)
    market = Market([trade(number, number * 61) for number in range(1, 300)], now=5)
    chart = market.chart(name)
    market.hear(market.trades[5])
    await chart.session.run()
    for one in market.trades[6:]:
        market.hear(one)
        chart.session.tick()
        assert len(chart.session._follower) <= 42
    market.assert_right(chart)
    market.close()


async def test_empty_candles_that_time_opened_are_doubted_when_trades_turn_out_missing() -> None:
    market = Market(every_second(60), now=10)
    chart = market.chart("1s")
    market.hear(market.trades[10])
    await chart.session.run()
    market.hear(*market.trades[11:20])
    chart.session.refresh()
    market.clock.time_us = market.trades[35].time_us
    assert chart.session.tick()
    market.hear(market.trades[40])
    chart.session.refresh()
    silent = [bar for bar in chart.bars if market.trades[20].time_us <= bar.open_time_us < market.trades[40].time_us]
    assert silent
    assert not any(bar.complete for bar in silent)
    await market.recorder.ingest(market.trades[20:40])
    market.hear(*market.trades[41:])
    chart.session.tick()
    market.assert_right(chart)
    market.close()


async def test_a_quiet_symbol_has_no_hole_between_loading_and_its_first_trade() -> None:
    trades = every_second(100)
    trades = [*trades[:50], *(one._replace(time_us=one.time_us + 700_000_000) for one in trades[50:])]
    market = Market(trades, now=49)
    chart = market.chart("1s")
    running = asyncio.create_task(chart.session.run())
    while not len(chart.series):
        await asyncio.sleep(0)
    market.hear(trades[50])
    await running
    market.hear(*trades[51:])
    chart.session.refresh()
    market.assert_right(chart)
    market.close()


async def test_without_the_exchanges_time_ours_opens_no_candle() -> None:
    market = Market(every_second(60), now=30)
    chart = market.chart("1s")
    market.hear(market.trades[30])
    await chart.session.run()
    market.hear(*market.trades[31:40])
    chart.session.refresh()
    market.exchange_clock.forget()
    before = len(chart.series)
    market.clock.time_us += 600_000_000
    chart.session.tick()
    assert len(chart.series) == before
    market.close()
