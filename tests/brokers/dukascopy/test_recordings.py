"""
The recordings of Dukascopy, read through both interfaces: its ticks add up to the candles of its own files.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from app.brokers.dukascopy.history import Interface
from app.market.interval import SECOND_US
from app.market.ports.quote_history import HOUR_US
from app.market.ports.row_files import QuoteBatch, ReadingOptions, RefusedFile, RowBatch, SideCandleBatch
from app.market.quotes.side_candle import SideCandle
from app.market.quotes.tick import PriceSide, Tick
from app.market.quotes.tick_candle import TickCandle
from app.runtime.file_readers import open_rows
from app.sandbox.dukascopy.server import DukascopySandbox
from tests.brokers.dukascopy.conftest import Open, us
from tests.tick_candles import candle_of_tick, combine_ticks

DAY_US = us(2019, 2, 4)
MINUTE_US = 60 * SECOND_US
EURUSD, BTCUSD = "dukascopy:EURUSD", "dukascopy:BTCUSD"
BTC_HOUR_US = us(2023, 2, 20, 12)
BTC_TICKS = 8_523


def summed(parts: Iterable[TickCandle], length_us: int) -> list[TickCandle]:
    """Return parts added up to candles of that length."""
    candles: dict[int, list[TickCandle]] = {}
    for part in parts:
        candles.setdefault(part.open_time_us // length_us * length_us, []).append(part)
    return [combine_ticks(open_us, candles[open_us]) for open_us in sorted(candles)]


def float32(value: float) -> float:
    return float(struct.unpack(">f", struct.pack(">f", value))[0])


def assert_equal(ours: list[TickCandle], side: PriceSide, theirs: list[SideCandle]) -> None:
    """Check every field; a volume is a sum of float32 there, so it is compared as one, to 1e-5."""
    assert [(one.open_time_us, one.bar(side)) for one in ours] == [(one.open_time_us, one.bar) for one in theirs]
    for our, their in zip(ours, theirs, strict=True):
        volume_e8 = our.bid_volume_e8 if side is PriceSide.BID else our.ask_volume_e8
        assert float32(volume_e8 / 1e8) == pytest.approx(float32(their.volume_e8 / 1e8), rel=1e-5)


@pytest.mark.parametrize("interface", Interface)
async def test_the_days_ticks_add_up_to_dukascopys_own_candles(
    interface: Interface, recorded: DukascopySandbox, open_history: Open, shared_data: Callable[[str], Path]
) -> None:
    json_url, files_url = (recorded.url if interface is one else "" for one in Interface)
    history = open_history(json_url, files_url)
    hours = [await history.hour(EURUSD, DAY_US + hour * HOUR_US) for hour in range(24)]
    ticks = [tick for hour in hours for tick in hour.ticks]
    assert len(ticks) == 136_741
    assert not any(hour.skipped for hour in hours)

    minutes = summed((candle_of_tick(tick.time_us, tick) for tick in ticks), MINUTE_US)
    found = batches_in(shared_data("dukascopy/datafeed/EURUSD/2019"))
    files = [batch for batch in found if isinstance(batch, SideCandleBatch)]
    own = {(file.side, file.interval.name): list(file.candles) for file in files}
    assert len(minutes) == 1_440
    for side in SIDES:
        assert_equal(minutes, side, own[side, "1m"])

    of_day = [one for one in own[PriceSide.BID, "1h"] if DAY_US <= one.open_time_us < DAY_US + 24 * HOUR_US]
    assert len(of_day) == 24
    assert_equal(summed(minutes, HOUR_US), PriceSide.BID, of_day)
    own_days = own[PriceSide.BID, "1d"]
    assert_equal(summed(minutes, 24 * HOUR_US), PriceSide.BID, [one for one in own_days if one.open_time_us == DAY_US])
    assert recorded.asked("/v1/ticks" if interface is Interface.JSON else "_ticks.bi5") == 24
    assert not recorded.asked("_ticks.bi5" if interface is Interface.JSON else "/v1/")


SIDES = (PriceSide.BID, PriceSide.ASK)


async def test_the_hour_of_bitcoin_is_equal_tick_for_tick(recorded: DukascopySandbox, open_history: Open) -> None:
    by_json = (await open_history(recorded.url, "").hour(BTCUSD, BTC_HOUR_US)).ticks
    by_files = (await open_history("", recorded.url).hour(BTCUSD, BTC_HOUR_US)).ticks
    assert len(by_json) == len(by_files) == BTC_TICKS

    def prices(ticks: Iterable[Tick]) -> list[tuple[int, int, int, int]]:
        return [(tick.time_us, tick.place, tick.bid_e8, tick.ask_e8) for tick in ticks]

    assert prices(by_json) == prices(by_files)
    first = next(iter(by_json))
    assert first == Tick(BTCUSD, BTC_HOUR_US + 84_000, 0, 2_484_940_000_000, 2_492_150_000_000, 1_300, 148)
    # The JSON interface gives the size in units, the files in millions, rounded to whole units.
    for one, other in zip(by_json, by_files, strict=True):
        assert abs(one.bid_size_e8 - other.bid_size_e8) <= 50
        assert abs(one.ask_size_e8 - other.ask_size_e8) <= 50


async def test_the_description_gives_digits_sessions_and_holidays(
    recorded: DukascopySandbox, open_history: Open
) -> None:
    history = open_history(recorded.url, recorded.url)
    euro = await history.instrument(EURUSD)
    assert euro is not None
    assert euro.symbol.display_name == "EUR/USD"
    assert euro.symbol.name == EURUSD
    assert euro.symbol.price_decimals == 5
    week = euro.calendar.sessions(us(2026, 7, 6), us(2026, 7, 12))
    assert [(one.start_us, one.end_us) for one in week][-1] == (us(2026, 7, 9, 21), us(2026, 7, 10, 21))
    assert not euro.calendar.is_open(us(2025, 12, 25, 12))
    assert not euro.calendar.is_open(1_767_218_400_000_000)  # New Year's Eve
    assert euro.first_tick_us == 1_052_074_800_048_000
    bitcoin = await history.instrument(BTCUSD)
    assert bitcoin is not None
    assert bitcoin.point_e8 == 10_000_000
    assert bitcoin.calendar.is_open(us(2026, 7, 11, 12))
    await history.instrument(EURUSD)
    assert recorded.asked("instruments") == 2  # each once


def batches_in(folder: Path) -> list[RowBatch]:
    """Return the rows of all .bi5 files in a folder, as an import reads them."""
    files = list(open_rows(folder, ReadingOptions()))
    return [batch for file in files if not isinstance(file, RefusedFile) for batch in file.batches()]


def test_a_tree_on_the_disk_is_found_and_read(shared_data: Callable[[str], Path]) -> None:
    found = batches_in(shared_data("dukascopy/datafeed/EURUSD/2019/01/04"))
    hours = [batch for batch in found if isinstance(batch, QuoteBatch)]
    starts = [DAY_US + hour * HOUR_US for hour in range(24)]
    assert [hour.whole for hour in hours] == [(start_us, start_us + HOUR_US) for start_us in starts]
    assert {hour.symbol for hour in hours} == {EURUSD}
    assert sum(len(hour.time_us) for hour in hours) == 136_741
    candles = [batch for batch in found if isinstance(batch, SideCandleBatch)]
    assert {(batch.side, batch.interval.name, batch.candles[0].open_time_us) for batch in candles} == {
        (side, "1m", DAY_US) for side in SIDES
    }
    assert all(len(batch.candles) == 1_440 for batch in candles)
    (bitcoin,) = batches_in(shared_data("dukascopy/datafeed/BTCUSD"))
    assert isinstance(bitcoin, QuoteBatch)
    assert len(bitcoin.time_us) == BTC_TICKS
