"""
Which slots of a series have changed, for who keeps something computed from them.

A reader remembers the revision it has seen and asks for all that changed since. The log forgets: what it no longer
knows is "everything", which is always right and only slow.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

_MOST_SPANS = 32
_SMALL = 64  # slots: changes that close to one another are one, so that a live market never fills the log


class Span(NamedTuple):
    """Slots ``first`` to ``last``, inclusive, between which something changed; there are ``grown`` more rows now."""

    first: int
    last: int
    grown: int

    def joined(self, other: Span) -> Span:
        """Return one span for both."""
        return Span(min(self.first, other.first), max(self.last, other.last), self.grown + other.grown)


class ChangeLog:
    """The last spans of slots that changed, by revision; revisions rise by one."""

    __slots__ = ("_known_from", "_spans")

    def __init__(self) -> None:
        self._spans: deque[tuple[int, Span]] = deque()  # with the last revision of each
        self._known_from = 0  # changes after that revision are known

    def note(self, revision: int, span: Span) -> None:
        """Take note that this revision put in, changed or took out rows of that span."""
        spans = self._spans
        # Not with one that has grown: who has read that would be told once more that it did.
        if spans and spans[-1][1].grown == 0:
            joined = spans[-1][1].joined(span)
            if joined.last - joined.first < _SMALL:
                spans[-1] = (revision, joined)
                return
        if len(spans) == _MOST_SPANS:
            self._known_from = spans.popleft()[0]
        spans.append((revision, span))

    def forget(self, revision: int) -> None:
        """Take note that this revision changed everything."""
        self._spans.clear()
        self._known_from = revision

    def since(self, revision: int) -> list[Span] | None:
        """Return the spans of all that changed after ``revision``, rising and apart; None: not known any more."""
        if revision < self._known_from:
            return None
        found: list[Span] = []
        for span in sorted(span for changed_at, span in self._spans if changed_at > revision):
            if found and span.first <= found[-1].last + 1:
                found[-1] = found[-1].joined(span)
            else:
                found.append(span)
        return found
