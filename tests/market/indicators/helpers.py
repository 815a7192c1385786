"""Series for indicators' tests: random walks, quickly made."""

from __future__ import annotations

import numpy as np

from app.market.indicators.values import IndicatorValues
from app.market.interval import Interval
from app.market.series.series import CandleSeries

MINUTE = Interval.parse("1m")
MIDNIGHT = MINUTE.slot(1_723_075_200_000_000)  # 2024-08-08


def walk(count: int, seed: int = 1, *, price: float = 60_000.0) -> dict[str, np.ndarray]:
    """The figures of that many candles of a random walk in hundredths, some of them without a trade."""
    random = np.random.default_rng(seed)
    close = np.round(price * np.exp(np.cumsum(random.standard_normal(count)) * 1e-3), 2)
    open_ = np.concatenate(([price], close[:-1]))
    reach = np.round(random.exponential(price * 1e-3, (2, count)), 2)
    volume = np.round(random.exponential(3.0, count), 5) * (random.random(count) > 0.05)
    taker = np.round(volume * random.random(count), 5)
    return {
        "open": open_,
        "high": np.maximum(open_, close) + reach[0],
        "low": np.minimum(open_, close) - reach[1],
        "close": close,
        "volume": volume,
        "quote_volume": volume * (open_ + close) / 2,
        "taker_buy_volume": taker,
        "taker_buy_quote_volume": taker * close,
        "trades": random.integers(1, 99, count),
    }


def series_of(
    figures: dict[str, np.ndarray], first_slot: int = MIDNIGHT, *, interval: Interval = MINUTE, begins: bool = True
) -> CandleSeries:
    series = CandleSeries("X", interval)
    slots = range(first_slot, first_slot + len(figures["close"]))
    opens = np.array([interval.slot_open_us(slot) for slot in slots], np.int64)
    series.replace_columns(opens, **figures)
    series.set_begins(begins=begins)
    return series


def last_of(figures: dict[str, np.ndarray], count: int) -> dict[str, np.ndarray]:
    return {name: column[len(column) - count :] for name, column in figures.items()}


def followed(values: IndicatorValues, series: CandleSeries) -> dict[str, np.ndarray]:
    """Return all outputs over the series, copied."""
    values.follow(series)
    return {output.name: values.column(output.name).copy() for output in values.indicator.outputs}
