"""
Judges what is stored, for good: the truth that live judgements are corrected by.

Each alert is judged for good up to the trade ``judged_to``; from there to the first missing trade its firings follow
from the stored trades alone. A transaction takes the symbol's lock of judging, makes the kept firings of some trades
the true ones, and moves ``judged_to`` over them. So a program may die at any moment, and several may judge.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from app.market.alerts.alert import Firing
from app.market.alerts.alert_board import AlertBoard
from app.market.alerts.stored_alert import ProvenRun, StoredAlert
from app.market.coverage import IdRanges
from app.market.ports.alerts import CaughtUp, Confirmed
from app.market.trade import Trade
from storage.alerts import alert_rows
from storage.alerts.locks import take_lock, try_lock
from storage.alerts.warm_boards import BoardMaker
from storage.postgres.connection import Connection
from storage.postgres.symbol_ids import symbol_id_of
from storage.schema import id_ranges

logger = logging.getLogger(__name__)


class SymbolJudge:
    """Judges one symbol over a connection in autocommit mode. May raise psycopg.Error and StoreError."""

    def __init__(self, connection: Connection, symbol: str, symbol_id: int) -> None:
        self._connection, self._symbol, self._symbol_id = connection, symbol, symbol_id
        self._boards = BoardMaker(connection, symbol, symbol_id)

    @classmethod
    def of(cls, connection: Connection, symbol: str) -> SymbolJudge | None:
        """Return the judge of a symbol; None if the database does not know it."""
        symbol_id = symbol_id_of(connection, symbol)
        return None if symbol_id is None else cls(connection, symbol, symbol_id)

    def save(self, firings: Sequence[Firing]) -> None:
        """See `app.market.ports.alerts.AlertStore.save`."""
        with self._connection.transaction():
            take_lock(self._connection, self._symbol_id)
            alert_rows.insert_firings(self._connection, firings, late=False, provisional=True)

    def confirm(self, run: ProvenRun | None) -> Confirmed:
        """See `app.market.ports.alerts.AlertStore.confirm`."""
        with self._connection.transaction():
            if not self._lock():
                return Confirmed(-1, unread=True, needs_reading=False)
            alerts = alert_rows.read_waiting(self._connection, self._symbol)
            held = self._held(alerts)
            to_id, unread = -1, False
            needs_reading = held.first is not None and any(one.judged_to is None for one in alerts)
            for judged_to, group in _by_judged_to(alerts).items():
                end_id = _run_end(held, judged_to)
                ids = {one.alert_id for one in group}
                if end_id == judged_to:
                    continue
                is_judged = run is not None and all(run.versions.get(one.alert_id) == one.version for one in group)
                if run is None or judged_to < run.after_id or not is_judged:
                    needs_reading = True
                    continue
                last_id = min(end_id, run.last_id)
                if last_id > judged_to:
                    true = [one for one in run.firings if one.alert_id in ids and judged_to < one.trade_id <= last_id]
                    self._settle(ids, judged_to, last_id, true, late=False)
                to_id = max(to_id, last_id, judged_to)
                unread = unread or end_id > max(last_id, judged_to)
            return Confirmed(to_id, unread, needs_reading)

    def catch_up(self) -> CaughtUp | None:
        """See `app.market.ports.alerts.AlertStore.catch_up`."""
        with self._connection.transaction():
            if not self._lock():
                return None
            alerts = alert_rows.read_waiting(self._connection, self._symbol)
            held = self._held(alerts)
            if not alerts or held.first is None or held.last is None:
                return None
            new = [one.alert_id for one in alerts if one.judged_to is None]
            if new:
                alert_rows.begin_at(self._connection, new, held.first)
                alerts = alert_rows.read_waiting(self._connection, self._symbol)
            newest, board, found = held.last, AlertBoard(self._symbol), list[Firing]()
            proven = set[int]()
            # The furthest first: what the boards share is then that of an alert for which nothing was missing.
            for judged_to, group in sorted(_by_judged_to(alerts).items(), reverse=True):
                part, end_id = self._boards.board(group, judged_to), _run_end(held, judged_to)
                ids = {one.alert_id for one in group}
                if end_id > judged_to:
                    true = judged(part, self._boards.trades(judged_to + 1, end_id), group)
                    found += self._settle(ids, judged_to, end_id, true, late=True)
                if end_id >= newest:
                    proven |= ids
                else:
                    maybe = judged(part, self._boards.trades(end_id + 1, newest), group)
                    alert_rows.insert_firings(self._connection, maybe, late=True, provisional=True)
                    found += maybe
                board.join(part)
            return CaughtUp(board, alerts, newest, frozenset(proven), found)

    def _lock(self) -> bool:
        return try_lock(self._connection, self._symbol_id)

    def _held(self, alerts: Sequence[StoredAlert]) -> IdRanges:
        """Return the ids held from the first one on that an alert regards; all, where one has not begun yet."""
        first = min((one.judged_to or 0 for one in alerts), default=0)
        return id_ranges.read_from(self._connection, {self._symbol: first}).get(self._symbol, IdRanges())

    def _settle(
        self, ids: set[int], after_id: int, last_id: int, true: Sequence[Firing], *, late: bool
    ) -> list[Firing]:
        fresh, wrong = alert_rows.settle(self._connection, ids, after_id, last_id, true, late=late)
        if wrong:
            logger.info("%s: %d firings of alerts were not true, by trades that came later", self._symbol, wrong)
        return fresh


def judged(board: AlertBoard, trades: Iterable[Trade], alerts: Sequence[StoredAlert]) -> list[Firing]:
    """Return the firings that these trades cause on a board of ``alerts``, expired alerts left out."""
    by_id = {one.alert_id: one for one in alerts}
    return [
        firing for trade in trades for firing in board.judge(trade) if by_id[firing.alert_id].regards(firing.time_us)
    ]


def _by_judged_to(alerts: Iterable[StoredAlert]) -> dict[int, list[StoredAlert]]:
    groups: dict[int, list[StoredAlert]] = {}
    for one in alerts:
        if one.judged_to is not None:
            groups.setdefault(one.judged_to, []).append(one)
    return groups


def _run_end(held: IdRanges, judged_to: int) -> int:
    """Return the last id before the first one missing after ``judged_to``."""
    found = held.range_of(judged_to + 1)
    return judged_to if found is None else found[1]
