"""
A working day with several charts, walked by keys and clicks on the real program.

Four charts, links, compare, windows, workspaces, every kind of drawing, an alert from its dialog to its toast, the
palette and changed keys; the next start brings all of it back. See `walking` for walks on a screen, with pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.market.alerts.alert import Repeat
from app.market.alerts.stored_alert import AlertState
from app.market.drawings.drawing import Drawing, DrawingKind
from app.market.interval import SECOND_US, Interval
from app.market.units import E8
from app.sandbox.market.simulated import SimulatedMarket
from app.window.charts.open_charts import OpenChart
from app.window.workspace.chart_rooms import ChartRooms
from app.window.workspace.workspace_controller import WorkspaceController
from tests.end_to_end.helpers import move_mouse, until
from tests.end_to_end.walking import CONTROL, LEFT, RATE, SEED, Walker, viewport_of
from widgets.alerts.alert_toast import AlertToast
from widgets.chart.drawings.handles import point_of
from widgets.chart.drawings.kinds import KINDS
from widgets.chart.indicators.compare_lines import compare_lines
from widgets.chart.painting.canvas import ChartCanvas
from widgets.chart.scales.value_scale import ScaleMode
from widgets.drawing_tools.drawings_model import EYE, LOCK
from widgets.keys import keys_of
from widgets.workspace.chart_frame import ChartFrame
from widgets.workspace.grid_layout import with_keys

LIGHT = "light"
TYPED = {DrawingKind.TEXT: "Range", DrawingKind.NOTE: "Leg 1"}


class Trader(Walker):
    """Whoever works with several charts."""

    @property
    def workspace(self) -> WorkspaceController:
        return self.controller.workspace

    @property
    def rooms(self) -> ChartRooms:
        return self.workspace.rooms

    @property
    def charts(self) -> list[OpenChart]:
        """The charts in the order of the screen, window by window."""
        return [self.rooms.with_key(key) for key in self.rooms.keys]

    @property
    def active(self) -> OpenChart:
        return self.controller.charts.active

    @property
    def names(self) -> list[str]:
        return self.workspace.switcher.names

    def frame_of(self, one: OpenChart) -> ChartFrame:
        return self.rooms.of(one).grid.frames[one.key]

    async def wait_for_charts(self) -> None:
        """Wait until all charts in view have candles and live trades."""
        await until(lambda: all(is_live(one) for one in self.charts if one.chart.isVisible()), seconds=60)

    # Charts

    async def split_into_four(self) -> None:
        """Two beside each other, then each into two below each other."""
        self.give("split_right")
        self.give("split_below")
        await self.click_head(self.charts[0])
        self.give("split_below")
        assert self.charts.index(self.active) == 1
        (left, right) = self.workspace.main.layout.parts
        assert (len(left.parts), len(right.parts)) == (2, 2)
        assert all(self.frame_of(one).isVisible() for one in self.charts)

    async def click_head(self, one: OpenChart) -> None:
        await self.come_back()  # a click brings the window to the front
        QTest.mouseClick(self.frame_of(one).head, LEFT)
        await until(lambda: self.active is one)

    async def show(self, one: OpenChart, letters: str, name: str, interval: str) -> None:
        """Give a chart a symbol and an interval by typing them."""
        await self.click_head(one)
        await self.pick(letters, name)
        self.type(interval)
        assert self.window.interval_entry.isVisible()
        self.press(Qt.Key.Key_Return)
        await until(lambda: (one.symbol, one.interval) == (name, Interval.parse(interval)))

    async def link(self, one: OpenChart, group: int) -> None:
        """Put a chart into a group by the square in its head."""
        QTest.mouseClick(self.frame_of(one).head.link, LEFT)
        await self.choose(f"Group {group}")
        assert self.workspace.links.group_of(one) == group

    async def compare_with(self, *names: str) -> None:
        """Compare the active chart with these, one after the other."""
        one = self.active
        for number, name in enumerate(names, 1):
            self.give("compare_symbols")
            await self.choose(self.controller.title_of(name))
            assert one.controller.compared == names[:number]

    # Workspaces

    async def rename_by_double_click(self, index: int, name: str) -> None:
        tabs = self.workspace.switcher._tabs
        self.double_click(tabs.bar, tabs.bar.tabRect(index).center())
        await self.enter_name(index, name)

    async def enter_name(self, index: int, name: str) -> None:
        tabs = self.workspace.switcher._tabs
        await until(tabs.edit.isVisible)
        QTest.keyClicks(tabs.edit, name)
        QTest.keyClick(tabs.edit, Qt.Key.Key_Return)
        assert self.names[index] == name

    async def click_workspace(self, index: int) -> None:
        bar = self.workspace.switcher._tabs.bar
        QTest.mouseClick(bar, LEFT, pos=bar.tabRect(index).center())
        await until(lambda: self.workspace.switcher.shown == index)
        await self.wait_for_charts()

    # Drawings

    @property
    def drawn(self) -> tuple[Drawing, ...]:
        """The drawings of the active chart's symbol."""
        return self.chart.drawings.drawings

    def spot(self, x: float, y: float) -> QPoint:
        """Return a point of the active chart's prices, by shares of their room."""
        room = self.chart._scene.price.rect
        return QPoint(round(room.left() + x * room.width()), round(room.top() + y * room.height()))

    async def draw(self, kind: DrawingKind, number: int) -> None:
        """Place a drawing by clicks, in a cell of its own."""
        column, row = number % 5, number // 5
        corner = 0.04 + 0.17 * column, 0.1 + 0.28 * row
        group = next(each for each in self.window.tool_strip.groups if kind in each.kinds)
        if group.kind is kind:
            QTest.mouseClick(group, LEFT)
        else:
            self.give(KINDS[kind].command)
        assert self.chart.drawings.tool is kind
        spots = [self.spot(corner[0] + x, corner[1] + y) for x, y in ((0.0, 0.12), (0.09, 0.0), (0.12, 0.16))]
        if kind is DrawingKind.FREEHAND:
            self.drag_chart(*(self.spot(corner[0] + 0.01 * at, corner[1] + 0.04 * (at % 3)) for at in range(12)))
        else:
            self.click_chart(*spots[: kind.anchors])
        if kind in TYPED:
            self.type(TYPED[kind])
            self.press(Qt.Key.Key_Return)
        await until(lambda: len(self.drawn) == number + 1)
        made = self.drawn[-1]
        assert (made.kind, made.text) == (kind, TYPED.get(kind, ""))
        assert kind is DrawingKind.FREEHAND or len(made.anchors) == kind.anchors
        assert self.chart.drawings.tool is None
        assert self.chart.drawings.chosen == made

    def point_on(self, drawing: Drawing) -> QPoint:
        """Return a point of the active chart where a drawing of two anchors can be pressed, off its handles."""
        scene, interval = self.chart._scene, self.active.interval
        start, end = (point_of(scene, interval, anchor) for anchor in drawing.anchors)
        points = [start + (end - start) * share for share in (0.5, 0.4, 0.6, 0.3, 0.7)]
        rounded = [point.toPoint() for point in points]
        return next(at for at in rounded if self.chart.drawings.drawing_at(QPointF(at)) == drawing)

    def drag(self, drawing: Drawing, x: int, y: int) -> None:
        start = self.point_on(drawing)
        self.drag_chart(start, start + QPoint(x // 2, y // 2), start + QPoint(x, y))

    async def click_cell(self, drawing: Drawing, column: int) -> None:
        """Click on the eye or the lock of a drawing in the list."""
        view, model = self.window.side_panel.drawings.view, self.window.side_panel.drawings.model
        row = next(at for at, one in enumerate(model.drawings) if one.id == drawing.id)
        view.scrollTo(model.index(row, column))
        QTest.mouseClick(view.viewport(), LEFT, pos=view.visualRect(model.index(row, column)).center())

    def with_id(self, drawing: Drawing) -> Drawing:
        """Return a drawing as it is now."""
        return next(one for one in self.drawn if one.id == drawing.id)

    # Alerts and commands

    async def add_alert(self, price: float, name: str) -> None:
        """Add an alert on the active chart's symbol in the dialog."""
        self.give("alert")
        dialog = self.controller.alerts.dialog
        await until(lambda: dialog.isVisible() and dialog.is_editing)
        editor = dialog.editor
        field = editor.when.fields["price"]
        QTest.keyClick(field, Qt.Key.Key_A, CONTROL)
        QTest.keyClicks(field, f"{price:.2f}")
        QTest.keyClicks(editor.name, name)
        QTest.mouseClick(editor.repeats[Repeat.EVERY], LEFT)
        QTest.mouseClick(editor.notifies, LEFT, pos=QPoint(8, editor.notifies.height() // 2))
        assert not editor.notifies.isChecked()
        await until(lambda: editor.save_button.isEnabled() and "Would" in editor.outcome.text())
        await self.look("alert-dialog")
        QTest.mouseClick(editor.save_button, LEFT)
        await until(lambda: not dialog.is_editing and dialog.model.rowCount() == 1)
        QTest.keyClick(dialog, Qt.Key.Key_Escape)
        await until(lambda: self.controller.alerts.dialog is None)
        await self.come_back()

    async def toast(self) -> AlertToast:
        """Wait for the toast of a firing."""
        shown = self.window.toasts
        await until(lambda: any(isinstance(one, AlertToast) for one in shown.shown), seconds=60)
        return next(one for one in shown.shown if isinstance(one, AlertToast))

    async def find_command(self, letters: str, command: str) -> None:
        """Open the palette, and type until it offers a command first."""
        await self.come_back()
        self.give("palette")
        palette = self.window.command_access.palette
        await until(palette.isVisible)
        self.type(letters)
        assert palette._current().command == command

    # The next start

    def setup(self) -> dict[str, Any]:
        """What a next start should bring back."""
        workspace, keys = self.workspace, self.rooms.keys
        now_us = self.controller._engine.exchange_clock.now_us()
        return {
            "workspaces": (self.names, workspace.switcher.shown),
            "layout": with_keys(workspace.main.layout, {key: at for at, key in enumerate(keys)}),
            "charts": [
                (one.symbol, one.interval.name, workspace.links.group_of(one), one.controller.compared)
                for one in self.charts
            ],
            "active": keys.index(self.active.key),
            "scale": [one.chart.chart_style.scale_mode for one in self.charts],
            "drawings": [
                (one.id, one.kind, one.anchors, one.style, one.text, one.locked, one.hidden) for one in self.drawn
            ],
            "alerts": [(one.name, one.text, one.state(now_us)) for one in self.controller.alerts.alerts],
            "keys": keys_of("log"),
            "theme": self.window.colours.name,
        }


def is_live(one: OpenChart) -> bool:
    session = one.controller.session
    return session is not None and session.joined and one.chart.navigator.has_candles


def coming_level(symbol: str, *, after_s: int, until_s: int) -> float:
    """Return the price that the trades of a coming time cross most often: the market is known from its seed."""
    market = SimulatedMarket(SEED, rate=RATE)
    first_us = market.now_us() // SECOND_US * SECOND_US
    seconds = (market.second(symbol, first_us + at * SECOND_US) for at in range(after_s, until_s))
    prices = [trade.price_e8 for second in seconds for trade in second.trades]

    def crossings(level: int) -> int:
        return sum(before < level <= now or before > level >= now for before, now in pairwise(prices))

    return max(set(prices), key=crossings) / E8


@pytest.mark.timeout(240)
def test_a_day_with_four_charts_is_there_at_the_next_start(walk: Callable[..., None]) -> None:
    left: dict[str, Any] = {}

    async def day(trader: Trader) -> None:
        trader.window.resize(1440, 900)
        await trader.come_back()
        await trader.wait_for_candles()
        await several_charts(trader)
        await workspaces(trader)
        await drawings(trader)
        await alert(trader)
        await commands(trader)
        left.update(trader.setup())
        trader.give("quit")

    async def next_start(trader: Trader) -> None:
        await trader.come_back()
        await trader.wait_for_candles()
        await trader.wait_for_charts()
        await until(lambda: len(trader.drawn) == len(DrawingKind))
        await until(lambda: trader.controller.alerts.alerts)
        await trader.look("next-start")
        assert trader.setup() == left
        assert not any(one.chart._scene.guide for one in trader.charts)
        # What was drawn yesterday can be undone today.
        locked = next(one for one in trader.drawn if one.locked)
        trader.give("undo_drawing")
        await until(lambda: not trader.with_id(locked).locked)
        trader.give("next_workspace")
        await trader.wait_for_charts()
        assert len(trader.charts) == 4
        trader.window.close()

    walk(day, Trader)
    walk(next_start, Trader)


async def several_charts(trader: Trader) -> None:
    await trader.split_into_four()
    first, second, third, fourth = trader.charts
    for one, letters, name, interval in (
        (first, "btc", "BTCUSDT", "1m"),
        (second, "eth", "ETHUSDT", "5m"),
        (third, "sol", "SOLUSDT", "15m"),
        (fourth, "bnb", "BNBUSDT", "1h"),
    ):
        await trader.show(one, letters, name, interval)
    await trader.wait_for_charts()
    assert [trader.frame_of(one).head.symbol.text() for one in trader.charts] == [
        "BTC/USDT",
        "ETH/USDT",
        "SOL/USDT",
        "BNB/USDT",
    ]
    await trader.look("four-charts")

    await trader.link(third, 1)
    await trader.link(fourth, 1)
    assert (third.symbol, fourth.symbol) == ("SOLUSDT", "SOLUSDT")
    await trader.click_head(fourth)
    await trader.pick("xrp", "XRPUSDT")
    assert third.symbol == "XRPUSDT"
    assert (third.interval.name, fourth.interval.name) == ("15m", "1h")
    await trader.wait_for_charts()
    viewport = viewport_of(third.chart)

    def is_guided() -> bool:
        # Again and again: where there is a real pointer, it leaves the chart as the menu closes.
        move_mouse(viewport, QPoint(viewport.width() // 2, viewport.height() // 3))
        return fourth.chart._scene.guide is not None

    await until(is_guided)
    bar = third.chart._readout.bar
    assert fourth.chart._readout.guide_us == bar.open_time_us
    assert fourth.chart._scene.guide.slot == fourth.interval.slot(bar.open_time_us)
    await trader.look("linked")
    QApplication.sendEvent(third.chart.findChild(ChartCanvas), QEvent(QEvent.Type.Leave))
    await until(lambda: fourth.chart._scene.guide is None)

    await trader.click_head(second)
    await trader.compare_with("SOLUSDT", "BNBUSDT")
    await until(lambda: all(line.last_value for line in compare_lines(second.chart._scene)))
    assert [line.name for line in compare_lines(second.chart._scene)] == ["SOL", "BNB"]
    await trader.look("compared")

    trader.give("maximise_chart")
    assert trader.workspace.main.maximised == second.key
    assert [trader.frame_of(one).isVisible() for one in trader.charts] == [False, True, False, False]
    await trader.look("maximised")
    head = trader.frame_of(second).head
    trader.double_click(head, head.rect().center())
    assert trader.workspace.main.maximised is None
    assert all(trader.frame_of(one).isVisible() for one in trader.charts)

    await trader.click_head(fourth)
    trader.give("detach_chart")
    window = fourth.chart.window()
    assert window is not trader.window
    await until(lambda: window.isVisible() and is_live(fourth))
    assert [one.key for one in trader.charts][-1] == fourth.key
    assert len(trader.workspace.main.keys) == 3
    await trader.look("detached")
    window.close()  # as by the button of its frame
    await until(lambda: fourth.chart.window() is trader.window)
    assert len(trader.workspace.main.keys) == 4
    await trader.come_back()
    await trader.wait_for_charts()
    await trader.look("brought-back")


async def workspaces(trader: Trader) -> None:
    switcher = trader.workspace.switcher
    before = trader.setup()["charts"]
    await trader.rename_by_double_click(0, "Morning")
    await trader.click_head(trader.charts[0])
    trader.give("duplicate_workspace")
    assert trader.names == ["Morning", "Morning 2"]
    trader.give("rename_workspace")
    await trader.enter_name(1, "Swing")
    await trader.wait_for_charts()
    assert trader.setup()["charts"] == before
    await trader.click_head(trader.charts[-1])
    trader.give("close_chart")
    assert len(trader.charts) == 3
    await trader.look("another-workspace")
    await trader.click_workspace(0)
    assert trader.setup()["charts"] == before
    trader.give("next_workspace")
    assert (switcher.shown, len(trader.charts)) == (1, 3)
    trader.give("split_right")
    trader.give("previous_workspace")
    assert switcher.shown == 0
    assert trader.setup()["charts"] == before
    await trader.wait_for_charts()


async def drawings(trader: Trader) -> None:
    await trader.click_head(trader.charts[0])
    trader.give("maximise_chart")
    for number, kind in enumerate(DrawingKind):
        await trader.draw(kind, number)
    await trader.look("every-drawing")

    line = next(one for one in trader.drawn if one.kind is DrawingKind.TREND_LINE)
    trader.drag(line, 0, 30)
    await until(lambda: trader.with_id(line) != line)
    moved = trader.with_id(line)
    assert [new.time_us for new in moved.anchors] == [old.time_us for old in line.anchors]
    assert all(new.price < old.price for new, old in zip(moved.anchors, line.anchors, strict=True))
    trader.give("undo_drawing")
    await until(lambda: trader.with_id(line).anchors == line.anchors)
    trader.give("redo_drawing")
    await until(lambda: trader.with_id(line).anchors == moved.anchors)

    trader.give("list_drawings")
    rows, panel = trader.window.side_panel.drawings, trader.window.side_panel.pages
    assert panel.page is rows
    assert rows.model.rowCount() == len(DrawingKind)
    note = next(one for one in trader.drawn if one.kind is DrawingKind.NOTE)
    await trader.click_cell(note, EYE)
    await until(lambda: trader.with_id(note).hidden)
    await trader.click_cell(line, LOCK)
    await until(lambda: trader.with_id(line).locked)
    await trader.look("list-of-drawings")
    trader.drag(trader.with_id(line), 0, -30)
    assert trader.with_id(line).anchors == moved.anchors
    trader.give("maximise_chart")
    assert trader.workspace.main.maximised is None


async def alert(trader: Trader) -> None:
    one = trader.charts[0]
    await trader.click_head(one)
    level = coming_level(one.symbol, after_s=3, until_s=25)
    await trader.add_alert(level, "Back and forth")
    await until(lambda: one.chart.has_alert_lines and [each.price for each in one.chart.alert_lines.lines] == [level])
    await trader.click_head(one)
    for _ in range(2):
        trader.give("screen_earlier")
    await until(lambda: not one.chart.is_following)
    toast = await trader.toast()
    assert toast.spoken.startswith(("BTC/USDT above", "BTC/USDT below"))
    assert "“Back and forth”" in [line.text() for line in toast.lines]
    await trader.look("alert-fired")
    time_us = toast.fired.firing.time_us
    assert one.chart.visible_range_us()[1] < time_us
    QTest.mouseClick(toast.show_button, LEFT)
    await until(lambda: one.chart.visible_range_us()[0] < time_us < one.chart.visible_range_us()[1])
    await trader.look("shown-on-chart")
    trader.give("latest")
    await until(lambda: one.chart.is_following)
    QTest.mouseClick((await trader.toast()).pause_button, LEFT)
    engine, alerts = trader.controller._engine, trader.controller.alerts
    await until(lambda: alerts.alerts[0].state(engine.exchange_clock.now_us()) is AlertState.PAUSED)
    await until(lambda: trader.window.status_bar.alerts.text() == "0 alerts watching")
    await trader.look("paused")


async def commands(trader: Trader) -> None:
    await trader.find_command("light theme", "theme_light")
    await trader.look("palette")
    trader.press(Qt.Key.Key_Return)
    await until(lambda: trader.window.colours.name == LIGHT)

    await trader.find_command("logarithmic", "log")
    trader.press(Qt.Key.Key_Tab)
    await until(lambda: trader.window.command_access.keys_dialog is not None)
    dialog = trader.window.command_access.keys_dialog
    await until(lambda: dialog.isVisible() and dialog.editor is not None)
    await trader.look("keys")
    QTest.keyClick(dialog.editor.listener, Qt.Key.Key_F7)
    assert keys_of("log") == ("F7",)
    QTest.mouseClick(dialog.done_button, LEFT)
    await until(lambda: not dialog.isVisible())
    await trader.come_back()
    await trader.click_head(trader.charts[0])
    trader.press(Qt.Key.Key_F7)
    await until(lambda: trader.chart.chart_style.scale_mode is ScaleMode.LOG)
    await trader.look("light-and-logarithmic")
