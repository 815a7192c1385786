"""Candles are read again once the trades that were missing in them are stored."""

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


class Holed:
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
        self.renewal = CandleRefresh(self.chart.session, self.tracker)

    def fetch(self, first: int, last: int, *, stored: bool = True) -> None:
        for number in range(first, last + 1):
            self.tracker.add(trade(number), live=False)
        if stored:
            self.store.stored |= {number: trade(number) for number in range(first, last + 1)}

    def klines(self) -> list[int]:
        """Return the minutes that are still the exchange's, without the live join's."""
        bars = enumerate(self.chart.bars[:-1])
        return [minute for minute, bar in bars if bar.source is CandleSource.KLINE]


async def test_what_is_stored_takes_the_place_of_klines_as_it_comes() -> None:
    holed = Holed()
    await holed.chart.session.run()
    assert holed.klines() == list(range(50, 251))
    assert not holed.renewal.is_due
    holed.fetch(9_001, 15_000)
    assert holed.renewal.is_due
    await holed.renewal.step(holed.store)
    assert holed.klines() == list(range(50, 151))
    assert not holed.renewal.is_due
    holed.fetch(6_001, 9_000, stored=False)
    await holed.renewal.step(holed.store)
    assert holed.klines() == list(range(50, 151))
    assert holed.renewal.is_due  # they will be stored in a moment
    holed.fetch(6_001, 9_000)
    await holed.renewal.step(holed.store)
    assert holed.klines() == list(range(50, 101))


async def test_ids_that_do_not_exist_and_very_many_holes_are_renewed_too() -> None:
    holed = Holed()
    await holed.chart.session.run()
    for first in range(3_001, 15_001, 100):
        holed.fetch(first, first + 98)
        holed.tracker.ids.note_absent(first + 99, first + 99)
        holed.store.absent_ids.add_range(first + 99, first + 99)
    await holed.renewal.step(holed.store)
    assert not holed.renewal.is_due
    assert holed.klines() == []
