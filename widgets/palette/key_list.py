"""The list of commands and the line above it, in the dialog that changes keys."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, Qt, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence, QMouseEvent
from PySide6.QtWidgets import QLineEdit, QListView

from widgets.controls.list_picker import ROW_ROLE
from widgets.keys import COMMAND_MODIFIERS, key_of, texts_of
from widgets.palette.key_delegate import KeyDelegate
from widgets.palette.key_rows import KeyRow
from widgets.palette.key_rules import is_modifier

ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
_PUT_BACK = (Qt.Key.Key_Delete, Qt.Key.Key_Backspace)


class KeySearchLine(QLineEdit):
    """
    Takes words, or keys: those that do nothing in a field are written into it as they are pressed.

    Signals:
        down_pressed, enter_pressed: For the list below.
    """

    down_pressed = Signal()
    enter_pressed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Find a command, or press its keys")
        self.setPlaceholderText("Find a command, or press its keys")
        self.setClearButtonEnabled(True)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and _is_command_key(event):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Down:
            self.down_pressed.emit()
        elif event.key() in ENTER:
            self.enter_pressed.emit()
        elif _is_command_key(event):
            self.setText(texts_of([key_of(event)])[0])
        else:
            super().keyPressEvent(event)


class KeyList(QListView):
    """
    The list of commands.

    Signals:
        change_requested: Change the keys of the current command; carries whether to keep those it has.
        steps_requested: Give the current command keys of two steps.
        put_back_requested: Put back its usual keys.
        typed: A letter was typed, for the search; carries it.
    """

    change_requested = Signal(bool)
    steps_requested = Signal()
    put_back_requested = Signal()
    typed = Signal(str)

    def __init__(self, delegate: KeyDelegate) -> None:
        super().__init__()
        self._delegate = delegate
        self.setItemDelegate(delegate)
        self.setObjectName("keysList")
        self.setAccessibleName("Commands and their keys")
        self.setMouseTracking(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in ENTER and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.steps_requested.emit()
        elif event.key() in ENTER:
            self.change_requested.emit(bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier))
        elif event.key() in _PUT_BACK:
            self.put_back_requested.emit()
        elif event.text().strip() and event.text().isprintable():
            self.typed.emit(event.text())
        else:
            super().keyPressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        if event.button() == Qt.MouseButton.LeftButton and self._is_on_undo(event.position().toPoint()):
            self.put_back_requested.emit()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        at = event.position().toPoint()
        if self.indexAt(at).isValid() and not self._is_on_undo(at):
            self.setCurrentIndex(self.indexAt(at))
            self.change_requested.emit(False)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        is_on_undo = self._is_on_undo(event.position().toPoint())
        self.viewport().setCursor(Qt.CursorShape.PointingHandCursor if is_on_undo else Qt.CursorShape.ArrowCursor)
        self.viewport().setToolTip("Put back the usual keys" if is_on_undo else "")

    def _is_on_undo(self, at: QPoint) -> bool:
        index = self.indexAt(at)
        row = index.data(ROW_ROLE)
        is_changed = isinstance(row, KeyRow) and row.was is not None
        return is_changed and self._delegate.undo_rect(self.visualRect(index)).contains(at)


def _is_command_key(event: QKeyEvent) -> bool:
    """Return whether keys do nothing in a field of text, so that they can be looked for."""
    if is_modifier(event.key()) or any(map(event.matches, _OF_FIELDS)):
        return False
    is_function_key = Qt.Key.Key_F1 <= event.key() <= Qt.Key.Key_F35
    return bool(event.modifiers() & COMMAND_MODIFIERS) or is_function_key


_OF_FIELDS = frozenset(
    {
        QKeySequence.StandardKey.Copy,
        QKeySequence.StandardKey.Cut,
        QKeySequence.StandardKey.Paste,
        QKeySequence.StandardKey.SelectAll,
        QKeySequence.StandardKey.Undo,
        QKeySequence.StandardKey.Redo,
        QKeySequence.StandardKey.DeleteStartOfWord,
        QKeySequence.StandardKey.DeleteEndOfWord,
        QKeySequence.StandardKey.MoveToNextWord,
        QKeySequence.StandardKey.MoveToPreviousWord,
    }
)
