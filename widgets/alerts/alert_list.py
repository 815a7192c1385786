"""
The list of alerts in the side panel: of the symbol on the chart, or all; each with its distance and a switch.

View: it shows what `AlertList.set_view` gives, and emits what the user asks for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import (
    QAbstractItemModel,
    QAbstractListModel,
    QEvent,
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHBoxLayout,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.market.alerts.stored_alert import AlertState
from app.market.symbol import Symbol
from widgets.alerts.alert_delegate import ROW_PX, SWITCH_PX, paint_alert, paint_switch
from widgets.alerts.alert_views import AlertRow
from widgets.alerts.alerts_model import distance_text
from widgets.controls.key_hints import set_key_tip
from widgets.controls.labels import ElidedLabel, label
from widgets.dialogs.form_parts import choice_button
from widgets.theme import icons, style
from widgets.theme.palettes import DARK, Palette

_ROW_ROLE = Qt.ItemDataRole.UserRole
_WAITING = (AlertState.WAITING, AlertState.PAUSED)
_SIDE_PX, _GAP_PX = 16, 8
_FAR = float("inf")
_Index = QModelIndex | QPersistentModelIndex


class AlertListModel(QAbstractListModel):
    """Alerts that wait or are paused, the nearest first; of one symbol, or all where ``symbol`` is None."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[AlertRow] = []
        self.symbol: Symbol | None = None
        self._all: Sequence[AlertRow] = ()

    def set_rows(self, rows: Sequence[AlertRow], symbol: Symbol | None) -> None:
        """List these instead, those of ``symbol`` if one is given."""
        self._all, self.symbol = [row for row in rows if row.state in _WAITING], symbol
        listed = [row for row in self._all if symbol is None or _is_of(row, symbol)]
        listed.sort(key=lambda row: (_FAR if row.distance is None else abs(row.distance), row.alert_id))
        if [row.alert_id for row in listed] != [row.alert_id for row in self.rows]:
            self.beginResetModel()
            self.rows = listed
            self.endResetModel()
        elif listed != self.rows:
            self.rows = listed
            self.dataChanged.emit(self.index(0), self.index(len(listed) - 1))

    @property
    def elsewhere(self) -> int:
        """How many more wait for other symbols than the one listed."""
        return len(self._all) - len(self.rows)

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008  # because Qt's signature has it
        return 0 if parent.isValid() else len(self.rows)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row = self.rows[index.row()]
        if role == _ROW_ROLE:
            return row
        if role == Qt.ItemDataRole.DisplayRole:
            return row.title
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{row.title}\n{self.words(row)}"
        if role == Qt.ItemDataRole.AccessibleTextRole:
            distance = "" if row.distance is None else f"{distance_text(row)} away"
            return ", ".join(filter(None, (row.title, self.words(row), distance, row.state.value)))
        return None

    def words(self, row: AlertRow) -> str:
        """Return the second line of a row."""
        if self.symbol is not None:
            return row.words
        return f"{row.symbol.display_name if row.symbol else 'All symbols'}, {row.words}"


def _is_of(row: AlertRow, symbol: Symbol) -> bool:
    return row.symbol is not None and row.symbol.name == symbol.name


class AlertList(QFrame):
    """
    The list with a choice of symbols above; a sentence and a button where it is empty.

    Signals:
        edit_requested(object): edit the alert of a number, or a new one, None.
        switch_requested(int, bool): let an alert watch, or pause it.
        delete_requested(int): remove an alert.
    """

    edit_requested = Signal(object)
    switch_requested = Signal(int, bool)
    delete_requested = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("alertList")
        self._rows: Sequence[AlertRow] = ()
        self._symbol: Symbol | None = None
        self._trouble = ""
        self.model = AlertListModel()
        self.view = _AlertsView(self.model)
        self.view.switch_requested.connect(self.switch_requested)
        self.view.delete_requested.connect(self.delete_requested)
        self.view.activated.connect(lambda index: self.edit_requested.emit(index.data(_ROW_ROLE).alert_id))
        self.here, self.everywhere = choice_button(""), choice_button("All")
        self.here.setChecked(True)
        for button in (self.here, self.everywhere):
            button.setFont(style.font(style.SMALL_PX))
            button.toggled.connect(self._show)
        self.everywhere.setAccessibleName("Alerts of all symbols")
        self.add_button = QToolButton()
        self.add_button.setAccessibleName("New alert")
        set_key_tip(self.add_button, "New alert", "alert")
        style.sized(self.add_button, icon_size=16, fixed_height=28)
        self.new_button = QToolButton()
        self.new_button.setObjectName("choice")
        self.new_button.setText("New alert")
        self.new_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.new_button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        style.sized(self.new_button, icon_size=16)
        for adding in (self.add_button, self.new_button):
            adding.clicked.connect(lambda: self.edit_requested.emit(None))
        self.sentence = label("", "faint", style.font(style.SMALL_PX))
        self.sentence.setWordWrap(True)
        self.note = ElidedLabel("Double click: change it", "faint")
        self.note.setFont(style.font(style.SMALL_PX))
        self._arrange()
        self.set_palette(DARK)
        self._show()

    def set_view(self, rows: Sequence[AlertRow], symbol: Symbol | None, trouble: str = "") -> None:
        """Show these alerts, ``symbol`` being the one on the chart; ``trouble``: a sentence why they are not known."""
        self._rows, self._symbol, self._trouble = rows, symbol, trouble
        self._show()

    def set_palette(self, palette: Palette) -> None:
        """Draw in a palette, and in the present size of text."""
        self.view.set_palette(palette)
        self.add_button.setIcon(icons.icon("plus", palette.dim))
        self.new_button.setIcon(icons.icon("bell", palette.text))

    def _show(self) -> None:
        symbol = self._symbol if self.here.isChecked() else None
        name = self._symbol.display_name if self._symbol is not None else "This symbol"
        if self.here.text() != name:
            self.here.setText(name)
            self.here.setAccessibleName(f"Alerts of {name}")
        self.view.set_rows(self._rows, symbol)
        is_empty = not self.model.rows
        had_focus = self.view.hasFocus() or self.new_button.hasFocus()
        self.sentence.setText(self._trouble or self._nothing(symbol))
        style.set_tone(self.sentence, "warning" if self._trouble else "faint")
        self.sentence.setVisible(is_empty)
        self.new_button.setVisible(is_empty and not self._trouble)
        self.add_button.setVisible(not is_empty)
        self.view.setVisible(not is_empty)
        self.note.setVisible(not is_empty)
        self.setFocusProxy(self.new_button if is_empty else self.view)
        if had_focus:  # what had it may be hidden now
            self.setFocus(Qt.FocusReason.OtherFocusReason)

    def _nothing(self, symbol: Symbol | None) -> str:
        if symbol is None:
            return "No alert waits yet."
        count = self.model.elsewhere
        others = f"; {count:,} {'wait' if count != 1 else 'waits'} for other symbols" if count else ""
        return f"No alert waits for {symbol.display_name}{others}."

    def _arrange(self) -> None:
        head = QHBoxLayout()
        head.setContentsMargins(_SIDE_PX, 8, _SIDE_PX - 4, 8)
        head.setSpacing(4)
        head.addWidget(self.here)
        head.addWidget(self.everywhere)
        head.addStretch(1)
        head.addWidget(self.add_button)
        self.sentence.setContentsMargins(_SIDE_PX, 4, _SIDE_PX, 8)
        button = QHBoxLayout()
        button.setContentsMargins(_SIDE_PX, 0, _SIDE_PX, 8)
        button.addWidget(self.new_button)
        button.addStretch(1)
        self.note.setContentsMargins(_SIDE_PX, 4, _SIDE_PX, 8)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(head)
        column.addWidget(self.sentence)
        column.addLayout(button)
        column.addWidget(self.view, 1)
        column.addWidget(self.note)
        column.addStretch(0)


class _AlertsView(QListView):
    """
    The rows; Space pauses or resumes, Del deletes, Return and a double click open.

    Signals:
        switch_requested(int, bool), delete_requested(int): as `AlertList` emits them.
    """

    switch_requested = Signal(int, bool)
    delete_requested = Signal(int)

    def __init__(self, model: AlertListModel) -> None:
        super().__init__()
        self.setObjectName("drawingsView")
        self._alerts, self._delegate = model, _RowDelegate(self)
        self._pressed: int | None = None  # the alert whose switch the mouse was pressed on
        self.setModel(model)
        self.setItemDelegate(self._delegate)
        self.setAccessibleName("Alerts")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)

    def set_rows(self, rows: Sequence[AlertRow], symbol: Symbol | None) -> None:
        """List these; the chosen one stays chosen, and where it has gone, the one that takes its place is."""
        index, is_same = self.currentIndex(), symbol == self._alerts.symbol
        place = index.row()
        chosen = index.data(_ROW_ROLE).alert_id if index.isValid() else None
        self._alerts.set_rows(rows, symbol)
        at = next((at for at, row in enumerate(self._alerts.rows) if row.alert_id == chosen), None)
        if at is None and chosen is not None and is_same and self._alerts.rows:
            at = min(place, len(self._alerts.rows) - 1)
        if at is not None and self.currentIndex().row() != at:
            self.setCurrentIndex(self._alerts.index(at))

    def set_palette(self, palette: Palette) -> None:
        """Draw in a palette, and in the present size of text."""
        self._delegate.palette = palette
        self.setFont(style.font())
        self.scheduleDelayedItemsLayout()
        self.viewport().update()

    def sizeHint(self) -> QSize:
        return QSize(100, self._alerts.rowCount() * style.px(ROW_PX) + 2)

    def minimumSizeHint(self) -> QSize:
        return QSize(0, style.px(ROW_PX))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        index = self.currentIndex()
        row: AlertRow | None = index.data(_ROW_ROLE) if index.isValid() else None
        if row is not None and event.key() == Qt.Key.Key_Space:
            self._switch(row)
        elif row is not None and event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.delete_requested.emit(row.alert_id)
        else:
            super().keyPressEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        row = self._switched_row(event)
        self._pressed = None if row is None else row.alert_id
        super().mousePressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        row, pressed, self._pressed = self._switched_row(event), self._pressed, None
        if row is not None and row.alert_id == pressed:
            self._switch(row)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        index = self.indexAt(event.position().toPoint())
        if index.isValid() and self._is_on_switch(index, event):
            self.mousePressEvent(event)  # two clicks on the switch are two clicks
            return
        super().mouseDoubleClickEvent(event)

    def _switched_row(self, event: QMouseEvent) -> AlertRow | None:
        """Return the row whose switch the left button is on."""
        index = self.indexAt(event.position().toPoint())
        if event.button() != Qt.MouseButton.LeftButton or not index.isValid() or not self._is_on_switch(index, event):
            return None
        row: AlertRow = index.data(_ROW_ROLE)
        return row

    def _is_on_switch(self, index: QModelIndex, event: QMouseEvent) -> bool:
        return event.position().x() >= switch_rect(self.visualRect(index)).left() - style.px(_GAP_PX)

    def _switch(self, row: AlertRow) -> None:
        self.switch_requested.emit(row.alert_id, row.state is AlertState.PAUSED)


def switch_rect(rect: QRect) -> QRect:
    """Return the part of a row that its switch takes."""
    width = style.px(SWITCH_PX[0])
    return QRect(rect.right() - style.px(_SIDE_PX) - width + 1, rect.top(), width, rect.height())


class _RowDelegate(QStyledItemDelegate):
    """Paints a row: the icon, the title over the words, the distance, the switch."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.palette = DARK

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        return QSize(100, style.px(ROW_PX))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        palette, rect, state = self.palette, option.rect, option.state
        model, row = index.model(), index.data(_ROW_ROLE)
        assert isinstance(model, AlertListModel)
        if state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, QColor(palette.selected))
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(rect, QColor(palette.hover))
        painter.save()
        switch = switch_rect(rect)
        paint_switch(painter, palette, switch, row)
        left, gap = style.px(_SIDE_PX), style.px(_GAP_PX)
        room = QRect(rect.left() + left, rect.top(), switch.left() - gap - rect.left() - left, rect.height())
        distance = "" if row.distance is None else distance_text(row)
        is_paused = row.state is AlertState.PAUSED
        paint_alert(painter, palette, room, row, model.words(row), aside=distance, faint=is_paused)
        painter.restore()
        if state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(QColor(palette.accent))
            painter.drawRect(rect.adjusted(0, 0, -1, -1))

    def editorEvent(
        self, event: QEvent, model: QAbstractItemModel, option: QStyleOptionViewItem, index: _Index
    ) -> bool:
        """Return False: the view itself takes clicks on the switch."""
        return False
