"""Scenes of alerts: lines on the chart, one that is dragged, a firing's toast, and the dialog."""

from __future__ import annotations

import asyncio
import os

from PySide6.QtCore import QPointF, Qt

from app.concurrency.background import in_background
from app.market.alerts.alert import Repeat
from app.market.alerts.language import read_rule
from app.market.alerts.stored_alert import NewAlert
from app.sandbox.market.simulated import SimulatedMarket
from tests.end_to_end.helpers import open_window, until
from tests.sandbox.helpers import serving
from tests.screenshots.shooting import Shooting
from widgets.theme import text_size


async def alerts(shooting: Shooting) -> None:
    """Lines, a drag, toasts, and the dialog with list, history and editor; small windows and large text, too."""
    text_size.set_percent(int(os.environ.get("CRYPTOPIPE_TEXT_PERCENT", "100")))
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
