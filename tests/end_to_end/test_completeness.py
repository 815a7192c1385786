"""
What is called complete, and only that, is all there was: against a market of which every trade is known.

The model knows the whole market, and which of its trades were received. A candle can be known to be complete if all of
its trades, the one before and the one after were received, or if nobody traded until its end while somebody watched.
"""

from __future__ import annotations

import asyncio
import csv
import itertools
from bisect import bisect_right
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.market.builder import CandleBuilder, finish
from app.market.candle import Candle
from app.market.coverage import IdRanges
from app.market.interval import SECOND_US, Interval
from app.market.trade import Trade
from storage.database import Database
from tests.candle_files import write_candles
from tests.depth import examples
from tests.live.charts.helpers import shown
from tests.live.helpers import SYMBOL, folded
from tests.live.market import Market
from tests.servers import EMBEDDED, shared_server
from tests.tables import our_tables

INTERVALS = [Interval.parse(name) for name in ("1m", "13m", "17s", "90s", "1h", "181m")]
START_US = Interval.parse("1d").open_time_us(1_709_200_000 * SECOND_US)
NUMBERS = itertools.count()
STEPS_S = st.one_of(st.integers(0, 3), st.integers(0, 90), st.integers(0, 900))


class World(NamedTuple):
    """All ``trades`` of a symbol, the ``received`` ones, and until when its silence was ``watched`` after them."""

    trades: list[Trade]
    received: list[Trade]
    watched_us: int | None

    @property
    def ids(self) -> set[int]:
        return {one.trade_id for one in self.received}


@st.composite
def worlds(draw: st.DrawFn) -> World:
    symbol, first = f"W{next(NUMBERS)}USDT", draw(st.sampled_from([1, 5_000]))
    time_us, trades = START_US + draw(st.integers(0, 3_600)) * SECOND_US, []
    for number, step_s in enumerate(draw(st.lists(STEPS_S, min_size=2, max_size=40))):
        time_us += step_s * SECOND_US + number % 3 * 100_000
        trades.append(Trade(symbol, first + number, time_us, (100 + number % 7) * 10**8, 10**8, number % 2 == 0))
    begin, end = sorted((draw(st.integers(0, len(trades) - 1)), draw(st.integers(1, len(trades)))))
    lost = draw(st.sets(st.integers(0, len(trades)), max_size=3))
    received = [one for at, one in enumerate(trades) if begin <= at < max(end, begin + 1) and at not in lost]
    received = received or trades[begin : begin + 1]
    watched_us = None
    if draw(st.booleans()):
        later = [one.time_us for one in trades if one.trade_id > received[-1].trade_id]
        most_us = (min(later) if later else received[-1].time_us + 3 * 3_600 * SECOND_US) - received[-1].time_us
        watched_us = received[-1].time_us + draw(st.integers(0, most_us))
    return World(trades, received, watched_us)


def knowable(world: World, interval: Interval, open_us: int) -> bool:
    """Whether it can be known that all trades of a slot were received, and that there are no others."""
    end_us, ids = interval.next_open_us(open_us), world.ids
    times = [one.time_us for one in world.trades]
    low, high = bisect_right(times, open_us - 1), bisect_right(times, end_us - 1)
    if not {one.trade_id for one in world.trades[low:high]} <= ids:
        return False
    begins = world.trades[low - 1].trade_id in ids if low else low < high and world.trades[0].trade_id <= 1
    ends = high < len(world.trades) and world.trades[high].trade_id in ids
    # The silence after the last received trade says nothing of one that is missing before it.
    silent = world.watched_us is not None and world.received[-1].time_us < end_us <= world.watched_us
    return begins and (ends or silent)


def assert_true(world: World, interval: Interval, candles: list[Candle]) -> None:
    """Assert that exactly the provably complete candles are called complete, and are right."""
    right = {candle.open_time_us: candle for candle in folded(world.trades, interval)}
    for candle in candles:
        known = knowable(world, interval, candle.open_time_us)
        assert candle.complete == known, (interval.name, candle, world)
        assert candle.closed or not candle.complete
        if candle.complete and candle.trades:
            assert candle[:12] == right[candle.open_time_us][:12]
        elif candle.complete and candle.open_time_us in right:
            assert not right[candle.open_time_us].trades
    slots = {candle.open_time_us for candle in candles}
    traded = {interval.open_time_us(one.time_us) for one in world.received}
    assert traded <= slots


@settings(max_examples=examples(200))
@given(worlds(), st.sampled_from(INTERVALS))
def test_of_a_live_builder(world: World, interval: Interval) -> None:
    builder = CandleBuilder(interval)
    for one in world.received:
        builder.add(one)
    held = IdRanges((one, one) for one in sorted(world.ids))
    assert_true(world, interval, finish(builder.candles(), interval, held, now_us=world.watched_us))


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    with our_tables(shared_server(EMBEDDED)) as url:
        opened = Database.open(url, tmp_path_factory.mktemp("complete"))
        yield opened
        assert opened.close()


@settings(max_examples=examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(world=worlds())
def test_of_the_database_and_of_a_file(database, tmp_path, world: World) -> None:
    assert database.writer.put(world.received)
    assert database.writer.drain(20.0)
    symbol = world.received[0].symbol
    for interval in INTERVALS:
        assert_true(world, interval, database.store.candles(symbol, interval, now_us=world.watched_us))
        # A file has what is stored, and nobody watches for it.
        unwatched = world._replace(watched_us=None)
        candles = [one for part in database.store.iter_candles(symbol, interval) for one in part]
        assert_true(unwatched, interval, candles)
        path = tmp_path / "candles.csv"
        write_candles([candles], path, interval)
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert [row["complete"] == "true" for row in rows] == [candle.complete for candle in candles]


@settings(max_examples=examples(60))
@given(world=worlds(), interval=st.sampled_from(INTERVALS))
def test_of_a_chart(world: World, interval: Interval) -> None:
    trades = [one._replace(symbol=SYMBOL) for one in world.trades]
    received = [one for one in trades if one.trade_id in world.ids]
    right = {candle.open_time_us: candle for candle in folded(trades, interval)}

    async def play() -> None:
        market = Market(trades, now=trades.index(received[0]))
        chart = market.chart(interval.name)
        market.hear(received[0])
        await chart.session.run()
        for one in received[1:]:
            market.hear(one)
            chart.session.refresh()
        if world.watched_us is None:
            market.tracker.note_break()  # whatever comes now, nobody hears it
            market.clock.time_us += 3 * 3_600 * SECOND_US
        else:
            market.clock.time_us = max(market.clock.time_us, world.watched_us)
        market.exchange_clock.note_event(market.clock.time_us)
        chart.session.tick()
        for bar in chart.bars:
            if not (bar.closed and bar.complete):
                continue
            truth = right.get(bar.open_time_us)
            if truth is None or not truth.trades:
                assert not bar.trades, (bar, world)
            else:
                assert bar[1:11] == shown(truth), (bar, world)
        market.close()

    asyncio.run(play())
