"""
Brings the stored trades of a range into a file, and says which are missing.

Nothing is fetched: what the exchange has of past trades comes with an import or a download, which store it. Everything
is read in one snapshot but the coverage, which is read first: a trade stored meanwhile counts as missing at worst.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from app.concurrency.background import in_background
from app.live.transfers.batch_stream import BatchStream
from app.live.transfers.candle_transfer import TransferProgress
from app.live.transfers.file_work import to_its_end
from app.live.transfers.trade_report import Surroundings, TradeReport, TradeRequest, missing_ids, unknown_times
from app.market.coverage import IdRanges
from app.market.ports.files import ExportFile
from app.market.ports.storage import CoverageStore, FetchedTrades, TradeReader
from app.market.trade import Trade

_ALL_END_US = 4_102_444_800_000_000  # the year 2100
_MOST_SPANS = 500  # each costs two look-ups


class TradeStore(TradeReader, CoverageStore, FetchedTrades, Protocol):
    """The roles of a store that an export of trades asks."""


class TradeOutcome(NamedTuple):
    """What was delivered, and the file it is in; None for a stream."""

    report: TradeReport
    path: Path | None


class TradeTransfer:
    """
    One export; call `count` and then `run`, each once, on the loop.

    ``on_progress`` is called on the loop, once per page.
    """

    def __init__(
        self,
        request: TradeRequest,
        store: TradeStore,
        on_progress: Callable[[TransferProgress], None] = lambda _: None,
    ) -> None:
        self._request = request
        self._store = store
        self._on_progress = on_progress
        self._near = Surroundings(None, None, None, None)
        self._covered = self._held = self._fetched = IdRanges()

    async def count(self) -> int:
        """Look which trades there are; return how many rows the file will have at most. Raises StoreError."""
        await in_background(self._look, "look-for-trades")
        return self._held_inside()

    async def run(self, file: ExportFile, version: str, name: Callable[[int, int], str]) -> TradeOutcome:
        """
        Write the trades into ``file`` and finish it. Cancelled or failed, it leaves no file.

        ``name`` returns the name of a file that has none yet, from the times it covers.

        Raises:
            StoreError: If the database cannot be read.
            FileError: If the file cannot be written.
        """
        total, rows, given = self._held_inside(), 0, None
        try:
            self._on_progress(TransferProgress(0, total))
            async with aclosing(self._pages()) as pages:
                async for page in pages:
                    times = page.column("time")
                    first_us, last_us = (times[at].value for at in (0, -1))
                    given = (first_us if given is None else given[0], last_us + 1)
                    rows += page.num_rows
                    await to_its_end(partial(file.write, page))
                    self._on_progress(TransferProgress(rows, max(total, rows)))
            report = await in_background(partial(self._report, rows, given), "look-for-trades")
            named = name(*(given or (self._request.start_us or 0, self._request.end_us or 0)))
            path = await to_its_end(partial(file.finish, named, report.facts(version)))
        finally:
            file.discard()
        return TradeOutcome(report, path)

    async def _pages(self) -> AsyncGenerator[Any, None]:
        start_us, end_us = self._request.start_us or 0, self._request.end_us or _ALL_END_US
        stream = BatchStream(self._store.iter_trade_columns(self._request.symbol, start_us, end_us))
        try:
            while (page := await stream.next()) is not None:
                yield page
        finally:
            await stream.close()

    def _look(self) -> None:
        symbol, start_us, end_us = self._request
        absent = self._store.absent_of([symbol])[symbol]
        self._fetched = self._store.fetched_trades(symbol)  # before the coverage: times are noted after their trades
        self._covered = self._store.coverage(symbol)
        self._held = self._covered - absent
        nearest = partial(self._store.nearest_trade, symbol)
        first = nearest(start_us or 0, before=False)
        last = nearest(end_us or _ALL_END_US, before=True)
        if first is None or last is None or last.time_us < first.time_us:
            first = last = None
        self._near = Surroundings(
            None if start_us is None else nearest(start_us, before=True),
            first,
            last,
            None if end_us is None else nearest(end_us, before=False),
        )

    def _held_inside(self) -> int:
        """Return how many of the ids in the range are held; ids of trades that retention dropped are among them."""
        first, last = self._near.first, self._near.last
        if first is None or last is None:
            return 0
        low, high = sorted((first.trade_id, last.trade_id))
        return sum(end - begin + 1 for begin, end in self._held.within(low, high))

    def _report(self, rows: int, given: tuple[int, int] | None) -> TradeReport:
        missing = missing_ids(self._request, self._near, self._covered, self._fetched)
        unknown = unknown_times(self._request, self._near, self._fetched)
        spans = sorted([*self._spans(missing), *unknown])
        dropped = max(0, self._held_inside() - rows)
        return TradeReport(self._request, rows, given, missing, spans, dropped)

    def _spans(self, missing: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Return the times between the stored trades around each range of missing ids, within the range asked for."""
        spans = list[tuple[int, int]]()
        for first, last in missing[:_MOST_SPANS]:
            before, after = self._stored(self._held.before(first)), self._stored(self._held.after(last))
            start_us = max(self._request.start_us or 0, 0 if before is None else before.time_us)
            end_us = min(self._request.end_us or _ALL_END_US, _ALL_END_US if after is None else after.time_us)
            spans.append((start_us, max(end_us, start_us + 1)))
        return spans

    def _stored(self, trade_id: int | None) -> Trade | None:
        found = [] if trade_id is None else self._store.trades(self._request.symbol, trade_id, trade_id)
        return found[0] if found else None
