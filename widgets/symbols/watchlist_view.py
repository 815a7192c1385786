"""The list of the watchlist's rows: its keys, and the drag that gives a row another place."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPoint, QPointF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QContextMenuEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QApplication, QListView

from widgets.keys import CommandGroup, command_of
from widgets.symbols.watchlist_delegate import ROW_HEIGHT, ROW_ROLE
from widgets.theme import style
from widgets.theme.palettes import DARK, Palette

_Index = QModelIndex | QPersistentModelIndex
_SCROLL_EVERY_MS, _SCROLL_EDGE_PX, _SCROLL_PX = 40, 20, 12
_LINE_PX, _KNOB_PX = 2, 3


class WatchlistView(QListView):
    """
    Draws the rows of a `WatchlistModel`.

    ``commands`` are called by the keys of the watchlist's section of `widgets.keys`.

    Signals:
        moved: A row was dragged to another place; carries its symbol, and the row it was dropped in front of.
        drag_refused: A row cannot be dragged, because the rows are sorted.
        menu_requested: Open the context menu of a row, or of none; carries its index, and the point on the screen.
        rows_resized: The rows have another width, such as beside a scroll bar.
    """

    moved = Signal(str, int)
    drag_refused = Signal()
    menu_requested = Signal(QModelIndex, QPoint)
    rows_resized = Signal()

    def __init__(self, commands: dict[str, Callable[[], object]]) -> None:
        super().__init__()
        self.can_drag = True  # or the rows are sorted
        self._commands = commands
        self._palette = DARK
        self._pressed_at: QPoint | None = None
        self._dragged = ""  # the symbol whose row is dragged
        self._place = -1  # the row that the line is drawn in front of
        self._scrolling = QTimer(self)
        self._scrolling.setInterval(_SCROLL_EVERY_MS)
        self._scrolling.timeout.connect(self._scroll)
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)

    @property
    def drop_place(self) -> int:
        """The row in front of which the dragged row would be dropped now; -1 while none is dragged."""
        return self._place

    def set_palette(self, palette: Palette) -> None:
        """Draw in these colours."""
        self._palette = palette
        self.viewport().update()

    def name_at(self, index: _Index) -> str:
        """Return the symbol of a row; empty for none."""
        row = index.data(ROW_ROLE)
        return row.symbol.name if row is not None else ""

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        is_by_key = event.reason() == QContextMenuEvent.Reason.Keyboard
        index = self.currentIndex() if is_by_key else self.indexAt(event.pos())
        at = self.visualRect(index).center() if is_by_key and index.isValid() else event.pos()
        self.menu_requested.emit(index, self.viewport().mapToGlobal(at))

    def sizeHint(self) -> QSize:
        return QSize(296, max(1, self.model().rowCount()) * style.px(ROW_HEIGHT))

    def minimumSizeHint(self) -> QSize:
        return QSize(200, 2 * style.px(ROW_HEIGHT))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        call = self._commands.get(command_of(event, within=CommandGroup.WATCHLIST) or "")
        if event.key() == Qt.Key.Key_Escape and self._dragged:
            self._end_drag()
        elif call is not None:
            call()
        elif event.text().strip() and event.key() not in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            event.ignore()  # for the window, which opens a picker; Qt's own search in the list would take it
        else:
            super().keyPressEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        is_on_row = self.indexAt(event.position().toPoint()).isValid()
        is_left = event.button() == Qt.MouseButton.LeftButton
        self._pressed_at = event.position().toPoint() if is_left and is_on_row else None

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        here = event.position().toPoint()
        if self._pressed_at is None or not event.buttons() & Qt.MouseButton.LeftButton:
            super().mouseMoveEvent(event)
        elif self._dragged:
            self._drag_to(here)
        elif (here - self._pressed_at).manhattanLength() >= QApplication.startDragDistance():
            self._begin_drag(self._pressed_at, here)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._pressed_at = None
        name, place = self._dragged, self._place
        if not name:
            super().mouseReleaseEvent(event)
            return
        self._end_drag()
        self.setState(QListView.State.NoState)  # Qt has seen the press, but not the release
        if place >= 0:
            self.moved.emit(name, place)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.rows_resized.emit()  # Qt calls this for the viewport, once it has its size

    def dataChanged(self, first: _Index, last: _Index, roles: Sequence[int] = ()) -> None:
        # QListView itself would lay out and repaint every row, in case one has a new height. Ours never have.
        for row in range(first.row(), last.row() + 1):
            self.viewport().update(self.visualRect(self.model().index(row, 0)))

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self._place < 0:
            return
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(self._palette.accent), _LINE_PX))
        # Wholly in view at both ends of the list, too.
        y = min(max(self._line_y(), _KNOB_PX + 1), self.viewport().height() - _KNOB_PX - 1)
        painter.drawEllipse(QPointF(_KNOB_PX + 2, y), _KNOB_PX, _KNOB_PX)
        painter.drawLine(QPointF(2 * _KNOB_PX + 2, y), QPointF(self.viewport().width() - 2, y))
        painter.end()

    def _line_y(self) -> int:
        return self._place * style.px(ROW_HEIGHT) - self.verticalScrollBar().value()

    def _begin_drag(self, pressed_at: QPoint, here: QPoint) -> None:
        if not self.can_drag:
            self._pressed_at = None
            self.drag_refused.emit()
            return
        self._dragged = self.name_at(self.indexAt(pressed_at))
        self.setCursor(Qt.CursorShape.ClosedHandCursor)
        self._drag_to(here)

    def _drag_to(self, here: QPoint) -> None:
        height, at = style.px(ROW_HEIGHT), here.y() + self.verticalScrollBar().value()
        place = min(max(round(at / height), 0), self.model().rowCount())
        if place != self._place:
            self._place = place
            self.viewport().update()
        is_at_edge = not _SCROLL_EDGE_PX <= here.y() <= self.viewport().height() - _SCROLL_EDGE_PX
        if is_at_edge and not self._scrolling.isActive():
            self._scrolling.start()
        elif not is_at_edge:
            self._scrolling.stop()

    def _scroll(self) -> None:
        """Scroll on while a row is held at the list's upper or lower edge."""
        here, bar = self.viewport().mapFromGlobal(self.cursor().pos()), self.verticalScrollBar()
        up = here.y() < self.viewport().height() // 2
        bar.setValue(bar.value() + (-_SCROLL_PX if up else _SCROLL_PX))
        self._drag_to(here)

    def _end_drag(self) -> None:
        self._pressed_at, self._dragged, self._place = None, "", -1
        self._scrolling.stop()
        self.unsetCursor()
        self.viewport().update()
