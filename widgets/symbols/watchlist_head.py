"""The heads of the watchlist's columns: a click on one sorts by it."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QAbstractButton, QMenu, QToolButton, QWidget

from widgets.controls.context_menu import context_menu, give_menu
from widgets.symbols.watchlist_delegate import PADDING, WatchlistDelegate
from widgets.symbols.watchlist_order import SortColumn, SortOrder
from widgets.theme import icons, style
from widgets.theme.palettes import DARK, Palette

HEIGHT = 24
_INSET, _GAP = 4, 3  # beside a head's text, and between its arrow and the text
_ARROW_PX = 10

_TITLES = {SortColumn.SYMBOL: "Symbol", SortColumn.LAST: "Last", SortColumn.CHANGE: "24 h"}
_MEANINGS = {
    SortColumn.SYMBOL: "symbol",
    SortColumn.LAST: "last price",
    SortColumn.CHANGE: "change over 24 hours",
}


class WatchlistHead(QWidget):
    """
    A head over each column of the rows that ``delegate`` draws.

    Signals:
        order_requested: A head was clicked; carries the `SortOrder` to use.
    """

    order_requested = Signal(object)

    def __init__(self, delegate: WatchlistDelegate) -> None:
        super().__init__()
        self._delegate = delegate
        self._order = SortOrder()
        self._beside: QToolButton | None = None
        self._right_px = 0
        self.heads = {column: self._make_head(column) for column in SortColumn}
        style.sized(self, fixed_height=HEIGHT)
        for part in (self, *self.heads.values()):
            give_menu(part, lambda _point: self.menu())
        self.set_order(self._order)

    def set_order(self, order: SortOrder) -> None:
        """Show in which order the rows are."""
        self._order = order
        for column, head in self.heads.items():
            is_sorted = column is order.column
            head.arrow = "" if not is_sorted else "chevron-down" if order.descending else "chevron-up"
            next_order = order.after_click(column)
            doing = f"Sort by {_MEANINGS[column]}, {_way(next_order)} first"
            head.setToolTip("Back to your own order" if next_order.column is None else doing)
            state = f", sorted, {_way(order)} first" if is_sorted else ""
            head.setAccessibleName(f"Sort by {_MEANINGS[column]}{state}")
        self.place()

    def add_beside_symbol(self, button: QToolButton) -> None:
        """Put a button behind the first head."""
        button.setParent(self)
        self._beside = button
        self.place()

    def set_palette(self, palette: Palette) -> None:
        for head in self.heads.values():
            head.set_palette(palette)

    def set_right(self, pixels: int) -> None:
        """Leave that much free at the right, where the list under the heads has its scroll bar."""
        if pixels != self._right_px:
            self._right_px = pixels
            self.place()

    def menu(self) -> QMenu:
        """Return the context menu: the columns to sort by, and the user's own order. The caller opens it."""
        menu = context_menu(self)
        for column in SortColumn:
            order = SortOrder(column, column.falls_first)
            action = menu.addAction(f"Sort by {_MEANINGS[column]}", partial(self.order_requested.emit, order))
            action.setCheckable(True)
            action.setChecked(self._order.column is column)
        if self._order.column is not None:
            turned = SortOrder(self._order.column, not self._order.descending)
            menu.addAction(f"Turn round: {_way(turned)} first", partial(self.order_requested.emit, turned))
        menu.addSeparator()
        own = menu.addAction("Your own order", partial(self.order_requested.emit, SortOrder()))
        own.setCheckable(True)
        own.setChecked(self._order.column is None)
        return menu

    def place(self) -> None:
        """Put each head over its column; call when the columns or the heads have changed their width."""
        width, height = self.width() - self._right_px, self.height()
        last_right, change_right = self._delegate.column_ends(width)
        symbol, last, change = (self.heads[column] for column in SortColumn)
        symbol.setGeometry(PADDING - _INSET, 0, symbol.sizeHint().width(), height)
        if self._beside is not None:
            self._beside.setGeometry(symbol.geometry().right() + _GAP, 0, height, height)
        for head, right in ((last, last_right), (change, change_right)):
            wide = head.sizeHint().width()
            head.setGeometry(right + _INSET - wide, 0, wide, height)

    def sizeHint(self) -> QSize:
        return QSize(200, style.px(HEIGHT))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.place()

    def _make_head(self, column: SortColumn) -> SortHead:
        head = SortHead(_TITLES[column], self)
        if column is SortColumn.SYMBOL:
            head.setLayoutDirection(Qt.LayoutDirection.RightToLeft)  # the arrow after the text
        elif column is SortColumn.CHANGE:
            font = style.head_font()
            font.setCapitalization(QFont.Capitalization.MixedCase)  # an hour is a small h
            head.setFont(font)
        head.clicked.connect(lambda: self.order_requested.emit(self._order.after_click(column)))
        return head


class SortHead(QAbstractButton):
    """One column's head: its title, and before or behind it an ``arrow``, the name of an icon, where it sorts."""

    def __init__(self, title: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.arrow = ""
        self._palette = DARK
        self.setText(title)
        self.setFont(style.head_font())
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)

    def set_palette(self, palette: Palette) -> None:
        self._palette = palette
        self.update()

    def sizeHint(self) -> QSize:
        text = self.fontMetrics().horizontalAdvance(self._shown_text())
        return QSize(text + 2 * _INSET + (style.px(_ARROW_PX) + _GAP if self.arrow else 0), style.px(HEIGHT))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, colours = QPainter(self), self._palette
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        is_lit = bool(self.arrow) or self.underMouse() or self.isDown()
        text = self.rect().adjusted(_INSET, 0, -_INSET, 0)
        if self.arrow:
            is_behind = self.layoutDirection() == Qt.LayoutDirection.RightToLeft
            x = text.right() + 1 - style.px(_ARROW_PX) if is_behind else text.left()
            picture = icons.pixmap(self.arrow, colours.text, style.px(_ARROW_PX), self.devicePixelRatioF())
            painter.drawPixmap(QPoint(x, (self.height() - style.px(_ARROW_PX)) // 2), picture)
            shift = style.px(_ARROW_PX) + _GAP
            text.adjust(0 if is_behind else shift, 0, -shift if is_behind else 0, 0)
        painter.setPen(QColor(colours.text if is_lit else colours.faint))
        painter.drawText(text, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignAbsolute, self.text())
        if self.hasFocus():
            painter.setPen(QPen(QColor(colours.accent), 1.0))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 1.5, -0.5, -1.5), 4, 4)
        painter.end()

    def _shown_text(self) -> str:
        capitals = self.font().capitalization() == QFont.Capitalization.AllUppercase
        return self.text().upper() if capitals else self.text()


def _way(order: SortOrder) -> str:
    if order.column is SortColumn.SYMBOL:
        return "Z" if order.descending else "A"
    return "the largest" if order.descending else "the smallest"
