"""
What an indicator is: a function over columns of candles, and what has to be known about it.

A definition says how it is called, what can be set, how far back a value depends on candles and how it is drawn; when
to compute what is `values`' business, and painting the widgets'. Definitions are values and know no series.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.market.errors import UsageError

Values = NDArray[np.float64]
Setting = int | float | str
Settings = Mapping[str, Setting]

SOURCES = ("close", "open", "high", "low", "hl2", "hlc3", "ohlc4")


@dataclass(frozen=True, slots=True)
class Bars:
    """
    Successive candles as columns, oldest first, no slot left out; amounts in whole units of the assets, no NaN.

    The last may be unfinished and any incomplete: they count as they are.
    """

    open_time_us: NDArray[np.int64]
    open: Values
    high: Values
    low: Values
    close: Values
    volume: Values
    quote_volume: Values
    trades: NDArray[np.int64]
    taker_buy_volume: Values
    taker_buy_quote_volume: Values

    def __len__(self) -> int:
        return len(self.close)

    def source(self, name: str) -> Values:
        """Return the column of that name, or the mean of several: ``"hl2"``, ``"hlc3"``, ``"ohlc4"``."""
        if name == "hl2":
            return (self.high + self.low) / 2
        if name == "hlc3":
            return (self.high + self.low + self.close) / 3
        if name == "ohlc4":
            return (self.open + self.high + self.low + self.close) / 4
        column: Values = getattr(self, name)
        return column


BAR_COLUMNS = tuple(field.name for field in fields(Bars))


class Session(Enum):
    """Since when a sum is taken: all begin at midnight UTC, weeks on Monday. The value is what the user reads."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Placement(Enum):
    """Where an indicator is drawn: over the prices, over the volume, or in a pane of its own."""

    PRICE = "price"
    VOLUME = "volume"
    OWN = "own"


class Shape(Enum):
    """
    How an output is drawn: a line; columns from zero, coloured by their sign; dots.
    """

    LINE = "line"
    COLUMNS = "columns"
    DOTS = "dots"


class Unit(Enum):
    """What its values count: the quote asset, the base asset, or nothing."""

    PRICE = "price"
    QUANTITY = "quantity"
    NUMBER = "number"


class Output(NamedTuple):
    """
    One column of values: ``title`` is what the user reads, empty where the indicator's name says it. Outputs of the
    same ``hue`` have one colour, unless the user gives them several.
    """

    name: str
    title: str = ""
    shape: Shape = Shape.LINE
    hue: int = 0


@dataclass(frozen=True, slots=True)
class Parameter:
    """
    What the user can set: a whole number or a fraction (as the default is) from ``least`` to ``most``, or one of
    ``choices``.
    """

    name: str
    title: str
    default: Setting
    least: float = 1
    most: float = 1000
    choices: tuple[str, ...] = ()

    def allows(self, value: object) -> bool:
        """Whether this may be set."""
        if self.choices:
            return value in self.choices
        kinds = (int, float) if isinstance(self.default, float) else (int,)
        return isinstance(value, kinds) and not isinstance(value, bool) and self.least <= value <= self.most


SOURCE = Parameter("source", "Source", "close", choices=SOURCES)

# From the bars and the parameters by name to one column for each output, as long as the bars; NaN: no value there.
Compute = Callable[..., Values | tuple[Values, ...]]
# From the parameters by name to the number of candles before its own that a value depends on, or the session whose
# beginning its calculation begins with.
WarmUp = Callable[..., int | Session]


@dataclass(frozen=True, slots=True)
class Indicator:
    """
    One indicator.

    Attributes:
        key: what files call it. name: what the legend calls it, short. title: what the list calls it. about: one line.
        compute: a function of `Bars` and of the parameters by name. A value may depend on its own candle and on older
            ones only. What depends on where the bars begin must have faded to 1e-12 of it after ``warm_up``.
        warm_up: that many candles, as a function of the parameters, or a `Session`: then the bars are those of one.
        outputs: what it computes, in that order.
        bands: pairs of outputs with the ground between them tinted. levels: values with a line across, always in view;
            for a pane of its own.
        settled_only: draw no value before the candles are loaded from which it is always calculated, though
            ``warm_up`` of them are there. For ratios of what fades: see docs/indicators.md.
    """

    key: str
    name: str
    title: str
    about: str
    compute: Compute
    warm_up: WarmUp
    outputs: tuple[Output, ...]
    parameters: tuple[Parameter, ...] = ()
    placement: Placement = Placement.OWN
    unit: Unit = Unit.NUMBER
    bands: tuple[tuple[str, str], ...] = ()
    levels: tuple[float, ...] = ()
    settled_only: bool = False

    @property
    def hues(self) -> int:
        """How many colours it has."""
        return 1 + max(output.hue for output in self.outputs)

    @property
    def defaults(self) -> dict[str, Setting]:
        return {parameter.name: parameter.default for parameter in self.parameters}

    def checked(self, settings: Mapping[str, Any]) -> dict[str, Setting]:
        """
        Return a setting for every parameter, the default for what is not given.

        Raises:
            UsageError: If there is no such parameter, or it may not be set so.
        """
        if unknown := sorted(settings.keys() - self.defaults.keys()):
            raise UsageError(f"{self.title} has no parameter “{unknown[0]}”")
        for parameter in self.parameters:
            value = settings.get(parameter.name, parameter.default)
            if not parameter.allows(value):
                raise UsageError(f"{self.title}: {parameter.title.lower()} cannot be {value!r}; {_allowed(parameter)}")
        return {**self.defaults, **settings}

    def mended(self, settings: object) -> dict[str, Setting]:
        """Return a setting for every parameter: what of these may be set, else the default."""
        known: Mapping[str, Any] = settings if isinstance(settings, Mapping) else {}
        wanted = {one.name: known.get(one.name, one.default) for one in self.parameters}
        return {one.name: wanted[one.name] if one.allows(wanted[one.name]) else one.default for one in self.parameters}

    def label(self, settings: Settings) -> str:
        """Return what the legend calls it with these settings: numbers, and choices that are not the usual ones."""
        said = [self.name]
        for one in self.parameters:
            value = settings[one.name]
            if not one.choices:
                said.append(f"{value:g}" if isinstance(value, float) else str(value))
            elif value != one.default:
                said.append(str(value))
        return " ".join(said)


def _allowed(parameter: Parameter) -> str:
    if parameter.choices:
        return f"choose one of {', '.join(parameter.choices)}"
    return f"give a number from {parameter.least:g} to {parameter.most:g}"
