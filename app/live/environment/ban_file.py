"""
An exchange ban that survives a restart, and that programs on one data directory share.

Asking again during a ban prolongs it, and people's first reaction to one is a restart. So the ban is written to a small
file in the data directory. The next run respects it from its start, a command beside the window within a second. The
file only helps: one that is damaged, expired, or about another exchange is ignored.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from app.market.exchange_ban import LONGEST_S, ExchangeBan
from app.market.ports.clock import Clock

logger = logging.getLogger(__name__)

FILE_NAME = "shutout.json"
_LONGEST_REASON = 300  # characters shown of a file that anything may have written
_LOOK_EVERY_S = 1.0


class _BanRecord(msgspec.Struct):
    """
    The file's contents. ``until`` is a time of this computer's clock, which may have been set since: so the ban is
    never believed to last longer than ``wait_s`` from now.
    """

    reason: str
    until: datetime
    wait_s: float
    exchanges: list[str]


class StoredBan(ExchangeBan):
    """
    An `ExchangeBan` of these ``exchanges``, joined with the ban that another run or program wrote to ``path``.

    If the folder of ``path`` does not exist, nothing is written.
    """

    def __init__(self, path: Path, exchanges: Collection[str], clock: Clock) -> None:
        super().__init__(exchanges)
        self._path = path
        self._clock = clock
        self._looked_s = float("-inf")
        self._seen: tuple[int, int] | None = None
        self._look(clock.monotonic_s())

    def left_s(self, now_s: float) -> float:
        """Like `ExchangeBan.left_s`; may lack a ban that another program met less than a second ago."""
        self._look(now_s)
        return super().left_s(now_s)

    def note(self, reason: str, wait_s: float, now_s: float) -> bool:
        """Like `ExchangeBan.note`, and write it to the file."""
        self._look(now_s, at_once=True)  # another program's longer ban must not be overwritten
        holds = super().note(reason, wait_s, now_s)
        if holds:
            left_s = self.left_s(now_s)
            self._write(_BanRecord(reason, self._now() + timedelta(seconds=left_s), left_s, sorted(self.exchanges)))
        return holds

    def _look(self, now_s: float, *, at_once: bool = False) -> None:
        """Take in the file if it has been written since the last look, a second or more ago."""
        if not at_once and now_s - self._looked_s < _LOOK_EVERY_S:
            return
        self._looked_s, before = now_s, self._seen
        self._seen = _version(self._path)
        record = _read(self._path) if self._seen not in (None, before) else None
        if record is not None and self.exchanges.intersection(record.exchanges):
            left_s = (record.until - self._now()).total_seconds()
            reason = " ".join(record.reason.split())[:_LONGEST_REASON]
            if left_s > 0 and record.wait_s > 0 and reason:
                super().note(reason, min(left_s, record.wait_s), now_s)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now_us() / 1e6, UTC)

    def _write(self, record: _BanRecord) -> None:
        # Replaced as a whole, so that no program reads half a file.
        temporary = self._path.with_suffix(f".{os.getpid()}.part")
        try:
            temporary.write_bytes(msgspec.json.format(msgspec.json.encode(record)))
            os.replace(temporary, self._path)
            self._seen = _version(self._path)
        except OSError as error:
            logger.info("the exchange's ban was not written to a file: %s", error)


def _version(path: Path) -> tuple[int, int] | None:
    """Return a value that changes when the file is replaced; None if there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino


def _read(path: Path) -> _BanRecord | None:
    with contextlib.suppress(FileNotFoundError):
        try:
            record = msgspec.json.decode(path.read_bytes(), type=_BanRecord)
        except (OSError, ValueError) as error:
            logger.info("%s is ignored: %s", path, error)
            return None
        return record if record.until.tzinfo is not None and record.wait_s <= LONGEST_S else None
    return None
