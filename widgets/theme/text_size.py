"""
How large the window's text is, and all that is sized by it: as large as the system's, times what the user chose.

Either may change while the program runs. So a font carries its usual size with it (as a feature that no typeface has,
which Qt copies along), and a widget whose lengths grow with its text has them from `sized`: `set_percent` and
`follow_system` then give every widget there is the size that it would have had from the start. What computes a length
as it is laid out or painted asks `px` and `font` there.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import Any

from PySide6.QtGui import QFont, QFontDatabase, QFontInfo
from PySide6.QtWidgets import QApplication, QToolTip, QWidget

BODY_PX = 13
SMALL_PX = 11

_USUAL_SYSTEM_PX = {"win32": 12, "darwin": 13}
# Properties of the application, which every widget can ask.
_SCALE, _PERCENT, _SYSTEM_PX, _THEME_PX = (
    f"cryptopipe{name}" for name in ("TextScale", "TextPercent", "SystemPixels", "ThemePixels")
)
_LENGTHS = "cryptopipeLengths"  # a property of a widget: the usual lengths by their setters' names
_USUAL = QFont.Tag("zzPX")
_TABULAR_FIGURES = QFont.Tag("tnum")


def begin(program: QApplication, text_percent: int) -> None:
    """Take the system's size of text, and the user's choice; call before there is any widget."""
    program.setProperty(_PERCENT, text_percent)
    program.setProperty(_THEME_PX, _theme_px())
    program.setProperty(_SYSTEM_PX, _theme_px())
    program.setProperty(_SCALE, _wanted_scale(program))
    _set_fonts(program)


def set_percent(text_percent: int) -> None:
    """Make text so many percent of the system's, everywhere and at once."""
    application().setProperty(_PERCENT, text_percent)
    _rescale(application())


def follow_system() -> None:
    """
    Look at the system's size of text again, and follow it.

    Call when the desktop's theme or the application's font may have changed. Some desktops tell a new font by setting
    that of the application: one that is not ours is theirs.
    """
    program, theme_px = application(), _theme_px()
    is_theirs = not QApplication.font().isFeatureSet(_USUAL)
    if theme_px != program.property(_THEME_PX):
        program.setProperty(_THEME_PX, theme_px)
        program.setProperty(_SYSTEM_PX, theme_px)
    elif is_theirs:
        program.setProperty(_SYSTEM_PX, QFontInfo(QApplication.font()).pixelSize())
    if is_theirs:
        _set_fonts(program)
    _rescale(program)


def application() -> QApplication:
    """Return the program's one application."""
    program = QApplication.instance()
    assert isinstance(program, QApplication)
    return program


def px(pixels: float) -> int:
    """Return a length that is made for text of the usual size for text of the size that there is, in logical pixels."""
    program = QApplication.instance()
    scale = program.property(_SCALE) if program is not None else None
    return round(pixels * (scale or 1.0))


def font(pixels: int = BODY_PX, weight: QFont.Weight = QFont.Weight.Normal) -> QFont:
    """Return the interface font with tabular figures; ``pixels``: its usual size."""
    made = QFont(_family())
    made.setWeight(weight)
    made.setFeature(_TABULAR_FIGURES, 1)
    return _of_size(made, pixels)


def fixed_font(pixels: int = BODY_PX) -> QFont:
    """Return the system's font whose letters are all equally wide; ``pixels``: its usual size."""
    return _of_size(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont), pixels)


def head_font() -> QFont:
    """Return the font of section heads: small capitals-only text with a little air."""
    made = font(SMALL_PX, QFont.Weight.DemiBold)
    made.setCapitalization(QFont.Capitalization.AllUppercase)
    made.setLetterSpacing(QFont.SpacingType.AbsoluteSpacing, 0.6)
    return made


def sized(widget: QWidget, **lengths: int) -> None:
    """
    Give a widget lengths that grow with its text, now and later; named by Qt's setters: ``fixed_height=48``.

    Raises:
        KeyError: If there is no such setter here.
    """
    known: dict[str, int] = widget.property(_LENGTHS) or {}
    for name in lengths:
        _SETTERS[name]  # before anything is changed
    widget.setProperty(_LENGTHS, {**known, **lengths})
    _set_lengths(widget, lengths)


_SETTERS: dict[str, Any] = {
    "fixed_width": QWidget.setFixedWidth,
    "fixed_height": QWidget.setFixedHeight,
    "minimum_width": QWidget.setMinimumWidth,
    "minimum_height": QWidget.setMinimumHeight,
    "maximum_width": QWidget.setMaximumWidth,
}


def _set_lengths(widget: QWidget, lengths: dict[str, int]) -> None:
    for name, usual in lengths.items():
        _SETTERS[name](widget, px(usual))


def _rescale(program: QApplication) -> None:
    """Give everything the size that it has now."""
    scale = _wanted_scale(program)
    if scale == program.property(_SCALE):
        return
    program.setProperty(_SCALE, scale)
    _set_fonts(program)
    for widget in QApplication.allWidgets():
        worn = widget.font()
        # Not every widget whose font was never set follows the one around it: a stylesheet may have come between.
        if worn.isFeatureSet(_USUAL) and worn.pixelSize() != max(px(worn.featureValue(_USUAL)), 1):
            widget.setFont(_of_size(worn, worn.featureValue(_USUAL)))
        _set_lengths(widget, widget.property(_LENGTHS) or {})
        widget.updateGeometry()


def _set_fonts(program: QApplication) -> None:
    program.setFont(font())
    QToolTip.setFont(font(12))


def _of_size(made: QFont, pixels: int) -> QFont:
    """Return the font, of that usual size."""
    made.setFeature(_USUAL, pixels)
    made.setPixelSize(max(px(pixels), 1))
    return made


def _wanted_scale(program: QApplication) -> float:
    usual = _USUAL_SYSTEM_PX.get(sys.platform, BODY_PX)
    return float(max(program.property(_SYSTEM_PX) / usual, 1.0) * program.property(_PERCENT) / 100)


def _theme_px() -> int:
    return QFontInfo(QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont)).pixelSize()


@lru_cache(maxsize=1)
def _family() -> str:
    # macOS and Windows have a good interface font with tabular figures; elsewhere it may be anything.
    if sys.platform not in ("darwin", "win32") and "Inter" in QFontDatabase.families():
        return "Inter"
    return QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont).family()
