"""Klines that the exchange publishes late, or short at first: none of them passes for the whole, or stays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from app.live.charts.candle_history import CandleHistory
from app.market.candle import Candle
from app.market.interval import SECOND_US, Interval
from app.market.trade import Trade
from tests.live.databases import FakeStore
from tests.live.helpers import START_US, SYMBOL, FakeExchange, HandClock, trade
from tests.live.market import Market, every_second


class EarlierClock(HandClock):
    """Another clock, so much earlier."""

    def __init__(self, clock: HandClock, earlier_us: int) -> None:
        self.clock, self.earlier_us = clock, earlier_us

    def now_us(self) -> int:
        return self.clock.now_us() - self.earlier_us


class LateExchange(FakeExchange):
    """Publishes what it knew some seconds ago; ``short``: the newest klines are there in time, without their last."""

    def __init__(self, trades: Sequence[Trade], clock: HandClock, late_s: float, *, short: bool) -> None:
        super().__init__(trades, clock)
        self._late = FakeExchange(trades, EarlierClock(clock, round(late_s * SECOND_US)))
        self._short = short

    async def klines(self, symbol: str, interval: Interval, **named: Any) -> list[Candle]:
        asked_us, published_us = self.clock.now_us(), self._late.clock.now_us()
        found = await self._late.klines(symbol, interval, **named)
        if self._short:
            return [one._replace(closed=interval.next_open_us(one.open_time_us) <= asked_us) for one in found]
        return [one for one in found if interval.next_open_us(one.open_time_us) <= published_us]


def late_market(late_s: float, *, short: bool, now: int = 200) -> Market:
    market = Market(every_second(400), now=now)
    market.exchange = LateExchange(market.trades, market.clock, late_s, short=short)
    return market


@pytest.mark.parametrize("name", ["1s", "5s", "1m", "13m", "13m+2m"])
@pytest.mark.parametrize("now", [200, 179, 239])  # within a minute, and when one has just ended
async def test_a_kline_that_is_short_for_a_moment_does_not_stay_so(name: str, now: int) -> None:
    market = late_market(0.9, short=True, now=now)
    market.clock.time_us += 300_000
    chart = market.chart(name)
    market.hear(market.trades[now])
    await chart.session.run()
    market.hear(*market.trades[now + 1 :])
    chart.session.refresh()
    market.assert_right(chart)
    market.close()


@pytest.mark.parametrize("name", ["5s", "1m", "13m", "13m+2m"])
async def test_a_candle_that_lacks_a_late_part_is_not_complete_and_a_reload_completes_it(name: str) -> None:
    market = late_market(15, short=False)
    chart = market.chart(name)
    market.hear(market.trades[200])
    await chart.session.run()
    waited_s = sum(market.clock.slept)
    assert 9 < waited_s < 12
    market.hear(*market.trades[201:300])
    chart.session.refresh()
    expected = {one.open_time_us: one.trades for one in market.expected(chart.session.interval)}
    wrong = [bar for bar in chart.bars if bar.trades != expected[bar.open_time_us]]
    assert wrong
    assert not any(bar.complete for bar in wrong)
    assert chart.session.is_stale
    market.clock.time_us = market.trades[300].time_us
    await chart.session.reload()
    market.hear(*market.trades[300:])
    chart.session.refresh()
    assert not chart.session.is_stale
    market.assert_right(chart)
    market.close()


@pytest.mark.parametrize("short", [True, False])
@pytest.mark.parametrize("late_s", [0.9, 8, 45])
async def test_what_is_kept_is_what_the_exchange_ends_up_with(late_s: float, short: bool) -> None:
    trades = [trade(number, number * 0.9) for number in range(1, 500)]
    clock, store = HandClock(trades[250].time_us), FakeStore()
    exchange = LateExchange(trades, clock, late_s, short=short)
    history = CandleHistory(exchange, store)
    for _ in range(20):
        for name in ("1m", "30s", "3m", "1s"):
            interval = Interval.parse(name)
            end_us = interval.next_open_us(clock.now_us())
            await history.published(SYMBOL, interval, interval.open_time_us(START_US), end_us, lambda _: None)
        await history.parts(SYMBOL, START_US, clock.now_us() // SECOND_US * SECOND_US)
        clock.time_us += 11 * SECOND_US
    clock.time_us = trades[-1].time_us + 3600 * SECOND_US
    right = FakeExchange(trades, clock)
    assert set(map(str, store.kept)) == {"1m", "30s", "3m"}
    for interval, kept in store.kept.items():
        final = await CandleHistory(right).parts(SYMBOL, min(kept), interval.next_open_us(max(kept)), interval)
        assert final is not None
        assert sum(one.trades for one in kept.values()) == sum(one.trades for one in final.candles)
        assert all(one.closed and one.complete for one in kept.values())
    seconds = await history.stored(SYMBOL, Interval.parse("1s"), end_us=trades[-1].time_us, limit=1000)
    real = await right.klines(SYMBOL, Interval.parse("1s"), start_us=START_US)
    known = {one.open_time_us: one.trades for one in real}
    assert seconds.candles
    assert all(known[one.open_time_us] == one.trades for one in seconds.candles)
