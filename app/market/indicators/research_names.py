"""
Indicators as names of columns: ``rsi_14``, ``ema_50_hl2``, ``cvd``, ``macd``, ``bollinger_20_2p5``.

A name is the indicator's key and values of its parameters in their order, joined by underscores; those left out have
their defaults. A point in a number is written ``p``. The name that somebody chose is that of the column; an indicator
of several lines has a column for each: ``macd``, ``macd_signal``, ``macd_histogram``.
"""

from __future__ import annotations

from typing import NamedTuple

from app.market.errors import UsageError
from app.market.indicators.catalogue import indicators
from app.market.indicators.chosen import ChosenIndicator, read_indicators

_LONGEST = 40  # PostgreSQL's names have 63 bytes at most; lines of an indicator add theirs
_TAKEN = {"vwap": "vwap_day, vwap_week or vwap_month"}


class NamedIndicator(NamedTuple):
    """An indicator with its parameters under the name of its column."""

    name: str
    chosen: ChosenIndicator

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of its columns, one for each output."""
        indicator = self.chosen.indicator
        return tuple(
            self.name if len(indicator.outputs) == 1 or output.name == indicator.key else f"{self.name}_{output.name}"
            for output in indicator.outputs
        )


def named_indicators(text: str) -> tuple[NamedIndicator, ...]:
    """
    Return the indicators that ``text`` names, with commas between them, each name once.

    Raises:
        UsageError: If one is unknown, has too many values, one that is not allowed, or a name that is taken.
    """
    found = {one.name: one for one in map(_named, filter(str.strip, text.split(",")))}
    if not found:
        raise UsageError(f"“{text[:40]}” names no indicator: write names like rsi_14,atr_14,cvd.")
    columns = [column for one in found.values() for column in one.columns]
    if twice := next((column for column in columns if columns.count(column) > 1), None):
        raise UsageError(f"Two of these indicators have a column {twice}: leave one out.")
    return tuple(found.values())


def _named(text: str) -> NamedIndicator:
    name = text.strip().lower().replace(":", "_").replace("-", "_").replace(".", "p")
    keys = [one.key for one in indicators()]
    said = ", ".join(key.replace("-", "_") for key in keys)
    matching = [key for key in keys if f"{name}_".startswith(f"{key.replace('-', '_')}_")]
    if not matching:
        raise UsageError(
            f"“{text.strip()[:40]}” is not an indicator: choose one of {said}, with its numbers as in rsi_14."
        )
    if name in _TAKEN:
        raise UsageError(f"Every table has a column {name} already: write {_TAKEN[name]} for that of a session.")
    if len(name) > _LONGEST:
        raise UsageError(f"“{name[:40]}…” is too long for a column: write fewer digits.")
    key = max(matching, key=len)
    values = list(filter(None, name[len(key) :].split("_")))
    # Only numbers have a point: no price and no session is written with a p between digits.
    values = [one.replace("p", ".") if one.replace("p", "").isdigit() else one for one in values]
    return NamedIndicator(name, read_indicators(":".join([key, *values]))[0])
