"""
Brings past trades or klines of a range into the database: from the archive, and from the exchange what that lacks.

The range is cut into pieces (`plan`), of which several are fetched at once, newest first. What is stored is not fetched
again, by this run or the next one, so a download that was cancelled or killed is simply begun again. A piece that
cannot be had is listed with its reason, and the others go on.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import zipfile
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, TypeVar

from app.concurrency.background import in_background
from app.concurrency.tasks import first_of
from app.live.transfers.downloads.counted_writer import CountedWriter
from app.live.transfers.downloads.klines import KlineDownload
from app.live.transfers.downloads.plan import Piece, plan
from app.live.transfers.downloads.report import DownloadReport, StoredRows
from app.live.transfers.downloads.resources import Resources
from app.live.transfers.downloads.retries import Retries
from app.live.transfers.downloads.trade_files import TradeFiles
from app.live.transfers.downloads.trades import TradeDownload
from app.live.transfers.refused_rows import SUFFIX
from app.market.errors import FeedDisconnected, FeedError
from app.market.interval import SECOND_US, Interval, kline_interval_for
from app.market.ports.archive import archive_files

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")

_HOUR_US = 3_600 * SECOND_US


class Source(StrEnum):
    """Where a download may come from."""

    ANY = "any"  # the archive first, then the exchange
    ARCHIVE = "archive"
    REST = "rest"


class DownloadRequest(NamedTuple):
    """
    The trades, or the candles of ``interval``, in ``[start_us, end_us)``, UTC microseconds; None stands for trades.

    ``parallel``: how many files or ranges are fetched at once.
    """

    symbols: Sequence[str]
    interval: Interval | None
    start_us: int
    end_us: int
    source: Source = Source.ANY
    parallel: int = 6


class SymbolProgress(NamedTuple):
    """``done`` of ``total`` hours of one symbol's market; ``work``: what was begun last."""

    done: float = 0.0
    total: float = 0.0
    work: str = ""


class DownloadProgress(NamedTuple):
    """
    ``done`` of ``total`` hours of the market, all symbols together; ``rows`` read by now.

    ``work``: what was begun last. ``waits_because``: one sentence while a host does not answer. ``symbols``: that of
    each symbol being fetched, by name. ``skipped``: how many pieces were unavailable so far.
    """

    done: float
    total: float
    rows: int
    work: str
    waits_because: str = ""
    symbols: Mapping[str, SymbolProgress] = MappingProxyType({})
    skipped: int = 0


class Download:
    """
    One download; call `run` once, on the loop; cancel its task to stop it. ``on_progress`` is called on the loop.
    """

    def __init__(
        self,
        request: DownloadRequest,
        resources: Resources,
        on_progress: Callable[[DownloadProgress], None] = lambda _: None,
    ) -> None:
        self._interval = None if request.interval is None else kline_interval_for(request.interval)
        self._request = _of_whole_candles(request, self._interval)
        self._resources = resources
        self._on_progress = on_progress
        self._report = DownloadReport(self._request.start_us, self._request.end_us)
        self._archive = Retries(resources.clock, self._note_wait)
        self._exchange = Retries(resources.clock, self._note_wait)
        self._queue: asyncio.PriorityQueue[tuple[int, int, Piece]] = asyncio.PriorityQueue()
        self._numbers = itertools.count()
        self._files = TradeFiles(resources.database.bulk_loader, resources.open_rows)
        writer = CountedWriter(resources.database)
        self._may_ask = request.source is not Source.ARCHIVE
        self._is_silent = False
        self._downloads: dict[str, TradeDownload | KlineDownload] = {
            symbol: TradeDownload(symbol, resources, self._exchange, self._files, writer)
            if self._interval is None
            else KlineDownload(symbol, self._interval, resources, self._exchange)
            for symbol in request.symbols
        }
        self._total_us, self._done_us = Counter[str](), Counter[str]()  # by symbol
        self._all_done_us = self._all_us = 0
        self._parts_us: dict[Piece, int] = {}  # done of the pieces being fetched, which counts as done
        self._symbols: dict[str, SymbolProgress] = {}
        self._work = self._waits = ""

    async def run(self) -> DownloadReport:
        """
        Fetch and store what is missing, and return what became of it.

        Raises:
            StoreError: If the database cannot be used; what was stored before stays.
            FileError: If the archive's files cannot be kept.
        """
        await in_background(self._resources.archive.discard_abandoned, "archive-file")
        pieces = [piece for symbol in self._request.symbols for piece in await self._plan(symbol)]
        self._enqueue(pieces)
        for piece in pieces:
            self._total_us[piece.symbol] += piece.length_us
            self._all_us += piece.length_us
        for symbol in self._total_us:
            self._count(symbol, 0)
        self._note_progress()
        workers = [self._work_off() for _ in range(min(self._request.parallel, len(pieces)))]
        try:
            if workers:
                await first_of(self._queue.join(), *workers)
        finally:
            await self._files.close()
        for symbol, download in self._downloads.items():
            if isinstance(download, TradeDownload):
                self._report.missing[symbol] = await download.gaps(self._request.start_us, self._request.end_us)
        await in_background(self._discard_parts, "archive-file")
        return self._report

    def _discard_parts(self) -> None:
        """Remove parts of files that earlier runs left, where all rows are stored now."""
        lacking = {one.piece.symbol for one in self._report.skipped}
        for symbol in self._downloads.keys() - lacking:
            files = archive_files(symbol, self._interval, self._request.start_us, self._request.end_us)
            self._resources.archive.discard_parts(files)

    async def _plan(self, symbol: str) -> list[Piece]:
        request = self._request
        download = self._downloads[symbol]
        known = await download.known(request.start_us, request.end_us)
        if known.missing(request.start_us, request.end_us - 1):
            listed_us = await self._asked(partial(self._resources.history.find_listing, symbol))
            if listed_us is not None and listed_us > request.start_us:
                self._report.listed_us[symbol] = listed_us
                known.add_range(0, listed_us - 1)
        use_archive = request.source is not Source.REST
        if use_archive and self._interval is not None:
            use_archive = self._resources.archive.has_klines_of(self._interval)
        pieces = plan(
            symbol,
            self._interval,
            request.start_us,
            request.end_us,
            known,
            now_us=self._resources.clock.now_us(),
            from_archive=use_archive,
            whole_days=self._interval is not None and self._may_ask,
        )
        files = [piece for piece in pieces if piece.file is not None]
        if files and isinstance(download, TradeDownload):
            await self._asked(partial(download.load_days, files[-1].start_us, files[0].end_us))
        return pieces

    async def _asked(self, ask: Callable[[], Awaitable[Answer]]) -> Answer | None:
        """Return the exchange's answer; None where it may not be asked, or did not answer such a question before."""
        if not self._may_ask or self._is_silent:
            return None
        try:
            return await ask()
        except FeedError as error:
            self._is_silent = isinstance(error, FeedDisconnected)
            logger.info("The exchange is not asked for listings and days: %s", error)
            return None

    def _enqueue(self, pieces: Iterable[Piece]) -> None:
        for piece in pieces:
            self._queue.put_nowait((-piece.start_us, next(self._numbers), piece))

    async def _work_off(self) -> None:
        while True:
            _, _, piece = await self._queue.get()
            self._work = piece.file.name if piece.file else f"{piece.symbol} {piece.what}"
            self._symbols[piece.symbol] = self._symbols[piece.symbol]._replace(work=self._work)
            self._note_part(piece, 0.0)
            further: list[Piece] = []
            try:
                further = await self._fetch(piece)
            except FeedError as error:
                self._report.skip(piece, str(error))
            done_us = piece.length_us - sum(one.length_us for one in further)
            self._count(piece.symbol, done_us - self._parts_us.pop(piece))
            self._enqueue(further)
            self._queue.task_done()
            self._note_progress()

    async def _fetch(self, piece: Piece) -> list[Piece]:
        """Fetch and store one piece; return what is to be fetched in its place, or to be added."""
        if piece.file is None:
            await self._fetch_from_exchange(piece)
            return []
        download = partial(self._resources.archive.download, piece.file, partial(self._note_part, piece))
        path = await self._archive.answer(download)
        if path is None:
            return piece.days or [piece._replace(file=None)]
        if not await in_background(partial(_is_sound, path), "read-archive"):
            self._discard(path)
            reason = f"{piece.file.name} is damaged, although its checksum fits."
            self._report.note(piece, StoredRows(is_broken=True, reason=reason), path)
            return piece.days or [piece._replace(file=None)]
        rows, lacking = await self._downloads[piece.symbol].store_file(path, piece)
        self._report.note(piece, rows, path)
        if lacking or not self._resources.keep_files:
            self._discard(path)
        if lacking:
            logger.info("%s lacks rows: %s", piece.file.name, rows.reason, extra={"symbol": piece.symbol})
        return lacking

    def _discard(self, path: Path) -> None:
        """Remove a file, and the rows of it that were refused: the report names the first of them."""
        self._resources.archive.discard(path)
        self._resources.archive.discard(path.with_name(path.name + SUFFIX))

    async def _fetch_from_exchange(self, piece: Piece) -> None:
        if not self._may_ask:
            self._report.skip(piece, "The archive does not have it, or not all of it.")
            return
        rows, left = await self._downloads[piece.symbol].fetch(piece, partial(self._note_part, piece))
        self._report.note(piece, rows)
        if left is not None:
            self._report.skip(left, "It is not over yet.")

    def _note_part(self, piece: Piece, share: float) -> None:
        part_us = round(share * piece.length_us)
        self._count(piece.symbol, part_us - self._parts_us.get(piece, 0))
        self._parts_us[piece] = part_us
        self._note_progress()

    def _count(self, symbol: str, more_us: int) -> None:
        """Count so much more of the symbol's market as done."""
        self._done_us[symbol] += more_us
        self._all_done_us += more_us
        done, total = self._done_us[symbol] / _HOUR_US, self._total_us[symbol] / _HOUR_US
        self._symbols[symbol] = self._symbols.get(symbol, SymbolProgress())._replace(done=done, total=total)

    def _note_wait(self, sentence: str) -> None:
        if sentence != self._waits:
            self._waits = sentence
            self._note_progress()

    def _note_progress(self) -> None:
        # Called for each piece and each answer: nothing here may take longer the more pieces there are.
        report = self._report
        self._on_progress(
            DownloadProgress(
                self._all_done_us / _HOUR_US,
                self._all_us / _HOUR_US,
                report.rows_read,
                self._work,
                self._waits,
                dict(self._symbols),
                len(report.skipped),
            )
        )


def _of_whole_candles(request: DownloadRequest, interval: Interval | None) -> DownloadRequest:
    """Return the request without the candles of ``interval`` that its ends cut off."""
    if interval is None:
        return request
    start_us = interval.next_open_us(request.start_us - 1)
    return request._replace(start_us=start_us, end_us=max(start_us, interval.open_time_us(request.end_us)))


def _is_sound(path: Path) -> bool:
    """Whether every byte within a zip is as it was packed. A number that was changed may still look like one."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError):  # also one that is no zip we know
        return False
