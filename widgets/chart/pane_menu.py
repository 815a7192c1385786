"""The chart's context menu: what can be done to the pane under the pointer."""

from __future__ import annotations

from functools import partial

from PySide6.QtWidgets import QMenu

from widgets.chart.arrangement import PRICE
from widgets.chart.pane_set import TITLES, PaneSet


def fill_pane_menu(menu: QMenu, panes: PaneSet, key: str) -> None:
    """Add what can be done to that pane, and the panes that are closed."""
    at, keys = panes.arrangement.index(key), panes.arrangement.keys
    title = TITLES[key]
    up = menu.addAction(f"Move {title} up\tCtrl+Shift+↑", lambda: panes.move(key, -1))
    up.setEnabled(at > 0)
    down = menu.addAction(f"Move {title} down\tCtrl+Shift+↓", lambda: panes.move(key, 1))
    down.setEnabled(at < len(keys) - 1)
    if key != PRICE:
        menu.addAction(f"Close {title}\tDel", lambda: panes.close(key))
    closed = [other for other in TITLES if other not in keys]
    if closed:
        menu.addSeparator()
    for other in closed:
        menu.addAction(f"Show {TITLES[other]}", partial(panes.open, other))
