"""
The rollup levels of quotes: one table of candles for each length, kept by the writer in the transaction of the ticks.

The lengths are those of trades (`storage.rollups.levels`). The finest one has a further use: a tick lies in a stored
candle of 5 s or is new, so that no tick need be looked for where no candle is.
"""

from __future__ import annotations

from storage.rollups.levels import LEVELS as TRADE_LEVELS
from storage.rollups.levels import RollupLevel

LEVELS = tuple(RollupLevel(f"quote_{level.table}", level.length_us) for level in TRADE_LEVELS)
"""Finest first."""

FINEST = LEVELS[0]
