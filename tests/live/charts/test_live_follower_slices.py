"""Hours of tracked seconds join a chart slice by slice, so that nothing waits for them."""

from __future__ import annotations

import asyncio

import pytest

from app.live.charts.candle_merger import CandleMerger
from app.live.charts.live_candles import LiveCandle
from tests.live.charts.helpers import Chart
from tests.live.market import Market, every_second

SLICE = 20


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many candles were brought in at a time."""
    monkeypatch.setattr("app.live.charts.live_follower._SLICE", SLICE)
    put_all, taken = CandleMerger.put_all, list[int]()

    def counted(merger: CandleMerger, candles: list[LiveCandle]) -> None:
        taken.append(len(candles))
        put_all(merger, candles)

    monkeypatch.setattr(CandleMerger, "put_all", counted)
    return taken


def tracked_for_long() -> tuple[Market, Chart]:
    """Return a chart about to join a symbol of which hundreds of seconds are tracked."""
    market = Market(every_second(600), now=100)
    market.hear(*market.trades[100:500])
    return market, market.chart("1s")


async def test_no_slice_is_long_and_together_they_are_all_trades_folded(sizes: list[int]) -> None:
    market, chart = tracked_for_long()
    running = asyncio.ensure_future(chart.session.run())
    heard = 500
    while not running.done():
        await asyncio.sleep(0)
        if chart.session.joined and heard < 530:  # the market goes on meanwhile, and so do the frames
            market.hear(market.trades[heard])
            heard += 1
            chart.session.refresh()
    await running
    market.hear(*market.trades[heard:])
    chart.session.refresh()
    market.assert_right(chart)
    assert len(sizes) > 400 / SLICE
    assert max(sizes[:-1]) <= 2 * SLICE
    market.close()


@pytest.mark.parametrize("steps", [1, 5, 50])
async def test_what_a_cancelled_join_left_out_is_brought_in_by_the_next_frame(sizes: list[int], steps: int) -> None:
    market, chart = tracked_for_long()
    running = asyncio.ensure_future(chart.session.run())
    while not chart.session.joined:
        await asyncio.sleep(0)
    for _ in range(steps):
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    market.hear(*market.trades[500:])
    chart.session.refresh()
    market.assert_right(chart)
    chart.session.close()
    market.close()
