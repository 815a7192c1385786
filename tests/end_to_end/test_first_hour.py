"""The first hour, walked by keys and clicks on the real program: what was set up is there again at the next start."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QDateTime, Qt, QTimeZone
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QToolButton

from app.market.interval import Interval
from tests.end_to_end.helpers import until
from tests.end_to_end.walking import CONTROL, Walker
from widgets.dialogs.export.export_dialog import ExportDialog, ExportState
from widgets.dialogs.export.range_fields import Range

DAY_S = 86_400


class Newcomer(Walker):
    """Whoever opens the program for the first time."""

    async def click_interval(self, name: str) -> None:
        buttons = self.window.top_bar.intervals.findChildren(QToolButton)
        shown = [each for each in buttons if each.text() == name and each.isVisible()]
        if not shown:  # on a small screen only its menu has it
            await self.type_interval(name)
            return
        QTest.mouseClick(shown[0], Qt.MouseButton.LeftButton)
        await self.wait_for_interval(name)

    async def type_interval(self, name: str) -> None:
        self.chart.setFocus()
        self.type(name)
        assert self.window.interval_entry.isVisible()
        self.press(Qt.Key.Key_Return)
        await self.wait_for_interval(name)

    async def wait_for_interval(self, name: str) -> None:
        await until(lambda: self.controller.session.interval == Interval.parse(name))
        await self.wait_for_candles()

    async def add_indicator(self, letters: str) -> None:
        number = len(self.chart.appearance_values()["indicators"])
        self.window.top_bar.ask_for_indicators()
        await until(lambda: QApplication.focusWidget() not in (None, self.chart))
        self.type(letters)
        self.press(Qt.Key.Key_Return)
        await until(lambda: len(self.chart.appearance_values()["indicators"]) == number + 1)
        self.press(Qt.Key.Key_Escape)
        self.chart.setFocus()

    async def export_three_days_ago(self, path: Path) -> None:
        """Export an hour that the program has never recorded nor loaded."""
        self.window.requests.export_requested.emit()
        (dialog,) = self.window.findChildren(ExportDialog)
        hour_s = QDateTime.currentSecsSinceEpoch() // 3600 * 3600
        end = QDateTime.fromSecsSinceEpoch(hour_s - 3 * DAY_S, QTimeZone.utc())
        times = dialog.form.rows.range
        times.buttons[Range.CHOSEN].click()
        times.start.setDateTime(end.addSecs(-3600))
        times.end.setDateTime(end)
        dialog.form.rows.intervals.set_texts(["1m"])
        dialog.form.target.set_path(str(path))
        QTest.mouseClick(dialog.foot.start_button, Qt.MouseButton.LeftButton)
        await until(lambda: dialog.state is ExportState.DONE)
        dialog.reject()
        await self.come_back()

    def setup(self) -> dict[str, Any]:
        """What a next start should bring back."""
        state, geometry = self.controller._state, self.window.geometry()
        return {
            "symbol": (state.symbol, self.window.top_bar.symbol.name.text()),
            "interval": state.interval.name,
            "intervals": self.window.top_bar.intervals.to_values(),
            "appearance": json.loads(json.dumps(self.chart.appearance_values())),
            "panel open": self.window.side_panel.is_open,
            "size": (geometry.width(), geometry.height()),
            "place": (geometry.x(), geometry.y()),
        }


@pytest.mark.timeout(240)
def test_what_was_set_up_in_the_first_hour_is_there_at_the_next_start(
    walk: Callable[..., None], tmp_path: Path
) -> None:
    left: dict[str, Any] = {}
    file = tmp_path / "candles.csv"

    async def first_hour(walker: Newcomer) -> None:
        window, chart = walker.window, walker.chart
        await walker.wait_for_candles()
        await walker.pick("eth", "ETHUSDT")
        for name in ("5m", "15m", "1h", "1d"):
            await walker.click_interval(name)
        await walker.type_interval("13m")
        await walker.add_indicator("rsi")
        await walker.add_indicator("exponential")
        chart.templates.open_save()
        walker.type("mine")
        walker.press(Qt.Key.Key_Return)
        assert list(chart.templates.templates.names) == ["mine"]
        assert window.side_panel.is_open
        QTest.keyClick(window, Qt.Key.Key_B, CONTROL)
        assert not window.side_panel.is_open
        await walker.export_three_days_ago(file)
        window.resize(760, 640)
        window.move(20, 40)
        await asyncio.sleep(0.3)  # until a window manager has done it
        chart.setFocus()
        for _ in range(3):
            walker.press(Qt.Key.Key_Plus)
        walker.press(Qt.Key.Key_PageUp)
        walker.press(Qt.Key.Key_PageUp)
        await until(lambda: not chart.is_following)
        await asyncio.sleep(0.5)  # for a window manager, and for candles of the place
        left.update(walker.setup(), view=chart.view_values())
        assert left["view"]["candle px"] > 7
        QTest.keyClick(window, Qt.Key.Key_Q, CONTROL)

    async def next_start(walker: Newcomer) -> None:
        assert walker.window.geometry().size().toTuple() == left["size"]  # in its first frame already
        assert not walker.window.side_panel.is_open
        await walker.wait_for_candles()
        await asyncio.sleep(0.3)
        view = left.pop("view")
        assert walker.chart.view_values() == pytest.approx(view)
        assert not walker.chart.is_following
        now, before = walker.setup(), dict(left)
        panes, panes_before = (each["appearance"].pop("panes") for each in (now, before))
        assert [pane["pane"] for pane in panes] == [pane["pane"] for pane in panes_before]
        for pane, pane_before in zip(panes, panes_before, strict=True):
            assert pane["share"] == pytest.approx(pane_before["share"], abs=1e-5)  # rounded in the file
        assert now == before
        QTest.keyClick(walker.window, Qt.Key.Key_B, CONTROL)
        assert walker.window.side_panel.is_open
        walker.chart.setFocus()
        walker.press(Qt.Key.Key_End)
        await until(lambda: walker.chart.is_following)
        walker.window.close()

    walk(first_hour, Newcomer)
    lines = file.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 61  # a head, and a candle per minute
    walk(next_start, Newcomer)
