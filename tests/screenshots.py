"""
Draws the window in each of its states, for looking at: ``make screenshot``.

Everything shown is real: the recording replayed over a socket with the archive's candles before it, an exchange that
does not answer, a market without a trade, a server that cannot be reached. Pictures go to ``build/screenshots``, or the
folder named; each at 1280x720, and the recording also at 2x and in the light theme. ``--docs`` renews README's.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QDateTime, QPoint, QPointF, Qt, QTimeZone
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu, QWidget

from app.concurrency.system_clock import SystemClock
from app.config.settings import Secret, Settings, load
from app.live.charts.chart_session import SessionState
from app.market.calendar.weekly import forex
from app.market.interval import Interval
from app.market.ports.archive import DAY_US
from app.market.symbol import Symbol
from app.market.units import E8
from app.sandbox.market.simulated import SimulatedMarket
from app.sandbox.oanda.server import ACCOUNT, TOKEN, OandaSandbox
from app.sandbox.oanda.tape import SimulatedTape
from tests.conftest import SHARED_DATA
from tests.end_to_end.helpers import RECORDED_TRADES, RECORDING, Running, open_window, replay, run_on_qt_loop, until
from tests.sandbox.helpers import serving
from tests.sandbox.staged import StagedMarket
from tests.widgets.chart.recorded_week import DAYS, EURUSD, recorded_week
from widgets.chart.chart_widget import ChartWidget
from widgets.chart.interaction.date_entry import DateEntry
from widgets.chart.model.chart_style import ChartStyle, PriceStyle, TimeStyle
from widgets.chart.model.pane_layout import PaneLayout
from widgets.chart.painting.canvas import ChartCanvas
from widgets.chart.progress_chip import ProgressChip
from widgets.chart.scales.value_scale import ScaleMode
from widgets.chart.scales.zones import zone_named
from widgets.dialogs.database_dialog import DatabaseDialog, DialogState
from widgets.dialogs.download_dialog import DownloadDialog, DownloadState
from widgets.dialogs.download_form import Range as DownloadRange
from widgets.dialogs.export.column_chooser import ColumnChip
from widgets.dialogs.export.export_dialog import ExportDialog, ExportState
from widgets.dialogs.export.range_fields import Range
from widgets.dialogs.export.rows_fields import RowKind
from widgets.symbols.symbols_dialog import SymbolsDialog
from widgets.theme.palettes import palette_of
from widgets.theme.style import qt_palette, stylesheet

ARCHIVE = ("archive/BTCUSDT-5m-2024-08.csv.gz",)
QUIET = "ws_raw/cryptofeed_BINANCE.ws.1.0"  # quotes and depth, not one trade
SMALL, LARGE = (1280, 720), (1440, 900)

Scene = Callable[["Shooting"], Coroutine[Any, Any, None]]


class Shooting:
    """One process's work: a folder for data, one for pictures, the theme and the size."""

    def __init__(self, data_dir: Path, pictures: Path, theme: str, size: tuple[int, int], suffix: str) -> None:
        self.data_dir, self.pictures, self.theme, self.size, self.suffix = data_dir, pictures, theme, size, suffix

    def settings(self, **named: Any) -> Settings:
        options = {"data_dir": str(self.data_dir), "theme": self.theme, "symbols": "BTCUSDT", **named}
        return load(options, environment={}, file=self.data_dir / "none.toml")

    async def take(self, running: Running, name: str) -> None:
        running.window.resize(*self.size)
        await asyncio.sleep(1.2)  # the panels' pace, and the loading state's own delay
        picture: QImage = running.window.grab().toImage()
        path = self.pictures / f"{name}{self.suffix}.png"
        assert picture.save(str(path)), path
        print(f"{path.relative_to(self.pictures.parent)}  {picture.width()}x{picture.height()}")

    async def take_dialog(self, widget: QWidget, name: str) -> None:
        """Take what lies over the window by itself."""
        await asyncio.sleep(0.3)
        picture = widget.grab().toImage()
        path = self.pictures / f"{name}{self.suffix}.png"
        assert picture.save(str(path)), path
        print(f"{path.relative_to(self.pictures.parent)}  {picture.width()}x{picture.height()}")


class RecordersClock(SystemClock):
    """A clock that was set, rightly, when the recording began: a window beside today's would call itself years fast."""

    def __init__(self) -> None:
        self._back_us = super().now_us() - 1_723_161_255_200_000  # 2024-08-08 23:54:15.2 UTC by the exchange's

    def now_us(self) -> int:
        return super().now_us() - self._back_us


async def recording(shooting: Shooting) -> None:
    files = [SHARED_DATA / name for name in (*RECORDING, *ARCHIVE)]
    async with serving(replay(files)) as server:
        settings = shooting.settings(
            binance_ws_url=server.ws_url, binance_rest_url=server.rest_url, interval="5m", queue_trades=200_000
        )
        async with open_window(settings, clock=RecordersClock()) as running:
            await until(lambda: running.engine.recorder.trades_received == RECORDED_TRADES, seconds=600)
            await until(lambda: running.session.joined and running.engine.database is not None)
            await until(lambda: running.engine.database.writer.status.queued == 0)
            await shooting.take(running, "recording-5m")
            point(running, 0.62, 0.4)
            for key in ("ema", "vwap"):
                running.chart.indicators.add(key)
            await shooting.take(running, "recording-crosshair")
            for kind in list(PriceStyle)[1:]:
                running.chart.appearance.set_chart_style(ChartStyle(kind, takers=kind is PriceStyle.LINE))
                await shooting.take(running, f"kind-{kind.value.replace(' ', '-')}")
            running.chart.appearance.set_chart_style(ChartStyle(underlaid=True))
            await shooting.take(running, "volume-behind")
            for scale, inverted in ((ScaleMode.LOG, False), (ScaleMode.PERCENT, False), (ScaleMode.LINEAR, True)):
                running.chart.appearance.set_chart_style(ChartStyle(scale_mode=scale, inverted=inverted))
                await shooting.take(running, f"scale-{'inverted' if inverted else scale.value}")
            running.chart.appearance.set_chart_style(ChartStyle())
            running.chart.appearance.set_pane_layout(PaneLayout())
            running.window.interval_requested.emit(Interval.parse("30s"))
            await until(lambda: running.session.joined)
            await shooting.take(running, "recording-30s")
            running.window.open_symbol_picker("b")
            await shooting.take(running, "symbol-picker")
            running.window.symbol_picker.hide()
            running.window.open_interval_entry("13x")
            QTest.keyClick(running.window.interval_entry.edit, Qt.Key.Key_Return)
            await shooting.take(running, "interval-entry")
            running.window.interval_entry.dismiss()
            await moving(shooting, running)


async def moving(shooting: Shooting, running: Running) -> None:
    """What helps to move about: a date that cannot be, a band being drawn, and all keys."""
    running.chart.open_date_entry()
    entry = running.chart.window().findChild(DateEntry)
    QTest.keyClicks(entry.edit, "2024-02-30")
    QTest.keyClick(entry.edit, Qt.Key.Key_Return)
    running.chart.begin_jump("Loading 1 Mar 2024 00:00…")
    await shooting.take(running, "date-entry")
    entry.dismiss()
    running.chart.end_jump("")
    viewport, control = running.chart.findChild(ChartCanvas).viewport(), Qt.KeyboardModifier.ControlModifier
    QTest.mousePress(viewport, Qt.MouseButton.LeftButton, control, QPoint(300, 150))
    QTest.mouseMove(viewport, QPoint(560, 300))
    await shooting.take(running, "band")
    QTest.keyClick(running.chart.focusProxy(), Qt.Key.Key_Escape)
    running.window.keys_overview.toggle()
    await shooting.take(running, "keys")
    running.window.keys_overview.dismiss()


async def studies(shooting: Shooting) -> None:
    files = [SHARED_DATA / name for name in (*RECORDING, *ARCHIVE)]
    async with serving(replay(files)) as server:
        settings = shooting.settings(
            binance_ws_url=server.ws_url, binance_rest_url=server.rest_url, interval="5m", queue_trades=200_000
        )
        async with open_window(settings, clock=RecordersClock()) as running:
            chart, window = running.chart, running.window
            await until(lambda: running.engine.recorder.trades_received == RECORDED_TRADES, seconds=600)
            await until(lambda: running.session.joined and running.engine.database is not None)
            for key in ("ema", "bollinger", "volume-average", "rsi"):
                chart.indicators.add(key)
            point(running, 0.62, 0.4)
            await asyncio.sleep(0.5)  # their first values are there, and older candles on their way
            await until(lambda: not any("—" in text for text in chart.indicators.entry_texts()), seconds=300)
            await shooting.take(running, "indicators")
            chart.indicators.add("vwap")
            chart.indicators.add("macd")
            chart.indicators.add("cvd")
            await shooting.take(running, "indicators-many")
            chart.open_indicators()
            await shooting.take(running, "indicator-picker")
            QTest.keyClick(chart.window().focusWidget(), Qt.Key.Key_Escape)
            for study in chart.indicators.studies[2:]:
                chart.indicators.remove(study.key)
            chart.indicators.open_settings(chart.indicators.studies[0].key)
            await shooting.take(running, "indicator-settings")
            QTest.keyClick(chart.window().focusWidget(), Qt.Key.Key_Escape)
            chart.reading_tools.press_measure(QPointF(chart.width() * 0.3, chart.height() * 0.5), begins=True)
            point(running, 0.6, 0.25)
            chart.reading_tools.release_measure()
            await shooting.take(running, "measure")
            chart.reading_tools.clear_measure()
            chart.appearance.change_time_style(TimeStyle(zone_named("America/New_York"), shaded=True))
            chart.navigator.zoom(0.4)
            chart.open_zone_picker()
            await shooting.take(running, "zone-picker")
            window.setFocus()


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
            running.window.open_symbol_picker("u", adding=True)
            await shooting.take(running, "symbols-adding")
            running.window.symbol_picker.hide()
            running.window.symbols_requested.emit()
            (dialog,) = running.window.findChildren(SymbolsDialog)
            await shooting.take(running, "symbols-behind")
            await shooting.take_dialog(dialog, "symbols")
            dialog.reject()


async def quotes(shooting: Shooting) -> None:
    """A symbol of a broker of quotes: its weekend, the spread, the choice of price, the picker, and the broker away."""
    oanda = OandaSandbox(SimulatedTape(seed=3, prices_per_s=4.0))
    await oanda.start()
    async with serving(SimulatedMarket(seed=5, rate=50)) as server:
        named = shooting.settings(
            binance_ws_url=server.ws_url,
            binance_rest_url=server.rest_url,
            oanda_rest_url=oanda.url,
            oanda_stream_url=oanda.url,
            symbols="oanda:EURUSD,oanda:USDJPY,BTCUSDT",
            interval="15m",
        )
        settings = replace(named, oanda_api_key=Secret(TOKEN), oanda_account_id=Secret(ACCOUNT))
        async with open_window(settings) as running:
            chart, window = running.chart, running.window
            await until(lambda: running.session.joined and running.engine.database is not None)
            chart.appearance.set_chart_style(ChartStyle(spread_band=True))
            chart.appearance_changed.emit()
            controller = running.controller.chart_controller
            await until(lambda: [each for each in controller.spread if len(each.series) > 100 and each.joined][1:])
            await shooting.take(running, "quotes")
            usual, shooting.size = shooting.size, (960, 720)
            await shooting.take(running, "quotes-narrow")
            window.text_percent_requested.emit(200)
            await shooting.take(running, "quotes-large-text")
            window.text_percent_requested.emit(100)
            shooting.size = usual
            await menu_shown(shooting, running, lambda at: chart.open_style_menu(at), "quotes-menu")
            chart.navigator.zoom(8)
            point(running, 0.62, 0.4)
            await shooting.take(running, "quotes-near")
            window.open_symbol_picker("eur")
            await shooting.take(running, "quotes-picker")
            window.symbol_picker.hide()
            window.export_requested.emit()
            (dialog,) = window.findChildren(ExportDialog)
            await shooting.take_dialog(dialog, "quotes-export")
            dialog.reject()
            await oanda.stop()
            await until(lambda: running.engine.status_of("oanda:EURUSD").attempt >= 2, seconds=60)
            await shooting.take(running, "quotes-away")
            window.symbol_requested.emit("BTCUSDT")
            await until(lambda: running.session.joined)
            await shooting.take(running, "quotes-beside")


async def menu_shown(shooting: Shooting, running: Running, open_at: Callable[[QPoint], object], name: str) -> None:
    """Take the window with a menu over it, which is a window of its own."""
    open_at(running.chart.mapToGlobal(QPoint(120, 60)))
    await asyncio.sleep(0.5)
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    await shooting.take_dialog(menu, name)
    menu.close()


async def export(shooting: Shooting) -> None:
    """The export dialog: of one file, of several while it runs and at its end, of gaps, and on a low screen."""
    async with serving(SimulatedMarket(seed=11, rate=50)) as server:
        settings = shooting.settings(
            binance_ws_url=server.ws_url, binance_rest_url=server.rest_url, symbols="BTCUSDT,ETHUSDT"
        )
        async with open_window(settings) as running:
            await until(lambda: running.session.joined and running.engine.database is not None)
            running.chart.pictures.folder.note(shooting.pictures / "candles.csv")
            running.window.export_requested.emit()
            (dialog,) = running.window.findChildren(ExportDialog)
            form = dialog.form
            await until(lambda: dialog.card.rows[0].figure.text())
            await shooting.take_dialog(dialog, "export")
            form.rows.intervals.set_texts(["1h"])
            form.rows.range.buttons[Range.DAY].click()
            form.target.set_path(str(shooting.data_dir / "hours.csv"))
            dialog.foot.start_button.click()
            await until(lambda: dialog.state is ExportState.DONE)
            await shooting.take_dialog(dialog, "export-done")
            dialog.reject()
            running.window.export_requested.emit()
            dialog = running.window.findChildren(ExportDialog)[-1]
            form = dialog.form
            form.rows.symbols.set_texts(["BTC/USDT", "ETH/USDT"])
            form.rows.intervals.set_texts(["1h", "1m"])
            form.rows.range.buttons[Range.YEAR].click()
            form.layout_of_rows.indicators.set_texts(["sma:20", "rsi:14"])
            for chip in form.layout_of_rows.columns.findChildren(ColumnChip)[6:14]:
                chip.click()
            form.layout_of_rows.columns.findChildren(ColumnChip)[4].setFocus()
            folder = shooting.data_dir / "exports"
            form.target.set_path(str(folder))
            await until(lambda: dialog.preview.rowCount())
            await shooting.take_dialog(dialog, "export-several")
            dialog.foot.start_button.click()
            await until(lambda: dialog.foot.pace.text() and "1m" in dialog.foot.outcome.text())
            await shooting.take_dialog(dialog, "export-running")
            dialog.foot.cancel_button.click()
            await until(lambda: dialog.state is ExportState.EDITING)
            form.rows.range.buttons[Range.CHOSEN].click()
            size = dialog.size()
            dialog.resize(min(size.width(), 800), 560)
            await shooting.take_dialog(dialog, "export-low")
            dialog.resize(size)
            form.rows.kinds[RowKind.GAPS].click()
            await shooting.take_dialog(dialog, "export-gaps")
            form.rows.kinds[RowKind.CANDLES].click()
            form.rows.intervals.set_texts(["1s"])
            form.layout_of_rows.format.setCurrentText("Excel")
            await shooting.take_dialog(dialog, "export-too-many")
            dialog.reject()


async def downloads(shooting: Shooting) -> None:
    """The download dialog: before, while, and after two days could not be had; on a small screen it scrolls."""
    market = SimulatedMarket(seed=11, history=timedelta(days=12), rate=2)
    now_us = SystemClock().now_us()
    today_us = now_us - now_us % DAY_US
    async with serving(market) as server:
        settings = shooting.settings(
            binance_ws_url=server.ws_url, binance_rest_url=server.rest_url, archive_url=server.rest_url
        )
        async with open_window(settings) as running:
            await until(lambda: running.session.joined and running.engine.database is not None)
            running.window.download_dialog_requested.emit()
            (dialog,) = running.window.findChildren(DownloadDialog)
            form = dialog.form
            await fetched(dialog, today_us - 6 * DAY_US, today_us - 4 * DAY_US)
            form.symbols.add(["ETHUSDT", "SOLUSDT"])
            form.ranges[DownloadRange.DAYS].click()
            form.days.setValue(9)
            await until(lambda: any("to fetch" in figure for figure in dialog.rows.figures()))
            await shooting.take_dialog(dialog, "download")
            server.faults.archive.misstate_checksum(times=None, path=day_text(today_us - 2 * DAY_US))
            slow = day_text(today_us - 7 * DAY_US)
            server.faults.archive.slow_next(20.0, path=slow, times=None)
            dialog.start_button.click()
            await until(lambda: dialog.progress.value() > 400 and dialog.pace.text(), seconds=120)
            await shooting.take_dialog(dialog, "download-running")
            await shooting.take(running, "download-behind")
            await until(lambda: dialog.state is DownloadState.EDITING, seconds=300)
            await shooting.take_dialog(dialog, "download-done")
            dialog.reject()
            running.chart.download_requested.emit()
            await until(lambda: running.chart.findChild(ProgressChip).text)
            await shooting.take(running, "download-view")


async def fetched(dialog: DownloadDialog, start_us: int, end_us: int) -> None:
    """Download that range by the dialog."""
    dialog.form.ranges[DownloadRange.CHOSEN].click()
    for edit, time_us in ((dialog.form.start, start_us), (dialog.form.end, end_us)):
        edit.setDateTime(QDateTime.fromMSecsSinceEpoch(time_us // 1_000, QTimeZone.utc()))
    dialog.start_button.click()
    await until(lambda: dialog.state is DownloadState.EDITING, seconds=120)


def day_text(time_us: int) -> str:
    return datetime.fromtimestamp(time_us / 1e6, UTC).strftime("%Y-%m-%d")


async def forex_week(shooting: Shooting) -> None:
    """A recorded weekend of forex, which takes no room, and with the room it takes; in a chart by itself."""
    palette = palette_of(shooting.theme, "", system_is_dark=True)
    application = QApplication.instance()
    assert isinstance(application, QApplication)
    application.setPalette(qt_palette(palette))
    application.setStyleSheet(stylesheet(palette))
    chart = ChartWidget()
    chart.resize(*shooting.size)
    chart.set_palette(palette)
    chart.set_calendar(forex())
    chart.show()
    for key in ("ema", "rsi"):
        chart.indicators.add(key)
    for name, zoom in (("1m", 0.5), ("15m", 1.0), ("1h", 2.0)):
        chart.set_series(recorded_week(lambda path: SHARED_DATA / path, Interval.parse(name)), EURUSD)
        chart.navigator.fit()
        chart.navigator.zoom(zoom)
        await shooting.take_dialog(chart, f"forex-{name}")
    chart.appearance.set_time_style(TimeStyle(shows_closed=True))
    await shooting.take_dialog(chart, "forex-closed-time")
    chart.close()
    chart.deleteLater()


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


async def database(shooting: Shooting) -> None:
    files = [SHARED_DATA / name for name in (*RECORDING, *ARCHIVE)]
    async with serving(replay(files)) as server:
        settings = shooting.settings(
            binance_ws_url=server.ws_url, binance_rest_url=server.rest_url, interval="5m", queue_trades=200_000
        )
        async with open_window(settings, clock=RecordersClock()) as running:
            await until(lambda: running.engine.recorder.trades_received == RECORDED_TRADES, seconds=600)
            await until(lambda: running.session.joined and running.engine.database is not None)
            await until(lambda: running.engine.database.writer.status.queued == 0)
            dialog = await opened(running)
            dialog.test_button.click()
            await until(lambda: dialog.state is DialogState.EDITING)
            await shooting.take_dialog(dialog, "database-embedded")
            dialog.form.local.click()
            dialog.form.port.setText("9")  # nothing listens there
            dialog.apply_button.click()
            await until(lambda: dialog.state is DialogState.EDITING)
            await shooting.take_dialog(dialog, "database-away")
            dialog.form.host.setText(
                "postgresql://recorder@db.example.org/trades?sslmode=verify-full&sslrootcert=system"
            )
            dialog.form.host.editingFinished.emit()
            await shooting.take_dialog(dialog, "database-server")
            dialog.reject()
            running.window.top_bar.menu_button.menu().popup(
                running.window.top_bar.menu_button.mapToGlobal(running.window.top_bar.menu_button.rect().bottomLeft())
            )
            await shooting.take_dialog(running.window.top_bar.menu_button.menu(), "menu")
            running.window.top_bar.menu_button.menu().hide()
        async with open_window(settings, simulated=True) as running:
            await until(lambda: running.engine.database is not None)
            dialog = await opened(running)
            await shooting.take_dialog(dialog, "database-simulated")
            dialog.reject()


async def opened(running: Running) -> DatabaseDialog:
    """The database dialog over the window."""
    running.window.database_requested.emit()
    (dialog,) = running.window.findChildren(DatabaseDialog)
    await asyncio.sleep(0.3)
    return dialog


def point(running: Running, x: float, y: float) -> None:
    """Hold the crosshair there, as shares of the chart."""
    chart = running.chart
    chart.reading_tools.point_at(QPointF(chart.width() * x, chart.height() * y))


SCENES: dict[str, Scene] = {
    "recording": recording,
    "loading": loading,
    "empty": empty,
    "forex": forex_week,
    "error": error,
    "database": database,
    "diagnostics": diagnostics,
    "export": export,
    "downloads": downloads,
    "studies": studies,
    "symbols": symbols,
    "quotes": quotes,
}
RUNS = [  # theme, scale, size, scenes
    (
        "dark",
        "1",
        SMALL,
        ("recording", "export", "loading", "empty", "error", "database", "diagnostics", "forex", "quotes"),
    ),
    ("dark", "2", SMALL, ("recording", "error", "database", "diagnostics", "studies", "symbols", "downloads")),
    ("light", "1", LARGE, ("recording", "empty", "database", "diagnostics", "studies", "symbols", "downloads")),
    ("light", "2", SMALL, ("recording", "export", "database", "diagnostics", "studies", "symbols", "forex", "quotes")),
    ("dark", "1.5", SMALL, ("recording",)),
    ("dark", "1", LARGE, ("recording", "studies", "symbols")),
]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "screenshots")
    parser.add_argument("--docs", action="store_true", help="renew the picture in README")
    parser.add_argument("--run", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.run:
        return shoot(options.out, *options.run)
    ticks = [f"oanda/eurusd_tick_{day}.zip" for day in DAYS]
    missing = [name for name in (*RECORDING, *ARCHIVE, QUIET, *ticks) if not (SHARED_DATA / name).exists()]
    if missing:
        print(f"skipped: the recordings {', '.join(missing)} are not at {SHARED_DATA}")
        return 0
    for theme, scale, (width, height), scenes in RUNS:
        for scene in scenes:
            command = [sys.executable, __file__, "--out", str(options.out), "--run"]
            subprocess.run(
                [*command, scene, theme, str(width), str(height), scale],
                env={**os.environ, "QT_SCALE_FACTOR": scale},
                check=True,
                timeout=900,
            )
    if options.docs:
        for theme in ("dark", "light"):
            taken = options.out / f"indicators-{theme}-1440x900@1.png"
            (ROOT / "docs").mkdir(exist_ok=True)
            (ROOT / "docs" / f"window-{theme}.png").write_bytes(taken.read_bytes())
    return 0


def shoot(pictures: Path, scene: str, theme: str, width: str, height: str, scale: str) -> int:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        shooting = Shooting(
            Path(folder) / "data", pictures, theme, (int(width), int(height)), f"-{theme}-{width}x{height}@{scale}"
        )
        run_on_qt_loop(lambda: SCENES[scene](shooting))
    return 0


if __name__ == "__main__":
    sys.exit(main())
