"""
Brings the stored quotes of a range into a file, and says which times were not fetched.

Nothing is fetched: quotes of the past come with a download or an import. The times fetched are read first, so what is
stored meanwhile counts as missing at worst. A file of any length takes the memory of some thousand quotes.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any

from app.concurrency.background import in_background
from app.live.transfers.candle_transfer import TransferProgress
from app.live.transfers.file_work import Written, write_stored
from app.live.transfers.quotes.quote_report import QuoteReport, missing_times
from app.market.calendar.calendar import Calendar
from app.market.columns.quote_columns import quote_rows
from app.market.coverage import IdRanges
from app.market.errors import UsageError
from app.market.export_plan import RowsRequest
from app.market.interval import Interval
from app.market.ports.files import ExportFile
from app.market.ports.ticks import TickReader

_DAY, _HOUR = Interval.parse("1d"), Interval.parse("1h")


class QuoteTransfer:
    """
    One export; call `count` and then `run`, each once, on the loop.

    ``on_progress`` is called on the loop, once per page.
    """

    def __init__(
        self,
        request: RowsRequest,
        ticks: TickReader,
        calendar: Calendar,
        on_progress: Callable[[TransferProgress], None] = lambda _: None,
    ) -> None:
        self._request = request
        self._ticks = ticks
        self._calendar = calendar
        self._on_progress = on_progress
        self._range = (0, 0)
        self._count = 0
        self._fetched = IdRanges()

    async def count(self) -> int:
        """
        Look which quotes there are; return how many rows the file will have at most.

        Raises:
            UsageError: If nothing is stored to begin or to end with.
            StoreError: If the database cannot be read.
        """
        await in_background(self._look, "look-for-quotes")
        return self._count

    async def run(self, file: ExportFile, version: str, name: Callable[[int, int], str]) -> Written[QuoteReport]:
        """
        Write the quotes into ``file`` and finish it. Cancelled or failed, it leaves no file.

        ``name`` returns the name of a file that has none yet, from the times it covers.

        Raises:
            StoreError: If the database cannot be read.
            FileError: If the file cannot be written.
        """
        return await write_stored(
            file,
            quote_pages(self._ticks, self._request.symbol, *self._range),
            self._report,
            version=version,
            name=name,
            asked=self._range,
            on_rows=lambda rows: self._on_progress(TransferProgress(rows, max(self._count, rows))),
        )

    def _report(self, rows: int, given: tuple[int, int] | None) -> QuoteReport:
        missing = missing_times(self._calendar, self._fetched, *self._range)
        return QuoteReport(self._request, rows, given, missing, max(0, self._count - rows))

    def _look(self) -> None:
        symbol = self._request.symbol
        self._fetched = self._ticks.fetched_ticks(symbol)
        self._range = stored_range(self._ticks, symbol, self._request.start_us, self._request.end_us)
        self._count = count_quotes(self._ticks, symbol, *self._range)


def quote_pages(ticks: TickReader, symbol: str, start_us: int, end_us: int) -> Generator[Any, None, None]:
    """Yield the stored quotes of the range as columns, page by page; it holds a connection until it is closed."""
    with closing(ticks.iter_ticks(symbol, start_us, end_us)) as pages:
        for page in pages:
            if page:
                yield quote_rows(page)


def stored_range(ticks: TickReader, symbol: str, start_us: int | None, end_us: int | None) -> tuple[int, int]:
    """
    Return the range with both of its ends: those that are None are with the first and the last quote stored. Blocks.

    Raises:
        UsageError: If nothing is stored.
    """
    if start_us is None:
        with closing(ticks.iter_tick_candles(symbol, _DAY, batch=1)) as days:
            first = next(days, None)
        if not first:
            raise UsageError(f"No quote of {symbol} is stored: name a symbol that has some, or import them.")
        start_us = first[0].first[0]
    if end_us is None:
        newest = ticks.tick_candles(symbol, _DAY, limit=1)
        if not newest:
            raise UsageError(f"No quote of {symbol} is stored: name a symbol that has some, or import them.")
        end_us = newest[-1].last[0] + 1
    return start_us, max(end_us, start_us)


def count_quotes(ticks: TickReader, symbol: str, start_us: int, end_us: int) -> int:
    """Return how many quotes of the range the candles count: by hours, and one by one in those that it cuts. Blocks."""
    first_us, last_us = _HOUR.next_open_us(start_us - 1), _HOUR.open_time_us(end_us)
    if first_us >= last_us:
        return len(ticks.ticks(symbol, start_us, end_us))
    total = len(ticks.ticks(symbol, start_us, first_us)) + len(ticks.ticks(symbol, last_us, end_us))
    with closing(ticks.iter_tick_candles(symbol, _HOUR, start_us=first_us, end_us=last_us)) as pages:
        return total + sum(candle.ticks for page in pages for candle in page)
