"""Imports TA-Lib when the first indicator is computed, so that a chart without indicators starts faster."""

from __future__ import annotations

from functools import cache
from types import ModuleType


@cache
def talib() -> ModuleType:
    """Return the module. Its functions map float64 columns to as long ones, NaN before the first value."""
    import talib as module

    return module
