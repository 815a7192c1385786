"""The chart's text: fonts with tabular figures, and QStaticText that is laid out once and painted many times."""

from __future__ import annotations

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QFont, QFontInfo, QFontMetricsF, QPainter, QStaticText

from widgets.chart.pixels import DevicePixels

_MOST_TEXTS = 1024


class TextStyle:
    """One font, its measures, and what was laid out in it."""

    def __init__(self, font: QFont) -> None:
        self.font = font
        self._metrics = QFontMetricsF(font)
        self.ascent, self.height = self._metrics.ascent(), self._metrics.height()
        self._laid_out: dict[str, tuple[QStaticText, float]] = {}

    def width(self, text: str) -> float:
        return self._get(text)[1]

    def draw(self, painter: QPainter, pixels: DevicePixels, text: str, x: float, middle: float, colour: QColor) -> None:
        """Paint ``text`` from ``x`` on, vertically about ``middle``; the painter must be in logical pixels."""
        static, _ = self._get(text)
        painter.setFont(self.font)
        painter.setPen(colour)
        painter.drawStaticText(QPointF(*pixels.snapped(x, middle - self.height / 2)), static)

    def _get(self, text: str) -> tuple[QStaticText, float]:
        known = self._laid_out.get(text)
        if known is None:
            if len(self._laid_out) >= _MOST_TEXTS:
                self._laid_out.clear()
            static = QStaticText(text)
            static.setTextFormat(Qt.TextFormat.PlainText)
            static.setPerformanceHint(QStaticText.PerformanceHint.AggressiveCaching)
            known = self._laid_out[text] = static, self._metrics.horizontalAdvance(text)
        return known


class TextStyles:
    """The chart's few styles, all of the window's own font."""

    def __init__(self, base: QFont) -> None:
        pixels = max(QFontInfo(base).pixelSize(), 9)
        self.body = TextStyle(_tabular(base, pixels))
        self.bold = TextStyle(_tabular(base, pixels, QFont.Weight.DemiBold))
        self.small = TextStyle(_tabular(base, max(pixels - 1, 9)))
        self.small_bold = TextStyle(_tabular(base, max(pixels - 1, 9), QFont.Weight.DemiBold))
        self.tiny = TextStyle(_tabular(base, max(pixels - 2, 9)))


def _tabular(base: QFont, pixels: int, weight: QFont.Weight = QFont.Weight.Normal) -> QFont:
    font = QFont(base)
    font.setPixelSize(pixels)
    font.setWeight(weight)
    # So that prices never shift sideways as digits change.
    font.setFeature(QFont.Tag("tnum"), 1)
    return font
