"""The columns of a file as check boxes, in the order in which they are written."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QApplication, QCheckBox, QWidget

from app.market.errors import UsageError
from widgets.controls.flow_layout import FlowLayout
from widgets.controls.link_label import LinkLabel

_GAP_PX = 6
_STEPS = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}


class ColumnChip(QCheckBox):
    """
    One column.

    Signals:
        step_requested: Move it by so many places.
        dragged: It is being dragged; carries the pointer's position in its parent.
    """

    step_requested = Signal(int)
    dragged = Signal(QPoint)

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.setObjectName("columnChip")
        self.setAccessibleName(f"Column {name}")
        self.setAccessibleDescription("Control and an arrow key move it")
        self.setToolTip("Drag it, or press Ctrl+← or Ctrl+→, to move it")
        self._pressed_at: QPoint | None = None
        self._is_dragged = False

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = _STEPS.get(Qt.Key(event.key()))
        if step is not None and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.step_requested.emit(step)
        else:
            super().keyPressEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._pressed_at, self._is_dragged = event.position().toPoint(), False
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        at = event.position().toPoint()
        if self._pressed_at is not None and event.buttons() & Qt.MouseButton.LeftButton:
            moved = (at - self._pressed_at).manhattanLength()
            self._is_dragged = self._is_dragged or moved >= QApplication.startDragDistance()
        if self._is_dragged:
            self.dragged.emit(self.mapToParent(at))
        else:
            super().mouseMoveEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._pressed_at = None
        if self._is_dragged:
            self._is_dragged = False
            self.setDown(False)  # it was moved, not ticked
        else:
            super().mouseReleaseEvent(event)


class ColumnChooser(QWidget):
    """
    Offers the columns that a file can have; all are chosen at first.

    Signals:
        changed: Other columns are chosen, or they have another order.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._names: tuple[str, ...] = ()
        self._offered: tuple[str, ...] = ()
        self._chips: list[ColumnChip] = []
        self.reset_link = LinkLabel("All columns")
        self.reset_link.setAccessibleName("Choose all columns, in their usual order")
        self.reset_link.clicked.connect(self._reset)
        self._flow = FlowLayout(_GAP_PX)
        self.setLayout(self._flow)

    def offer(self, names: Sequence[str], extras: Sequence[str] = ()) -> None:
        """
        Offer the columns ``names`` and, behind them, ``extras``, in their usual order.

        Other ``names`` than before are all chosen. Otherwise the columns keep their place and their tick.
        """
        if (*names, *extras) == self._offered:
            return
        kept = {chip.text(): chip for chip in self._chips} if tuple(names) == self._names else {}
        wanted = [name for name in kept if name in names or name in extras]
        for chip in [one for one in self._chips if one.text() not in wanted]:
            chip.hide()
            chip.deleteLater()
        self._names, self._offered = tuple(names), (*names, *extras)
        self._chips = [kept[name] for name in wanted]
        self._chips += [self._chip(name) for name in self._offered if name not in wanted]
        self._arrange()

    def chosen(self) -> tuple[str, ...]:
        """
        Return the columns chosen, in their order; empty for all of them in the usual one.

        Raises:
            UsageError: If none is.
        """
        names = tuple(chip.text() for chip in self._chips if chip.isChecked())
        if not names:
            raise UsageError("Choose a column: a file without one would be empty.")
        return () if names == self._offered else names

    def set_editable(self, editable: bool) -> None:
        """Enable or disable all."""
        for part in (*self._chips, self.reset_link):
            part.setEnabled(editable)

    def _chip(self, name: str) -> ColumnChip:
        chip = ColumnChip(name)
        chip.setChecked(True)
        chip.toggled.connect(self._on_changed)
        chip.step_requested.connect(lambda step: self._move(chip, self._chips.index(chip) + step))
        chip.dragged.connect(lambda at: self._drag(chip, at))
        return chip

    def _drag(self, chip: ColumnChip, at: QPoint) -> None:
        here = self._chips.index(chip)
        for place, one in enumerate(self._chips):
            # Past its middle, or a narrow one and a wide one would change places with every pixel.
            is_past = at.x() > one.geometry().center().x() if place > here else at.x() < one.geometry().center().x()
            if place != here and one.geometry().contains(at) and is_past:
                self._move(chip, place)
                return

    def _move(self, chip: ColumnChip, to: int) -> None:
        if 0 <= to < len(self._chips):
            self._chips.remove(chip)
            self._chips.insert(to, chip)
            self._arrange()
            self._on_changed()

    def _reset(self) -> None:
        by_name = {chip.text(): chip for chip in self._chips}
        self._chips = [by_name[name] for name in self._offered]
        for chip in self._chips:
            chip.blockSignals(True)
            chip.setChecked(True)
            chip.blockSignals(False)
        self._arrange()
        self._chips[0].setFocus()  # the link goes
        self._on_changed()

    def _arrange(self) -> None:
        self._flow.put_in_order([*self._chips, self.reset_link])
        for before, after in zip(self._chips, [*self._chips[1:], self.reset_link], strict=True):
            self.setTabOrder(before, after)
        for chip in self._chips:
            chip.show()
        self._show_link()
        self.updateGeometry()

    def _on_changed(self) -> None:
        self._show_link()
        self.changed.emit()

    def _show_link(self) -> None:
        usual = tuple(chip.text() for chip in self._chips if chip.isChecked()) == self._offered
        self.reset_link.setVisible(not usual)
