"""The chart's keys: what each command of `widgets.keys` does while the chart has the focus."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from PySide6.QtGui import QKeyEvent

from widgets.chart.interaction.navigator import Navigator
from widgets.chart.model.chart_style import next_side
from widgets.chart.model.pane_layout import PRICE
from widgets.chart.painting.scene import Scene
from widgets.chart.panes.pane_set import PaneSet
from widgets.chart.scales.value_scale import ScaleMode
from widgets.keys import CommandGroup, command_of, key_in_brackets

_ZOOM = 1.15  # as a notch of the wheel zooms
_STEP, _HALF, _SCREEN = 0.1, 0.5, 1.0  # of the width in view


class Keyboard:
    """
    Runs the command of a key. It is the chart's `widgets.commands.CommandPart`.

    ``commands``: the chart's commands by name; a call returns False if it had nothing to do. ``reasons``: by name, why
    a command cannot run now. Parts of the chart add theirs to both.
    """

    def __init__(self, scene: Scene, panes: PaneSet, navigator: Navigator) -> None:
        self._scene, self._panes, self._navigator = scene, panes, navigator
        self._cancels: list[Callable[[], bool]] = [self._unchoose_pane]
        self._contexts: list[tuple[CommandGroup, Callable[[], bool]]] = []
        self.commands: dict[str, Callable[[], object]] = {
            "earlier": partial(self._pan, _STEP),
            "later": partial(self._pan, -_STEP),
            "half_earlier": partial(self._pan, _HALF),
            "half_later": partial(self._pan, -_HALF),
            "screen_earlier": partial(self._pan, _SCREEN),
            "screen_later": partial(self._pan, -_SCREEN),
            "zoom_in": partial(navigator.zoom, _ZOOM),
            "zoom_out": partial(navigator.zoom, 1 / _ZOOM),
            "fit": navigator.fit,
            "first": navigator.show_first,
            "latest": navigator.follow_latest,
            "back": navigator.go_back,
            "forward": navigator.go_forward,
            "log": partial(self._toggle_scale, ScaleMode.LOG),
            "percent": partial(self._toggle_scale, ScaleMode.PERCENT),
            "invert": self._invert,
            "price_side": self._next_price_side,
            "spread_band": self._toggle_spread_band,
            "taller": partial(self._on_axis, partial(navigator.stretch, factor=1 / _ZOOM)),
            "flatter": partial(self._on_axis, partial(navigator.stretch, factor=_ZOOM)),
            "automatic": partial(self._on_axis, navigator.reset),
            "next_pane": partial(panes.choose_next, 1),
            "previous_pane": partial(panes.choose_next, -1),
            "grow_pane": partial(self._with_chosen, lambda key: panes.grow(key, 1)),
            "shrink_pane": partial(self._with_chosen, lambda key: panes.grow(key, -1)),
            "pane_up": partial(self._with_chosen, lambda key: panes.move(key, -1)),
            "pane_down": partial(self._with_chosen, lambda key: panes.move(key, 1)),
            "close_pane": partial(self._with_chosen, panes.close),
            "cancel": self._cancel,
        }
        on_candles = ("earlier", "later", "half_earlier", "half_later", "screen_earlier", "screen_later", "first")
        on_chosen = ("grow_pane", "shrink_pane", "pane_up", "pane_down", "close_pane")
        self.reasons: dict[str, Callable[[], str]] = {
            **dict.fromkeys(on_candles, self._why_no_candles),
            **dict.fromkeys(on_chosen, self._why_no_pane),
            **dict.fromkeys(("price_side", "spread_band"), self._why_no_sides),
            "back": lambda: "" if navigator.can_go_back else "There is no view before this one.",
            "forward": lambda: "" if navigator.can_go_forward else "You have not gone back.",
        }

    def press(self, event: QKeyEvent) -> None:
        """Run the key's command and accept the event; leave it to the parent widget if there was nothing to do."""
        groups = [group for group, counts in self._contexts if counts()]
        for group in (*groups, None):
            call = self.commands.get(command_of(event, group) or "")
            if call is not None and call() is not False:
                event.accept()
                return

    def add_context(self, group: CommandGroup, counts: Callable[[], bool]) -> None:
        """Have a group with keys of its own come before the chart's, while ``counts`` returns True."""
        self._contexts.append((group, counts))

    def add_cancel(self, cancel: Callable[[], bool]) -> None:
        """Have Esc try this before all that was added earlier; it returns whether there was anything to give up."""
        self._cancels.insert(0, cancel)

    def _why_no_candles(self) -> str:
        return "" if self._navigator.has_candles else "The chart has no candles yet."

    def _why_no_pane(self) -> str:
        return "" if self._scene.chosen_pane is not None else f"Choose a pane first{key_in_brackets('next_pane')}."

    def _why_no_sides(self) -> str:
        return "" if self._panes.counts_ticks else "Only a symbol with quotes has bid and ask."

    def _cancel(self) -> bool:
        return any(cancel() for cancel in self._cancels)

    def _unchoose_pane(self) -> bool:
        return self._with_chosen(lambda _: self._panes.choose(None))

    def _pan(self, share: float) -> None:
        self._navigator.step(self._scene.time_scale.width_px * share)

    def _toggle_scale(self, scale: ScaleMode) -> None:
        style = self._panes.style
        self._panes.change_style(replace(style, scale_mode=ScaleMode.LINEAR if style.scale_mode is scale else scale))

    def _invert(self) -> None:
        self._panes.change_style(replace(self._panes.style, inverted=not self._panes.style.inverted))

    def _next_price_side(self) -> bool:
        style, has_sides = self._panes.style, self._panes.counts_ticks
        if has_sides:
            self._panes.change_style(replace(style, price_side=next_side(style.price_side)))
        return has_sides

    def _toggle_spread_band(self) -> bool:
        style, has_spread = self._panes.style, self._panes.counts_ticks
        if has_spread:
            self._panes.change_style(replace(style, spread_band=not style.spread_band))
        return has_spread

    def _on_axis(self, change: Callable[[str], object]) -> None:
        change(self._scene.chosen_pane or PRICE)

    def _with_chosen(self, change: Callable[[str], object]) -> bool:
        chosen = self._scene.chosen_pane
        if chosen is not None:
            change(chosen)
        return chosen is not None
