"""
What the chart shows in one frame, and where. Values only: the chart widget sets them once per frame, the items read
them as they paint.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QRegion

from app.market.series import Bar, BarColumns
from app.market.symbol import Symbol
from widgets.chart.legend import Piece, Tone
from widgets.chart.pixels import mixed
from widgets.chart.price_view import PriceView
from widgets.chart.text import TextStyles
from widgets.chart.ticks import PriceTick, TimeTick
from widgets.chart.time_view import TimeView
from widgets.theme import DARK, Palette

_NONE = np.empty(0)
NO_BARS = BarColumns(1, np.empty(0, np.int64), _NONE, _NONE, _NONE, _NONE, _NONE, np.empty(0, np.uint8))
PADDING_PX = 16.0
VOLUME_TEXT_PX = 24.0  # the room that the volume pane keeps for its text
_VOLUME_SHARE = 1 / 6


class Colours:
    """The palette's colours as the items need them, mixed once."""

    def __init__(self, palette: Palette) -> None:
        self.background = QColor(palette.background)
        self.grid, self.line = QColor(palette.grid), QColor(palette.line)
        self.text, self.dim, self.faint = QColor(palette.text), QColor(palette.dim), QColor(palette.faint)
        self.rising, self.falling = QColor(palette.rising), QColor(palette.falling)
        self.warning, self.on_label = QColor(palette.warning), QColor("#ffffff")
        self.label = mixed(palette.background, palette.text, 0.16)
        self.tones = {
            Tone.TITLE: self.text,
            Tone.LABEL: self.dim,
            Tone.VALUE: self.text,
            Tone.RISING: self.rising,
            Tone.FALLING: self.falling,
            Tone.WARNING: self.warning,
            Tone.FAINT: self.dim,
        }
        self.crosshair = mixed(palette.background, palette.text, 0.45)
        # Falling or rising, complete or not: index with [rising][complete].
        self.candles = _faded(palette, 1.0, 0.4)
        self.volumes = _faded(palette, 0.5, 0.22)


def _faded(palette: Palette, complete: float, incomplete: float) -> tuple[tuple[QColor, QColor], ...]:
    return tuple(
        (mixed(palette.background, colour, incomplete), mixed(palette.background, colour, complete))
        for colour in (palette.falling, palette.rising)
    )


@dataclass(slots=True)
class Layout:
    """Where the parts are, in the view's logical pixels."""

    price: QRectF = field(default_factory=QRectF)
    volume: QRectF = field(default_factory=QRectF)
    price_axis: QRectF = field(default_factory=QRectF)
    time_axis: QRectF = field(default_factory=QRectF)

    @classmethod
    def of(cls, width: float, height: float, axis_width: float, axis_height: float) -> Layout:
        pane_width, pane_height = max(0.0, width - axis_width), max(0.0, height - axis_height)
        volume_height = float(round(pane_height * _VOLUME_SHARE))
        price_height = pane_height - volume_height
        return cls(
            QRectF(0, 0, pane_width, price_height),
            QRectF(0, price_height, pane_width, volume_height),
            QRectF(pane_width, 0, width - pane_width, pane_height),
            QRectF(0, pane_height, width, height - pane_height),
        )

    @property
    def panes(self) -> QRectF:
        return self.price.united(self.volume)


@dataclass(frozen=True, slots=True)
class GapMark:
    """A band of missing trades, between two slot positions."""

    left: float
    right: float
    text: str


@dataclass(frozen=True, slots=True)
class Crosshair:
    """Snapped to the candle of ``slot``; ``y`` is the pointer's own height in the view."""

    slot: int
    y: float
    time_text: str
    value_text: str


@dataclass(slots=True)
class Scene:
    """One frame of the chart; ``exposed`` is the part of the view being painted."""

    styles: TextStyles
    palette: Palette = DARK
    colours: Colours = field(default_factory=lambda: Colours(DARK))
    layout: Layout = field(default_factory=Layout)
    symbol: Symbol | None = None
    time: TimeView = field(default_factory=TimeView)
    price: PriceView = field(default_factory=PriceView)
    volume_high: float = 1.0
    bars: BarColumns = NO_BARS
    last: Bar | None = None
    price_ticks: list[PriceTick] = field(default_factory=list)
    time_ticks: list[TimeTick] = field(default_factory=list)
    gaps: list[GapMark] = field(default_factory=list)
    crosshair: Crosshair | None = None
    legend: list[Piece] = field(default_factory=list)
    volume_text: str = ""
    last_text: str = ""
    countdown: str = ""
    exposed: QRegion = field(default_factory=QRegion)

    def set_palette(self, palette: Palette) -> None:
        self.palette, self.colours = palette, Colours(palette)

    def is_exposed(self, rect: QRectF) -> bool:
        """Whether any of that rectangle, in the view's logical pixels, is being painted."""
        return self.exposed.intersects(rect.toAlignedRect())

    def price_y(self, price: float) -> float:
        """Return a price's height in the view; far outside of the pane it is only outside."""
        rect, view = self.layout.price, self.price
        share = (view.high - price) / (view.high - view.low)
        return rect.top() + min(max(share, -10.0), 10.0) * rect.height()

    def price_at(self, y: float) -> float:
        rect, view = self.layout.price, self.price
        return view.high - (y - rect.top()) / max(rect.height(), 1.0) * (view.high - view.low)

    @property
    def last_is_rising(self) -> bool:
        return self.last is None or self.last.close >= self.last.open
