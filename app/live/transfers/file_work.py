"""Work on a file that is being written, in a thread: one piece of it, or the whole of stored rows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from app.concurrency.background import in_background
from app.live.transfers.batch_stream import BatchStream
from app.market.ports.files import ExportFile

Result = TypeVar("Result")


class _RowsReport(Protocol):
    def facts(self, version: str) -> dict[str, object]: ...


Report = TypeVar("Report", bound=_RowsReport)


class Written(NamedTuple, Generic[Report]):
    """What was delivered, and the file it is in; None for a stream."""

    report: Report
    path: Path | None


async def to_its_end(work: Callable[[], Result]) -> Result:
    """Do ``work`` on the file in a thread; if cancelled, wait for its end all the same, so that none uses the file."""
    working = asyncio.ensure_future(in_background(work, "write-file"))
    try:
        return await asyncio.shield(working)
    finally:
        await asyncio.wait({working})


async def write_stored(
    file: ExportFile,
    pages: Generator[Any, None, None],
    report_of: Callable[[int, tuple[int, int] | None], Report],
    *,
    version: str,
    name: Callable[[int, int], str],
    asked: tuple[int, int],
    on_rows: Callable[[int], None],
) -> Written[Report]:
    """
    Write pages of rows by rising ``time`` into ``file`` and finish it. Cancelled or failed, it leaves no file.

    ``report_of`` blocks; it is given the number of rows, and from the first one's time to just after the last one's,
    None without rows. ``name`` returns the name of a file that has none yet, from these times; without rows from
    ``asked``. ``on_rows`` is called on the loop with the rows written so far, first with 0.

    Raises:
        StoreError: If the database cannot be read.
        FileError: If the file cannot be written.
    """
    rows, given = 0, None
    stream = BatchStream(pages)
    try:
        on_rows(0)
        try:
            while (page := await stream.next()) is not None:
                times = page.column("time")
                first_us, last_us = (times[at].value for at in (0, -1))
                given = (first_us if given is None else given[0], last_us + 1)
                rows += page.num_rows
                await to_its_end(partial(file.write, page))
                on_rows(rows)
        finally:
            await stream.close()
        report = await in_background(partial(report_of, rows, given), "look-for-missing")
        path = await to_its_end(partial(file.finish, name(*(given or asked)), report.facts(version)))
    finally:
        file.discard()
    return Written(report, path)
