"""
Folding trades into candles, against the slow and obvious way, and against the exchange's own figures.

`expected_candles` is the model: it groups trades by hand and asks of each candle what `finish` promises.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from decimal import Decimal

from hypothesis import assume, given
from hypothesis import strategies as st

from app.market.builder import CandleBuilder, finish, is_complete, lacks_nothing
from app.market.calendar.weekly import forex
from app.market.candle import Candle, CandleSource, combine, empty_candle
from app.market.coverage import IdRanges
from app.market.interval import SECOND_US, Interval
from app.market.trade import Trade
from tests.market.calendar.helpers import us
from tests.market.helpers import (
    FindData,
    archived_bars,
    candle_of,
    intervals,
    nine_values,
    recorded_trades,
    shuffled,
    trades,
)

MINUTE = Interval.parse("1m")
MINUTE_US = 60 * SECOND_US
START_US = 1_723_161_240_000_000


def build(interval: Interval, given_trades: list[Trade]) -> CandleBuilder:
    builder = CandleBuilder(interval)
    for trade in given_trades:
        builder.add(trade)
    return builder


def by_candle(interval: Interval, given_trades: list[Trade]) -> dict[int, list[Trade]]:
    grouped: defaultdict[int, list[Trade]] = defaultdict(list)
    for trade in given_trades:
        grouped[interval.open_time_us(trade.time_us)].append(trade)
    return dict(sorted(grouped.items()))


def held_of(given_trades: list[Trade]) -> IdRanges:
    return IdRanges((trade.trade_id, trade.trade_id) for trade in given_trades)


def trade_at(trade_id: int, second: float, price: int = 100, quantity: int = 1) -> Trade:
    return Trade("BTCUSDT", trade_id, START_US + round(second * SECOND_US), price, quantity, False)


@given(intervals, trades(), st.integers())
def test_any_order_of_arrival_gives_the_same_candles(interval: Interval, given_trades: list[Trade], seed: int) -> None:
    expected = [candle_of(open_us, group) for open_us, group in by_candle(interval, given_trades).items()]
    assert build(interval, shuffled(given_trades, seed)).candles() == expected
    assert build(interval, given_trades).candles() == expected


@given(intervals, trades(least=1), st.data())
def test_a_late_trade_changes_only_its_own_candle(
    interval: Interval, given_trades: list[Trade], data: st.DataObject
) -> None:
    late = data.draw(st.sampled_from(given_trades))
    builder = build(interval, [trade for trade in given_trades if trade is not late])
    before = {candle.open_time_us: candle for candle in builder.candles()}
    changed = builder.add(late)
    after = {candle.open_time_us: candle for candle in builder.candles()}
    assert changed == interval.open_time_us(late.time_us)
    assert {open_us: candle for open_us, candle in after.items() if open_us != changed} == {
        open_us: candle for open_us, candle in before.items() if open_us != changed
    }
    assert builder.candle(changed) == after[changed] == candle_of(changed, by_candle(interval, given_trades)[changed])


@given(trades(least=1), intervals, intervals)
def test_candles_of_a_shorter_interval_combine_to_those_of_a_longer(
    given_trades: list[Trade], one: Interval, other: Interval
) -> None:
    short, long = sorted((one, other), key=lambda interval: interval.length_us)
    assume(short.tiles(long))
    parts: defaultdict[int, list[Candle]] = defaultdict(list)
    for candle in build(short, given_trades).candles():
        parts[long.open_time_us(candle.open_time_us)].append(candle)
    assert [combine(open_us, group) for open_us, group in parts.items()] == build(long, given_trades).candles()


@given(trades(least=1), intervals, intervals, st.data())
def test_candles_of_a_shorter_interval_are_added_as_their_trades_would_be(
    given_trades: list[Trade], one: Interval, other: Interval, data: st.DataObject
) -> None:
    short, long = sorted((one, other), key=lambda interval: interval.length_us)
    assume(short.tiles(long))
    groups = by_candle(short, given_trades)
    whole = data.draw(st.sets(st.sampled_from(list(groups))))
    builder = build(long, [trade for trade in given_trades if short.open_time_us(trade.time_us) not in whole])
    changed = [builder.add_candle(candle_of(open_us, groups[open_us])) for open_us in whole]
    assert changed == [long.open_time_us(open_us) for open_us in whole]
    assert builder.candles() == build(long, given_trades).candles()


@given(trades(least=1), intervals, st.data())
def test_a_candle_joined_at_a_seed_is_the_whole(
    given_trades: list[Trade], interval: Interval, data: st.DataObject
) -> None:
    groups = by_candle(interval, given_trades)
    open_us = data.draw(st.sampled_from(list(groups)))
    group = groups[open_us]
    cut = data.draw(st.integers(0, len(group)))
    builder = build(interval, group[cut:])
    if cut:
        builder.seed(candle_of(open_us, group[:cut]))
    assert builder.candles() == [candle_of(open_us, group)]


def test_a_seed_may_come_before_the_trades_and_an_empty_one_changes_nothing() -> None:
    early, late = trade_at(1, 0, price=50), trade_at(2, 1, price=70)
    builder = CandleBuilder(MINUTE)
    builder.seed(candle_of(START_US, [early]))
    assert builder.candles() == [candle_of(START_US, [early])]
    builder.add(late)
    builder.seed(empty_candle(START_US, 5))
    assert builder.candles() == [candle_of(START_US, [early, late])]


def test_a_kline_seed_gives_a_mixed_candle_that_begins_with_its_figures() -> None:
    kline = candle_of(START_US, [trade_at(1, 0, price=50)])._replace(
        source=CandleSource.KLINE, first_trade_id=None, last_trade_id=None
    )
    builder = build(MINUTE, [trade_at(2, 1, price=70)])
    builder.seed(kline)
    candle = builder.candles()[0]
    assert (candle.open_e8, candle.high_e8, candle.low_e8, candle.close_e8, candle.trades) == (50, 70, 50, 70, 2)
    assert candle.source is CandleSource.MIXED
    assert candle.first_trade_id is None


def test_forgetting_bounds_memory_and_keeps_the_rest() -> None:
    builder = build(MINUTE, [trade_at(1, 0), trade_at(2, 60), trade_at(3, 120)])
    builder.forget_before(START_US + MINUTE_US)
    assert [candle.first_trade_id for candle in builder.candles()] == [2, 3]
    builder.forget_before(START_US + 10 * MINUTE_US)
    assert len(builder) == 0
    builder.add(trade_at(4, 125))
    assert [candle.trades for candle in builder.candles()] == [1]


def expected_candles(interval: Interval, given_trades: list[Trade], now_us: int | None) -> list[Candle]:
    """Return what `finish` promises, worked out by looking at each slot and id in turn."""
    groups = by_candle(interval, given_trades)
    ids = {trade.trade_id for trade in given_trades}
    expected: list[Candle] = []
    previous: Candle | None = None
    for open_us, group in groups.items():
        candle = candle_of(open_us, group)
        assert candle.first_trade_id is not None
        if previous is not None:
            assert previous.last_trade_id is not None
            if ids.issuperset(range(previous.last_trade_id, candle.first_trade_id)):
                expected += slots_between(interval, previous, open_us)
        ended = now_us is not None and interval.next_open_us(open_us) <= now_us
        closed = ended or any(later > open_us for later in groups)
        complete = closed and nothing_missing(candle, ids, watched=ended)
        expected.append(candle._replace(closed=closed, complete=complete))
        previous = candle
    if previous is not None and now_us is not None:
        current_us = interval.open_time_us(now_us)
        after = slots_between(interval, previous, current_us)
        if current_us > previous.open_time_us:
            after.append(empty_candle(current_us, previous.close_e8, closed=False, complete=False))
        expected += after
    return expected


def slots_between(interval: Interval, before: Candle, end_us: int) -> list[Candle]:
    empty = []
    open_us = interval.next_open_us(before.open_time_us)
    while open_us < end_us:
        empty.append(empty_candle(open_us, before.close_e8))
        open_us = interval.next_open_us(open_us)
    return empty


def nothing_missing(candle: Candle, ids: set[int], *, watched: bool) -> bool:
    """From the last trade of the candle before to the first of the one after; ``watched``: or to the newest of all."""
    first, last = candle.first_trade_id, candle.last_trade_id
    assert first is not None
    assert last is not None
    begins = first - 1 in ids or first <= 1
    ends = last + 1 in ids or (watched and last == max(ids))
    return begins and ends and ids.issuperset(range(first, last + 1))


long_enough = st.sampled_from([Interval.parse(name) for name in ("1h", "181m", "4h", "1d", "3d", "1w", "1M")])


@given(long_enough, trades(), st.sets(st.integers(0, 39), max_size=4), st.none() | st.integers(0, 10 * 86_400))
def test_finished_candles_are_what_the_rules_say(
    interval: Interval, given_trades: list[Trade], lost: set[int], later_s: int | None
) -> None:
    received = [trade for index, trade in enumerate(given_trades) if index not in lost]
    now_us = None
    if later_s is not None and received:
        now_us = received[-1].time_us + later_s * SECOND_US
    candles = build(interval, received).candles()
    assert finish(candles, interval, held_of(received), now_us=now_us) == expected_candles(interval, received, now_us)


@given(long_enough, trades(least=1))
def test_finished_candles_follow_without_a_hole_where_no_trade_is_missing(
    interval: Interval, given_trades: list[Trade]
) -> None:
    candles = finish(build(interval, given_trades).candles(), interval, held_of(given_trades))
    slots = [interval.slot(candle.open_time_us) for candle in candles]
    assert slots == list(range(slots[0], slots[-1] + 1))
    assert [candle.closed for candle in candles] == [True] * (len(candles) - 1) + [False]
    assert all(candle.complete for candle in candles[1:-1])
    assert not candles[-1].complete


def test_the_first_and_the_last_candle_of_a_recording_are_not_known_to_be_complete() -> None:
    received = [trade_at(5, 0), trade_at(6, 60), trade_at(7, 121.6)]
    candles = finish(build(MINUTE, received).candles(), MINUTE, held_of(received))
    assert [(candle.closed, candle.complete) for candle in candles] == [(True, False), (True, True), (False, False)]


def test_the_end_of_the_last_candle_is_seen_once_its_time_was_watched() -> None:
    candles = build(MINUTE, [trade_at(5, 0), trade_at(6, 61.6)]).candles()

    def complete(second: int) -> list[bool]:
        now_us = START_US + second * SECOND_US
        return [candle.complete for candle in finish(candles, MINUTE, IdRanges([(5, 6)]), now_us=now_us)]

    assert complete(119) == [False, False]
    assert complete(120) == [False, True, False]  # the empty one has just opened
    assert complete(200) == [False, True, True, False]


def test_a_lost_trade_at_the_end_is_not_outwatched() -> None:
    """Trade 7 was received and could not be stored, so the candle of trade 6 lacks it, or may."""
    candles = build(MINUTE, [trade_at(5, 0), trade_at(6, 61)]).candles()
    finished = finish(candles, MINUTE, IdRanges([(5, 6), (8, 8)]), now_us=START_US + 10 * MINUTE_US)
    assert not finished[1].complete


def test_the_first_trades_of_a_symbol_have_nothing_before_them() -> None:
    for first in (0, 1):
        received = [trade_at(first, 0), trade_at(first + 1, 60)]
        candles = finish(build(MINUTE, received).candles(), MINUTE, held_of(received))
        assert candles[0].complete


def test_an_open_candle_lacks_nothing_while_no_id_around_its_trades_is_missing() -> None:
    candle = build(MINUTE, [trade_at(5, 0), trade_at(6, 1)]).candles()[0]
    assert lacks_nothing(candle, IdRanges([(4, 6)]))
    assert lacks_nothing(candle, IdRanges([(4, 7)]))
    assert not lacks_nothing(candle, IdRanges([(5, 6)]))
    assert not lacks_nothing(candle, IdRanges([(4, 5)]))
    assert not lacks_nothing(candle, IdRanges([(4, 6), (8, 8)]))


def test_empty_candles_are_not_invented_where_trades_are_missing() -> None:
    received = [trade_at(5, 0), trade_at(9, 300)]
    candles = finish(build(MINUTE, received).candles(), MINUTE, held_of(received))
    assert [candle.open_time_us for candle in candles] == [START_US, START_US + 5 * MINUTE_US]
    assert [candle.complete for candle in candles] == [False, False]


def test_a_candle_closes_by_time_or_by_the_next_trade() -> None:
    candles = build(MINUTE, [trade_at(1, 0)]).candles()
    held = IdRanges([(1, 1)])

    def is_closed(now_us: int | None) -> bool:
        return finish(candles, MINUTE, held, now_us=now_us)[0].closed

    assert not is_closed(None)
    assert not is_closed(START_US + MINUTE_US - 1)
    assert is_closed(START_US + MINUTE_US)


def test_klines_keep_what_the_exchange_said_and_are_not_filled_between() -> None:
    kline = Candle(START_US, 5, 6, 4, 5, 1, 1, 1, 0, 0, complete=True, source=CandleSource.KLINE)
    later = kline._replace(open_time_us=START_US + 5 * MINUTE_US, complete=False)
    assert finish([kline, later], MINUTE, IdRanges()) == [kline, later._replace(closed=False)]
    assert is_complete(kline, IdRanges(), closed=True)
    assert not is_complete(later, IdRanges(), closed=True)


def test_the_recorded_minutes_equal_the_exchanges(shared_data: FindData) -> None:
    with open(shared_data("klines/derived_expected_1m_btcusdt_20240808_2354-0005.csv")) as file:
        rows = list(csv.reader(file))[1:]
    expected = {int(row[0]) * 1000: tuple(Decimal(value) for value in row[1:10]) for row in rows}
    official = [int(row[0]) * 1000 for row in rows if row[10] == "True"]
    recorded = recorded_trades(shared_data)
    candles = finish(build(MINUTE, recorded).candles(), MINUTE, held_of(recorded))
    assert {candle.open_time_us: nine_values(candle) for candle in candles} == expected
    complete = [candle.open_time_us for candle in candles if candle.complete]
    assert len(official) == 10
    assert complete[:10] == official


def test_the_recorded_five_minutes_equal_the_archives(shared_data: FindData) -> None:
    bars = archived_bars(shared_data("archive/BTCUSDT-5m-2024-08.csv.gz"))
    recorded = shuffled(recorded_trades(shared_data), seed=8)
    built = {candle.open_time_us: candle for candle in build(Interval.parse("5m"), recorded).candles()}
    for open_us in (1723161300000000, 1723161600000000):
        assert nine_values(built[open_us]) == bars[open_us]
    assert not any(nine_values(built[open_us]) == bars[open_us] for open_us in (min(built), max(built)))


def test_every_archived_bar_opens_where_ours_do_in_milliseconds_and_microseconds(shared_data: FindData) -> None:
    five = Interval.parse("5m")
    for month in ("2024-08", "2024-12", "2025-01"):
        opens = sorted(archived_bars(shared_data(f"archive/BTCUSDT-5m-{month}.csv.gz")))
        assert opens == [five.slot_open_us(five.slot(opens[0]) + index) for index in range(len(opens))]


def test_no_candle_is_invented_while_the_market_is_closed() -> None:
    friday, sunday = us("2014-05-02T20:57"), us("2014-05-04T21:00")
    received = [Trade("X", 5, friday, 100, 1, False), Trade("X", 6, sunday + 2 * MINUTE_US, 100, 1, False)]
    held = IdRanges([(4, 7)])
    minutes = finish(build(MINUTE, received).candles(), MINUTE, held, calendar=forex())
    opens = [candle.open_time_us for candle in minutes]
    assert opens == [friday + at * MINUTE_US for at in range(3)] + [sunday + at * MINUTE_US for at in range(3)]
    days = finish(build(Interval.parse("1d"), received).candles(), Interval.parse("1d"), held, calendar=forex())
    assert [candle.open_time_us for candle in days] == [us("2014-05-02"), us("2014-05-04")]  # no Saturday
    # On Saturday the last candle has ended, and none is open.
    saturday = finish(
        build(MINUTE, received[:1]).candles(), MINUTE, held, now_us=us("2014-05-03T12:00"), calendar=forex()
    )
    assert [candle.open_time_us for candle in saturday] == opens[:3]
    assert all(candle.closed for candle in saturday)
    on_sunday = finish(build(MINUTE, received[:1]).candles(), MINUTE, held, now_us=sunday + 1, calendar=forex())
    assert [(candle.open_time_us, candle.closed) for candle in on_sunday[2:]] == [(opens[2], True), (sunday, False)]
