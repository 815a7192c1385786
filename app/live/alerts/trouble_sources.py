"""What is wrong with the data at the moment, as alerts may be about it: gaps, feeds, the recorder itself."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection
from pathlib import Path
from typing import NamedTuple

from app.live.recording.recorder import Recorder
from app.market.alerts import reasons
from app.market.alerts.alert import TroubleKind
from app.market.alerts.trouble_watch import SeenTrouble
from app.market.ports.database import OpenedDatabase
from app.market.ports.exchange import FeedState, FeedStatus

_LEAST_FREE_BYTES = 1 << 30
_NOT_LOST = (FeedState.LIVE, FeedState.IDLE, FeedState.CLOSING, FeedState.CLOSED)


class TroubleSources(NamedTuple):
    """
    Where a program looks for trouble.

    ``status_of``: the state of the feed of a symbol; ``is_trading``: whether trades of it are to be expected.
    ``database``: the one in use; ``database_reason``: a sentence where none could be opened. ``folder``: the one of the
    data, whose disk may become full; None: not known.
    """

    recorder: Recorder
    status_of: Callable[[str], FeedStatus]
    is_trading: Callable[[str], bool]
    database: Callable[[], OpenedDatabase | None]
    database_reason: Callable[[], str]
    folder: Path | None = None

    def seen(self, kinds: Collection[TroubleKind]) -> list[SeenTrouble]:
        """Return what is wrong now, of these kinds."""
        found = list[SeenTrouble]()
        if TroubleKind.GAP in kinds:
            found += self._gaps()
        if TroubleKind.FEED in kinds:
            found += self._lost_feeds()
        if TroubleKind.RECORDER in kinds and (reason := self._recorder_trouble()):
            found.append(SeenTrouble(TroubleKind.RECORDER, "", reason))
        return found

    def _gaps(self) -> list[SeenTrouble]:
        found = list[SeenTrouble]()
        for symbol in self.recorder.symbols:
            tracker = self.recorder.tracker(symbol)
            if tracker is None or not tracker.missing():
                continue
            for gap in tracker.gaps():
                reason, ids = reasons.of_missing(gap.missing), (gap.first_trade_id, gap.last_trade_id)
                found.append(SeenTrouble(TroubleKind.GAP, symbol, reason, *ids))
        return found

    def _lost_feeds(self) -> list[SeenTrouble]:
        found = list[SeenTrouble]()
        for symbol in self.recorder.symbols:
            if self.is_trading(symbol) and (status := self.status_of(symbol)).state not in _NOT_LOST:
                reason = status.reason or "The connection to the exchange is down."
                found.append(SeenTrouble(TroubleKind.FEED, symbol, reason))
        return found

    def _recorder_trouble(self) -> str:
        database = self.database()
        if database is None:
            return self.database_reason()
        if reason := database.writer.status.reason or self.recorder.outbox.spool_status.reason:
            return reason
        if self.folder is not None and (free := _free_bytes(self.folder)) < _LEAST_FREE_BYTES:
            return f"The disk is nearly full: {free >> 20} MB are left where the data are."
        return ""


def _free_bytes(folder: Path) -> int:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return _LEAST_FREE_BYTES
