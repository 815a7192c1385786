"""Scenes of alerts: lines on the chart, one that is dragged, a firing's toast, and the dialog."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

from PySide6.QtCore import QPointF, Qt

from app.concurrency.background import in_background
from app.market.alerts.alert import Repeat
from app.market.alerts.language import read_rule
from app.market.alerts.stored_alert import NewAlert
from app.market.drawings.drawing import Anchor, Drawing, DrawingKind, DrawingStyle, Extend
from app.sandbox.market.simulated import SimulatedMarket
from tests.end_to_end.helpers import open_window, until
from tests.sandbox.helpers import serving
from tests.screenshots.shooting import Shooting


async def drawing_alerts(shooting: Shooting) -> None:
    """Alerts on drawings: bells, the bar with its bell, the list in the side panel, empty and not, and the editor."""
    async with serving(SimulatedMarket(seed=11, rate=60)) as server:
        settings = shooting.settings(
            binance_ws_url=server.ws_url,
            binance_rest_url=server.rest_url,
            symbols="BTCUSDT,ETHUSDT",
            interval="1m",
        )
        async with open_window(settings) as running:
            window, chart, controller = running.window, running.chart, running.controller.alerts
            controller.announcer.notifications.problem = "These are pictures."
            window.resize(*shooting.size)
            await until(lambda: running.engine.database is not None and running.engine.database.writer.status.stored)
            await until(lambda: chart.last_price is not None)
            window.show_alerts()
            await shooting.take(running, "alerts-panel-empty")
            database, last = running.engine.database, chart.last_price
            scale = chart._scene.price.value_scale
            low, high = scale.low, scale.high
            now_us, minute_us = running.engine.exchange_clock.now_us(), 60_000_000

            def at(minutes: int, share: float) -> Anchor:
                return Anchor(now_us + minutes * minute_us, low + share * (high - low))

            def drawn(kind: DrawingKind, *anchors: Anchor, text: str = "", **style: Any) -> Drawing:
                return Drawing(str(uuid4()), "BTCUSDT", kind, anchors, DrawingStyle(**style), text)

            lines = [
                drawn(DrawingKind.TREND_LINE, at(-60, 0.2), at(-20, 0.45), width=2, extend=Extend.RIGHT),
                drawn(DrawingKind.PARALLEL_CHANNEL, at(-70, 0.5), at(-15, 0.8), at(-70, 0.3), filled=True),
                drawn(DrawingKind.FIBONACCI_RETRACEMENT, at(-30, 0.05), at(-10, 0.3)),
                drawn(DrawingKind.HORIZONTAL_LINE, at(-9, 0.92), text="Supply"),
                drawn(DrawingKind.VERTICAL_LINE, at(3, 0.5)),
                drawn(DrawingKind.FREEHAND, *(at(-50 + step, 0.6 + (step % 7) / 60) for step in range(25))),
            ]
            running.engine.drawings.put(*lines)
            await until(lambda: len(chart.drawings.drawings) == len(lines) and running.engine.drawings.is_stored)
            rules = [(f"price crosses drawing {one.id}", "BTCUSDT") for one in lines]
            rules += [(f"price crosses up {last * 1.001:.2f}", "BTCUSDT"), ("rsi:14 of 1m crosses up 70", "ETHUSDT")]
            for rule, symbol in rules:
                new = NewAlert(symbol, read_rule(rule), Repeat.CANDLE, notifies=False)
                await in_background(lambda new=new: database.alerts.add(new), "picture")
            await until(lambda: len(controller.alerts) == len(rules))
            paused = controller.alerts[2].alert_id
            await in_background(lambda: database.alerts.pause(paused), "picture")
            panel = window.side_panel.alerts.list
            await until(lambda: len(panel.model.rows) == len(lines) + 1)
            await asyncio.sleep(1.5)
            panel.view.setCurrentIndex(panel.model.index(1))
            chart.drawings.choose(lines[0].id)
            await shooting.take(running, "alerts-panel")
            panel.everywhere.click()
            chart.drawings.choose(None)
            await shooting.take(running, "alerts-panel-all")
            chart.drawings.ask_for_alert(lines[3])
            dialog = controller.dialog
            assert dialog is not None
            await until(lambda: "Would" in dialog.editor.outcome.text() or "No trades" in dialog.editor.outcome.text())
            await shooting.take_dialog(dialog, "alerts-drawing-editor")
            dialog.reject()


async def alerts(shooting: Shooting) -> None:
    """Lines, a drag, toasts, and the dialog with list, history and editor."""
    async with serving(SimulatedMarket(seed=11, rate=60)) as server:
        settings = shooting.settings(
            binance_ws_url=server.ws_url,
            binance_rest_url=server.rest_url,
            symbols="BTCUSDT,ETHUSDT,SOLUSDT",
            interval="1m",
        )
        async with open_window(settings) as running:
            window, controller = running.window, running.controller.alerts
            controller.announcer.notifications.problem = "These are pictures."
            window.resize(*shooting.size)
            await until(lambda: running.engine.database is not None and running.engine.database.writer.status.stored)
            await until(lambda: running.chart.last_price is not None)
            database, last = running.engine.database, running.chart.last_price
            low, high = running.chart._scene.price.value_scale.low, running.chart._scene.price.value_scale.high
            far = 6 * 86_400_000_000 + running.engine.exchange_clock.now_us()
            for new in (
                NewAlert(
                    "BTCUSDT",
                    read_rule(f"price crosses up {low + 0.8 * (high - low):.2f}"),
                    Repeat.CANDLE,
                    "Breakout of the week’s range",
                    "Third test this week. Volume should be above its average.",
                    far,
                    True,
                    True,
                ),
                NewAlert("BTCUSDT", read_rule(f"price crosses down {low + 0.2 * (high - low):.2f}"), Repeat.ONCE),
                NewAlert("ETHUSDT", read_rule("rsi:14 of 1m crosses up 70"), Repeat.EVERY, "RSI leaves 30 to 70"),
                NewAlert("SOLUSDT", read_rule("moves 0.01% in 15s"), Repeat.CANDLE, "Fast move", "", None, True, True),
                NewAlert("BTCUSDT", read_rule(f"price crosses {last:.2f}"), Repeat.EVERY, "Back and forth"),
                NewAlert("", read_rule("recorder in trouble"), Repeat.EVERY, "Recorder in trouble"),
            ):
                await in_background(lambda new=new: database.alerts.add(new), "picture")
            await until(lambda: window.toasts.shown, seconds=60)
            await shooting.take(running, "alerts-fired")
            lines = running.chart.alert_lines
            line = next(one for one in lines.lines if one.text == "Crosses up")
            y = lines.painting.y_of(line.price)
            if y is not None:
                lines.press(QPointF(300, y), Qt.KeyboardModifier.NoModifier)
                lines.drag(QPointF(running.chart.width() * 0.45, y + 60))
                await shooting.take(running, "alerts-dragged")
                lines.cancel()
            dialog = controller.open()
            await until(lambda: len(dialog.history_model.rows) > 1 and dialog.check_button.isEnabled(), seconds=60)
            await shooting.take_dialog(dialog, "alerts-list")
            breakout = next(one.alert_id for one in controller.alerts if one.name.startswith("Breakout"))
            dialog.edit_requested.emit(breakout)
            await until(lambda: "Would" in dialog.editor.outcome.text(), seconds=60)
            await shooting.take_dialog(dialog, "alerts-editor")
            size = dialog.size()
            dialog.resize(760, 520)
            await shooting.take_dialog(dialog, "alerts-low")
            dialog.resize(size)
            await asyncio.sleep(0)
            dialog.reject()
