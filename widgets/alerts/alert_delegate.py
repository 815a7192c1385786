"""Paints the list of alerts: two lines for each, icons for how it tells, a switch for whether it watches."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from app.market.alerts.stored_alert import AlertState
from widgets.alerts.alert_views import AlertRow
from widgets.alerts.alerts_model import COLUMNS, ROW_ROLE, Column
from widgets.theme import icons, style
from widgets.theme.palettes import DARK, Palette

ROW_PX = 44
_ICON_PX, _PADDING_PX = 16, 12
SWITCH_PX = (28, 16)


class AlertDelegate(QStyledItemDelegate):
    """Paints `AlertRow` values in the palette's colours; plain cells are Qt's."""

    def __init__(self) -> None:
        super().__init__()
        self._palette = DARK

    def set_palette(self, palette: Palette) -> None:
        """Use these colours from the next paint on."""
        self._palette = palette

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(super().sizeHint(option, index).width(), style.px(ROW_PX))

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        column, row = COLUMNS[index.column()], index.data(ROW_ROLE)
        option.state &= ~QStyle.StateFlag.State_HasFocus  # the row's ground says it
        super().paint(painter, option, index) if column not in (Column.ALERT,) else self._paint_ground(painter, option)
        painter.save()
        if column is Column.ALERT:
            rect = option.rect.adjusted(style.px(_PADDING_PX), 0, -4, 0)
            paint_alert(painter, self._palette, rect, row, row.words)
        elif column is Column.TELLS:
            self._paint_tells(painter, option.rect, row)
        elif column is Column.ON:
            paint_switch(painter, self._palette, option.rect, row)
        painter.restore()

    def _paint_ground(self, painter: QPainter, option: QStyleOptionViewItem) -> None:
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(option.rect, QColor(self._palette.selected))
            edge = QRect(option.rect)
            edge.setWidth(2)
            painter.fillRect(edge, QColor(self._palette.accent))

    def _paint_tells(self, painter: QPainter, rect: QRect, row: AlertRow) -> None:
        size, ratio = style.px(_ICON_PX), painter.device().devicePixelRatioF()
        x, y = rect.left() + style.px(4), rect.center().y() - size / 2
        for name, is_on in (("screen", row.notifies), ("speaker", row.sounds)):
            if is_on:
                painter.drawPixmap(QPointF(x, y), icons.pixmap(name, self._palette.dim, size, ratio))
            x += size + style.px(4)


def paint_alert(
    painter: QPainter, palette: Palette, rect: QRect, row: AlertRow, words: str, *, aside: str = "", faint: bool = False
) -> None:
    """
    Paint an alert's icon, its title, and below that ``words`` and, at the right, ``aside``.

    ``faint``: as one that does not watch.
    """
    size, ratio, left = style.px(_ICON_PX), painter.device().devicePixelRatioF(), rect.left()
    pixmap = icons.pixmap(row.icon, palette.dim if faint else palette.accent, size, ratio)
    painter.drawPixmap(QPointF(left, rect.center().y() - size / 2), pixmap)
    left += size + style.px(_PADDING_PX)
    width = rect.right() - left
    small = style.font(style.SMALL_PX)
    aside_width = QFontMetrics(small).horizontalAdvance(aside)
    lower = QRect(left, rect.top() + style.px(23), width, style.px(18))
    painter.setFont(small)
    painter.setPen(QColor(palette.dim))
    painter.drawText(lower, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, aside)
    for text, font, colour, top, room in (
        (row.title, style.font(weight=QFont.Weight.Medium), palette.dim if faint else palette.text, 4, width),
        (words, small, palette.dim, 23, width - aside_width - (style.px(_PADDING_PX) if aside else 0)),
    ):
        painter.setFont(font)
        painter.setPen(QColor(colour))
        elided = QFontMetrics(font).elidedText(text, Qt.TextElideMode.ElideRight, room)
        line = QRect(left, rect.top() + style.px(top), room, style.px(18))
        painter.drawText(line, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, elided)


def paint_switch(painter: QPainter, palette: Palette, rect: QRect, row: AlertRow) -> None:
    """Paint whether an alert watches, in the middle of ``rect``; one that has ended has no switch."""
    if row.state not in (AlertState.WAITING, AlertState.PAUSED):
        return
    is_on = row.state is AlertState.WAITING
    width, height = (style.px(one) for one in SWITCH_PX)
    track = QRectF(0, 0, width, height)
    track.moveCenter(QPointF(rect.center()))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(palette.fill if is_on else palette.faint))
    painter.drawRoundedRect(track, height / 2, height / 2)
    painter.setBrush(QColor("#ffffff"))
    knob = height - 4
    left = track.right() - knob - 2 if is_on else track.left() + 2
    painter.drawEllipse(QRectF(left, track.top() + 2, knob, knob))
