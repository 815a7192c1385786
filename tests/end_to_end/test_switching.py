"""Switches of symbol and interval while the former is under way: each is painted, on a real database and exchange."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.sandbox.market.simulated import SimulatedMarket
from tests.depth import repeats
from tests.end_to_end.helpers import open_window, run_on_qt_loop, settings_in, until
from tests.end_to_end.switching import Switcher, assert_shows_what_it_would_paint
from tests.sandbox.helpers import serving

SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
TURNS, COMPARED_EVERY = repeats(15, deep=30), 5
DAY_US = 86_400_000_000


@pytest.mark.parametrize("seed", [1])
def test_every_switch_is_painted_however_quickly_they_follow_each_other(
    qtbot: QtBot, data_dir: Path, tables_url: str, seed: int
) -> None:
    async def work() -> None:
        async with serving(SimulatedMarket(seed=5, history=timedelta(days=5), rate=200.0)) as server:
            settings = settings_in(
                data_dir, server.ws_url, server.rest_url, symbols=",".join(SYMBOLS), database_url=tables_url
            )
            async with open_window(settings) as running:
                await until(lambda: running.engine.database is not None and running.session.joined)
                switcher = Switcher(running, SYMBOLS, seed=seed, back_us=3 * DAY_US)
                for turn in range(TURNS):
                    await switcher.turn()
                    if turn % COMPARED_EVERY == 0:
                        await assert_shows_what_it_would_paint(running)
                switcher.stop()

    run_on_qt_loop(work)
