"""
The trades of a soak: a pure function of the seed, so that whoever records them and whoever checks them agree.

They come in rounds. Within a round they are shuffled, some come twice, and some are of much earlier rounds; one in ten
comes up to three rounds late, and some ids never come. No trade of the last `SAFE_ROUNDS` is repeated: a repeat would
hide that it had been lost.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import lru_cache

from app.market.trade import Trade

SAFE_ROUNDS = 50
LATEST = 3
_BLOCK = 100
_START_US = 1_725_100_000_000_000  # 2024-08-31T10:26:40Z: a month ends soon
_STEPS_US = {"BTCUSDT": 40_000, "ETHUSDT": 900_000, "ADAUSDT": 60_000_000}


def trades_of_round(seed: int, number: int) -> list[Trade]:
    """Return what is put in that round, in the order it is put; rounds count from 0."""
    dice = random.Random(f"{seed} round {number}")
    trades = [
        trade
        for symbol in _STEPS_US
        for late in range(min(LATEST, number) + 1)
        for trade in _block(seed, symbol, number - late)[late]
    ]
    trades += dice.sample(trades, len(trades) // 50)
    if number > SAFE_ROUNDS:
        earlier = dice.randrange(number - SAFE_ROUNDS)
        trades += dice.sample(distinct_of_round(seed, earlier), 10)
    dice.shuffle(trades)
    return trades


def distinct_of_round(seed: int, number: int) -> list[Trade]:
    """Return the trades that round brings for the first time, without a repeat."""
    return [
        trade
        for symbol in _STEPS_US
        for late in range(min(LATEST, number) + 1)
        for trade in _block(seed, symbol, number - late)[late]
    ]


def all_of(seed: int, rounds: int) -> Iterator[Trade]:
    """Yield every trade of the first ``rounds`` once, by symbol and rising id."""
    for symbol in sorted(_STEPS_US):
        for number in range(rounds):
            come = [
                trade
                for late in range(LATEST + 1)
                if number + late < rounds
                for trade in _block(seed, symbol, number)[late]
            ]
            yield from sorted(come)


@lru_cache(maxsize=32)
def _block(seed: int, symbol: str, number: int) -> tuple[list[Trade], ...]:
    """The trades of one block of ids, by how many rounds late they come."""
    dice = random.Random(f"{seed} {symbol} {number}")
    by_delay: tuple[list[Trade], ...] = tuple([] for _ in range(LATEST + 1))
    for trade_id in range(1 + number * _BLOCK, 1 + (number + 1) * _BLOCK):
        time_us = _START_US + trade_id * _STEPS_US[symbol] + dice.randrange(_STEPS_US[symbol])
        trade = Trade(
            symbol, trade_id, time_us, dice.randrange(1, 10**13), dice.randrange(1, 10**12), dice.random() < 0.5
        )
        if dice.random() >= 0.01:
            by_delay[0 if dice.random() < 0.9 else dice.randint(1, LATEST)].append(trade)
    return by_delay
