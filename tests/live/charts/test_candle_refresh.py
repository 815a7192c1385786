"""Candles are read again once their repaired trades are stored."""

from __future__ import annotations

from app.live.charts.candle_refresh import CandleRefresh
from app.live.environment.clocks import ExchangeClock
from app.live.recording.symbol_tracker import SymbolTracker
from app.market.candle import CandleSource
from app.market.coverage import IdRanges
from tests.live.charts.helpers import Chart
from tests.live.databases import FakeStore
from tests.live.helpers import SYMBOL, FakeExchange, HandClock, trade

LAST = 20_000


class ChartWithGap:
    """A chart of minutes, live at its end, of which trades 3001 to 15000 are neither stored nor received."""

    def __init__(self) -> None:
        self.clock = HandClock(trade(LAST + 1).time_us)
        held = IdRanges([(1, 3_000), (15_001, LAST)])
        self.store = FakeStore(trade(number) for first, last in held for number in range(first, last + 1))
        self.tracker = SymbolTracker(SYMBOL)
        self.tracker.note_stored(held)
        self.tracker.add(trade(LAST + 1))
        exchange = FakeExchange([trade(number) for number in range(1, LAST + 2)], self.clock)
        self.chart = Chart("1m", exchange, self.tracker, ExchangeClock(self.clock), self.clock, self.store)
        self.refresh = CandleRefresh(self.chart.session, self.tracker)

    def fetch(self, first: int, last: int, *, stored: bool = True) -> None:
        for number in range(first, last + 1):
            self.tracker.add(trade(number), live=False)
        if stored:
            self.store.stored |= {number: trade(number) for number in range(first, last + 1)}

    def klines(self) -> list[int]:
        """Return the minutes that are still the exchange's, without the live join's."""
        bars = enumerate(self.chart.bars[:-1])
        return [minute for minute, bar in bars if bar.source is CandleSource.KLINE]


async def test_stored_candles_replace_the_klines_range_by_range() -> None:
    gapped = ChartWithGap()
    await gapped.chart.session.run()
    assert gapped.klines() == list(range(50, 251))
    assert not gapped.refresh.is_due
    gapped.fetch(9_001, 15_000)
    assert gapped.refresh.is_due
    await gapped.refresh.step(gapped.store)
    assert gapped.klines() == list(range(50, 151))
    assert not gapped.refresh.is_due
    gapped.fetch(6_001, 9_000, stored=False)
    await gapped.refresh.step(gapped.store)
    assert gapped.klines() == list(range(50, 151))
    assert gapped.refresh.is_due  # they will be stored in a moment
    gapped.fetch(6_001, 9_000)
    await gapped.refresh.step(gapped.store)
    assert gapped.klines() == list(range(50, 101))


async def test_absent_ids_and_very_many_gaps_are_read_again_too() -> None:
    gapped = ChartWithGap()
    await gapped.chart.session.run()
    for first in range(3_001, 15_001, 100):
        gapped.fetch(first, first + 98)
        gapped.tracker.ids.note_absent(first + 99, first + 99)
        gapped.store.absent_ids.add_range(first + 99, first + 99)
    await gapped.refresh.step(gapped.store)
    assert not gapped.refresh.is_due
    assert gapped.klines() == []
