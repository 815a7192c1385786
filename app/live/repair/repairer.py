"""
Fetches missing trades.

`app.live.repair.repair_plan` says which ids to fetch, `app.live.repair.retry_backoff` which may be tried now, and
`app.live.repair.chunks` which of those the next request asks for. `Repairer` makes the requests and judges the answers.

An id is noted as absent, and never asked for again, if three answers, seconds apart, leave it out although each has a
later trade. Any other answer without trades proves nothing. Failed ranges are set aside for a while, longer each time,
and everything else goes on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

from app.concurrency.tasks import first_of
from app.live.recording.recorder import Recorder
from app.live.recording.symbol_tracker import SymbolTracker
from app.live.repair.chunks import Chunk, ChunkChooser
from app.live.repair.repair_plan import RepairPlan
from app.live.repair.retry_backoff import RetryBackoff
from app.market.coverage import IdRanges
from app.market.errors import FeedAway, FeedDisconnected, FeedRejected, MalformedMessage, UnknownSymbol
from app.market.ports.clock import Clock
from app.market.ports.exchange import TradeSource

logger = logging.getLogger(__name__)

TRADES_A_MINUTE = 140_000
"""About how many trades a minute the exchange's limits allow, with some requests left for charts."""

_LOOK_EVERY_S = 0.25
# First and longest delay of a range: the exchange is away, its answers end too early, it refuses.
_AWAY_S, _LONGEST_AWAY_S = 5.0, 30.0
_SHORT_S, _LONGEST_SHORT_S = 5.0, 600.0
_REFUSED_S, _LONGEST_REFUSED_S = 60.0, 3_600.0
_DOUBTS_S = (1.0, 3.0)  # pauses between the answers: one or two of them may come from servers that lag behind
_HOPEFUL_TRIES = 5


class Repairer:
    """
    Repairs gaps until cancelled. All methods on the loop.

    Counted since the start: ``repaired`` trades fetched, ``gaps_repaired`` gaps closed by that, ``absent`` ids found
    not to exist, ``failures`` requests that brought nothing. ``failures_in_a_row``: the newest requests that did not
    reach the exchange. ``waits_because`` is one sentence while it cannot be reached or refuses this address. ``plan``
    says what to fetch. ``tries``: a range that failed that often no longer counts as being repaired.
    """

    def __init__(self, recorder: Recorder, exchange: TradeSource, clock: Clock, *, tries: int = _HOPEFUL_TRIES) -> None:
        self.repaired = 0
        self.gaps_repaired = 0
        self.absent = 0
        self.failures = 0
        self.failures_in_a_row = 0
        self.waits_because = ""
        self.plan = RepairPlan(recorder)
        self._recorder = recorder
        self._exchange = exchange
        self._clock = clock
        self._tries = tries
        self._backoff = RetryBackoff()
        self._database_changes = recorder.database_changes
        self._chunks = ChunkChooser(recorder, self.plan, self._backoff, clock)
        self._has_faulted = False
        self._is_away = False
        self._woken = asyncio.Event()

    @property
    def repairing(self) -> set[str]:
        """The symbols whose trades are fetched, now or as soon as that works again, by this program or another."""
        return self.fetching | {symbol for symbol in self.plan.left_to_others if self._is_missing(symbol)}

    @property
    def fetching(self) -> set[str]:
        """Symbols this program repairs itself."""
        return {tracker.symbol for tracker in self._trackers() if self._can_repair(tracker)}

    def download(self, symbol: str) -> None:
        """Fetch all missing trades of a symbol now, however many, also those set aside after failures."""
        ids = self.plan.download(symbol)
        if ids.first is not None and ids.last is not None:
            self._backoff.clear(symbol, ids.first, ids.last)

    def wake(self) -> None:
        """Go on at once: the exchange is back."""
        self._backoff.end_away()
        self._woken.set()

    def stuck_because(self) -> str:
        """Return why nothing more can be fetched for now, if everything planned has failed repeatedly."""
        planned = [tracker for tracker in self._trackers() if self.plan.ids(tracker)]
        if not planned or any(self._can_repair(tracker) for tracker in planned):
            return ""
        return self._backoff.reason(planned[0].symbol)

    async def run(self) -> None:
        """Repair until cancelled."""
        while True:
            try:
                wait_s = await self.step()
            except Exception as error:  # because a bug in one step must not silently end all repairs
                if not self._has_faulted:
                    logger.critical("repairing failed by a fault in the program", exc_info=error)
                self._has_faulted, wait_s = True, _REFUSED_S
            if self._is_away:
                await first_of(self._woken.wait(), self._clock.sleep(wait_s))
            else:
                await self._clock.sleep(wait_s)

    async def step(self) -> float:
        """Make one request if any is due; return the seconds to wait before the next step."""
        self._woken.clear()
        self._is_away = False
        self.plan.end_finished_downloads()
        if self._database_changes != self._recorder.database_changes:
            self._database_changes = self._recorder.database_changes
            self.plan.clear()
            self._backoff.clear_all()
        # While received trades are being given up, fetched ones would be, too.
        chunk = None if self._recorder.is_losing else self._chunks.choose()
        if chunk is None:
            return _LOOK_EVERY_S
        try:
            fetched = await self._fetch(chunk)
        except FeedDisconnected as error:
            return self._on_disconnected(chunk, error)
        except UnknownSymbol as error:  # no gap of this symbol can be fetched
            missing = chunk.tracker.missing_ids()
            first, last = missing.first or chunk.first, missing.last or chunk.last
            self._set_aside(chunk.tracker, first, last, str(error), _REFUSED_S, _LONGEST_REFUSED_S)
        except (FeedRejected, MalformedMessage) as error:
            if not self._split(chunk):
                self._set_aside(chunk.tracker, *chunk.newest_gap, str(error), _REFUSED_S, _LONGEST_REFUSED_S)
        except Exception as error:  # because one gap that trips the program up must not keep it from the others
            why = f"Fetching them failed inside ({type(error).__name__})."
            if not self._split(chunk) and self._set_aside(
                chunk.tracker, *chunk.newest_gap, why, _REFUSED_S, _LONGEST_REFUSED_S, level=logging.DEBUG
            ):
                logger.critical("repair of %s failed by a fault in the program", chunk.newest_gap, exc_info=error)
        else:
            self.failures_in_a_row, self.waits_because = 0, ""
            if fetched:
                self._backoff.clear(chunk.tracker.symbol, chunk.first, chunk.last)
            else:
                reason = "The exchange's answers end before them."
                self._set_aside(
                    chunk.tracker, chunk.first, chunk.last, reason, _SHORT_S, _LONGEST_SHORT_S, level=logging.INFO
                )
        return 0.0

    # What is left to do

    def _trackers(self) -> Iterator[SymbolTracker]:
        for symbol in self._recorder.symbols:
            tracker = self._recorder.tracker(symbol)
            if tracker is not None:
                yield tracker

    def _is_missing(self, symbol: str) -> bool:
        tracker = self._recorder.tracker(symbol)
        return tracker is not None and tracker.missing() > 0

    def _can_repair(self, tracker: SymbolTracker) -> bool:
        return bool(tracker.missing()) and self._backoff.hopeful(tracker.symbol, self.plan.ids(tracker), self._tries)

    # Fetching

    async def _fetch(self, chunk: Chunk) -> bool:
        """Fetch one chunk; return whether that brought anything."""
        tracker, ids = chunk.tracker, chunk.ids
        before = (ids - tracker.held()).count()
        gaps = {tracker.missing_ids().range_of(first) for first, _ in ids} - {None}
        left_out = await self._ask(chunk)
        for doubt_s in _DOUBTS_S:
            if left_out:
                await self._clock.sleep(doubt_s)
                if not self._is_current(tracker):
                    return True
                left_out &= await self._ask(chunk)
        if not self._is_current(tracker):
            return True
        self._note_absent(tracker, left_out)
        for first, last in sorted(gap for gap in gaps if gap is not None):
            if not tracker.held().missing(first, last):
                self.gaps_repaired += 1
                more = {"symbol": tracker.symbol, "first_trade_id": first}
                logger.info("%s: the gap from trade %d on is closed", tracker.symbol, first, extra=more)
        # If the feed has delivered them meanwhile, the exchange has not failed.
        return not before or (ids - tracker.held()).count() < before

    async def _ask(self, chunk: Chunk) -> IdRanges:
        """Ask for a chunk once and take in the answer; return the ids it leaves out although it has a later one."""
        tracker, first, last = chunk.tracker, chunk.first, chunk.last
        page = await self._exchange.trades_from(tracker.symbol, first, limit=last - first + 2)
        if not page or not self._is_current(tracker):
            return IdRanges()
        new = chunk.ids - tracker.held()
        self.repaired += await self._recorder.ingest([trade for trade in page if trade.trade_id in new])
        answered = IdRanges(sorted((trade.trade_id, trade.trade_id) for trade in page))
        assert answered.last is not None
        return (answered.complement(first, min(answered.last, last)) & chunk.ids) - tracker.held()

    def _is_current(self, tracker: SymbolTracker) -> bool:
        """Whether the symbol is still recorded, and into the same database, as when it was asked for."""
        is_recorded = self._recorder.tracker(tracker.symbol) is tracker
        return is_recorded and self._recorder.database_changes == self._database_changes

    def _note_absent(self, tracker: SymbolTracker, absent: IdRanges) -> None:
        for first, last in absent:
            logger.warning(
                "%s: the exchange has no trades %d to %d",
                tracker.symbol,
                first,
                last,
                extra={"symbol": tracker.symbol, "first_trade_id": first, "last_trade_id": last},
            )
            tracker.ids.note_absent(first, last)
            self.absent += last - first + 1

    # Failing

    def _split(self, chunk: Chunk) -> bool:
        """After a failed request, ask for its gaps one by one; return False if it was for a single one."""
        is_split = self._chunks.split(chunk)
        self.failures += is_split
        return is_split

    def _on_disconnected(self, chunk: Chunk, error: FeedDisconnected) -> float:
        """Set the chunk aside; return the seconds to wait, none after the first failure: it may be the chunk's own."""
        if str(error) != self.waits_because:
            symbol = chunk.tracker.symbol
            logger.info("repair of %s waits: %s", symbol, error, extra={"symbol": symbol})
        self.waits_because = str(error)
        self.failures += 1
        if error.retry_after_s:
            return error.retry_after_s
        self._is_away = isinstance(error, FeedAway)
        self.failures_in_a_row += 1
        symbol, now_s = chunk.tracker.symbol, self._clock.monotonic_s()
        self._backoff.note(
            symbol,
            chunk.first,
            chunk.last,
            now_s,
            str(error),
            shortest_s=_AWAY_S,
            longest_s=_LONGEST_AWAY_S,
            counts=0,
            away=self._is_away,
        )
        return _AWAY_S if self.failures_in_a_row > 1 else 0.0

    def _set_aside(
        self,
        tracker: SymbolTracker,
        first: int,
        last: int,
        reason: str,
        shortest_s: float,
        longest_s: float,
        *,
        level: int = logging.WARNING,
    ) -> bool:
        """Set a range aside; return whether that is for the first time."""
        self.failures += 1
        noted = self._backoff.note(
            tracker.symbol,
            first,
            last,
            self._clock.monotonic_s(),
            reason,
            shortest_s=shortest_s,
            longest_s=longest_s,
            counts=1 if shortest_s < _REFUSED_S else self._tries,  # a refusal leaves no hope
        )
        is_first = noted.delay_s <= shortest_s
        if is_first:
            missing = sum(end - begin + 1 for begin, end in tracker.missing_ids().within(first, last))
            logger.log(
                level,
                "repair of %d %s trades put off for %g s: %s",
                missing,
                tracker.symbol,
                shortest_s,
                reason,
                extra={"symbol": tracker.symbol, "missing": missing, "retry_in_s": shortest_s},
            )
        return is_first
