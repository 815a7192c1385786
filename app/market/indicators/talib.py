"""Imports TA-Lib when the first indicator is computed, so that a chart without indicators starts faster."""

from __future__ import annotations

import sys
from functools import cache
from types import ModuleType


@cache
def talib() -> ModuleType:
    """
    Return the TA-Lib module.

    Its functions take float64 columns and return columns of the same length, NaN before the first value.
    """
    # Where pandas or polars are installed it would load them, to take their columns as well: half a second and 55 MB.
    left_out = [name for name in ("pandas", "polars") if name not in sys.modules]
    for name in left_out:
        sys.modules[name] = None  # type: ignore[assignment]  # because that is how Python says: not to be found
    try:
        import talib as library  # imports are absolute: this is the package, not the module you are reading
    finally:
        for name in left_out:
            del sys.modules[name]
    return library
