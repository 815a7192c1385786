"""
The files of the exchange's archive, made from a market's own trades and klines.

A file is made when it is first asked for, in a temporary folder and in blocks of rows, so memory is that of a block.
The same market always gives the same bytes. `app.sandbox.server.archive` serves them.

Source: binance-public-data, README.md; times are in milliseconds, and in microseconds from 2025-01-01.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import re
import tempfile
import zipfile
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple

from app.market.candle import Candle
from app.market.interval import EXCHANGE_INTERVALS, SECOND_US, Interval
from app.market.trade import Trade
from app.market.units import E8, format_e8
from app.sandbox import wire
from app.sandbox.server.archive_faults import Flaw
from app.sandbox.source import MarketSource

_DAY = Interval.parse("1d")
_PUBLISHED_AFTER_US = 6 * 3_600 * SECOND_US  # a day's file appears some hours after its end; so does a month's
_MICROSECONDS_FROM_US = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp()) * SECOND_US
_INTERVALS = {interval.name: interval for interval in EXCHANGE_INTERVALS if interval.tiles(_DAY)}
_PATH = re.compile(
    r"/data/spot/(?P<span>daily|monthly)/(?P<kind>trades|aggTrades|klines)/(?P<symbol>[^/]+)/"
    r"(?:(?P<interval>[^/]+)/)?(?P<name>[^/]+)\.zip"
)
_ROWS_AT_ONCE, _KLINES_AT_ONCE = 4_000, 1_000
_KEPT_BYTES = 1 << 30
_LEVEL = 1  # of compression: the sandbox should rather be quick


class ArchiveName(NamedTuple):
    """One file of the archive: ``kind`` is trades, aggTrades or klines, ``interval`` that of klines."""

    path: str
    kind: str
    symbol: str
    interval: Interval | None
    start_us: int
    end_us: int

    @property
    def stem(self) -> str:
        """The file's name without ``.zip``: that of the CSV within it."""
        return self.path.rpartition("/")[2].removesuffix(".zip")


class BuiltFile(NamedTuple):
    """A file on disk and its SHA-256 in hexadecimal digits."""

    path: Path
    sha256: str


def archive_name(path: str) -> ArchiveName | None:
    """Return which file a path stands for, or None if the archive has no such path."""
    match = _PATH.fullmatch(path)
    if match is None:
        return None
    kind, symbol, text = match["kind"], match["symbol"], match["interval"]
    interval = _INTERVALS.get(text) if text else None
    head = f"{symbol}-{text if kind == 'klines' else kind}-"
    if (kind == "klines") != (interval is not None) or not match["name"].startswith(head):
        return None
    times = _times(match["name"].removeprefix(head), is_month=match["span"] == "monthly")
    return None if times is None else ArchiveName(path, kind, symbol, interval, *times)


def _times(text: str, *, is_month: bool) -> tuple[int, int] | None:
    try:
        start = datetime.strptime(text, "%Y-%m" if is_month else "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None
    if text != f"{start:%Y-%m}" if is_month else text != f"{start:%Y-%m-%d}":
        return None
    end = (start + timedelta(days=32)).replace(day=1) if is_month else start + timedelta(days=1)
    return int(start.timestamp()) * SECOND_US, int(end.timestamp()) * SECOND_US


class ArchiveFiles:
    """The files of one market, made on demand; `close` removes them."""

    def __init__(self, source: MarketSource) -> None:
        self._source = source
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._numbers = itertools.count(1)
        self._built: OrderedDict[tuple[str, Flaw | None, int], asyncio.Task[BuiltFile]] = OrderedDict()

    async def find(self, name: ArchiveName, flaw: Flaw | None = None, upload: int = 0) -> BuiltFile | None:
        """
        Return the file with that flaw, or None if the archive does not have it.

        ``upload``: the file's bytes differ from those of another number, its rows do not.
        """
        if not await self._is_published(name):
            return None
        key = name.path, flaw, upload
        if key not in self._built:
            self._built[key] = asyncio.create_task(self._build(name, flaw, upload))
        self._built.move_to_end(key)
        try:
            built = await asyncio.shield(self._built[key])
        except OSError:  # the disk is full: try again at the next request
            self._built.pop(key, None)
            raise
        self._forget_oldest()
        return built

    async def close(self) -> None:
        """Remove the files."""
        tasks = list(self._built.values())
        self._built.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._folder is not None:
            await asyncio.to_thread(self._folder.cleanup)
            self._folder = None

    async def _is_published(self, name: ArchiveName) -> bool:
        source = self._source
        if source.now_us() < name.end_us + _PUBLISHED_AFTER_US:
            return False
        if name.symbol not in {symbol.name for symbol in source.symbols()}:
            return False
        if name.interval is not None:
            return bool(await self._klines(name, name.start_us, name.end_us, 1))
        first, end = self._ids(name)
        return first < end

    def _ids(self, name: ArchiveName) -> tuple[int, int]:
        """Return the first trade id of the file, and the first after it."""
        ids = self._source.trade_ids(name.symbol)
        if ids is None:
            return 0, 0
        first, end = (self._source.first_id_from(name.symbol, time_us) for time_us in (name.start_us, name.end_us))
        return max(first, ids[0]), min(end, ids[1] + 1)

    async def _build(self, name: ArchiveName, flaw: Flaw | None, upload: int) -> BuiltFile:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="cryptopipe-archive-")
        path = Path(self._folder.name) / f"{next(self._numbers)}.zip"
        member = zipfile.ZipInfo(f"{name.stem}.csv", (2026, 1, 1, 0, upload % 60, 0))
        member.compress_type = zipfile.ZIP_DEFLATED
        blocks = self._trade_blocks(name, flaw) if name.interval is None else self._kline_blocks(name, flaw)
        is_large = name.end_us - name.start_us > _DAY.length_us  # its CSV may have more than 4 GB
        # The rows come from the loop, because a market is not for several threads; writing them needs no loop.
        with (
            zipfile.ZipFile(path, "w", compresslevel=_LEVEL) as archive,
            archive.open(member, "w", force_zip64=is_large) as file,
        ):
            async for lines in blocks:
                await asyncio.to_thread(_write, file, lines)
        return await asyncio.to_thread(_finished, path, flaw)

    async def _trade_blocks(self, name: ArchiveName, flaw: Flaw | None) -> AsyncIterator[_Lines]:
        first, end = self._ids(name)
        missing = _missing(flaw, first, end)
        lines = _trade_lines if name.kind == "trades" else _aggregate_lines
        while first < end:
            found = self._source.trades(name.symbol, first, min(_ROWS_AT_ONCE, end - first))
            trades = [trade for trade in found if trade.trade_id < end]
            if not trades:
                return
            if kept := [trade for trade in trades if trade.trade_id not in missing]:
                yield partial(lines, kept, _unit_us(name))
            first = trades[-1].trade_id + 1

    async def _kline_blocks(self, name: ArchiveName, flaw: Flaw | None) -> AsyncIterator[_Lines]:
        assert name.interval is not None
        start_us, end_us, slot = name.start_us, name.end_us, name.interval.slot
        missing = _missing(flaw, slot(start_us), slot(end_us))
        while start_us < end_us and (klines := await self._klines(name, start_us, end_us, _KLINES_AT_ONCE)):
            if kept := [kline for kline in klines if slot(kline.open_time_us) not in missing]:
                yield partial(_kline_lines, kept, name.interval, _unit_us(name))
            start_us = name.interval.next_open_us(klines[-1].open_time_us)

    async def _klines(self, name: ArchiveName, start_us: int, end_us: int, limit: int) -> list[Candle]:
        assert name.interval is not None
        return await self._source.klines(name.symbol, name.interval, start_us=start_us, end_us=end_us - 1, limit=limit)

    def _forget_oldest(self) -> None:
        """Remove the files asked for longest ago while all take more than a gigabyte; the newest one stays."""
        done = [(key, task.result().path) for key, task in self._built.items() if task.done() and not task.exception()]
        left = sum(path.stat().st_size for _, path in done)
        for key, path in done[:-1]:
            if left <= _KEPT_BYTES:
                return
            left -= path.stat().st_size
            with contextlib.suppress(PermissionError):  # Windows: it is being read
                path.unlink()
                del self._built[key]


_Lines = Callable[[], Iterable[str]]


def _unit_us(name: ArchiveName) -> int:
    return 1 if name.start_us >= _MICROSECONDS_FROM_US else 1_000


def _trade_lines(trades: Sequence[Trade], unit_us: int) -> Iterable[str]:
    for _, trade_id, time_us, price, quantity, maker in trades:
        quote = price * quantity // E8
        yield (
            f"{trade_id},{price // E8}.{price % E8:08d},{quantity // E8}.{quantity % E8:08d},"
            f"{quote // E8}.{quote % E8:08d},{time_us // unit_us},{maker},True\n"
        )


def _aggregate_lines(trades: Sequence[Trade], unit_us: int) -> Iterable[str]:
    """As in the sandbox's other answers, each trade is its own aggregate, with the same id."""
    for _, trade_id, time_us, price, quantity, maker in trades:
        yield (
            f"{trade_id},{format_e8(price)},{format_e8(quantity)},{trade_id},{trade_id},{time_us // unit_us},"
            f"{maker},True\n"
        )


def _kline_lines(klines: Sequence[Candle], interval: Interval, unit_us: int) -> Iterable[str]:
    for kline in klines:
        row = wire.kline_row(kline, interval, microseconds=unit_us == 1)
        yield ",".join(map(str, row)) + "\n"


def _write(file: IO[bytes], lines: _Lines) -> None:
    file.write("".join(lines()).encode())


def _missing(flaw: Flaw | None, first: int, end: int) -> range:
    """Return the rows, of those numbered from ``first`` to before ``end``, that a file with that flaw lacks."""
    tenth = max(1, (end - first) // 10)
    if flaw is Flaw.ROWS_CUT:
        return range(end - tenth, end)
    middle = (first + end - tenth) // 2
    return range(middle, middle + tenth) if flaw is Flaw.ROWS_MISSING else range(0)


def _finished(path: Path, flaw: Flaw | None) -> BuiltFile:
    """Return the file with its sum, spoiled first where a flaw concerns its bytes."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        if flaw is Flaw.ZIP_CUT:
            file.truncate(size * 2 // 3)
        elif flaw is Flaw.CORRUPT:
            file.seek(size // 2)
            middle = file.read(16)
            file.seek(size // 2)
            file.write(bytes(byte ^ 0x5A for byte in middle))
        file.seek(0)
        return BuiltFile(path, hashlib.file_digest(file, "sha256").hexdigest())
