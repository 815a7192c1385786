"""Which candles of a chart are marked complete while trades are late or missing, or klines ahead of the stream."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from app.market.interval import SECOND_US
from app.market.series.series import Bar
from app.market.trade import Trade
from app.market.units import E8
from tests.live.charts.helpers import Chart
from tests.live.helpers import START_US, trade
from tests.live.market import Market, every_second


async def joined(market: Market, name: str, *heard: Trade) -> Chart:
    """Return a chart that has joined after these trades were heard."""
    chart = market.chart(name)
    market.hear(*heard)
    await chart.session.run()
    return chart


async def assert_right_after(market: Market, chart: Chart, late: Sequence[Trade], *heard: Trade) -> None:
    """What was missing comes late, and these are heard after it: no candle is doubted any more, and all are right."""
    await market.recorder.ingest(late)
    market.hear(*heard)
    chart.session.tick()
    market.assert_right(chart)


def at(chart: Chart, seconds: float) -> Bar:
    return chart.series.bar(chart.series.index_at_slot(chart.session.interval.slot(START_US + round(seconds * 10**6))))


async def test_a_kline_that_is_ahead_of_the_stream_stays_until_its_trades_are_heard() -> None:
    market = Market(every_second(400), now=200)
    market.hear(market.trades[200])
    market.clock.time_us = market.trades[205].time_us
    chart = await joined(market, "1m")
    shown = chart.bars[-1].trades
    for one in market.trades[201:230]:
        chart.session.refresh()
        chart.session.tick()
        assert chart.bars[-1].trades >= shown
        assert chart.bars[-1].complete
        market.hear(one)
    market.hear(*market.trades[230:])
    chart.session.refresh()
    market.assert_right(chart)
    market.close()


async def test_trades_missing_at_the_end_of_the_live_joins_candle_make_it_incomplete() -> None:
    market = Market(every_second(400), now=200)
    chart = await joined(market, "1m", market.trades[200])
    market.hear(*market.trades[201:230], *market.trades[245:300])
    chart.session.refresh()
    assert not at(chart, 200).complete
    assert not at(chart, 250).complete
    await assert_right_after(market, chart, market.trades[230:245], *market.trades[300:])
    market.close()


async def test_empty_candles_after_the_live_join_are_complete_again_when_the_missing_trades_have_come() -> None:
    trades = [trade(1, 0.5), trade(2, 1.2), trade(3, 7.5), trade(4, 8.5), trade(5, 9.5)]
    market = Market(trades, now=1)
    chart = await joined(market, "1s", trades[1])
    market.clock.time_us = START_US + 5 * SECOND_US
    chart.session.tick()
    assert at(chart, 4).complete
    market.hear(trades[3])
    chart.session.refresh()
    assert not at(chart, 4).complete
    await assert_right_after(market, chart, [trades[2]], trades[4])
    market.close()


async def test_many_candles_at_once_are_doubted_one_by_one() -> None:
    trades = [trade(1, 60), trade(2, 62), trade(3, 303), trade(4, 316), trade(5, 317)]
    market = Market(trades, now=1)
    chart = market.chart("15s")
    market.hear(trades[1])
    await chart.session._load(show_early=True)
    market.tracker.restart_window(trade(2, 301))
    market.hear(trades[3])  # the third, in the live join's candle, is missing
    await chart.session._join()
    chart.session.refresh()
    assert [bar.open_time_us for bar in chart.bars if not bar.complete] == [at(chart, 303)[1], at(chart, 316)[1]]
    await assert_right_after(market, chart, [trades[2]], trades[4])
    market.close()


@pytest.mark.parametrize("quiet", [False, True])
async def test_the_live_joins_candle_is_incomplete_when_the_next_trade_follows_a_missing_one(
    quiet: bool,
) -> None:
    trades = [trade(1, 60.5), trade(2, 61.2), trade(3, 74.5), trade(4, 86.5), trade(5, 87.5)]
    if quiet:
        trades = [*trades[:2], *(one._replace(time_us=one.time_us + 60 * SECOND_US) for one in trades[2:])]
    market = Market(trades, now=1)
    market.hear(trades[1])
    market.clock.time_us += (60 if quiet else 2) * SECOND_US
    if quiet:
        market.tracker.restart_window(trades[1]._replace(time_us=market.clock.time_us - 2 * SECOND_US))
    chart = await joined(market, "15s")
    chart.session.refresh()
    assert at(chart, 121 if quiet else 61).complete
    market.hear(trades[3])  # the third, in the live join's candle, is missing
    chart.session.refresh()
    assert not at(chart, 121 if quiet else 61).complete
    await assert_right_after(market, chart, [trades[2]], trades[4])
    market.close()


async def test_empty_candles_are_doubted_also_where_time_had_opened_the_next_trades_own() -> None:
    trades = [trade(1, 0.5), trade(2, 1.2), trade(3, 6.5), trade(4, 16.5), trade(5, 17.5)]
    market = Market(trades, now=1)
    chart = await joined(market, "5s", trades[1])
    market.clock.time_us = START_US + 16 * SECOND_US
    chart.session.tick()
    market.hear(trades[3])  # the third is missing
    chart.session.refresh()
    assert [at(chart, seconds).complete for seconds in (5, 10, 15)] == [False, False, False]
    await assert_right_after(market, chart, [trades[2]], trades[4])
    market.close()


async def test_a_doubted_kline_stays_doubted_when_the_next_candle_begins() -> None:
    market = Market(every_second(400), now=200)
    market.hear(market.trades[200])
    market.clock.time_us = market.trades[220].time_us
    chart = await joined(market, "1m")
    loaded = chart.bars[-1]
    market.hear(market.trades[230], *market.trades[245:250])
    chart.session.refresh()
    open_one = at(chart, 200)
    assert (open_one.trades, open_one.complete, open_one.closed) == (loaded.trades, False, True)
    assert open_one.close == market.trades[230].price_e8 / E8 != loaded.close, "the price goes on"
    market.hear(*market.trades[250:])
    await market.recorder.ingest([*market.trades[201:230], *market.trades[231:245]])
    chart.session.tick()
    market.assert_right(chart)
    market.close()


async def test_what_was_loaded_open_is_not_closed_before_its_own_trades_are_in() -> None:
    """A long wait for the first trade: meanwhile the candle that was open at loading has gone on and ended."""
    trades = [trade(1, 1), trade(2, 62), trade(3, 90), trade(4, 300), trade(5, 302)]
    market = Market(trades, now=1)
    chart = market.chart("1m")
    await chart.session._load(show_early=True)
    market.hear(trades[3], trades[4])
    await chart.session._join()
    assert not at(chart, 90).closed
    chart.session.refresh()
    market.assert_right(chart)
    assert [bar.trades for bar in chart.bars] == [1, 2, 0, 0, 0, 2]
    market.close()
