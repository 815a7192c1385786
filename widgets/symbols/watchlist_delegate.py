"""
Draws one row of the watchlist: name, last price and 24 h change; under them trades per minute, best bid and ask.

Last prices and changes end in columns of their own, which all rows share; the heads above stand at the same places.

A dot before the name means that the symbol is being recorded; a ring, that its connection is down at present. A symbol
that does not trade says so in place of its figures. Figures that are not live are dimmed.
"""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPen
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from app.market.symbol import Symbol
from widgets.controls.number_format import UNKNOWN, compact, direction, percent, price
from widgets.theme import style
from widgets.theme.palettes import DARK, Palette
from widgets.view_values import WatchRow

ROW_ROLE = Qt.ItemDataRole.UserRole
CHOSEN_ROLE = Qt.ItemDataRole.UserRole + 1
ROW_HEIGHT = 44
PADDING = 16

_GAP = 14
_SPACE = 4  # between “bid” and its price
_TIGHT_GAP = 8  # where a long name meets a long price
_EDGE = 2
_DOT = 5
_RING = 1.5
_SMALLEST_PX = 6
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class WatchlistDelegate(QStyledItemDelegate):
    """Paints `WatchRow` values in the palette's colours. The change has its own column, so that prices line up."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._palette = DARK
        self._widest_change = percent(0.0)
        self._update_fonts()

    def set_widest_change(self, change_percent: float) -> bool:
        """Make the changes' column wide enough for this one; return whether its width changed."""
        before, text = self.change_width(), percent(-change_percent)
        if text == self._widest_change:  # most calls: a price has changed, and no row's change is wider than before
            return False
        self._widest_change = text
        self._update_fonts()
        return self._change_width != before

    def change_width(self) -> int:
        """Return the width of the changes' column in logical pixels."""
        if self._body_px != style.px(style.BODY_PX):  # a delegate is no widget: Qt does not announce new fonts to it
            self._update_fonts()
        return self._change_width

    def column_ends(self, width: int) -> tuple[int, int]:
        """Return where the columns of last prices and of changes end, at their right, in a list that wide."""
        return width - PADDING - self.change_width() - self._change_gap, width - PADDING

    def _update_fonts(self) -> None:
        self._font, self._body_px = style.font(), style.px(style.BODY_PX)
        self._strong = style.font(weight=QFont.Weight.Medium)
        self._strong_metrics = QFontMetrics(self._strong)
        self._small = style.font(style.SMALL_PX)
        self._small_metrics = QFontMetrics(self._small)
        self._by_size: dict[int, tuple[QFont, QFontMetrics]] = {}
        metrics = self._sized(self._font.pixelSize())[1]
        texts = (percent(-88.8), self._widest_change)
        usual, self._change_width = (metrics.horizontalAdvance(text) for text in texts)
        self._change_gap = _GAP if self._change_width <= usual else _TIGHT_GAP
        self._change_width = max(self._change_width, usual)

    def _sized(self, pixels: int) -> tuple[QFont, QFontMetrics]:
        """Return the font of figures in that size, and its metrics, which cost more to make than the text to draw."""
        known = self._by_size.get(pixels)
        if known is None:
            font = QFont(self._font)
            font.setPixelSize(pixels)
            known = self._by_size[pixels] = font, QFontMetrics(font)
        return known

    def set_palette(self, palette: Palette) -> None:
        """Use these colours from the next paint on."""
        self._palette = palette

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(0, style.px(ROW_HEIGHT))

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        rect: QRect = option.rect
        state: QStyle.StateFlag = option.state
        row: WatchRow = index.data(ROW_ROLE)
        self.change_width()  # the fonts of the present size of text
        painter.save()
        self._paint_background(painter, rect, state, chosen=bool(index.data(CHOSEN_ROLE)))
        inner, first = rect.adjusted(PADDING, style.px(5), -PADDING, 0), style.px(18)
        if row.recorded and not row.symbol.trouble:
            self._paint_dot(painter, rect, live=row.receiving)
        self._paint_first_line(painter, QRect(inner.left(), inner.top(), inner.width(), first), row)
        self._paint_second_line(painter, QRect(inner.left(), inner.top() + first, inner.width(), style.px(16)), row)
        painter.restore()

    def _paint_background(self, painter: QPainter, rect: QRect, state: QStyle.StateFlag, *, chosen: bool) -> None:
        if chosen or state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(rect, QColor(self._palette.raised))
        if chosen:
            painter.fillRect(QRect(rect.left(), rect.top(), _EDGE, rect.height()), QColor(self._palette.accent))
        if state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(QColor(self._palette.accent))
            painter.drawRect(rect.adjusted(0, 0, -1, -1))

    def _paint_dot(self, painter: QPainter, rect: QRect, *, live: bool) -> None:
        dot = QRectF(rect.left() + (PADDING - _DOT) // 2 + 1, rect.top() + style.px(13), _DOT, _DOT)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if live:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(self._palette.rising))
            painter.drawEllipse(dot)
        else:
            painter.setPen(QPen(QColor(self._palette.warning), _RING))
            painter.drawEllipse(dot.adjusted(_RING / 2, _RING / 2, -_RING / 2, -_RING / 2))
        painter.restore()

    def _paint_first_line(self, painter: QPainter, line: QRect, row: WatchRow) -> None:
        tone = direction(row.change_percent) if row.live else "faint"
        change = percent(row.change_percent)
        painter.setFont(self._font)
        painter.setPen(QColor(getattr(self._palette, tone) if tone else self._palette.dim))
        painter.drawText(line, _RIGHT, change)
        room = line.width() - self._change_width - self._change_gap
        last = price(row.last, row.symbol)
        name_width = self._strong_metrics.horizontalAdvance(row.symbol.display_name)
        font, last_width = self._fitting_font(last, room - name_width - _TIGHT_GAP)
        painter.setFont(font)
        painter.setPen(QColor(self._palette.text if row.last is not None and row.live else self._palette.faint))
        painter.drawText(line.adjusted(0, 0, room - line.width(), 0), _RIGHT, last)
        gap = _GAP if name_width + _GAP + last_width <= room else _TIGHT_GAP
        painter.setFont(self._strong)
        painter.setPen(QColor(self._palette.dim if row.symbol.trouble else self._palette.text))
        name = QRect(line.left(), line.top(), max(room - last_width - gap, 0), line.height())
        _draw_elided(painter, name, row.symbol.display_name, self._strong_metrics)
        self._paint_broker(painter, name.adjusted(name_width + _SPACE, 0, 0, 0), row.symbol)

    def _paint_broker(self, painter: QPainter, room: QRect, symbol: Symbol) -> None:
        """Draw the broker beside the name where it has room; the tool tip says it anyway."""
        if symbol.broker_note and self._small_metrics.horizontalAdvance(symbol.broker_note) <= room.width():
            painter.setFont(self._small)
            painter.setPen(QColor(self._palette.dim))
            painter.drawText(room, _LEFT, symbol.broker_note)

    def _fitting_font(self, figure: str, room: int) -> tuple[QFont, int]:
        """Return a font in which a figure has room, and its width: a part of it would be another figure."""
        pixels = self._font.pixelSize()
        font, metrics = self._sized(pixels)
        while pixels > _SMALLEST_PX and metrics.horizontalAdvance(figure) > room:
            pixels -= 1
            font, metrics = self._sized(pixels)
        return font, metrics.horizontalAdvance(figure)

    def _paint_second_line(self, painter: QPainter, line: QRect, row: WatchRow) -> None:
        painter.setFont(self._small)
        if row.symbol.trouble:
            painter.setPen(QColor(self._palette.warning))
            painter.drawText(line, _LEFT, row.symbol.trouble)
            return
        metrics, space = self._small_metrics, style.px(_SPACE)
        right = line.right() + 1
        for caption, value in (("ask", row.ask), ("bid", row.bid)):
            text = price(value, row.symbol)
            text_width, caption_width = metrics.horizontalAdvance(text), metrics.horizontalAdvance(caption)
            if right - text_width - caption_width - space < line.left():
                break  # a pair leaves as a whole: a cut figure would be another one
            painter.setPen(QColor(self._palette.dim if value is not None and row.live else self._palette.faint))
            painter.drawText(QRect(line.left(), line.top(), right - line.left(), line.height()), _RIGHT, text)
            right -= text_width + space
            painter.setPen(QColor(self._palette.faint))
            painter.drawText(QRect(line.left(), line.top(), right - line.left(), line.height()), _RIGHT, caption)
            right -= caption_width + 2 * space
        rate = compact(row.trades_per_minute)
        text = rate if rate == UNKNOWN else f"{rate}/min"
        room = QRect(line.left(), line.top(), max(right - line.left(), 0), line.height())
        _draw_elided(painter, room, text, metrics)


def _draw_elided(painter: QPainter, rect: QRect, text: str, metrics: QFontMetrics) -> None:
    painter.drawText(rect, _LEFT, metrics.elidedText(text, Qt.TextElideMode.ElideRight, rect.width()))
