"""Chart sessions for tests, and the comparison of a series with all trades folded the slow way."""

from __future__ import annotations

from collections.abc import Sequence

from app.live.charts.candle_history import CandleHistory
from app.live.charts.chart_session import ChartSession
from app.live.environment.clocks import ExchangeClock
from app.live.recording.symbol_tracker import SymbolTracker
from app.market.candle import Candle
from app.market.interval import Interval
from app.market.ports.clock import Clock
from app.market.ports.exchange import TradeHistory
from app.market.ports.storage import CandleStore
from app.market.series.series import Bar, CandleSeries
from app.market.units import E8, E16
from tests.live.helpers import SYMBOL


class Chart:
    """A `ChartSession` that records its states and counts its changes."""

    def __init__(
        self,
        name: str,
        exchange: TradeHistory,
        tracker: SymbolTracker | None,
        exchange_clock: ExchangeClock,
        clock: Clock,
        store: CandleStore | None = None,
        symbol: str = SYMBOL,
    ) -> None:
        self.states: list[tuple[str, str]] = []
        self.changes = 0
        self.session = ChartSession(
            symbol,
            Interval.parse(name),
            history=CandleHistory(exchange, store),
            tracker=tracker,
            exchange_clock=exchange_clock,
            clock=clock,
            on_state=lambda: self.states.append((self.session.state, self.session.failure)),
            on_change=self._count,
        )

    def _count(self) -> None:
        self.changes += 1

    @property
    def series(self) -> CandleSeries:
        return self.session.series

    @property
    def bars(self) -> list[Bar]:
        return [self.series.bar(at) for at in range(len(self.series))]


def shown(candle: Candle) -> tuple[float, ...]:
    """Return the candle's figures as a bar has them: time, prices, volumes and number of trades."""
    return (
        candle.open_time_us,
        candle.open_e8 / E8,
        candle.high_e8 / E8,
        candle.low_e8 / E8,
        candle.close_e8 / E8,
        candle.volume_e8 / E8,
        candle.quote_volume_e16 / E16,
        candle.trades,
        candle.taker_buy_volume_e8 / E8,
        candle.taker_buy_quote_volume_e16 / E16,
    )


def assert_shows(series: CandleSeries, expected: Sequence[Candle], *, complete: bool = True) -> None:
    """Assert that the series has exactly these candles, all but the last closed, and all complete if ``complete``."""
    bars = [series.bar(at) for at in range(len(series))]
    assert [bar[1:11] for bar in bars] == [shown(candle) for candle in expected]
    assert [bar.closed for bar in bars] == [True] * (len(bars) - 1) + [False]
    if complete:
        assert [bar.open_time_us for bar in bars if not bar.complete] == []
