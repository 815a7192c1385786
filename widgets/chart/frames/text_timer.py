"""Says when texts are refreshed: numbers that change more often than five times a second cannot be read."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QWidget

from widgets.chart.frames.frame_timer import FrameTimer, single_shot

_TEXT_MS = 200


class TextTimer:
    """
    Calls ``refresh`` a while after the first change; if a frame is due by then, that frame has to refresh them.

    A paint of its own would cost as much as the frame.
    """

    def __init__(self, widget: QWidget, frames: FrameTimer, refresh: Callable[[], object]) -> None:
        self._frames, self._refresh = frames, refresh
        self._timer = single_shot(widget, self._on_timeout)
        self._is_due = False

    @property
    def is_waiting(self) -> bool:
        """Whether texts have changed that are not refreshed yet."""
        return self._is_due or self._timer.isActive()

    @property
    def is_due(self) -> bool:
        """Whether the next frame is to refresh the texts."""
        return self._is_due

    def start(self) -> None:
        """Note a change."""
        if not self._timer.isActive():
            self._timer.start(_TEXT_MS)

    def note_refreshed(self) -> None:
        """Take note that the texts were refreshed, however it came about."""
        self._is_due = False

    def _on_timeout(self) -> None:
        if self._frames.is_due:
            self._is_due = True
        else:
            self._refresh()
