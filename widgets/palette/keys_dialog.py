"""
The dialog that changes keys: every command of the table with its keys, which can be changed, taken over and put back.

It changes `widgets.keys.current_keys` and says so; the program saves them and has the window follow.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QDialog,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QListView,
    QMenu,
    QMessageBox,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from widgets.controls.context_menu import context_menu, give_menu
from widgets.controls.dialog_frame import size_first
from widgets.controls.labels import label
from widgets.controls.list_picker import ROW_ROLE
from widgets.keys import current_keys, texts_of
from widgets.palette.key_delegate import INSET_PX, KeyDelegate, KeyModel
from widgets.palette.key_editor import KeyEditor
from widgets.palette.key_list import ENTER, KeyList, KeySearchLine
from widgets.palette.key_rows import KeyFilter, KeyRow, changed_count, rows_for
from widgets.theme import icons, style, text_size
from widgets.theme.palettes import DARK, Palette

_SIZE_PX = (648, 760)
_FILES = "Keys of cryptopipe (*.json)"


class KeysDialog(QDialog):
    """
    Lists the commands and changes their keys.

    Signals:
        keys_changed: `current_keys` has changed.
        import_requested, export_requested: Read keys from a file, or write them to one; carry its path. `refresh`
            shows what was read, `say` a sentence about it.
    """

    keys_changed = Signal()
    import_requested = Signal(str)
    export_requested = Signal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keys")
        self.setFont(style.font())
        self._palette = DARK
        self._wanted = KeyFilter.ALL
        self.editor: KeyEditor | None = None
        self.model = KeyModel(self)
        self.delegate = KeyDelegate(self)
        self.search = KeySearchLine()
        self._glass = self.search.addAction(icons.icon("search", DARK.dim), QLineEdit.ActionPosition.LeadingPosition)
        self.filters = {each: QPushButton(each.value) for each in KeyFilter}
        self.view = KeyList(self.delegate)
        self.view.setModel(self.model)
        self.message = label("", "dim")
        self.message.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.hint = label("", "dim", style.font(style.SMALL_PX))
        self.import_button, self.export_button = QPushButton("Import…"), QPushButton("Export…")
        self.reset_button, self.done_button = QPushButton("Reset all…"), QPushButton("Done")
        self.done_button.setDefault(True)
        self._arrange()
        self.search.textChanged.connect(lambda _: self.refresh())
        self.search.down_pressed.connect(lambda: self.view.setFocus(Qt.FocusReason.OtherFocusReason))
        self.search.enter_pressed.connect(lambda: self.change())
        self.view.change_requested.connect(lambda is_adding: self.change(is_adding=is_adding))
        self.view.steps_requested.connect(lambda: self.change(has_steps=True))
        self.view.put_back_requested.connect(self.put_back)
        self.view.typed.connect(self._type)
        give_menu(self.view, self.menu_at)
        self.import_button.clicked.connect(lambda: self._ask_for_import())
        self.export_button.clicked.connect(lambda: self._ask_for_export())
        self.reset_button.clicked.connect(lambda: self._ask_to_reset())
        self.done_button.clicked.connect(self.accept)
        size_first(self, *_SIZE_PX)

    def open_for(self, command: str = "") -> None:
        """Open with all commands; with ``command``, listening for its keys."""
        self.search.clear()
        self._filter(KeyFilter.ALL)
        self.say("")
        self._select(command)
        self.open()
        if command:
            # Once the list is laid out: its rows have no places before.
            QTimer.singleShot(0, self, lambda: self.change())
        else:
            self.search.setFocus(Qt.FocusReason.OtherFocusReason)

    def set_palette(self, palette: Palette) -> None:
        """Draw in these colours."""
        self._palette = self.delegate.palette = palette
        self._glass.setIcon(icons.icon("search", palette.dim))
        self.view.viewport().update()

    def say(self, sentence: str) -> None:
        """Show a sentence over the buttons; an empty one: how the keyboard is used here."""
        enter, shift, steps, back = texts_of(["Return", "Shift+Return", "Ctrl+Return", "Del"])
        usual = (
            f"{enter} or a double click changes a command's keys, {shift} adds some, {steps} takes two one after the "
            f"other, {back} puts back the usual ones."
        )
        self.hint.setText(sentence or usual)

    def refresh(self) -> None:
        """List the commands that are looked for, with the keys in force."""
        row = self.current()
        self._close_editor()
        self.model.set_rows(rows_for(self.search.text(), self._wanted))
        self.message.setVisible(not self.model.rows)
        self.view.setVisible(bool(self.model.rows))
        self.message.setText(self._nothing_found())
        changed = changed_count()
        self.filters[KeyFilter.CHANGED].setText(f"{KeyFilter.CHANGED.value} {changed}" if changed else "Changed")
        self.reset_button.setEnabled(changed > 0)
        self._select(row.command if row is not None else "")

    def current(self) -> KeyRow | None:
        """Return the selected row."""
        row = self.view.currentIndex().data(ROW_ROLE)
        return row if isinstance(row, KeyRow) else None

    # What the user does with a row

    def change(self, *, is_adding: bool = False, has_steps: bool = False) -> None:
        """Listen for the keys of the selected command; ``is_adding``: besides its own; ``has_steps``: two in a row."""
        if (row := self.current()) is not None:
            self._open_editor(row.command, is_adding=is_adding, has_steps=has_steps).listen()

    def put_back(self) -> None:
        """Give the selected command its usual keys; where others have them by now, ask first."""
        row = self.current()
        if row is not None and row.was is not None:
            self._open_editor(row.command).offer(current_keys.usual_of(row.command))

    def clear(self) -> None:
        """Take all keys off the selected command."""
        if (row := self.current()) is not None:
            self._assign(row.command, ())

    def menu_at(self, point: QPoint) -> QMenu:
        """Return the context menu of the row at a point of the list, else of the selected one."""
        if (index := self.view.indexAt(point)).isValid():
            self.view.setCurrentIndex(index)
        menu, row = context_menu(self), self.current()
        if row is None:
            return menu
        menu.addAction("Change…", self.change)
        menu.addAction("Add others…", lambda: self.change(is_adding=True))
        menu.addAction("Two keys one after the other…", lambda: self.change(has_steps=True))
        menu.addAction("Use no keys", self.clear).setEnabled(bool(row.keys))
        usual = " or ".join(row.was or ()) or "no keys"
        back = menu.addAction(f"Put back {usual}" if row.was is not None else "Put back", self.put_back)
        back.setEnabled(row.was is not None)
        return menu

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in ENTER and not self.done_button.hasFocus():
            event.accept()  # Enter is for rows here, not for the default button
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_editor()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange and hasattr(self, "view"):
            QTimer.singleShot(0, self, self._fit_editor)  # after Qt has given every part its new font

    def done(self, result: int) -> None:
        self._close_editor()
        super().done(result)

    def _assign(self, command: str, keys: tuple[str, ...]) -> None:
        current_keys.assign(command, keys)
        self._close_editor()
        self.refresh()
        self._select(command)
        self.view.setFocus(Qt.FocusReason.OtherFocusReason)
        self.keys_changed.emit()

    # The editor in its row

    def _open_editor(self, command: str, *, is_adding: bool = False, has_steps: bool = False) -> KeyEditor:
        self._close_editor()
        row = self.model.row_of(command)
        editor = self.editor = KeyEditor(command, self._palette, is_adding=is_adding, has_steps=has_steps)
        self.view.setIndexWidget(self.model.index(row), editor)
        editor.resized.connect(self._fit_editor)
        editor.chosen.connect(lambda keys: self._assign(command, keys))
        editor.stopped.connect(self._stop)
        self._fit_editor()
        text_size.application().focusChanged.connect(self._follow_focus)
        return editor

    def _fit_editor(self) -> None:
        """Give the open row the height that its editor needs, and scroll to it."""
        editor = self.editor
        if editor is None:
            self.model.set_open(-1, 0)
            return
        row = self.model.row_of(editor.command)
        self.model.set_open(row, editor.needed_px(self.view.viewport().width()))
        self.view.doItemsLayout()
        self.view.scrollTo(self.model.index(row), QListView.ScrollHint.EnsureVisible)

    def _close_editor(self) -> None:
        editor, self.editor = self.editor, None
        if editor is None:
            return
        text_size.application().focusChanged.disconnect(self._follow_focus)
        row = self.model.row_of(editor.command)
        editor.blockSignals(True)
        self.view.setIndexWidget(self.model.index(row), None)  # type: ignore[arg-type]  # because it deletes the one there
        self.model.set_open(-1, 0)
        self.view.doItemsLayout()

    def _stop(self) -> None:
        self._close_editor()
        self.view.setFocus(Qt.FocusReason.OtherFocusReason)

    def _follow_focus(self, _: QWidget | None, now: QWidget | None) -> None:
        # None: another program is in front. The row goes on listening once the user is back.
        editor = self.editor
        if now is not None and editor is not None and now is not editor and not editor.isAncestorOf(now):
            self._close_editor()

    # All of them

    def _filter(self, wanted: KeyFilter) -> None:
        self._wanted = wanted
        self.filters[wanted].setChecked(True)
        self.refresh()

    def _select(self, command: str) -> None:
        row = self.model.row_of(command) if command else -1
        if row < 0:
            row = next((at for at, each in enumerate(self.model.rows) if isinstance(each, KeyRow)), -1)
        self.view.setCurrentIndex(self.model.index(row))
        if row > 0:
            self.view.scrollTo(self.model.index(row), QListView.ScrollHint.EnsureVisible)

    def _nothing_found(self) -> str:
        if typed := self.search.text().strip():
            return f"No command matches “{typed}”."
        return "No keys are changed." if self._wanted is KeyFilter.CHANGED else "Every command has keys."

    def _type(self, text: str) -> None:
        self.search.setFocus(Qt.FocusReason.OtherFocusReason)
        self.search.insert(text)

    def _ask_to_reset(self) -> None:
        box = QMessageBox(QMessageBox.Icon.Question, "Keys", "Give every command its usual keys again?", parent=self)
        box.setFont(style.font())
        reset = box.addButton("Reset all", QMessageBox.ButtonRole.AcceptRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.buttonClicked.connect(lambda button: self.reset() if button is reset else None)
        box.open()

    def reset(self) -> None:
        """Give every command its usual keys."""
        current_keys.put_back_all()
        self.refresh()
        self.keys_changed.emit()

    def _ask_for_import(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Import keys", "", _FILES)
        if path:
            self.import_requested.emit(path)

    def _ask_for_export(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Export keys", "cryptopipe-keys.json", _FILES)
        if path:
            self.export_requested.emit(path if path.lower().endswith(".json") else f"{path}.json")

    def _arrange(self) -> None:
        group = QButtonGroup(self)
        head = QHBoxLayout()
        head.setContentsMargins(INSET_PX, INSET_PX, INSET_PX, 8)
        head.setSpacing(8)
        head.addWidget(self.search, 1)
        for wanted, button in self.filters.items():
            button.setObjectName("choice")
            button.setCheckable(True)
            button.setAutoDefault(False)
            button.clicked.connect(lambda _=False, wanted=wanted: self._filter(wanted))
            group.addButton(button)
            head.addWidget(button)
        below = QHBoxLayout()
        below.setContentsMargins(INSET_PX, 8, INSET_PX, 8)
        below.addWidget(self.hint, 1)
        self.hint.setWordWrap(True)
        foot = QFrame()
        foot.setObjectName("dialogFoot")
        row = QHBoxLayout(foot)
        row.setContentsMargins(INSET_PX, 12, INSET_PX, 12)
        row.setSpacing(8)
        for button in (self.import_button, self.export_button, self.reset_button):
            button.setAutoDefault(False)
            row.addWidget(button)
        row.addStretch(1)
        row.addWidget(self.done_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(head)
        layout.addWidget(self.view, 1)
        layout.addWidget(self.message, 1)
        layout.addLayout(below)
        layout.addWidget(foot)
