"""A chart session that nobody sees: it follows no trades, and has all of them again once somebody does."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.market.interval import SECOND_US
from app.market.trade import Trade
from tests.depth import examples
from tests.live.charts.helpers import Chart
from tests.live.helpers import trade
from tests.live.market import Market, every_second


async def joined(market: Market, name: str, at: int) -> Chart:
    chart = market.chart(name)
    market.hear(market.trades[at])
    await chart.session.run()
    return chart


async def test_a_paused_session_hears_nothing_from_the_next_second_on_and_knows_all_at_once_afterwards() -> None:
    market = Market(every_second(400), now=200)
    chart = await joined(market, "1m", 200)
    market.hear(*market.trades[201:220])
    chart.session.refresh()
    calls = len(market.exchange.kline_calls)
    chart.session.pause()
    market.hear(market.trades[220])
    await asyncio.sleep(0)
    assert market.tracker.listeners == []
    bars, changes = chart.bars, chart.changes
    market.hear(*market.trades[221:])
    assert not chart.session.refresh()
    assert not chart.session.tick()
    assert (chart.bars, chart.changes) == (bars, changes)
    assert chart.session.resume()
    assert chart.session.refresh()
    market.assert_right(chart)
    assert len(market.exchange.kline_calls) == calls
    assert len(market.tracker.listeners) == 1
    market.close()


async def test_the_second_of_the_pause_counts_each_of_its_trades_once() -> None:
    trades = [trade(number, number * 0.25, 100 + number % 5) for number in range(1, 80)]
    market = Market(trades, now=20)
    chart = await joined(market, "5s", 20)
    market.hear(*trades[21:42])
    chart.session.pause()
    market.hear(*trades[42:])
    await asyncio.sleep(0)
    assert chart.session.resume()
    chart.session.refresh()
    market.assert_right(chart)
    market.close()


async def test_a_pause_without_a_trade_ends_as_it_began() -> None:
    market = Market(every_second(300), now=200)
    chart = await joined(market, "1m", 200)
    chart.session.pause()
    assert chart.session.resume()
    market.hear(*market.trades[201:])
    chart.session.refresh()
    market.assert_right(chart)
    assert len(market.tracker.listeners) == 1
    market.close()


async def test_pauses_right_after_each_other_lose_nothing() -> None:
    market = Market(every_second(300), now=200)
    chart = await joined(market, "30s", 200)
    chart.session.pause()
    market.hear(market.trades[201])
    assert chart.session.resume()
    chart.session.pause()
    await asyncio.sleep(0)
    assert len(market.tracker.listeners) == 1  # no trade has come since
    market.hear(*market.trades[202:])
    await asyncio.sleep(0)
    assert market.tracker.listeners == []
    assert chart.session.resume()
    chart.session.refresh()
    market.assert_right(chart)
    market.close()


async def test_after_a_pause_longer_than_what_is_remembered_the_candles_are_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("app.live.recording.symbol_tracker._KEPT_UNSEEN_US", 60 * SECOND_US)
    market = Market(every_second(900), now=200)
    chart = await joined(market, "1m", 200)
    chart.session.pause()
    for one in market.trades[201:]:
        market.hear(one)
        await asyncio.sleep(0)
    assert not chart.session.resume()
    await chart.session.reload()
    chart.session.refresh()
    market.assert_right(chart)
    market.close()


async def test_a_trade_that_was_fetched_late_has_the_candles_loaded() -> None:
    market = Market(every_second(400), now=200)
    chart = await joined(market, "1m", 200)
    market.hear(*market.trades[201:210], *market.trades[211:220])
    chart.session.refresh()
    chart.session.pause()
    market.hear(market.trades[220])
    await asyncio.sleep(0)
    await market.recorder.ingest([market.trades[210]])
    market.hear(*market.trades[221:])
    assert not chart.session.resume()
    await chart.session.reload()
    chart.session.refresh()
    market.assert_right(chart)
    market.close()


@settings(max_examples=examples(40))
@given(st.integers(0, 2**32), st.sampled_from("1s 5s 1m 13m 1h 1d 13m+4m".split()))
def test_however_often_it_pauses_a_session_has_all_trades_folded(seed: int, name: str) -> None:
    dice = random.Random(seed)
    at_s, trades = 0.0, list[Trade]()
    for number in range(1, 60):
        trades.append(trade(number, at_s, dice.randrange(1, 90), dice.randrange(1, 9)))
        at_s += dice.choice((0.0, 0.2, 0.9, 5.0, 70.0))

    async def play() -> None:
        market = Market(trades, now=10)
        chart = await joined(market, name, 10)
        for one in trades[11:]:
            if dice.random() < 0.15:
                chart.session.pause()
            market.hear(one)
            if dice.random() < 0.5:
                await asyncio.sleep(0)
            if dice.random() < 0.15 and not chart.session.resume():
                await chart.session.reload()
            if dice.random() < 0.3:
                chart.session.refresh()
        if not chart.session.resume():
            await chart.session.reload()
        chart.session.refresh()
        market.assert_right(chart)
        market.close()

    asyncio.run(play())
