"""
The direct path of rows: from the backlog into the queue of the writer in use.

It knows the writer in use and judges whether the database takes rows: whether it does right now (`trouble`), and
whether it has failed for so long that rows should go to disk (`note_trouble`). `app.live.outbox.spool_path` takes
them there.
"""

from __future__ import annotations

from typing import Generic

from app.live.outbox.backlog import Backlog
from app.market.ports.clock import Clock
from app.market.ports.storage import Row, RowWriter

_MOMENT_S = 0.5  # a reconnect takes less, and is no reason to use the disk
_HANGS_S = 2.0
_HOLD_S = 30.0


class WriterPath(Generic[Row]):
    """
    Hands the rows of ``backlog`` to ``writer``; all methods on the loop.

    ``recording`` False: the writer discards rows. ``last_writer`` is the newest writer attached, which may still hold
    rows when it is no longer in use. ``is_full``: the writer's queue refused the last batch.
    """

    def __init__(self, backlog: Backlog[Row], clock: Clock) -> None:
        self.writer: RowWriter[Row] | None = None
        self.last_writer: RowWriter[Row] | None = None
        self.recording = True
        self.is_full = False
        self._backlog = backlog
        self._clock = clock
        self._held_until_s = float("-inf")
        self._trouble_since_s: float | None = None

    def attach(self, writer: RowWriter[Row] | None, *, recording: bool) -> None:
        """Use this writer from now on, or none; ends a `hold`."""
        self.writer = writer
        self.last_writer = writer or self.last_writer
        self.recording = recording
        self.is_full = False
        self.release()

    def hold(self) -> None:
        """Tolerate the lack of a writer until the next `attach`, for half a minute at most."""
        self._held_until_s = self._clock.monotonic_s() + _HOLD_S

    def release(self) -> None:
        """End a `hold`, and forget how long trouble has lasted."""
        self._held_until_s = float("-inf")
        self._trouble_since_s = None

    @property
    def is_held(self) -> bool:
        """Whether a `hold` is on: a writer is about to be attached, or to return the rows it did not store."""
        return self._clock.monotonic_s() < self._held_until_s

    def hand_over(self) -> bool:
        """Put all waiting rows into the writer's queue; return False if it is full, or too many wait for a writer."""
        backlog = self._backlog
        if self.writer is None:
            return len(backlog.waiting) <= backlog.limit
        self.is_full = not self.writer.put(backlog.waiting)
        if self.is_full:
            return False
        backlog.waiting = []
        backlog.note_progress("the database")
        return True

    @property
    def hangs(self) -> bool:
        """Whether the database has been busy with one batch for so long that it may never commit it."""
        return self.writer is not None and self.writer.status.at_work_s > _HANGS_S

    def trouble(self) -> str:
        """Return why rows do not reach the database just now, in words; empty if they do."""
        if self.writer is None:
            return "no database is open"
        reason = self.writer.status.reason
        if reason or self.is_full:
            return reason or "the database is slower than the market"
        return "the database does not answer" if self.hangs else ""

    def note_trouble(self) -> str:
        """
        Time the `trouble` there is; return it once it has lasted half a second or filled the queue, else nothing.

        Trouble that puts no row at risk does not count. Call it a few times per second: the half second begins with
        the first call that sees the trouble.
        """
        why = self.trouble()
        at_risk = self._backlog.waiting or (self.writer is not None and self.writer.status.queued)
        if not why or not at_risk or self.is_held or not self.recording:
            self._trouble_since_s = None
            return ""
        now_s = self._clock.monotonic_s()
        if self._trouble_since_s is None:
            self._trouble_since_s = now_s
        return why if self.is_full or now_s - self._trouble_since_s >= _MOMENT_S else ""

    def end_trouble(self) -> None:
        """Note that rows reach the database again."""
        self._trouble_since_s = None
