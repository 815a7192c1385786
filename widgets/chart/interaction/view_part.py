"""What the parts of a `ChartView` have of the view and of one another; each is written against this alone."""

from __future__ import annotations

from abc import abstractmethod

from PySide6.QtCore import QPointF, SignalInstance
from PySide6.QtWidgets import QMenu, QWidget

from app.market.series.series import CandleSeries
from widgets.chart.interaction.readout import Readout
from widgets.chart.model.follow_latest import FollowLatest
from widgets.chart.model.kinetic_scroll import KineticScroll
from widgets.chart.painting.canvas import ChartCanvas
from widgets.chart.painting.frame_timer import FrameTimer
from widgets.chart.painting.scene import Scene
from widgets.chart.panes.dirty_regions import DirtyRegions
from widgets.chart.panes.pane_set import PaneSet


class ViewPart:
    """
    A part of a `ChartView`, which makes the attributes and is given the abstract methods by its other parts.

    It is no ABC, because Qt's classes have a metaclass of their own; that no method is left out, mypy sees to.
    """

    _scene: Scene
    _panes: PaneSet
    _canvas: ChartCanvas
    _reader: Readout
    _repainter: DirtyRegions
    _frames: FrameTimer
    _follower: FollowLatest
    _glide: KineticScroll
    _series: CandleSeries | None
    following_changed: SignalInstance
    look_changed: SignalInstance

    @property
    def _widget(self) -> QWidget:
        """The view itself, as the parent of what a part opens."""
        assert isinstance(self, QWidget)
        return self

    # Where the view is

    @abstractmethod
    def center_time_us(self) -> int | None:
        """Return the time under the centre, UTC microseconds; without a series, that of the one before."""

    @abstractmethod
    def step(self, pixels: float) -> None:
        """Move the candles to the right by that many logical pixels, and stand still there."""

    @abstractmethod
    def reset(self, pane: str) -> None:
        """Fit a pane's axis to what is in view again."""

    @abstractmethod
    def point_at(self, position: QPointF | None) -> None:
        """Put the crosshair there, logical pixels of the view, or nowhere."""

    @abstractmethod
    def clear_measure(self) -> bool:
        """Take the measure away; False where there is none."""

    @abstractmethod
    def _set_following(self, following: bool) -> None:
        """Move on with the latest candle from now on, or no longer."""

    # What is painted, and when

    @abstractmethod
    def _repaint_all(self) -> None:
        """Have the next frame paint everything."""

    @abstractmethod
    def _refresh_texts(self) -> None:
        """Have the texts say what the scene shows now."""

    @abstractmethod
    def _resized(self) -> None:
        """Lay everything out and bring the scene up to date at once: its size, panes or texts are others."""

    @abstractmethod
    def _run_frame(self) -> None:
        """Bring the scene up to date and mark what differs as dirty; Qt paints it when it next can."""

    @abstractmethod
    def frame_now(self) -> None:
        """Do and paint the frame that is due without waiting for it, as a benchmark must."""

    # What the menu of the chart opens, and what the parts add to it

    @abstractmethod
    def open_zone_picker(self) -> None:
        """Open the list of time zones."""

    @abstractmethod
    def open_date_entry(self) -> None:
        """Open the line to type a date into."""

    @abstractmethod
    def _fill_reading_menu(self, menu: QMenu, position: QPointF) -> None:
        """Add what can be measured and copied at that place, logical pixels of the view."""

    @abstractmethod
    def _fill_study_menu(self, menu: QMenu, pane: str) -> None:
        """Add what can be done to the indicators in the pane of that key."""
