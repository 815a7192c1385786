"""
All alerts of one symbol, judged by its trades in id order.

What is met is a function of the trades since the board began, of nothing else: not of the clock, nor of how trades
arrived. So a live judgement can be proved by judging the stored trades again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from app.market.alerts import reasons
from app.market.alerts.alert import (
    Alert,
    Direction,
    DrawingCrosses,
    Firing,
    IndicatorCrosses,
    PriceCrosses,
    PriceInRange,
    PriceMoves,
    Repeat,
    VolumeExceeds,
)
from app.market.alerts.candle_conditions import CandleConditions
from app.market.alerts.line_crossings import LineCrossings
from app.market.alerts.price_levels import PriceLevels
from app.market.alerts.price_moves import PriceMoveWindow
from app.market.candle import Candle
from app.market.interval import Interval
from app.market.trade import Trade


class AlertBoard:
    """
    The alerts of ``symbol``. Call `judge` with each trade once, by rising id.

    A condition that looks back, to the trade before or over a time, takes what is judged while it waits; `warm_up`
    gives it the past. After a firing, an alert that fires once waits no longer.
    """

    def __init__(self, symbol: str) -> None:
        self._symbol = symbol
        self._alerts: dict[int, Alert] = {}
        self._levels = PriceLevels()
        self._lines = LineCrossings()
        self._windows: dict[int, PriceMoveWindow] = {}
        self._candles: dict[Interval, CandleConditions] = {}
        # The candle in which each alert of `Repeat.CANDLE` fired last (its slot).
        self._fired_in: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._alerts)

    def __contains__(self, alert_id: object) -> bool:
        return alert_id in self._alerts

    def seed_candles(self, interval: Interval, candles: Sequence[Candle]) -> None:
        """Give the conditions on candles of that length the closed ones before the first trade, oldest first."""
        self._conditions_of(interval).seed(list(candles))

    def warm_up(self, trades: Iterable[Trade]) -> None:
        """Take trades before those to judge, by rising id, without firing."""
        for trade in trades:
            self._met(trade)

    def add(self, alert: Alert, *, fired_in: int | None = None) -> None:
        """
        Wait for an alert; one with the same id is replaced.

        ``fired_in``: the slot of the candle of its interval in which it fired last, which `Repeat.CANDLE` regards.
        """
        self.discard(alert.alert_id)
        self._alerts[alert.alert_id] = alert
        if fired_in is not None:
            self._fired_in[alert.alert_id] = fired_in
        match alert.rule.condition:
            case PriceCrosses() | PriceInRange() as condition:
                self._levels.add(alert.alert_id, condition)
            case DrawingCrosses() as condition:
                self._lines.add(alert.alert_id, condition)
            case PriceMoves() as condition:
                window = self._windows.setdefault(condition.window_us, PriceMoveWindow(condition.window_us))
                window.add(alert.alert_id, condition)
            case VolumeExceeds() | IndicatorCrosses() as condition:
                self._conditions_of(alert.rule.interval).add(alert.alert_id, condition)

    def join(self, other: AlertBoard) -> None:
        """
        Take over the alerts of a board whose last trade is this one's, too, or that is to go on before a first trade.

        What both look back on is this board's. ``other`` is not to be used any more.
        """
        self._levels.follow(other._levels)
        self._lines.follow(other._lines)
        for window_us, window in other._windows.items():
            self._windows.setdefault(window_us, window)
        for interval, candles in other._candles.items():
            self._candles.setdefault(interval, candles)
        self._fired_in.update(other._fired_in)
        for alert_id, alert in other._alerts.items():
            self._alerts[alert_id] = alert
            match alert.rule.condition:
                case PriceCrosses() | PriceInRange() as condition:
                    self._levels.add(alert_id, condition)
                case DrawingCrosses() as condition:
                    self._lines.add(alert_id, condition)
                case PriceMoves() as condition:
                    if (window := self._windows[condition.window_us]) is not other._windows[condition.window_us]:
                        window.add(alert_id, condition)
                case VolumeExceeds() | IndicatorCrosses() as condition:
                    candles = self._candles[alert.rule.interval]
                    if candles is not other._candles[alert.rule.interval]:
                        candles.add(alert_id, condition)

    def discard(self, alert_id: int) -> None:
        """Wait no longer for an alert; nothing happens if it does not wait."""
        alert = self._alerts.pop(alert_id, None)
        self._fired_in.pop(alert_id, None)
        if alert is None:
            return
        match alert.rule.condition:
            case PriceCrosses() | PriceInRange():
                self._levels.discard(alert_id)
            case DrawingCrosses():
                self._lines.discard(alert_id)
            case PriceMoves() as condition:
                self._windows[condition.window_us].discard(alert_id)
            case VolumeExceeds() | IndicatorCrosses():
                self._candles[alert.rule.interval].discard(alert_id)

    def judge(self, trade: Trade) -> list[Firing]:
        """Return the firings that ``trade`` causes, by rising alert id."""
        met = self._met(trade)
        if not met:
            return []
        fired = [
            Firing(
                alert_id,
                trade.trade_id,
                trade.time_us,
                trade.price_e8,
                direction,
                self._reason(self._alerts[alert_id], direction, trade),
            )
            for alert_id, direction in sorted(met)
            if self._fires(self._alerts[alert_id], trade)
        ]
        for firing in fired:
            if self._alerts[firing.alert_id].repeat is Repeat.ONCE:
                self.discard(firing.alert_id)
        return fired

    def _met(self, trade: Trade) -> list[tuple[int, Direction]]:
        met = self._levels.met(trade.price_e8)
        met += self._lines.met(trade.time_us, trade.price_e8)
        for window in self._windows.values():
            met += window.met(trade.time_us, trade.price_e8)
        for candles in self._candles.values():
            met += candles.met(trade)
        return met

    def _fires(self, alert: Alert, trade: Trade) -> bool:
        """Whether the alert is not paused and may fire again in this trade's candle; if so, note the candle."""
        if alert.pauses and alert.is_paused_at(trade.trade_id, trade.time_us):
            return False
        if alert.repeat is not Repeat.CANDLE:
            return True
        slot = alert.rule.interval.slot(trade.time_us)
        if self._fired_in.get(alert.alert_id) == slot:
            return False
        self._fired_in[alert.alert_id] = slot
        return True

    def _reason(self, alert: Alert, direction: Direction, trade: Trade) -> str:
        match alert.rule.condition:
            case PriceMoves() as condition:
                return self._windows[condition.window_us].reason(direction)
            case VolumeExceeds() | IndicatorCrosses():
                return self._candles[alert.rule.interval].reason(alert.alert_id)
            case _:
                return reasons.of_prices(self._levels.before_e8, trade.price_e8)

    def _conditions_of(self, interval: Interval) -> CandleConditions:
        return self._candles.setdefault(interval, CandleConditions(self._symbol, interval))
