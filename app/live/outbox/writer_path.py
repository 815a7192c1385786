"""
The direct way of trades: into the queue of the writer in use.

It is where the writers come and go, and where it is known whether the database takes trades just now, or has not for so
long that the disk should.
"""

from __future__ import annotations

from app.live.outbox.backlog import Backlog
from app.market.ports.clock import Clock
from app.market.ports.storage import TradeWriter

_MOMENT_S = 0.5  # a connection that is made anew is no reason to use the disk
_HANGS_S = 2.0
_HOLD_S = 30.0


class WriterPath:
    """
    Hands what waits in ``backlog`` to ``writer``; all methods on the loop.

    ``recording`` False: the writer forgets what it is given. ``last_writer`` is the one that may hold trades still,
    also when it is in use no more. ``is_full`` once its queue took no more.
    """

    def __init__(self, backlog: Backlog, clock: Clock) -> None:
        self.writer: TradeWriter | None = None
        self.last_writer: TradeWriter | None = None
        self.recording = True
        self.is_full = False
        self._backlog = backlog
        self._clock = clock
        self._held_until_s = float("-inf")
        self._bad_since_s: float | None = None

    def attach(self, writer: TradeWriter | None, *, recording: bool) -> None:
        """Use this writer from now on, or none."""
        self.writer = writer
        self.last_writer = writer or self.last_writer
        self.recording = recording
        self.is_full = False
        self.release()

    def hold(self) -> None:
        """Bear with it until the next `attach`, for half a minute at most."""
        self._held_until_s = self._clock.monotonic_s() + _HOLD_S

    def release(self) -> None:
        """End what `hold` began."""
        self._held_until_s = float("-inf")
        self._bad_since_s = None

    @property
    def is_held(self) -> bool:
        """Whether a writer is about to come, or to say what it left."""
        return self._clock.monotonic_s() < self._held_until_s

    def hand_over(self) -> bool:
        """Hand over all that waits. False where its queue is full, or there is no writer and too much waits for one."""
        backlog = self._backlog
        if self.writer is None:
            return len(backlog.waiting) <= backlog.limit
        self.is_full = not self.writer.put(backlog.waiting)
        if self.is_full:
            return False
        backlog.waiting = []
        backlog.taken("the database")
        return True

    @property
    def hangs(self) -> bool:
        """Whether the database has been at one batch for so long that it is not trusted with it."""
        return self.writer is not None and self.writer.status.at_work_s > _HANGS_S

    def trouble(self) -> str:
        """Return why trades do not reach the database just now, in words, or an empty text."""
        if self.writer is None:
            return "no database is open"
        reason = self.writer.status.reason
        if reason or self.is_full:
            return reason or "the database is slower than the market"
        return "the database does not answer" if self.hangs else ""

    def lasting_trouble(self) -> str:
        """Return `trouble` that has lasted for a moment and is one of trades that a kill would cost."""
        why = self.trouble()
        at_stake = self._backlog.waiting or (self.writer is not None and self.writer.status.queued)
        if not why or not at_stake or self.is_held or not self.recording:
            self._bad_since_s = None
            return ""
        now_s = self._clock.monotonic_s()
        if self._bad_since_s is None:
            self._bad_since_s = now_s
        return why if self.is_full or now_s - self._bad_since_s >= _MOMENT_S else ""

    def is_well(self) -> None:
        """Note that whatever was wrong is over."""
        self._bad_since_s = None
