"""
Proves the firings that are kept: computes them again from the stored trades, and matches one to one.

Regarded are the trades that an alert is judged by for good. Those that retention has dropped prove nothing, so firings
before the first trade that is left do not count, nor while an alert would look back beyond it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from app.market.alerts.alert import (
    DrawingCrosses,
    Firing,
    PriceCrosses,
    PriceInRange,
    PriceMoves,
    Repeat,
    VolumeExceeds,
)
from app.market.alerts.alert_board import AlertBoard
from app.market.alerts.stored_alert import StoredAlert, StoredFiring, StoredIncident
from app.market.trade import Trade
from storage.alerts.warm_boards import SEEDED_CANDLES, BoardMaker
from storage.candles.trade_columns import nearest_trade
from storage.postgres.connection import Connection
from storage.postgres.symbol_ids import symbol_id_of
from storage.schema import id_ranges
from storage.schema.retention_record import trades_kept_from


class Difference(NamedTuple):
    """``kind``: missed, doubled or invented. ``firing``: a trade, or the missing trades of a gap."""

    kind: str
    alert_id: int
    symbol: str
    firing: Firing | StoredIncident


@dataclass
class AlertProof:
    """
    ``trades`` were judged again, and ``firings`` matched. ``provisional``: kept firings that are not judged for good
    yet; ``dropped``: kept ones whose trades retention has dropped. ``unjudged``: trades stored beyond what is judged.
    ``unproven``: troubles that were kept: what nobody stores cannot be judged again. Of these only gaps that were kept
    twice are found.
    """

    differences: list[Difference] = field(default_factory=list)
    trades: int = 0
    firings: int = 0
    provisional: int = 0
    dropped: int = 0
    unjudged: int = 0
    unproven: int = 0

    def count(self, kind: str) -> int:
        """Return how many differences are of that kind."""
        return sum(one.kind == kind for one in self.differences)

    @property
    def sentence(self) -> str:
        """The outcome in one sentence."""
        if self.differences:
            missed, doubled, invented = (self.count(kind) for kind in ("missed", "doubled", "invented"))
            return f"{missed} firings are missed, {doubled} doubled, {invented} invented."
        if not self.firings:
            return "No firings to check yet, and none was missed"
        return f"{self.firings:,} firing{'s agree' if self.firings != 1 else ' agrees'} with the stored trades"


def prove(
    connection: Connection, alerts: Sequence[StoredAlert], on_progress: Callable[[int], object] = lambda trades: None
) -> AlertProof:
    """
    Return the proof of these alerts with their firings. Raises psycopg.Error and StoreError.

    ``on_progress`` is called with numbers of trades judged.
    """
    proof = AlertProof()
    by_symbol: dict[str, list[StoredAlert]] = {}
    for one in alerts:
        if one.rule.is_of_trades:
            by_symbol.setdefault(one.symbol, []).append(one)
        else:
            _check_incidents(one, proof)
    kept_from_us = trades_kept_from(connection)
    for symbol, group in by_symbol.items():
        symbol_id = symbol_id_of(connection, symbol)
        assert symbol_id is not None  # the alerts refer to it
        floor = None
        if kept_from_us is not None:
            floor = nearest_trade(connection, symbol, symbol_id, kept_from_us, before=False)
        _SymbolProof(connection, symbol, symbol_id, group, floor, kept_from_us or 0, proof, on_progress).run()
    return proof


def _check_incidents(alert: StoredAlert, proof: AlertProof) -> None:
    ends: dict[str, int] = {}
    gaps = [one for one in alert.incidents if one.first_id is not None]
    proof.unproven += len(alert.incidents)
    for one in sorted(gaps, key=lambda gap: (gap.symbol, gap.first_id or 0)):
        if (one.first_id or 0) <= ends.get(one.symbol, -1):
            proof.differences.append(Difference("doubled", alert.alert_id, one.symbol, one))
        ends[one.symbol] = max(ends.get(one.symbol, -1), one.last_id or 0)


class _SymbolProof:
    def __init__(
        self,
        connection: Connection,
        symbol: str,
        symbol_id: int,
        alerts: Sequence[StoredAlert],
        floor: Trade | None,
        kept_from_us: int,
        proof: AlertProof,
        on_progress: Callable[[int], object],
    ) -> None:
        self._connection, self._symbol, self._alerts = connection, symbol, alerts
        self._boards = BoardMaker(connection, symbol, symbol_id)
        self._floor, self._kept_from_us = floor, kept_from_us
        self._proof = proof
        self._on_progress = on_progress
        self._true: dict[int, list[Firing]] = {one.alert_id: [] for one in alerts}

    def run(self) -> None:
        begun = [one for one in self._alerts if one.start_id is not None]
        last_id = max((one.judged_to or 0 for one in begun), default=0)
        starts: dict[int, list[StoredAlert]] = {}
        for one in begun:
            starts.setdefault(self._start(one), []).append(one)
        board = AlertBoard(self._symbol)
        order = sorted(starts)
        for start_id, next_id in pairwise([*order, last_id]):
            # One that fired once before the first trade left cannot fire again.
            waiting = [one for one in starts[start_id] if not self._is_done(one, start_id)]
            board.join(self._boards.board(waiting, start_id))
            self._judge(board, start_id + 1, next_id)
        for one in self._alerts:
            self._match(one)
        held = id_ranges.read_from(self._connection, {self._symbol: last_id}).get(self._symbol)
        if begun and held:
            self._proof.unjudged += held.count() - (1 if last_id in held else 0)

    def _start(self, alert: StoredAlert) -> int:
        assert alert.start_id is not None
        return alert.start_id if self._floor is None else max(alert.start_id, self._floor.trade_id)

    def _is_done(self, alert: StoredAlert, at_id: int) -> bool:
        return alert.repeat is Repeat.ONCE and any(one.trade_id <= at_id for one in alert.firings)

    def _judge(self, board: AlertBoard, first_id: int, last_id: int) -> None:
        by_id = {one.alert_id: one for one in self._alerts}
        count = 0
        for count, trade in enumerate(self._boards.trades(first_id, last_id), start=1):
            for firing in board.judge(trade):
                alert = by_id[firing.alert_id]
                if alert.regards(firing.time_us) and firing.trade_id <= (alert.judged_to or 0):
                    self._true[alert.alert_id].append(firing)
            if count % 10_000 == 0:
                self._on_progress(10_000)
        self._on_progress(count % 10_000)
        self._proof.trades += count

    def _match(self, alert: StoredAlert) -> None:
        true = {_key(one): one for one in self._true[alert.alert_id] if self._counts(alert, one)}
        matched = list[Firing]()
        unmatched = list[StoredFiring]()
        for one in alert.firings:
            if one.is_provisional and one.trade_id > (alert.judged_to or 0):
                self._proof.provisional += 1
            elif not self._counts(alert, one):
                self._proof.dropped += 1
            elif (found := true.pop(_key(one), None)) is not None:
                matched.append(found)
            else:
                unmatched.append(one)
        self._proof.firings += len(matched)
        for one in unmatched:
            kind = "doubled" if any(_repeats(alert, one, other) for other in matched) else "invented"
            firing = Firing(alert.alert_id, one.trade_id, one.time_us, one.price_e8, one.direction)
            self._note(kind, firing)
        for missed in true.values():
            self._note("missed", missed)

    def _counts(self, alert: StoredAlert, firing: Firing | StoredFiring) -> bool:
        """Whether all trades that decide about the firing can be stored still."""
        floor = self._floor
        if floor is None or alert.start_id is None or alert.start_id >= floor.trade_id:
            return True
        match alert.rule.condition:
            case PriceCrosses() | PriceInRange() | DrawingCrosses():
                return firing.trade_id > floor.trade_id
            case PriceMoves() as condition:
                return firing.time_us > floor.time_us + condition.window_us
            case condition:
                interval = alert.rule.interval
                if interval.open_time_us(floor.time_us) >= self._kept_from_us:  # nothing of its candle is dropped
                    return firing.trade_id > floor.trade_id
                candles = condition.candles if isinstance(condition, VolumeExceeds) else SEEDED_CANDLES
                return interval.slot(firing.time_us) > interval.slot(floor.time_us) + candles

    def _note(self, kind: str, firing: Firing) -> None:
        self._proof.differences.append(Difference(kind, firing.alert_id, self._symbol, firing))


def _key(firing: Firing | StoredFiring) -> tuple[int, int, int, str]:
    return firing.trade_id, firing.time_us, firing.price_e8, firing.direction


def _repeats(alert: StoredAlert, firing: StoredFiring, other: Firing) -> bool:
    """Whether a firing is one too many beside another, of the same trade or by how often the alert may fire."""
    if firing.trade_id == other.trade_id or alert.repeat is Repeat.ONCE:
        return True
    slot = alert.rule.interval.slot
    return alert.repeat is Repeat.CANDLE and slot(firing.time_us) == slot(other.time_us)
