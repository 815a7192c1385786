"""Imports TA-Lib when the first indicator is computed, so that a chart without indicators starts faster."""

from __future__ import annotations

from functools import cache
from types import ModuleType


@cache
def talib() -> ModuleType:
    """
    Return the TA-Lib module.

    Its functions take float64 columns and return columns of the same length, NaN before the first value.
    """
    import talib as library  # imports are absolute: this is the package, not the module you are reading

    return library
