"""Holds the updates of a chart back while several changes are made together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class UpdateHold:
    """
    Runs a chart's updates at once or, within `held`, once at its end.

    ``lay_out``: lays out, and updates. ``update``: updates what is laid out.
    """

    def __init__(self, lay_out: Callable[[], object], update: Callable[[], object]) -> None:
        self._lay_out, self._update = lay_out, update
        self._is_held = self._is_layout_due = self._is_update_due = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Run what is due at the end of this context, once, whatever is asked for within it."""
        is_outermost, self._is_held = not self._is_held, True
        try:
            yield
        finally:
            if is_outermost:
                self._is_held = False
                if self._is_layout_due:
                    self.lay_out()
                elif self._is_update_due:
                    self.update()

    def lay_out(self) -> None:
        """Lay out and update."""
        self._is_layout_due = self._is_held
        if not self._is_held:
            self._is_update_due = False
            self._lay_out()

    def update(self) -> None:
        """Update."""
        self._is_update_due = self._is_held
        if not self._is_held:
            self._update()
