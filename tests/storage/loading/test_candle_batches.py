"""Candles of files lie beside the trades: each once, the better of two, and each with its origin."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from app.market.aggregated_trades import MINUTE, AggregatedMinutes
from app.market.candle import Candle, CandleSource
from app.market.interval import Interval
from app.market.ports.loading import LoadResult, RefusedPlace
from app.market.trade import Trade
from app.market.units import format_e8
from storage.files.readers.open_rows import open_rows
from storage.integrity.verify import verify
from storage.loading.bulk_loader import BulkLoader
from storage.loading.candle_batches import DIFFERS
from storage.postgres.connection import connect
from tests.market.test_aggregated_trades import agg_batch, aggregated
from tests.storage.helpers import World, stored

FIVE = Interval.parse("5m")
START_US = 1_723_161_600_000_000


@pytest.fixture
def loader(url: str) -> Iterator[BulkLoader]:
    made = BulkLoader(lambda: connect(url))
    yield made
    made.close()


def kline(slot: int, close: int = 8, **changes: object) -> Candle:
    open_us = START_US + slot * MINUTE.length_us
    figures = (7 * 10**8, 9 * 10**8, 5 * 10**8, close * 10**8, 10**9 + slot, 10**18 + slot, 12, 10**8, 10**17)
    return Candle(open_us, *figures, source=CandleSource.KLINE)._replace(**changes)


def trades_of(minutes: int) -> list[Trade]:
    """Return six trades a minute, from id 50 on."""
    return [
        Trade("XRPETH", 50 + at, START_US + at * 10_000_000, 10**8 + at * 10**5, 10**8 + at, at % 3 > 0)
        for at in range(minutes * 6)
    ]


def minutes_of(trades: Sequence[Trade]) -> list[Candle]:
    made = AggregatedMinutes()
    made.add(agg_batch(aggregated(trades)))
    return made.candles()


def test_published_candles_are_stored_once_and_their_times_are_known(world: World, loader: BulkLoader) -> None:
    candles = [kline(slot) for slot in range(100) if slot != 40]
    assert loader.load_candles("X", MINUTE, candles, published=True) == LoadResult(99, 0)
    assert loader.load_candles("X", MINUTE, candles, published=True) == LoadResult(0, 99)
    assert world.store.candles("X", MINUTE) == candles
    hole_us = kline(40).open_time_us
    assert list(world.store.fetched_klines("X", MINUTE)) == [
        (START_US, hole_us - 1),
        (hole_us + MINUTE.length_us, kline(100).open_time_us - 1),
    ]
    assert len(world.store.candles("X", FIVE)) == 19  # one is not whole
    with world.connect() as connection:
        assert not verify(connection).totals


def test_candles_of_anybody_do_not_keep_the_exchanges_from_being_asked_for(world: World, loader: BulkLoader) -> None:
    loader.load_candles("X", MINUTE, [kline(0)], published=False)
    assert list(world.store.fetched_klines("X", MINUTE)) == []
    assert world.store.candles("X", MINUTE) == [kline(0)]


def test_the_first_of_two_that_differ_stays(world: World, loader: BulkLoader) -> None:
    loader.load_candles("X", MINUTE, [kline(0), kline(1)], published=True)
    result = loader.load_candles(
        "X", MINUTE, [kline(1, close=6), kline(2), kline(2), kline(2, close=6)], published=True
    )
    assert result == LoadResult(1, 1, (RefusedPlace(0, DIFFERS), RefusedPlace(3, DIFFERS)))
    assert world.store.candles("X", MINUTE) == [kline(0), kline(1), kline(2)]


def test_a_candle_of_prices_and_volume_alone_agrees_with_the_whole_one_and_gives_way_to_it(
    world: World, loader: BulkLoader, tmp_path: Path
) -> None:
    path = tmp_path / "BTCUSDT-1m.csv"
    rows = (f"{START_US + slot * MINUTE.length_us},7,9,5,8,{format_e8(10**9 + slot)}\n" for slot in range(10))
    path.write_text("timestamp,open,high,low,close,volume\n" + "".join(rows), encoding="utf-8")
    (file,) = open_rows(path)
    bare = [one for batch in file.batches() for one in batch.candles]
    assert loader.load_candles("X", MINUTE, bare, published=False) == LoadResult(10, 0)
    five = world.store.candles("X", FIVE)
    assert [one.volume_e8 for one in five] == [sum(one.volume_e8 for one in bare[at : at + 5]) for at in (0, 5)]
    whole = [kline(slot) for slot in range(10)]
    assert loader.load_candles("X", MINUTE, whole, published=False) == LoadResult(10, 0)
    assert loader.load_candles("X", MINUTE, bare, published=False) == LoadResult(0, 10)
    assert world.store.candles("X", MINUTE) == whole
    counted = [one._replace(trades=12) for one in bare]
    assert loader.load_candles("Y", MINUTE, counted, published=False) == LoadResult(10, 0)
    assert loader.load_candles("Y", MINUTE, bare, published=False) == LoadResult(0, 10)
    assert world.store.candles("Y", MINUTE) == counted


def test_what_takers_bought_of_aggregated_trades_is_not_lost_to_candles_of_prices_and_volume_alone(
    world: World, loader: BulkLoader
) -> None:
    minutes = minutes_of(trades_of(4))
    unknown = {"quote_volume_e16": 0, "trades": 1, "taker_buy_volume_e8": 0, "taker_buy_quote_volume_e16": 0}
    nobodys = {"first_trade_id": None, "last_trade_id": None}
    bare = [one._replace(**unknown, **nobodys, complete=True, source=CandleSource.KLINE) for one in minutes]
    whole = [one._replace(**nobodys) for one in minutes[1:3]]  # those at the ends may go on in another file
    loader.load_aggregated("XRPETH", minutes)
    assert loader.load_candles("XRPETH", MINUTE, bare, published=False) == LoadResult(2, 2)
    loader.load_candles("ADAETH", MINUTE, bare, published=False)
    assert loader.load_aggregated("ADAETH", minutes) == {one.open_time_us for one in whole}
    assert loader.load_aggregated("ADAETH", minutes) == set()
    for symbol in ("XRPETH", "ADAETH"):
        assert world.store.candles(symbol, MINUTE) == [bare[0], *whole, bare[3]]
        other = bare[1]._replace(volume_e8=bare[1].volume_e8 + 1)
        refused = LoadResult(0, 0, (RefusedPlace(0, DIFFERS),))
        assert loader.load_candles(symbol, MINUTE, [other], published=False) == refused


def test_trades_are_not_said_to_differ_from_candles_that_know_prices_and_volume_alone(
    world: World, loader: BulkLoader
) -> None:
    trades = trades_of(3)
    world.record(trades)
    whole = world.store.candles("XRPETH", MINUTE)[1]._replace(source=CandleSource.KLINE)
    bare = whole._replace(quote_volume_e16=0, trades=1, taker_buy_volume_e8=0, taker_buy_quote_volume_e16=0)
    loader.load_candles("XRPETH", MINUTE, [bare], published=False)
    assert loader.kline_differences("XRPETH", START_US, trades[-1].time_us) == []
    loader.load_candles("XRPETH", MINUTE, [whole._replace(trades=1)], published=False)
    (found,) = loader.kline_differences("XRPETH", START_US, trades[-1].time_us)
    assert found.field == "trades"


def test_a_published_candle_of_the_same_figures_makes_an_aggregated_one_complete_and_the_exchanges(
    world: World, loader: BulkLoader
) -> None:
    minutes = minutes_of(trades_of(3))
    loader.load_aggregated("XRPETH", minutes)
    assert [one.complete for one in minutes] == [False, True, False]
    published = [
        one._replace(first_trade_id=None, last_trade_id=None, complete=True, source=CandleSource.KLINE)
        for one in minutes
    ]
    assert loader.load_candles("XRPETH", MINUTE, published, published=True) == LoadResult(3, 0)
    assert world.store.candles("XRPETH", MINUTE) == published
    assert loader.load_candles("XRPETH", MINUTE, published, published=True) == LoadResult(0, 3)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"open_time_us": START_US + 1}, "no candle of 1m opens at that time"),
        ({"closed": False}, "it has not ended"),
        ({"low_e8": 8 * 10**8}, "its prices lie outside its low and high"),
        ({"taker_buy_volume_e8": 10**12}, "its volumes are out of range"),
        ({"taker_buy_quote_volume_e16": 10**20}, "its volumes are out of range"),
    ],
)
def test_what_cannot_be_a_candle_is_refused(loader: BulkLoader, changes: dict[str, object], reason: str) -> None:
    candles = [kline(1), kline(0, **changes)]
    assert loader.load_candles("X", MINUTE, candles, published=False) == LoadResult(1, 0, (RefusedPlace(1, reason),))


def test_aggregated_minutes_are_read_as_what_they_are_and_prove_no_trade(world: World, loader: BulkLoader) -> None:
    trades = trades_of(10)
    minutes = minutes_of(trades)
    assert loader.load_aggregated("XRPETH", minutes) == {one.open_time_us for one in minutes}
    assert loader.load_aggregated("XRPETH", minutes) == set()
    read = world.store.candles("XRPETH", MINUTE)
    assert read == [one._replace(first_trade_id=None, last_trade_id=None) for one in minutes]
    assert [one.complete for one in read] == [False, *[True] * 8, False]
    assert not world.store.coverage("XRPETH")
    five = world.store.candles("XRPETH", FIVE)
    assert [(one.trades, one.complete, one.source) for one in five] == [(30, False, CandleSource.AGGTRADES)] * 2
    with world.connect() as connection:
        assert not verify(connection).totals


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_files_that_meet_in_a_minute_or_between_two_make_it_whole(
    world: World, loader: BulkLoader, order: tuple[int, ...]
) -> None:
    trades = trades_of(12)
    parts = [trades[:27], trades[27:48], trades[48:]]  # in the middle of a minute, and between two
    for number in order:
        loader.load_aggregated("XRPETH", minutes_of(parts[number]))
    read = world.store.candles("XRPETH", MINUTE)
    assert read == [one._replace(first_trade_id=None, last_trade_id=None) for one in minutes_of(trades)]
    for number in order:
        assert loader.load_aggregated("XRPETH", minutes_of(parts[number])) == set()


def test_minutes_stored_as_they_end_equal_those_stored_at_once(world: World, loader: BulkLoader) -> None:
    trades, count = trades_of(40), 0
    minutes, parts = AggregatedMinutes(), []
    for start in range(0, len(trades), 35):
        rows_of_part = aggregated(trades[start : start + 35])
        count += len(rows_of_part)
        minutes.add(agg_batch(rows_of_part))
        parts.append(minutes.take_ended())
        assert minutes.is_in_order
    for part in [*parts, minutes]:
        loader.load_aggregated("XRPETH", part.candles())
    loader.load_aggregated("ADAETH", minutes_of(trades))
    both = "SELECT {} FROM klines JOIN symbols ON id = symbol_id WHERE name = '{}' ORDER BY open_time"
    names = "open_time, open, close, volume, trades, taker_buy_volume, complete, first_trade_id, last_trade_id"
    rows = world.rows(both.format(names, "XRPETH"))
    assert rows == world.rows(both.format(names, "ADAETH"))
    assert sum(part.rows[at] for part in [*parts, minutes] for at in part.rows) == count
    assert len(rows) == 40


def test_trades_come_before_klines_klines_before_aggregated_trades_and_those_before_incomplete_ones(
    world: World, loader: BulkLoader
) -> None:
    trades = trades_of(8)
    world.record(trades[3:33])  # without the first minute's beginning and the sixth one's end
    loader.load_aggregated("XRPETH", minutes_of(trades))
    sources = [one.source for one in world.store.candles("XRPETH", MINUTE)]
    assert sources == [CandleSource.AGGTRADES, *[CandleSource.TRADES] * 4, *[CandleSource.AGGTRADES] * 3]
    loader.load_candles("XRPETH", MINUTE, [kline(0), kline(3)], published=True)
    read = world.store.candles("XRPETH", MINUTE)
    assert [one.source for one in read[:4]] == [CandleSource.KLINE, *[CandleSource.TRADES] * 3]
    assert stored(world.store, "XRPETH") == trades[3:33]


def test_an_aggregated_minute_never_replaces_a_kline(world: World, loader: BulkLoader) -> None:
    loader.load_candles("XRPETH", MINUTE, [kline(slot) for slot in range(12)], published=True)
    assert loader.load_aggregated("XRPETH", minutes_of(trades_of(12))) == set()
    assert {one.source for one in world.store.candles("XRPETH", MINUTE)} == {CandleSource.KLINE}


def test_whole_minutes_of_trades_are_held_against_the_klines(world: World, loader: BulkLoader) -> None:
    trades = trades_of(6)
    world.record(trades)
    folded = world.store.candles("XRPETH", MINUTE)
    published = [one._replace(first_trade_id=None, last_trade_id=None, source=CandleSource.KLINE) for one in folded]
    loader.load_candles(
        "XRPETH", MINUTE, [one._replace(closed=True, complete=True) for one in published], published=True
    )
    start_us, end_us = trades[0].time_us, trades[-1].time_us + 1
    assert loader.kline_differences("XRPETH", start_us, end_us) == []
    with world.connect() as connection:
        connection.execute("UPDATE klines SET volume = volume + 1, trades = trades + 1")
    found = loader.kline_differences("XRPETH", start_us, end_us)
    assert [(one.open_time_us, one.field) for one in found] == [
        (one.open_time_us, name) for one in folded[1:5] for name in ("volume", "trades")
    ]
    assert loader.kline_differences("NONE", start_us, end_us) == []
