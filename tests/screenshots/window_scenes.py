"""Scenes of the window around the chart: lists of symbols, diagnostics, and what it says while there is no candle."""

from __future__ import annotations

import asyncio
import logging

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from app.live.charts.chart_session import SessionState
from app.market.symbol import Symbol
from app.market.units import E8
from app.sandbox.market.simulated import SimulatedMarket
from tests.conftest import SHARED_DATA
from tests.end_to_end.helpers import RECORDING, open_window, replay, until
from tests.sandbox.helpers import serving
from tests.sandbox.staged import StagedMarket
from tests.screenshots.shooting import Shooting, recorded_window
from widgets.keys import current_keys
from widgets.palette.key_rows import KeyFilter
from widgets.symbols.symbols_dialog import SymbolsDialog
from widgets.theme import text_size

CTRL_SHIFT = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
QUIET = "ws_raw/cryptofeed_BINANCE.ws.1.0"  # quotes and depth, not one trade


async def symbols(shooting: Shooting) -> None:
    names = ("BTC", "ETH", "SOL", "LUNA", "XRP", "ADA")
    market = StagedMarket([Symbol(f"{name}USDT", name, "USDT", E8 // 100, 1000) for name in names])
    async with serving(market) as server:
        settings = shooting.settings(
            binance_ws_url=server.ws_url,
            binance_rest_url=server.rest_url,
            symbols=",".join(f"{name}USDT" for name in names[:5]),
        )
        for at, name in enumerate(names):
            market.trade(f"{name}USDT", (at + 1) * 40 * E8, count=20)
        market.set_status("SOLUSDT", "BREAK")
        market.delist("LUNAUSDT")
        async with open_window(settings) as running:
            await until(lambda: running.engine.database is not None)
            await shooting.take(running, "symbols-halted")
            running.window.choosers.open_picker("u", adding=True)
            await shooting.take(running, "symbols-adding")
            running.window.symbol_picker.hide()
            running.window.requests.symbols_requested.emit()
            (dialog,) = running.window.findChildren(SymbolsDialog)
            await shooting.take(running, "symbols-behind")
            await shooting.take_dialog(dialog, "symbols")
            dialog.reject()


async def diagnostics(shooting: Shooting) -> None:
    async with serving(SimulatedMarket(seed=11, rate=300)) as server:
        settings = shooting.settings(
            binance_ws_url=server.ws_url, binance_rest_url=server.rest_url, symbols="BTCUSDT,ETHUSDT", metrics_port=9464
        )
        async with open_window(settings) as running:
            logging.getLogger().setLevel(logging.INFO)
            running.window.toggle_diagnostics()
            await shooting.take(running, "diagnostics-empty")
            await until(lambda: running.session.joined and running.engine.database is not None)
            logging.getLogger("app.live.recording.recorder").warning("BTCUSDT: 204 trades missing before id 3721")
            logging.getLogger("app.live.recording.database_keeper").error(
                "no database: The server at 127.0.0.1:9 cannot be reached."
            )
            await asyncio.sleep(20)
            await shooting.take(running, "diagnostics")
            running.window.diagnostics.log.filter.setText("btcusdt")
            running.window.diagnostics.log.level.setCurrentIndex(2)
            await shooting.take(running, "diagnostics-filtered")


async def loading(shooting: Shooting) -> None:
    files = [SHARED_DATA / name for name in RECORDING]
    async with serving(replay(files, 1.0)) as server:
        server.faults.rest.hang_next(3.0, times=None)
        settings = shooting.settings(binance_ws_url=server.ws_url, binance_rest_url=server.rest_url)
        async with open_window(settings) as running:
            await shooting.take(running, "loading")


async def empty(shooting: Shooting) -> None:
    async with serving(replay([SHARED_DATA / QUIET], 1.0)) as server:
        settings = shooting.settings(binance_ws_url=server.ws_url, binance_rest_url=server.rest_url, symbols="NKNUSDT")
        async with open_window(settings) as running:
            await until(lambda: running.session.state is SessionState.EMPTY)
            await shooting.take(running, "empty")


async def error(shooting: Shooting) -> None:
    away = "127.0.0.1:9"
    settings = shooting.settings(
        binance_ws_url=f"ws://{away}", binance_rest_url=f"http://{away}", postgres_bin=str(shooting.data_dir / "none")
    )
    async with open_window(settings) as running:
        await until(lambda: running.engine.feed.status.attempt >= 2)
        await shooting.take(running, "error")


async def commands(shooting: Shooting) -> None:
    """The command palette, and the dialog of keys: a clash, changed keys, and both at 200 % text."""
    async with recorded_window(shooting) as running:
        window, access = running.window, running.window.command_access
        window.restore_layout_values({"palette": {"used": ["export", "fit", "indicators"]}})
        access.open_palette()
        await shooting.take(running, "palette")
        access.palette.edit.setText("exp")
        await shooting.take(running, "palette-typed")
        access.palette.edit.setText("pane")
        QTest.keyClick(access.palette.edit, Qt.Key.Key_Down)
        await shooting.take(running, "palette-reason")
        access.palette.edit.setText("xyz")
        await shooting.take(running, "palette-none")
        access.palette.dismiss()
        current_keys.assign("measure", ("F7",))
        current_keys.assign("log", ())
        access.open_keys("spread_band")
        await asyncio.sleep(0.3)
        dialog = access.keys_dialog
        await shooting.take_dialog(dialog, "keys-listening")
        QTest.keyClick(dialog.editor.listener, Qt.Key.Key_S, Qt.KeyboardModifier.AltModifier)
        await shooting.take_dialog(dialog, "keys-clash")
        dialog.editor.listen()
        QTest.keyClick(dialog.editor.listener, Qt.Key.Key_A)
        await shooting.take_dialog(dialog, "keys-refused")
        dialog.filters[KeyFilter.CHANGED].click()
        await shooting.take_dialog(dialog, "keys-changed")
        dialog.reject()
        window.keys_overview.toggle()
        await shooting.take(running, "keys-overview")
        window.keys_overview.dismiss()
        text_size.set_percent(200)
        access.open_palette()
        access.palette.edit.setText("pane")
        await shooting.take(running, "palette-large")
        access.palette.dismiss()
        access.open_keys("spread_band")
        await asyncio.sleep(0.3)
        QTest.keyClick(dialog.editor.listener, Qt.Key.Key_Up, CTRL_SHIFT)
        await shooting.take_dialog(dialog, "keys-large")
        dialog.reject()
        current_keys.put_back_all()
