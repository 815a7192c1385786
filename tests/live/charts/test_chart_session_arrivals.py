"""However trades reach a chart (stored, as klines, live, late, repaired), it ends as all of them folded."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ParamSpec, TypeVar

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app.market.candle import Candle, CandleSource
from app.market.coverage import IdRanges
from app.market.interval import SECOND_US, Interval
from app.market.series.series import Bar
from app.market.trade import Trade
from tests.depth import examples
from tests.live.charts.helpers import Chart, shown
from tests.live.databases import FakeStore
from tests.live.helpers import folded, trade
from tests.live.market import Market
from tests.storage.helpers import World

P = ParamSpec("P")
T = TypeVar("T")
INTERVALS = ["1s", "5s", "1m", "13m", "1h", "181m", "1d", "1w", "1M", "13m+4m", "1h+30m"]


def some_market(dice: random.Random, interval: Interval) -> list[Trade]:
    """Return a few dozen trades, most in candles beside each other, a few after longer pauses."""
    at_s, trades = dice.random() * 5, []
    length_s = interval.length_us / SECOND_US
    for number in range(1, dice.randrange(20, 70)):
        trades.append(trade(number, at_s, dice.randrange(1, 90), dice.randrange(1, 9)))
        at_s += dice.choice((0.0, 0.3, length_s * dice.random() / 3, length_s * dice.random() * 2))
        if dice.random() < 0.03:
            at_s += length_s * dice.randrange(10)
    return trades


class Watched:
    """A chart whose candles are compared with what they were, and, where they claim to be whole, with all trades."""

    def __init__(self, chart: Chart, trades: Sequence[Trade]) -> None:
        self.chart = chart
        self.before: dict[int, Bar] = {}
        self.whole = {candle.open_time_us: shown(candle) for candle in folded(trades, chart.session.interval)}

    def look(self) -> None:
        bars = {bar.open_time_us: bar for bar in self.chart.bars}
        for open_us, before in self.before.items():
            now = bars.get(open_us)
            if not before.trades:
                continue
            assert now is not None, before
            replaced = not before.complete and now.source is not CandleSource.TRADES
            assert now.trades >= before.trades or replaced, (before, now)
        assert self.chart.series.slots.tolist() == sorted(set(self.chart.series.slots.tolist()))
        last_us = max((open_us for open_us, bar in bars.items() if bar.trades), default=0)
        for open_us, bar in bars.items():
            # After the last trade heard of, nobody can know that one is missing.
            if bar.complete and bar.closed and open_us < last_us:
                assert bar[1:11] == self.whole[open_us], (bar, self.whole[open_us])
        self.before = bars


async def on_this_thread(work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Stand in for `asyncio.to_thread`, so that a seed always gives the same."""
    await asyncio.sleep(0)
    return work(*arguments, **named)


async def shown_however_it_arrives(seed: int, name: str, make_store: Callable[[], FakeStore] = FakeStore) -> None:
    dice = random.Random(seed)
    interval = Interval.parse(name)
    trades = some_market(dice, interval)
    live_from = dice.randrange(3, len(trades) - 3)
    market = Market(trades, now=live_from - 1)
    held_back = [one for one in trades[:live_from] if dice.random() < 0.15]
    if dice.random() < 0.7:
        begin, end = sorted((dice.randrange(live_from), dice.randrange(live_from)))
        market.store = make_store()
        market.store.record([one for one in trades[begin:end] if one not in held_back])
    watched = Watched(market.chart(name), trades)
    session = watched.chart.session
    running = asyncio.ensure_future(session.run())
    waiting: list[Trade] = []  # missed by the feed, to be fetched again
    unstored: list[Trade] = []
    arrivals = trades[live_from:]
    # A frame may overtake its neighbour; the second of the first one is left alone, as the live join's is.
    for at in range(2, len(arrivals) - 1):
        if dice.random() < 0.2:
            arrivals[at], arrivals[at + 1] = arrivals[at + 1], arrivals[at]
    for number, one in enumerate(arrivals):
        # It has happened, whether it is heard of or not: none is fetched again before that.
        market.clock.time_us = max(market.clock.time_us, one.time_us)
        if 1 < number < len(arrivals) - 1 and dice.random() < 0.15:
            waiting.append(one)
        else:
            market.hear(one)
            if dice.random() < 0.8:
                unstored.append(one)
        if market.store is not None and dice.random() < 0.4:
            market.store.record(unstored)
            unstored.clear()
        if dice.random() < 0.2:
            await market.recorder.ingest(waiting)
            waiting.clear()
        for _ in range(dice.randrange(8)):
            await asyncio.sleep(0)
        match dice.randrange(12):
            case 0 | 1 | 2 | 3 | 4:
                session.refresh()
            case 5 | 6:
                session.tick()
            case 7:
                await session.load_older()
            case 8:
                await session.ensure(one.time_us - 30 * interval.length_us, one.time_us)
            case 9 if running.done():
                running = asyncio.ensure_future(session.reload())
            case 10 if running.done():
                session.pause()
            case 11 if running.done() and not session.resume():
                running = asyncio.ensure_future(session.reload())
        watched.look()
    # The next second, so that the live join has passed; only other symbols are traded any more.
    await market.recorder.ingest(waiting)
    market.clock.time_us += 2 * SECOND_US
    market.exchange_clock.note_event(market.clock.time_us)
    await running
    session.refresh()
    watched.look()
    await session.reload()
    session.refresh()
    session.tick()
    watched.look()
    market.assert_right(watched.chart)
    assert watched.chart.bars[0].open_time_us == market.expected(interval)[0].open_time_us
    session.close()
    market.close()


class RealStore(FakeStore):
    """The part of a database that is one chart's own: its symbol goes by another name there."""

    numbers = itertools.count(1)

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world, self._name = world, f"S{next(self.numbers)}"

    def record(self, trades: Iterable[Trade]) -> None:
        renamed = [one._replace(symbol=self._name) for one in trades]
        if renamed:
            self._world.record(renamed)

    def candles(self, symbol: str, *arguments: Any, **named: Any) -> list[Candle]:
        return self._world.store.candles(self._name, *arguments, **named)

    def save_klines(self, symbol: str, *arguments: Any) -> None:
        self._world.store.save_klines(self._name, *arguments)

    def fetched_klines(self, symbol: str, interval: Interval) -> IdRanges:
        return self._world.store.fetched_klines(self._name, interval)

    def save_listing(self, symbol: str, listed_us: int) -> None:
        self._world.store.save_listing(self._name, listed_us)


@pytest.mark.parametrize("name", INTERVALS)
@settings(max_examples=examples(6))
@example(seed=50)  # trades from before a pause come late, while nobody sees the candles
@example(seed=4310)
@given(seed=st.integers(0, 2**32))
def test_however_trades_arrive_the_chart_is_all_of_them_folded_and_never_went_back(name: str, seed: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio, "to_thread", on_this_thread)
        patch.setattr("app.live.charts.live_follower._SLICE", 3)
        asyncio.run(shown_however_it_arrives(seed, name))


@pytest.mark.parametrize("name", ["1s", "13m", "1h", "1d", "1w", "1M"])
@settings(max_examples=examples(2), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_with_a_real_database_it_ends_the_same(world: World, name: str, seed: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio, "to_thread", on_this_thread)
        asyncio.run(shown_however_it_arrives(seed, name, lambda: RealStore(world)))
