"""A window on the simulated market."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.sandbox.market.simulated import SimulatedMarket
from tests.end_to_end.helpers import open_window, run_on_qt_loop, settings_in, until
from tests.sandbox.helpers import serving
from tests.window.playing import Play, Scene, shown


@pytest.fixture
def play(qtbot: QtBot, data_dir: Path) -> Play:
    """Run a scene in a window on the simulated market, both on the loop of the program."""

    def run(scene: Scene) -> None:
        async def work() -> None:
            async with serving(SimulatedMarket(seed=5)) as server:
                settings = settings_in(data_dir, server.ws_url, server.rest_url, symbols="BTCUSDT,ETHUSDT,SOLUSDT")
                async with open_window(settings, simulated=False) as running:
                    await until(lambda: shown(running))
                    await scene(running, server)

        run_on_qt_loop(work)

    return run
