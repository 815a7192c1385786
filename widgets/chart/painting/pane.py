"""One pane of the chart as it is in this frame: where it is, which values it shows, and what is drawn in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor

from app.market.series.series import BarColumns, CandleSeries
from widgets.chart.model.legend import Piece
from widgets.chart.painting.paint_guard import PaintGuard
from widgets.chart.painting.pane_brush import PaneBrush
from widgets.chart.scales.value_marks import ValueTick
from widgets.chart.scales.value_scale import Margins, ValueScale


class VisibleBars(NamedTuple):
    """What is in view: these slots, both inclusive, 2**``level`` of them to a bar, and the series' bars there."""

    first_slot: int
    last_slot: int
    level: int
    bars: BarColumns


class AxisLabel(NamedTuple):
    """What stands on a pane's axis at a value: a text on a ground; ``rect`` in the view's logical pixels."""

    text: str
    ground: QColor
    ink: QColor
    rect: QRectF


class ValueFormat(Enum):
    """How the values of a pane are written."""

    PRICE = "price"
    QUANTITY = "quantity"
    NUMBER = "number"


class Layer(Protocol):
    """
    One thing drawn in a pane: candles, volume, an average.

    `update` is called once a frame, before the others. What is drawn of a bar may depend on the bar before it and on no
    other: a change of the last bar repaints from the one before on. One that raises is left out until the data change.
    ``title`` is what the user calls it.
    """

    @property
    def title(self) -> str: ...

    def update(self, series: CandleSeries, visible: VisibleBars, height_px: float) -> None:
        """Read what is in view; ``height_px`` is the pane's height in logical pixels."""

    def extent(self) -> tuple[float, float] | None:
        """Return the lowest and the highest value in view, for the automatic axis; None: nothing to go by."""

    def paint_behind(self, brush: PaneBrush) -> None:
        """Paint what lies under the grid: areas and bands."""

    def paint(self, brush: PaneBrush) -> None:
        """Paint the rest."""


@dataclass(slots=True)
class Pane:
    """
    A pane: rect, margins and ``tick_px`` in the view's logical pixels; layers from the back to the front.

    ``scale``: how much larger than usual its text is, and so the room for that.
    """

    key: str
    value_format: ValueFormat
    margins: Margins
    layers: list[Layer]
    tick_px: float
    value_scale: ValueScale = field(default_factory=ValueScale)
    rect: QRectF = field(default_factory=QRectF)
    scale: float = 1.0
    ticks: list[ValueTick] = field(default_factory=list)
    tick_ys: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))  # how far down the ticks stand
    labels: list[AxisLabel] = field(default_factory=list)
    title: list[Piece] = field(default_factory=list)

    def y_of(self, value: float) -> float:
        """Return a value's height in the view; far outside of the pane it is only outside."""
        share = self.value_scale.share_of(value)
        return self.rect.top() + min(max(share, -10.0), 10.0) * self.rect.height()

    def set_ticks(self, ticks: list[ValueTick]) -> None:
        """Have these marks on the axis and the grid; all of them in view."""
        shares = self.value_scale.shares_of(np.array([tick.value for tick in ticks], np.float64))
        self.ticks, self.tick_ys = ticks, self.rect.top() + shares * self.rect.height()

    def value_at(self, y: float) -> float:
        return self.value_scale.value_at((y - self.rect.top()) / max(self.rect.height(), 1.0))

    def update(self, series: CandleSeries, visible: VisibleBars, least: float, guard: PaintGuard) -> None:
        """Let the layers read what is in view, and fit the axis to it; ``least``: the lowest height in value."""
        extents: list[tuple[float, float]] = []
        for layer in self.layers:
            guard.run(layer, self._read, layer, series, visible, extents)
        if extents:
            low, high = min(low for low, _ in extents), max(high for _, high in extents)
            self.value_scale.fit(low, high, self.rect.height(), self.margins.scaled(self.scale), least)

    def _read(
        self, layer: Layer, series: CandleSeries, visible: VisibleBars, extents: list[tuple[float, float]]
    ) -> None:
        layer.update(series, visible, self.rect.height())
        extent = layer.extent()
        if extent is not None:
            extents.append(extent)
