"""
Remembers which slots of a series have changed, for readers that keep values computed from them.

A reader keeps the revision it has seen and asks for the changes since. The log is bounded and forgets old changes; then
its answer is "everything", which is always right and only slow.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

_MOST_SPANS = 32
_SMALL = 64  # slots; nearer changes are joined into one, so that a live market never fills the log


class Span(NamedTuple):
    """Slots ``first`` to ``last``, inclusive, with changes; they have ``grown`` more rows now (negative: fewer)."""

    first: int
    last: int
    grown: int

    def joined(self, other: Span) -> Span:
        """Return the one span that holds both."""
        return Span(min(self.first, other.first), max(self.last, other.last), self.grown + other.grown)


class ChangeLog:
    """The latest spans of changed slots, by revision. Revisions rise by one."""

    __slots__ = ("_known_from", "_spans")

    def __init__(self) -> None:
        self._spans: deque[tuple[int, Span]] = deque()  # with the last revision of each
        self._known_from = 0  # changes after that revision are known

    def note(self, revision: int, span: Span) -> None:
        """Record that this revision added, changed or removed rows of the span."""
        spans = self._spans
        # Never join a span that has grown: a reader that has seen it would count its new rows twice.
        if spans and spans[-1][1].grown == 0:
            joined = spans[-1][1].joined(span)
            if joined.last - joined.first < _SMALL:
                spans[-1] = (revision, joined)
                return
        if len(spans) == _MOST_SPANS:
            self._known_from = spans.popleft()[0]
        spans.append((revision, span))

    def forget(self, revision: int) -> None:
        """Record that this revision changed everything."""
        self._spans.clear()
        self._known_from = revision

    def since(self, revision: int) -> list[Span] | None:
        """Return the spans changed after ``revision``, rising and disjoint; None if the log no longer knows them."""
        if revision < self._known_from:
            return None
        found: list[Span] = []
        for span in sorted(span for changed_at, span in self._spans if changed_at > revision):
            if found and span.first <= found[-1].last + 1:
                found[-1] = found[-1].joined(span)
            else:
                found.append(span)
        return found
