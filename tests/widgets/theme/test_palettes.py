"""The colours of the themes can be distinguished and read, and the system's scheme is followed."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import combinations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QGuiApplication
from pytestqt.qtbot import QtBot

from widgets.chart.painting.colours import Colours
from widgets.chart.painting.device_pixels import contrast
from widgets.chart.popups.zone_picker import ZonePicker
from widgets.chart.scales.zones import UTC_ZONE
from widgets.theme.palettes import BLUE_ORANGE, DARK, GREEN_RED, LIGHT, palette_of
from widgets.theme.style import stylesheet
from widgets.theme.system_scheme import SystemScheme
from widgets.window.main_window import MainWindow

# Linear RGB as seen by eyes that lack one of the three kinds of cones (Viénot, Brettel and Mollon 1999).
_EYES = {
    "protan": ((0.11238, 0.88762, 0.0), (0.11238, 0.88762, 0.0), (0.00401, -0.00401, 1.0)),
    "deutan": ((0.29275, 0.70725, 0.0), (0.29275, 0.70725, 0.0), (-0.02234, 0.02234, 1.0)),
}


def seen(colour: str, eyes: str) -> tuple[float, ...]:
    parts = [QColor(colour).redF(), QColor(colour).greenF(), QColor(colour).blueF()]
    linear = [(part + 0.055) ** 2.4 / 1.055**2.4 if part > 0.04045 else part / 12.92 for part in parts]
    through = (sum(weight * part for weight, part in zip(row, linear, strict=True)) for row in _EYES[eyes])
    return tuple(max(part, 0.0) ** (1 / 2.4) for part in through)


def apart(one: str, other: str, eyes: str) -> float:
    return sum((a - b) ** 2 for a, b in zip(seen(one, eyes), seen(other, eyes), strict=True)) ** 0.5


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("eyes", _EYES)
def test_blue_orange_and_the_warning_colour_differ_for_colour_blind_eyes(theme: str, eyes: str) -> None:
    safe = palette_of(theme, BLUE_ORANGE, system_is_dark=True)
    for one, other in combinations((safe.rising, safe.falling, safe.warning), 2):
        assert apart(one, other, eyes) > 0.2
    usual = palette_of(theme, GREEN_RED, system_is_dark=True)
    assert apart(safe.rising, safe.falling, eyes) > 2 * apart(usual.rising, usual.falling, eyes)


# Which texts stand on which grounds. Rows of the watchlist stay on panel and raised; those of pickers are selected.
_ON_ROWS = ("text", "dim", "warning")
_EVERYWHERE = (*_ON_ROWS, "faint", "rising", "falling", "accent")
_STANDS_ON = {
    "background": _EVERYWHERE,
    "panel": _EVERYWHERE,
    "raised": _EVERYWHERE,
    "hover": _ON_ROWS,
    "selected": _ON_ROWS,
    "line": ("text",),
    "fill": ("on_fill",),
}


@pytest.mark.parametrize("colours", [GREEN_RED, BLUE_ORANGE])
@pytest.mark.parametrize("theme", ["dark", "light"])
def test_every_text_has_a_contrast_of_4_5_on_every_ground_it_stands_on(theme: str, colours: str) -> None:
    palette = palette_of(theme, colours, system_is_dark=True)
    ratios = {
        (text, ground): contrast(QColor(getattr(palette, text)), QColor(getattr(palette, ground)))
        for ground, texts in _STANDS_ON.items()
        for text in texts
    }
    assert {pair: round(ratio, 2) for pair, ratio in ratios.items() if ratio < 4.5} == {}
    assert min(ratios["text", ground] for ground in ("background", "panel", "raised")) > 10


@pytest.mark.parametrize("colours", [GREEN_RED, BLUE_ORANGE])
@pytest.mark.parametrize("theme", ["dark", "light"])
def test_text_on_a_value_label_is_white_only_where_that_can_be_read(theme: str, colours: str) -> None:
    made = Colours(palette_of(theme, colours, system_is_dark=True))
    for ink, ground in ((made.on_rising, made.rising), (made.on_falling, made.falling)):
        assert contrast(ink, ground) >= 4.5
        assert (ink == QColor("#ffffff")) == (contrast(QColor("#ffffff"), ground) >= 4.5)


def test_the_stylesheet_puts_the_text_on_fill_on_nothing_but_fill() -> None:
    marked = replace(DARK, on_fill="#010203", fill="#040506")
    blocks = stylesheet(marked).split("}")
    carriers = [block for block in blocks if re.search(r"(?<![-\w])(?:selection-)?color: #010203", block)]
    assert carriers
    assert [block for block in carriers if "#040506" not in block] == []


def test_the_systems_scheme_is_followed_as_it_changes(qtbot: QtBot) -> None:
    hints = QGuiApplication.styleHints()
    scheme = SystemScheme()
    assert scheme.is_dark  # the offscreen platform has no scheme
    assert palette_of("system", GREEN_RED, system_is_dark=scheme.is_dark) == DARK
    with qtbot.waitSignal(scheme.changed):
        hints.colorSchemeChanged.emit(Qt.ColorScheme.Light)
    assert palette_of("system", GREEN_RED, system_is_dark=scheme.is_dark) == LIGHT
    assert palette_of("dark", GREEN_RED, system_is_dark=scheme.is_dark) == DARK
    with qtbot.assertNotEmitted(scheme.changed):
        hints.colorSchemeChanged.emit(Qt.ColorScheme.Light)
    with qtbot.waitSignal(scheme.changed):
        hints.colorSchemeChanged.emit(Qt.ColorScheme.Dark)
    with pytest.raises(KeyError):
        palette_of("pink", GREEN_RED, system_is_dark=True)


def test_an_open_list_follows_a_change_of_theme(window: MainWindow) -> None:
    picker = ZonePicker(window, lambda: 0)
    picker.open_above(UTC_ZONE, QPoint(600, 600))
    window.set_palette(LIGHT)
    switched = picker.list.grab().toImage()
    picker.set_palette(DARK)
    assert picker.list.grab().toImage() != switched
    picker.set_palette(LIGHT)
    assert picker.list.grab().toImage() == switched
