"""When frames run: at most every 16 ms, and none while nothing is due, the chart is hidden or its window minimised."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtWidgets import QWidget

_FRAME_MS = 16
_MINIMISED_MS = 500


class FrameTimer(QObject):
    """Calls ``frame`` soon after it was requested, for a widget; by single shots, so that an idle chart has none."""

    def __init__(self, widget: QWidget, frame: Callable[[], None], clock: Callable[[], float] = monotonic) -> None:
        super().__init__(widget)
        self._widget, self._call, self._clock = widget, frame, clock
        self._ran_at_s, self.count = 0.0, 0
        self._timer = single_shot(self, self._frame)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._source: Callable[[], object] | None = None
        self._is_asking = False
        self.is_due = False

    def set_source(self, source: Callable[[], object] | None) -> None:
        """Have that called as each frame that was requested begins, to bring in what has changed since."""
        self._source = source

    def request(self) -> None:
        """Let a frame run when the next one may. Cheap: call it for every trade."""
        # What the source changes is in the frame that asked it.
        if not self.is_due and not self._is_asking and self._widget.isVisible():
            self.is_due = True
            waited_ms = (self._clock() - self._ran_at_s) * 1000
            self._timer.start(max(0, round(_FRAME_MS - waited_ms)))

    def run_now(self) -> None:
        """Run the frame that is due without waiting for it."""
        if self.is_due:
            self._timer.stop()
            self._frame()

    def note_frame(self) -> None:
        """Take note that a frame runs now, for whatever reason: the next one keeps its distance."""
        self._ran_at_s = self._clock()
        self.count += 1

    def _frame(self) -> None:
        self.is_due = False
        if self._widget.window().isMinimized():
            self.is_due = True
            self._timer.start(_MINIMISED_MS)
        elif self._widget.isVisible():
            self._ask()
            self._call()

    def _ask(self) -> None:
        if self._source is not None:
            self._is_asking = True
            try:
                self._source()
            finally:
                self._is_asking = False


def single_shot(parent: QObject, call: Callable[[], object]) -> QTimer:
    """Return a timer that calls once each time it is started."""
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.timeout.connect(call)
    return timer
