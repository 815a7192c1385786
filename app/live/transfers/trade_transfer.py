"""
Brings the stored trades of a range into a file, and says which are missing.

Nothing is fetched: what the exchange has of past trades comes with an import or a download, which store it. Everything
is read in one snapshot but the coverage, which is read first: a trade stored meanwhile counts as missing at worst.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from app.concurrency.background import in_background
from app.live.transfers.candle_transfer import TransferProgress
from app.live.transfers.file_work import Written, write_stored
from app.live.transfers.trade_report import Surroundings, TradeReport, missing_ids, unknown_times
from app.market.coverage import IdRanges
from app.market.export_plan import RowsRequest
from app.market.ports.files import ExportFile
from app.market.ports.storage import CoverageStore, FetchedTrades, TradeReader
from app.market.trade import Trade

_ALL_END_US = 4_102_444_800_000_000  # the year 2100
_MOST_SPANS = 500  # each costs two look-ups


class TradeStore(TradeReader, CoverageStore, FetchedTrades, Protocol):
    """The store roles an export of trades uses."""


class TradeTransfer:
    """
    One export; call `count` and then `run`, each once, on the loop.

    ``on_progress`` is called on the loop, once per page.
    """

    def __init__(
        self,
        request: RowsRequest,
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

    async def run(self, file: ExportFile, version: str, name: Callable[[int, int], str]) -> Written[TradeReport]:
        """
        Write the trades into ``file`` and finish it. Cancelled or failed, it leaves no file.

        ``name`` returns the name of a file that has none yet, from the times it covers.

        Raises:
            StoreError: If the database cannot be read.
            FileError: If the file cannot be written.
        """
        start_us, end_us = self._request.start_us or 0, self._request.end_us or 0
        total = self._held_inside()
        return await write_stored(
            file,
            self._store.iter_trade_columns(self._request.symbol, start_us, end_us or _ALL_END_US),
            self._report,
            version=version,
            name=name,
            asked=(start_us, end_us),
            on_rows=lambda rows: self._on_progress(TransferProgress(rows, max(total, rows))),
        )

    def _look(self) -> None:
        symbol, start_us, end_us = self._request.symbol, self._request.start_us, self._request.end_us
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
