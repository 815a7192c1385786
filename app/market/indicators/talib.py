"""TA-Lib, imported when the first indicator is computed: a chart without any starts without it."""

from __future__ import annotations

from functools import cache
from types import ModuleType


@cache
def talib() -> ModuleType:
    """Return the module. Its functions take float64 columns and give as long ones, NaN before their first value."""
    import talib as module

    return module
