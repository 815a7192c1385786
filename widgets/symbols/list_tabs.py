"""The tabs of the watchlist's lists, with a button for a new one and a menu."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QMenu, QSizePolicy, QTabBar, QToolButton, QWidget

from widgets.commands import CommandSet
from widgets.controls.bar_parts import ICON_PX
from widgets.controls.context_menu import context_menu, give_menu, pop_up
from widgets.keys import CommandGroup, command_of, key_text
from widgets.theme import icons, style
from widgets.theme.palettes import DARK, Palette

HEIGHT = 32


@dataclass(frozen=True, slots=True)
class TabWords:
    """What tabs are called: ``bar``: all of them; ``one``: one, as it follows “New”; ``menu``: the button's menu."""

    bar: str = "Watchlists"
    one: str = "list"
    menu: str = "Menu of the watchlist"


_LONGEST_NAME = 40
_WIDEST_TAB_PX = 140


class ListTabs(QWidget):
    """
    One tab for each list. A double click or F2 renames, a drag or Ctrl+Shift+← → moves, Del deletes.

    ``commands`` do the same to the open list.

    Signals:
        shown_requested: Show this list; carries its index.
        add_requested: Make a list, and show it.
        rename_requested: Call this list so; carries index and name.
        remove_requested: Delete this list; carries its index.
        move_requested: Move this list; carries its index and the one to move it to.
        menu_wanted: The menu is about to open; connect to add entries to the `QMenu` that it carries.
    """

    shown_requested = Signal(int)
    add_requested = Signal()
    rename_requested = Signal(int, str)
    remove_requested = Signal(int)
    move_requested = Signal(int, int)
    menu_wanted = Signal(QMenu)

    def __init__(self, words: TabWords | None = None, height: int = HEIGHT) -> None:
        super().__init__()
        self._words = words or TabWords()
        self.commands = self._make_commands()
        self.bar = _TabBar(self.commands.commands)
        self.bar.setAccessibleName(self._words.bar)
        self.add_button = self._make_button(f"New {self._words.one}")
        self.menu_button = self._make_button(self._words.menu)
        self.edit = _NameEdit(self, self.bar, f"Name of the {self._words.one}")
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 0, 8, 0)
        row.setSpacing(2)
        row.addWidget(self.bar)
        row.addWidget(self.add_button)
        row.addStretch(1)
        row.addWidget(self.menu_button)
        style.sized(self, fixed_height=height)
        self.bar.currentChanged.connect(self._on_current_changed)
        self.bar.tabMoved.connect(self._on_tab_moved)
        self.bar.tabBarDoubleClicked.connect(self._on_double_click)
        self.edit.entered.connect(self.rename_requested)
        self.add_button.clicked.connect(lambda: self.add_requested.emit())
        self.menu_button.clicked.connect(self._open_menu)
        self.set_lists(["Main"], 0)
        give_menu(self.bar, lambda point: self.menu_of(self.bar.tabAt(point)))

    def set_lists(self, names: Sequence[str], shown: int) -> None:
        """Show these names as tabs, and which one is open."""
        self.bar.blockSignals(True)
        while self.bar.count() > len(names):
            self.bar.removeTab(self.bar.count() - 1)
        for at, name in enumerate(names):
            text = name.replace("&", "&&")
            if at >= self.bar.count():
                self.bar.addTab(text)
            elif self.bar.tabText(at) != text:
                self.bar.setTabText(at, text)
            self.bar.setTabToolTip(at, f"{name}; a double click renames it, a drag moves it")
        self.bar.setCurrentIndex(shown)
        self.bar.blockSignals(False)
        self.bar.updateGeometry()

    def names(self) -> list[str]:
        """Return the lists' names, in order."""
        return [self.bar.tabText(at).replace("&&", "&") for at in range(self.bar.count())]

    @property
    def shown(self) -> int:
        """The index of the open list."""
        return self.bar.currentIndex()

    def rename(self, index: int) -> None:
        """Let the user type another name over a tab."""
        if 0 <= index < self.bar.count():
            self.edit.open_over(index, self.names()[index])

    def menu_of(self, index: int) -> QMenu:
        """Return the context menu of a tab, or of the space beside them (-1). The caller opens it."""
        menu = context_menu(self)
        if index >= 0:
            menu.addAction(f"Rename “{self.names()[index]}”…\t{key_text('rename_list')}", partial(self.rename, index))
            for command, text, by in (("list_left", "Move left", -1), ("list_right", "Move right", 1)):
                action = menu.addAction(
                    f"{text}\t{key_text(command)}", partial(self.move_requested.emit, index, index + by)
                )
                action.setEnabled(0 <= index + by < self.bar.count())
            delete = menu.addAction(f"Delete “{self.names()[index]}”", partial(self._ask_to_remove, index))
            delete.setEnabled(self.bar.count() > 1)
            self._fill_menu(menu, index)
            menu.addSeparator()
        menu.addAction(f"New {self._words.one}", self.add_requested.emit)
        return menu

    def _fill_menu(self, menu: QMenu, index: int) -> None:
        """Add what else can be done with a tab. To be extended."""

    def set_palette(self, palette: Palette) -> None:
        """Draw in these colours."""
        self.bar.accent = palette.accent
        self.add_button.setIcon(icons.icon("plus", palette.dim))
        self.menu_button.setIcon(icons.icon("dots", palette.dim))

    def _make_commands(self) -> CommandSet:
        return CommandSet(
            {
                "new_list": self.add_requested.emit,
                "rename_list": lambda: self.rename(self.bar.currentIndex()),
                "remove_list": lambda: self._ask_to_remove(self.bar.currentIndex()),
                "list_left": lambda: self._move(-1),
                "list_right": lambda: self._move(1),
            },
            {
                "remove_list": lambda: "" if self.bar.count() > 1 else "The last list cannot be deleted.",
                "list_left": lambda: "" if self._has_place(-1) else "The list is the first one already.",
                "list_right": lambda: "" if self._has_place(1) else "The list is the last one already.",
            },
        )

    def _has_place(self, by: int) -> bool:
        return 0 <= self.bar.currentIndex() + by < self.bar.count()

    def _make_button(self, meaning: str) -> QToolButton:
        button = QToolButton()
        button.setAccessibleName(meaning)
        button.setToolTip(meaning)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        style.sized(button, icon_size=ICON_PX)
        return button

    def _open_menu(self) -> None:
        menu = context_menu(self)
        self.menu_wanted.emit(menu)
        for action in self.menu_of(self.bar.currentIndex()).actions():
            menu.addAction(action)
        pop_up(menu, self.menu_button.mapToGlobal(self.menu_button.rect().bottomLeft()))

    def _on_current_changed(self, index: int) -> None:
        if not self.bar.is_moving:
            self.shown_requested.emit(index)

    def _on_tab_moved(self, source: int, target: int) -> None:
        self.move_requested.emit(source, target)

    def _on_double_click(self, index: int) -> None:
        if index >= 0:
            self.rename(index)
        else:
            self.add_requested.emit()

    def _ask_to_remove(self, index: int) -> None:
        if self.bar.count() > 1:
            self.remove_requested.emit(index)

    def _move(self, by: int) -> None:
        index = self.bar.currentIndex()
        if self._has_place(by):
            self.move_requested.emit(index, index + by)


class _TabBar(QTabBar):
    """The tabs; they give way where there is little room, and scroll."""

    def __init__(self, commands: dict[str, Callable[[], object]]) -> None:
        super().__init__()
        self.accent = DARK.accent
        self.is_moving = False
        self._commands = commands
        self.setObjectName("listTabs")
        self.setFont(style.font())
        self.setMovable(True)
        self.setDrawBase(False)
        self.setExpanding(False)
        self.setUsesScrollButtons(True)
        self.setElideMode(Qt.TextElideMode.ElideRight)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)

    def minimumSizeHint(self) -> QSize:
        # Never more than its tabs need: the button for a new list stands right behind them.
        return QSize(min(style.px(80), self.sizeHint().width()), super().minimumSizeHint().height())

    def tabSizeHint(self, index: int) -> QSize:
        hint, beside = super().tabSizeHint(index), self.tabButton(index, QTabBar.ButtonPosition.RightSide)
        most = style.px(_WIDEST_TAB_PX) + (0 if beside is None else beside.sizeHint().width())
        return QSize(min(hint.width(), most), hint.height())

    def minimumTabSizeHint(self, index: int) -> QSize:
        return self.tabSizeHint(index)  # where there are too many, they scroll: “L…” names no list

    def keyPressEvent(self, event: QKeyEvent) -> None:
        call = self._commands.get(command_of(event, within=CommandGroup.LISTS) or "")
        if call is not None:
            call()
        elif event.text().strip():
            event.ignore()  # for the window, which opens a picker
        else:
            super().keyPressEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        self.is_moving = event.button() == Qt.MouseButton.LeftButton

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.is_moving = False
        super().mouseReleaseEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self.hasFocus():
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(self.accent), 1))
        painter.drawRoundedRect(QRectF(self.tabRect(self.currentIndex())).adjusted(1.5, 1.5, -1.5, -1.5), 6, 6)
        painter.end()


class _NameEdit(QLineEdit):
    """
    The line over a tab that takes its new name. Enter, or leaving it, takes the name; Esc does not.

    Signals:
        entered: A name was entered; carries the tab's index and the name.
    """

    entered = Signal(int, str)

    def __init__(self, tabs: QWidget, bar: QTabBar, meaning: str) -> None:
        super().__init__(tabs)
        self._tabs = tabs
        self._bar, self._index = bar, -1
        self.setObjectName("listName")
        self.setAccessibleName(meaning)
        self.setFont(style.font())
        self.setMaxLength(_LONGEST_NAME)
        self.editingFinished.connect(self._finish)
        self.hide()

    def open_over(self, index: int, name: str) -> None:
        """Open over a tab with its name, all of it selected."""
        self._index = index
        self.setText(name)
        tab = self._bar.tabRect(index)
        corner = self._bar.mapTo(self._tabs, tab.topLeft())
        width = min(max(tab.width(), style.px(140)), self._tabs.width())
        x = min(max(corner.x(), 0), self._tabs.width() - width)
        height = max(tab.height(), self.sizeHint().height())
        self.setGeometry(x, max((self._tabs.height() - height) // 2, 0), width, min(height, self._tabs.height()))
        self.show()
        self.raise_()
        self.selectAll()
        self.setFocus(Qt.FocusReason.PopupFocusReason)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self._index = -1
            self._close()
        else:
            super().keyPressEvent(event)
            event.accept()  # no key goes on to the window

    def _finish(self) -> None:
        index, self._index = self._index, -1
        if index >= 0:
            self._close()
            self.entered.emit(index, self.text())

    def _close(self) -> None:
        had_focus = self.hasFocus()
        self.hide()
        if had_focus:
            self._bar.setFocus(Qt.FocusReason.PopupFocusReason)
