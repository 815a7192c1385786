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

from app.market.indicators import Indicator, Placement, find
from app.market.indicators.definition import Setting
from app.market.indicators.values import IndicatorValues
from widgets.chart.model.pane_layout import PRICE, VOLUME
from widgets.theme.palettes import Palette

_ON_DARK = ("#e0a83a", "#6fa0ff", "#b48ef0", "#3fc1d6", "#f08cb8", "#9cc25c", "#e08a5a", "#aab6c2")
_ON_LIGHT = ("#b07b10", "#2f6fe0", "#7d4fc4", "#0b7f96", "#bb3f80", "#5c7a16", "#b0541f", "#56636f")
COUNT = len(_ON_DARK)


def line_colour(palette: Palette, number: int) -> QColor:
    """Return the line colour of a number, from 0; numbers beyond the last colour start over."""
    is_dark = QColor(palette.background).lightness() < 128
    return QColor((_ON_DARK if is_dark else _ON_LIGHT)[number % COUNT])


MOST_STUDIES = 24
_COLOUR = re.compile(r"#[0-9a-f]{6}")


@dataclass(slots=True)
class Study:
    """
    An indicator on one chart. ``key`` is unique on the chart, and is also the key of the study's own pane, if any.

    ``colours``: the user's choice, ``#rrggbb`` by output; the other outputs use the theme's colours from number
    ``seat`` on. ``is_hidden``: not drawn, but still listed.
    """

    key: str
    values: IndicatorValues
    seat: int = 0
    colours: dict[str, str] = field(default_factory=dict)
    is_hidden: bool = False

    @property
    def indicator(self) -> Indicator:
        return self.values.indicator

    @property
    def settings(self) -> dict[str, Setting]:
        return self.values.settings

    @property
    def label(self) -> str:
        """Its name in the legend."""
        return self.indicator.label(self.settings)

    @property
    def has_pane(self) -> bool:
        """Whether it has a pane of its own."""
        return self.indicator.placement is Placement.OWN

    def colour_of(self, palette: Palette, output: str) -> QColor:
        """Return the colour of an output in that theme."""
        if output in self.colours:
            return QColor(self.colours[output])
        hue = next(one.hue for one in self.indicator.outputs if one.name == output)
        return line_colour(palette, self.seat + hue)

    def name_colour(self, palette: Palette) -> QColor:
        """Return the colour of its name, which is that of its first hue."""
        return self.colour_of(palette, min(self.indicator.outputs, key=lambda one: one.hue).name)

    def change(self, settings: Mapping[str, Any], colours: Mapping[str, str]) -> None:
        """
        Replace settings and colours.

        Raises:
            UsageError: If a parameter has an invalid value; nothing is changed then.
        """
        if dict(settings) != self.settings:
            self.values = IndicatorValues(self.indicator, settings)
        self.colours = dict(colours)

    def to_values(self) -> dict[str, Any]:
        """Return plain values for a file."""
        return {
            "key": self.key,
            "indicator": self.indicator.key,
            "settings": dict(self.settings),
            "colours": dict(self.colours),
            "seat": self.seat,
            "hidden": self.is_hidden,
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
        return [study for study in self._studies if study.indicator.placement is place]

    def make(self, indicator: Indicator, settings: Mapping[str, Any] | None = None) -> Study:
        """
        Return a new study with an unused key and, as far as there are any, unused colours. Does not add it.

        Raises:
            UsageError: If a parameter has an invalid value.
        """
        taken = {study.key for study in self._studies} | {PRICE, VOLUME}
        numbers = ["", *(f"-{number}" for number in range(2, MOST_STUDIES + 2))]
        key = next(indicator.key + number for number in numbers if indicator.key + number not in taken)
        return Study(key, IndicatorValues(indicator, settings or {}), self._free_seat(indicator.hues))

    def add(self, study: Study) -> None:
        self._studies.append(study)

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

    def _free_seat(self, count: int) -> int:
        """Return the first colour number from which ``count`` colours are the least used."""
        used = [0] * COUNT
        for study in self._studies:
            for at in range(study.indicator.hues):
                used[(study.seat + at) % COUNT] += 1
        return min(range(COUNT), key=lambda seat: sum(used[(seat + at) % COUNT] for at in range(count)))


def _restored(value: Mapping[str, Any]) -> Study | None:
    key, name, seat, colours = (value.get(part) for part in ("key", "indicator", "seat", "colours"))
    indicator = find(name) if isinstance(name, str) else None
    if indicator is None or not isinstance(key, str) or not re.fullmatch(rf"{re.escape(indicator.key)}(-\d+)?", key):
        return None
    outputs = [one.name for one in indicator.outputs]
    given = colours if isinstance(colours, Mapping) else {}
    kept = {name: str(given[name]) for name in outputs if _COLOUR.fullmatch(str(given.get(name)))}
    is_seat = isinstance(seat, int) and not isinstance(seat, bool) and 0 <= seat < COUNT
    values = IndicatorValues(indicator, indicator.mended(value.get("settings")))
    return Study(key, values, seat if is_seat and isinstance(seat, int) else 0, kept, value.get("hidden") is True)
