"""
Sessions that several charts share: one series for all that show the same symbol, interval and price.

Each chart takes part with a `SessionListener`, and leaves when it shows something else; the last one closes the
session. A chart that nobody sees sleeps. While all of a session's charts do, no trade reaches it; the trackers remember
the last minutes of trades, so a chart that wakes within them shows the newest candle in its next frame.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any

from app.concurrency.tasks import Tasks
from app.live.charts.chart_session import ChartSession

MakeSession = Callable[[Callable[[], None], Callable[[], None]], ChartSession]
"""Makes a session with these for its ``on_state`` and ``on_change``."""


@dataclass(eq=False, slots=True)
class SessionListener:
    """What one chart wants to hear of a session; see `ChartSession`. Both are called for every chart, awake or not."""

    on_state: Callable[[], object]
    on_change: Callable[[], object]


class SharedSession:
    """A session and its listeners, at least one. All methods on the loop."""

    def __init__(self, make: MakeSession, on_empty: Callable[[SharedSession], object]) -> None:
        self._listeners: list[SessionListener] = []
        self._asleep: set[SessionListener] = set()
        self._tasks = Tasks("a chart's candles")
        self._work: asyncio.Task[None] | None = None
        self._on_empty = on_empty
        self._is_outdated = False  # whether to load again on waking
        self.session = make(self._tell_state, self.tell_change)

    @property
    def is_shared(self) -> bool:
        """Whether more than one chart has it."""
        return len(self._listeners) > 1

    def is_leader(self, listener: SessionListener) -> bool:
        """Whether this is the first awake listener: the one that reloads for all."""
        return listener is next((one for one in self._listeners if one not in self._asleep), None)

    def join(self, listener: SessionListener) -> None:
        """Take part from now on, awake."""
        was_asleep = self._is_asleep
        self._listeners.append(listener)
        if was_asleep:
            self._resume()

    def leave(self, listener: SessionListener) -> None:
        """Take part no longer; the last one closes the session."""
        self._listeners.remove(listener)
        self._asleep.discard(listener)
        if not self._listeners:
            if self._work is not None:
                self._work.cancel()
            self.session.close()
            self._on_empty(self)
        elif self._is_asleep:
            self._pause()

    async def end(self) -> None:
        """Return when its work has ended, once all have left."""
        if not self._listeners:
            await self._tasks.end()

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Load by ``work``, in place of the load that may be under way."""
        if self._work is not None:
            self._work.cancel()
        self._is_outdated = False
        self._work = self._tasks.begin(work)

    def begin_beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Load by ``work``, too."""
        self._tasks.begin(work)

    def sleep(self, listener: SessionListener) -> None:
        """Let no trade come for this chart; its series stays as it is, unless another chart keeps it awake."""
        was_asleep = self._is_asleep
        self._asleep.add(listener)
        if self._is_asleep and not was_asleep:
            self._pause()

    def wake(self, listener: SessionListener) -> None:
        """Bring the series up to date and keep it so: at once, if all trades since are remembered, else by a load."""
        was_asleep = self._is_asleep
        self._asleep.discard(listener)
        if was_asleep:
            self._resume()

    def note_outdated(self) -> None:
        """Load again once a chart wakes: there is more to read now."""
        self._is_outdated = True

    def tell_change(self) -> None:
        """Tell all charts that the series has changed, or is about to."""
        for listener in self._listeners:
            listener.on_change()

    def _tell_state(self) -> None:
        for listener in self._listeners:
            listener.on_state()

    @property
    def _is_asleep(self) -> bool:
        return bool(self._listeners) and len(self._asleep) == len(self._listeners)

    def _pause(self) -> None:
        if self._work is not None and not self._work.done():
            self._work.cancel()
            self._is_outdated = True
        self.session.pause()

    def _resume(self) -> None:
        if not self.session.resume() or self._is_outdated:
            self.begin(self.session.reload())


class SharedSessions:
    """The sessions in use, by what they show."""

    def __init__(self) -> None:
        self._open: dict[Hashable, SharedSession] = {}

    def __len__(self) -> int:
        return len(self._open)

    def take(self, key: Hashable, make: MakeSession) -> tuple[SharedSession, bool]:
        """Return the session of ``key`` and whether it was made now; the caller joins it, and loads a new one."""
        known = self._open.get(key)
        if known is not None:
            return known, False
        made = self._open[key] = SharedSession(make, self._forget)
        return made, True

    def renew(self, symbols: set[str] | None = None) -> None:
        """Give nobody else a session of these symbols, None: of any, that is open now: its candles may be outdated."""
        for key, one in list(self._open.items()):
            if symbols is None or one.session.symbol in symbols:
                del self._open[key]

    def _forget(self, shared: SharedSession) -> None:
        for key, one in list(self._open.items()):
            if one is shared:
                del self._open[key]
