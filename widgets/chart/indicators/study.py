"""
Studies: indicators on a chart, with settings, colours and values.

A `Study` holds one indicator's values for the series on the chart. A `StudySet` holds a chart's studies in the order of
adding and converts them to plain values for a file. Neither draws anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from PySide6.QtGui import QColor

from app.market.indicators import Indicator, Output, Placement, Shape, find
from app.market.indicators.definition import EntrySetting
from app.market.indicators.entry_values import EntryValues
from widgets.chart.model.line_style import DASHED_LINE, SOLID_LINE, LineStyle
from widgets.chart.model.pane_layout import PRICE, VOLUME
from widgets.chart.painting.colours import LINE_COLOURS, LINES_ON_DARK, LINES_ON_LIGHT, Colours, line_colour
from widgets.theme.palettes import Palette

COLOUR_NAMES = ("Amber", "Blue", "Violet", "Cyan", "Pink", "Green", "Orange", "Grey")
COUNT = LINE_COLOURS


MOST_STUDIES = 24
_BESIDE = 1000  # the weight of a colour used in the same pane
_COLOUR = re.compile(r"#[0-9a-f]{6}|line-([1-9]|1[0-6])")


def chosen_colour(palette: Palette, choice: str) -> QColor:
    """Return a colour that the user chose: ``#rrggbb``, or ``line-3`` for the theme's third line colour."""
    return line_colour(palette, int(choice[5:]) - 1) if choice.startswith("line-") else QColor(choice)


@dataclass(slots=True)
class Study:
    """
    An indicator on one chart. ``key`` is unique on the chart, and is also the key of the study's own pane, if any.

    ``colours``: the user's choice by output, as `chosen_colour` reads it; the other outputs use the theme's line
    colours, whose numbers, from 0, are ``seats`` by hue. ``styles``: the user's choice by output. ``is_hidden``: not
    drawn, but still listed. ``own_pane``: the user moved it from over the prices or the volume to a pane of its own.
    ``is_fitted``: the user had the automatic price axis follow it.
    """

    key: str
    values: EntryValues
    seats: tuple[int, ...] = (0,)
    colours: dict[str, str] = field(default_factory=dict)
    is_hidden: bool = False
    styles: dict[str, LineStyle] = field(default_factory=dict)
    own_pane: bool = False
    is_fitted: bool = False

    @property
    def indicator(self) -> Indicator:
        return self.values.indicator

    @property
    def settings(self) -> dict[str, EntrySetting]:
        return self.values.settings

    @property
    def outputs(self) -> tuple[Output, ...]:
        """Its lines: the indicator's outputs, for each value of a repeated parameter."""
        return self.values.outputs

    @property
    def label(self) -> str:
        """Its name in the legend."""
        return self.indicator.label(self.settings)

    @property
    def placement(self) -> Placement:
        """The pane it is drawn in."""
        return Placement.OWN if self.own_pane else self.indicator.placement

    @property
    def has_pane(self) -> bool:
        """Whether it has a pane of its own."""
        return self.placement is Placement.OWN

    def colour_of(self, palette: Palette, output: str) -> QColor:
        """Return the colour of an output in that theme."""
        if output in self.colours:
            return chosen_colour(palette, self.colours[output])
        return chosen_colour(palette, self.theme_colour(output))

    def theme_colour(self, output: str) -> str:
        """Return the colour that an output has unless the user chooses one, as `chosen_colour` reads it."""
        hue = next(one.hue for one in self.outputs if one.name == output)
        number = self.seats[hue] if hue < len(self.seats) else self.seats[-1] + hue - len(self.seats) + 1
        return f"line-{number % COUNT + 1}"

    def colour_number(self, output: str) -> int | None:
        """Return the number of an output's line colour, from 0; None if the user chose one that is none of these."""
        choice = self.colours.get(output) or self.theme_colour(output)
        if choice.startswith("line-"):
            return int(choice[5:]) - 1
        return next(
            (at for colours in (LINES_ON_DARK, LINES_ON_LIGHT) for at, one in enumerate(colours) if one == choice), None
        )

    def style_of(self, output: Output) -> LineStyle:
        """Return how an output's line is drawn."""
        return self.styles.get(output.name) or (DASHED_LINE if output.dashed else SOLID_LINE)

    def is_second(self, output: Output) -> bool:
        """Whether an output is of secondary interest: a dashed line, columns beside lines, a line of another hue."""
        own = next(one for one in self.indicator.outputs if one.name == output.name.partition(".")[0])
        is_beside = own.shape is Shape.COLUMNS or own.hue > 0
        return own.dashed or (is_beside and len(self.indicator.outputs) > 1)

    def name_of(self, output: Output) -> str:
        """Return an output's name by itself: ``BB upper``, ``EMA 20``, and the study's where that says enough."""
        if not output.title:
            return self.label
        title = output.title if output.title[:2].isupper() else output.title[0].lower() + output.title[1:]
        return title if title == self.indicator.name else f"{self.indicator.name} {title}"

    @property
    def is_in_one_colour(self) -> bool:
        """Whether all its lines have one colour, so that its name's colour says whose values they are."""
        return len({self.colours.get(one.name, str(one.hue)) for one in self.outputs}) == 1

    def name_colour(self, palette: Palette) -> QColor:
        """Return the colour of its name, which is that of its first hue."""
        return self.colour_of(palette, min(self.outputs, key=lambda one: one.hue).name)

    def drawn_as(self, palette: Palette, output: str) -> tuple[QColor, ...]:
        """Return the colours in which an output is drawn: one, or those of its columns above and below zero."""
        shape = next(one.shape for one in self.outputs if one.name == output)
        if shape is Shape.COLUMNS and output not in self.colours:
            falling, rising = (of_direction[True] for of_direction in Colours(palette).volumes)
            return rising, falling
        return (self.colour_of(palette, output),)

    def drawn_colours(self, palette: Palette) -> list[QColor]:
        """Return all colours in which it is drawn, each once, in the order of its outputs."""
        drawn = [colour for output in self.outputs for colour in self.drawn_as(palette, output.name)]
        return [colour for at, colour in enumerate(drawn) if colour not in drawn[:at]]

    def change(
        self, settings: Mapping[str, Any], colours: Mapping[str, str], styles: Mapping[str, LineStyle] | None = None
    ) -> None:
        """
        Replace settings, colours and, unless None, the styles of lines.

        Raises:
            UsageError: If a parameter has an invalid value; nothing is changed then.
        """
        if dict(settings) != self.settings:
            self.values = EntryValues(self.indicator, settings)
        self.colours = dict(colours)
        if styles is not None:
            self.styles = dict(styles)

    def to_values(self) -> dict[str, Any]:
        """Return plain values for a file."""
        return {
            "key": self.key,
            "indicator": self.indicator.key,
            "settings": dict(self.settings),
            "colours": dict(self.colours),
            "seat": self.seats[0],
            "seats": list(self.seats),
            "hidden": self.is_hidden,
            "lines": {name: style.to_values() for name, style in self.styles.items()},
            "own pane": self.own_pane,
            "fitted": self.is_fitted,
        }


class StudySet:
    """The studies of one chart, in the order in which they were added."""

    def __init__(self) -> None:
        self._studies: list[Study] = []

    def __iter__(self) -> Iterator[Study]:
        return iter(self._studies)

    def __len__(self) -> int:
        return len(self._studies)

    def get(self, key: str) -> Study | None:
        """Return the study of that key, or None."""
        return next((study for study in self._studies if study.key == key), None)

    def at(self, place: Placement) -> list[Study]:
        """Return the studies with that placement."""
        return [study for study in self._studies if study.placement is place]

    def make(self, indicator: Indicator, settings: Mapping[str, Any] | None = None) -> Study:
        """
        Return a new study with an unused key and, as far as there are any, unused colours. Does not add it.

        Raises:
            UsageError: If a parameter has an invalid value.
        """
        taken = {study.key for study in self._studies} | {PRICE, VOLUME}
        numbers = ["", *(f"-{number}" for number in range(2, MOST_STUDIES + 2))]
        key = next(indicator.key + number for number in numbers if indicator.key + number not in taken)
        values = EntryValues(indicator, settings or {})
        study = Study(key, values, ())
        self.seat(study)
        return study

    def add(self, study: Study) -> None:
        self._studies.append(study)

    def duplicate(self, study: Study) -> Study:
        """Return a new study with another's settings and styles, and colours of its own. Does not add it."""
        made = self.make(study.indicator, study.settings)
        made.styles, made.own_pane, made.is_fitted = dict(study.styles), study.own_pane, study.is_fitted
        return made

    def move(self, key: str, by: int) -> None:
        """Move a study down by that many places among those with its placement, up if negative."""
        study = self.get(key)
        if study is None:
            return
        beside = [at for at, one in enumerate(self._studies) if one.placement is study.placement]
        at = beside.index(self._studies.index(study))
        to = beside[min(max(at + by, 0), len(beside) - 1)]
        self._studies.remove(study)
        self._studies.insert(to, study)

    def remove(self, key: str) -> None:
        self._studies = [study for study in self._studies if study.key != key]

    def to_values(self) -> list[dict[str, Any]]:
        """Return plain values for a file."""
        return [study.to_values() for study in self._studies]

    def restore(self, values: object) -> None:
        """Restore the values of `to_values`; invalid settings become defaults, unknown indicators are dropped."""
        self._studies = []
        for value in values if isinstance(values, Sequence) else ():
            study = _restored(value) if isinstance(value, Mapping) else None
            if study is not None and self.get(study.key) is None and len(self) < MOST_STUDIES:
                self._studies.append(study)

    def seat(self, study: Study) -> None:
        """
        Give a study's new lines the colours that the others use least, above all those drawn in the same place.

        Call it once the study has more lines than before; the other lines keep theirs.
        """
        used = [0] * COUNT
        for other in self._studies:
            is_beside = other.placement is study.placement and study.placement is not Placement.OWN
            for number in {other.colour_number(output.name) for output in other.outputs if other is not study}:
                if number is not None:
                    used[number] += _BESIDE if is_beside else 1
        for number in study.seats:
            used[number] += _BESIDE
        while len(study.seats) < study.values.hues:
            number = used.index(min(used))
            used[number] += _BESIDE
            study.seats += (number,)


def _restored(value: Mapping[str, Any]) -> Study | None:
    key, name, seat, colours = (value.get(part) for part in ("key", "indicator", "seat", "colours"))
    indicator = find(name) if isinstance(name, str) else None
    if indicator is None or not isinstance(key, str) or not re.fullmatch(rf"{re.escape(indicator.key)}(-\d+)?", key):
        return None
    values = EntryValues(indicator, indicator.mended(value.get("settings")))
    names = [one.name for one in values.outputs]
    given = colours if isinstance(colours, Mapping) else {}
    kept = {name: str(given[name]) for name in names if _COLOUR.fullmatch(str(given.get(name)))}
    seats = value.get("seats", [seat])
    seats = seats if isinstance(seats, list) and seats and all(_is_seat(one) for one in seats) else [0]
    study = Study(key, values, tuple(seats), kept, value.get("hidden") is True)
    study.own_pane = value.get("own pane") is True and indicator.placement is not Placement.OWN
    study.is_fitted = value.get("fitted") is True
    lines = value.get("lines")
    lines = lines if isinstance(lines, Mapping) else {}
    for output in values.outputs:
        if output.name in lines:
            study.styles[output.name] = LineStyle.from_values(lines[output.name], study.style_of(output))
    return study


def _is_seat(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < COUNT
