"""
Several charts in one window: opens, arranges, maximises and closes them at the user's command.

Loaded with the second chart: until then the window holds its chart without a grid.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

from PySide6.QtCore import QObject, Qt, Signal

from app.market.interval import Interval
from app.window.charts.open_charts import OpenChart, OpenCharts
from app.window.state.window_state import WindowState
from app.window.workspace.chart_links import ChartLinks
from app.window.workspace.chart_menus import ChartMenus
from app.window.workspace.chart_rooms import ChartRoom, ChartRooms
from app.window.workspace.symbol_looks import SymbolLooks
from app.window.workspace.workspace_document import (
    MOST_CHARTS,
    ChartEntry,
    DetachedWindow,
    Workspace,
)
from app.window.workspace.workspace_switcher import WorkspaceSwitcher
from widgets.chart.chart_widget import ChartWidget
from widgets.keys import key_in_brackets
from widgets.view_values import WatchRow
from widgets.window.main_window import MainWindow
from widgets.window.window_placement import bring_to_front
from widgets.workspace.grid_layout import (
    Node,
    grid_of,
    keys_of,
    part_of,
    put_back,
    resized,
    shape_of,
    with_keys,
    with_neighbour,
    without,
)
from widgets.workspace.link_badge import NOT_LINKED, NOTHING, badge_icon

MOST_COMPARED = 16
_STEP = 0.05  # of a split's room


class ChartHost(Protocol):
    """What the charts of a workspace need of the window's controller."""

    def show_on(self, one: OpenChart, name: str, interval: Interval) -> None:
        """Show this symbol and interval on a chart."""

    def dress(self, one: OpenChart) -> None:
        """Give a new chart the window's palette and hints."""

    def compare_on(self, one: OpenChart, names: Sequence[str]) -> None:
        """Compare a chart's symbol with these."""

    def row_of(self, one: OpenChart) -> WatchRow:
        """Return the figures of a chart's symbol."""

    def title_of(self, name: str) -> str:
        """Return a symbol's name for the user."""

    def record(self) -> None:
        """Record what the charts show and compare with."""

    def close_charts(self, closed: Sequence[OpenChart]) -> None:
        """End charts that are not active."""


class WorkspaceController(QObject):
    """
    Arranges the charts of ``charts`` in ``window``.

    Signals:
        changed(): something about the charts has changed that should be saved.
    """

    changed = Signal()

    def __init__(self, charts: OpenCharts, window: MainWindow, state: WindowState, host: ChartHost) -> None:
        super().__init__(window)
        self._charts, self._window, self._state, self._host = charts, window, state, host
        self.switcher = WorkspaceSwitcher(self, window, self.changed.emit)
        self._entries: dict[int, ChartEntry] = {}  # what was restored of a chart: it may hold fields unknown here
        self._left: dict[int, Node] = {}  # by chart in a detached window: the main window's layout as it left that
        self.rooms = ChartRooms(charts, window, self)
        self.rooms.changed.connect(self.changed)
        self.rooms.command_requested.connect(self.run)
        self.rooms.closed.connect(self._take_back)
        self.links = ChartLinks(charts, host.show_on, self)
        self.links.changed.connect(self._on_links_changed)
        self.looks = SymbolLooks(charts)
        self.menus = ChartMenus(self, charts, window, host.title_of)
        self._commands: dict[str, Callable[[OpenChart], object]] = {
            **self.switcher.commands,
            "split_right": partial(self.split, in_columns=True),
            "split_below": partial(self.split, in_columns=False),
            "next_chart": lambda one: self._step(1),
            "previous_chart": lambda one: self._step(-1),
            "maximise_chart": self.maximise,
            "close_chart": self.close,
            "detach_chart": self.detach,
            "compare_symbols": self.menus.open_compare,
            "link_chart": self.menus.open_links,
            "looks_by_symbol": lambda _: self.toggle_looks(),
            "chart_wider": partial(self._resize, by=_STEP, in_columns=True),
            "chart_narrower": partial(self._resize, by=-_STEP, in_columns=True),
            "chart_higher": partial(self._resize, by=_STEP, in_columns=False),
            "chart_lower": partial(self._resize, by=-_STEP, in_columns=False),
        }
        charts.activated.connect(self._on_activated)
        charts.changed.connect(self._on_changed)

    @property
    def main(self) -> ChartRoom:
        """The main window's room."""
        return self.rooms.main

    # From one run of the program to the next

    def restore(self) -> None:
        """Open the charts of the state's workspaces, without loading; the window's one chart is the active one."""
        self.switcher.restore(self._state.workspaces)
        current = self.switcher.current
        if current.charts:
            self._open(current, {current.active: self._charts.active})
        self.switcher.show_tabs()

    def values(self) -> dict[str, Any]:
        """Return all workspaces as plain values; empty while there is one plain chart."""
        return self.switcher.values()

    def replace(self, workspace: Workspace) -> None:
        """Show the charts of a workspace in place of those that are shown, which are closed."""
        before, rooms = self._charts.all, self.rooms.all
        self._window.setUpdatesEnabled(False)
        try:
            self.rooms.detached = []
            opened = self._open(workspace, {})
            for one in before:
                room = next(each for each in rooms if each.grid is not None and one.key in each.grid.frames)
                self.rooms.grid_of(room).remove(one.key)
            self._show_layout()
        finally:
            self._window.setUpdatesEnabled(True)
        for room in rooms[1:]:
            room.end()
        self._host.record()
        for one in opened:
            self._host.show_on(one, one.symbol, one.interval)
        self._host.close_charts(before)
        self._charts.active.chart.setFocus()
        self.changed.emit()

    def _open(self, workspace: Workspace, there: dict[int, OpenChart]) -> list[OpenChart]:
        """Open a workspace's charts but those that are ``there``, by their keys in it; return the ones opened."""
        keys = {key: one.key for key, one in there.items()}
        self._entries = {one.key: workspace.charts[key] for key, one in there.items()}
        opened: list[OpenChart] = []
        templates = self._charts.active.chart.templates.templates.to_values()
        for key, entry in workspace.charts.items():
            if key not in keys:
                look = {**entry.appearance, "templates": templates}
                one = self._open_chart(self.main, entry.symbol, entry.interval, look)
                one.chart.restore_view(entry.view)
                keys[key], self._entries[one.key] = one.key, entry
                opened.append(one)
        self.main.layout = with_keys(workspace.layout, keys)
        self.main.maximised = None if workspace.maximised is None else keys[workspace.maximised]
        for window in workspace.windows:
            room = self.rooms.open_window([self.rooms.with_key(keys[key]) for key in keys_of(window.layout)])
            room.layout, room.unknown = with_keys(window.layout, keys), window.unknown
            if room.window is not None:
                room.window.place_at(window.place)
        for key, entry in workspace.charts.items():
            if entry.compare:
                self.rooms.with_key(keys[key]).controller.compare_with(entry.compare)
        homes = ((key, entry.home) for key, entry in workspace.charts.items())
        self._left = {keys[key]: with_keys(home, keys) for key, home in homes if home is not None}
        groups = {keys[key]: entry.link for key, entry in workspace.charts.items()}
        self.links.restore(groups, workspace.links)
        looks = {keys[key]: entry.looks for key, entry in workspace.charts.items()}
        self.looks.restore(looks, is_on=workspace.looks_by_symbol)
        self._charts.activate(self.rooms.with_key(keys[workspace.active]))
        if there and len(keys) > 1:
            self._show_layout()
        return opened

    def capture(self, workspace: Workspace) -> None:
        """Bring what the charts show now into the workspace, which is the shown one."""
        workspace.charts = {one.key: self._entry_of(one) for one in self._charts.all}
        workspace.layout, workspace.maximised = self.main.layout, self.main.maximised
        workspace.active = self._charts.active.key
        workspace.links, workspace.looks_by_symbol = self.links.chosen_parts, self.looks.is_on
        places = [None if room.window is None else room.window.place() for room in self.rooms.detached]
        workspace.windows = [
            DetachedWindow(room.layout, place, room.unknown)
            for room, place in zip(self.rooms.detached, places, strict=True)
        ]

    def _entry_of(self, one: OpenChart) -> ChartEntry:
        before = self._entries.get(one.key)
        appearance = {name: value for name, value in one.chart.appearance_values().items() if name != "templates"}
        unknown = {} if before is None else before.unknown
        view, link = one.chart.view_values(), self.links.group_of(one)
        compare = one.controller.compared
        window = self.rooms.all.index(self.rooms.of(one)) - 1
        looks, left = self.looks.of(one), self._left.get(one.key)
        home = None if left is None else part_of(left, self.rooms.keys)
        return ChartEntry(one.symbol, one.interval, appearance, view, link, compare, window, looks, unknown, home)

    # Commands

    def run(self, command: str, one: OpenChart | None = None) -> None:
        """Do what a command of `CommandGroup.CHARTS` says with a chart; None: with the active one."""
        self._commands[command](one or self._charts.active)

    def split(self, one: OpenChart, *, in_columns: bool) -> OpenChart | None:
        """Open another chart of the same symbol, interval and look beside a chart; None if there are too many."""
        if not self._has_room(1):
            return None
        new, room = self._open_like(one, one.symbol), self.rooms.of(one)
        room.layout = with_neighbour(room.layout, one.key, new.key, in_columns=in_columns)
        room.maximised = None
        with new.chart.laid_out_once():
            self._show_layout()
            self._host.show_on(new, new.symbol, new.interval)
            self.activate(new)
        self.changed.emit()
        return new

    def arrange(self, number: int, columns: int) -> None:
        """
        Arrange the active chart's room in so many columns; open more charts until it has ``number``.

        They are of the watchlist's symbols that no chart shows, as far as there are any.
        """
        room = self.rooms.of(self._charts.active)
        lacking = number - len(room.keys)
        if lacking > 0 and not self._has_room(lacking):
            return
        shown, opened = set(self._charts.symbols), list[OpenChart]()
        unseen = [name for name in self._state.watchlist if name not in shown]
        for at in range(lacking):
            name = unseen[at] if at < len(unseen) else self._charts.active.symbol
            opened.append(self._open_like(self._charts.active, name))
        keys = room.keys + [one.key for one in opened]
        room.layout, room.maximised = grid_of(keys, columns), None
        self._show_layout()
        for one in opened:
            self._host.show_on(one, one.symbol, one.interval)
        self.changed.emit()

    def maximise(self, one: OpenChart) -> None:
        """Give a chart all the room, or, if it has that, show all charts again."""
        room = self.rooms.of(one)
        if len(room.keys) < 2:
            self._ask_for_another("this one has all the room")
            return
        room.maximised = one.key if room.maximised is None else None
        self._show_layout()
        self.activate(one)
        self.changed.emit()

    def close(self, one: OpenChart) -> None:
        """Close a chart; its neighbours get its room. The last one of the main window stays."""
        room = self.rooms.of(one)
        keys, layout = self.rooms.keys, without(room.layout, one.key)
        if room.grid is None or (layout is None and room is self.main):
            self._ask_for_another("one stays in this window")
            return
        if one is self._charts.active:
            at = keys.index(one.key)
            self.activate(self.rooms.with_key(keys[at + 1] if at + 1 < len(keys) else keys[at - 1]))
        if one.key == room.maximised or isinstance(layout, int):
            room.maximised = None
        room.grid.remove(one.key)
        if layout is None:
            self.rooms.close_window(room)
        else:
            room.layout = layout
        self._show_layout()
        self._charts.active.chart.setFocus()
        self._host.close_charts([one])
        self.changed.emit()

    def detach(self, one: OpenChart) -> None:
        """Give a chart a window of its own or, where it is in one, bring it back to its place in the main window."""
        room = self.rooms.of(one)
        before, layout = room.layout, without(room.layout, one.key)
        if room is self.main and (layout is None or room.grid is None):
            self._ask_for_another("one stays in this window")
            return
        if one.key == room.maximised or isinstance(layout, int):
            room.maximised = None
        one.chart.forget_popups()
        self.rooms.grid_of(room).release(one.key)
        if layout is not None:
            room.layout = layout
        if room is self.main:
            self._left[one.key] = before
            self.rooms.open_window([one])
        else:
            self.rooms.grid_of(self.main).add(one.key, one.chart)
            at_right = with_neighbour(self.main.layout, self.main.keys[-1], one.key, in_columns=True)
            left = self._left.pop(one.key, None)
            self.main.layout = (left and put_back(self.main.layout, one.key, left)) or at_right
            if layout is None:
                self.rooms.close_window(room)
        self._show_layout()
        self.activate(one)
        self.changed.emit()

    def _take_back(self, room: ChartRoom) -> None:
        """Bring the charts of a window that the user closed back into the main window."""
        for key in room.keys:
            self.detach(self.rooms.with_key(key))

    def stop(self) -> None:
        """Close the detached windows; what is saved keeps them."""
        for room in self.rooms.detached:
            room.end()

    @property
    def offered(self) -> Sequence[str]:
        """The names of the symbols to compare with: the watchlist's."""
        return self._state.watchlist

    def compare(self, one: OpenChart, names: Sequence[str]) -> None:
        """Compare a chart's symbol with these, each once and none with itself."""
        chosen = [name for name in dict.fromkeys(names) if name != one.symbol]
        if len(chosen) > MOST_COMPARED:
            self._window.toasts.show(f"A chart compares with at most {MOST_COMPARED} symbols: take one off first.")
            chosen = chosen[:MOST_COMPARED]
        self._host.compare_on(one, chosen)
        self.changed.emit()

    def toggle_looks(self) -> None:
        """Let each chart keep panes, indicators and style for each symbol in this workspace, or no longer."""
        self.looks.is_on = not self.looks.is_on
        often = "keep" if self.looks.is_on else "no longer keep"
        self._window.toasts.show(f"Charts of this workspace {often} indicators, panes and style for each symbol.")
        self.changed.emit()

    def activate(self, one: OpenChart) -> None:
        """Make a chart the active one, with the focus."""
        room = self.rooms.of(one)
        if room.maximised is not None and room.maximised != one.key:
            room.maximised = one.key
            self._show_layout()
        self._charts.activate(one)
        window = room.window or self._window
        if len(self.rooms.all) > 1 and (window.isMinimized() or not window.isActiveWindow()):
            bring_to_front(window)
        one.chart.setFocus(Qt.FocusReason.OtherFocusReason)

    def _step(self, by: int) -> None:
        keys = self.rooms.keys
        if len(keys) < 2:
            self._ask_for_another("there is no other")
        at = keys.index(self._charts.active.key)
        self.activate(self.rooms.with_key(keys[(at + by) % len(keys)]))

    def _resize(self, one: OpenChart, *, by: float, in_columns: bool) -> None:
        room = self.rooms.of(one)
        layout = resized(room.layout, one.key, by, in_columns=in_columns)
        if layout != room.layout and room.maximised is None:
            room.layout = layout
            self._show_layout()
            one.chart.setFocus()
            self.changed.emit()

    def _ask_for_another(self, reason: str) -> None:
        self._window.toasts.show(f"Open another chart first{key_in_brackets('split_right')}: {reason}.")

    def _has_room(self, more: int) -> bool:
        if len(self._charts.all) + more <= MOST_CHARTS:
            return True
        self._window.toasts.show(f"A window has at most {MOST_CHARTS} charts: close one, then try again.")
        return False

    # The grid

    def renew(self, one: OpenChart | None = None) -> None:
        """Renew the figures in the head of a chart; None: of all charts in view."""
        for room in self.rooms.detached:
            if room.window is not None:
                shown = map(self.rooms.with_key, room.keys)
                names = dict.fromkeys(f"{self._host.title_of(each.symbol)} {each.interval}" for each in shown)
                room.window.setWindowTitle(f"{', '.join(names)} · cryptopipe")
        for each in self._charts.all if one is None else (one,):
            grid = self.rooms.of(each).grid
            frame = None if grid is None else grid.frames.get(each.key)
            if frame is not None and frame.isVisible() and not frame.window().isMinimized():
                row = self._host.row_of(each)
                frame.head.set_chart(row.symbol, each.interval)
                frame.head.set_row(row)
                group = self.links.group_of(each)
                frame.head.link.set_group(group, self.links.parts_of(group))

    def show_palette(self) -> None:
        """Draw heads and frames in the window's palette."""
        self.rooms.show_palette()
        self.switcher.set_palette(self._window.colours)
        self._show_links()

    def _show_links(self) -> None:
        """Say in the top bar how many charts there are, and what the active one shares with others."""
        bar, count = self._window.top_bar, len(self.rooms.keys)
        shape = shape_of(self.main.layout) if not self.rooms.detached else None
        bar.set_arrangement("" if count < 2 else f"{count} charts" if shape is None else f"{shape[0]} × {shape[1]}")
        group = self.links.group_of(self._charts.active)
        parts = self.links.parts_of(group) if group else ()
        words = f"Linked: {', '.join(parts) or NOTHING}" if group else NOT_LINKED
        letters = " ".join(part[0].upper() for part in parts)
        bar.set_links(None if count < 2 else badge_icon(self._window.colours, group), words, letters)

    def _open_like(self, like: OpenChart, symbol: str) -> OpenChart:
        """Open a chart that looks like another one, not loaded yet."""
        one = self._open_chart(self.rooms.of(like), symbol, like.interval, like.chart.appearance_values())
        self.looks.copy(like, one)
        return one

    def _open_chart(self, room: ChartRoom, symbol: str, interval: Interval, appearance: dict[str, Any]) -> OpenChart:
        grid = self.rooms.grid_of(room)
        one = self._charts.open(ChartWidget(), symbol, interval)
        with one.chart.laid_out_once():
            one.chart.restore_appearance(appearance)
            self._host.dress(one)
        grid.add(one.key, one.chart)
        return one

    def _show_layout(self) -> None:
        self.rooms.show()
        self.links.catch_up()
        self.switcher.show_tabs()
        self._show_links()
        self.renew()

    def _on_links_changed(self) -> None:
        self._show_links()
        self.renew()
        self.changed.emit()

    def _on_activated(self, one: OpenChart) -> None:
        self._show_links()
        self.changed.emit()

    @property
    def number(self) -> int:
        """How many charts there are."""
        return len(self._charts.all)

    def plain(self, name: str) -> Workspace:
        """Return a workspace of one plain chart of the active one's symbol and interval."""
        active = self._charts.active
        return Workspace(name, {1: ChartEntry(active.symbol, active.interval)}, 1, 1)

    def _on_changed(self, one: OpenChart) -> None:
        self.renew(one)
        self.changed.emit()
