"""The chart's keys: what each command of `widgets.keys` does to the view and its panes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Protocol

from PySide6.QtGui import QKeyEvent

from widgets.chart.model.pane_layout import PRICE
from widgets.chart.painting.scene import Scene
from widgets.chart.panes.pane_set import PaneSet
from widgets.chart.scales.value_scale import ScaleMode
from widgets.keys import command_of

_ZOOM = 1.15
_STEP, _HALF, _SCREEN = 0.1, 0.5, 1.0


class Steerable(Protocol):
    """What keys move."""

    def step(self, pixels: float) -> None: ...
    def zoom(self, factor: float, x: float | None = None) -> None: ...
    def fit(self) -> None: ...
    def stretch(self, pane: str, factor: float) -> None: ...
    def reset(self, pane: str) -> None: ...
    def show_first(self) -> None: ...
    def follow_latest(self) -> None: ...
    def go_back(self) -> None: ...
    def go_forward(self) -> None: ...


class Keyboard:
    """
    Does what the user's keys mean. ``commands`` says what each command of the chart does; it returns False where it
    means nothing just now. ``cancel`` gives up what the mouse is drawing, if anything.
    """

    def __init__(self, scene: Scene, panes: PaneSet, chart: Steerable, cancel: Callable[[], bool]) -> None:
        self._scene, self._panes, self._cancel = scene, panes, cancel
        self.commands: dict[str, Callable[[], object]] = {
            "earlier": partial(self._pan, chart, _STEP),
            "later": partial(self._pan, chart, -_STEP),
            "half_earlier": partial(self._pan, chart, _HALF),
            "half_later": partial(self._pan, chart, -_HALF),
            "screen_earlier": partial(self._pan, chart, _SCREEN),
            "screen_later": partial(self._pan, chart, -_SCREEN),
            "zoom_in": partial(chart.zoom, _ZOOM),
            "zoom_out": partial(chart.zoom, 1 / _ZOOM),
            "fit": chart.fit,
            "first": chart.show_first,
            "latest": chart.follow_latest,
            "back": chart.go_back,
            "forward": chart.go_forward,
            "log": partial(self._toggle_scale, ScaleMode.LOG),
            "percent": partial(self._toggle_scale, ScaleMode.PERCENT),
            "invert": self._invert,
            "taller": partial(self._on_axis, partial(chart.stretch, factor=1 / _ZOOM)),
            "flatter": partial(self._on_axis, partial(chart.stretch, factor=_ZOOM)),
            "automatic": partial(self._on_axis, chart.reset),
            "next_pane": partial(panes.choose_next, 1),
            "previous_pane": partial(panes.choose_next, -1),
            "grow_pane": partial(self._with_chosen, lambda key: panes.grow(key, 1)),
            "shrink_pane": partial(self._with_chosen, lambda key: panes.grow(key, -1)),
            "pane_up": partial(self._with_chosen, lambda key: panes.move(key, -1)),
            "pane_down": partial(self._with_chosen, lambda key: panes.move(key, 1)),
            "close_pane": partial(self._with_chosen, panes.close),
            "cancel": self._escape,
        }

    def press(self, event: QKeyEvent) -> None:
        """Do what the key means, and accept it; others are passed on."""
        call = self.commands.get(command_of(event) or "")
        if call is not None and call() is not False:
            event.accept()

    def _escape(self) -> bool:
        return self._cancel() or self._with_chosen(lambda _: self._panes.choose(None))

    def _pan(self, chart: Steerable, share: float) -> None:
        chart.step(self._scene.time_scale.width_px * share)

    def _toggle_scale(self, scale: ScaleMode) -> None:
        style = self._panes.style
        self._panes.change_style(replace(style, scale_mode=ScaleMode.LINEAR if style.scale_mode is scale else scale))

    def _invert(self) -> None:
        self._panes.change_style(replace(self._panes.style, inverted=not self._panes.style.inverted))

    def _on_axis(self, change: Callable[[str], object]) -> None:
        change(self._scene.chosen_pane or PRICE)

    def _with_chosen(self, change: Callable[[str], object]) -> bool:
        chosen = self._scene.chosen_pane
        if chosen is not None:
            change(chosen)
        return chosen is not None
