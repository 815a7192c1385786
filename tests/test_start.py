"""What a start waits for and what it does not: packages that no window needs, the database, the exchange."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from app.config.settings import load
from app.market.errors import StoreUnavailable
from app.market.interval import Interval
from app.market.trade import Trade
from app.market.units import E8
from app.runtime.early_open import EarlyOpen
from storage.database import Database
from tests.end_to_end.helpers import open_window, run_on_qt_loop, until
from tests.program import set_surroundings, silent_server

# Loaded where it is used: the window opens without.
NOT_AT_THE_START = {
    "aiohttp.web",
    "app.commands.collect",
    "app.window.database_controller",
    "app.sandbox.server.server",
    "click",
    "exchange_calendars",
    "keyring",
    "obstore",
    "prometheus_client",
    "psycopg",
    "rich",
    "storage.database",
    "talib",
    "tomlkit",
}

# Loaded when a symbol with quotes is wanted.
OF_QUOTES = {
    "app.brokers.dukascopy",
    "app.brokers.oanda",
    "app.market.calendar.weekly",
    "app.market.quotes.tick_columns",
    "exchange_calendars",
    "pandas",
    "storage.quotes.tick_candle_reader",
    "storage.quotes.tick_ledger",
    "storage.sides.session_keeper",
    "storage.sides.side_store",
}

# Loaded when there are alerts.
OF_ALERTS = {
    "app.live.alerts.trouble_keeper",
    "app.market.alerts.alert",
    "app.window.alerts",
    "desktop_notifier",
    "storage.alerts.alert_rows",
    "widgets.alerts.alert_list",
    "widgets.alerts.alerts_dialog",
    "widgets.chart.alert_lines",
}

# Loaded with the second chart.
OF_SEVERAL_CHARTS = {"app.window.workspace", "widgets.workspace"}

# Loaded when a dialog opens.
OF_DIALOGS = {
    "app.brokers.binance.archive",
    "app.live.transfers",
    "app.market.columns.gap_columns",
    "app.market.ports.loading",
    "app.market.ports.row_files",
    "pyarrow",
    "storage.candles.stored_symbols",
    "storage.files",
    "storage.integrity.gap_report",
    "storage.lake.lake",
    "storage.loading",
    "widgets.dialogs.download_dialog",
    "widgets.dialogs.export",
    "widgets.dialogs.import_dialog",
    "widgets.palette.command_palette",
    "widgets.palette.keys_dialog",
    "widgets.symbols.stored_symbols_dialog",
}

# Says what is loaded for candles to be recorded and painted.
WHEN_PAINTING = """
import json, sys
import app.main, app.runtime.wiring, app.window.window_controller, storage.database
print(json.dumps(sorted(sys.modules)))
"""

# Says what is loaded as the engine starts, and ends there.
WHEN_LOADED = """
import gc, json, os, sys
import app.main as program
import app.runtime.wiring as wiring
def loaded(*_, **__):
    print(json.dumps([sorted(sys.modules), gc.isenabled(), gc.get_freeze_count()]), flush=True)
    os._exit(0)
wiring.engine_for = loaded
sys.exit(program.main(["--demo"]))
"""

# Says what is loaded as the database begins to be opened, and ends there.
WHEN_OPENING = """
import json, os, sys
import app.main as program
def opening(open_database):
    print(json.dumps(sorted(sys.modules)), flush=True)
    os._exit(0)
program.EarlyOpen = opening
sys.exit(program.main([]))
"""


@pytest.fixture
def _surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, data_dir: Path) -> None:
    set_surroundings(monkeypatch, tmp_path, data_dir)
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")


def printed_by(script: str) -> Any:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done
    return json.loads(done.stdout)


@pytest.mark.usefixtures("_surroundings")
def test_a_start_loads_no_package_that_the_window_does_not_need_and_runs_no_garbage_collection() -> None:
    modules, collecting, frozen = printed_by(WHEN_LOADED)
    assert {"PySide6.QtWidgets", "app.runtime.wiring", "widgets.window.main_window"} <= set(modules)
    assert NOT_AT_THE_START.isdisjoint(modules)
    assert not collecting
    assert frozen > 50_000


@pytest.mark.usefixtures("_surroundings")
def test_candles_are_recorded_and_painted_without_what_the_dialogs_need() -> None:
    modules = set(printed_by(WHEN_PAINTING))
    assert "app.window.watchlist_controller" in modules
    assert OF_DIALOGS.isdisjoint(modules)
    assert OF_SEVERAL_CHARTS.isdisjoint(modules)


@pytest.mark.usefixtures("_surroundings")
def test_trades_are_recorded_and_painted_without_what_quotes_need() -> None:
    modules = set(printed_by(WHEN_PAINTING))
    assert OF_QUOTES.isdisjoint(modules)


@pytest.mark.usefixtures("_surroundings")
def test_trades_are_recorded_and_painted_without_what_alerts_need() -> None:
    modules = set(printed_by(WHEN_PAINTING))
    assert "app.live.alerts.alert_keeper" in modules
    assert OF_ALERTS.isdisjoint(modules)


@pytest.mark.usefixtures("_surroundings")
def test_the_database_begins_to_open_before_the_window_is_loaded() -> None:
    modules = set(printed_by(WHEN_OPENING))
    assert "app.runtime.early_open" in modules
    assert {"PySide6", "pyqtgraph", "numpy", "app.window.window_controller"}.isdisjoint(modules)


class FakeDatabase:
    """Notes whether it was closed."""

    def __init__(self) -> None:
        self.closed = False

    def close(self, timeout_s: float = 0.0) -> bool:
        self.closed = True
        return True


def test_the_database_opened_early_is_handed_out_once_and_left_to_its_owner() -> None:
    opened: list[Any] = []

    def open_database() -> Any:
        opened.append(FakeDatabase())
        return opened[-1]

    early_open = EarlyOpen(open_database)
    assert early_open.open() is opened[0]
    assert early_open.open() is opened[1]  # tried again, as after a failure
    early_open.discard()
    assert [one.closed for one in opened] == [False, False]


def test_a_database_opened_early_and_never_used_is_closed() -> None:
    release, database = threading.Event(), FakeDatabase()

    def open_database() -> Any:
        assert release.wait(20)
        return database

    early_open = EarlyOpen(open_database)
    threading.Timer(0.05, release.set).start()
    early_open.discard()
    assert database.closed
    early_open.discard()


def test_a_database_that_opens_after_the_shutdown_has_begun_is_closed_all_the_same(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    release, closed, database = threading.Event(), threading.Event(), FakeDatabase()
    monkeypatch.setattr("app.runtime.early_open._CLOSE_S", 0.01)
    monkeypatch.setattr(database, "close", lambda _: closed.set())

    def open_database() -> Any:
        assert release.wait(20)
        return database

    with caplog.at_level(logging.INFO, "app.runtime.early_open"):
        EarlyOpen(open_database).discard()
    assert "takes too long to open" in caplog.text
    assert not closed.is_set()
    release.set()
    assert closed.wait(20)


def test_a_failure_of_the_early_open_is_raised_by_open_and_logged_by_discard(caplog: pytest.LogCaptureFixture) -> None:
    def open_database() -> Any:
        raise StoreUnavailable("It is away.")

    with pytest.raises(StoreUnavailable, match=r"It is away\."):
        EarlyOpen(open_database).open()
    with caplog.at_level(logging.INFO, "app.runtime.early_open"):
        EarlyOpen(open_database).discard()
    assert "the database opened early was not used, and failed: It is away." in caplog.text


def test_the_age_of_the_process_is_known_to_some_hundredths_of_a_second() -> None:
    script = "import sys, time, app.main; time.sleep(0.3); print(app.main.process_age_s(), time.time())"
    began_s = time.time()
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    age_s, now_s = map(float, done.stdout.split())
    assert 0.3 < age_s <= now_s - began_s + 0.02


def test_stored_candles_are_painted_while_the_exchange_keeps_silent(qtbot: QtBot, data_dir: Path) -> None:
    minute_us = Interval.parse("1m").length_us
    now_us = time.time_ns() // 1000 // minute_us * minute_us
    trades = [
        Trade("BTCUSDT", number, now_us - (300 - number) * minute_us, (100 + number % 9) * E8, E8, number % 2 == 0)
        for number in range(300)
    ]
    database = Database.open(None, data_dir)
    assert database.writer.put(trades)
    assert database.close()

    async def work() -> None:
        with silent_server() as exchange:
            given = {
                "data_dir": str(data_dir),
                "symbols": "BTCUSDT",
                "binance_ws_url": f"ws://{exchange.address}",
                "binance_rest_url": f"http://{exchange.address}",
            }
            settings = load(given, environment={}, file=data_dir / "none.toml")
            async with open_window(settings) as running:
                painted: list[bool] = []
                running.controller.first_painted.connect(lambda: painted.append(True))
                await until(lambda: painted)
                session = running.session
                assert session is not None
                assert not session.joined
                assert not running.engine.is_clock_measured
                assert exchange.connections
                assert session.series.bar(len(session.series) - 1).open_time_us >= now_us - 2 * minute_us
                assert running.chart.accessibleDescription() == "BTCUSDT, 1m"  # not even what the symbol is of is known

    run_on_qt_loop(work)
