"""
The scene: what the chart shows in one frame, and where.

Values only. The chart view and `scene_builder` set them once per frame, and the items read them while painting.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRect, QRectF
from PySide6.QtGui import QPainter, QRegion

from app.market.calendar.calendar import Calendar
from app.market.calendar.open_axis import PLAIN_AXIS, OpenAxis
from app.market.quotes.tick import PriceSide
from app.market.series.series import Bar, BarColumns
from app.market.symbol import Symbol
from app.market.units import E8
from widgets.chart.model.chart_style import TimeStyle
from widgets.chart.model.measuring import Measure
from widgets.chart.model.pane_layout import PRICE
from widgets.chart.painting.colours import Colours
from widgets.chart.painting.device_pixels import DevicePixels
from widgets.chart.painting.paint_guard import PaintGuard
from widgets.chart.painting.pane import Pane
from widgets.chart.painting.text_cache import TextStyles
from widgets.chart.scales.time_marks import TimeTick
from widgets.chart.scales.time_scale import TimeScale
from widgets.theme.palettes import DARK, Palette

_NONE = np.empty(0)
NO_BARS = BarColumns(1, np.empty(0, np.int64), _NONE, _NONE, _NONE, _NONE, _NONE, np.empty(0, np.uint8), _NONE)
PADDING_PX = 16.0
SEPARATOR_REACH_PX = 4.0  # how close a pointer has to come to a hairline


_LEAST_PANE_PX = 24.0  # of the panes; a chart with less beside its value axis goes without that


@dataclass(slots=True)
class SceneLayout:
    """The areas of panes and axes, in the view's logical pixels; ``panes`` spans all panes together."""

    panes: QRectF = field(default_factory=QRectF)
    value_axis: QRectF = field(default_factory=QRectF)
    time_axis: QRectF = field(default_factory=QRectF)

    @classmethod
    def of(cls, width: float, height: float, axis_width: float, axis_height: float) -> SceneLayout:
        if width < axis_width + _LEAST_PANE_PX:
            axis_width = 0.0  # prices without a picture say nothing
        pane_width, pane_height = max(0.0, width - axis_width), max(0.0, height - axis_height)
        return cls(
            QRectF(0, 0, pane_width, pane_height),
            QRectF(pane_width, 0, width - pane_width, pane_height),
            QRectF(0, pane_height, width, height - pane_height),
        )


@dataclass(frozen=True, slots=True)
class GapMark:
    """A band of missing trades, or of differing candles, between two slot positions, and its text."""

    left: float
    right: float
    text: str


@dataclass(frozen=True, slots=True)
class SessionName:
    """The text at a session's open, between the slot positions of its open and its end."""

    left: float
    right: float
    text: str


@dataclass(frozen=True, slots=True)
class Crosshair:
    """A crosshair at the candle of ``slot``; ``y`` is the pointer's, in the view's logical pixels."""

    slot: int
    y: float
    time_text: str
    value_text: str


@dataclass(frozen=True, slots=True)
class TimeGuide:
    """The time at which a linked chart has its crosshair: a line at the candle of ``slot``, and a label."""

    slot: int
    time_text: str


class LinesOverPrices(Protocol):
    """Lines at prices that another part paints: over the bars, and with labels on the value axis."""

    def areas(self) -> list[QRectF]:
        """Return the labels' rectangles on the value axis."""

    def label_heights(self) -> list[float]:
        """Return the heights at which lines want labels, in the view's logical pixels."""

    def name_at(self, height: float) -> tuple[str, str]:
        """Return what the line at one of `label_heights` is, and its price as text."""

    def set_label_middles(self, middles: dict[float, float]) -> None:
        """Put labels there, each by its line's height; no other line has a label."""

    def paint_lines(self, painter: QPainter, pixels: DevicePixels) -> None:
        """Paint over the bars; the painter is in device pixels before and after."""

    def paint_labels(self, painter: QPainter, pixels: DevicePixels) -> None:
        """Paint on the value axis; the painter is in logical pixels before and after."""


class PaneGround(Protocol):
    """What can paint the price pane's background along with what lies right on it, faster than one after the other."""

    def paint_ground(self, painter: QPainter, pixels: DevicePixels) -> QRect:
        """
        Paint it before anything else is painted, and return where: all of the pane, some rows, or an empty rectangle.

        What is left has the usual background. Both in device pixels.
        """


@dataclass(slots=True)
class Scene:
    """
    One frame of the chart.

    ``panes`` always include the price pane; ``exposed`` is the region being painted. ``shown_close`` is the last price
    as texts say it, and ``shown_revision`` the series' revision that they tell of: both follow at the pace of texts, so
    that all of them say the same. ``is_live``: whether new trades reach the chart.
    """

    styles: TextStyles
    panes: list[Pane]
    colours: Colours = field(default_factory=lambda: Colours(DARK))
    layout: SceneLayout = field(default_factory=SceneLayout)
    symbol: Symbol | None = None
    calendar: Calendar | None = None  # when its market is open; None: always
    open_axis: OpenAxis = PLAIN_AXIS  # of the calendar, whether or not the view shows closed time
    time_scale: TimeScale = field(default_factory=TimeScale)
    bars: BarColumns = NO_BARS
    last: Bar | None = None
    time_style: TimeStyle = field(default_factory=TimeStyle)
    time_ticks: list[TimeTick] = field(default_factory=list)
    tick_xs: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))  # of the ticks, in logical pixels
    day_bands: list[tuple[float, float]] = field(default_factory=list)  # shaded days or sessions, as slot positions
    breaks: list[float] = field(default_factory=list)  # slot positions after closed time that is left out
    session_names: list[SessionName] = field(default_factory=list)
    gaps: list[GapMark] = field(default_factory=list)
    differences: list[GapMark] = field(default_factory=list)  # candles that differ from the exchange's
    crosshair: Crosshair | None = None
    guide: TimeGuide | None = None  # shown while there is no crosshair
    price_side: PriceSide = PriceSide.MID  # which price is shown of a symbol without trades
    price_snap: bool = False  # whether the crosshair snaps to a candle's prices
    measure: Measure | None = None
    alert_lines: LinesOverPrices | None = None
    price_ground: PaneGround | None = None
    shown_close: float | None = None
    shown_revision: int | None = None
    last_text: str = ""
    is_live: bool = True
    countdown: str = ""
    shows_axis_labels: bool = True  # of the indicators' last values
    is_compared: bool = False  # whether the last price is labelled as the line of one symbol among others
    legend_rows: int = 0  # rows of indicators below the legend that prices keep clear of
    names_itself: bool = True  # False: a head above the chart has the symbol's name and the interval
    legend_folded: bool = False  # whether those rows are folded into one
    named_pane: str | None = None  # key of the pane on whose axis the pointer is
    marked_separator: int | None = None  # index of the pane above, while hovered or dragged
    chosen_pane: str | None = None  # key of the pane that the keyboard acts on
    maximised_pane: str | None = None  # key of the pane that has all the room; the others are out of view
    exposed: QRegion = field(default_factory=QRegion)
    guard: PaintGuard = field(default_factory=PaintGuard)

    def set_palette(self, palette: Palette) -> None:
        self.colours = Colours(palette)

    @property
    def palette(self) -> Palette:
        return self.colours.palette

    def set_time_ticks(self, ticks: list[TimeTick]) -> None:
        """Set the marks of the time axis and the grid."""
        slots = np.array([tick.slot for tick in ticks], np.float64)
        self.time_ticks, self.tick_xs = ticks, self.time_scale.xs_of(slots)

    def is_exposed(self, rect: QRectF) -> bool:
        """Whether any part of a rectangle, in the view's logical pixels, is being painted."""
        return self.exposed.intersects(rect.toAlignedRect())

    def exposed_part(self, rect: QRectF) -> QRect:
        """Return a rectangle around all of ``rect`` that is being painted, in the view's logical pixels."""
        return (self.exposed & rect.toAlignedRect()).boundingRect()

    @property
    def price(self) -> Pane:
        """The price pane."""
        return self.pane(PRICE)

    @property
    def leading(self) -> Pane:
        """The price pane or, where another one has all the room, that one."""
        return self.pane(self.maximised_pane or PRICE)

    @property
    def separated(self) -> list[tuple[int, Pane]]:
        """The panes in view that have another one below them, with their indices from the top."""
        return [] if self.maximised_pane is not None else list(enumerate(self.panes[:-1]))

    def pane(self, key: str) -> Pane:
        """Return the pane of that key. Raises KeyError for an unknown one."""
        for pane in self.panes:
            if pane.key == key:
                return pane
        raise KeyError(key)

    def pane_at(self, y: float) -> Pane | None:
        """Return the pane at a height in the view, None outside."""
        return next((pane for pane in self.panes if pane.rect.top() <= y < pane.rect.bottom()), None)

    def separator_at(self, y: float) -> int | None:
        """Return the index of the pane above the separator within a pointer's reach of ``y``, or None."""
        reached = (index for index, pane in self.separated if abs(y - pane.rect.bottom()) <= SEPARATOR_REACH_PX)
        return next(reached, None)

    @property
    def last_is_rising(self) -> bool:
        return self.last is None or self.last.close >= self.last.open

    def on_tick(self, price: float) -> float:
        """Return the nearest price that the symbol can have."""
        tick = self.symbol.tick_size_e8 / E8 if self.symbol is not None else 1 / E8
        return max(round(round(price / tick) * tick, 8), tick)
