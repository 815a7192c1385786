"""
Schedules frames: at most one in 16 ms, none without a request, and none while the chart is hidden or minimised.

What the user does is painted as soon as the frame rate allows. Live data wait for the chart's turn among the charts of
the same thread: two of them never paint in one turn of the event loop.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from time import monotonic

from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtWidgets import QWidget

from widgets.chart.frames.frame_pacer import PERIOD_S, FramePacer, PaceMember

_MINIMISED_MS = 500  # between looks whether the window is still minimised


class FrameTurns(QObject):
    """Runs the frames for live data of the charts that share it, one at a time, each when `FramePacer` says so."""

    def __init__(self, parent: QObject | None = None, clock: Callable[[], float] = monotonic) -> None:
        super().__init__(parent)
        self._clock = clock
        self.pacer = FramePacer()
        self._frames: dict[PaceMember, Callable[[], object]] = {}  # of those that wait
        self._timer = precise_single_shot(self, self._run_next)
        self._armed_for_s = math.inf

    def wait(self, member: PaceMember, frame: Callable[[], object], *, favoured: bool) -> None:
        """Call ``frame`` when it is the member's turn."""
        self._frames[member] = frame
        self.pacer.wait(member, favoured=favoured)
        self._arm()

    def leave(self, member: PaceMember) -> None:
        """Call nothing for that member."""
        self._frames.pop(member, None)
        self.pacer.leave(member)

    def _arm(self) -> None:
        turn_s = self.pacer.next_turn_s()
        # A turn that is later than thought is found out when the timer runs.
        if turn_s is not None and turn_s < self._armed_for_s:
            self._armed_for_s = turn_s
            self._timer.start(max(0, math.ceil((turn_s - self._clock()) * 1000)))

    def _run_next(self) -> None:
        self._armed_for_s = math.inf
        member = self.pacer.take(self._clock())
        try:
            if member is not None:
                self._frames.pop(member)()
        finally:
            self._arm()


class FrameTimer(QObject):
    """
    Calls ``frame`` soon after `request`, while ``widget`` is visible.

    Uses single shots rather than a running timer, so that an idle chart wakes nothing up.
    """

    def __init__(self, widget: QWidget, frame: Callable[[], None], clock: Callable[[], float] = monotonic) -> None:
        super().__init__(widget)
        self._widget, self._run_frame, self._clock = widget, frame, clock
        self.count = 0
        self._member = PaceMember()
        self._turns = FrameTurns(self, clock)
        self._timer = precise_single_shot(self, self._frame)
        self._source: Callable[[], object] | None = None
        self._is_calling_source = False
        self.is_due = self._waits_for_turn = False

    def share(self, turns: FrameTurns) -> None:
        """Take turns with the other charts that share ``turns``."""
        self._turns.leave(self._member)
        if self._turns.parent() is self:
            self._turns.deleteLater()
        self._turns = turns
        # Qt deletes a chart without a word to Python: its turn must not come after that.
        self.destroyed.connect(partial(turns.leave, self._member))
        if self._waits_for_turn:
            turns.wait(self._member, self._frame, favoured=self._member.is_favoured)

    def set_source(self, source: Callable[[], object] | None) -> None:
        """Set a callback for the start of each requested frame, to bring the latest data in; None removes it."""
        self._source = source

    def request(self) -> None:
        """Request a frame, which runs as soon as the frame rate allows."""
        if (not self.is_due or self._waits_for_turn) and self._can_run:
            self._end_wait()
            self.is_due = True
            waits_s = self._member.began_s + PERIOD_S - self._clock()
            self._timer.start(max(0, round(waits_s * 1000)))

    def request_turn(self, *, favoured: bool) -> None:
        """
        Request a frame for live data, which runs in the chart's turn; ``favoured``: at the full frame rate.

        Cheap: call it for every trade.
        """
        if not self.is_due and self._can_run:
            self.is_due = self._waits_for_turn = True
            self._turns.wait(self._member, self._frame, favoured=favoured)

    @property
    def _can_run(self) -> bool:
        # Changes by the source belong to the frame that is just beginning; they need no other one.
        return not self._is_calling_source and self._widget.isVisible()

    def run_now(self) -> None:
        """Run a due frame at once."""
        if self.is_due:
            self._frame()

    def note_frame(self) -> None:
        """Count a frame, however it came about; the next one keeps its distance from it."""
        self._turns.pacer.note_began(self._member, self._clock())
        self.count += 1

    def _end_wait(self) -> None:
        if self._waits_for_turn:
            self._waits_for_turn = False
            self._turns.leave(self._member)

    def _frame(self) -> None:
        self._timer.stop()
        self._end_wait()
        self.is_due = False
        if self._widget.window().isMinimized():
            self.is_due = True
            self._timer.start(_MINIMISED_MS)
        elif self._widget.isVisible():
            began_s = self._clock()
            self.call_source()
            self._run_frame()
            now_s = self._clock()
            self._turns.pacer.note_ended(now_s - began_s, now_s)

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


def precise_single_shot(parent: QObject, call: Callable[[], object]) -> QTimer:
    """Return such a timer that is right to the millisecond."""
    timer = single_shot(parent, call)
    timer.setTimerType(Qt.TimerType.PreciseTimer)
    return timer
