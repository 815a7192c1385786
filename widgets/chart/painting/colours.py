"""The chart's colours, mixed once from a theme's palette."""

from __future__ import annotations

from PySide6.QtGui import QColor

from widgets.chart.model.legend import Tone
from widgets.chart.painting.device_pixels import contrast, mixed
from widgets.theme.palettes import Palette

_WHITE, _NEARLY_BLACK = QColor("#ffffff"), QColor("#0e1217")
_LEAST_CONTRAST = 4.5  # by WCAG 2; below it, white text gives way to nearly black


class Colours:
    """
    The palette's colours and the mixtures that the items paint with.

    Faint colours are mixed with the background instead of being transparent: opaque fills are several times faster.
    """

    def __init__(self, palette: Palette) -> None:
        self.palette = palette
        self.background = QColor(palette.background)
        self.grid, self.line = QColor(palette.grid), QColor(palette.line)
        self.text, self.dim, self.faint = QColor(palette.text), QColor(palette.dim), QColor(palette.faint)
        self.rising, self.falling = QColor(palette.rising), QColor(palette.falling)
        self.on_rising, self.on_falling = text_on(self.rising), text_on(self.falling)
        self.warning = QColor(palette.warning)
        self.label = mixed(palette.background, palette.text, 0.16)
        self.shade = mixed(palette.background, palette.text, 0.035)
        self.tones = {
            Tone.TITLE: self.text,
            Tone.LABEL: self.dim,
            Tone.VALUE: self.text,
            Tone.RISING: self.rising,
            Tone.FALLING: self.falling,
            Tone.WARNING: self.warning,
            Tone.LINK: self.warning,
            Tone.FAINT: self.dim,
            Tone.ACCENT: QColor(palette.accent),
            **{tone: line_colour(palette, number) for tone, number in _LINE_TONES.items()},
        }
        self.accent = QColor(palette.accent)
        self.spread = mixed(palette.background, palette.accent, 0.16)
        self.crosshair = mixed(palette.background, palette.text, 0.45)
        self.level = self.frame = frame_colour(palette)
        self.closed = mixed(palette.background, palette.text, 0.22)  # the line where closed time is left out
        # Index with [is rising][is complete].
        self.candles = _faded(palette, 1.0, 0.4)
        self.volumes = _faded(palette, 0.5, 0.22)


# The first half is offered by name; the other lines of a crowded chart take from the second.
LINES_ON_DARK = (
    *("#e0a83a", "#6fa0ff", "#b48ef0", "#3fc1d6", "#f08cb8", "#9cc25c", "#e08a5a", "#aab6c2"),
    *("#e6dd6a", "#7c7cff", "#e3a6ff", "#8fd9c8", "#d69a94", "#c5e88a", "#c7a26b", "#dfe6ee"),
)
LINES_ON_LIGHT = (
    *("#946709", "#2f6fe0", "#7d4fc4", "#0b7f96", "#bb3f80", "#5c7a16", "#b0541f", "#56636f"),
    *("#5f5f00", "#3a2fae", "#a02cb5", "#00695f", "#9a4c44", "#1f7d3f", "#6b3f14", "#2c3742"),
)
LINE_COLOURS = len(LINES_ON_DARK)
# Of compared symbols: all that are offered by name but blue, which is like the accent of the chart's own line.
_LINE_TONES = {
    Tone.LINE_1: 0,
    Tone.LINE_2: 2,
    Tone.LINE_3: 3,
    Tone.LINE_4: 4,
    Tone.LINE_5: 5,
    Tone.LINE_6: 6,
    Tone.LINE_7: 7,
}


def line_colour(palette: Palette, number: int) -> QColor:
    """Return the line colour of a number, from 0; numbers beyond the last colour start over."""
    is_dark = QColor(palette.background).lightness() < 128
    return QColor((LINES_ON_DARK if is_dark else LINES_ON_LIGHT)[number % LINE_COLOURS])


def line_tone(number: int) -> Tone:
    """Return the tone of a compared symbol's line, from 0; numbers beyond the last one start over."""
    return tuple(_LINE_TONES)[number % len(_LINE_TONES)]


def frame_colour(palette: Palette) -> QColor:
    """Return the colour of a frame around what stands over the chart."""
    return mixed(palette.background, palette.text, 0.28)


def text_on(ground: QColor) -> QColor:
    """Return the text colour for a label of colour ``ground``: white where that has 4.5:1, else nearly black."""
    return QColor(_WHITE if contrast(_WHITE, ground) >= _LEAST_CONTRAST else _NEARLY_BLACK)


def _faded(palette: Palette, complete: float, incomplete: float) -> tuple[tuple[QColor, QColor], ...]:
    return tuple(
        (mixed(palette.background, colour, incomplete), mixed(palette.background, colour, complete))
        for colour in (palette.falling, palette.rising)
    )
