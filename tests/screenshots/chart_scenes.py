"""Scenes of the chart: its styles, indicators, ways to move about, closed time, and quotes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from math import sin
from typing import Any
from uuid import uuid4

from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu

from app.config.settings import Secret
from app.market.calendar.weekly import forex
from app.market.drawings.drawing import Anchor, Dash, Drawing, DrawingKind, Extend
from app.market.interval import Interval
from app.market.series.series import CandleSeries
from app.sandbox.market.simulated import SimulatedMarket
from app.sandbox.oanda.server import ACCOUNT, TOKEN, OandaSandbox
from app.sandbox.oanda.tape import SimulatedTape
from tests.conftest import SHARED_DATA
from tests.end_to_end.helpers import Running, move_mouse, open_window, until
from tests.sandbox.helpers import serving
from tests.screenshots.shooting import Shooting, point, recorded_window
from tests.widgets.chart.recorded_week import EURUSD, recorded_week
from widgets.chart.chart_widget import ChartWidget
from widgets.chart.drawings.editing import usual_style
from widgets.chart.model.chart_style import ChartStyle, PriceStyle, TimeStyle
from widgets.chart.model.pane_layout import PaneLayout
from widgets.chart.painting.canvas import ChartCanvas
from widgets.chart.popups.date_entry import DateEntry
from widgets.chart.scales.value_scale import ScaleMode
from widgets.chart.scales.zones import zone_named
from widgets.dialogs.export.export_dialog import ExportDialog
from widgets.theme.palettes import palette_of
from widgets.theme.style import qt_palette, stylesheet


async def recording(shooting: Shooting) -> None:
    async with recorded_window(shooting) as running:
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
        running.window.requests.interval_requested.emit(Interval.parse("30s"))
        await until(lambda: running.session.joined)
        await shooting.take(running, "recording-30s")
        running.window.choosers.open_picker("b")
        await shooting.take(running, "symbol-picker")
        running.window.symbol_picker.hide()
        running.window.choosers.open_entry("13x")
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
    move_mouse(viewport, QPoint(560, 300), Qt.MouseButton.LeftButton)
    await shooting.take(running, "band")
    QTest.keyClick(running.chart.focusProxy(), Qt.Key.Key_Escape)
    running.window.keys_overview.toggle()
    await shooting.take(running, "keys")
    running.window.keys_overview.dismiss()


async def studies(shooting: Shooting) -> None:
    async with recorded_window(shooting) as running:
        chart, window = running.chart, running.window
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
            window.requests.text_percent_requested.emit(200)
            await shooting.take(running, "quotes-large-text")
            window.requests.text_percent_requested.emit(100)
            shooting.size = usual
            await menu_shown(shooting, running, chart.open_style_menu, "quotes-menu")
            await menu_shown(shooting, running, partial(right_click, chart), "quotes-context-menu")
            chart.navigator.zoom(8)
            point(running, 0.62, 0.4)
            await shooting.take(running, "quotes-near")
            window.choosers.open_picker("eur")
            await shooting.take(running, "quotes-picker")
            window.symbol_picker.hide()
            window.requests.export_requested.emit()
            (dialog,) = window.findChildren(ExportDialog)
            await shooting.take_dialog(dialog, "quotes-export")
            dialog.reject()
            await oanda.stop()
            await until(lambda: running.engine.status_of("oanda:EURUSD").attempt >= 2, seconds=60)
            await shooting.take(running, "quotes-away")
            window.requests.symbol_requested.emit("BTCUSDT")
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


def right_click(chart: ChartWidget, at: QPoint) -> None:
    """Ask for the menu of what is there on the screen."""
    viewport = chart.findChild(ChartCanvas).viewport()
    QApplication.sendEvent(viewport, QContextMenuEvent(QContextMenuEvent.Reason.Mouse, viewport.mapFromGlobal(at), at))


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


async def drawings(shooting: Shooting) -> None:
    """Every kind of drawing, one of them chosen, the list of them, a group of tools, and a logarithmic axis."""
    async with recorded_window(shooting) as running:
        chart, window, series = running.chart, running.window, running.chart.series
        made = every_drawing(series)
        running.engine.drawings.put(*made)
        await until(lambda: len(chart.drawings.drawings) == len(made))
        window.side_panel.pages.show_page(window.side_panel.drawings)
        await shooting.take(running, "drawings")
        chart.drawings.choose(made[0].id)
        await shooting.take(running, "drawing-chosen")
        chart.drawings.take_tool(DrawingKind.RECTANGLE)
        window.tool_strip.groups[0].customContextMenuRequested.emit(QPoint(20, 8))
        await shooting.take(running, "drawing-tools")
        QApplication.activePopupWidget().close()
        chart.drawings.take_tool(None)
        chart.appearance.set_chart_style(ChartStyle(scale_mode=ScaleMode.LOG, underlaid=True))
        chart.navigator.zoom(0.4)
        await shooting.take(running, "drawings-log")


def every_drawing(series: CandleSeries) -> list[Drawing]:
    """One drawing of each kind, beside each other over the newest candles."""
    opens, closes, last = series.column("open_time_us"), series.column("close"), len(series) - 1
    half_us = series.interval.length_us // 2

    def at(back: int, by: float = 0.0) -> Anchor:
        return Anchor(int(opens[last - back]) + half_us, round(float(closes[last - back]) * (1 + by / 100), 2))

    wave = [at(98 - step, -1.2 + 0.25 * sin(step / 1.5)) for step in range(16)]
    rows: list[tuple[DrawingKind, Sequence[Anchor], str, dict[str, Any]]] = [
        (DrawingKind.TREND_LINE, (at(118, -0.3), at(72, -0.3)), "", {}),
        (DrawingKind.RAY, (at(60, -0.6), at(40, -0.4)), "", {}),
        (DrawingKind.ARROW, (at(30, 1.3), at(20, 0.3)), "", {}),
        (DrawingKind.HORIZONTAL_LINE, (at(70, 1.6),), "Old high", {}),
        (DrawingKind.VERTICAL_LINE, (at(84),), "", {"dash": Dash.DASHED}),
        (DrawingKind.RECTANGLE, (at(112, 1.4), at(90, 0.9)), "Supply, 14 Nov", {}),
        (DrawingKind.PARALLEL_CHANNEL, (at(66, -0.5), at(46, -0.5), at(60, 0.5)), "", {}),
        (DrawingKind.FIBONACCI_RETRACEMENT, (at(40, -0.9), at(16, 0.9)), "", {}),
        (DrawingKind.FIBONACCI_EXTENSION, (at(116, -1.4), at(108, -0.9), at(104, -1.2)), "", {"extend": Extend.NONE}),
        (DrawingKind.REGRESSION_CHANNEL, (at(34), at(4)), "", {}),
        (DrawingKind.PRICE_RANGE, (at(56, -1.3), at(48, -0.5)), "", {}),
        (DrawingKind.TEXT, (at(80, 1.2),), "Range", {}),
        (DrawingKind.NOTE, (at(76, 0.2),), "Leg 1: +2.7 % on\nrising taker buys", {}),
        (DrawingKind.FREEHAND, wave, "", {}),
    ]
    return [
        Drawing(
            str(uuid4()), series.symbol, kind, tuple(anchors), replace(usual_style(kind), **style), text, order=number
        )
        for number, (kind, anchors, text, style) in enumerate(rows, 1)
    ]
