"""
What is drawn may fail without taking the rest along.

An exception that leaves a paint() comes out of whatever painted, as ``grab()`` does, or ends the process where that is
Qt itself. So each part of the chart, a pane's layer or an item, is read and painted through a `PaintGuard`: one that
raises is logged once, left out, and tried again when the data have changed or the chart is laid out anew.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterable

logger = logging.getLogger(__name__)


class PaintGuard:
    """
    Calls what reads and paints the parts of one chart. A part's ``title`` is what the user reads of it.

    Call `begin` as each frame begins. ``changes`` grows where something is drawn no more, or again.
    """

    def __init__(self) -> None:
        self._off: dict[int, object] = {}  # the parts that failed, by their ids: parts need no hash
        self._logged: set[tuple[object, ...]] = set()
        self._state: tuple[object, ...] = ()
        self.changes = 0

    def begin(self, *state: object) -> None:
        """Try what failed again, where ``state`` is another than in the frame before."""
        if state != self._state:
            self._state = state
            self.retry()

    def retry(self) -> None:
        """Try what failed again."""
        if self._off:
            self._off.clear()
            self.changes += 1

    def run(self, part: object, call: Callable[..., object], *arguments: object) -> bool:
        """Call on behalf of a part, unless that has failed; False where it has, or does so now."""
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
        """Return what the user calls those of the parts that are left out."""
        return [title_of(part) for part in parts if id(part) in self._off]

    def _log(self, part: object, error: Exception) -> None:
        place = traceback.extract_tb(error.__traceback__)[-1]
        failure = title_of(part), type(error), place.filename, place.lineno
        if failure not in self._logged:
            self._logged.add(failure)
            logger.error("what cannot be drawn is left out of the chart: %s", title_of(part), exc_info=error)


def title_of(part: object) -> str:
    """Return what the user calls a part of the chart."""
    return str(getattr(part, "title", "") or type(part).__name__)
