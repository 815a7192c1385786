"""
The klines of one symbol and interval: which are known, and how those of a file or of the exchange are stored.

Their times are stored with them: there the exchange has these klines and no others. A file without a kline, at its end
or inside, does not prove that there was none, so the exchange is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from app.concurrency.background import in_background
from app.live.transfers.downloads.plan import Piece
from app.live.transfers.downloads.report import StoredRows
from app.live.transfers.downloads.resources import Resources
from app.live.transfers.downloads.retries import Retries
from app.market.candle import Candle
from app.market.coverage import IdRanges
from app.market.errors import FileError
from app.market.interval import SECOND_US, Interval
from app.market.ports.row_files import CandleBatch, ReadingOptions, RefusedFile, RowKind, never

_ROWS = 1000
_SETTLED_US = 60 * SECOND_US  # after its end a kline is final
_ABSENT_US = 86_400 * SECOND_US  # after its end a kline that is missing will not come any more


class KlineDownload:
    """``interval`` is one that the exchange offers. On the loop; every method may raise StoreError."""

    def __init__(self, symbol: str, interval: Interval, resources: Resources, retries: Retries) -> None:
        self._symbol = symbol
        self._interval = interval
        self._resources = resources
        self._retries = retries
        self._known = IdRanges()

    async def known(self, start_us: int, end_us: int) -> IdRanges:
        """Return the times, UTC microseconds, of which all klines are stored that exist."""
        del start_us, end_us
        store = self._resources.database.store
        self._known = await in_background(
            partial(store.fetched_klines, self._symbol, self._interval), "read-kline-ranges"
        )
        return IdRanges(self._known)

    async def store_file(self, path: Path, piece: Piece) -> tuple[StoredRows, list[Piece]]:
        """Store a file's rows; return what became of them, and what the file should have and lacks, newest first."""
        rows, found = await in_background(partial(self._store_file, path), "store-klines")
        lacking = (found | self._known).missing(piece.start_us, piece.end_us - 1)
        return rows, [piece._replace(start_us=first, end_us=last + 1, file=None) for first, last in reversed(lacking)]

    def _store_file(self, path: Path) -> tuple[StoredRows, IdRanges]:
        """Return what became of the rows, and the times of the klines in the file."""
        rows, found = StoredRows(), IdRanges()
        options = ReadingOptions(self._symbol, RowKind.KLINES, self._interval)
        try:
            for opened in self._resources.open_rows(path, options, never):
                if isinstance(opened, RefusedFile):
                    raise FileError(opened.reason)
                for batch in opened.batches():
                    assert isinstance(batch, CandleBatch)
                    rows += self._store(batch, is_first_refusal=not rows.refused)
                    for first_us, last_us in self._times(batch.candles):
                        found.add_range(first_us, last_us)
        except FileError as error:
            rows = rows._replace(is_broken=True, reason=f"{rows.reason} {error}".strip())
        return rows, found

    def _store(self, batch: CandleBatch, *, is_first_refusal: bool) -> StoredRows:
        save = partial(self._resources.database.store.save_klines, self._symbol, self._interval)
        stored = save(batch.candles)
        for first_us, last_us in self._times(batch.candles):
            save([], (first_us, last_us + 1))
        reason = ""
        if batch.refused and is_first_refusal:
            reason = f"Row {batch.refused[0].number} is refused: {batch.refused[0].reason}."
        refused = len(batch.refused)
        return StoredRows(batch.rows, stored, batch.rows - stored - refused, refused, reason=reason)

    def _times(self, candles: Iterable[Candle]) -> IdRanges:
        """Return the microseconds that these candles cover."""
        return IdRanges((one.open_time_us, self._interval.next_open_us(one.open_time_us) - 1) for one in candles)

    async def fetch(self, piece: Piece, on_part: Callable[[float], None]) -> tuple[StoredRows, Piece | None]:
        """
        Fetch a piece from the exchange and store it; return what became of the rows, and what does not exist yet.

        Raises:
            FeedError: If the exchange cannot be reached, or refuses; what was fetched before is stored.
        """
        interval, exchange = self._interval, self._resources.exchange
        start_us = interval.next_open_us(piece.start_us - 1)
        last_us = interval.open_time_us(piece.end_us)
        settled_us = await self._retries.answer(exchange.exchange_time_us) - _SETTLED_US
        rows = StoredRows()
        while start_us < last_us:
            page_us = min(interval.slot_open_us(interval.slot(start_us) + _ROWS), last_us)
            ask = partial(exchange.klines, self._symbol, interval, start_us=start_us, end_us=page_us, limit=_ROWS)
            klines = await self._retries.answer(ask)
            final = [one for one in klines if one.closed and interval.next_open_us(one.open_time_us) <= settled_us]
            until_us, is_proved = await self._reached(start_us, page_us, final, klines, settled_us)
            fetched = (start_us, until_us) if is_proved and until_us > start_us else None
            save = partial(self._resources.database.store.save_klines, self._symbol, interval, final, fetched)
            stored = await in_background(save, "save-klines")
            rows += StoredRows(len(final), stored, len(final) - stored)
            if until_us < page_us:
                return rows, piece._replace(start_us=max(until_us, piece.start_us))
            start_us = until_us
            on_part((start_us - piece.start_us) / (piece.end_us - piece.start_us))
        return rows, None

    async def _reached(
        self, start_us: int, page_us: int, final: list[Candle], found: list[Candle], settled_us: int
    ) -> tuple[int, bool]:
        """Return the time until which the exchange gives no other klines, and whether that proves that it has none."""
        if len(final) < len(found):
            return found[len(final)].open_time_us, True
        reached_us = self._interval.next_open_us(final[-1].open_time_us) if final else start_us
        if reached_us >= page_us:
            return page_us, True
        absent_us = self._interval.open_time_us(settled_us - _ABSENT_US)
        if final:
            return max(reached_us, min(page_us, absent_us)), True
        # An empty answer: an outage, or a symbol that is not traded any more, of which it proves nothing.
        later = partial(self._resources.exchange.klines, self._symbol, self._interval, start_us=page_us, limit=1)
        if await self._retries.answer(later):
            return page_us, True
        return (page_us, False) if page_us <= absent_us else (start_us, False)
