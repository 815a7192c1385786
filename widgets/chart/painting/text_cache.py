"""Text for the chart: fonts with tabular figures, and QStaticTexts laid out once and painted many times."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QFont, QFontInfo, QFontMetricsF, QPainter, QStaticText

from widgets.chart.painting.device_pixels import DevicePixels
from widgets.theme.style import BODY_PX

_MOST_TEXTS = 1024  # per style; beyond, the cache starts over, which costs one frame
_FIGURES = str.maketrans("123456789", "0" * 9)

PlacedText = tuple[str, float, float]  # text, x of its left end, y of its middle


class TextStyle:
    """One font, its metrics, and a cache of texts laid out in it."""

    def __init__(self, font: QFont) -> None:
        self.font = font
        self._metrics = QFontMetricsF(font)
        self.ascent, self.height = self._metrics.ascent(), self._metrics.height()
        self._laid_out: dict[str, tuple[QStaticText, float]] = {}
        self._widths: dict[str, float] = {}
        self._has_tabular_figures = len({self._metrics.horizontalAdvance(f"{d},{d}.{d} {d}%") for d in range(10)}) == 1

    def width(self, text: str) -> float:
        return (self._laid_out.get(text) or self._lay_out(text))[1]

    def draw(self, painter: QPainter, pixels: DevicePixels, text: str, x: float, middle: float, colour: QColor) -> None:
        """Paint ``text`` from ``x`` on, vertically centred on ``middle``. The painter must be in logical pixels."""
        self.draw_all(painter, pixels, [(text, x, middle)], colour)

    def draw_all(self, painter: QPainter, pixels: DevicePixels, texts: Iterable[PlacedText], colour: QColor) -> None:
        """Paint texts, each from its x on, centred on its middle. The painter must be in logical pixels."""
        painter.setFont(self.font)
        painter.setPen(colour)
        laid_out, scale, dx, dy, up = self._laid_out, pixels.scale, pixels.dx, pixels.dy, self.height / 2
        for text, x, middle in texts:
            static, _ = laid_out.get(text) or self._lay_out(text)
            # Rounded to a device pixel, so that letters are sharp.
            left, top = (round(x * scale + dx) - dx) / scale, (round((middle - up) * scale + dy) - dy) / scale
            painter.drawStaticText(QPointF(left, top), static)

    def _lay_out(self, text: str) -> tuple[QStaticText, float]:
        if len(self._laid_out) >= _MOST_TEXTS:
            self._laid_out.clear()
        static = QStaticText(text)
        static.setTextFormat(Qt.TextFormat.PlainText)
        static.setPerformanceHint(QStaticText.PerformanceHint.AggressiveCaching)
        known = self._laid_out[text] = static, self._width(text)
        return known

    def _width(self, text: str) -> float:
        # Prices mostly differ in their digits, and tabular digits are equally wide: one width serves them all.
        shape = text.translate(_FIGURES) if self._has_tabular_figures else text
        width = self._widths.get(shape)
        if width is None:
            if len(self._widths) >= _MOST_TEXTS:
                self._widths.clear()
            width = self._widths[shape] = self._metrics.horizontalAdvance(shape)
        return width


class TextStyles:
    """The chart's styles, all from the window's font; ``scale``: its size relative to the usual one, at least 1."""

    def __init__(self, base: QFont) -> None:
        pixels = max(QFontInfo(base).pixelSize(), 9)
        self.scale = max(pixels / BODY_PX, 1.0)
        self.body = TextStyle(_tabular(base, pixels))
        self.bold = TextStyle(_tabular(base, pixels, QFont.Weight.DemiBold))
        self.small = TextStyle(_tabular(base, max(pixels - 1, 9)))
        self.small_bold = TextStyle(_tabular(base, max(pixels - 1, 9), QFont.Weight.DemiBold))
        self.tiny = TextStyle(_tabular(base, max(pixels - 2, 9)))


def _tabular(base: QFont, pixels: int, weight: QFont.Weight = QFont.Weight.Normal) -> QFont:
    font = QFont(base)
    font.setPixelSize(pixels)
    font.setWeight(weight)
    # Tabular figures, so that prices do not shift sideways as digits change.
    font.setFeature(QFont.Tag("tnum"), 1)
    return font
