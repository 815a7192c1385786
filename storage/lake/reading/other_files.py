"""
Files of trades in a lake that no push wrote: month files of other tools, and the older layout.

    trades/…/*.parquet                                      where the path names a symbol: symbol=BTCUSDT, BTCUSDT/…
    ticks/{SYMBOL}/{YYYY}/{MM}/{DD}/part-{timestamp}.json   trades as a recorder wrote them

They have no manifest, so only the ids of their trades prove completeness. `storage.files` recognises their formats,
columns and fields, as for an import.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from datetime import UTC, date, datetime
from itertools import chain
from pathlib import PurePosixPath
from typing import NamedTuple

from app.market.errors import FileError, LakeDamaged
from app.market.interval import SECOND_US
from app.market.ports.row_files import ReadingOptions, RowKind, TradeBatch
from app.market.symbol import BROKER
from storage.files.readers.open_rows import open_tables
from storage.lake.lake import Lake
from storage.lake.partition import DAY_US, MANIFEST, LakeKind, Partition, part_range, partition_of, symbol_of

OLDER_LAYOUT = "ticks"

_SUFFIXES = (".parquet", ".json", ".jsonl", ".ndjson", ".json.gz", ".jsonl.gz", ".csv", ".csv.gz", ".csv.zip", ".zip")
_SYMBOL = re.compile(r"[A-Z0-9]{5,20}")
_PERIOD = re.compile(r"(?<!\d)(20\d{2})[-/_]?(0[1-9]|1[0-2])(?:[-/_]?(0[1-9]|[12]\d|3[01]))?(?!\d)")


class OtherFile(NamedTuple):
    """
    A file of trades of ``symbol``. ``start_us`` and ``end_us``: the month or day that its path names, UTC microseconds;
    None if it names none.
    """

    key: str
    size: int
    symbol: str
    start_us: int | None
    end_us: int | None

    def overlaps(self, start_us: int | None, end_us: int | None) -> bool:
        """Whether it may have trades of ``[start_us, end_us)``; None is open."""
        if self.start_us is None or self.end_us is None:
            return True
        return (start_us is None or self.end_us > start_us) and (end_us is None or self.start_us < end_us)


class FileRows(NamedTuple):
    """A batch of a file's trades, and a sentence for each unusable row. Without a batch: why the rest is unusable."""

    trades: TradeBatch | None
    refused: tuple[str, ...] = ()


def other_files(lake: Lake) -> list[OtherFile]:
    """Return the files, by symbol and time; two listings for any number of symbols. Raises LakeError."""
    found, there = list[tuple[Partition | None, OtherFile]](), set[Partition]()
    for key, size in chain(lake.store.objects(LakeKind.TRADES.value), lake.store.objects(OLDER_LAYOUT)):
        located = partition_of(key)
        if located is not None and located[1] == MANIFEST:
            there.add(located[0])
        elif not key.endswith(_SUFFIXES) or (located is not None and part_range(located[1]) is not None):
            continue  # of a push, whole or interrupted
        elif symbol := _symbol_of(key):
            found.append((located and located[0], OtherFile(key, size, symbol, *_period_of(key))))
    files = [file for partition, file in found if partition not in there]
    return sorted(files, key=lambda one: (one.symbol, one.start_us or 0, one.key))


def trades_of_file(lake: Lake, file: OtherFile) -> Generator[FileRows, None, None]:
    """
    Yield the trades of a file, in its order. Close the iterator: until then a copy of the file may be on the disk.

    Raises:
        LakeDamaged: If it cannot be used at all, or is missing.
        LakeError: If the lake cannot be read.
    """
    with lake.store.local_file(file.key) as path:
        for table in open_tables(path, ReadingOptions(file.symbol, RowKind.TRADES)):
            if isinstance(table, FileError):
                raise LakeDamaged(str(table).replace(str(path), file.key), file.key) from table
            try:
                for batch in table.batches():
                    assert isinstance(batch, TradeBatch)
                    refused = tuple(
                        f"{file.key}: row {one.number:,} cannot be used: {one.reason}." for one in batch.refused
                    )
                    yield FileRows(batch, refused)
            except FileError as error:  # what was yielded before stays good: a recorder may have been killed
                yield FileRows(None, (str(error).replace(str(path), file.key),))


def _symbol_of(key: str) -> str | None:
    """Return the symbol that a path names; None if it names none."""
    *folders, name = PurePosixPath(key).parts[1:]
    facts = dict(one.split("=", 1) for one in folders if "=" in one)
    if text := facts.get("symbol"):
        return symbol_of(facts.get("broker", BROKER), text)
    words = [one for one in folders if "=" not in one] + [re.split(r"[-_.]", name)[0]]
    return next((one for one in words if _SYMBOL.fullmatch(one) and not one.isdigit()), None)


def _period_of(key: str) -> tuple[int, int] | tuple[None, None]:
    text = key.replace("year=", "").replace("month=", "").replace("day=", "")
    found = None
    for found in _PERIOD.finditer(text):
        if found[3]:
            break
    if found is None:
        return None, None
    try:
        begin = date(int(found[1]), int(found[2]), int(found[3] or 1))
    except ValueError:
        return None, None
    begin_us = int(datetime(begin.year, begin.month, begin.day, tzinfo=UTC).timestamp()) * SECOND_US
    if found[3]:
        return begin_us, begin_us + DAY_US
    after = date(begin.year + begin.month // 12, begin.month % 12 + 1, 1)
    return begin_us, int(datetime(after.year, after.month, 1, tzinfo=UTC).timestamp()) * SECOND_US
