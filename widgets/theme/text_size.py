"""
The size of text, and of everything that grows with it: the system's size times the percent that the user chose.

Both may change while the program runs. Fonts from `font`, and lengths set by `sized`, remember their usual size, so
that `set_percent` and `follow_system` can give every widget the size it would have had from the start. Code that
computes a length in its layout or painting calls `px` and `font` each time.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import Any

from PySide6.QtCore import QSize
from PySide6.QtGui import QFont, QFontDatabase, QFontInfo
from PySide6.QtWidgets import QApplication, QToolTip, QWidget

# In logical pixels, at the usual size of text.
BODY_PX = 13
SMALL_PX = 11

_USUAL_SYSTEM_PX = {"win32": 12, "darwin": 13}
# Properties of the application.
_SCALE, _PERCENT, _SYSTEM_PX, _THEME_PX = (
    f"cryptopipe{name}" for name in ("TextScale", "TextPercent", "SystemPixels", "ThemePixels")
)
_LENGTHS = "cryptopipeLengths"  # a property of a widget: its usual lengths, by the names of their setters
# A font remembers its usual size as a feature that no typeface has: Qt copies features along with a font.
_USUAL_PX = QFont.Tag("zzPX")
_TABULAR_FIGURES = QFont.Tag("tnum")


def prepare(program: QApplication, text_percent: int) -> None:
    """Set the size of text from the system's and the user's. Call before there is any widget."""
    program.setProperty(_PERCENT, text_percent)
    program.setProperty(_THEME_PX, _theme_px())
    program.setProperty(_SYSTEM_PX, _theme_px())
    program.setProperty(_SCALE, _wanted_scale(program))
    _set_fonts(program)


def set_percent(text_percent: int) -> None:
    """Make all text this many percent of the system's, at once."""
    application().setProperty(_PERCENT, text_percent)
    _rescale(application())


def follow_system() -> None:
    """
    Read the system's size of text again, and follow it.

    Call when the desktop's theme or the application's font may have changed. Some desktops announce a new font by
    setting it on the application: a font that does not come from here is theirs.
    """
    program, theme_px = application(), _theme_px()
    is_theirs = not QApplication.font().isFeatureSet(_USUAL_PX)
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
    """Scale a length that fits text of the usual size to the current size of text, in whole logical pixels."""
    program = QApplication.instance()
    scale = program.property(_SCALE) if program is not None else None
    return round(pixels * (scale or 1.0))


def font(pixels: int = BODY_PX, weight: QFont.Weight = QFont.Weight.Normal) -> QFont:
    """Return the interface font with tabular figures. ``pixels`` is its usual size."""
    result = QFont(_family())
    result.setWeight(weight)
    result.setFeature(_TABULAR_FIGURES, 1)
    return _of_size(result, pixels)


def fixed_font(pixels: int = BODY_PX) -> QFont:
    """Return the system's monospaced font. ``pixels`` is its usual size."""
    return _of_size(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont), pixels)


def head_font() -> QFont:
    """Return the font of section heads: small, all capitals, letters slightly apart."""
    result = font(SMALL_PX, QFont.Weight.DemiBold)
    result.setCapitalization(QFont.Capitalization.AllUppercase)
    result.setLetterSpacing(QFont.SpacingType.AbsoluteSpacing, 0.6)
    return result


def sized(widget: QWidget, **lengths: int) -> None:
    """
    Give a widget lengths that grow with its text, now and later.

    Each is named after a setter of Qt: ``fixed_height=48``; ``icon_size`` is the side of a button's icon.

    Raises:
        KeyError: If `_SETTERS` lacks a name; no length is set then.
    """
    known: dict[str, int] = widget.property(_LENGTHS) or {}
    for name in lengths:
        _SETTERS[name]  # raises before anything is set
    widget.setProperty(_LENGTHS, {**known, **lengths})
    _set_lengths(widget, lengths)


_SETTERS: dict[str, Any] = {
    "fixed_width": QWidget.setFixedWidth,
    "fixed_height": QWidget.setFixedHeight,
    "minimum_width": QWidget.setMinimumWidth,
    "minimum_height": QWidget.setMinimumHeight,
    "maximum_width": QWidget.setMaximumWidth,
    "icon_size": lambda button, side: button.setIconSize(QSize(side, side)),
}


def _set_lengths(widget: QWidget, lengths: dict[str, int]) -> None:
    for name, usual in lengths.items():
        _SETTERS[name](widget, px(usual))


def _rescale(program: QApplication) -> None:
    """Apply the current size of text to the application and every widget."""
    scale = _wanted_scale(program)
    if scale == program.property(_SCALE):
        return
    program.setProperty(_SCALE, scale)
    _set_fonts(program)
    for widget in QApplication.allWidgets():
        current = widget.font()
        # Every widget: even one whose font was never set may not inherit its parent's, where a stylesheet intervenes.
        if current.isFeatureSet(_USUAL_PX) and current.pixelSize() != max(px(current.featureValue(_USUAL_PX)), 1):
            widget.setFont(_of_size(current, current.featureValue(_USUAL_PX)))
        _set_lengths(widget, widget.property(_LENGTHS) or {})
        widget.updateGeometry()


def _set_fonts(program: QApplication) -> None:
    program.setFont(font())
    QToolTip.setFont(font(12))


def _of_size(target: QFont, pixels: int) -> QFont:
    """Set the font's usual size and the pixels that follow from it; return the font."""
    target.setFeature(_USUAL_PX, pixels)
    target.setPixelSize(max(px(pixels), 1))
    return target


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
