"""
The klines of one symbol and interval: which are known, and how those of a file or of the exchange are stored.

With the klines their times are stored, of which the exchange has these and no others. A file that ends early proves
nothing about what it lacks, so the rest is asked of the exchange.
"""

from __future__ import annotations

from collections.abc import Callable
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
from app.market.ports.row_files import CandleBatch, ReadingOptions, RefusedFile, RowKind

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
        """Store a file's rows; return what became of them, and what the file should have and lacks."""
        assert piece.file is not None
        rows, reached_us = await in_background(partial(self._store_file, path, piece), "store-klines")
        lacks = piece._replace(start_us=max(piece.start_us, reached_us), file=None)
        return rows, [lacks] if lacks.start_us < lacks.end_us else []

    def _store_file(self, path: Path, piece: Piece) -> tuple[StoredRows, int]:
        """Return what became of the rows, and the time up to which all klines are stored."""
        assert piece.file is not None
        file, rows, at_us = piece.file, StoredRows(), piece.file.start_us
        options = ReadingOptions(self._symbol, RowKind.KLINES, self._interval)
        try:
            for opened in self._resources.open_rows(path, options):
                if isinstance(opened, RefusedFile):
                    raise FileError(opened.reason)
                for batch in opened.batches():
                    assert isinstance(batch, CandleBatch)
                    rows, at_us = self._store(batch, rows, at_us)
        except FileError as error:
            rows = rows._replace(is_broken=True, reason=f"{rows.reason} {error}".strip())
        is_whole = not rows.refused and not rows.is_broken
        return rows, file.end_us if is_whole and at_us >= file.end_us else file.start_us if rows.refused else at_us

    def _store(self, batch: CandleBatch, rows: StoredRows, at_us: int) -> tuple[StoredRows, int]:
        held = sum(candle.open_time_us in self._known for candle in batch.candles)
        end_us = max((self._interval.next_open_us(candle.open_time_us) for candle in batch.candles), default=at_us)
        # A row that was refused leaves a hole of which nothing is known.
        fetched = (at_us, end_us) if end_us > at_us and not batch.refused and not rows.refused else None
        store = self._resources.database.store
        store.save_klines(self._symbol, self._interval, batch.candles, fetched)
        reason = f"Row {batch.refused[0].number} is refused: {batch.refused[0].reason}." if batch.refused else ""
        stored = len(batch.candles) - held
        found = StoredRows(batch.rows, stored, batch.rows - stored - len(batch.refused), len(batch.refused))
        return rows + found._replace(reason="" if rows.refused else reason), end_us

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
            await in_background(save, "save-klines")
            held = sum(kline.open_time_us in self._known for kline in final)
            rows += StoredRows(len(final), len(final) - held, held)
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
