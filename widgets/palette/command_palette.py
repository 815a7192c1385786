"""
The command palette: a line to type into, over all commands that match; Enter runs one, Tab changes its keys.

It lists the table of `widgets.keys` and asks `widgets.commands` which can run now; it knows none of them by itself.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QPoint, QSize, Qt, Signal
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QKeyEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QLineEdit, QListView, QStackedLayout, QVBoxLayout, QWidget

from widgets.commands import Commands
from widgets.controls.labels import label
from widgets.controls.list_picker import ROW_ROLE, Index, PickerList
from widgets.controls.popup import Popup
from widgets.keys import texts_of
from widgets.palette.command_rows import MOST_USED, CommandRow, HeadRow, all_commands, rows_for
from widgets.palette.palette_delegate import HEAD_PX, PaletteDelegate, PaletteModel
from widgets.theme import icons, style
from widgets.theme.palettes import DARK, Palette

_WIDTH_PX, _TOP_PX, _MOST_ROWS = 616, 88, 9
_LINE_PX, _FOOT_PX, _LIST_MARGIN_PX = 56, 40, 8
_TYPED_PX = 15
_ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


class CommandPalette(Popup):
    """
    The palette of one window.

    ``used``: the commands used last, the latest first; the owner restores and saves them.

    Signals:
        command_requested: Run this command; carries its name. The palette has closed.
        keys_requested: Change the keys of this command; carries its name. The palette has closed.
    """

    command_requested = Signal(str)
    keys_requested = Signal(str)

    def __init__(self, window: QWidget, commands: Commands) -> None:
        super().__init__(window)
        self.setAccessibleName("Commands")
        self._commands = commands
        self.used: list[str] = []
        self._reasons: dict[str, str] = {}
        self._palette = DARK
        self.edit = _PaletteLine(self._request_keys)
        self.model = PaletteModel(self)
        self._delegate = PaletteDelegate(self)
        self.list = PickerList()
        self.list.setUniformItemSizes(False)
        self.list.setModel(self.model)
        self.list.setItemDelegate(self._delegate)
        self.list.setAccessibleName("Matching commands")
        self.message = label("", "dim")
        self.message.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.message.setWordWrap(True)
        self.reason = label("", "dim", style.font(style.SMALL_PX))
        self.count = label("", "dim", style.font(style.SMALL_PX))
        self._hints = _hints()
        self._glass = QLabel()
        self._arrange()
        self.edit.textChanged.connect(self._refresh)
        self.list.clicked.connect(self._run_clicked)

    def open(self) -> None:
        """Open with nothing typed; where it is open already, close it."""
        if self.isVisible():
            self.dismiss()
            return
        self._reasons = {each.command: self._commands.reason_not(each.command) for each in all_commands()}
        self.edit.clear()
        self._refresh()
        self._open_in_place()

    def note_used(self, command: str) -> None:
        """Remember that a command was used now."""
        self.used = [command, *(other for other in self.used if other != command)][:MOST_USED]

    def set_palette(self, palette: Palette) -> None:
        self._palette = self._delegate.palette = palette
        self._glass.setPixmap(icons.pixmap("search", palette.dim, style.px(16), self.devicePixelRatioF()))

    def sizeHint(self) -> QSize:
        width = min(style.px(_WIDTH_PX), self._window.width() - 2 * self._MARGIN)
        return QSize(width, self._bars_height() + self._list_height())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self._window and event.type() == QEvent.Type.Resize and self.isVisible():
            self._open_in_place()
        return super().eventFilter(watched, event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        page = max(1, self.list.height() // style.px(PaletteDelegate.ROW_PX) - 1)
        steps = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1, Qt.Key.Key_PageDown: page, Qt.Key.Key_PageUp: -page}
        step = steps.get(Qt.Key(event.key()))
        if event.key() in _ENTER:
            self._run()
        elif step is not None:
            self._move(step)
        else:
            super().keyPressEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange and hasattr(self, "edit"):
            self.set_palette(self._palette)

    # The rows

    def _refresh(self) -> None:
        typed = self.edit.text()
        rows = rows_for(typed, self.used, self._reasons)
        self.model.set_rows(rows)
        found = sum(isinstance(row, CommandRow) for row in rows)
        self.message.setText(f"No command matches “{typed.strip()}”.")
        self._pages.setCurrentWidget(self.list if rows else self.message)
        self.count.setText(f"{found} command" + ("" if found == 1 else "s"))
        self._select(self.model.row_from(0, 1))
        if self.isVisible():
            self.resize(self.sizeHint())

    def _move(self, by: int) -> None:
        """Select the row that many rows on; past the last comes the first with a single step, and the other way."""
        at, last, step = self.list.currentIndex().row(), self.model.rowCount() - 1, 1 if by > 0 else -1
        row = self.model.row_from(at + by, step)
        if row < 0 and abs(by) > 1:
            row = self.model.row_from(last if by > 0 else 0, -step)
        elif row < 0:
            row = self.model.row_from(0 if by > 0 else last, step)
        self._select(row)

    def _select(self, at: int) -> None:
        self.list.setCurrentIndex(self.model.index(at))
        # The head over the first row of a section is shown with it.
        above = self.model.rows[at - 1] if at > 0 else None
        if isinstance(above, HeadRow):
            self.list.scrollTo(self.model.index(at - 1), QListView.ScrollHint.EnsureVisible)
        self.list.scrollTo(self.model.index(at), QListView.ScrollHint.EnsureVisible)
        row = self._current()
        self.reason.setText(row.reason if row is not None else "")
        self.reason.setVisible(bool(self.reason.text()))
        self._hints.setVisible(not self.reason.text())
        if row is not None and self.isVisible():
            QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self.edit, self.model.spoken(row)))

    def _current(self) -> CommandRow | None:
        row = self.list.currentIndex().data(ROW_ROLE)
        return row if isinstance(row, CommandRow) else None

    def _run_clicked(self, index: Index) -> None:
        if isinstance(index.data(ROW_ROLE), CommandRow):  # a click on a head leaves the current row
            self._run()

    def _run(self) -> None:
        row = self._current()
        if row is None:
            return
        reason = self._commands.reason_not(row.command)  # asked again: the market has moved on since it was opened
        if reason:
            self._reasons[row.command] = reason
            self.reason.setText(reason)
            self.reason.show()
            self._hints.hide()
            return
        self.note_used(row.command)
        self.dismiss()
        self.command_requested.emit(row.command)

    def _request_keys(self) -> None:
        if (row := self._current()) is not None:
            self.dismiss()
            self.keys_requested.emit(row.command)

    # The parts and their sizes

    def _arrange(self) -> None:
        line = QWidget()
        style.sized(line, fixed_height=_LINE_PX)
        inside = QHBoxLayout(line)
        inside.setContentsMargins(20, 0, 20, 0)
        inside.setSpacing(10)
        inside.addWidget(self._glass)
        inside.addWidget(self.edit, 1)
        inside.addWidget(_cap("Esc"))
        foot = QWidget()
        style.sized(foot, fixed_height=_FOOT_PX)
        below = QHBoxLayout(foot)
        below.setContentsMargins(20, 0, 20, 0)
        below.addWidget(self._hints)
        below.addWidget(self.reason, 1)
        below.addStretch()
        below.addWidget(self.count)
        pages = QWidget()
        around = QVBoxLayout(pages)  # the pages' own layout has no margins
        around.setContentsMargins(_LIST_MARGIN_PX, 2, _LIST_MARGIN_PX, _LIST_MARGIN_PX)
        self._pages = QStackedLayout()
        around.addLayout(self._pages)
        self._pages.addWidget(self.list)
        self._pages.addWidget(self.message)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        for part in (line, _rule(), pages, _rule(), foot):
            layout.addWidget(part, 1 if part is pages else 0)
        self.reason.hide()

    def _open_in_place(self) -> None:
        """Open in the middle of the window, or move there."""
        self.open_at(QPoint((self._window.width() - self.sizeHint().width()) // 2, self._top()), self.edit)

    def _top(self) -> int:
        """Return where the palette's upper edge is: as usual, or higher where the window is too low for three rows."""
        least = self._bars_height() + 3 * style.px(PaletteDelegate.ROW_PX)
        return max(self._MARGIN, min(_TOP_PX, self._window.height() - self._MARGIN - least))

    def _bars_height(self) -> int:
        return style.px(_LINE_PX) + style.px(_FOOT_PX) + 4 + 2 + _LIST_MARGIN_PX

    def _list_height(self) -> int:
        """Return the height of the rows: at most nine of them, and no more than the window has room for."""
        row_px, head_px = style.px(PaletteDelegate.ROW_PX), style.px(HEAD_PX)
        needed = sum(head_px if isinstance(row, HeadRow) else row_px for row in self.model.rows) or 2 * row_px
        room = self._window.height() - self._top() - self._MARGIN - self._bars_height()
        return max(row_px, min(needed, _MOST_ROWS * row_px, room))


class _PaletteLine(QLineEdit):
    """The line to type into; Tab calls ``tab`` in place of moving the focus."""

    def __init__(self, tab: Callable[[], object]) -> None:
        super().__init__()
        self._tab = tab
        self.setObjectName("paletteLine")
        self.setAccessibleName("Find a command")
        self.setPlaceholderText("Find a command")
        self.setFont(style.font(_TYPED_PX))

    def focusNextPrevChild(self, is_forward: bool) -> bool:
        if is_forward:
            self._tab()
        return True  # nothing else in the palette takes the focus


def _rule() -> QFrame:
    line = QFrame()
    line.setObjectName("rule")
    line.setFixedHeight(1)
    return line


def _cap(text: str) -> QLabel:
    cap = label(text, "", style.font(style.SMALL_PX))
    cap.setObjectName("keyCap")
    style.sized(cap, fixed_height=18)
    return cap


def _hints() -> QWidget:
    """Return the keys of the palette in words."""
    hints = QWidget()
    row = QHBoxLayout(hints)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(4)
    for keys, text in ((("Up", "Down"), "choose"), (("Return",), "run"), (("Tab",), "change its keys")):
        for key in texts_of(keys):
            row.addWidget(_cap(key))
        row.addWidget(label(text, "dim", style.font(style.SMALL_PX)))
        row.addSpacing(10)
    return hints
