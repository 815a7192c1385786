"""
The exchange's archive over HTTP: `/data/spot/…` with a checksum file beside each zip, parts of files, and faults.

`app.sandbox.server.archive_files` makes the files. What the archive does not have is answered with 404, as are a day
that ended only some hours ago and everything before the market's history.

Source: binance-public-data, README.md; RFC 9110, sections 13.1.5 and 14, for parts of files.
"""

from __future__ import annotations

import asyncio
import re

from aiohttp import web

from app.sandbox.server.archive_faults import ArchiveFault, ArchiveFaults
from app.sandbox.server.archive_files import ArchiveFiles, BuiltFile, archive_name
from app.sandbox.source import MarketSource

_CHECKSUM = ".CHECKSUM"
_RANGE = re.compile(r"bytes=([0-9]{1,18})-([0-9]{0,18})")
_PART_BYTES = 1 << 18
_SLOW_PARTS = 16
_CUT_AFTER_S = 0.5
_ETAG_DIGITS = 32


class Archive:
    """The archive of one market. ``faults`` may be changed at any time on the server's loop."""

    def __init__(self, source: MarketSource, faults: ArchiveFaults) -> None:
        self._files = ArchiveFiles(source)
        self._faults = faults

    async def close(self) -> None:
        """Remove the files that were made."""
        await self._files.close()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one GET or HEAD request."""
        path = request.path.removesuffix(_CHECKSUM)
        is_checksum = path != request.path
        fault = self._faults.take(path, is_checksum=is_checksum) or ArchiveFault(path, None)
        await asyncio.sleep(fault.hang_s)
        if fault.status != 200:
            return web.Response(status=fault.status, headers=fault.headers)
        name = archive_name(path)
        flaw, upload = self._faults.flaw_of(path), self._faults.upload_of(path)
        found = None if name is None else await self._files.find(name, flaw, upload)
        if name is None or found is None:
            return web.Response(status=404, text="NoSuchKey: The specified key does not exist.")
        if is_checksum:
            digits = found.sha256[::-1] if fault.is_false else found.sha256
            return web.Response(text=f"{digits}  {name.stem}.zip\n")
        return await _sent(request, found, fault)


async def _sent(request: web.Request, found: BuiltFile, fault: ArchiveFault) -> web.StreamResponse:
    """Send the file, or the part of it that is asked for."""
    with found.path.open("rb") as file:
        size = found.path.stat().st_size
        etag = f'"{found.sha256[:_ETAG_DIGITS]}"'
        headers = {"ETag": etag, "Accept-Ranges": "bytes", "Content-Type": "application/zip"}
        part = _RANGE.fullmatch(request.headers.get("Range", ""))
        if part is not None and request.headers.get("If-Range", etag) != etag:
            part = None  # another file by now, of which the client needs all
        first, end = 0, size
        if part is not None:
            first, end = int(part[1]), min(int(part[2]) + 1 if part[2] else size, size)
            if first >= end:
                return web.Response(status=416, headers=headers | {"Content-Range": f"bytes */{size}"})
            headers["Content-Range"] = f"bytes {first}-{end - 1}/{size}"
        headers["Content-Length"] = str(end - first)
        response = web.StreamResponse(status=200 if part is None else 206, headers=headers)
        await response.prepare(request)
        if request.method == "HEAD":
            return response
        if fault.is_cut:
            end = first + (end - first) // 2
        at_once = max(1, (end - first) // _SLOW_PARTS) if fault.takes_s else _PART_BYTES
        file.seek(first)
        while first < end:
            block = await asyncio.to_thread(file.read, min(at_once, end - first))
            first += len(block)
            try:
                await response.write(block)
            except ConnectionError:  # the client is gone
                break
            if fault.takes_s:
                await asyncio.sleep(fault.takes_s / _SLOW_PARTS)
        if fault.is_cut and request.transport is not None:
            # A client that learns of the end before it has read the rest may lose that rest.
            await asyncio.sleep(_CUT_AFTER_S)
            request.transport.close()
        return response
