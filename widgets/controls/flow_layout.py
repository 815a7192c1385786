"""A row of widgets that goes on in the next line where it does not fit, as large text in a small window needs."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtWidgets import QLayout, QLayoutItem, QWidget


class FlowLayout(QLayout):
    """
    Lays its widgets out from left to right, line by line; ``spacing`` pixels lie between them.

    ``last_fills``: the last widget takes what is left of its line.
    """

    def __init__(self, spacing: int = 8, *, last_fills: bool = False) -> None:
        super().__init__()
        self._items: list[QLayoutItem] = []
        self._spacing = spacing
        self._last_fills = last_fills
        self.setContentsMargins(0, 0, 0, 0)

    @classmethod
    def of(cls, *widgets: QWidget, spacing: int = 8) -> FlowLayout:
        """Return a layout of these widgets."""
        layout = cls(spacing)
        for widget in widgets:
            layout.addWidget(widget)
        return layout

    def put_in_order(self, widgets: Sequence[QWidget]) -> None:
        """Lay these widgets out instead, in this order; those left out stay where they are."""
        while self.takeAt(0) is not None:
            pass
        for widget in widgets:
            self.addWidget(widget)
        self.invalidate()

    def addItem(self, item: QLayoutItem) -> None:
        self._items.append(item)

    def count(self) -> int:
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def expandingDirections(self) -> Qt.Orientation:
        return Qt.Orientation(0)

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        return self._arrange(QRect(0, 0, width, 0), only_measure=True)

    def setGeometry(self, rect: QRect) -> None:
        super().setGeometry(rect)
        self._arrange(rect, only_measure=False)

    def sizeHint(self) -> QSize:
        shown = [item.sizeHint() for item in self._items if not item.isEmpty()]
        width = sum(hint.width() for hint in shown) + self._spacing * max(len(shown) - 1, 0)
        return QSize(width, max((hint.height() for hint in shown), default=0)).grownBy(self.contentsMargins())

    def minimumSize(self) -> QSize:
        least = QSize()
        for item in self._items:
            least = least.expandedTo(item.minimumSize())
        return least.grownBy(self.contentsMargins())

    def _arrange(self, rect: QRect, *, only_measure: bool) -> int:
        """Place the items line by line, centred in their line; return the height of all lines and the margins."""
        inside = rect.marginsRemoved(self.contentsMargins())
        y = inside.y()
        for number, line in enumerate(self._lines(inside.width())):
            y += self._spacing if number else 0
            height = max(hint.height() for _, hint in line)
            x = inside.x()
            for item, hint in line:
                if self._last_fills and item is self._items[-1]:
                    hint.setWidth(inside.x() + inside.width() - x)
                if not only_measure:
                    item.setGeometry(QRect(x, y + (height - hint.height()) // 2, hint.width(), hint.height()))
                x += hint.width() + self._spacing
            y += height
        return y + self.contentsMargins().bottom() - rect.y()

    def _lines(self, width: int) -> list[list[tuple[QLayoutItem, QSize]]]:
        lines: list[list[tuple[QLayoutItem, QSize]]] = []
        used = 0
        for item in self._items:
            if item.isEmpty():
                continue
            hint = item.sizeHint()
            hint.setWidth(min(hint.width(), width))
            if not lines or used + self._spacing + hint.width() > width:
                lines.append([])
                used = -self._spacing
            lines[-1].append((item, hint))
            used += self._spacing + hint.width()
        return lines
