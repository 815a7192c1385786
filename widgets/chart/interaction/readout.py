"""
The readout of one candle: the crosshair under the pointer, and the legend and the panes' titles for the candle there.

Without a candle under the pointer the latest one is read. `ChartView` calls `move_crosshair` in each frame and
`refresh` on a slower timer, since numbers that change at every trade cannot be read.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPointF, QRectF

from app.market.interval import Interval
from app.market.quotes.tick import PriceSide
from app.market.series.series import Bar, CandleSeries
from app.market.symbol import Symbol
from widgets.chart.indicators.compare_lines import CompareLine, compare_lines
from widgets.chart.interaction.measure_tool import MeasureTool
from widgets.chart.interaction.price_snap import snap_to_prices
from widgets.chart.model.legend import (
    ComparedFigure,
    Piece,
    Tone,
    compare_pieces,
    legend_pieces,
    volume_title,
    without_name,
)
from widgets.chart.model.pane_layout import PRICE, VOLUME
from widgets.chart.painting.axes import last_price_rect
from widgets.chart.painting.canvas import ChartCanvas
from widgets.chart.painting.chart_overlay import title_rect
from widgets.chart.painting.colours import line_tone
from widgets.chart.painting.pane import Pane
from widgets.chart.painting.scene import Scene
from widgets.chart.painting.scene_builder import bar_at, crosshair_at, guide_at, last_text, missing_in
from widgets.chart.painting.title_row import fitted_legend, fitted_title
from widgets.chart.panes.dirty_regions import crosshair_rects, guide_rects
from widgets.chart.scales.time_text import full_time
from widgets.view_values import GapBand


class Readout:
    """
    Sets a scene's crosshair, measure and titles. ``pointer``: logical pixels of the view; None: off the chart.
    ``guide_us``: the time (UTC microseconds) at which a linked chart has its crosshair; None: nowhere.

    - ``hovered``: called with the bar under the crosshair, or None, when it becomes another.
    - ``priced``: called with the last price, or None, when the texts are about to say another one. Whoever shows it
      elsewhere does so at once, so that no frame shows two prices.
    - ``refreshed``: called after the titles with the candle that is read, for other texts about it.
    """

    def __init__(
        self,
        scene: Scene,
        canvas: ChartCanvas,
        hovered: Callable[[Bar | None], object],
        priced: Callable[[float | None], object],
        refreshed: Callable[[CandleSeries | None, Bar | None], object],
    ) -> None:
        self._scene, self._canvas = scene, canvas
        self._on_hovered, self._on_priced, self._on_refreshed = hovered, priced, refreshed
        self._hovered: Bar | None = None
        self._guided: Bar | None = None
        self.guide_us: int | None = None
        self.measure_tool = MeasureTool(scene)
        self.pointer: QPointF | None = None
        self.gaps: list[GapBand] = []
        self._legend_key: tuple[Symbol, Interval, Bar | None, int, PriceSide] | None = None  # of the pieces below
        self._pieces: list[Piece] = []

    def move_crosshair(self, series: CandleSeries | None) -> list[QRectF]:
        """Move the crosshair, and a measure that follows it, to the pointer; return the rectangles to repaint."""
        scene, before, guide = self._scene, self._scene.crosshair, self._scene.guide
        scene.crosshair = scene.guide = None
        if self.pointer is not None and series is not None:
            scene.crosshair = crosshair_at(scene, series.interval, snap_to_prices(scene, series, self.pointer))
        elif self.guide_us is not None and series is not None:
            scene.guide = guide_at(scene, series.interval, self.guide_us)
        measure_rects = self.measure_tool.follow(series)
        if scene.guide != guide:
            measure_rects = [*measure_rects, *guide_rects(scene, guide), *guide_rects(scene, scene.guide)]
            self._guided = None if scene.guide is None or series is None else bar_at(series, scene.guide.slot)
            self.refresh(series)
        if scene.crosshair == before:  # most frames: a pointer at rest, or off the chart
            return measure_rects
        hovered = None
        if scene.crosshair is not None and series is not None:
            hovered = bar_at(series, scene.crosshair.slot)
        if hovered != self._hovered:
            self._hovered = hovered
            self.refresh(series)
            self._on_hovered(hovered)
        return crosshair_rects(scene, before) + crosshair_rects(scene, scene.crosshair) + measure_rects

    @property
    def bar(self) -> Bar | None:
        """The candle that is read: the one under the crosshair, else at a linked chart's, else the latest."""
        hovered, last = self._hovered or self._guided, self._scene.last
        # The latest candle goes on changing under the pointer.
        return hovered if hovered is not None and (last is None or hovered.slot != last.slot) else last

    def refresh(self, series: CandleSeries | None) -> None:
        """Set the titles, and the measure's lines, for `bar`."""
        self._scene.shown_revision = series.revision if series is not None and len(series) else None
        changed = self._show_last_price() + self.measure_tool.refresh(series)
        if self._hovered is not None and series is not None:
            self._hovered = bar_at(series, self._hovered.slot)
        if self._guided is not None:
            self._guided = None if series is None else bar_at(series, self._guided.slot)
        for pane in self._scene.panes:
            title = self._title(pane, series)
            if title != pane.title:
                pane.title = title
                changed.append(title_rect(self._scene, pane))
        self._canvas.repaint_rects(changed)
        self._on_refreshed(series, self.bar)

    def _show_last_price(self) -> list[QRectF]:
        scene, close = self._scene, self._scene.last.close if self._scene.last is not None else None
        if close == scene.shown_close:
            return []
        scene.shown_close = close
        scene.last_text = last_text(scene)
        self._on_priced(close)
        return [last_price_rect(scene)]

    def full_legend(self, series: CandleSeries | None) -> str:
        """Return the whole legend as one line, also what the window has no room for."""
        return " ".join(piece.text for piece in self._legend(series))

    def _title(self, pane: Pane, series: CandleSeries | None) -> list[Piece]:
        symbol = self._scene.symbol
        if pane.key == PRICE:
            pieces = self._legend(series)
            if symbol is not None and not self._scene.names_itself:
                pieces = without_name(pieces, symbol, self._scene.price_side)
            return fitted_legend(self._scene, pieces)
        if symbol is None or series is None or pane.key != VOLUME:
            return []
        return fitted_title(self._scene, volume_title(symbol, self.bar))

    def _compare_legend(self, symbol: Symbol, series: CandleSeries, lines: list[CompareLine]) -> list[Piece]:
        scene, bar = self._scene, self.bar
        slot = bar.slot if bar is not None else int(series.slots[-1]) if len(series) else 0
        base = scene.price.value_scale.base
        own = (bar.close / base - 1) * 100 if bar is not None and base else None
        figures = [ComparedFigure(symbol.base or symbol.display_name, Tone.ACCENT, own)]
        figures += [ComparedFigure(line.name, line_tone(line.number), line.percent_at(slot)) for line in lines]
        first = series.interval.slot_open_us(max(int(scene.time_scale.edges[0] + 1), int(series.slots[0])))
        since = full_time(first, series.interval, scene.time_style.zone.rules_for(series.interval))
        return compare_pieces(symbol, series.interval, since, figures)

    def _legend(self, series: CandleSeries | None) -> list[Piece]:
        bar, symbol = self.bar, self._scene.symbol
        if symbol is None or series is None:
            return []
        missing = missing_in(self.gaps, bar, series.interval) if bar else 0
        if lines := compare_lines(self._scene):
            return self._compare_legend(symbol, series, lines)
        key = symbol, series.interval, bar, missing, self._scene.price_side
        if key != self._legend_key:  # the title and the accessible description both ask for it
            self._legend_key, self._pieces = key, legend_pieces(*key)
        return self._pieces
