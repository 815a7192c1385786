"""The files of one ``cryptopipe export``: each of one symbol and one kind of rows, opened, filled and reported."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncGenerator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from app.commands.export_options import STREAM, RowsOf, Wanted
from app.commands.progress import Progress
from app.concurrency.background import in_background
from app.config.version import VERSION
from app.live.charts.candle_history import CandleHistory
from app.live.environment.clocks import ExchangeClock
from app.live.transfers.candle_transfer import CandleTransfer, TransferProgress
from app.live.transfers.file_work import to_its_end
from app.live.transfers.range_ends import whole_request
from app.live.transfers.report import iso, span
from app.live.transfers.trade_report import TradeRequest
from app.live.transfers.trade_transfer import TradeTransfer
from app.market.candle_request import CandleRequest, file_name
from app.market.errors import UsageError
from app.market.file_format import Preset, check_rows, freqtrade_name, name_in_folder
from app.market.interval import Interval
from app.market.ports.files import ExportFile
from storage.database import Database
from storage.files.target import NewFile, OpenStream
from storage.integrity.gap_report import StoredGap, read_gaps
from storage.postgres.connection import connect

_TIMEOUT_S = 600.0


class Written(NamedTuple):
    """
    What became of one file. ``path``: None for a stream. ``rows_of`` is “60 candles of BTCUSDT 1m”.

    ``subject`` names symbol and rows; ``lack`` says what is missing, empty where nothing is; ``document`` is for JSON.
    """

    path: Path | None
    subject: str
    rows_of: str
    lack: str
    is_candles: bool
    document: dict[str, object]


class ExportJobs:
    """Writes the files that ``wanted`` names, of an open database. All on the loop."""

    def __init__(
        self, wanted: Wanted, database: Database, history: CandleHistory, clock: ExchangeClock, shown: Progress
    ) -> None:
        self._wanted = wanted
        self._database = database
        self._store = database.store
        self._history = history
        self._clock = clock
        self._shown = shown

    async def run(self, symbols: list[str]) -> AsyncGenerator[Written, None]:
        """
        Write one file after another, and yield each outcome.

        Raises:
            UsageError: If nothing of a symbol is stored to begin with, or a sheet would have too many rows.
            StoreError: If the database cannot be read.
            FileError: If a file cannot be written.
        """
        for symbol in dict.fromkeys(symbols):
            for kind in self._wanted.kinds:
                if isinstance(kind, Interval):
                    yield await self._candles(symbol, kind)
                elif kind is RowsOf.TRADES:
                    yield await self._trades(symbol)
                else:
                    yield await self._gaps(symbol)

    async def _candles(self, symbol: str, interval: Interval) -> Written:
        wanted = self._wanted
        ends = partial(
            whole_request,
            self._store,
            symbol,
            interval,
            wanted.start_us,
            wanted.end_us,
            now_us=self._clock.now_us(),
            fetch=wanted.fetch,
            include_open=wanted.include_open,
        )
        request = await in_background(ends, "read-candles")
        check_rows(len(request.slots), wanted.file_format)
        show = partial(self._show, f"Exporting {symbol} {interval}")
        transfer = CandleTransfer(request, self._history, self._store, self._clock, show, wanted.indicators)
        file = await in_background(partial(self._candle_file, request), "open-file")
        report, path = await transfer.run(file, VERSION, wanted.file_format)
        more = {"missing_candles": report.missing_candles, "reasons": report.reasons}
        subject = f"{symbol} {interval}"
        return self._written(path, subject, "candle", report.rows, report.lack, report.facts(VERSION) | more)

    def _candle_file(self, request: CandleRequest) -> ExportFile:
        from storage.files.export_file import candle_file  # here, because Arrow takes a quarter of a second

        name = None
        if self._wanted.layout.preset is Preset.FREQTRADE:
            known = next((one for one in self._store.symbols() if one.name == request.symbol), None)
            pair = (known.base, known.quote) if known is not None and known.base and known.quote else None
            name = freqtrade_name(request.symbol, request.interval, self._wanted.file_format, pair)
        target = self._target(request.symbol, request.interval.name, name)
        return candle_file(target, self._wanted.file_format, self._wanted.layout, request.interval)

    async def _trades(self, symbol: str) -> Written:
        wanted = self._wanted
        show = partial(self._show, f"Exporting the trades of {symbol}")
        transfer = TradeTransfer(TradeRequest(symbol, wanted.start_us, wanted.end_us), self._store, show)
        check_rows(await transfer.count(), wanted.file_format)

        def opened() -> ExportFile:
            from storage.files.export_file import trade_file

            return trade_file(self._target(symbol, RowsOf.TRADES), wanted.file_format, wanted.layout)

        name = partial(file_name, symbol, RowsOf.TRADES, suffix=wanted.file_format)
        report, path = await transfer.run(await in_background(opened, "open-file"), VERSION, name)
        more = {"missing_trades": report.missing_trades}
        facts = report.facts(VERSION) | more
        return self._written(path, f"{symbol} {RowsOf.TRADES}", "trade", report.rows, report.lack, facts)

    async def _gaps(self, symbol: str) -> Written:
        gaps = await in_background(partial(self._read_gaps, symbol), "look-for-gaps")
        check_rows(len(gaps), self._wanted.file_format)
        asked = self._wanted.start_us, self._wanted.end_us
        facts: dict[str, object] = {
            "symbol": symbol,
            "interval": RowsOf.GAPS,
            "zone": "UTC",
            "source": "trades",
            "version": VERSION,
            "rows": len(gaps),
            "asked": {name: None if at is None else iso(at) for name, at in zip(("from", "to"), asked, strict=True)},
            "given": span(None),
            "complete": True,
            "missing": [],
        }

        def write() -> Path | None:
            from storage.files.export_file import gap_file
            from storage.files.gap_rows import gap_rows

            file = gap_file(self._target(symbol, RowsOf.GAPS), self._wanted.file_format, self._wanted.layout)
            try:
                file.write(gap_rows(gaps))
                return file.finish(f"{symbol}-{RowsOf.GAPS}.{self._wanted.file_format}", facts)
            finally:
                file.discard()

        path = await to_its_end(write)
        return self._written(path, f"{symbol} {RowsOf.GAPS}", "gap", len(gaps), "", facts)

    def _read_gaps(self, symbol: str) -> list[StoredGap]:
        """Return the gaps of the symbol that may reach into the range."""
        start_us, end_us = self._wanted.start_us, self._wanted.end_us
        with connect(self._database.url, statement_timeout_s=_TIMEOUT_S) as connection:
            found = read_gaps(connection, [symbol], timed=1 << 30)
        return [
            gap
            for gap in found
            if (start_us is None or gap.end_us is None or gap.end_us >= start_us)
            and (end_us is None or gap.start_us is None or gap.start_us < end_us)
        ]

    def _written(
        self, path: Path | None, subject: str, unit: str, rows: int, lack: str, facts: dict[str, object]
    ) -> Written:
        number = f"1 {unit}" if rows == 1 else f"{rows} {unit}s"
        of = subject if unit == "candle" else subject.split()[0]
        about = {"path": None if path is None else str(path), **facts, "zone": self._wanted.layout.zone}
        return Written(path, subject, f"{number} of {of}", lack, unit == "candle", about)

    def _target(self, symbol: str, kind: str, name: str | None = None) -> NewFile | OpenStream:
        path = self._wanted.path
        if path == STREAM:
            return OpenStream(sys.stdout.buffer)
        if self._wanted.is_several:
            name = name or name_in_folder(symbol, kind, self._wanted.file_format)
            _make_folder(path or Path())
        if path is None or os.path.isdir(path):
            return NewFile(path or Path(), name)
        return NewFile(path.parent, path.name)

    def _show(self, work: str, now: TransferProgress) -> None:
        waits = f"Waiting ({now.waits_because.rstrip('.')})"
        self._shown.update(now.done, total=now.total, description=waits if now.waits_because else work)


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"The folder {path} cannot be made: {error.strerror}. Choose another.") from error
