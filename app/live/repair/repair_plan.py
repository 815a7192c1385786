"""
Which missing trades are fetched here, and which of them first.

Fetched are gaps of up to `Recorder.repair_trades`; larger ones if a person asked for a download, and where received
trades had to be given up. Symbols that another program on the database repairs are left to it. The plan reads the
missing ids from the trackers each time, so it forgets nothing. `app.live.repair.repairer` carries it out.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from app.live.recording.recorder import Recorder
from app.live.recording.symbol_tracker import SymbolTracker
from app.market.coverage import IdRanges


class Download(NamedTuple):
    """The progress of a download: ``left`` of ``total`` trades are still missing."""

    total: int
    left: int


class RepairPlan:
    """The plan for one recorder. All methods on the loop."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._downloads: dict[str, IdRanges] = {}
        self._left: dict[str, tuple[int, int]] = {}  # of a download: the tracker's changes, and what was left then
        self._left_to_others: dict[str, IdRanges] = {}
        self._in_view: tuple[str, list[tuple[int, int]]] = ("", [])

    def ids(self, tracker: SymbolTracker) -> IdRanges:
        """Return the ids of a symbol that are fetched here; not to be changed."""
        missing, largest = tracker.missing_ids(), self._recorder.repair_trades
        if tracker.symbol in self._left_to_others:
            missing = missing - self._left_to_others[tracker.symbol]
        firsts, lasts = missing.columns()
        is_large = lasts - firsts >= largest
        if not is_large.any():
            return missing
        downloaded = self._downloads.get(tracker.symbol, IdRanges())
        large = IdRanges.of_columns(firsts[is_large], lasts[is_large])
        small = IdRanges.of_columns(firsts[~is_large], lasts[~is_large])
        return small | (large & (downloaded | tracker.ids.lost if largest else downloaded))

    def too_large(self, symbol: str) -> int:
        """Return how many trades are missing in gaps that only a download fetches."""
        tracker = self._recorder.tracker(symbol)
        if tracker is None:
            return 0
        left = tracker.missing_ids() & self._left_to_others.get(symbol, IdRanges())
        return tracker.missing() - self.ids(tracker).count() - left.count()

    # The chart's view

    def set_view(self, symbol: str, ranges: Sequence[tuple[int, int]]) -> None:
        """Fetch the missing ids of these ranges before all others, the first range first: the chart shows them."""
        self._in_view = (symbol, list(ranges))

    @property
    def in_view(self) -> tuple[str, list[tuple[int, int]]]:
        """The symbol on the chart, and the ranges of `set_view`."""
        return self._in_view

    # Downloads

    @property
    def downloads(self) -> set[str]:
        """The symbols whose missing trades are being downloaded because a person asked for that."""
        return {symbol for symbol in self._downloads if self.downloading(symbol) is not None}

    def download(self, symbol: str) -> IdRanges:
        """Fetch all trades of a symbol that are missing now, however many; return their ids."""
        tracker = self._recorder.tracker(symbol)
        if tracker is None or not tracker.missing():
            return IdRanges()
        self._left.pop(symbol, None)
        self._downloads[symbol] = tracker.missing_ids()
        return self._downloads[symbol]

    def stop_download(self, symbol: str) -> None:
        """Fetch of that symbol only what is fetched without being asked for."""
        self._downloads.pop(symbol, None)

    def downloading(self, symbol: str) -> Download | None:
        """Return the progress of the symbol's download; None if there is none, or it is done."""
        asked, tracker = self._downloads.get(symbol), self._recorder.tracker(symbol)
        if asked is None or tracker is None:
            return None
        as_of, left = self._left.get(symbol, (-1, 0))
        # Kept between changes: the panels ask for it often, and with many gaps counting takes milliseconds.
        if as_of != tracker.changes:
            left = (asked & tracker.missing_ids()).count()
            self._left[symbol] = tracker.changes, left
        return Download(asked.count(), left) if left else None

    def end_finished_downloads(self) -> None:
        """Forget downloads that are done, so that trades missing later are not fetched because of them."""
        for symbol in self._downloads.keys() - self.downloads:
            del self._downloads[symbol]

    # Other programs

    @property
    def left_to_others(self) -> set[str]:
        """The symbols that other programs repair: the trades missing when they began are left to them."""
        return set(self._left_to_others)

    def leave_to_others(self, symbols: Collection[str]) -> None:
        """Leave the trades of these symbols that are missing now to another program, and those of no others."""
        for symbol in self._left_to_others.keys() - set(symbols):
            del self._left_to_others[symbol]
        for symbol in set(symbols) - self._left_to_others.keys():
            tracker = self._recorder.tracker(symbol)
            self._left_to_others[symbol] = IdRanges() if tracker is None else tracker.missing_ids()

    def clear(self) -> None:
        """Forget downloads and other programs' repairs, because another database is in use."""
        self._downloads.clear()
        self._left_to_others.clear()
