"""Trades for tests: strategies that make them, and the recorded ones."""

from __future__ import annotations

import csv
import gzip
import random
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec
from hypothesis import strategies as st

from app.market.candle import Candle
from app.market.interval import Interval
from app.market.trade import Trade
from app.market.units import parse_e8

FindData = Callable[[str], Path]

INTERVAL_NAMES = "1s 5s 15s 30s 90s 1m 3m 5m 10m 13m 15m 30m 1h 2h 4h 6h 8h 12h 181m 1d 3d 1w 1M 2M 12M".split()
INTERVAL_NAMES += "2m+1m 1h+5m 181m+90m 3d+1500m".split()
intervals = st.sampled_from([Interval.parse(name) for name in INTERVAL_NAMES])

# 2017-08-01 to 2033: the exchange opened in that August.
times_us = st.integers(1_501_545_600_000_000, 2_000_000_000_000_000)


@st.composite
def trades(draw: st.DrawFn, *, least: int = 0, most: int = 40) -> list[Trade]:
    """Draw trades of one symbol with consecutive ids and times that never fall, some at the same microsecond."""
    time_us = draw(times_us)
    made = []
    for trade_id in range(10, 10 + draw(st.integers(least, most))):
        time_us += draw(st.sampled_from([0, 0, 1, 400_000, 3_000_000, 61_000_000, 900_000_000, 90_000_000_000]))
        price, quantity = draw(st.integers(1, 10**14)), draw(st.integers(0, 10**12))
        made.append(Trade("BTCUSDT", trade_id, time_us, price, quantity, draw(st.booleans())))
    return made


def shuffled(values: list[Trade], seed: int) -> list[Trade]:
    """Return the trades in another order."""
    return random.Random(seed).sample(values, len(values))


def candle_of(open_time_us: int, trades: list[Trade], *, closed: bool = False) -> Candle:
    """Return the candle of the trades, worked out the slow and obvious way."""
    ordered = sorted(trades, key=lambda trade: trade.trade_id)
    prices = [trade.price_e8 for trade in ordered]
    taker_buys = [trade for trade in ordered if not trade.is_buyer_maker]
    return Candle(
        open_time_us=open_time_us,
        open_e8=prices[0],
        high_e8=max(prices),
        low_e8=min(prices),
        close_e8=prices[-1],
        volume_e8=sum(trade.quantity_e8 for trade in ordered),
        quote_volume_e16=sum(trade.price_e8 * trade.quantity_e8 for trade in ordered),
        trades=len(ordered),
        taker_buy_volume_e8=sum(trade.quantity_e8 for trade in taker_buys),
        taker_buy_quote_volume_e16=sum(trade.price_e8 * trade.quantity_e8 for trade in taker_buys),
        first_trade_id=ordered[0].trade_id,
        last_trade_id=ordered[-1].trade_id,
        closed=closed,
    )


def recorded_trades(shared_data: FindData) -> list[Trade]:
    """Return the recorded BTCUSDT trades, read without the program's own decoder."""
    made = []
    for day in ("08", "09"):
        with gzip.open(shared_data(f"ws_raw/examples_spot_btcusdt_202408{day}.gz")) as lines:
            for line in lines:
                if b'@trade"' in line:
                    event = msgspec.json.decode(line.split(b" ", 1)[1])["data"]
                    amounts = parse_e8(event["p"]), parse_e8(event["q"])
                    made.append(Trade(event["s"], event["t"], event["T"] * 1000, *amounts, event["m"]))
    return made


def archived_bars(path: Path) -> dict[int, tuple[Decimal, ...]]:
    """Return the nine values of each bar of an archive CSV by open time in microseconds."""
    bars = {}
    with gzip.open(path, "rt") as file:
        for row in csv.reader(file):
            open_time = int(row[0])
            values = tuple(Decimal(row[column]) for column in (1, 2, 3, 4, 5, 7, 8, 9, 10))
            bars[open_time if open_time > 10**15 else open_time * 1000] = values
    return bars


def nine_values(candle: Candle) -> tuple[Decimal, ...]:
    """Return the candle's values in the order and unit of an archive row."""
    amounts = (candle.open_e8, candle.high_e8, candle.low_e8, candle.close_e8, candle.volume_e8)
    return (
        *(Decimal(amount).scaleb(-8) for amount in amounts),
        Decimal(candle.quote_volume_e16).scaleb(-16),
        Decimal(candle.trades),
        Decimal(candle.taker_buy_volume_e8).scaleb(-8),
        Decimal(candle.taker_buy_quote_volume_e16).scaleb(-16),
    )
