"""
A bar that shows which part of a range is stored, comes from the exchange, or is not to be had; its legend.

Unavailable parts have the colour of a warning; parts to be fetched are hatched, so the bar can be read without colours,
too. An unavailable part gets at least one pixel.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from types import MappingProxyType

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QWidget

from app.market.availability import Origin, Stretch
from widgets.controls.flow_layout import FlowLayout
from widgets.controls.labels import label
from widgets.theme import style
from widgets.theme.palettes import DARK, Palette

_HEIGHT_PX, _SWATCH_PX = 12, 12
_KLINES_ALPHA = 107  # 42 %
_HATCH_STEP_PX = 5.0
ORIGIN_WORDS = {
    Origin.TRADES: "From stored trades",
    Origin.KLINES: "Exchange's candles, stored",
    Origin.FETCH: "To be fetched",
    Origin.NOWHERE: "Not to be had",
}
QUOTE_WORDS = ORIGIN_WORDS | {Origin.TRADES: "From stored quotes", Origin.KLINES: "Broker's candles, stored"}
"""The same for candles of quotes."""


class AvailabilityBar(QWidget):
    """The bar alone. ``done``: how many of the candles have been delivered so far; they are no longer to be fetched."""

    def __init__(self) -> None:
        super().__init__()
        self._stretches: Sequence[Stretch] = ()
        self._done = 0
        self._palette = DARK
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("What of the range is stored")

    def set_stretches(self, stretches: Sequence[Stretch]) -> None:
        """Show these, which follow each other."""
        self._stretches, self._done = stretches, 0
        self.update()

    @property
    def total(self) -> int:
        """How many candles the range has, as far as is known."""
        return self._stretches[-1].last + 1 - self._stretches[0].first if self._stretches else 0

    def set_done(self, candles: int) -> None:
        """Show so many candles of the range, from its beginning, as delivered."""
        self._done = candles
        self.update()

    def set_palette(self, palette: Palette) -> None:
        """Use the colours of a theme."""
        self._palette = palette
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(240, _HEIGHT_PX)

    def minimumSizeHint(self) -> QSize:
        return QSize(80, _HEIGHT_PX)

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        whole = QRectF(self.rect())
        rounded = QPainterPath()
        rounded.addRoundedRect(whole, 3, 3)
        painter.setClipPath(rounded)
        painter.fillRect(whole, QColor(self._palette.line))
        if self._stretches:
            first = self._stretches[0].first
            total = self.total
            # What is missing last, over its neighbours: a pixel of it must not be lost.
            for stretch in sorted(self._stretches, key=lambda one: one.origin is Origin.NOWHERE):
                left = (stretch.first - first) / total * whole.width()
                right = (stretch.last + 1 - first) / total * whole.width()
                reached = min(max(self._done / total * whole.width(), left), right)
                if stretch.origin is Origin.FETCH and reached > left:
                    paint_origin(painter, QRectF(left, 0, reached - left, whole.height()), Origin.KLINES, self._palette)
                    left = reached
                if right > left:
                    area = QRectF(left, 0, max(right - left, 1.0), whole.height())
                    paint_origin(painter, area, stretch.origin, self._palette)
        painter.end()


class _Swatch(QWidget):
    def __init__(self, origin: Origin) -> None:
        super().__init__()
        self._origin = origin
        self._palette = DARK
        self.setFixedSize(_SWATCH_PX, _SWATCH_PX)

    def set_palette(self, palette: Palette) -> None:
        self._palette = palette
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        rounded = QPainterPath()
        rounded.addRoundedRect(QRectF(self.rect()), 2, 2)
        painter.setClipPath(rounded)
        paint_origin(painter, QRectF(self.rect()), self._origin, self._palette)
        painter.end()


class OriginLegend(QWidget):
    """Swatches of the origins that occur, each with its name in small text."""

    def __init__(self, words: Mapping[Origin, str] = MappingProxyType(ORIGIN_WORDS)) -> None:
        super().__init__()
        self._entries: dict[Origin, QWidget] = {}
        self._swatches: list[_Swatch] = []
        small = style.font(style.SMALL_PX)
        self.setLayout(FlowLayout.of(*(self._entry(origin, text, small) for origin, text in words.items()), spacing=16))

    @property
    def texts(self) -> list[str]:
        """The names that are shown."""
        return [
            text.text()
            for entry in self._entries.values()
            if not entry.isHidden()
            for text in entry.findChildren(QLabel)
        ]

    def show_origins(self, origins: Container[Origin], words: Mapping[Origin, str] = MappingProxyType({})) -> None:
        """Show only these; ``words``: new names for some of them."""
        for origin, entry in self._entries.items():
            entry.setVisible(origin in origins)
            for text in entry.findChildren(QLabel):
                text.setText(words.get(origin, text.text()))

    def set_palette(self, palette: Palette) -> None:
        """Use the colours of a theme."""
        for swatch in self._swatches:
            swatch.set_palette(palette)

    def _entry(self, origin: Origin, text: str, font: QFont) -> QWidget:
        entry, swatch = QWidget(), _Swatch(origin)
        row = QHBoxLayout(entry)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        row.addWidget(swatch)
        row.addWidget(label(text, "dim", font))
        self._entries[origin] = entry
        self._swatches.append(swatch)
        return entry


def paint_origin(painter: QPainter, area: QRectF, origin: Origin, palette: Palette) -> None:
    """Fill the area with the colour, or the hatching, of that origin."""
    if origin is Origin.FETCH:
        painter.save()
        painter.setClipRect(area, Qt.ClipOperation.IntersectClip)
        painter.fillRect(area, QColor(palette.background))
        painter.setPen(QPen(QColor(palette.accent), 1.2))
        # Counted from the bar's beginning, so that lines stay where they are while the area shrinks.
        at = (area.left() - area.height()) // _HATCH_STEP_PX * _HATCH_STEP_PX
        while at < area.right():
            painter.drawLine(QPointF(at, area.bottom()), QPointF(at + area.height(), area.top()))
            at += _HATCH_STEP_PX
        painter.restore()
        return
    colour = QColor(palette.warning if origin is Origin.NOWHERE else palette.accent)
    if origin is Origin.KLINES:
        colour.setAlpha(_KLINES_ALPHA)
        painter.fillRect(area, QColor(palette.background))
    painter.fillRect(area, colour)
