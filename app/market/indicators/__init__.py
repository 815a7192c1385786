"""
Indicators: functions over candles, known by their registration, computed block by block.

`definition` says what one is, `catalogue` knows them all, `values` keeps one up to date with a series. Adding one is a
function and a call of `register`: docs/indicators.md shows it.
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
