"""The widgets that stand over the chart beside a drawing: the bar with its style, the field its text is typed in."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF

from app.market.drawings.drawing import Drawing
from widgets.chart.drawings.drawing_set import DrawingSet
from widgets.chart.drawings.handles import place_of
from widgets.chart.painting.canvas import ChartCanvas
from widgets.chart.painting.scene import Scene

if TYPE_CHECKING:  # made, and loaded, when first used: the window opens without
    from widgets.chart.drawings.controls.drawing_menu import DrawingChanges
    from widgets.chart.drawings.controls.style_bar import StyleBar
    from widgets.chart.drawings.controls.text_entry import TextEntry

_ENTRY_OFFSET = QPointF(4, 20)  # from the field's corner to the drawing's


class DrawingOverlay:
    """
    Shows the style bar beside the chosen drawing of a set, and the field over the one whose text is typed.

    ``changes``: what the bar does. ``entered``: called with a drawing and its new text; None: the user gave it up.
    """

    def __init__(
        self,
        scene: Scene,
        canvas: ChartCanvas,
        drawings: DrawingSet,
        changes: DrawingChanges,
        entered: Callable[[Drawing, str | None], object],
    ) -> None:
        self._scene, self._canvas, self._drawings = scene, canvas, drawings
        self._changes, self._entered = changes, entered
        self._edited: Drawing | None = None

    def place_bar(self) -> None:
        """Show the chosen drawing's style beside it, unless it is being dragged or its text typed."""
        drawing, series = self._drawings.chosen_drawing, self._drawings.series
        is_still = self._drawings.preview is None and self._edited is None and self._drawings.is_shown
        shown = drawing if drawing is not None and is_still and not drawing.hidden else None
        if shown is None and ("_bar" not in self.__dict__ or self._bar.isHidden()):
            return
        alerts = 0 if shown is None else self._drawings.alerts.get(shown.id, 0)
        self._bar.show_drawing(shown, self._scene.palette, alerts)
        if shown is not None and series is not None:
            self._bar.place_beside(place_of(self._scene, series.interval, shown), self._below_legend())

    def _below_legend(self) -> QRectF:
        price = self._scene.price
        legend_px = min(price.margins.scaled(price.scale).top_px, price.rect.height() / 2)
        return price.rect.adjusted(0, legend_px, 0, 0)

    def edit_text(self, drawing: Drawing) -> None:
        """Let the user type a drawing's text in its place; nothing happens without candles."""
        series = self._drawings.series
        if series is None:
            return
        self._edited = drawing
        self._drawings.set_preview(drawing)
        corner = place_of(self._scene, series.interval, drawing).topLeft() - _ENTRY_OFFSET
        self._entry.open_with(drawing.text, corner, self._scene.palette)

    def end_text(self) -> None:
        """Take the text as it is now, if one is being typed."""
        if self._edited is not None:
            self._entry.enter()

    def _take_text(self, text: str | None) -> None:
        drawing, self._edited = self._edited, None
        if drawing is not None:
            self._entered(drawing, text)

    @cached_property
    def _bar(self) -> StyleBar:
        from widgets.chart.drawings.controls.style_bar import StyleBar

        return StyleBar(self._canvas, self._changes)

    @cached_property
    def _entry(self) -> TextEntry:
        from widgets.chart.drawings.controls.text_entry import TextEntry

        entry = TextEntry(self._canvas)
        entry.text_entered.connect(self._take_text)
        entry.given_up.connect(lambda: self._take_text(None))
        return entry
