"""The chart's menus: how it draws, and what can be done to the pane under the pointer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QMenu

from widgets.chart.arrangement import PRICE, VOLUME
from widgets.chart.chart_style import Kind
from widgets.chart.pane_set import TITLES, PaneSet
from widgets.chart.value_view import Scale


def fill_style_menu(menu: QMenu, panes: PaneSet) -> None:
    """Add how prices and volume are drawn."""
    style = panes.style
    _choices(menu, [(kind.title, kind is style.kind, partial(_restyle, panes, kind=kind)) for kind in Kind])
    menu.addSeparator()
    scales = ((Scale.LINEAR, ""), (Scale.LOG, "\tAlt+L"), (Scale.PERCENT, "\tAlt+P"))
    _choices(
        menu,
        [
            (f"{scale.value.capitalize()} prices{key}", scale is style.scale, partial(_restyle, panes, scale=scale))
            for scale, key in scales
        ],
    )
    inverted = menu.addAction("Inverted\tAlt+I")
    inverted.setCheckable(True)
    inverted.setChecked(style.inverted)
    inverted.toggled.connect(lambda checked: _restyle(panes, inverted=checked))
    menu.addSeparator()
    own = VOLUME in panes.arrangement.keys
    _choices(
        menu,
        [
            ("Volume in a pane of its own", own, partial(panes.open, VOLUME)),
            ("Volume behind the prices", style.underlaid, partial(_restyle, panes, underlaid=True)),
            ("No volume", not own and not style.underlaid, partial(_hide_volume, panes)),
        ],
    )
    menu.addSeparator()
    takers = menu.addAction("Split volume into taker buys and sells")
    takers.setCheckable(True)
    takers.setChecked(style.takers)
    takers.toggled.connect(lambda checked: _restyle(panes, takers=checked))


def fill_pane_menu(menu: QMenu, panes: PaneSet, key: str) -> None:
    """Add what can be done to that pane, and the panes that are closed."""
    at, keys, title = panes.arrangement.index(key), panes.arrangement.keys, panes.title_of(key)
    up = menu.addAction(f"Move {title} up\tCtrl+Shift+↑", lambda: panes.move(key, -1))
    up.setEnabled(at > 0)
    down = menu.addAction(f"Move {title} down\tCtrl+Shift+↓", lambda: panes.move(key, 1))
    down.setEnabled(at < len(keys) - 1)
    if key != PRICE:
        menu.addAction(f"Close {title}\tDel", lambda: panes.close(key))
    for other in TITLES:
        if other not in keys:
            menu.addAction(f"Show {TITLES[other]}", partial(panes.open, other))


def _restyle(panes: PaneSet, **changes: object) -> None:
    panes.change_style(replace(panes.style, **changes))  # type: ignore[arg-type]  # because mypy cannot match the names


def _hide_volume(panes: PaneSet) -> None:
    panes.change_style(replace(panes.style, underlaid=False))
    panes.close(VOLUME)


def _choices(menu: QMenu, entries: list[tuple[str, bool, Callable[[], None]]]) -> None:
    group = QActionGroup(menu)
    for text, is_chosen, choose in entries:
        action = menu.addAction(text)
        action.setCheckable(True)
        action.setChecked(is_chosen)
        group.addAction(action)
        action.triggered.connect(lambda _checked=False, choose=choose: choose())
