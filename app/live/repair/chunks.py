"""
Which missing trades the next request asks for.

One request brings a thousand trades by their ids, of as many gaps as lie among those; after a failure each of the gaps
is tried by itself. Trades in view of the chart come first, then the newest of each symbol in turn; one request in four
ignores the view, so that it starves nobody.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

from app.live.recording.recorder import Recorder
from app.live.recording.symbol_tracker import SymbolTracker
from app.live.repair.repair_plan import RepairPlan
from app.live.repair.retry_backoff import RetryBackoff
from app.market.coverage import IdRanges
from app.market.ports.clock import Clock

_IDS_A_PAGE = 999  # and one more row: only a later trade proves that the exchange has none with an id it leaves out
_OTHERS_EVERY = 4


class Chunk(NamedTuple):
    """The ids for one request, near each other, and the whole of the newest gap that they are from."""

    tracker: SymbolTracker
    ids: IdRanges
    newest_gap: tuple[int, int]

    @property
    def first(self) -> int:
        assert self.ids.first is not None
        return self.ids.first

    @property
    def last(self) -> int:
        assert self.ids.last is not None
        return self.ids.last


class ChunkChooser:
    """Chooses from the ids that ``plan`` wants and ``backoff`` does not set aside."""

    def __init__(self, recorder: Recorder, plan: RepairPlan, backoff: RetryBackoff, clock: Clock) -> None:
        self._recorder = recorder
        self._plan = plan
        self._backoff = backoff
        self._clock = clock
        self._requests = 0
        self._last_symbol = ""
        # How many of the next requests of a symbol ask for one gap only, to find the one that makes them fail.
        self._singly: dict[str, int] = {}

    def choose(self) -> Chunk | None:
        """Return the next request's ids; None if none may be tried now."""
        self._requests += 1
        if self._requests % _OTHERS_EVERY:
            return self._choose_in_view() or self._choose_newest()
        return self._choose_newest() or self._choose_in_view()

    def split(self, chunk: Chunk) -> bool:
        """After a failed request, ask for its gaps one by one; return False if it was for a single one."""
        ranges = chunk.ids.range_count()
        if ranges > 1:
            self._singly[chunk.tracker.symbol] = ranges
        return ranges > 1

    def _choose_in_view(self) -> Chunk | None:
        symbol, in_view = self._plan.in_view
        tracker = self._recorder.tracker(symbol)
        if tracker is None or not in_view:
            return None
        free = self._free(tracker)
        for first, last in in_view:
            if missing := free.within(first, last):
                return self._chunk_of(tracker, reversed(missing))
        return None

    def _choose_newest(self) -> Chunk | None:
        """Choose the newest missing trades of the symbol whose turn it is."""
        symbols = self._recorder.symbols
        at = symbols.index(self._last_symbol) + 1 if self._last_symbol in symbols else 0
        for symbol in [*symbols[at:], *symbols[:at]]:
            tracker = self._recorder.tracker(symbol)
            if tracker is not None and (free := self._free(tracker)):
                self._last_symbol = symbol
                return self._chunk_of(tracker, reversed(free))
        return None

    def _chunk_of(self, tracker: SymbolTracker, ranges: Iterable[tuple[int, int]]) -> Chunk | None:
        singly = self._singly.get(tracker.symbol, 0)
        self._singly[tracker.symbol] = max(singly - 1, 0)
        return newest_chunk(tracker, ranges, 1 if singly else _IDS_A_PAGE)

    def _free(self, tracker: SymbolTracker) -> IdRanges:
        """Return the planned ids of a symbol that may be tried now."""
        if not tracker.missing():
            return IdRanges()
        return self._backoff.free(tracker.symbol, self._plan.ids(tracker), self._clock.monotonic_s())


def newest_chunk(tracker: SymbolTracker, ranges: Iterable[tuple[int, int]], most: int) -> Chunk | None:
    """
    Return the newest ids that one request can bring; None if there are none.

    ``ranges``: the missing ones, newest first. ``most``: how many ranges the request may be for.
    """
    taken: list[tuple[int, int]] = []
    lowest, newest = 0, (0, 0)
    for first, last in islice(ranges, most):
        if not taken:
            newest, lowest = (first, last), last - _IDS_A_PAGE + 1
            taken.append((max(first, lowest), last))
        elif first >= lowest:
            taken.append((first, last))
        else:
            break
    return Chunk(tracker, IdRanges(reversed(taken)), newest) if taken else None
