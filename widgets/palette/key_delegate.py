"""Draws the rows of the dialog that changes keys, and says them in words."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPen
from PySide6.QtWidgets import QStyle, QStyleOptionViewItem

from widgets.controls.list_picker import ROW_ROLE, Index, RowDelegate, RowModel
from widgets.palette.command_rows import HeadRow
from widgets.palette.key_caps import CapColours, caps_width, draw_caps
from widgets.palette.key_rows import KeyRow, Row
from widgets.theme import icons, style

ROW_PX, HEAD_PX = 36, 40
INSET_PX, UNDO_PX = 20, 28
"""Pixels at both ends of a row, and those that the sign for putting back takes before its end."""
_ICON_PX, _GAP_PX = 16, 12


class KeyModel(RowModel[Row]):
    """The rows; ``open_row`` is ``open_px`` high, because its keys are being changed."""

    open_row, open_px = -1, 0

    def title(self, row: Row) -> str:
        return row.text if isinstance(row, HeadRow) else row.title

    def spoken(self, row: Row) -> str:
        if isinstance(row, HeadRow):
            return row.text
        keys = " or ".join(row.keys) or "no keys"
        return ", ".join(part for part in (row.title, keys, row.change) if part)

    def flags(self, index: Index) -> Qt.ItemFlag:
        is_head = index.isValid() and isinstance(self.rows[index.row()], HeadRow)
        return Qt.ItemFlag.NoItemFlags if is_head else super().flags(index)

    def row_of(self, command: str) -> int:
        """Return a command's row, or -1."""
        at = (row for row, each in enumerate(self.rows) if isinstance(each, KeyRow) and each.command == command)
        return next(at, -1)

    def set_open(self, row: int, height: int) -> None:
        """Make a row that many pixels high, and all others as usual; -1: all. The view has to be laid out again."""
        self.open_row, self.open_px = row, height


class KeyDelegate(RowDelegate):
    """A command: title, what was changed, its keys, and the sign that puts its usual ones back."""

    ROW_PX = ROW_PX

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        model, row = index.model(), index.data(ROW_ROLE)
        if isinstance(model, KeyModel) and index.row() == model.open_row:
            return QSize(0, model.open_px)
        return QSize(0, style.px(HEAD_PX if isinstance(row, HeadRow) else ROW_PX))

    def undo_rect(self, rect: QRect) -> QRect:
        """Return where in a row the sign is that puts its keys back."""
        side, right = style.px(UNDO_PX), rect.right() + 1 - INSET_PX + _ICON_PX // 2
        return QRect(right - side, rect.center().y() - side // 2, side, side)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        row, model = index.data(ROW_ROLE), index.model()
        rect: QRect = option.rect
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if isinstance(row, HeadRow):
            painter.setFont(style.head_font())
            painter.setPen(QColor(self.palette.faint))
            below = Qt.AlignmentFlag.AlignBottom | Qt.AlignmentFlag.AlignLeft
            painter.drawText(rect.adjusted(INSET_PX, 0, -INSET_PX, -style.px(8)), below, row.text)
        elif isinstance(row, KeyRow) and isinstance(model, KeyModel) and index.row() != model.open_row:
            self._paint_row(painter, rect, row, option.state)
        painter.restore()

    def paint_row(self, painter: QPainter, rect: QRect, index: Index) -> None:
        raise AssertionError("paint does it all")

    def _paint_row(self, painter: QPainter, rect: QRect, row: KeyRow, state: QStyle.StateFlag) -> None:
        palette = self.palette
        is_chosen = bool(state & QStyle.StateFlag.State_Selected)
        is_hovered = bool(state & QStyle.StateFlag.State_MouseOver)
        if is_chosen or is_hovered:
            painter.fillRect(rect, QColor(palette.selected if is_chosen else palette.hover))
        painter.setPen(QPen(QColor(palette.line), 1))
        base = rect.bottom() + 0.5
        painter.drawLine(QPointF(rect.left() + INSET_PX, base), QPointF(rect.right() - INSET_PX, base))
        if is_chosen and state & QStyle.StateFlag.State_HasFocus:
            painter.fillRect(QRect(rect.topLeft(), QSize(2, rect.height())), QColor(palette.accent))
        undo = self.undo_rect(rect)
        if row.was is not None:
            side = style.px(_ICON_PX)
            icon = icons.pixmap("undo", palette.dim, side, painter.device().devicePixelRatioF())
            painter.drawPixmap(undo.center() - QPoint(side // 2, side // 2), icon)
        colours = CapColours(palette.text, palette.edge, palette.panel)
        draw_caps(painter, undo.left() - 4, QRectF(rect).center().y(), row.keys, colours)
        end = undo.left() - 4 - round(caps_width(row.keys)) - _GAP_PX
        self._paint_texts(
            painter, QRect(rect.left() + INSET_PX, rect.top(), end - INSET_PX, rect.height()), row, is_chosen
        )

    def _paint_texts(self, painter: QPainter, box: QRect, row: KeyRow, is_chosen: bool) -> None:
        palette, middle = self.palette, Qt.AlignmentFlag.AlignVCenter
        painter.setFont(style.font())
        painter.setPen(QColor(palette.text))
        title = painter.fontMetrics().elidedText(row.title, Qt.TextElideMode.ElideRight, box.width())
        painter.drawText(box, middle, title)
        if row.change and title == row.title:
            box = box.adjusted(painter.fontMetrics().horizontalAdvance(title) + _GAP_PX, 0, 0, 0)
            painter.setFont(style.font(style.SMALL_PX))
            # On the ground of a chosen row, accent is too dark to be read.
            painter.setPen(QColor(palette.dim if is_chosen else palette.accent))
            change = painter.fontMetrics().elidedText(row.change, Qt.TextElideMode.ElideRight, max(box.width(), 0))
            painter.drawText(box, middle, change)
