"""The entries of the chart's menus: the style of prices, axes and times, and changes to one pane or axis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from PySide6.QtWidgets import QMenu

from app.market.quotes.tick import PriceSide
from widgets.chart.interaction.appearance import Appearance
from widgets.chart.model.chart_style import PriceStyle, next_side
from widgets.chart.model.pane_layout import PRICE, VOLUME
from widgets.chart.painting.pane import Pane
from widgets.chart.panes.pane_set import TITLES, PaneSet
from widgets.chart.scales.value_scale import ScaleMode
from widgets.controls.menu_entries import add_choices, add_toggle
from widgets.keys import key_text

_SPREAD_MEANING = "From the last bid of each candle to its last ask. In between, the spread may have been wider."


def fill_snap_menu(menu: QMenu, appearance: Appearance) -> None:
    """Add whether the crosshair snaps to prices."""
    text = f"Snap to prices{_key_hint('price_snap')}"
    add_toggle(menu, text, on=appearance.price_snap, turn=lambda _: appearance.toggle_price_snap())


def fill_exchange_menu(
    menu: QMenu, compare: Callable[[], None], download: Callable[[], None], *, has_candles: bool
) -> None:
    """Add, for the range in view, comparing with the exchange's candles, and downloading trades that are not stored."""
    compare_entry = menu.addAction(f"Compare with the exchange's candles{_key_hint('compare')}", lambda: compare())
    download_entry = menu.addAction(f"Download the trades in view{_key_hint('download_view')}", lambda: download())
    for entry in (compare_entry, download_entry):
        entry.setEnabled(has_candles)


def fill_time_menu(
    menu: QMenu,
    appearance: Appearance,
    open_date_entry: Callable[[], None],
    open_zone_picker: Callable[[], None],
    *,
    closes: bool,
) -> None:
    """Add going to a date, the time zone, shaded days, and, where the market ``closes``, sessions and closed time."""
    style = appearance.time_style
    menu.addAction(f"Go to date…{_key_hint('date')}", lambda: open_date_entry())
    menu.addAction(f"Time zone: {style.zone.title}…", lambda: open_zone_picker())
    add_toggle(
        menu,
        "Shade every other day",
        on=style.shaded,
        turn=lambda on: appearance.change_time_style(replace(style, shaded=on)),
    )
    if closes:
        add_toggle(
            menu,
            "Show sessions",
            on=style.shows_sessions,
            turn=lambda on: appearance.change_time_style(replace(style, shows_sessions=on)),
        )
        add_toggle(
            menu,
            "Show closed time",
            on=style.shows_closed,
            turn=lambda on: appearance.change_time_style(replace(style, shows_closed=on)),
        )


def fill_style_menu(menu: QMenu, panes: PaneSet) -> None:
    """Add the styles of prices, price axis and volume, one below the other."""
    fills = (fill_price_style_menu, fill_scale_menu, fill_volume_menu)
    for fill in (fill_tick_price_menu, *fills) if panes.counts_ticks else fills:
        fill(menu, panes)
        menu.addSeparator()


def fill_style_menus(menu: QMenu, panes: PaneSet) -> None:
    """Add the styles of prices, price axis and volume, each as a submenu."""
    if panes.counts_ticks:
        fill_tick_price_menu(menu.addMenu("Price shown"), panes)
    fill_price_style_menu(menu.addMenu("Prices as"), panes)
    fill_scale_menu(menu.addMenu("Price axis"), panes)
    fill_volume_menu(menu.addMenu(panes.title_of(VOLUME)), panes)


def fill_tick_price_menu(menu: QMenu, panes: PaneSet) -> None:
    """Add which price of ticks is shown, and whether the spread is: for symbols without trades."""
    style = panes.style
    choices: list[tuple[str, bool, Callable[[], None]]] = []
    for side in PriceSide:
        key = _key_hint("price_side") if side is next_side(style.price_side) else ""
        choose = partial(_change_style, panes, price_side=side)
        choices.append((f"{side.value.capitalize()} prices{key}", side is style.price_side, choose))
    add_choices(menu, choices)
    menu.addSeparator()
    add_toggle(
        menu,
        f"Spread as a band{_key_hint('spread_band')}",
        on=style.spread_band,
        turn=lambda on: _change_style(panes, spread_band=on),
    )
    menu.actions()[-1].setToolTip(_SPREAD_MEANING)
    menu.setToolTipsVisible(True)


def fill_price_style_menu(menu: QMenu, panes: PaneSet) -> None:
    """Add the styles of prices: candles, bars, a line …"""
    chosen = panes.style.price_style
    add_choices(
        menu, [(kind.title, kind is chosen, partial(_change_style, panes, price_style=kind)) for kind in PriceStyle]
    )


def fill_scale_menu(menu: QMenu, panes: PaneSet) -> None:
    """Add the modes of the price axis, and whether it is inverted."""
    style = panes.style
    scales = ((ScaleMode.LINEAR, ""), (ScaleMode.LOG, _key_hint("log")), (ScaleMode.PERCENT, _key_hint("percent")))
    add_choices(
        menu,
        [
            (
                f"{scale.value.capitalize()} prices{key}",
                scale is style.scale_mode,
                partial(_change_style, panes, scale_mode=scale),
            )
            for scale, key in scales
        ],
    )
    add_toggle(
        menu, f"Inverted{_key_hint('invert')}", on=style.inverted, turn=lambda on: _change_style(panes, inverted=on)
    )


def fill_volume_menu(menu: QMenu, panes: PaneSet) -> None:
    """Add where volume is drawn, and whether it is split by takers."""
    style, own, ticks = panes.style, VOLUME in panes.layout.keys, panes.counts_ticks
    texts = ("Ticks in a pane of their own", "Ticks behind the prices", "No ticks")
    apart, behind, none = texts if ticks else ("Volume in a pane of its own", "Volume behind the prices", "No volume")
    add_choices(
        menu,
        [
            (apart, own, partial(panes.open, VOLUME)),
            (behind, style.underlaid, partial(_change_style, panes, underlaid=True)),
            (none, not own and not style.underlaid, partial(_hide_volume, panes)),
        ],
    )
    if ticks:
        return
    menu.addSeparator()
    text = "Split volume into taker buys and sells"
    add_toggle(menu, text, on=style.takers, turn=lambda on: _change_style(panes, takers=on))


def fill_axis_menu(menu: QMenu, panes: PaneSet, pane: Pane, reset: Callable[[str], object]) -> None:
    """Add the entries for a pane's value axis. ``reset``: makes the axis of the pane of a key automatic."""
    automatic = menu.addAction(f"Fit to what is in view{_key_hint('automatic')}", partial(reset, pane.key))
    automatic.setEnabled(not pane.value_scale.auto)
    text = "Indicators' values on the axes"
    add_toggle(menu, text, on=panes.style.axis_labels, turn=lambda on: _change_style(panes, axis_labels=on))
    if pane.key == PRICE:
        only = panes.style.fits_prices_only
        add_toggle(menu, "Fit prices only", on=only, turn=lambda on: _change_style(panes, fits_prices_only=on))
        menu.addSeparator()
        fill_scale_menu(menu, panes)


def fill_pane_menu(menu: QMenu, panes: PaneSet, key: str, maximise: Callable[[str], object]) -> None:
    """
    Add moving and closing a pane, giving it all the room, and opening the panes that are closed.

    ``maximise``: gives the pane of a key all the room, or shows all panes again.
    """
    at, keys, title = panes.layout.index(key), panes.layout.keys, panes.title_of(key)
    text = f"Maximise {title}" if panes.maximised is None else "Show all panes"
    whole = menu.addAction(f"{text}{_key_hint('maximise_pane')}", partial(maximise, key))
    whole.setEnabled(len(keys) > 1)
    up = menu.addAction(f"Move {title} up{_key_hint('pane_up')}", lambda: panes.move(key, -1))
    up.setEnabled(at > 0)
    down = menu.addAction(f"Move {title} down{_key_hint('pane_down')}", lambda: panes.move(key, 1))
    down.setEnabled(at < len(keys) - 1)
    if key != PRICE:
        menu.addAction(f"Close {title}{_key_hint('close_pane')}", lambda: panes.close(key))
    for other in TITLES:
        if other not in keys:
            menu.addAction(f"Show {panes.title_of(other)}", partial(panes.open, other))


def _change_style(panes: PaneSet, **changes: object) -> None:
    panes.change_style(replace(panes.style, **changes))  # type: ignore[arg-type]  # because mypy cannot match the names


def _hide_volume(panes: PaneSet) -> None:
    panes.change_style(replace(panes.style, underlaid=False))
    panes.close(VOLUME)


def _key_hint(command: str) -> str:
    return f"\t{key_text(command)}"
