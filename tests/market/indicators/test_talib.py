"""TA-Lib comes without the packages that it would load only to take their columns."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
import numpy as np
from app.market.indicators.talib import talib
assert talib().SMA(np.arange(5.0), 2)[-1] == 3.5
print(sorted(name for name in ("pandas", "polars") if name in sys.modules))
import importlib.util
print(importlib.util.find_spec("pandas") is not None)
"""


def test_neither_pandas_nor_polars_is_loaded_and_both_can_be_later() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    loaded, can_be = done.stdout.splitlines()
    assert loaded == "[]"
    assert can_be == "True"  # the development environment has pandas
