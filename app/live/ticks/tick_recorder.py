"""
Recording of ticks: each one to the database once, to the panels, and to the charts that listen.

The recorder also remembers from when to when it watched a symbol without a break. That time is what the database calls
fetched: within it, the stored ticks are all that the stream sent.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import NamedTuple

from app.live.recording.market_snapshot import MarketSnapshot
from app.live.ticks.tick_outbox import TickOutbox
from app.live.ticks.tick_tracker import TickTracker
from app.market.quotes.tick import Tick
from app.market.trade import MarketEvent


class WatchedSpan(NamedTuple):
    """A time ``[start_us, end_us)`` (UTC microseconds) of which every tick that the stream sent has been received."""

    symbol: str
    start_us: int
    end_us: int


class TickRecorder:
    """
    Records the chosen symbols of one or more brokers of quotes. All methods on the loop.

    ``on_event`` is called with each new tick; it must be quick.
    """

    def __init__(self, market_snapshot: MarketSnapshot, outbox: TickOutbox) -> None:
        self.outbox = outbox
        self.ticks_received = 0
        self.on_event: Callable[[MarketEvent], None] | None = None
        self._market_snapshot = market_snapshot
        self._trackers: dict[str, TickTracker] = {}
        self._watched: list[WatchedSpan] = []
        outbox.on_lost = self._on_lost

    @property
    def symbols(self) -> list[str]:
        """The symbols recorded, in the order they were added."""
        return list(self._trackers)

    def set_symbols(self, symbols: Collection[str]) -> None:
        """Record these symbols from now on, and forget everything about the others."""
        chosen = set(symbols)
        for symbol in [symbol for symbol in self._trackers if symbol not in chosen]:
            self.note_break([symbol])
            del self._trackers[symbol]
        for symbol in symbols:
            if symbol not in self._trackers:
                self._trackers[symbol] = TickTracker(symbol)

    def tracker(self, symbol: str) -> TickTracker | None:
        """Return the tracker of a symbol; None if it is not recorded."""
        return self._trackers.get(symbol)

    def receive(self, event: MarketEvent, received_us: int) -> Awaitable[None] | None:
        """Take one event from a feed (an `EventHandler`); never waits."""
        tracker = self._trackers.get(event.symbol)
        if type(event) is not Tick or tracker is None:
            return None
        tick = tracker.add(event)
        if tick is None:
            return None
        self.ticks_received += 1
        self._market_snapshot.note(tick)
        self.outbox.put(tick)
        if self.on_event is not None:
            self.on_event(tick)
        return None

    def note_break(self, symbols: Iterable[str]) -> None:
        """Note that the stream of these symbols is away."""
        for symbol in symbols:
            tracker = self._trackers.get(symbol)
            if tracker is not None:
                self._end_watch(tracker)
                tracker.note_break()

    def take_watched(self) -> list[WatchedSpan]:
        """Return the times watched since the last call, each up to the newest tick then."""
        for tracker in self._trackers.values():
            self._end_watch(tracker)
        watched, self._watched = self._watched, []
        return watched

    def _on_lost(self, tick: Tick) -> None:
        """Leave the tick's time, and what came before it, out of the times watched."""
        after_us = tick.time_us + 1
        tracker = self._trackers.get(tick.symbol)
        if tracker is not None and tracker.watched_from_us is not None:
            tracker.watched_from_us = max(tracker.watched_from_us, after_us)
        self._watched = [
            span._replace(start_us=max(span.start_us, after_us)) if span.symbol == tick.symbol else span
            for span in self._watched
            if span.symbol != tick.symbol or span.end_us > after_us
        ]

    def _end_watch(self, tracker: TickTracker) -> None:
        start_us, last = tracker.watched_from_us, tracker.last
        if start_us is not None and last is not None and last.time_us > start_us:
            self._watched.append(WatchedSpan(tracker.symbol, start_us, last.time_us))
            tracker.watched_from_us = last.time_us
