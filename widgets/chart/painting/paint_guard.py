"""
Isolation of failures while a frame is prepared and painted.

An exception that leaves a paint() surfaces in whatever triggered the paint, such as ``grab()``; where that is Qt, it
ends the process. So every part of the chart, a pane's layer or an item, is updated and painted through a `PaintGuard`.
A part that raises is logged once, left out, and tried again when the data or the layout change.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterable

logger = logging.getLogger(__name__)


class PaintGuard:
    """
    Calls the methods of one chart's parts. A part's ``title`` is its name for the user.

    Call `begin` at the start of each frame. ``changes`` grows when a part is left out or tried again, so that a frame
    can tell that its picture changes.
    """

    def __init__(self) -> None:
        self._off: dict[int, object] = {}  # failed parts by their ids, as parts need not be hashable
        self._logged: set[tuple[object, ...]] = set()
        self._state: tuple[object, ...] = ()
        self.changes = 0

    def begin(self, *state: object) -> None:
        """Start a frame; if ``state`` differs from the last frame's, failed parts get another try."""
        if state != self._state:
            self._state = state
            self.retry()

    def retry(self) -> None:
        """Give failed parts another try."""
        if self._off:
            self._off.clear()
            self.changes += 1

    def run(self, part: object, call: Callable[..., object], *arguments: object) -> bool:
        """Call a method of ``part`` unless the part has failed. Return False if it has failed before or just now."""
        if self._off and id(part) in self._off:
            return False
        try:
            call(*arguments)
        except Exception as error:  # noqa: BLE001  # because what leaves a paint() may end the process
            self._off[id(part)] = part
            self.changes += 1
            self._log(part, error)
            return False
        return True

    def titles(self, parts: Iterable[object]) -> list[str]:
        """Return the titles of those parts that are left out."""
        return [title_of(part) for part in parts if id(part) in self._off]

    def _log(self, part: object, error: Exception) -> None:
        place = traceback.extract_tb(error.__traceback__)[-1]
        failure = title_of(part), type(error), place.filename, place.lineno
        if failure not in self._logged:
            self._logged.add(failure)
            logger.error("what cannot be drawn is left out of the chart: %s", title_of(part), exc_info=error)


def title_of(part: object) -> str:
    """Return a part's name for the user."""
    return str(getattr(part, "title", "") or type(part).__name__)
