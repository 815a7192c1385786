"""
The trades of one symbol: which are held, how those of a file or of the exchange are stored, and what proves a day.

A day is whole if its ids are consecutive, if they join those of the days beside it that are known, and if there are as
many, with the same volume, as the exchange's candle of that day counts. What a file lacks is asked of the exchange.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from app.concurrency.background import in_background
from app.live.transfers.downloads.counted_writer import CountedWriter
from app.live.transfers.downloads.held_times import gaps_between, held_times
from app.live.transfers.downloads.plan import Piece
from app.live.transfers.downloads.report import StoredRows
from app.live.transfers.downloads.resources import Resources
from app.live.transfers.downloads.retries import Retries
from app.live.transfers.downloads.trade_files import TradeFiles
from app.market.candle import Candle
from app.market.coverage import IdRanges
from app.market.interval import Interval
from app.market.ports.archive import DAY_US

_ROWS = 1000
_DAY, _HOUR = Interval.parse("1d"), Interval.parse("1h")
_SETTLED_US = 60_000_000  # after a moment, no trade before it will appear any more


class TradeDownload:
    """The trades of ``symbol``. On the loop; every method may raise StoreError."""

    def __init__(
        self, symbol: str, resources: Resources, retries: Retries, files: TradeFiles, writer: CountedWriter
    ) -> None:
        self._symbol = symbol
        self._resources = resources
        self._store = resources.database.store
        self._retries = retries
        self._files = files
        self._writer = writer
        self._fetched = IdRanges()
        self._published: dict[int, Candle] = {}  # the exchange's candles of days

    async def known(self, start_us: int, end_us: int) -> IdRanges:
        """Return the times, UTC microseconds, of which all trades are stored that exist."""
        self._fetched = await in_background(partial(self._store.fetched_trades, self._symbol), "read-trade-ranges")
        held = partial(held_times, self._store, self._symbol, start_us, end_us)
        return self._fetched | await in_background(held, "read-coverage")

    async def load_days(self, start_us: int, end_us: int) -> None:
        """
        Ask for the exchange's candles of the days, against which files are proved.

        Raises:
            FeedError: If the exchange cannot be reached, or refuses.
        """

        def keep(candles: list[Candle]) -> None:
            self._published |= {one.open_time_us: one for one in candles if one.closed}

        start_us, end_us = _DAY.open_time_us(start_us), _DAY.next_open_us(end_us - 1)
        await self._resources.history.published(self._symbol, _DAY, start_us, end_us, keep)

    async def store_file(self, path: Path, piece: Piece) -> tuple[StoredRows, list[Piece]]:
        """Store a file's trades; return what became of the rows, and the days that lack trades even so."""
        assert piece.file is not None
        rows = await self._files.store(path, self._symbol)
        lacking: list[Piece] = []
        for day_us in range(piece.file.end_us - DAY_US, piece.file.start_us - 1, -DAY_US):
            day = Piece(self._symbol, None, day_us, day_us + DAY_US)
            proof = partial(self._short_days, day, is_doubtful=rows.is_broken or bool(rows.refused))
            short = await in_background(proof, "read-coverage")
            if day not in short:
                await self._save(day)
            for one in short:
                if one != day:
                    await self._forget(one)
            lacking += short
        return rows, lacking

    async def fetch(self, piece: Piece, on_part: Callable[[float], None]) -> tuple[StoredRows, Piece | None]:
        """
        Fetch the trades of a piece that are not held, newest first; return what became of them, and what is not over.

        Raises:
            FeedError: If the exchange cannot be reached, or refuses; what was fetched before is stored.
        """
        now_us = await self._retries.answer(self._resources.exchange.exchange_time_us)
        end_us = min(piece.end_us, now_us)
        first = await self._first_id(piece.start_us, now_us)
        end = await self._first_id(end_us, now_us)
        rows = StoredRows()
        if first < end:
            rows = await self._fetch_ids(first, end - 1, on_part)
        settled_us = min(end_us, now_us - _SETTLED_US)
        if not rows.missing and settled_us > piece.start_us:
            await self._save(piece._replace(end_us=settled_us))
        return rows, piece._replace(start_us=max(end_us, piece.start_us)) if end_us < piece.end_us else None

    async def gaps(self, start_us: int, end_us: int) -> list[tuple[int, int]]:
        """Return the ids that are missing between two trades of that time, as inclusive ranges."""
        gaps = partial(gaps_between, self._store, self._symbol, start_us, end_us)
        return await in_background(gaps, "read-coverage")

    async def _save(self, piece: Piece) -> None:
        save = partial(self._store.save_fetched_trades, self._symbol, piece.start_us, piece.end_us)
        await in_background(save, "save-trade-ranges")
        self._fetched.add_range(piece.start_us, piece.end_us - 1)

    async def _forget(self, piece: Piece) -> None:
        forget = partial(self._store.forget_fetched_trades, self._symbol, piece.start_us, piece.end_us)
        await in_background(forget, "save-trade-ranges")
        self._fetched.remove_range(piece.start_us, piece.end_us - 1)

    # Proof

    def _short_days(self, day: Piece, *, is_doubtful: bool) -> list[Piece]:
        """
        Return the day if it lacks trades, as far as that can be known, and the day before it if that does.

        The exchange's candle of the day decides. Without it ids do, unless the day is in doubt: those within the day,
        and those up to the next day's. A file may lack its last rows, never its first ones, so of two days with a hole
        between them the earlier one is short.
        """
        found = self._store.traded_candles(self._symbol, _DAY, day.start_us, day.end_us)
        candles = {one.open_time_us: one for one in found if one.open_time_us % DAY_US == 0}
        coverage = self._store.coverage(self._symbol)
        short = [] if self._is_whole(day, candles, coverage, is_doubtful=is_doubtful) else [day]
        before = Piece(self._symbol, None, day.start_us - DAY_US, day.start_us)
        if before.start_us not in self._fetched or before.start_us not in candles:
            return short
        is_whole = self._is_whole(before, candles, coverage, is_next_known=True)
        return short if is_whole else [*short, before]

    def _is_whole(
        self,
        day: Piece,
        candles: Mapping[int, Candle],
        coverage: IdRanges,
        *,
        is_doubtful: bool = False,
        is_next_known: bool = False,
    ) -> bool:
        """
        Whether all trades of the day are stored.

        ``candles``: those of stored trades, by open time. ``is_next_known``: the next day has its first trade.
        """
        stored, published = candles.get(day.start_us), self._published.get(day.start_us)
        if stored is None or stored.first_trade_id is None or stored.last_trade_id is None:
            return published is not None and not published.trades
        if published is not None:
            return (stored.trades, stored.volume_e8) == (published.trades, published.volume_e8)
        last, following = stored.last_trade_id, candles.get(day.end_us)
        if following is not None and (is_next_known or day.end_us in self._fetched):
            last = following.first_trade_id or last
        return not is_doubtful and not coverage.missing(stored.first_trade_id, last)

    # From the exchange

    async def _first_id(self, time_us: int, now_us: int) -> int:
        """Return the id of the exchange's first trade at or after that time; one past the newest if there is none."""
        exchange, symbol = self._resources.exchange, self._symbol
        found = None
        if time_us < now_us:
            found = await self._retries.answer(partial(exchange.first_trade_id_since, symbol, time_us))
        hour_us = time_us
        while found is None and hour_us < now_us:
            # Nothing within an hour: hours with trades are found in klines, a thousand of them in one answer.
            ask = partial(exchange.klines, symbol, _HOUR, start_us=_HOUR.open_time_us(hour_us), limit=_ROWS)
            klines = await self._retries.answer(ask)
            traded = next((k.open_time_us for k in klines if k.trades and k.open_time_us > time_us), None)
            if traded is not None:
                return await self._retries.answer(partial(exchange.first_trade_id_since, symbol, traded)) or 0
            hour_us = _HOUR.next_open_us(klines[-1].open_time_us) if klines else now_us
        if found is None:
            newest = await self._retries.answer(partial(exchange.recent_trades, symbol, limit=1))
            found = newest[-1].trade_id + 1 if newest else 0
        return found

    async def _fetch_ids(self, first: int, last: int, on_part: Callable[[float], None]) -> StoredRows:
        """Fetch the trades of these ids, inclusive, that are not held; ``missing``: those that did not come."""
        coverage = await in_background(partial(self._store.coverage, self._symbol), "read-coverage")
        wanted = coverage.missing(first, last)
        total, done = sum(high - low + 1 for low, high in wanted), 0
        rows = StoredRows()
        for low, high in reversed(wanted):
            while high >= low:
                begin = max(low, high - _ROWS + 1)
                ask = partial(self._resources.exchange.trades_from, self._symbol, begin, limit=high - begin + 1)
                trades = [trade for trade in await self._retries.answer(ask) if trade.trade_id <= high]
                rows += await self._writer.store(trades)
                done += high - begin + 1
                high = begin - 1
                on_part(done / total)
        coverage = await in_background(partial(self._store.coverage, self._symbol), "read-coverage")
        missing = sum(high - low + 1 for low, high in coverage.missing(first, last))
        lack = f"{missing:,} ids did not come." if missing else ""
        return rows._replace(missing=missing, reason=" ".join(filter(None, (rows.reason, lack))))
