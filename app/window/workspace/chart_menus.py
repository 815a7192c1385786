"""The menus on several charts: how they are arranged, what one is linked in, and what it is compared with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from PySide6.QtCore import QPoint
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu

from app.window.charts.open_charts import OpenChart, OpenCharts
from app.window.workspace.chart_links import ChartLinks
from app.window.workspace.chart_rooms import ChartRooms
from app.window.workspace.symbol_looks import SymbolLooks
from app.window.workspace.workspace_document import LINKED_PARTS, MOST_LINKS
from widgets.controls.context_menu import context_menu, pop_up, search_instead
from widgets.controls.key_hints import text_with_key
from widgets.keys import key_in_brackets
from widgets.theme import style
from widgets.window.main_window import MainWindow
from widgets.workspace.link_badge import badge_icon

_MOST_OFFERED = 24
_ARRANGEMENTS = {
    "Two beside each other": (2, 2),
    "Two below each other": (2, 1),
    "Three beside each other": (3, 3),
    "2 × 2": (4, 2),
    "3 × 3": (9, 3),
    "4 × 4": (16, 4),
}
"""Number of charts, and columns."""


class ArrangedCharts(Protocol):
    """What the menus show of the charts, and what they do with them."""

    rooms: ChartRooms
    links: ChartLinks
    looks: SymbolLooks

    @property
    def offered(self) -> Sequence[str]:
        """The names of the symbols to compare with."""

    def run(self, command: str) -> None:
        """Do what a command says with the active chart."""

    def arrange(self, number: int, columns: int) -> None:
        """Arrange so many charts."""

    def compare(self, one: OpenChart, names: Sequence[str]) -> None:
        """Compare a chart's symbol with these."""

    def toggle_looks(self) -> None:
        """Let charts keep their look for each symbol, or no longer."""


class ChartMenus:
    """The menus of ``charts`` in ``window``. ``title_of``: returns a symbol's name for the user."""

    def __init__(
        self, arranged: ArrangedCharts, charts: OpenCharts, window: MainWindow, title_of: Callable[[str], str]
    ) -> None:
        self._arranged, self._charts, self._window, self._title_of = arranged, charts, window, title_of

    def open_arrangements(self, at: QPoint) -> None:
        """Open the menu of arrangements at a point of the screen."""
        arranged, menu = self._arranged, context_menu(self._window)
        several = len(self._charts.all) > 1
        room = arranged.rooms.of(self._charts.active)
        back = "Show all charts" if room.maximised is not None else "Maximise the chart"
        is_in_main = room is arranged.rooms.main
        entries = {
            "split_right": "Another chart to the right",
            "split_below": "Another chart below",
            "compare_symbols": "Compare with…",
            "maximise_chart": back,
            "detach_chart": "A window of its own" if is_in_main else "Back into the main window",
            "close_chart": "Close the chart",
        }
        for command, text in entries.items():
            action = menu.addAction(text_with_key(text, command), partial(arranged.run, command))
            action.setEnabled(several or command.startswith(("split", "compare")))
        menu.addSeparator()
        for text, (number, columns) in _ARRANGEMENTS.items():
            menu.addAction(text, partial(arranged.arrange, number, columns))
        menu.addSeparator()
        text = text_with_key("Keep indicators and style for each symbol", "looks_by_symbol")
        _tickable(menu, text, arranged.looks.is_on, arranged.toggle_looks)
        menu.addSeparator()
        for command, text in {"new_workspace": "New workspace", "import_workspace": "Import workspaces…"}.items():
            menu.addAction(text_with_key(text, command), partial(arranged.run, command))
        pop_up(menu, at)
        menu.setActiveAction(menu.actions()[0])

    def open_links(self, one: OpenChart, at: QPoint | None = None) -> None:
        """Open the menu of a chart's links at a point of the screen; None: below its head."""
        links, room = self._arranged.links, self._arranged.rooms.of(one)
        if room.grid is None or len(self._charts.all) < 2:
            self._window.toasts.show(f"Open another chart first{key_in_brackets('split_right')}, then link the two.")
            return
        head = room.grid.frames[one.key].head
        menu, group = context_menu(head), links.group_of(one)
        for number in range(MOST_LINKS + 1):
            others = [each for each in self._charts.all if each is not one and links.group_of(each) == number]
            names = ", ".join(dict.fromkeys(f"{self._title_of(each.symbol)} {each.interval}" for each in others))
            text = "Not linked" if not number else f"Group {number}" + (f": {names}" if others else "")
            action = _tickable(menu, text, number == group, partial(links.put_into, one, number))
            if number:
                action.setIcon(badge_icon(self._window.colours, number))
        menu.addSeparator()
        parts = links.parts_of(group)
        for part in LINKED_PARTS:
            other = tuple(each for each in parts if each != part) if part in parts else (*parts, part)
            action = _tickable(
                menu, f"Share the {part}", bool(group) and part in parts, partial(links.set_parts, group, other)
            )
            action.setEnabled(bool(group))
        pop_up(menu, at or head.mapToGlobal(head.rect().bottomLeft()))
        menu.setActiveAction(menu.actions()[group])

    def open_compare(self, one: OpenChart, at: QPoint | None = None) -> None:
        """Open the menu of symbols to compare a chart's with, at a point of the screen; None: in the chart's corner."""
        compare, compared = self._arranged.compare, one.controller.compared
        menu = context_menu(self._window)
        offered = [name for name in dict.fromkeys([*compared, *self._arranged.offered]) if name != one.symbol]
        for name in offered[:_MOST_OFFERED]:
            is_on = name in compared
            wanted = tuple(each for each in compared if each != name) if is_on else (*compared, name)
            _tickable(menu, self._title_of(name), is_on, partial(compare, one, wanted))
        menu.addSeparator()

        def search(text: str = "") -> None:
            self._window.choosers.pick_symbol(lambda name: compare(one, (*one.controller.compared, name)), text)

        menu.addAction("Another symbol…", lambda: search())
        stop = menu.addAction("Compare no longer", partial(compare, one, ()))
        stop.setEnabled(bool(compared))
        search_instead(menu, search)
        pop_up(menu, at or one.chart.mapToGlobal(QPoint(style.px(16), style.px(40))))
        menu.setActiveAction(menu.actions()[0])


def _tickable(menu: QMenu, text: str, is_on: bool, call: Callable[[], object]) -> QAction:
    action = menu.addAction(text)
    action.setCheckable(True)
    action.setChecked(is_on)
    action.triggered.connect(lambda: call())
    return action
