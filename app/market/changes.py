"""
Which slots of a series have changed, for who keeps something computed from them.

A reader remembers the revision it has seen and asks for all that changed since. The log forgets: what it no longer
knows is "everything", which is always right and only slow.
"""

from __future__ import annotations

from collections import deque

_MOST_SPANS = 32
_SMALL = 64  # slots: changes that close to one another are one, so that a live market never fills the log


class ChangeLog:
    """The last spans of slots that changed, by revision; revisions rise by one."""

    __slots__ = ("_known_from", "_spans")

    def __init__(self) -> None:
        self._spans: deque[tuple[int, int, int]] = deque()  # the last revision of each, its first and its last slot
        self._known_from = 0  # changes after that revision are known

    def note(self, revision: int, first_slot: int, last_slot: int) -> None:
        """Take note that this revision changed slots between these, both inclusive: put in, changed or taken out."""
        spans = self._spans
        if spans:
            _, first, last = spans[-1]
            first, last = min(first, first_slot), max(last, last_slot)
            if last - first < _SMALL:
                spans[-1] = (revision, first, last)
                return
        if len(spans) == _MOST_SPANS:
            self._known_from = spans.popleft()[0]
        spans.append((revision, first_slot, last_slot))

    def forget(self, revision: int) -> None:
        """Take note that this revision changed everything."""
        self._spans.clear()
        self._known_from = revision

    def since(self, revision: int) -> tuple[int, int] | None:
        """Return the first and last slot between which lies all that changed after ``revision``; None: not known."""
        if revision < self._known_from:
            return None
        hull: tuple[int, int] | None = None
        for changed_at, first, last in reversed(self._spans):
            if changed_at <= revision:
                break
            hull = (first, last) if hull is None else (min(first, hull[0]), max(last, hull[1]))
        return hull
