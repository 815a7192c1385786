"""Exports the rolling windows of a range into a file: the minutes of an export of candles, added up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from app.concurrency.background import in_background
from app.live.charts.candle_history import CandleHistory
from app.live.transfers.candle_transfer import CandleTransfer, Lacking, TransferProgress, all_of
from app.live.transfers.quotes.quote_candle_file import QuoteCandleFile
from app.live.transfers.quotes.quote_report import candle_remedy, missing_slots
from app.live.transfers.rolling.window_file import WindowFile, first_slot, values_of
from app.market.calendar.calendar import Calendar
from app.market.candle_request import ONE_MINUTE, CandleRequest
from app.market.export_plan import RowsRequest
from app.market.indicators.chosen import ChosenIndicator
from app.market.interval import Interval
from app.market.ports.clock import Clock
from app.market.ports.files import ExportFile
from app.market.ports.storage import CandleReader, CandleStore
from app.market.ports.ticks import TickReader
from app.market.quotes.tick import PriceSide

_MARKED = "Rolling candles that cover one of them are not complete."


class WrittenWindows(NamedTuple):
    """The outcome: ``facts`` are written beside the file, ``lack`` says which minutes are missing and why."""

    path: Path | None
    rows: int
    lack: str
    facts: dict[str, object]


class WindowTransfer:
    """
    One export of windows; call `run` once, on the loop.

    ``minutes`` is the range; ``store`` has the candles of the wanted price, ``market`` is its calendar. The
    rest is as in `CandleTransfer`.
    """

    def __init__(
        self,
        request: RowsRequest,
        minutes: CandleRequest,
        history: CandleHistory,
        store: CandleStore,
        ticks: TickReader,
        clock: Clock,
        market: Calendar,
        price: PriceSide,
        indicators: Sequence[ChosenIndicator] = (),
        on_progress: Callable[[TransferProgress], None] = lambda _: None,
    ) -> None:
        assert isinstance(request.rows, Interval)
        self._request, self._minutes, self._interval = request, minutes, request.rows
        self._history, self._store, self._ticks, self._clock = history, store, ticks, clock
        self._market, self._price = market, price
        self._indicators = indicators
        self._on_progress = on_progress

    async def run(self, file: ExportFile, version: str, suffix: str = "csv") -> WrittenWindows:
        """Write the windows into ``file`` and finish it; see `CandleTransfer.run`."""
        symbol = self._request.symbol
        known_until = partial(_known_until, self._store, symbol)
        windows = WindowFile(file, self._minutes, self._interval, known_until, self._market, self._indicators, suffix)
        lacking: Lacking = all_of
        if self._request.is_of_quotes:
            fetched = await in_background(partial(self._ticks.fetched_ticks, symbol), "read-candles")
            lacking = partial(missing_slots, ONE_MINUTE, self._market, fetched)
        transfer = CandleTransfer(
            self._minutes,
            self._history,
            self._store,
            self._clock,
            self._on_progress,
            first_slot=first_slot(self._minutes, values_of(self._indicators, self._interval), self._market),
            lacking=lacking,
        )
        if not self._request.is_of_quotes:
            report, path = await transfer.run(windows, version)
            facts = report.facts(version)
        else:
            priced = QuoteCandleFile(windows, self._ticks, symbol, ONE_MINUTE, self._price)
            report, path = await transfer.run(priced, version)
            facts = priced.facts(report.facts(version))
        sentences = [report.lack_of("minute"), _MARKED, candle_remedy(symbol) if self._request.is_of_quotes else ""]
        lack = " ".join(filter(None, sentences)) if report.missing else ""
        more = {"missing_minutes": report.missing_candles, "reasons": report.reasons}
        return WrittenWindows(path, windows.rows, lack, windows.facts(facts) | more)


def _known_until(store: CandleReader, symbol: str) -> int:
    """Return the end of the newest stored closed minute; a missing minute before it is over. Blocks."""
    newest = store.candles(symbol, ONE_MINUTE, limit=1)
    if not newest:
        return 0
    open_us = newest[-1].open_time_us
    return ONE_MINUTE.next_open_us(open_us) if newest[-1].closed else open_us
