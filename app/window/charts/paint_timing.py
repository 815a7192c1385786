"""When one chart paints: how long its trades take to the screen, and when its first candles were there."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from app.live.recording.measures import PaintWatch
from app.market.trade import Trade
from widgets.chart.chart_widget import ChartWidget


class PaintTiming(QObject):
    """
    Tells ``watch`` what ``chart`` paints.

    Signals:
        first_painted(): candles were painted for the first time.
    """

    first_painted = Signal()

    def __init__(self, chart: ChartWidget, watch: PaintWatch) -> None:
        super().__init__(chart)
        self._chart, self._watch = chart, watch
        self._paints_before: int | None = None  # the chart's count when it got its first candles
        self._has_painted = False
        chart.painted.connect(self._on_painted)

    def begin(self, newest: Trade | None) -> None:
        """Begin with other candles, which the chart is about to get and which already include ``newest``."""
        self._watch.reset(newest)
        if self._paints_before is None:
            self._paints_before = self._chart.paint_count

    def note_change(self, newest: Trade | None) -> None:
        """Note that the frame about to begin has all trades up to ``newest``; counts while that one is visible."""
        if self._chart.is_following and self._chart.isVisible() and not self._chart.window().isMinimized():
            self._watch.note_change(newest, self._chart.frame_count)
        else:
            self._watch.reset(newest)

    def _on_painted(self) -> None:
        self._watch.note_paint(self._chart.frame_count)
        if not self._has_painted and self._paints_before is not None:
            self._has_painted = self._chart.paint_count > self._paints_before
            if self._has_painted:
                self.first_painted.emit()
