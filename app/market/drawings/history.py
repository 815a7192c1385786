"""
Undo and redo of one symbol's drawings: steps, each a set of drawings before and after.

Other desktops change drawings, too. So a step is not undone by what it says was there after it, but by how things are
now: whatever undo replaces, redo brings back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from app.market.drawings.drawing import Drawing

MOST_STEPS = 200
"""How many steps can be undone; the oldest are forgotten."""


class Edit(NamedTuple):
    """A drawing before and after a step; None where it did not exist, not both."""

    before: Drawing | None
    after: Drawing | None

    @property
    def drawing_id(self) -> str:
        """The drawing's id."""
        drawing = self.before or self.after
        assert drawing is not None
        return drawing.id


class Step(NamedTuple):
    """What one gesture did. ``number`` grows with every step that is put on a stack; a step never changes."""

    number: int
    edits: tuple[Edit, ...]


Lookup = Callable[[str], Drawing | None]
"""Returns the drawing of an id as it is now; None if there is none."""


class DrawingHistory:
    """The steps done and undone, oldest first."""

    def __init__(self, done: Iterable[Step] = (), undone: Iterable[Step] = ()) -> None:
        self._done, self._undone = list(done), list(undone)
        self._last = max((one.number for one in (*self._done, *self._undone)), default=0)

    @property
    def done(self) -> Sequence[Step]:
        """What can be undone; the last one first."""
        return self._done

    @property
    def undone(self) -> Sequence[Step]:
        """What can be redone; the last one first."""
        return self._undone

    def record(self, edits: Sequence[Edit]) -> None:
        """Note what was done. What was undone before cannot be redone any more."""
        self._undone.clear()
        self._do(edits)

    def keep_lost(self, lost: Drawing, now: Drawing | None) -> None:
        """Let the next undo bring back ``lost``, which another desktop's change replaced unseen, or this desktop's."""
        self._do((Edit(lost, now),))

    def undo(self, current: Lookup) -> list[Edit]:
        """Take back the last step that has an effect; return what is to be done for that, nothing if there is none."""
        while self._done:
            step = self._done.pop()
            todo = [Edit(current(one.drawing_id), one.before) for one in reversed(step.edits)]
            if effective := [one for one in todo if one.before != one.after]:
                back = [Edit(one.after, one.before) for one in reversed(todo) if one.after or one.before]
                self._undone.append(self._step(back))
                return effective
        return []

    def redo(self, current: Lookup) -> list[Edit]:
        """Do the step again that was undone last and has an effect; return what is to be done for that."""
        while self._undone:
            step = self._undone.pop()
            todo = [Edit(current(one.drawing_id), one.after) for one in step.edits]
            if effective := [one for one in todo if one.before != one.after]:
                self._do([one for one in todo if one.after or one.before])
                return effective
        return []

    def _do(self, edits: Sequence[Edit]) -> None:
        self._done.append(self._step(edits))
        del self._done[:-MOST_STEPS]

    def _step(self, edits: Sequence[Edit]) -> Step:
        self._last += 1
        return Step(self._last, tuple(edits))
