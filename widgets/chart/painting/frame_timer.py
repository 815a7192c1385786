"""Schedules frames: at most one in 16 ms, none without a request, and none while the chart is hidden or minimised."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtWidgets import QWidget

_FRAME_MS = 16
_MINIMISED_MS = 500  # between looks whether the window is still minimised


class FrameTimer(QObject):
    """
    Calls ``frame`` soon after `request`, while ``widget`` is visible.

    Uses single shots rather than a running timer, so that an idle chart wakes nothing up.
    """

    def __init__(self, widget: QWidget, frame: Callable[[], None], clock: Callable[[], float] = monotonic) -> None:
        super().__init__(widget)
        self._widget, self._run_frame, self._clock = widget, frame, clock
        self._ran_at_s, self.count = 0.0, 0
        self._timer = single_shot(self, self._frame)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._source: Callable[[], object] | None = None
        self._is_calling_source = False
        self.is_due = False

    def set_source(self, source: Callable[[], object] | None) -> None:
        """Set a callback for the start of each requested frame, to bring the latest data in; None removes it."""
        self._source = source

    def request(self) -> None:
        """Request a frame, which runs as soon as the frame rate allows. Cheap: call it for every trade."""
        # Changes by the source belong to the frame that is just beginning; they need no other one.
        if not self.is_due and not self._is_calling_source and self._widget.isVisible():
            self.is_due = True
            waited_ms = (self._clock() - self._ran_at_s) * 1000
            self._timer.start(max(0, round(_FRAME_MS - waited_ms)))

    def run_now(self) -> None:
        """Run a due frame at once."""
        if self.is_due:
            self._timer.stop()
            self._frame()

    def note_frame(self) -> None:
        """Count a frame, however it came about; the next one keeps its distance from it."""
        self._ran_at_s = self._clock()
        self.count += 1

    def _frame(self) -> None:
        self.is_due = False
        if self._widget.window().isMinimized():
            self.is_due = True
            self._timer.start(_MINIMISED_MS)
        elif self._widget.isVisible():
            self.call_source()
            self._run_frame()

    def call_source(self) -> None:
        """Bring the latest data in, for a frame that runs without a request."""
        if self._source is not None:
            self._is_calling_source = True
            try:
                self._source()
            finally:
                self._is_calling_source = False


def single_shot(parent: QObject, call: Callable[[], object]) -> QTimer:
    """Return a timer that makes one call each time it is started."""
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.timeout.connect(call)
    return timer
