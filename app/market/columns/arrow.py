"""Imports Arrow when the first columns are made, so that a window which exports nothing starts faster."""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def arrow() -> Any:
    """Return the pyarrow module."""
    import pyarrow

    return pyarrow


@cache
def arrow_compute() -> Any:
    """Return the pyarrow.compute module."""
    import pyarrow.compute

    return pyarrow.compute
