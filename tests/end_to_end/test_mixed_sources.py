"""
Trades, klines and aggregated trades of one market, each with holes, imported in any order: what an export gives of each
candle, and what a comparison finds, are what a slow and obvious model says.

The model knows the whole market. A candle of trades is proven where all its trades are stored, and the one before and
the one after them; so is a minute of aggregated trades within one file. Proven trades come first, then the kline, then
the aggregated trades. Whatever is not proven must say so.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.live.charts.candle_history import CandleHistory
from app.live.transfers.candle_transfer import CandleTransfer
from app.live.transfers.comparison import CandleComparison, ComparisonReport
from app.live.transfers.report import TransferReport
from app.market.candle import Candle, CandleSource
from app.market.candle_request import CandleRequest
from app.market.comparison import FieldDifference
from app.market.interval import SECOND_US, Interval
from app.market.trade import Trade
from app.market.units import format_e8
from storage.database import Database
from storage.loading.bulk_loader import BulkLoader
from tests.depth import examples
from tests.live.helpers import START_US, FakeExchange, HandClock, figures
from tests.live.transfers.test_candle_transfer import Kept
from tests.row_files import trade_batch
from tests.servers import EMBEDDED, shared_server
from tests.storage.loading.test_candle_batches import minutes_of
from tests.tables import our_tables

MINUTE, FIVE = Interval.parse("1m"), Interval.parse("5m")
DAY_US = 86_400 * SECOND_US
NUMBERS = itertools.count(1)
Pieces = list[tuple[int, int]]
"""Parts of the market: the place of the first trade, and that after the last."""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with our_tables(shared_server(EMBEDDED)) as url:
        opened = Database.open(url, tmp_path_factory.mktemp("mixed"))
        yield opened
        assert opened.close()


@dataclass(frozen=True)
class Market:
    """
    All trades, in rising order, and what of them is imported.

    ``stored`` and ``aggregated``: their pieces. ``published``: the open times of minutes with a kline; those in
    ``altered``, which have trades, have a volume that is too large by 1e-8.
    """

    trades: list[Trade]
    stored: Pieces
    aggregated: Pieces
    published: set[int]
    altered: set[int]

    @property
    def symbol(self) -> str:
        return self.trades[0].symbol

    @property
    def minutes(self) -> list[int]:
        """The open times of the minutes from the first trade to the last."""
        first, last = (MINUTE.open_time_us(self.trades[at].time_us) for at in (0, -1))
        return list(range(first, last + 1, MINUTE.length_us))

    def places(self, open_us: int, interval: Interval) -> range:
        """Return the places of a candle's trades; an empty range at where they would stand."""
        times = [one.time_us for one in self.trades]
        end_us = interval.next_open_us(open_us)
        return range(sum(at < open_us for at in times), sum(at < end_us for at in times))

    def is_proven(self, open_us: int, interval: Interval, pieces: Pieces) -> bool:
        """Whether one piece has all trades of the candle, that before and that after them."""
        places = self.places(open_us, interval)
        return any(first < places.start and places.stop < after for first, after in pieces)

    def truth(self, open_us: int, interval: Interval, places: Sequence[int] | None = None) -> tuple[int, ...]:
        """Return the figures of a candle of all its trades, or of those at some places."""
        within = self.places(open_us, interval)
        trades = [self.trades[at] for at in (within if places is None else places)]
        if not trades:
            close = self.trades[within.start - 1].price_e8
            return (open_us, close, close, close, close, 0, 0, 0, 0, 0)
        prices = [one.price_e8 for one in trades]
        bought = [one for one in trades if not one.is_buyer_maker]
        return (
            open_us,
            prices[0],
            max(prices),
            min(prices),
            prices[-1],
            sum(one.quantity_e8 for one in trades),
            sum(one.price_e8 * one.quantity_e8 for one in trades),
            len(trades),
            sum(one.quantity_e8 for one in bought),
            sum(one.price_e8 * one.quantity_e8 for one in bought),
        )

    def kline(self, open_us: int) -> Candle:
        made = Candle(*self.truth(open_us, MINUTE), source=CandleSource.KLINE)
        return made._replace(volume_e8=made.volume_e8 + (open_us in self.altered))

    def beside(self, open_us: int) -> tuple[CandleSource, tuple[int, ...], bool] | None:
        """Return source, figures and completeness of the minute that lies beside the trades; None if none does."""
        if open_us in self.published:
            return CandleSource.KLINE, figures(self.kline(open_us)), True
        known = [at for at in self.places(open_us, MINUTE) if inside(at, self.aggregated)]
        is_whole = self.is_proven(open_us, MINUTE, self.aggregated)
        if not known and not is_whole:
            return None
        return CandleSource.AGGTRADES, self.truth(open_us, MINUTE, known), is_whole


def inside(place: int, pieces: Pieces) -> bool:
    return any(first <= place < after for first, after in pieces)


@st.composite
def markets(draw: st.DrawFn) -> Market:
    dice = random.Random(draw(st.integers(0, 2**32)))
    symbol, time_us, trades = f"M{next(NUMBERS)}USDT", START_US + dice.randrange(DAY_US), list[Trade]()
    for trade_id in range(1_000, 1_000 + draw(st.integers(10, 150))):
        time_us += dice.choice([0, 1, dice.randrange(20 * SECOND_US), dice.randrange(20 * SECOND_US), 130 * SECOND_US])
        price, quantity = dice.randrange(1, 10**10), dice.randrange(1, 10**10)
        trades.append(Trade(symbol, trade_id, time_us, price, quantity, dice.random() < 0.5))
    whole = Market(trades, [], [], set(), set())
    share = draw(st.sampled_from([0.0, 0.4, 0.9]))
    published = {at for at in whole.minutes if dice.random() < share}
    altered = {at for at in published if dice.random() < 0.2 and whole.places(at, MINUTE)}
    return Market(trades, pieces_of(dice, len(trades)), pieces_of(dice, len(trades)), published, altered)


def pieces_of(dice: random.Random, count: int) -> Pieces:
    """Return up to three pieces that do not touch: files of one that do are another test's."""
    ends = sorted(dice.sample(range(count + 1), min(count + 1, 2 * dice.randrange(4))))
    return list(zip(ends[::2], ends[1::2], strict=True))


def bring_in(loader: BulkLoader, market: Market, dice: random.Random) -> None:
    """Import all pieces in some order."""
    work = [lambda a=a, b=b: loader.load(loader.prepare(trade_batch(market.trades[a:b]))) for a, b in market.stored]
    work += [
        lambda a=a, b=b: loader.load_aggregated(market.symbol, minutes_of(market.trades[a:b]))
        for a, b in market.aggregated
    ]
    klines = [market.kline(at) for at in sorted(market.published)]
    half = dice.randrange(len(klines) + 1)
    work += [
        lambda part=part: loader.load_candles(market.symbol, MINUTE, part, published=True)
        for part in (klines[:half], klines[half:])
        if part
    ]
    dice.shuffle(work)
    for one in work:
        one()


def added_up(parts: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """Return the figures that those of consecutive minutes add up to."""
    traded = [one for one in parts if one[5]] or [parts[0]]
    highs, lows = (tuple(one[at] for one in traded) for at in (2, 3))
    sums = (sum(one[at] for one in traded) for at in range(5, 10))
    return (parts[0][0], traded[0][1], max(highs), min(lows), traded[-1][4], *sums)


def exported(database: Database, request: CandleRequest) -> tuple[list[Candle], TransferReport]:
    clock = HandClock(request.end_us + DAY_US)

    async def run() -> tuple[list[Candle], TransferReport]:
        file, history = Kept(), CandleHistory(FakeExchange([], clock), database.store)
        outcome = await CandleTransfer(request, history, database.store, clock).run(file, "1")
        return file.candles, outcome.report

    return asyncio.run(run())


def compared(database: Database, request: CandleRequest) -> tuple[list[FieldDifference], ComparisonReport]:
    clock = HandClock(request.end_us + DAY_US)

    async def run() -> tuple[list[FieldDifference], ComparisonReport]:
        found: list[FieldDifference] = []
        history = CandleHistory(FakeExchange([], clock), database.store)
        report = await CandleComparison(request, history, database.store, clock, found.extend).run()
        return found, report

    return asyncio.run(run())


any_market = settings(max_examples=examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(market=markets(), seed=st.integers(0, 2**32))
@any_market
def test_each_candle_comes_from_the_best_source_that_proves_it(database: Database, market: Market, seed: int) -> None:
    with closing(database.bulk_loader()) as loader:
        bring_in(loader, market, random.Random(seed))
    first_us, last_us = market.minutes[0], market.minutes[-1]
    for interval in (MINUTE, FIVE):
        start_us, end_us = interval.open_time_us(first_us), interval.next_open_us(last_us)
        rows, report = exported(database, CandleRequest(market.symbol, interval, start_us, end_us, fetch=False))
        expected = {}
        for open_us in range(start_us, end_us, interval.length_us):
            parts = [market.beside(at) for at in range(open_us, interval.next_open_us(open_us), MINUTE.length_us)]
            if market.is_proven(open_us, interval, market.stored):
                expected[open_us] = CandleSource.TRADES, market.truth(open_us, interval)
            elif all(part is not None and part[2] for part in parts):
                sources = {part[0] for part in parts if part is not None and part[1][5]}
                sources = sources or {part[0] for part in parts[:1] if part is not None}
                source = sources.pop() if len(sources) == 1 else CandleSource.MIXED
                expected[open_us] = source, added_up([part[1] for part in parts if part is not None])
        assert {one.open_time_us: (one.source, figures(one)) for one in rows if one.complete} == expected
        assert report.missing_candles == len(report.request.slots) - len(expected)
        assert [one.open_time_us for one in rows] == sorted({one.open_time_us for one in rows})
        if interval == MINUTE:
            for one in rows:
                if not one.complete:
                    stored = [at for at in market.places(one.open_time_us, MINUTE) if inside(at, market.stored)]
                    beside = market.beside(one.open_time_us)
                    assert one.trades in (len(stored), beside[1][7] if beside is not None else 0)


@given(market=markets(), seed=st.integers(0, 2**32))
@any_market
def test_a_comparison_finds_the_klines_that_differ_from_proven_candles(
    database: Database, market: Market, seed: int
) -> None:
    with closing(database.bulk_loader()) as loader:
        bring_in(loader, market, random.Random(seed))
    request = CandleRequest(
        market.symbol, MINUTE, market.minutes[0], MINUTE.next_open_us(market.minutes[-1]), fetch=False
    )
    found, report = compared(database, request)
    proven = {at for at in market.published if market.is_proven(at, MINUTE, market.stored)}
    assert [(one.open_time_us, one.field) for one in found] == [
        (at, "volume") for at in sorted(proven & market.altered)
    ]
    for one in found:
        truth = market.truth(one.open_time_us, MINUTE)
        assert (one.stored, one.exchange) == (format_e8(truth[5]), format_e8(truth[5] + 1))
    assert report.differing == len(found)
    assert report.compared + report.uncompared == len(request.slots)
    uncompared = [at for at in market.minutes if any(first <= at < end for first, end in report.missing)]
    assert not proven & set(uncompared)
    assert set(uncompared) >= {at for at in market.minutes if at not in market.published}
