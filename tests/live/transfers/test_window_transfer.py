"""An export of rolling windows has each one that a minute is in, and names the minutes that are missing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.live.charts.candle_history import CandleHistory
from app.live.transfers.rolling.window_transfer import WindowTransfer, WrittenWindows
from app.market.calendar.always_open import AlwaysOpen
from app.market.candle import Candle, combine
from app.market.candle_request import CandleRequest
from app.market.columns.candle_columns import candles_of
from app.market.export_plan import RowsRequest
from app.market.file_columns import MINUTE_INDEX
from app.market.interval import ORIGIN_US, SECOND_US, Interval
from app.market.ports.ticks import TickReader
from app.market.quotes.tick import PriceSide
from tests.live.helpers import START_US, SYMBOL
from tests.live.transfers.test_candle_transfer import MINUTE, MINUTE_US, World, request, ten_minutes, worlds


class Kept:
    """A file in memory, of windows."""

    def __init__(self) -> None:
        self.rows: list[tuple[Candle, int]] = []
        self.name = ""
        self.facts: Mapping[str, object] = {}

    def write(self, rows: Any) -> None:
        index = rows.column(MINUTE_INDEX).to_pylist()
        found = list(zip(candles_of(rows.drop_columns([MINUTE_INDEX])), index, strict=True))
        assert not self.rows or not found or self.rows[-1][0].open_time_us < found[0][0].open_time_us
        self.rows += found

    def finish(self, name: str, facts: Mapping[str, object]) -> Path | None:
        self.name, self.facts = name, facts
        return None

    def discard(self) -> None:
        """Nothing is to be left."""


def exported(world: World, asked: CandleRequest, length: int) -> tuple[Kept, WrittenWindows]:
    async def run() -> tuple[Kept, WrittenWindows]:
        file, history = Kept(), CandleHistory(world.exchange, world.store)
        transfer = WindowTransfer(
            RowsRequest(SYMBOL, Interval.parse(f"{length}m"), is_rolling=True),
            asked,
            history,
            world.store,
            cast(TickReader, None),
            world.clock,
            AlwaysOpen(),
            PriceSide.MID,
        )
        return file, await transfer.run(file, "1.2.3")

    return asyncio.run(run())


@given(worlds(), st.integers(1, 90))
def test_each_window_of_the_range_is_in_the_file(drawn: tuple[World, CandleRequest], length: int) -> None:
    world, asked = drawn
    asked = asked._replace(interval=MINUTE, include_open=False)
    if len(asked.slots) < length:
        return
    world.transfer(asked)  # a minute without a trade that is fetched here has another source once it is stored
    minutes, report = world.transfer(asked)
    file, written = exported(world, asked, length)
    newest = world.store.candles(SYMBOL, MINUTE, limit=1)
    known_us = 0 if not newest else newest[0].open_time_us + (MINUTE_US if newest[0].closed else 0)
    by_time = {one.open_time_us: one for one in minutes.candles}
    over_us = max([known_us, *(at + MINUTE_US for at in by_time)])
    expected = []
    for slot in asked.slots[: len(asked.slots) + 1 - length]:
        open_us = MINUTE.slot_open_us(slot)
        end_us = open_us + length * MINUTE_US
        parts = [by_time[at] for at in range(open_us, end_us, MINUTE_US) if at in by_time]
        if parts and end_us <= over_us:
            whole = combine(open_us, parts)
            whole = whole._replace(complete=whole.complete and len(parts) == length)
            expected.append((whole, (end_us - ORIGIN_US) // MINUTE_US % length))
    assert file.rows == expected
    assert written.rows == len(expected)
    assert file.facts["missing"] == report.facts("1.2.3")["missing"]
    assert bool(written.lack) == (not report.complete)


@pytest.mark.parametrize("length", [2, 3])
def test_rows_of_index_0_are_the_candles_of_trades(length: int) -> None:
    interval = Interval.parse(f"{length}m")
    stored = [one for one in ten_minutes() if not 20 <= one.trade_id <= 22]
    world = World(ten_minutes(), stored, START_US + 3_600 * SECOND_US)
    ordinary, _ = world.transfer(request((-10, 8), interval, fetch=False))
    file, written = exported(world, request((-10, 8), fetch=False), length)
    assert ordinary.candles == [one for one, index in file.rows if index == 0]
    assert [one.complete for one in ordinary.candles].count(False) == 1
    assert "minutes are missing; the first is 2024-08-08T23:50" in written.lack
    assert file.name.startswith(f"BTCUSDT-{interval}-rolling-2024080")
