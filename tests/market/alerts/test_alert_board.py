"""Alerts of every kind, judged trade by trade and by a slow and obvious model."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.market.alerts.alert import (
    Alert,
    Direction,
    Firing,
    IndicatorCrosses,
    Pause,
    PriceCrosses,
    PriceInRange,
    PriceMoves,
    Repeat,
    Rule,
    VolumeExceeds,
)
from app.market.alerts.alert_board import AlertBoard
from app.market.alerts.language import read_rule
from app.market.builder import CandleBuilder, finish
from app.market.coverage import IdRanges
from app.market.indicators.chosen import ChosenIndicator, read_indicators
from app.market.indicators.values import IndicatorValues
from app.market.interval import Interval
from app.market.series.series import CandleSeries
from app.market.trade import Trade
from app.market.units import E8
from tests.depth import examples

M1 = Interval.parse("1m")
START_US = 1_700_000_000_000_000 // M1.length_us * M1.length_us
EMA_3, SMA_2 = read_indicators("ema:3, sma:2")


@st.composite
def market(draw: st.DrawFn, most: int = 60) -> list[Trade]:
    """Draw trades of a few prices, so that they often meet a level exactly, and of steps within and across minutes."""
    time_us, trades = START_US, []
    for trade_id in range(1, draw(st.integers(2, most)) + 1):
        time_us += draw(st.sampled_from([0, 1_000, 5_000_000, 30_000_000, 61_000_000, 200_000_000]))
        price = draw(st.integers(95, 105)) * E8
        trades.append(Trade("BTCUSDT", trade_id, time_us, price, draw(st.integers(1, 50)) * E8, draw(st.booleans())))
    return trades


prices = st.integers(94, 106).map(lambda price: price * E8)
directions = st.sampled_from([None, *Direction])
conditions = st.one_of(
    st.builds(PriceCrosses, prices, directions),
    st.builds(lambda low, width, enters: PriceInRange(low, low + width, enters), prices, prices, st.booleans()),
    st.builds(lambda low, enters: PriceInRange(low, low + 3 * E8, enters), prices, st.booleans()),
    st.builds(PriceMoves, st.integers(1, 8).map(lambda one: one * E8), st.sampled_from([60, 300]), directions).map(
        lambda one: PriceMoves(one.percent_e8, one.window_us * 1_000_000, one.direction)
    ),
    st.builds(VolumeExceeds, st.sampled_from([E8 // 2, E8, 2 * E8]), st.integers(1, 3)),
    st.builds(IndicatorCrosses, st.just(EMA_3), st.one_of(st.just(100.0), st.just(SMA_2)), directions),
)
rules = st.builds(Rule, conditions, st.sampled_from([M1, Interval.parse("3m")]))


def fired(trades: Sequence[Trade], *alerts: Alert) -> list[Firing]:
    board = AlertBoard("BTCUSDT")
    for alert in alerts:
        board.add(alert)
    return [firing for trade in trades for firing in board.judge(trade)]


def way(before: float, now: float, target: float, wanted: Direction | None) -> Direction | None:
    """Return the way from ``before`` to ``now`` if it crosses the target that way."""
    if before < target <= now and wanted is not Direction.DOWN:
        return Direction.UP
    if before > target >= now and wanted is not Direction.UP:
        return Direction.DOWN
    return None


def candles_until(trades: Sequence[Trade], interval: Interval) -> list[tuple[int, int]]:
    """Return (open time, volume) of the candles of these trades, empty ones too; the last is open."""
    builder = CandleBuilder(interval)
    for trade in trades:
        builder.add(trade)
    held = IdRanges([(trades[0].trade_id, trades[-1].trade_id)])
    return [(candle.open_time_us, candle.volume_e8) for candle in finish(builder.candles(), interval, held)]


def values_of(trades: Sequence[Trade], interval: Interval, chosen: ChosenIndicator) -> list[float]:
    """Return the indicator at the end of every candle of these trades that has ended."""
    builder = CandleBuilder(interval)
    for trade in trades:
        builder.add(trade)
    held = IdRanges([(trades[0].trade_id, trades[-1].trade_id)])
    series = CandleSeries("BTCUSDT", interval)
    series.replace(finish(builder.candles(), interval, held)[:-1])
    values = IndicatorValues(chosen.indicator, chosen.settings)
    values.follow(series)
    return [float(value) for value in values.column(chosen.indicator.outputs[0].name)]


def met(rule: Rule, trades: Sequence[Trade], index: int) -> Direction | None:
    """Return the way in which the trade at ``index`` meets the rule, looking at all the trades before it."""
    trade, before = trades[index], trades[index - 1] if index else None
    condition = rule.condition
    if before is None:
        return None
    if isinstance(condition, PriceCrosses):
        return way(before.price_e8, trade.price_e8, condition.price_e8, condition.direction)
    if isinstance(condition, PriceInRange):
        inside = [condition.low_e8 <= one.price_e8 <= condition.high_e8 for one in (before, trade)]
        if inside == [not condition.enters, condition.enters]:
            return Direction.UP if trade.price_e8 > before.price_e8 else Direction.DOWN
        return None
    if isinstance(condition, PriceMoves):
        return next(
            (
                direction
                for direction in Direction
                if condition.direction in (None, direction)
                and has_moved(condition, trades[: index + 1], direction)
                and not has_moved(condition, trades[:index], direction)
            ),
            None,
        )
    if isinstance(condition, VolumeExceeds):
        return Direction.UP if exceeds(rule, condition, trades, index) else None
    return indicator_crossed(rule.interval, condition, trades, index)


def has_moved(condition: PriceMoves, trades: Sequence[Trade], direction: Direction) -> bool:
    now = trades[-1]
    window = [one.price_e8 for one in trades if one.time_us >= now.time_us - condition.window_us]
    if direction is Direction.UP:
        return (now.price_e8 - min(window)) * 100 * E8 >= condition.percent_e8 * min(window)
    return (max(window) - now.price_e8) * 100 * E8 >= condition.percent_e8 * max(window)


def exceeds(rule: Rule, condition: VolumeExceeds, trades: Sequence[Trade], index: int) -> bool:
    def is_above(until: int) -> bool:
        *closed, (_, volume) = candles_until(trades[:until], rule.interval)
        last = [one for _, one in closed[-condition.candles :]]
        if len(last) < condition.candles:
            return False
        return volume * condition.candles * E8 > sum(last) * condition.multiple_e8

    slots = [rule.interval.slot(one.time_us) for one in trades[index - 1 : index + 1]]
    return is_above(index + 1) and (slots[0] != slots[1] or not is_above(index))


def indicator_crossed(
    interval: Interval, condition: IndicatorCrosses, trades: Sequence[Trade], index: int
) -> Direction | None:
    left = values_of(trades[: index + 1], interval, condition.indicator)
    target = condition.target
    right = [target] * len(left) if isinstance(target, float) else values_of(trades[: index + 1], interval, target)
    known = len(values_of(trades[:index], interval, condition.indicator))
    found = None
    for row in range(max(known, 1), len(left)):
        before, now = left[row - 1] - right[row - 1], left[row] - right[row]
        if not np.isnan(before) and not np.isnan(now):
            found = way(before, now, 0.0, condition.direction) or found
    return found


def modelled(trades: Sequence[Trade], alert: Alert) -> list[Firing]:
    firings, candles = list[Firing](), set[int]()
    for index, trade in enumerate(trades):
        direction = met(alert.rule, trades, index)
        slot = alert.rule.interval.slot(trade.time_us)
        if direction is None or (alert.repeat is Repeat.CANDLE and slot in candles):
            continue
        if any(pause.covers(trade.trade_id, trade.time_us) for pause in alert.pauses):
            continue
        candles.add(slot)
        firings.append(Firing(alert.alert_id, trade.trade_id, trade.time_us, trade.price_e8, direction))
        if alert.repeat is Repeat.ONCE:
            break
    return firings


@given(market(), rules, st.sampled_from(Repeat))
@settings(max_examples=examples(150), deadline=None)
def test_an_alert_fires_where_the_model_says(trades: list[Trade], rule: Rule, repeat: Repeat) -> None:
    alert = Alert(1, rule, repeat)
    assert fired(trades, alert) == modelled(trades, alert)


pauses = st.builds(
    Pause,
    st.integers(0, 40),
    st.none() | st.integers(0, 60),
    st.none() | st.integers(0, 2_000).map(lambda seconds: START_US + seconds * 1_000_000),
)


@given(market(), rules, st.sampled_from(Repeat), st.lists(pauses, max_size=3))
@settings(max_examples=examples(150), deadline=None)
def test_trades_within_a_pause_meet_nothing_and_end_nothing(
    trades: list[Trade], rule: Rule, repeat: Repeat, several: list[Pause]
) -> None:
    alert = Alert(1, rule, repeat, tuple(several))
    assert fired(trades, alert) == modelled(trades, alert)


def test_a_firing_says_why() -> None:
    def reasons(rule: str, *steps: tuple[int, int]) -> list[str]:
        trades = [
            Trade("BTCUSDT", number, START_US + second * 1_000_000, price * E8, 2 * E8, False)
            for number, (second, price) in enumerate(steps, start=1)
        ]
        return [one.reason for one in fired(trades, Alert(1, read_rule(rule), Repeat.EVERY))]

    assert reasons("price crosses 100", (0, 99), (1, 101)) == ["99, then 101"]
    assert reasons("price enters 90 to 100", (0, 102), (1, 95)) == ["102, then 95"]
    assert reasons("moves 2% in 5m", (0, 100), (60, 99), (180, 102)) == ["+3.03 % in 2 min"]
    assert reasons("moves down 2% in 5m", (0, 100), (180, 97)) == ["−3.00 % in 3 min"]
    volumes = reasons("volume > 1x average 2 of 1m", (0, 1), (60, 1), (121, 1), (122, 1))
    assert volumes == ["volume 4, 2.00 times the average"]
    assert reasons("sma:2 of 1m crosses up 6", (0, 4), (60, 4), (120, 9), (180, 9)) == ["sma_2 6.5 after 4"]
    crossed = reasons("ema:2 of 1m crosses sma:2", (0, 4), (60, 4), (120, 9), (180, 9), (240, 9))
    assert all("sma_2" in one for one in crossed)


@given(market(), st.lists(rules, min_size=2, max_size=6), st.sampled_from(Repeat))
@settings(max_examples=examples(40), deadline=None)
def test_many_alerts_fire_as_each_does_alone(trades: list[Trade], several: list[Rule], repeat: Repeat) -> None:
    alerts = [Alert(number, rule, repeat) for number, rule in enumerate(several)]
    alone = [firing for alert in alerts for firing in fired(trades, alert)]
    assert fired(trades, *alerts) == sorted(alone, key=lambda one: (one.trade_id, one.alert_id))


@given(market(), rules, st.data())
@settings(max_examples=examples(60), deadline=None)
def test_a_board_that_begins_later_and_was_warmed_up_fires_as_one_that_saw_all(
    trades: list[Trade], rule: Rule, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(trades) - 1))
    late = AlertBoard("BTCUSDT")
    late.add(Alert(1, rule, Repeat.EVERY))
    late.warm_up(trades[:at])
    expected = [one for one in fired(trades, Alert(1, rule, Repeat.EVERY)) if one.trade_id > at]
    assert [firing for trade in trades[at:] for firing in late.judge(trade)] == expected


def test_a_removed_alert_fires_no_more_and_the_others_do() -> None:
    trades = [
        Trade("BTCUSDT", number, START_US + number, price * E8, E8, True) for number, price in enumerate([1, 9, 1, 9])
    ]
    board = AlertBoard("BTCUSDT")
    for number in (1, 2):
        board.add(Alert(number, read_rule("price crosses up 5"), Repeat.EVERY))
    first = [firing.alert_id for trade in trades[:2] for firing in board.judge(trade)]
    board.discard(1)
    then = [firing.alert_id for trade in trades[2:] for firing in board.judge(trade)]
    assert (first, then, len(board), 1 in board) == ([1, 2], [2], 1, False)


def test_once_a_candle_regards_the_candle_of_a_firing_before_the_start() -> None:
    board = AlertBoard("BTCUSDT")
    alert = Alert(1, read_rule("price crosses up 5"), Repeat.CANDLE)
    board.add(alert, fired_in=M1.slot(START_US))
    prices = [(0, 1), (1, 9), (2, 1), (60_000_000, 9)]
    trades = [Trade("BTCUSDT", n, START_US + at, price * E8, E8, True) for n, (at, price) in enumerate(prices)]
    assert [firing.trade_id for trade in trades for firing in board.judge(trade)] == [3]


def test_candles_before_the_first_trade_count() -> None:
    trades = [Trade("BTCUSDT", n, START_US + n * 30_000_000, E8, 10 * E8, True) for n in range(9)]
    builder = CandleBuilder(M1)
    for trade in trades[:8]:
        builder.add(trade)
    board = AlertBoard("BTCUSDT")
    board.seed_candles(M1, builder.candles())
    board.add(Alert(1, read_rule("volume > 2x average 3 of 1m"), Repeat.EVERY))
    big = trades[8]._replace(quantity_e8=41 * E8)
    assert [firing.trade_id for firing in board.judge(big)] == [8]


@pytest.mark.parametrize("rule", ["price crosses 100.5", "moves 1% in 1m", "volume > 1x average 2 of 1m"])
def test_a_thousand_alerts_of_one_kind_fire_as_one(rule: str) -> None:
    rolls = random.Random(7)
    trades = [
        Trade("BTCUSDT", n, START_US + n * 7_000_000, rolls.randint(98, 103) * E8, rolls.randint(1, 9) * E8, True)
        for n in range(300)
    ]
    alone = fired(trades, Alert(0, read_rule(rule), Repeat.EVERY))
    together = fired(trades, *(Alert(number, read_rule(rule), Repeat.EVERY) for number in range(1000)))
    assert len(alone) > 5
    assert [one for one in together if one.alert_id == 0] == alone
    assert len(together) == 1000 * len(alone)


@given(market(), st.lists(rules, min_size=2, max_size=6), st.data())
@settings(max_examples=examples(60), deadline=None)
def test_joined_boards_fire_as_one(trades: list[Trade], several: list[Rule], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(trades)))
    alerts = [Alert(number, rule, data.draw(st.sampled_from(Repeat))) for number, rule in enumerate(several)]
    split = data.draw(st.integers(0, len(alerts)))
    boards = [AlertBoard("BTCUSDT"), AlertBoard("BTCUSDT"), AlertBoard("BTCUSDT")]
    for board, part in zip(boards, (alerts[:split], alerts[split:]), strict=False):
        for alert in part:
            board.add(alert)
    found = [firing for trade in trades[:at] for board in boards[:2] for firing in board.judge(trade)]
    joined = boards[2]
    for board in boards[:2]:
        joined.join(board)
    found += [firing for trade in trades[at:] for firing in joined.judge(trade)]
    assert sorted(found) == sorted(fired(trades, *alerts))
