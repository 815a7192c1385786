"""
A ban that a restart does not forget, and that the programs on one data directory share.

Whoever asks again during a ban prolongs it, and a restart is the first thing that people try. So what the exchange
asked us to wait stands in a small file of the data directory: it counts from the start of the next run on, and for a
command beside the window within a second. The file is a help and no more: one that is damaged, over, or about another
exchange is passed over.
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
_LONGEST_REASON = 300
_LOOK_EVERY_S = 1.0


class _Kept(msgspec.Struct):
    """``until``: by this computer's clock, so not believed beyond ``wait_s`` from now: that may have been set since."""

    reason: str
    until: datetime
    wait_s: float
    exchanges: list[str]


class StoredBan(ExchangeBan):
    """
    A `ExchangeBan` of these ``exchanges``, together with what an earlier run or another program writes to ``path``.

    ``path``'s folder need not exist; then nothing is kept.
    """

    def __init__(self, path: Path, exchanges: Collection[str], clock: Clock) -> None:
        super().__init__(exchanges)
        self._path = path
        self._clock = clock
        self._looked_s = float("-inf")
        self._seen: tuple[int, int] | None = None
        self._look(clock.monotonic_s())

    def left_s(self, now_s: float) -> float:
        """As `ExchangeBan.left_s`, what another program was told not longer than a second ago left out."""
        self._look(now_s)
        return super().left_s(now_s)

    def note(self, reason: str, wait_s: float, now_s: float) -> bool:
        """As `ExchangeBan.note`, and write it down."""
        self._look(now_s, at_once=True)  # a longer wait of another program is not to be overwritten
        holds = super().note(reason, wait_s, now_s)
        if holds:
            left_s = self.left_s(now_s)
            self._write(_Kept(reason, self._now() + timedelta(seconds=left_s), left_s, sorted(self.exchanges)))
        return holds

    def _look(self, now_s: float, *, at_once: bool = False) -> None:
        """Take in what the file says, where it has been written since."""
        if not at_once and now_s - self._looked_s < _LOOK_EVERY_S:
            return
        self._looked_s, before = now_s, self._seen
        self._seen = _version(self._path)
        kept = _read(self._path) if self._seen not in (None, before) else None
        if kept is not None and self.exchanges.intersection(kept.exchanges):
            left_s = (kept.until - self._now()).total_seconds()
            reason = " ".join(kept.reason.split())[:_LONGEST_REASON]
            if left_s > 0 and kept.wait_s > 0 and reason:
                super().note(reason, min(left_s, kept.wait_s), now_s)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now_us() / 1e6, UTC)

    def _write(self, kept: _Kept) -> None:
        temporary = self._path.with_suffix(f".{os.getpid()}.part")
        try:
            temporary.write_bytes(msgspec.json.format(msgspec.json.encode(kept)))
            os.replace(temporary, self._path)
            self._seen = _version(self._path)
        except OSError as error:
            logger.info("how long the exchange keeps us out was not written down: %s", error)


def _version(path: Path) -> tuple[int, int] | None:
    """Return what differs once the file was replaced; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino


def _read(path: Path) -> _Kept | None:
    with contextlib.suppress(FileNotFoundError):
        try:
            kept = msgspec.json.decode(path.read_bytes(), type=_Kept)
        except (OSError, ValueError) as error:
            logger.info("%s is passed over: %s", path, error)
            return None
        return kept if kept.until.tzinfo is not None and kept.wait_s <= LONGEST_S else None
    return None
