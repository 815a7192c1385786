"""
The definition of an indicator: a function over columns of candles, and its description.

A definition names the indicator and its parameters, says how far back a value depends on candles, and how it is drawn.
`values` decides when to compute it, the widgets paint it. Definitions are values and know no series.
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
# As `Settings`, but the repeated parameter may have several values, each for a calculation of its own.
EntrySetting = Setting | tuple[Setting, ...]
EntrySettings = Mapping[str, EntrySetting]

MOST_REPEATS = 8
"""The most values that a repeated parameter may have: there are no more colours to tell its lines apart."""

SOURCES = ("close", "open", "high", "low", "hl2", "hlc3", "ohlc4")


@dataclass(frozen=True, slots=True)
class Bars:
    """
    Candles of successive slots as columns, oldest first; amounts in whole units of the assets, no NaN.

    The last may be open and any may be incomplete; they count as they are.
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
        """Return the prices of that name in `SOURCES`: one column, or the mean of two to four."""
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
    """The period over which a sum runs. All begin at midnight UTC, weeks on Monday. The value is the user's text."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Placement(Enum):
    """The pane an indicator is drawn in: the prices', the volume's, or its own."""

    PRICE = "price"
    VOLUME = "volume"
    OWN = "own"


class Shape(Enum):
    """How an output is drawn: as a line, as columns from zero coloured by their sign, or as dots."""

    LINE = "line"
    COLUMNS = "columns"
    DOTS = "dots"


class Unit(Enum):
    """The unit of an indicator's values: the quote asset, the base asset, or none."""

    PRICE = "price"
    QUANTITY = "quantity"
    NUMBER = "number"


class Output(NamedTuple):
    """
    One column of values.

    ``title`` is the user's text, empty if the indicator's name says enough. Outputs of one ``hue`` share a colour,
    unless the user changes it. ``dashed``: a line of secondary interest, drawn dashed unless the user changes that.
    """

    name: str
    title: str = ""
    shape: Shape = Shape.LINE
    hue: int = 0
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Parameter:
    """
    A parameter that the user can set: a number from ``least`` to ``most``, or one of ``choices``.

    A number is whole if ``default`` is an int.
    """

    name: str
    title: str
    default: Setting
    least: float = 1
    most: float = 1000
    choices: tuple[str, ...] = ()

    def allows(self, value: object) -> bool:
        """Whether the parameter may have this value."""
        if self.choices:
            return value in self.choices
        kinds = (int, float) if isinstance(self.default, float) else (int,)
        return isinstance(value, kinds) and not isinstance(value, bool) and self.least <= value <= self.most


SOURCE = Parameter("source", "Source", "close", choices=SOURCES)

# From the bars and the parameters by name to one column per output, as long as the bars; NaN: no value.
Compute = Callable[..., Values | tuple[Values, ...]]
# From the parameters by name to the number of earlier candles that a value depends on, or the session at whose start
# its calculation begins.
WarmUp = Callable[..., int | Session]


@dataclass(frozen=True, slots=True)
class Indicator:
    """
    One indicator.

    Attributes:
        key: its name in files.
        name: its short name, for the legend.
        title: its name in the list.
        about: its description in the list, one line.
        compute: a function of `Bars` and the parameters by name. A value may depend on its own candle and older ones
            only. After ``warm_up`` candles, at most 1e-12 of it may depend on where the bars begin.
        warm_up: a number of candles, as a function of the parameters; or a `Session`: then the bars are those of one.
        outputs: the computed columns, in their order.
        parameters: the settings, in the order of the dialog.
        placement: the pane it is drawn in.
        unit: the unit of its values.
        bands: pairs of outputs with a tint between them.
        levels: values with a horizontal line, always in view; for a pane of its own.
        settled_only: whether to draw no value until all candles of its block's calculation are loaded, rather than
            ``warm_up`` of them. For ratios of fading values: see docs/indicators.md.
        repeated: the name of a parameter that may have several values, empty for none. Each value has a calculation and
            lines of its own, so that a moving average is the same alone and beside others.
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
    repeated: str = ""

    @property
    def hues(self) -> int:
        """The number of its colours."""
        return 1 + max(output.hue for output in self.outputs)

    @property
    def defaults(self) -> dict[str, Setting]:
        return {parameter.name: parameter.default for parameter in self.parameters}

    def checked(self, settings: Mapping[str, Any]) -> dict[str, Setting]:
        """
        Return a value for every parameter: the given one, or the default.

        Raises:
            UsageError: If a name is no parameter, or a value is not allowed.
        """
        if unknown := sorted(settings.keys() - self.defaults.keys()):
            raise UsageError(f"{self.title} has no parameter “{unknown[0]}”")
        for parameter in self.parameters:
            value = settings.get(parameter.name, parameter.default)
            if not parameter.allows(value):
                raise UsageError(f"{self.title}: {parameter.title.lower()} cannot be {value!r}; {_allowed(parameter)}")
        return {**self.defaults, **settings}

    def calculations(self, settings: Mapping[str, Any]) -> list[dict[str, Setting]]:
        """
        Return the checked settings of each calculation: one, or one for each value of the repeated parameter, in order.

        Raises:
            UsageError: If a name is no parameter, a value is not allowed, or the repeated parameter has the same value
                twice, none, or more than `MOST_REPEATS`.
        """
        several = settings.get(self.repeated)
        if not isinstance(several, list | tuple):
            return [self.checked(settings)]
        made = [self.checked({**settings, self.repeated: value}) for value in several]
        title = next(one.title.lower() for one in self.parameters if one.name == self.repeated)
        if not 1 <= len(made) <= MOST_REPEATS:
            raise UsageError(f"{self.title}: give 1 to {MOST_REPEATS} values for {title}")
        if len(set(several)) < len(made):
            raise UsageError(f"{self.title}: each {title} can be there only once")
        return made

    def mended(self, settings: object) -> dict[str, EntrySetting]:
        """
        Return a value for every parameter: the given one if it is allowed, else the default. Raises nothing.

        Of several values for the repeated parameter, the allowed ones are kept.
        """
        known: Mapping[str, Any] = settings if isinstance(settings, Mapping) else {}
        return {one.name: self._mended(one, known.get(one.name, one.default)) for one in self.parameters}

    def _mended(self, parameter: Parameter, value: Any) -> EntrySetting:
        if parameter.name == self.repeated and isinstance(value, list | tuple):
            allowed = tuple(dict.fromkeys(one for one in value if parameter.allows(one)))[:MOST_REPEATS]
            return allowed if len(allowed) > 1 else allowed[0] if allowed else parameter.default
        fits = not isinstance(value, list | tuple | dict) and parameter.allows(value)
        return value if fits else parameter.default

    def label(self, settings: EntrySettings) -> str:
        """Return its text in the legend: the name, all numbers, and the choices that differ from the default."""
        said = [self.name]
        for one in self.parameters:
            value = settings[one.name]
            if not one.choices:
                several = value if isinstance(value, tuple) else (value,)
                said += [f"{each:g}" if isinstance(each, float) else str(each) for each in several]
            elif value != one.default:
                said.append(str(value))
        return " ".join(said)


def _allowed(parameter: Parameter) -> str:
    if parameter.choices:
        return f"choose one of {', '.join(parameter.choices)}"
    return f"give a number from {parameter.least:g} to {parameter.most:g}"
