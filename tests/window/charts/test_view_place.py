"""The chart at a start: at the place and the width of candles of the run before, where there are candles."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from app.config.settings import Settings
from app.market.candle import Candle, CandleSource
from app.market.interval import Interval
from app.sandbox.market.simulated import SimulatedMarket
from app.window.state.window_state import load_state, save_state
from tests.end_to_end.helpers import Running, open_window, run_on_qt_loop, settings_in, until
from tests.program import NOWHERE
from tests.sandbox.helpers import serving

DAY_US = 86_400_000_000


def keep(values: dict[str, Any], settings: Settings) -> None:
    """Save a view as a run that ends does."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    state = load_state(settings)
    state.view = values
    save_state(state, settings.data_dir)


def has_candles_in_view(running: Running) -> bool:
    visible, session = running.chart.visible_range_us(), running.session
    if visible is None or session is None or not len(session.series):
        return False
    opened = session.series.column("open_time_us")
    return bool(((opened >= visible[0]) & (opened < visible[1])).any())


def klines_at(interval: Interval, time_us: int) -> list[Candle]:
    """Twenty candles of the exchange."""
    first = interval.slot(time_us)
    opened = (interval.slot_open_us(slot) for slot in range(first, first + 20))
    return [
        Candle(open_us, 7, 9, 5, 8, 50, 350, 4, 20, 140, closed=True, source=CandleSource.KLINE) for open_us in opened
    ]


def test_zoom_and_place_come_back_while_following_and_in_the_past(
    qtbot: QtBot, data_dir: Path, tables_url: str
) -> None:
    async def work() -> None:
        async with serving(SimulatedMarket(seed=5)) as server:
            settings = settings_in(data_dir, server.ws_url, server.rest_url, symbols="BTCUSDT", database_url=tables_url)
            async with open_window(settings) as running:
                await until(lambda: has_candles_in_view(running) and running.chart.navigator.has_candles)
                running.chart.navigator.zoom(1.7)
                running.chart.navigator.pan(-300)  # room beside the latest candle
                assert running.chart.is_following
                kept = running.chart.view_values()
                keep(kept, settings)
            async with open_window(settings) as running:
                await until(lambda: has_candles_in_view(running) and running.chart.navigator.has_candles)
                assert running.chart.is_following
                assert running.chart.view_values() == pytest.approx(kept)
                there_us = running.engine.exchange_clock.now_us() - 20 * DAY_US
                running.chart.date_requested.emit(there_us, "three weeks ago")
                await until(lambda: not running.chart.is_following)
                kept = running.chart.view_values()
                assert kept["centre us"] == pytest.approx(there_us, abs=60_000_000)
                keep(kept, settings)
            async with open_window(settings) as running:
                places = set()
                running.chart.painted.connect(lambda: places.add(running.chart.center_time_us()))
                await until(lambda: has_candles_in_view(running) and running.session.joined)
                await asyncio.sleep(0.3)  # what might move it comes with the next renewals
                assert running.chart.view_values() == pytest.approx(kept)
                assert max(places) - min(places) < 1_000_000  # no frame showed another place
                assert len(running.session.series) < 10_000  # of 28,800: nothing in between was loaded
                running.chart.navigator.follow_latest()
                await until(lambda: running.chart.is_following and has_candles_in_view(running))

    run_on_qt_loop(work)


def test_where_there_are_no_candles_the_view_goes_to_the_first_or_to_the_latest(
    qtbot: QtBot, data_dir: Path, tables_url: str
) -> None:
    async def work() -> None:
        async with serving(SimulatedMarket(seed=5)) as server:
            settings = settings_in(data_dir, server.ws_url, server.rest_url, symbols="BTCUSDT", database_url=tables_url)
            keep({"centre us": 1_000_000_000_000_000, "candle px": 20.0}, settings)  # 2001: before its listing
            async with open_window(settings) as running:
                await until(lambda: has_candles_in_view(running))
                assert running.chart.center_time_us() < running.engine.exchange_clock.now_us() - DAY_US
                assert running.chart.view_values()["candle px"] == 20
                there_us = running.engine.exchange_clock.now_us() - 20 * DAY_US
                await until(lambda: running.session.joined)
                await until(lambda: running.engine.database is not None)
                session = running.session
                long_ago = klines_at(session.interval, there_us - 30 * DAY_US)  # the nearest to the place kept below
                running.engine.database.store.save_klines(session.symbol, session.interval, long_ago)
        settings = settings_in(
            data_dir, f"ws://{NOWHERE}", f"http://{NOWHERE}", symbols="BTCUSDT", database_url=tables_url
        )
        keep({"centre us": there_us - DAY_US / 2}, settings)  # not stored, and the exchange is away
        async with open_window(settings) as running:
            await until(lambda: running.chart.is_following)
            await until(lambda: running.engine.database is not None)

    run_on_qt_loop(work)
