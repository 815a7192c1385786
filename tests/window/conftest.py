"""A window on the simulated market, and one on a loopback OANDA beside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.config.settings import Secret
from app.sandbox.market.simulated import SimulatedMarket
from app.sandbox.oanda.server import ACCOUNT, TOKEN, OandaSandbox
from app.sandbox.oanda.tape import SimulatedTape
from tests.end_to_end.helpers import open_window, run_on_qt_loop, settings_in, until
from tests.sandbox.helpers import serving
from tests.window.playing import Play, PlayQuotes, QuoteScene, Scene, shown


@pytest.fixture
def play(qtbot: QtBot, data_dir: Path, tables_url: str) -> Play:
    """Run a scene in a window on the simulated market, both on the loop of the program."""

    def run(scene: Scene) -> None:
        async def work() -> None:
            async with serving(SimulatedMarket(seed=5)) as server:
                settings = settings_in(
                    data_dir,
                    server.ws_url,
                    server.rest_url,
                    database_url=tables_url,
                    symbols="BTCUSDT,ETHUSDT,SOLUSDT",
                )
                async with open_window(settings, simulated=False) as running:
                    await until(lambda: shown(running))
                    await scene(running, server)

        run_on_qt_loop(work)

    return run


@pytest.fixture
def play_quotes(qtbot: QtBot, data_dir: Path, tables_url: str) -> PlayQuotes:
    """Run a scene in a window on EUR/USD of a loopback OANDA, whose market is always open, and on Binance beside it."""

    def run(scene: QuoteScene, token: str = TOKEN) -> None:
        async def work() -> None:
            oanda = OandaSandbox(SimulatedTape(seed=3, prices_per_s=8.0, always_open=True), heartbeat_s=1.0)
            await oanda.start()
            async with serving(SimulatedMarket(seed=5, rate=50)) as server:
                named = settings_in(
                    data_dir,
                    server.ws_url,
                    server.rest_url,
                    oanda_rest_url=oanda.url,
                    oanda_stream_url=oanda.url,
                    database_url=tables_url,
                    symbols="oanda:EURUSD,BTCUSDT",
                    interval="1m",
                )
                settings = replace(named, oanda_api_key=Secret(token), oanda_account_id=Secret(ACCOUNT))
                async with open_window(settings) as running:
                    await scene(running, oanda)
            await oanda.stop()

        run_on_qt_loop(work)

    return run
