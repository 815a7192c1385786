"""A live board: trades in id order, holes, repairs, and boards that are replaced while trades come."""

from __future__ import annotations

import asyncio
import random

from hypothesis import given
from hypothesis import strategies as st

from app.live.alerts.live_board import PATIENCE_S, LiveBoard
from app.market.alerts.alert import Alert, Firing, Repeat
from app.market.alerts.alert_board import AlertBoard
from app.market.alerts.language import read_rule
from app.market.alerts.stored_alert import StoredAlert
from app.market.coverage import IdRanges
from app.market.ports.alerts import CaughtUp
from app.market.trade import Trade
from tests.live.helpers import SYMBOL, trade

RULES = ("price crosses 100", "moves 1% in 5s", "volume > 1x average 1 of 5s", "ema:2 of 1s crosses sma:3")
NONE = IdRanges()


def market(count: int, seed: int = 1) -> list[Trade]:
    dice = random.Random(seed)
    return [trade(one, one * 0.7, dice.randrange(97, 104), dice.randrange(1, 9)) for one in range(1, count + 1)]


def judged(trades: list[Trade], last_id: int = 1 << 60) -> tuple[AlertBoard, list[Firing]]:
    """Return the board that judged these trades up to an id, and the firings."""
    board = AlertBoard(SYMBOL)
    for number, rule in enumerate(RULES):
        board.add(Alert(number, read_rule(rule), Repeat.EVERY))
    return board, [firing for one in trades if one.trade_id <= last_id for firing in board.judge(one)]


def caught_up(trades: list[Trade], last_id: int) -> CaughtUp:
    board, _ = judged(trades, last_id)
    alerts = [
        StoredAlert(number, SYMBOL, read_rule(rule), Repeat.EVERY, "", "", None, 0, 1, last_id)
        for number, rule in enumerate(RULES)
    ]
    return CaughtUp(board, alerts, last_id, frozenset(range(len(RULES))), [])


class Watched:
    """A live board that has taken over at ``last_id``, and what it announced."""

    def __init__(self, trades: list[Trade], last_id: int = 0) -> None:
        self.announced: list[Firing] = []
        self.board = LiveBoard(SYMBOL, lambda firing, alert: self.announced.append(firing))
        assert asyncio.run(self.board.take_over(caught_up(trades, last_id), past_hole=False))

    def give(self, *trades: Trade) -> None:
        for one in trades:
            self.board.add(one)

    def wait(self) -> None:
        self.board.pass_time(0.0, NONE)
        self.board.pass_time(PATIENCE_S, NONE)


def test_trades_are_judged_in_the_order_of_their_ids_whatever_their_arrival() -> None:
    trades = market(200)
    watched = Watched(trades)
    for first in range(0, 200, 10):
        block = trades[first : first + 10]
        random.Random(first).shuffle(block)
        watched.give(*block, block[0])
        watched.board.pass_time(first / 1_000, NONE)
    _, true = judged(trades)
    assert watched.announced == true
    run = watched.board.run()
    assert run is not None
    assert (run.after_id, run.last_id, run.firings) == (0, 200, true)
    watched.board.forget_until(150)
    run = watched.board.run()
    assert run is not None
    assert run.firings == [one for one in true if one.trade_id > 150]


def test_trades_beyond_a_hole_wait_for_the_repair_and_no_longer_than_that() -> None:
    trades = market(100)
    watched = Watched(trades)
    watched.give(*trades[:40], *trades[60:])
    watched.board.pass_time(0.0, NONE)
    watched.board.pass_time(PATIENCE_S - 0.1, NONE)
    assert {one.trade_id for one in watched.announced} <= set(range(1, 41))
    watched.board.pass_time(PATIENCE_S, NONE)
    assert max(one.trade_id for one in watched.announced) > 60
    assert (watched.board.is_proven, watched.board.proven_to) == (False, 40)
    watched.give(*trades[40:60])  # too late for this board
    assert not [one for one in watched.announced if 40 < one.trade_id <= 60]
    assert asyncio.run(watched.board.take_over(caught_up(trades, 80), past_hole=False))
    assert (watched.board.is_proven, watched.board.proven_to) == (True, 100)
    assert len(set(watched.announced)) == len(watched.announced)


def test_a_hole_of_absent_trades_is_passed_at_once() -> None:
    trades = market(100)
    there = trades[:40] + trades[60:]
    watched = Watched(trades)
    watched.give(*there)
    watched.board.pass_time(0.0, IdRanges([(41, 60)]))
    assert watched.announced == judged(there)[1]
    assert (watched.board.is_proven, watched.board.proven_to) == (True, 100)


def test_a_board_is_taken_over_only_where_no_trade_lies_between() -> None:
    trades = market(100)
    announced: list[Firing] = []
    board = LiveBoard(SYMBOL, lambda firing, alert: announced.append(firing))
    for one in trades[50:]:
        board.add(one)
    assert not board.has_board
    assert not asyncio.run(board.take_over(caught_up(trades, 49), past_hole=False))
    assert asyncio.run(board.take_over(caught_up(trades, 70), past_hole=False))
    assert announced == [one for one in judged(trades)[1] if one.trade_id > 70]
    assert board.proven_to == 100
    forced = LiveBoard(SYMBOL, lambda firing, alert: None)
    forced.add(trades[60])
    assert asyncio.run(forced.take_over(caught_up(trades, 50), past_hole=True))
    assert (forced.is_proven, forced.proven_to) == (False, 50)


def test_trades_that_come_while_a_board_is_taken_over_are_judged_once() -> None:
    trades = market(9_000)
    watched = Watched(trades)
    watched.give(*trades[:5_000])

    async def busy() -> None:
        taking = asyncio.ensure_future(watched.board.take_over(caught_up(trades, 100), past_hole=False))
        for one in trades[5_000:]:
            watched.board.add(one)
            if one.trade_id % 500 == 0:
                await asyncio.sleep(0)
        assert await taking

    asyncio.run(busy())
    assert watched.announced == judged(trades)[1]
    assert (watched.board.is_proven, watched.board.proven_to) == (True, 9_000)


def test_a_removed_alert_is_silent_and_an_expired_one_too() -> None:
    trades = market(100)
    watched = Watched(trades)
    watched.board.remove(0)
    watched.give(*trades)
    assert {one.alert_id for one in watched.announced} == {1, 2, 3}


@given(st.randoms(use_true_random=False), st.lists(st.integers(1, 120), max_size=4))
def test_what_a_board_calls_proven_is_true(dice: random.Random, replaced_at: list[int]) -> None:
    trades = market(120, seed=3)
    watched = Watched(trades)
    order = sorted(trades, key=lambda one: one.trade_id + dice.choice([0, 0, 0, 2.5, 9.5, 40.5]))
    replacing = set(replaced_at)
    for count, one in enumerate(order, start=1):
        watched.give(one)
        if dice.random() < 0.05:
            watched.wait()
        if count in replacing:
            held = IdRanges(sorted((each.trade_id, each.trade_id) for each in order[:count]))
            run = held.range_of(1)
            if run is not None:
                asyncio.run(watched.board.take_over(caught_up(trades, run[1]), past_hole=False))
    run = watched.board.run()
    assert run is not None
    true = [one for one in judged(trades)[1] if run.after_id < one.trade_id <= run.last_id]
    assert run.firings == true
    assert set(true) <= set(watched.announced)
