"""
The rollups: for each of these lengths one table of candles, kept by the writer in the transaction of the trades.

Every level's slots divide those of the next, and all of them divide a UTC day, so a coarser candle is a sum of finer
ones. Chosen by measuring the latest 1000 candles of a symbol with 30 trades/s: 5 s serves 5s to 59s (from the trades
alone 30s would take 690 ms), 1 min and 15 min every interval below an hour, 1 h and 1 d the rest. An interval that no
coarse level divides, as 181m, takes coarse rows where they lie inside a candle and fine ones at its edges.
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
