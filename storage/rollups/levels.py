"""
The rollup levels: one table of candles for each length, which the writer keeps in the transaction of the trades.

Each length divides the next, and all of them divide a UTC day, so a coarser candle is the sum of finer ones. They were
chosen by measuring the latest 1000 candles of a symbol with 30 trades/s: 5 s serves the intervals from 5s to 59s (from
the trades alone, 30s would take 690 ms), 1 min and 15 min serve those below an hour, 1 h and 1 d the rest.
"""

from __future__ import annotations

from typing import NamedTuple


class RollupLevel(NamedTuple):
    """One rollup table; its candles open at multiples of ``length_us`` since 1970-01-01T00:00Z."""

    table: str
    length_us: int


LEVELS = (
    RollupLevel("rollup_5s", 5_000_000),
    RollupLevel("rollup_1m", 60_000_000),
    RollupLevel("rollup_15m", 900_000_000),
    RollupLevel("rollup_1h", 3_600_000_000),
    RollupLevel("rollup_1d", 86_400_000_000),
)
"""Finest first."""
