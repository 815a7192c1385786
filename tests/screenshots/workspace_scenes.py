"""Scenes of several charts: a grid of four, one compared with others, one with all the room."""

from __future__ import annotations

from datetime import timedelta

from PySide6.QtCore import QPointF
from PySide6.QtWidgets import QMenu

from app.market.interval import Interval
from app.sandbox.market.simulated import SimulatedMarket
from tests.end_to_end.helpers import open_window, until
from tests.sandbox.helpers import serving
from tests.screenshots.shooting import Shooting


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
            pane = charts.active.chart._scene.layout.panes
            charts.active.chart.reading_tools.point_at(QPointF(pane.width() * 0.6, pane.height() * 0.5))
            await shooting.take(running, "workspace")
            shown.menus.open_links(charts.active)
            menu = next(each for each in running.window.findChildren(QMenu) if each.isVisible())
            await shooting.take_dialog(menu, "workspace-links")
            menu.close()
            compared = next(one for one in charts.all if one.controller.compared)
            shown.maximise(compared)
            await shooting.take(running, "workspace-compare")
