"""
The exchange's archive: whole days and months of trades and klines, as files.

`BinanceArchive` implements `app.market.ports.archive.MarketArchive`. A file is written under a temporary name, which
stays after an interruption, so that the next attempt asks for the rest alone. It gets its own name once its SHA-256 is
the one that the archive states. As in `app.brokers.binance.rest` nothing is repeated here, but for one thing: a file
whose checksum does not match after a resumed download is downloaded again from the start, because the archive may have
replaced it in between.

Source: binance-public-data, README.md.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import logging
import os
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple, Protocol, TypeVar

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, StreamReader

from app.brokers.addresses import host_of
from app.brokers.binance.endpoints import ARCHIVE_CHECKSUM, ARCHIVE_INTERVALS, archive_path, check_archive_base
from app.brokers.binance.error_mapping import explain, response_error
from app.brokers.http_session import connector_for, request_proxy
from app.brokers.proxy import SYSTEM_PROXY, check_proxy, proxy_for, without_password
from app.concurrency.background import in_background
from app.market.errors import FeedDisconnected, FeedRejected, FileError
from app.market.interval import Interval
from app.market.ports.archive import ArchiveFile

log = logging.getLogger(__name__)

Result = TypeVar("Result")

_CONNECT_S, _SILENT_S = 20.0, 60.0
_BLOCK_BYTES = 1 << 20
_CHECKSUM = re.compile(r"\s*([0-9a-fA-F]{64})\b")
_PART = ".part"
_WHOLE = ".zip"
_ABANDONED_S = 7 * 86_400.0
_MISMATCHES = 3  # whole downloads that do not fit their checksum, after which the file is given up


class BinanceArchive:
    """
    The archive at ``url``, whose files are kept in ``folder``, made when needed. Use and `close` it on one event loop.

    ``proxy``: see `app.brokers.proxy`.

    Raises:
        SettingsError: If ``url`` is not a base address or ``proxy`` not a proxy.
    """

    def __init__(self, url: str, folder: Path, *, proxy: str = SYSTEM_PROXY) -> None:
        self._base = check_archive_base(url)
        check_proxy(proxy)
        self._host = host_of(self._base)
        self._folder = folder
        self._proxy_setting = proxy
        self._proxy: str | None = None  # of the open session
        self._session: ClientSession | None = None
        self._mismatches: Counter[str] = Counter()

    async def close(self) -> None:
        """Close the connections; a later download opens new ones."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def has_klines_of(self, interval: Interval) -> bool:
        """See `app.market.ports.archive.MarketArchive`."""
        return interval in ARCHIVE_INTERVALS

    async def download(self, file: ArchiveFile, on_part: Callable[[float], None] = lambda _: None) -> Path | None:
        """See `app.market.ports.archive.MarketArchive`."""
        path = self._folder / file.name
        if path.exists():
            return path
        try:
            digits = await self._checksum(file)
            return path if digits is not None and await self._fetch(file, path, digits, on_part) else None
        except Exception as error:
            meaning = explain(error, self._host, without_password(self._proxy or ""))
            if meaning is None or meaning is error:
                raise
            raise meaning from error

    def discard(self, path: Path) -> None:
        """See `app.market.ports.archive.MarketArchive`."""
        path.unlink(missing_ok=True)

    def discard_parts(self, files: Iterable[ArchiveFile]) -> None:
        """See `app.market.ports.archive.MarketArchive`."""
        for file in files:
            with contextlib.suppress(OSError):
                (self._folder / (file.name + _PART)).unlink()

    def discard_abandoned(self) -> None:
        """See `app.market.ports.archive.MarketArchive`."""
        before_s = time.time() - _ABANDONED_S
        with contextlib.suppress(OSError):
            names = {path.name: path for path in self._folder.iterdir() if path.is_file()}
            whole = {name for name in names if name.endswith(_WHOLE)}
            for name, path in names.items():
                is_kept = name in whole or (name.partition(_WHOLE)[0] + _WHOLE in whole and not name.endswith(_PART))
                if not is_kept and path.stat().st_mtime < before_s:
                    path.unlink()
                    log.info("%s was removed: its download was abandoned", name)

    async def _checksum(self, file: ArchiveFile) -> str | None:
        """Return the sum that the archive states, or None if it does not have the file."""
        async with self._get(archive_path(file) + ARCHIVE_CHECKSUM) as response:
            if response.status == 404:
                return None
            body = await response.read()
            if response.status != 200:
                raise response_error(response.status, response.headers, body, self._host)
            found = _CHECKSUM.match(body[:200].decode("utf-8", "replace"))
            if found is None:
                raise FeedDisconnected(f"{self._host} states no checksum of {file.name} that can be read.")
            return found[1].lower()

    async def _fetch(self, file: ArchiveFile, path: Path, digits: str, on_part: Callable[[float], None]) -> bool:
        """Bring the file to ``path``; return False if the archive does not have it, in spite of its checksum."""
        part = path.with_name(path.name + _PART)
        await self._on_disk(lambda: self._folder.mkdir(parents=True, exist_ok=True))
        is_resumed = True
        while is_resumed:
            begun = await self._on_disk(partial(_begun, part))
            is_resumed = begun.size > 0
            summed = await self._receive(file, part, begun, on_part)
            if summed is None:
                return False
            if summed == digits:
                await self._on_disk(lambda: os.replace(part, path))
                return True
            await self._on_disk(lambda: part.unlink(missing_ok=True))
            log.info("%s does not match its checksum%s", file.name, "; downloading it again" if is_resumed else "")
        self._mismatches[file.name] += 1
        sentence = f"{file.name} does not fit the checksum that {self._host} states of it."
        if self._mismatches[file.name] >= _MISMATCHES:
            raise FeedRejected(sentence)
        raise FeedDisconnected(sentence)

    async def _receive(
        self, file: ArchiveFile, part: Path, begun: _Begun, on_part: Callable[[float], None]
    ) -> str | None:
        """Append what is not there yet; return the sum of all of it, or None if the archive does not have the file."""
        headers = {"Range": f"bytes={begun.size}-"} if begun.size else {}
        async with self._get(archive_path(file), headers) as response:
            if response.status == 404:
                return None
            if response.status == 416:  # all of it is there, or more than the archive has by now: the sum will tell
                return begun.sum.hexdigest()
            if response.status not in (200, 206):
                raise response_error(response.status, response.headers, await response.read(), self._host)
            if response.status == 200:  # the whole file, whatever was asked for
                begun = _Begun(0, hashlib.sha256())
            size, total = begun.size, begun.size + (response.content_length or 0)
            output = await self._on_disk(lambda: part.open("ab" if begun.size else "wb"))
            try:
                async for block in _blocks(response.content):
                    await self._on_disk(partial(_write, output, block, begun.sum))
                    size += len(block)
                    on_part(size / total if total else 0.0)
            finally:
                await self._on_disk(output.close)
            return begun.sum.hexdigest()

    def _get(self, path: str, headers: Mapping[str, str] | None = None) -> AbstractAsyncContextManager[ClientResponse]:
        if self._session is None:
            self._proxy = proxy_for(self._proxy_setting, self._base)
            self._session = ClientSession(
                connector=connector_for(self._proxy),
                timeout=ClientTimeout(total=None, sock_connect=_CONNECT_S, sock_read=_SILENT_S),
            )
        proxy = request_proxy(self._proxy)
        return self._session.get(self._base + path, headers=headers or {}, proxy=proxy)

    async def _on_disk(self, work: Callable[[], Result]) -> Result:
        """Do the work on a file in a thread; translate what fails."""
        try:
            return await in_background(work, "archive-file")
        except OSError as error:
            if error.errno == errno.ENOSPC:
                sentence = f"The disk is full: make room for the archive's files in {self._folder}, then try again."
            else:
                why = error.strerror or error
                sentence = f"The archive's files cannot be kept in {self._folder} ({why}): name another --data-dir."
            raise FileError(sentence) from error


class _Sum(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def hexdigest(self) -> str: ...


class _Begun(NamedTuple):
    """What an earlier attempt left of a file: its size, and the sum so far."""

    size: int
    sum: _Sum


def _begun(part: Path) -> _Begun:
    if not part.exists():
        return _Begun(0, hashlib.sha256())
    with part.open("rb") as file:
        return _Begun(part.stat().st_size, hashlib.file_digest(file, "sha256"))


async def _blocks(content: StreamReader) -> AsyncIterator[bytes]:
    """Yield the body in blocks large enough to be worth a thread each; also the last one before an error."""
    block = bytearray()
    try:
        async for data in content.iter_any():
            block += data
            if len(block) >= _BLOCK_BYTES:
                yield bytes(block)
                block.clear()
    except ClientError:
        if block:
            yield bytes(block)  # so that the next attempt need not ask for it again
        raise
    if block:
        yield bytes(block)


def _write(file: IO[bytes], block: bytes, summed: _Sum) -> None:
    file.write(block)
    summed.update(block)
