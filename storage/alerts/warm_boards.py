"""
Boards that go on in the middle of a market: with the trades and candles that their conditions look back on.

What a board knows after a trade follows from the trades before it, so a board made from them is the one that judged
them all; but an indicator is computed from at most a thousand candles before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.market.alerts.alert import IndicatorCrosses, PriceMoves, Repeat, VolumeExceeds
from app.market.alerts.alert_board import AlertBoard
from app.market.alerts.stored_alert import StoredAlert
from app.market.candle import Candle, empty_candle
from app.market.interval import Interval
from app.market.trade import Trade
from storage.alerts.alert_rows import read_firings
from storage.alerts.trade_stream import stored_trades
from storage.candles.candle_reader import SymbolCandleReader
from storage.postgres.connection import Connection

SEEDED_CANDLES = 1_000
"""How many candles before its first trade a board is given."""
_NEAR = 1_000  # ids in which the last trade is looked for; absent ones have none

_Key = tuple[str, int | Interval]


class BoardMaker:
    """Makes boards of one symbol, from what one connection reads. May raise psycopg.Error and StoreError."""

    def __init__(self, connection: Connection, symbol: str, symbol_id: int) -> None:
        self._connection, self._symbol, self._symbol_id = connection, symbol, symbol_id

    def trades(self, first_id: int, last_id: int, from_us: int = 0) -> Iterator[Trade]:
        """See `storage.alerts.trade_stream.stored_trades`."""
        return stored_trades(self._connection, self._symbol, self._symbol_id, first_id, last_id, from_us=from_us)

    def board(self, alerts: Sequence[StoredAlert], at_id: int) -> AlertBoard:
        """Return a board of these alerts that has judged the trade ``at_id``; each has its firings up to there."""
        made = AlertBoard(self._symbol)
        slots = self._last_slots(alerts, at_id)
        last = self._last_trade(at_id)
        by_key: dict[_Key, list[StoredAlert]] = {}
        for one in alerts:
            by_key.setdefault(_key(one), []).append(one)
        for key, group in by_key.items():
            part = AlertBoard(self._symbol)
            for one in group:
                part.add(one.alert, fired_in=slots.get(one.alert_id))
            if last is not None:
                self._warm(part, key, min(one.warm_from_id or 0 for one in group), last)
            made.join(part)
        return made

    def _warm(self, board: AlertBoard, key: _Key, warm_from_id: int, last: Trade) -> None:
        kind, size = key
        first_id, from_us = max(warm_from_id, last.trade_id), 0
        if kind == "window":
            assert isinstance(size, int)
            first_id, from_us = warm_from_id, last.time_us - size
        elif isinstance(size, Interval):
            first_id, from_us = warm_from_id, size.open_time_us(last.time_us)
            board.seed_candles(size, self._candles(size, warm_from_id, from_us))
        if first_id <= last.trade_id:
            board.warm_up(self.trades(first_id, last.trade_id, from_us))

    def _candles(self, interval: Interval, warm_from_id: int, end_us: int) -> list[Candle]:
        """Return the candles before ``end_us``, empty ones too, none before that of the trade ``warm_from_id``."""
        earliest = next(iter(list(self.trades(warm_from_id, warm_from_id))), None)
        start_us = interval.slot_open_us(interval.slot(end_us) - SEEDED_CANDLES)
        if earliest is not None:
            start_us = max(start_us, interval.open_time_us(earliest.time_us))
        reader = SymbolCandleReader.open(self._connection, self._symbol, interval)
        if reader is None or start_us >= end_us:
            return []
        found = {one.open_time_us: one for one in reader.traded_candles(start_us, end_us)}
        candles = list[Candle]()
        for slot in range(interval.slot(start_us), interval.slot(end_us)):
            open_us = interval.slot_open_us(slot)
            if open_us in found:
                candles.append(found[open_us])
            elif candles:
                candles.append(empty_candle(open_us, candles[-1].close_e8))
        return candles

    def _last_trade(self, at_id: int) -> Trade | None:
        found = None
        for trade in self.trades(max(0, at_id - _NEAR), at_id):
            found = trade
        return found

    def _last_slots(self, alerts: Sequence[StoredAlert], at_id: int) -> dict[int, int]:
        """Return the candle's slot of the last firing of each alert that fires once a candle."""
        of_candles = {one.alert_id: one.rule.interval for one in alerts if one.repeat is Repeat.CANDLE}
        if not of_candles:
            return {}
        return {
            alert_id: of_candles[alert_id].slot(before[-1].time_us)
            for alert_id, firings in read_firings(self._connection, of_candles).items()
            if (before := [one for one in firings if one.trade_id <= at_id])
        }


def _key(alert: StoredAlert) -> _Key:
    """Return what decides how far an alert looks back."""
    match alert.rule.condition:
        case PriceMoves() as condition:
            return "window", condition.window_us
        case VolumeExceeds() | IndicatorCrosses():
            return "candles", alert.rule.interval
        case _:
            return "price", 0
