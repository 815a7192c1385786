"""
What alerts cost: a board of a thousand at 20,000 trades/s, as a share of one core, and the way to the announcement.

The live path is measured as the recorder calls it. The announcement is made within that call, so it comes as soon after
the frame's arrival as the trade reaches the chart.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
import uuid

from app.live.alerts.live_board import LiveBoard
from app.market.alerts.alert import Alert, Repeat
from app.market.alerts.alert_board import AlertBoard
from app.market.alerts.language import read_rule
from app.market.alerts.stored_alert import StoredAlert
from app.market.ports.alerts import CaughtUp
from app.market.trade import Trade
from app.market.units import E8

ALERTS = 1_000
RATE = 20_000
TRADES = 100_000
SYMBOL = "BTCUSDT"
START_US = 1_700_000_000_000_000


def market() -> list[Trade]:
    dice, price, trades = random.Random(1), 60_000 * E8, list[Trade]()
    for trade_id in range(1, TRADES + 1):
        price += dice.choice([0, 0, 0, 1, -1]) * E8 // 100
        trades.append(Trade(SYMBOL, trade_id, START_US + trade_id * 50, price, E8, dice.random() < 0.5))
    return trades


def drawn(price: int, number: int) -> str:
    """A rising line, or every second time a path by hand of 200 points, over the time of the market."""
    step_us = TRADES * 50 // 200
    if number % 2:
        return f"{price}@{START_US},{price + 1}@{START_US + TRADES * 50},,"
    return ">".join(f"{price + at % 2}@{START_US + at * step_us}" for at in range(201))


def rules_of(kind: str) -> list[str]:
    rules = {
        "price": [f"price crosses {59_000 + 2 * number}" for number in range(ALERTS)],
        "moves": [f"moves {0.01 * (number + 1):.2f}% in 5m" for number in range(ALERTS)],
        "volume": [f"volume > {number + 2}x average 20 of 1m" for number in range(ALERTS)],
        "drawing": [
            f"price crosses drawing {uuid.UUID(int=number)} along {drawn(59_000 + 2 * number, number)}"
            for number in range(ALERTS)
        ],
        "indicator": [f"rsi:14 of 1m crosses up {number * 100 / ALERTS:.1f}" for number in range(ALERTS)],
    }
    if kind in rules:
        return rules[kind]
    parts = [each for name, each in rules.items() if name != "drawing"]  # which are measured by themselves
    return [rule for each in parts for rule in each[:: len(parts)]]


def live_board(rules: list[str], announced: list[float]) -> LiveBoard:
    board, alerts = AlertBoard(SYMBOL), list[StoredAlert]()
    for number, text in enumerate(rules):
        rule = read_rule(text)
        board.add(Alert(number, rule, Repeat.EVERY))
        alerts.append(StoredAlert(number, SYMBOL, rule, Repeat.EVERY, "", "", None, 0, 1, 0))
    live = LiveBoard(SYMBOL, lambda firing, alert: announced.append(time.perf_counter()))
    asyncio.run(live.take_over(CaughtUp(board, alerts, 0, frozenset(range(len(rules))), []), past_hole=False))
    return live


def main() -> None:
    logging.disable()
    trades = market()
    for kind in ("price", "moves", "volume", "drawing", "indicator", "mixed"):
        announced = list[float]()
        live = live_board(rules_of(kind), announced)
        began = time.process_time()
        for number, trade in enumerate(trades):
            live.add(trade)
            if number % RATE == 0:
                live.forget_until(trade.trade_id)
        took_s = time.process_time() - began
        print(
            f"{ALERTS} alerts, {kind}: {took_s / TRADES * 1e6:.2f} µs a trade, {took_s / TRADES * RATE:.1%} of a core "
            f"at {RATE:,} trades/s; {len(announced):,} firings"
        )
        took = list[float]()
        live = live_board(rules_of(kind), announced)
        for trade in trades:
            began = time.perf_counter()
            live.add(trade)
            took.append(time.perf_counter() - began)
        took.sort()
        p99_ms, most_ms = took[TRADES * 99 // 100] * 1e3, took[-1] * 1e3
        print(f"    from the trade to the announcement: p99 {p99_ms:.3f} ms, at most {most_ms:.1f} ms")


if __name__ == "__main__":
    main()
