"""Context menus: opened by a right click or the keyboard's menu key, and deleted once closed."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, Qt
from PySide6.QtGui import QContextMenuEvent, QKeyEvent
from PySide6.QtWidgets import QApplication, QMenu, QWidget

from widgets.theme import style


def context_menu(parent: QWidget) -> QMenu:
    """Return an empty menu in the interface font. The caller fills it, and `pop_up` opens it."""
    menu = QMenu(parent)
    menu.setFont(style.font())
    return menu


def pop_up(menu: QMenu, at: QPoint) -> None:
    """Open a menu at a point of the screen; closed, it is deleted. An empty menu is not opened."""
    menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    if menu.actions():
        menu.popup(at)
    else:
        menu.deleteLater()


def search_instead(menu: QMenu, search: Callable[[str], object]) -> None:
    """Close a menu when a letter or a digit is typed, and call ``search`` with that."""
    menu.installEventFilter(_Typing(menu, search))


class _Typing(QObject):
    """Takes letters and digits from a menu, which would do nothing with them."""

    def __init__(self, menu: QMenu, search: Callable[[str], object]) -> None:
        super().__init__(menu)
        self._menu, self._search = menu, search

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() != QEvent.Type.KeyPress:
            return False
        assert isinstance(event, QKeyEvent)
        with_shift = event.modifiers() & ~Qt.KeyboardModifier.ShiftModifier
        if not event.text().isalnum() or with_shift & ~Qt.KeyboardModifier.KeypadModifier:
            return False
        self._menu.close()
        self._search(event.text())
        return True


def give_menu(part: QWidget, menu_at: Callable[[QPoint], QMenu]) -> None:
    """Open the menu that ``menu_at`` returns for a point of ``part`` wherever the user asks for its context menu."""
    part.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
    part.customContextMenuRequested.connect(lambda point: pop_up(menu_at(point), part.mapToGlobal(point)))


def open_menu_of_focus() -> None:
    """Open the context menu of what has the focus, as the menu key does, which many keyboards lack."""
    part = QApplication.focusWidget()
    if part is not None:
        cursor = part.inputMethodQuery(Qt.InputMethodQuery.ImCursorRectangle)
        at = cursor.center() if isinstance(cursor, QRect) else part.rect().center()
        QApplication.sendEvent(part, QContextMenuEvent(QContextMenuEvent.Reason.Keyboard, at, part.mapToGlobal(at)))
