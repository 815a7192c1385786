"""What the chart says: the crosshair under the pointer, the legend and the panes' titles for the candle there."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPointF, QRectF

from app.market.interval import Interval
from app.market.series.series import Bar, CandleSeries
from app.market.symbol import Symbol
from widgets.chart.interaction.measure_tool import MeasureTool
from widgets.chart.interaction.price_snap import magnetised
from widgets.chart.model.legend import Piece, legend_pieces, volume_title
from widgets.chart.model.pane_layout import PRICE, VOLUME
from widgets.chart.painting.canvas import ChartCanvas
from widgets.chart.painting.chart_overlay import title_rect
from widgets.chart.painting.pane import Pane
from widgets.chart.painting.scene import Scene
from widgets.chart.painting.scene_builder import bar_at, crosshair_at, missing_in
from widgets.chart.painting.title_row import fitted_legend
from widgets.chart.panes.dirty_regions import crosshair_rects
from widgets.view_values import GapBand


class Readout:
    """Reads one scene; ``moved`` is called with the bar under the crosshair, or None, when that is another."""

    def __init__(self, scene: Scene, canvas: ChartCanvas, moved: Callable[[Bar | None], object]) -> None:
        self._scene, self._canvas, self._moved = scene, canvas, moved
        self._hovered: Bar | None = None
        self.measuring = MeasureTool(scene)
        self.pointer: QPointF | None = None
        self.gaps: list[GapBand] = []
        self._worded: tuple[Symbol, Interval, Bar | None, int] | None = None
        self._pieces: list[Piece] = []
        # Called with the candle that is read, after the titles: for what else is said of it.
        self.also: Callable[[CandleSeries | None, Bar | None], object] = lambda series, bar: None

    def point(self, series: CandleSeries | None) -> list[QRectF]:
        """Move the crosshair to the pointer; return what that repaints."""
        scene, before = self._scene, self._scene.crosshair
        scene.crosshair = None
        if self.pointer is not None and series is not None:
            scene.crosshair = crosshair_at(scene, series.interval, magnetised(scene, series, self.pointer))
        measured = self.measuring.follow(series)
        if scene.crosshair == before:
            return measured
        hovered = None
        if scene.crosshair is not None and series is not None:
            hovered = bar_at(series, scene.crosshair.slot)
        if hovered != self._hovered:
            self._hovered = hovered
            self.refresh(series)
            self._moved(hovered)
        return crosshair_rects(scene, before) + crosshair_rects(scene, scene.crosshair) + measured

    @property
    def bar(self) -> Bar | None:
        """The candle that is read: the one under the crosshair, else the latest."""
        return self._hovered or self._scene.last

    def refresh(self, series: CandleSeries | None) -> None:
        """Say again what the candle under the crosshair, else the latest one, is."""
        changed = self.measuring.refresh(series)
        for pane in self._scene.panes:
            title = self._title(pane, series)
            if title != pane.title:
                pane.title = title
                changed.append(title_rect(self._scene, pane))
        self._canvas.repaint_rects(changed)
        self.also(series, self.bar)

    def words(self, series: CandleSeries | None) -> str:
        """Return all that the legend has to say of the candle, whatever there is room for."""
        return " ".join(piece.text for piece in self._legend(series))

    def _title(self, pane: Pane, series: CandleSeries | None) -> list[Piece]:
        if pane.key == PRICE:
            return fitted_legend(self._scene, self._legend(series))
        symbol = self._scene.symbol
        return (
            volume_title(symbol, self.bar) if symbol is not None and series is not None and pane.key == VOLUME else []
        )

    def _legend(self, series: CandleSeries | None) -> list[Piece]:
        bar, symbol = self.bar, self._scene.symbol
        if symbol is None or series is None:
            return []
        missing = missing_in(self.gaps, bar, series.interval) if bar else 0
        basis = symbol, series.interval, bar, missing
        if basis != self._worded:  # asked for by the eye and by a screen reader
            self._worded, self._pieces = basis, legend_pieces(*basis)
        return self._pieces
