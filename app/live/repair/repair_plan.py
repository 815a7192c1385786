"""
Which of the missing trades are to be fetched here, and which of them first.

Gaps of up to `Recorder.repair_trades` are, larger ones where they are downloaded, which a person asks for, and where
their trades were received and had to be given up. What another program on the database has set out to fetch is left to
it. All of it is asked of the trackers each time, so nothing is ever forgotten.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from app.live.recording.recorder import Recorder
from app.live.recording.symbol_tracker import SymbolTracker
from app.market.coverage import IdRanges


class Download(NamedTuple):
    """How far the trades of a symbol have come that a person wants: ``left`` of ``total`` are still missing."""

    total: int
    left: int


class RepairPlan:
    """Reads one recorder."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._downloads: dict[str, IdRanges] = {}
        self._left: dict[str, tuple[int, int]] = {}  # of a download, and as of which change of the tracker
        self._left_to_others: dict[str, IdRanges] = {}
        self._in_view: tuple[str, list[tuple[int, int]]] = ("", [])

    def ids(self, tracker: SymbolTracker) -> IdRanges:
        """Return what is missing of a symbol and to be fetched here; not to be changed."""
        missing, largest = tracker.missing_ids(), self._recorder.repair_trades
        if tracker.symbol in self._left_to_others:
            missing = missing - self._left_to_others[tracker.symbol]
        firsts, lasts = missing.columns()
        is_large = lasts - firsts >= largest
        if not is_large.any():
            return missing
        asked = self._downloads.get(tracker.symbol, IdRanges())
        large = IdRanges.of_columns(firsts[is_large], lasts[is_large])
        small = IdRanges.of_columns(firsts[~is_large], lasts[~is_large])
        return small | (large & (asked | tracker.ids.lost if largest else asked))

    def too_large(self, symbol: str) -> int:
        """Return how many trades are missing in gaps that are fetched only when they are downloaded."""
        tracker = self._recorder.tracker(symbol)
        if tracker is None:
            return 0
        left = tracker.missing_ids() & self._left_to_others.get(symbol, IdRanges())
        return tracker.missing() - self.ids(tracker).count() - left.count()

    # What is in view

    def set_view(self, symbol: str, ranges: Sequence[tuple[int, int]]) -> None:
        """Fetch what is missing of these ids before all else: the chart shows them. The first of them comes first."""
        self._in_view = (symbol, list(ranges))

    @property
    def in_view(self) -> tuple[str, list[tuple[int, int]]]:
        """The symbol on the chart, and the ids that `set_view` was told."""
        return self._in_view

    # What a person asks for

    @property
    def downloads(self) -> set[str]:
        """The symbols of which all that was missing is fetched, because a person wants it."""
        return {symbol for symbol in list(self._downloads) if self.downloading(symbol) is not None}

    def download(self, symbol: str) -> IdRanges:
        """Want all that is missing of a symbol now, however much that is, and return it."""
        tracker = self._recorder.tracker(symbol)
        if tracker is None or not tracker.missing():
            return IdRanges()
        self._left.pop(symbol, None)
        self._downloads[symbol] = tracker.missing_ids()
        return self._downloads[symbol]

    def stop_download(self, symbol: str) -> None:
        """Fetch of that symbol no more than without being asked."""
        self._downloads.pop(symbol, None)

    def downloading(self, symbol: str) -> Download | None:
        """Return how far the symbol's download has come; None: there is none, or it is done."""
        wanted, tracker = self._downloads.get(symbol), self._recorder.tracker(symbol)
        if wanted is None or tracker is None:
            return None
        as_of, left = self._left.get(symbol, (-1, 0))
        if as_of != tracker.changes:  # asked for with every renewal of the panels, and dear where there are many gaps
            left = (wanted & tracker.missing_ids()).count()
            self._left[symbol] = tracker.changes, left
        if not left:
            del self._downloads[symbol]
            return None
        return Download(wanted.count(), left)

    # What other programs fetch

    @property
    def left_to_others(self) -> set[str]:
        """The symbols of which another program fetches what was missing when it began."""
        return set(self._left_to_others)

    def leave_to_others(self, symbols: Collection[str]) -> None:
        """Leave to another program what is missing of these symbols now, and of no others any more."""
        for symbol in self._left_to_others.keys() - set(symbols):
            del self._left_to_others[symbol]
        for symbol in set(symbols) - self._left_to_others.keys():
            tracker = self._recorder.tracker(symbol)
            self._left_to_others[symbol] = IdRanges() if tracker is None else tracker.missing_ids()

    def forget(self) -> None:
        """Begin anew for another database: nobody has asked for anything of it."""
        self._downloads.clear()
        self._left_to_others.clear()
