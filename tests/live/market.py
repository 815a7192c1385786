"""A market in memory for chart sessions: the exchange's trades, those received, and the right candles."""

from __future__ import annotations

from collections.abc import Sequence

from app.live.environment.clocks import ExchangeClock
from app.live.recording.recorder import Recorder
from app.live.recording.symbol_tracker import SymbolTracker
from app.market.candle import Candle
from app.market.interval import Interval
from app.market.trade import Trade
from tests.live.charts.helpers import Chart, assert_shows
from tests.live.databases import FakeStore
from tests.live.helpers import SYMBOL, FakeExchange, HandClock, folded, recorder_for, trade


class Market:
    """An exchange with trades, a recorder that receives them when the test says so, and the clocks of both."""

    def __init__(self, trades: Sequence[Trade], *, repair_trades: int = 10_000, now: int = 0) -> None:
        self.trades = list(trades)
        self.clock = HandClock(self.trades[now].time_us)
        self.exchange = FakeExchange(self.trades, self.clock)
        self.exchange_clock = ExchangeClock(self.clock)
        self.exchange_clock.note_measurement(self.clock.time_us, self.clock.time_us, self.clock.time_us)
        self.recorder: Recorder = recorder_for(clock=self.clock, repair_trades=repair_trades)
        self.recorder._exchange_clock = self.exchange_clock
        self.store: FakeStore | None = None

    @property
    def tracker(self) -> SymbolTracker:
        tracker = self.recorder.tracker(SYMBOL)
        assert tracker is not None
        return tracker

    def chart(self, name: str) -> Chart:
        return Chart(name, self.exchange, self.tracker, self.exchange_clock, self.clock, self.store)

    def hear(self, *trades: Trade) -> None:
        for one in trades:
            self.clock.time_us = max(self.clock.time_us, one.time_us)
            self.recorder.receive(one, self.clock.time_us)

    def expected(self, interval: Interval, first_us: int = 0) -> list[Candle]:
        return [
            candle
            for candle in folded(self.exchange.known(), interval, now_us=self.clock.time_us)
            if candle.open_time_us >= first_us
        ]

    def assert_right(self, chart: Chart, *, complete: bool = True) -> None:
        assert len(chart.series)
        expected = self.expected(chart.session.interval, chart.bars[0].open_time_us)
        assert_shows(chart.series, expected, complete=complete)

    def close(self) -> None:
        self.recorder.outbox.close()


def every_second(count: int) -> list[Trade]:
    return [trade(number, number, 100 + number % 7) for number in range(1, count + 1)]
