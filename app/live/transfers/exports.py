"""
Writes the files of an export, one after another: candles, stored ones and the exchange's, trades, quotes, gaps
and sessions.

All are checked before the first is opened: whether there is anything to begin with, and whether a sheet holds the rows.
Where a file goes is the caller's: `Exports` is given a function that opens it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

from app.concurrency.background import in_background
from app.live.charts.candle_history import CandleHistory
from app.live.transfers.candle_transfer import CandleTransfer, TransferProgress
from app.live.transfers.gap_transfer import GapTransfer
from app.live.transfers.quotes.quote_candle_file import QuoteCandleFile
from app.live.transfers.quotes.quote_report import candle_remedy, missing_slots
from app.live.transfers.quotes.quote_transfer import QuoteTransfer
from app.live.transfers.range_ends import whole_request
from app.live.transfers.rolling.window_transfer import WindowTransfer
from app.live.transfers.session_transfer import SessionTransfer
from app.live.transfers.trade_transfer import TradeStore, TradeTransfer
from app.market.candle_request import ONE_MINUTE, file_name, window_count
from app.market.coverage import StoredGap
from app.market.export_plan import ExportPlan, RowsRequest, number_of
from app.market.file_columns import RowsOf
from app.market.file_format import Preset, check_rows, name_in_folder
from app.market.interval import Interval
from app.market.ports.clock import Clock
from app.market.ports.files import ExportFile
from app.market.ports.sessions import SessionStore
from app.market.ports.storage import CandleStore, SymbolStore
from app.market.ports.ticks import SideStores, TickReader


class ExportStore(CandleStore, TradeStore, SymbolStore, SideStores, SessionStore, Protocol):
    """The store roles an export uses."""


class ExportSources(NamedTuple):
    """
    Where rows come from.

    ``clock`` is the exchange's, as far as that is known; ``gaps`` returns those of a symbol, and blocks.
    """

    history: CandleHistory
    store: ExportStore
    clock: Clock
    gaps: Callable[[str], Sequence[StoredGap]]
    ticks: TickReader


class ExportProgress(NamedTuple):
    """The progress of the current file; ``done`` files before it are whole."""

    request: RowsRequest
    done: int
    now: TransferProgress


class ExportedFile(NamedTuple):
    """
    The outcome of one file. ``path``: None for a stream. ``lack``: what is missing in it; empty if nothing is.

    ``facts`` are those beside the file, and how much is missing.
    """

    request: RowsRequest
    path: Path | None
    rows: int
    lack: str
    facts: dict[str, object]

    @property
    def rows_in_words(self) -> str:
        """Return ``60 candles``."""
        return number_of(self.rows, self.request.unit)


OpenFile = Callable[[RowsRequest, str | None], ExportFile]
"""Opens the file of a request, under that name if it has one. Blocks; raises UsageError and FileError."""

_Job = Callable[[], Awaitable[ExportedFile]]


class Exports:
    """One export; call `run` once, on the loop. ``on_progress`` is called on the loop, at most once per batch."""

    def __init__(
        self,
        plan: ExportPlan,
        sources: ExportSources,
        open_file: OpenFile,
        version: str,
        on_progress: Callable[[ExportProgress], None] = lambda _: None,
    ) -> None:
        self._plan = plan
        self._sources = sources
        self._open_file = open_file
        self._version = version
        self._on_progress = on_progress
        self._done = 0

    async def run(self) -> AsyncGenerator[ExportedFile, None]:
        """
        Write one file after another, and yield each outcome. Cancelled or failed, the current file leaves nothing.

        Raises:
            UsageError: If nothing of a symbol is stored to begin with, no candle lies in a range, or a sheet would have
                too many rows. Nothing was written.
            StoreError: If the database cannot be read.
            FileError: If a file cannot be written.
        """
        now_us = self._sources.clock.now_us()
        jobs = [await self._prepared(request, now_us) for request in self._plan.files]
        for job in jobs:
            yield await job()
            self._done += 1

    async def _prepared(self, request: RowsRequest, now_us: int) -> _Job:
        """Check that the file can be written, and return what writes it."""
        if isinstance(request.rows, Interval):
            if request.is_rolling:
                return await self._windows(request, request.rows, now_us)
            if request.is_of_quotes:
                return await self._quote_candles(request, request.rows, now_us)
            return await self._candles(request, request.rows, now_us)
        if request.rows is RowsOf.QUOTES:
            return await self._quotes(request)
        if request.rows.are_of_sessions:
            return await self._sessions(request)
        return await (self._trades(request) if request.rows is RowsOf.TRADES else self._gaps(request))

    async def _candles(self, request: RowsRequest, interval: Interval, now_us: int) -> _Job:
        plan, sources = self._plan, self._sources
        ends = partial(
            whole_request,
            sources.store,
            request.symbol,
            interval,
            request.start_us,
            request.end_us,
            now_us=now_us,
            fetch=plan.fetch,
            include_open=plan.include_open,
        )
        wanted = await in_background(ends, "read-candles")
        check_rows(len(wanted.slots), plan.file_format)
        show = partial(self._show, request)
        transfer = CandleTransfer(wanted, sources.history, sources.store, sources.clock, show, plan.indicators)

        async def write() -> ExportedFile:
            file = await self._opened(request)
            report, path = await transfer.run(file, self._version, plan.file_format)
            more = {"missing_candles": report.missing_candles, "reasons": report.reasons}
            return ExportedFile(request, path, report.rows, report.lack, report.facts(self._version) | more)

        return write

    async def _quote_candles(self, request: RowsRequest, interval: Interval, now_us: int) -> _Job:
        """Check a file of candles of quotes and return what writes it; nothing is fetched."""
        plan, sources, symbol = self._plan, self._sources, request.symbol
        store = sources.store.of_side(plan.price)
        ends = partial(
            whole_request,
            store,
            symbol,
            interval,
            request.start_us,
            request.end_us,
            now_us=now_us,
            fetch=False,
            include_open=plan.include_open,
        )
        wanted = await in_background(ends, "read-candles")
        check_rows(len(wanted.slots), plan.file_format)
        fetched = await in_background(partial(sources.ticks.fetched_ticks, symbol), "read-candles")
        calendar = await in_background(partial(sources.store.calendar_of, symbol), "read-calendar")
        lacking = partial(missing_slots, interval, calendar, fetched)
        show = partial(self._show, request)
        transfer = CandleTransfer(wanted, sources.history, store, sources.clock, show, plan.indicators, lacking)

        async def write() -> ExportedFile:
            file = QuoteCandleFile(await self._opened(request), sources.ticks, symbol, interval, plan.price)
            report, path = await transfer.run(file, self._version, plan.file_format)
            more = {"missing_candles": report.missing_candles, "reasons": report.reasons}
            lack = f"{report.lack} {candle_remedy(symbol)}" if report.lack else ""
            return ExportedFile(request, path, report.rows, lack, file.facts(report.facts(self._version)) | more)

        return write

    async def _windows(self, request: RowsRequest, interval: Interval, now_us: int) -> _Job:
        """Check a file of rolling windows and return what writes it."""
        plan, sources, symbol = self._plan, self._sources, request.symbol
        store = sources.store.of_side(plan.price) if request.is_of_quotes else sources.store
        ends = partial(
            whole_request,
            store,
            symbol,
            ONE_MINUTE,
            request.start_us,
            request.end_us,
            now_us=now_us,
            fetch=plan.fetch and not request.is_of_quotes,
            include_open=False,
        )
        minutes = await in_background(ends, "read-candles")
        check_rows(window_count(minutes, interval), plan.file_format)
        market = await in_background(partial(sources.store.calendar_of, symbol), "read-calendar")
        transfer = WindowTransfer(
            request,
            minutes,
            sources.history,
            store,
            sources.ticks,
            sources.clock,
            market,
            plan.price,
            plan.indicators,
            partial(self._show, request),
        )

        async def write() -> ExportedFile:
            return ExportedFile(
                request, *await transfer.run(await self._opened(request), self._version, plan.file_format)
            )

        return write

    async def _quotes(self, request: RowsRequest) -> _Job:
        calendar = await in_background(partial(self._sources.store.calendar_of, request.symbol), "read-calendar")
        transfer = QuoteTransfer(request, self._sources.ticks, calendar, partial(self._show, request))
        check_rows(await transfer.count(), self._plan.file_format)
        name = partial(file_name, request.symbol, RowsOf.QUOTES, suffix=self._plan.file_format)

        async def write() -> ExportedFile:
            report, path = await transfer.run(await self._opened(request), self._version, name)
            return ExportedFile(request, path, report.rows, report.lack, report.facts(self._version))

        return write

    async def _trades(self, request: RowsRequest) -> _Job:
        transfer = TradeTransfer(request, self._sources.store, partial(self._show, request))
        check_rows(await transfer.count(), self._plan.file_format)
        name = partial(file_name, request.symbol, RowsOf.TRADES, suffix=self._plan.file_format)

        async def write() -> ExportedFile:
            report, path = await transfer.run(await self._opened(request), self._version, name)
            facts = report.facts(self._version) | {"missing_trades": report.missing_trades}
            return ExportedFile(request, path, report.rows, report.lack, facts)

        return write

    async def _gaps(self, request: RowsRequest) -> _Job:
        transfer = GapTransfer(request, self._sources.gaps)
        check_rows(len(await transfer.read()), self._plan.file_format)
        name = name_in_folder(request.symbol, RowsOf.GAPS, self._plan.file_format)

        async def write() -> ExportedFile:
            report, path = await transfer.run(await self._opened(request), self._version, name)
            return ExportedFile(request, path, report.rows, "", report.facts(self._version))

        return write

    async def _sessions(self, request: RowsRequest) -> _Job:
        transfer = SessionTransfer(request, self._sources.store, may_be_empty=self._plan.is_several)
        check_rows(await transfer.read(), self._plan.file_format)

        async def write() -> ExportedFile:
            report, path = await transfer.run(await self._opened(request), self._version, self._plan.file_format)
            return ExportedFile(request, path, len(report.days), report.lack, report.facts(self._version))

        return write

    async def _opened(self, request: RowsRequest) -> ExportFile:
        return await in_background(partial(self._open, request), "open-file")

    def _open(self, request: RowsRequest) -> ExportFile:
        pair = self._pair(request.symbol) if self._plan.layout.preset is Preset.FREQTRADE else None
        return self._open_file(request, self._plan.name_of(request, pair))

    def _pair(self, symbol: str) -> tuple[str, str] | None:
        """Return base and quote, by which freqtrade names its files; None if unknown. Blocks."""
        known = next((one for one in self._sources.store.symbols() if one.name == symbol), None)
        return (known.base, known.quote) if known is not None and known.base and known.quote else None

    def _show(self, request: RowsRequest, now: TransferProgress) -> None:
        self._on_progress(ExportProgress(request, self._done, now))
