"""Scenes of several charts: a grid of four with drawings, compare and a firing alert; one chart with all the room."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from PySide6.QtCore import QPointF
from PySide6.QtWidgets import QMenu

from app.concurrency.background import in_background
from app.market.alerts.alert import Repeat
from app.market.alerts.language import read_rule
from app.market.alerts.stored_alert import NewAlert
from app.market.drawings.drawing import Anchor, Drawing, DrawingKind
from app.market.interval import Interval
from app.market.series.series import CandleSeries
from app.sandbox.market.simulated import SimulatedMarket
from app.window.charts.open_charts import OpenChart
from tests.end_to_end.helpers import Running, open_window, until
from tests.sandbox.helpers import serving
from tests.screenshots.shooting import Shooting
from widgets.chart.drawings.editing import usual_style


async def workspace(shooting: Shooting) -> None:
    async with serving(SimulatedMarket(seed=11, rate=100, history=timedelta(days=5))) as server:
        settings = shooting.settings(
            binance_ws_url=server.ws_url,
            binance_rest_url=server.rest_url,
            symbols="BTCUSDT,ETHUSDT,SOLUSDT,BNBUSDT,XRPUSDT",
            interval="15m",
        )
        async with open_window(settings) as running:
            await until(lambda: running.engine.database is not None and running.session.joined)
            first, _, third, _ = await four_charts(running)
            running.controller.alerts.announcer.notifications.problem = "These are pictures."
            running.window.resize(*shooting.size)
            await until(lambda: third.chart.last_price is not None and len(first.chart.series) > 80)
            drawings = some_drawings(first.chart.series)
            running.engine.drawings.put(*drawings)
            await until(lambda: len(first.chart.drawings.drawings) == len(drawings))
            first.chart.drawings.choose(drawings[0].id)
            panel = running.window.side_panel
            panel.pages.show_page(panel.drawings)
            await add_alerts(running, third)
            await until(lambda: running.window.toasts.shown, seconds=60)
            pane = first.chart._scene.layout.panes
            first.chart.reading_tools.point_at(QPointF(pane.width() * 0.6, pane.height() * 0.5))
            await shooting.take(running, "workspace")
            shown = running.controller.workspace
            shown.menus.open_links(first)
            menu = next(each for each in running.window.findChildren(QMenu) if each.isVisible())
            await shooting.take_dialog(menu, "workspace-links")
            menu.close()
            compared = next(one for one in running.controller.charts.all if one.controller.compared)
            shown.maximise(compared)
            await shooting.take(running, "workspace-compare")


async def four_charts(running: Running) -> list[OpenChart]:
    """Four charts in two groups, the second one compared, in the first of four workspaces; once all have candles."""
    shown, charts = running.controller.workspace, running.controller.charts
    shown.arrange(4, 2)
    first, second, third, fourth = charts.all
    for one, name, interval in (
        (second, "BTCUSDT", "15m"),
        (third, "ETHUSDT", "5m"),
        (fourth, "ETHUSDT", "1h"),
    ):
        running.controller.show_on(one, name, Interval.parse(interval))
    for one, group in ((first, 1), (second, 1), (third, 2), (fourth, 2)):
        shown.links.put_into(one, group)
    third.chart.indicators.add("ema", {"period": 20})
    fourth.chart.indicators.add("bollinger")
    fourth.chart.indicators.add("rsi")
    shown.compare(second, ("ETHUSDT", "SOLUSDT", "BNBUSDT", "XRPUSDT"))
    for name in ("Majors", "Swing", "Night watch"):
        shown.run("duplicate_workspace")
        shown.switcher.rename(shown.switcher.shown, name)
    shown.switcher.show(0)
    shown.switcher.rename(0, "Morning")
    await until(lambda: all(one.controller.session.joined for one in charts.all))
    return list(charts.all)


def some_drawings(series: CandleSeries) -> list[Drawing]:
    """Return a few drawings over the newest candles, the first one to be chosen."""
    opens, highs, lows = (series.column(name) for name in ("open_time_us", "high", "low"))
    half_us, last = series.interval.length_us // 2, len(series) - 1
    high, low = float(highs[-76:].max()), float(lows[-76:].min())

    def at(back: int, share: float) -> Anchor:
        """Return the anchor that many candles ago, at a share of the room between the lowest and highest price."""
        return Anchor(int(opens[last - back]) + half_us, round(low + share * (high - low), 2))

    rows = (
        (DrawingKind.TREND_LINE, (at(70, 0.05), at(20, 0.35)), ""),
        (DrawingKind.PARALLEL_CHANNEL, (at(74, 0.3), at(46, 0.75), at(74, 0.5)), ""),
        (DrawingKind.FIBONACCI_RETRACEMENT, (at(40, 0.15), at(24, 0.85)), ""),
        (DrawingKind.RECTANGLE, (at(34, 1.0), at(10, 0.92)), "Supply, 14 Nov"),
        (DrawingKind.NOTE, (at(62, 0.6),), "Leg 1: +2.7 % on\nrising taker buys"),
    )
    return [
        Drawing(str(uuid4()), series.symbol, kind, anchors, usual_style(kind), text, order=number)
        for number, (kind, anchors, text) in enumerate(rows, 1)
    ]


async def add_alerts(running: Running, one: OpenChart) -> None:
    """Add two alerts that are lines on a chart, and one that fires soon."""
    database, scale = running.engine.database, one.chart._scene.price.value_scale
    up, down = (scale.low + share * (scale.high - scale.low) for share in (0.85, 0.15))
    for new in (
        NewAlert(one.symbol, read_rule(f"price crosses up {up:.2f}"), Repeat.CANDLE),
        NewAlert(one.symbol, read_rule(f"price crosses down {down:.2f}"), Repeat.ONCE),
        NewAlert("BTCUSDT", read_rule("moves 0.01% in 15s"), Repeat.CANDLE, "Breakout of the week’s range"),
    ):
        await in_background(lambda new=new: database.alerts.add(new), "picture")
