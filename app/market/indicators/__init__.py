"""
Indicators: registered functions over candles, computed block by block.

`definition` describes one, `catalogue` lists them all, `values` keeps one up to date with a series. To add one, write a
function and call `register`: docs/indicators.md shows how.
"""

from app.market.indicators import averages, oscillators, sessions  # noqa: F401  because importing them registers theirs
from app.market.indicators.catalogue import find, indicators, matching, register, unregister
from app.market.indicators.definition import (
    SOURCE,
    Bars,
    Indicator,
    Output,
    Parameter,
    Placement,
    Session,
    Settings,
    Shape,
    Unit,
)

__all__ = [
    "SOURCE",
    "Bars",
    "Indicator",
    "Output",
    "Parameter",
    "Placement",
    "Session",
    "Settings",
    "Shape",
    "Unit",
    "find",
    "indicators",
    "matching",
    "register",
    "unregister",
]
