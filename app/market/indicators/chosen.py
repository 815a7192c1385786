"""
Indicators as text: ``sma:20``, ``ema:50:hl2``, ``macd:12:26:9``, ``vwap:week``; and the names of their columns.

After the indicator's key come values of its parameters, in their order; those left out have their defaults.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from app.market.errors import UsageError
from app.market.indicators.catalogue import indicators
from app.market.indicators.definition import SOURCE, EntrySettings, Indicator, Parameter, Setting, Settings


class ChosenIndicator(NamedTuple):
    """An indicator with a value for every parameter."""

    indicator: Indicator
    settings: Settings

    @property
    def name(self) -> str:
        """Its key and the values of its parameters, as the names of its columns begin: ``macd_12_26_9``."""
        said = [self.indicator.key.replace("-", "_")]
        for one in self.indicator.parameters:
            value = self.settings[one.name]
            if one != SOURCE or value != one.default:
                said.append(f"{value:g}" if isinstance(value, float) else str(value))
        return "_".join(said)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of its columns, one for each output: ``sma_20``; ``macd_12_26_9``, ``macd_12_26_9_signal`` …"""
        base, outputs = self.name, self.indicator.outputs
        return tuple(
            base if len(outputs) == 1 or output.name == self.indicator.key else f"{base}_{output.name}"
            for output in outputs
        )


def text_of_indicators(chosen: Iterable[tuple[Indicator, EntrySettings]]) -> str:
    """Return the text that `read_indicators` reads as these; several values of a parameter are as many indicators."""
    said = list[str]()
    for indicator, settings in chosen:
        for each in indicator.calculations(settings):
            values = [(one, each[one.name]) for one in indicator.parameters]
            while values and values[-1][0] == SOURCE and values[-1][1] == SOURCE.default:
                values.pop()
            texts = (f"{value:g}" if isinstance(value, float) else str(value) for _, value in values)
            said.append(":".join([indicator.key, *texts]))
    return ", ".join(dict.fromkeys(said))


def read_indicators(text: str) -> tuple[ChosenIndicator, ...]:
    """
    Return the indicators that ``text`` names, with commas between them, each once.

    Raises:
        UsageError: If one is unknown, has too many values, or a value that is not allowed.
    """
    chosen = [_read(part.strip()) for part in text.split(",") if part.strip()]
    by_name = {one.columns: one for one in chosen}
    if not by_name:
        raise UsageError(f"“{text}” names no indicator: write it like sma:20,rsi:14.")
    return tuple(by_name.values())


def _read(text: str) -> ChosenIndicator:
    name, *values = (part.strip() for part in text.split(":"))
    known = {one.key: one for one in indicators()}
    found = known.get(name.lower()) or next((one for one in known.values() if one.name.lower() == name.lower()), None)
    if found is None:
        raise UsageError(f"“{name}” is not an indicator: choose one of {', '.join(known)}.")
    if len(values) > len(found.parameters):
        named = ":".join([found.key, *(one.name for one in found.parameters)])
        raise UsageError(f"“{text}” has too many values: write {named}.")
    given = {one.name: _value(one, value) for one, value in zip(found.parameters, values, strict=False)}
    return ChosenIndicator(found, found.checked(given))


def _value(parameter: Parameter, text: str) -> Setting:
    """Return the text as a value of the parameter's kind, or as it is, which is then refused."""
    if isinstance(parameter.default, str):
        return text.lower()
    try:
        return int(text) if isinstance(parameter.default, int) else float(text)
    except ValueError:
        return text
