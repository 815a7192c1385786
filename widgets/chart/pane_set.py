"""The chart's panes, made by their keys, and what the user does to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QRectF

from widgets.chart.arrangement import PRICE, VOLUME, VOLUME_SHARE, Arrangement
from widgets.chart.chart_style import ChartStyle
from widgets.chart.layers import PriceBars, Volume
from widgets.chart.pane import Pane, Unit
from widgets.chart.scene import Scene
from widgets.chart.value_view import Margins, ValueView

PRICE_MARGINS = Margins(56.0, 24.0)  # the legend's rows stay clear of candles
_VOLUME_MARGINS = Margins(24.0, 0.0)  # as does the title of columns
_PRICE_TICK_PX, _TICK_PX = 56.0, 36.0
_STEP_PX = 24.0

TITLES = {PRICE: "Price", VOLUME: "Volume"}


def make_pane(key: str) -> Pane:
    """Return a new pane. Raises KeyError for a key that is none's."""
    if key == PRICE:
        return Pane(key, Unit.PRICE, PRICE_MARGINS, [PriceBars()], _PRICE_TICK_PX)
    if key == VOLUME:
        return Pane(key, Unit.QUANTITY, _VOLUME_MARGINS, [Volume()], _TICK_PX, ValueView(grounded=True))
    raise KeyError(key)


def apply_style(panes: list[Pane], style: ChartStyle) -> None:
    """Have the panes' layers draw in that style from the next frame on."""
    for pane in panes:
        if pane.key == PRICE:
            _underlay(pane, underlaid=style.underlaid)
            _rescale(pane.view, style)
        for layer in pane.layers:
            if isinstance(layer, PriceBars):
                layer.set_kind(style.kind)
            elif isinstance(layer, Volume):
                layer.takers = style.takers


def _rescale(view: ValueView, style: ChartStyle) -> None:
    if (view.scale, view.inverted) != (style.scale, style.inverted):
        view.scale, view.inverted, view.auto = style.scale, style.inverted, True


def _underlay(pane: Pane, *, underlaid: bool) -> None:
    has = isinstance(pane.layers[0], Volume)
    if underlaid and not has:
        pane.layers.insert(0, Volume(underlaid=True))
    elif has and not underlaid:
        del pane.layers[0]
    pane.margins = PRICE_MARGINS._replace(bottom_share=VOLUME_SHARE) if underlaid else PRICE_MARGINS


class PaneSet:
    """
    Keeps a scene's panes as an `Arrangement` says. ``changed`` is called after each change by the user.

    One pane may be chosen, for the keyboard: `choose_next`, then `grow`, `move` and `close`.
    """

    def __init__(self, scene: Scene, changed: Callable[[], object]) -> None:
        self._scene, self._changed = scene, changed
        self._arrangement = Arrangement()
        self._style = ChartStyle()

    @property
    def style(self) -> ChartStyle:
        return self._style

    def restyle(self, style: ChartStyle) -> None:
        """Draw in that style. Volume behind the prices has no pane of its own besides."""
        self._style = style
        arrangement = self._arrangement.without(VOLUME) if style.underlaid else self._arrangement
        self.arrange(arrangement)

    def change_style(self, style: ChartStyle) -> None:
        """Draw in that style, as the user wants it."""
        if style != self._style:
            self.restyle(style)
            self._changed()

    @property
    def arrangement(self) -> Arrangement:
        return self._arrangement

    def arrange(self, arrangement: Arrangement) -> None:
        """Make these the panes; those that stay keep their ranges. Panes of an unknown key are left out."""
        for key in arrangement.keys:
            if key not in TITLES:
                arrangement = arrangement.without(key)
        there = {pane.key: pane for pane in self._scene.panes}
        self._scene.panes[:] = [there.get(key) or make_pane(key) for key in arrangement.keys]
        self._arrangement = arrangement
        apply_style(self._scene.panes, self._style)
        if self._scene.chosen not in arrangement.keys:
            self._scene.chosen = None
        self._scene.marked = None

    def lay_out(self) -> None:
        """Give every pane its rectangle in the scene's layout."""
        area, top = self._scene.layout.panes, self._scene.layout.panes.top()
        for pane, height in zip(self._scene.panes, self._heights(), strict=True):
            pane.rect = QRectF(area.left(), top, area.width(), height)
            top += height

    def drag(self, separator: int, by_px: float) -> None:
        """Move the edge below that pane."""
        self._become(self._arrangement.dragged(separator, by_px, self._total))

    def choose_next(self, by: int) -> None:
        """Choose the pane ``by`` places below the chosen one, or the first; past the last, none."""
        keys: list[str | None] = [None, *self._arrangement.keys]
        at = keys.index(self._scene.chosen)
        self._scene.chosen = keys[(at + by) % len(keys)]
        self._changed()

    def choose(self, key: str | None) -> None:
        self._scene.chosen = key
        self._changed()

    def grow(self, key: str, steps: int) -> None:
        """Make a pane higher by that many steps."""
        self._become(self._arrangement.grown(key, steps * _STEP_PX, self._total))

    def move(self, key: str, by: int) -> None:
        """Move a pane down by that many places."""
        self._become(self._arrangement.moved(key, by))

    def close(self, key: str) -> None:
        """Take a pane away; the price stays."""
        self._become(self._arrangement.without(key))

    def open(self, key: str) -> None:
        """Add a pane at the bottom; the volume's is then no longer behind the prices."""
        if key == VOLUME:
            self._style = replace(self._style, underlaid=False)
        self._become(self._arrangement.with_pane(key))

    def _become(self, arrangement: Arrangement) -> None:
        if arrangement != self._arrangement:
            marked = self._scene.marked
            self.arrange(arrangement)
            self._scene.marked = marked
            self._changed()

    def _heights(self) -> list[int]:
        return self._arrangement.heights(self._total)

    @property
    def _total(self) -> int:
        return int(self._scene.layout.panes.height())
