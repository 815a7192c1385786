"""An export of any range delivers each candle that is to be had, and names each that is not, and why."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.live.charts.candle_history import CandleHistory
from app.live.transfers import exchange_patience
from app.live.transfers.candle_transfer import CandleTransfer, TransferProgress
from app.live.transfers.report import TransferReport
from app.market.candle import Candle, CandleSource
from app.market.candle_request import CandleRequest
from app.market.columns.candle_columns import candles_of
from app.market.errors import FeedBanned, FeedError, StoreUnavailable, UnknownSymbol, UsageError
from app.market.interval import SECOND_US, Interval
from app.market.trade import Trade
from tests.live.databases import FakeStore
from tests.live.helpers import START_US, SYMBOL, FakeExchange, HandClock, away, figures, folded, trade

MINUTE = Interval.parse("1m")
MINUTE_US = MINUTE.length_us
INTERVALS = [Interval.parse(name) for name in ("1s", "5s", "1m", "7m", "1h", "1M")]


class Kept:
    """A file in memory."""

    def __init__(self) -> None:
        self.candles: list[Candle] = []
        self.name = ""
        self.facts: Mapping[str, object] = {}
        self.is_discarded = False

    def write(self, rows: Any) -> None:
        candles = candles_of(rows)
        assert not self.candles or not candles or self.candles[-1].open_time_us < candles[0].open_time_us
        self.candles += candles

    def finish(self, name: str, facts: Mapping[str, object]) -> Path | None:
        self.name, self.facts = name, facts
        return None

    def discard(self) -> None:
        self.is_discarded = True


class World:
    """An exchange with trades, a store with some of them, and a clock."""

    def __init__(self, trades: Sequence[Trade], stored: Sequence[Trade], now_us: int) -> None:
        self.clock = HandClock(now_us)
        self.exchange = FakeExchange(trades, self.clock)
        self.store = FakeStore(stored)
        self.progress: list[TransferProgress] = []

    def transfer(self, request: CandleRequest) -> tuple[Kept, TransferReport]:
        async def run() -> tuple[Kept, TransferReport]:
            file, history = Kept(), CandleHistory(self.exchange, self.store)
            transfer = CandleTransfer(request, history, self.store, self.clock, self.progress.append)
            outcome = await transfer.run(file, "1.2.3")
            return file, outcome.report

        return asyncio.run(run())


def request(
    minutes: tuple[float, float], interval: Interval = MINUTE, *, fetch: bool = True, include_open: bool = False
) -> CandleRequest:
    start_us, end_us = (START_US + round(one * MINUTE_US) for one in minutes)
    return CandleRequest(SYMBOL, interval, start_us, end_us, fetch, include_open)


def spans(report: TransferReport) -> list[tuple[float, float]]:
    """The missing times as minutes after START_US."""
    return [((start - START_US) / MINUTE_US, (end - START_US) / MINUTE_US) for start, end in report.missing]


def ten_minutes() -> list[Trade]:
    """A trade every ten seconds."""
    return [trade(number, number * 10) for number in range(1, 61)]


@st.composite
def worlds(draw: st.DrawFn) -> tuple[World, CandleRequest]:
    steps = draw(st.lists(st.sampled_from([0, 1, 1, 5, 40, 60, 200, 2_000]), min_size=1, max_size=40))
    seconds, trades = draw(st.integers(0, 5_000)), []
    for number, step in enumerate(steps, 1):
        seconds += step
        trades.append(trade(number, seconds, price=100 + number % 7))
    stored = [one for one in trades if draw(st.sampled_from([True, True, True, False]))]
    start_s, length_s = draw(st.integers(-5_000, 9_000)), draw(st.integers(1, 9_000))
    interval = draw(st.sampled_from(INTERVALS))
    now_us = START_US + draw(st.integers(0, 20_000)) * SECOND_US
    asked = CandleRequest(
        SYMBOL,
        interval,
        START_US + start_s * SECOND_US,
        START_US + (start_s + length_s) * SECOND_US,
        draw(st.booleans()),
        draw(st.booleans()),
    )
    known = [one for one in stored if one.time_us <= now_us]
    return World(trades, known, now_us), asked


@given(worlds())
def test_each_candle_of_the_range_is_in_the_file_or_named_as_missing(drawn: tuple[World, CandleRequest]) -> None:
    world, asked = drawn
    interval = asked.interval
    if not asked.slots:
        with pytest.raises(UsageError):
            world.transfer(asked)
        return
    before = {one.open_time_us: one for one in folded(world.store.stored.values(), interval)}
    file, report = world.transfer(asked)
    rows = {candle.open_time_us: candle for candle in file.candles}
    published = {one.open_time_us: one for one in asyncio.run(_all_klines(world, interval, asked)) if asked.fetch}
    now_us = world.clock.now_us()
    missing = []
    for slot in asked.slots:
        open_us, end_us = interval.slot_open_us(slot), interval.slot_open_us(slot + 1)
        stored, kline, row = before.get(open_us), published.get(open_us), rows.pop(open_us, None)
        whole = [one for one in (stored, kline) if one is not None and one.closed and one.complete]
        if whole:
            assert row is not None
            assert figures(row) == figures(whole[0])
            assert (row.closed, row.complete) == (True, True)
        elif row is not None:
            assert not row.complete
            assert row.closed or asked.include_open
        if not whole and not (row is not None and end_us > now_us):
            missing.append((open_us, end_us))
    assert rows == {}
    assert [span for span in missing if not any(a <= span[0] and span[1] <= b for a, b in report.missing)] == []
    assert sum(b - a for a, b in missing) == sum(b - a for a, b in report.missing)
    assert report.missing_candles == len(missing)
    assert report.rows == len(file.candles)
    assert report.complete == (not missing) == (not report.lack)
    assert file.facts == report.facts("1.2.3")
    json.dumps(file.facts)


async def _all_klines(world: World, interval: Interval, asked: CandleRequest) -> list[Candle]:
    """What the exchange has of the range, an interval that it does not offer folded from its trades."""
    known = [one for one in world.exchange.known() if one.time_us <= world.clock.now_us()]
    if not known:
        return []
    trades = [one._replace(trade_id=number) for number, one in enumerate(known, 1)]
    candles = folded(trades, interval, now_us=world.clock.now_us())
    return [one._replace(source=CandleSource.KLINE) for one in candles if one.closed]


def test_what_is_not_stored_is_fetched_once_and_stored() -> None:
    world = World(ten_minutes(), ten_minutes()[:25], START_US + 3_600 * SECOND_US)
    file, report = world.transfer(request((1, 9)))
    assert report.complete
    assert [candle.source for candle in file.candles] == [CandleSource.TRADES] * 3 + [CandleSource.KLINE] * 5
    assert report.source is CandleSource.MIXED
    assert world.progress[0] == (0, 8, "")
    assert world.progress[-1] == (8, 8, "")
    asked = len(world.exchange.kline_calls)
    again, _ = world.transfer(request((1, 9)))
    assert again.candles == file.candles
    assert len(world.exchange.kline_calls) == asked
    assert file.name == "BTCUSDT-1m-20240809T0001-20240809T0009.csv"


def test_what_is_only_stored_names_the_first_minute_missing_and_how_many() -> None:
    stored = [one for one in ten_minutes() if not 20 <= one.trade_id <= 31]
    world = World(ten_minutes(), stored, START_US + 3_600 * SECOND_US)
    file, report = world.transfer(request((1, 8), fetch=False))
    assert world.exchange.kline_calls == []
    # The minutes 3 and 5 are there, without all of their trades.
    assert [candle.complete for candle in file.candles] == [True, True, False, False, True, True]
    assert spans(report) == [(3, 6)]
    assert report.lack.startswith("3 of 7 candles are missing; the first is 2024-08-09T00:03. Not stored")
    assert report.facts("1")["missing"] == [["2024-08-09T00:03:00Z", "2024-08-09T00:06:00Z"]]


@pytest.mark.parametrize(
    ("failure", "longest_s"),
    [
        (away(), 40),
        (FeedBanned("Banned.", retry_after_s=3_600), 0),
        (FeedBanned("Asked too fast.", retry_after_s=45), 60),
        (UnknownSymbol(SYMBOL), 0),
    ],
)
def test_an_exchange_that_does_not_answer_is_given_up_and_the_stored_candles_are_written(
    failure: FeedError, longest_s: float
) -> None:
    world = World(ten_minutes(), ten_minutes()[:25], START_US + 3_600 * SECOND_US)
    world.exchange.failure = failure
    file, report = world.transfer(request((1, 9)))
    assert sum(world.clock.slept) <= longest_s
    assert len(file.candles) == 3
    assert spans(report) == [(4, 9)]
    assert str(failure).rstrip(".") in report.lack


def test_an_exchange_that_comes_back_in_time_is_asked_on() -> None:
    world = World(ten_minutes(), [], START_US + 3_600 * SECOND_US)
    world.exchange.failure = away()

    def back(seconds: float) -> None:
        assert seconds == exchange_patience.PROBE_S
        if len(world.clock.slept) == 3:
            world.exchange.failure = None

    world.clock.on_sleep = back
    _, report = world.transfer(request((1, 9)))
    assert report.complete
    assert [one.waits_because for one in world.progress].count(str(away())) == 3


def test_what_lies_before_the_listing_or_in_the_future_is_missing_for_that_reason() -> None:
    world = World(ten_minutes(), [], START_US + 5 * MINUTE_US + 1)
    file, report = world.transfer(request((-100_000, 7)))
    assert report.given == (START_US, START_US + 5 * MINUTE_US)
    assert spans(report) == [(-100_000, 0), (5, 7)]
    assert f"{SYMBOL} is traded since 2024-08-09T00:00 (100,000). Not over yet (2)." in report.lack
    assert len(world.exchange.kline_calls) < 10
    assert len(file.candles) == 5


def test_nothing_at_all_is_a_file_without_rows() -> None:
    world = World([], [], START_US + 3_600 * SECOND_US)
    file, report = world.transfer(request((0, 5)))
    assert (file.candles, report.given, report.source, report.rows) == ([], None, None, 0)
    assert report.lack == ("5 of 5 candles are missing; the first is 2024-08-09T00:00. BTCUSDT is not traded yet.")
    assert file.name == "BTCUSDT-1m-20240809-20240809T0005.csv"


def test_the_open_candle_and_one_cut_off_come_only_where_they_are_asked_for() -> None:
    world = World(ten_minutes(), ten_minutes()[:25], START_US + 4 * MINUTE_US + 15 * SECOND_US)
    file, report = world.transfer(request((1, 4.25)))
    assert [one.closed for one in file.candles] == [True] * 3
    assert report.complete
    file, report = world.transfer(request((1, 4.25), include_open=True))
    assert [one.closed for one in file.candles] == [True] * 3 + [False]
    assert report.complete
    file, report = world.transfer(request((1, 2.5), include_open=True))
    assert [one.closed for one in file.candles] == [True] * 2


def test_the_candle_in_which_a_recording_stopped_is_missing_long_after_its_end() -> None:
    world = World(ten_minutes(), ten_minutes()[:25], START_US + 3_600 * SECOND_US)
    for include_open, rows in ((False, 3), (True, 4)):
        file, report = world.transfer(request((1, 5), fetch=False, include_open=include_open))
        assert len(file.candles) == rows
        assert spans(report) == [(4, 5)]


def test_a_long_range_is_fetched_in_windows_of_four_answers() -> None:
    world = World([trade(1, 0), trade(2, 20_000)], [], START_US + 30_000 * SECOND_US)
    file, report = world.transfer(request((0, 333), Interval.parse("1s")))
    assert report.complete
    assert len(file.candles) == 333 * 60
    assert [one.done for one in world.progress if not one.waits_because][-1] == 333 * 60
    assert len({one.done for one in world.progress}) >= 5


def bare_world(first: int, last: int) -> World:
    """Ten minutes of trades on the exchange; of these minutes a file brought prices and volume, the others none."""
    world = World(ten_minutes(), [], START_US + 3_600 * SECOND_US)
    opens = [START_US + minute * MINUTE_US for minute in range(first, last)]
    world.store.save_klines(
        SYMBOL, MINUTE, [Candle(at, 7, 9, 5, 8, 3, 0, 1, 0, 0, source=CandleSource.KLINE) for at in opens]
    )
    return world


def test_candles_of_prices_and_volume_alone_are_replaced_by_the_exchanges_and_asked_for_once() -> None:
    world = bare_world(0, 10)
    for most in (2, 0):
        before = len(world.exchange.kline_calls)
        file, report = world.transfer(request((1, 9)))
        assert report.complete
        assert [figures(one) for one in file.candles] == [
            figures(one) for one in folded(ten_minutes(), MINUTE) if 1 <= (one.open_time_us - START_US) / MINUTE_US < 9
        ]
        assert len(world.exchange.kline_calls) - before <= most


@pytest.mark.parametrize("failure", [away(), UnknownSymbol(SYMBOL)])
def test_candles_of_prices_and_volume_alone_are_given_where_the_exchange_gives_no_better(failure: FeedError) -> None:
    world = bare_world(0, 10)
    world.exchange.failure = failure
    file, report = world.transfer(request((1, 9)))
    assert (report.lack, len(file.candles), {one.high_e8 for one in file.candles}) == ("", 8, {9})


def test_candles_of_prices_and_volume_alone_are_given_as_they_are_if_nothing_is_to_be_fetched() -> None:
    world = bare_world(0, 10)
    file, report = world.transfer(request((1, 9), fetch=False))
    assert (report.complete, len(file.candles), world.exchange.kline_calls) == (True, 8, [])


def test_imported_candles_from_before_the_listing_are_given() -> None:
    world = bare_world(-20_000, -10_000)
    file, report = world.transfer(request((-30_000, 5)))
    assert [one.high_e8 == 9 for one in file.candles] == [True] * 10_000 + [False] * 5
    assert spans(report) == [(-30_000, -20_000), (-10_000, 0)]
    assert f"{SYMBOL} is traded since 2024-08-09T00:00." in report.lack
    assert len(world.exchange.kline_calls) < 20
    before = len(world.exchange.kline_calls)
    world.transfer(request((-20_000, -10_000)))
    assert len(world.exchange.kline_calls) - before < 3


def test_a_database_that_fails_leaves_no_file() -> None:
    world = World(ten_minutes(), ten_minutes(), START_US + 3_600 * SECOND_US)
    world.store.failure = StoreUnavailable("The database went away.")
    for fetch in (True, False):
        with pytest.raises(StoreUnavailable):
            world.transfer(request((1, 9), fetch=fetch))


def test_a_cancelled_export_waits_for_the_file_and_discards_it() -> None:
    async def run() -> None:
        world = World(ten_minutes(), ten_minutes(), START_US + 3_600 * SECOND_US)
        file, history = Kept(), CandleHistory(world.exchange, world.store)
        transfer = CandleTransfer(request((1, 9)), history, world.store, world.clock)
        running = asyncio.ensure_future(transfer.run(file, "1"))
        for _ in range(3):
            await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert file.is_discarded
        assert file.name == ""

    asyncio.run(run())
