"""A pane of the chart in one frame: its place, its value scale and marks, and the layers drawn in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor

from app.market.calendar.open_axis import PLAIN_AXIS, OpenAxis
from app.market.series.series import BarColumns, CandleSeries
from widgets.chart.model.legend import Piece
from widgets.chart.painting.paint_guard import PaintGuard
from widgets.chart.painting.pane_brush import PaneBrush
from widgets.chart.scales.value_marks import ValueTick
from widgets.chart.scales.value_scale import Margins, ValueScale

AXIS_GUTTER_PX = 8.0  # of the value axis, between the panes and the labels


class VisibleBars(NamedTuple):
    """
    The slots in view, both inclusive, and the series' bars there, at 2**``level`` slots per bar.

    ``axis`` leaves out the slots in which the market is closed, though the view may show them.
    """

    first_slot: int
    last_slot: int
    level: int
    bars: BarColumns
    axis: OpenAxis = PLAIN_AXIS


@dataclass(frozen=True, slots=True)
class AxisLabel:
    """
    A label on a pane's axis: a text in colour ``ink`` on ``ground``; ``rect`` in the view's logical pixels.

    ``value_y``: the height of its value, where its leader begins; None: ``is_high``, above the view, or below it.
    """

    text: str
    ground: QColor
    ink: QColor
    rect: QRectF
    value_y: float | None
    is_high: bool = False

    @property
    def area(self) -> QRectF:
        """The label's part of the axis, with its leader in the gutter."""
        top, bottom = self.rect.top(), self.rect.bottom()
        if self.value_y is not None:
            top, bottom = min(top, self.value_y - 2), max(bottom, self.value_y + 2)
        return QRectF(self.rect.left() - AXIS_GUTTER_PX, top, self.rect.width() + AXIS_GUTTER_PX, bottom - top)


@dataclass(frozen=True, slots=True)
class GutterMark:
    """A value whose label found no room, as a tick in the axis's gutter; ``area`` in the view's logical pixels."""

    colour: QColor
    area: QRectF


@dataclass(frozen=True, slots=True)
class AxisName:
    """
    What a value on the axis is, beside its label while the pointer is there; ``area`` in the view's logical pixels.

    ``detail``: the value, where it has no label, or where it is, if out of view.
    """

    colour: QColor
    text: str
    detail: str
    area: QRectF


AxisMark = AxisLabel | GutterMark | AxisName


class ValueFormat(Enum):
    """How the values of a pane are formatted."""

    PRICE = "price"
    QUANTITY = "quantity"
    NUMBER = "number"


class Layer(Protocol):
    """
    One thing drawn in a pane: candles, volume, an average.

    `update` is called once per frame, before the other methods. A bar's figure may depend on that bar and the one
    before it, no other: a change of the last bar repaints only these two. A layer that raises is left out until the
    data change (see `paint_guard`). ``title`` is its name for the user.
    """

    @property
    def title(self) -> str: ...

    def update(self, series: CandleSeries, visible: VisibleBars, height_px: float) -> None:
        """Take the data in view; ``height_px`` is the pane's height in logical pixels."""

    def extent(self) -> tuple[float, float] | None:
        """Return the lowest and the highest value in view, to fit the axis; None if the layer has no say in that."""

    def paint_behind(self, brush: PaneBrush) -> None:
        """Paint areas and bands, which lie below the grid."""

    def paint(self, brush: PaneBrush) -> None:
        """Paint all that lies above the grid."""


@dataclass(slots=True)
class Pane:
    """
    A pane. ``rect``, ``margins`` and ``tick_px``, the least distance of marks, are in the view's logical pixels.

    ``layers`` run from back to front. ``scale``: the text size relative to the usual one, by which its room grows.
    ``levels``: values with lines of their own, which the axis marks rather than round values.
    """

    key: str
    value_format: ValueFormat
    margins: Margins
    layers: list[Layer]
    tick_px: float
    value_scale: ValueScale = field(default_factory=ValueScale)
    levels: tuple[float, ...] = ()
    rect: QRectF = field(default_factory=QRectF)
    scale: float = 1.0
    ticks: list[ValueTick] = field(default_factory=list)
    tick_ys: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))  # of the ticks, in the view's pixels
    labels: list[AxisLabel] = field(default_factory=list)
    gutter_marks: list[GutterMark] = field(default_factory=list)
    names: list[AxisName] = field(default_factory=list)  # while the pointer is on its axis
    title: list[Piece] = field(default_factory=list)

    @property
    def axis_marks(self) -> list[AxisMark]:
        """All that indicators have on its axis and beside it."""
        return [*self.labels, *self.gutter_marks, *self.names]

    def y_of(self, value: float) -> float:
        """Return a value's y in the view's logical pixels, clipped far outside of the pane, where Qt would overflow."""
        share = self.value_scale.share_of(value)
        return self.rect.top() + min(max(share, -10.0), 10.0) * self.rect.height()

    def set_ticks(self, ticks: list[ValueTick]) -> None:
        """Set the marks of the axis and the grid; all of them must be in view."""
        shares = self.value_scale.shares_of(np.array([tick.value for tick in ticks], np.float64))
        self.ticks, self.tick_ys = ticks, self.rect.top() + shares * self.rect.height()

    def value_at(self, y: float) -> float:
        return self.value_scale.value_at((y - self.rect.top()) / max(self.rect.height(), 1.0))

    def update(self, series: CandleSeries, visible: VisibleBars, least: float, guard: PaintGuard) -> None:
        """Update the layers and fit the axis to them; ``least``: the smallest span of values it may show."""
        extents: list[tuple[float, float]] = []
        for layer in self.layers:
            guard.run(layer, self._update_layer, layer, series, visible, extents)
        if extents:
            low, high = min(low for low, _ in extents), max(high for _, high in extents)
            self.value_scale.fit(low, high, self.rect.height(), self.margins.scaled(self.scale), least)

    def _update_layer(
        self, layer: Layer, series: CandleSeries, visible: VisibleBars, extents: list[tuple[float, float]]
    ) -> None:
        layer.update(series, visible, self.rect.height())
        extent = layer.extent()
        if extent is not None:
            extents.append(extent)
