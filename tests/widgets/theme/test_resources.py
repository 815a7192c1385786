"""The files in resources can be read, drawn and filled in."""

from __future__ import annotations

import configparser
import re
from dataclasses import fields, replace
from importlib import resources
from itertools import product
from pathlib import Path
from string import Template

import pytest
from PySide6.QtCore import QSize
from PySide6.QtGui import QColor, QFontMetricsF, QIcon
from PySide6.QtWidgets import QApplication

from widgets.theme import icons, style
from widgets.theme.palettes import BLUE_ORANGE, DARK, GREEN_RED, palette_of

NAMES = sorted(entry.name for entry in resources.files("resources").joinpath("icons").iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_every_icon_draws_something(prepared: QApplication, name: str) -> None:
    image = icons.pixmap(name.removesuffix(".svg"), "#ff0000", 16, 2.0).toImage()
    assert image.width() == 32
    assert any(image.pixelColor(x, y).alpha() > 200 for x in range(32) for y in range(32))


def test_an_icon_takes_the_colour_it_is_given(prepared: QApplication) -> None:
    image = icons.pixmap("plus", "#ff0000", 16, 1.0).toImage()
    assert image.pixelColor(8, 8) == QColor("#ff0000")


def test_an_icon_may_have_another_colour_on_a_checked_button(prepared: QApplication) -> None:
    made = icons.icon("plus", "#ff0000", checked_color="#00ff00")
    for state, color in ((QIcon.State.Off, "#ff0000"), (QIcon.State.On, "#00ff00")):
        drawn = made.pixmap(QSize(16, 16), 1.0, QIcon.Mode.Normal, state)
        assert drawn.toImage().pixelColor(8, 8) == QColor(color)


def test_the_application_icon_has_small_and_large_sizes(prepared: QApplication) -> None:
    sizes = {size.width() for size in icons.application_icon().availableSizes()}
    assert {16, 32, 256} <= sizes
    assert not prepared.windowIcon().isNull()


def test_the_desktop_entry_starts_the_program() -> None:
    entry = configparser.ConfigParser(interpolation=None)
    entry.read_string(resources.files("resources").joinpath("cryptopipe.desktop").read_text())
    assert entry["Desktop Entry"]["Exec"] == "cryptopipe"
    assert entry["Desktop Entry"]["Icon"] == "cryptopipe"


def test_all_digits_are_equally_wide(prepared: QApplication) -> None:
    widths = {round(QFontMetricsF(style.font()).horizontalAdvance(digit * 8), 3) for digit in "0123456789"}
    assert len(widths) == 1


@pytest.mark.parametrize(("theme", "colours"), list(product(["dark", "light"], [GREEN_RED, BLUE_ORANGE])))
def test_every_name_in_the_stylesheet_is_filled_from_the_palette(
    prepared: QApplication, theme: str, colours: str
) -> None:
    sheet = style.stylesheet(palette_of(theme, colours, system_is_dark=True))
    assert "$" not in sheet
    for file in re.findall(r"url\(([^)]*)\)", sheet):
        assert Path(file).is_file()


def test_every_colour_in_the_stylesheet_is_one_of_the_palettes(prepared: QApplication) -> None:
    colours = [field.name for field in fields(DARK) if field.name != "name"]
    sheet = style.stylesheet(replace(DARK, **dict.fromkeys(colours, "#123456")))
    assert set(re.findall(r"#[0-9a-f]{6}|rgba\(.*?\)", sheet)) == {"#123456"}


def test_a_name_that_no_palette_has_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(style, "_sheet", lambda: Template("QLabel { color: $pink; }"))
    with pytest.raises(KeyError, match="pink"):
        style.stylesheet(DARK)
