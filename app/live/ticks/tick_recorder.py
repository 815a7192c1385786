"""
Recording of ticks: each one to the database once, to the panels, and to the charts that listen.

The recorder also remembers the spans in which it watched a symbol without a break. The database calls these fetched:
within them, the stored ticks are all that the stream sent.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import NamedTuple

from app.live.outbox.backlog import OutboxListener
from app.live.outbox.outbox import Outbox
from app.live.recording.market_snapshot import MarketSnapshot
from app.live.ticks.tick_tracker import TickTracker
from app.market.coverage import IdRanges
from app.market.ports.clock import Clock
from app.market.ports.ticks import TickSpool
from app.market.quotes.tick import Tick
from app.market.trade import MarketEvent


class WatchedSpan(NamedTuple):
    """A span ``[start_us, end_us)`` (UTC microseconds) in which every tick that the stream sent was received."""

    symbol: str
    start_us: int
    end_us: int


class TickRecorder:
    """
    Records the chosen symbols of one or more brokers of quotes. All methods on the loop.

    ``on_event`` is called with each new tick; it must be quick. ``queue_ticks``: how many wait in memory while neither
    the database nor the disk takes them. ``lost`` counts the ticks that were given up.
    """

    def __init__(
        self,
        market_snapshot: MarketSnapshot,
        *,
        queue_ticks: int,
        spool: TickSpool | None = None,
        clock: Clock | None = None,
    ) -> None:
        listener: OutboxListener[Tick] = OutboxListener(on_lost=self._on_lost, on_spool_lost=self._on_spool_lost)
        self.outbox: Outbox[Tick] = Outbox(queue_ticks, listener, plural="ticks", spool=spool, clock=clock)
        self.ticks_received = 0
        self.lost = 0
        self.on_event: Callable[[MarketEvent], None] | None = None
        self._market_snapshot = market_snapshot
        self._trackers: dict[str, TickTracker] = {}
        self._watched: list[WatchedSpan] = []

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
        """Take one event from a feed (an `EventHandler`)."""
        tracker = self._trackers.get(event.symbol)
        if type(event) is not Tick or tracker is None:
            return None
        tick = tracker.add(event)
        if tick is None:
            return None
        self.ticks_received += 1
        self._market_snapshot.note(tick)
        if self.on_event is not None:
            self.on_event(tick)
        return None if self.outbox.put(tick) else self.outbox.make_room()

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
        return _joined(watched)

    def change_database(self, left: Sequence[Tick]) -> None:
        """
        Prepare for another database, before the outbox is given its writer. ``left``: what the old one did not store.

        Times watched until now are not its concern: their ticks are in the old one.
        """
        self.outbox.put_first(left)
        self._watched = []
        for tracker in self._trackers.values():
            if tracker.watched_from_us is not None and tracker.last is not None:
                tracker.watched_from_us = tracker.last.time_us + 1

    def note_lost(self, ticks: int) -> None:
        """Count ticks that no database and no disk has taken."""
        self.lost += ticks

    def _on_lost(self, ticks: list[Tick]) -> None:
        self.lost += len(ticks)
        for tick in ticks:
            self._forget_watched(tick.symbol, tick.time_us)

    def _on_spool_lost(self, lost: dict[str, IdRanges]) -> None:
        for symbol, times_us in lost.items():
            if times_us.last is not None:
                self._forget_watched(symbol, times_us.last)

    def _forget_watched(self, symbol: str, time_us: int) -> None:
        """Leave a lost tick's time, and what came before it, out of the times watched."""
        after_us = time_us + 1
        tracker = self._trackers.get(symbol)
        if tracker is not None and tracker.watched_from_us is not None:
            tracker.watched_from_us = max(tracker.watched_from_us, after_us)
        self._watched = [
            span._replace(start_us=max(span.start_us, after_us)) if span.symbol == symbol else span
            for span in self._watched
            if span.symbol != symbol or span.end_us > after_us
        ]

    def give_back(self, watched: Collection[WatchedSpan]) -> None:
        """Take back times that could not be remembered yet; the next `take_watched` returns them again."""
        self._watched = [*watched, *self._watched]

    def _end_watch(self, tracker: TickTracker) -> None:
        start_us, last = tracker.watched_from_us, tracker.last
        if start_us is not None and last is not None and last.time_us > start_us:
            self._watched.append(WatchedSpan(tracker.symbol, start_us, last.time_us))
            tracker.watched_from_us = last.time_us


def _joined(spans: Iterable[WatchedSpan]) -> list[WatchedSpan]:
    """Return spans with those of a symbol that follow each other without a break as one."""
    joined: list[WatchedSpan] = []
    newest: dict[str, int] = {}  # the place of a symbol's last span
    for span in spans:
        at = newest.get(span.symbol)
        if at is not None and joined[at].end_us == span.start_us:
            joined[at] = joined[at]._replace(end_us=span.end_us)
        else:
            newest[span.symbol] = len(joined)
            joined.append(span)
    return joined
