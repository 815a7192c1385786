"""The colours of indicators' lines: eight that are told apart, for each theme."""

from __future__ import annotations

from PySide6.QtGui import QColor

from widgets.theme import Palette

_ON_DARK = ("#e0a83a", "#6fa0ff", "#b48ef0", "#3fc1d6", "#f08cb8", "#9cc25c", "#e08a5a", "#aab6c2")
_ON_LIGHT = ("#b07b10", "#2f6fe0", "#7d4fc4", "#0b7f96", "#bb3f80", "#5c7a16", "#b0541f", "#56636f")
COUNT = len(_ON_DARK)


def line_colour(palette: Palette, number: int) -> QColor:
    """Return the colour of that number, counted from 0; after the last comes the first again."""
    is_dark = QColor(palette.background).lightness() < 128
    return QColor((_ON_DARK if is_dark else _ON_LIGHT)[number % COUNT])
