"""A chart's drawings against a simple model: placed, moved, removed, undone, in any order and at any interval."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from PySide6.QtCore import QPointF, Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.live.drawings.drawing_board import DrawingBoard
from app.live.drawings.drawing_book import DrawingBook
from app.market.drawings.drawing import Drawing, DrawingKind, check
from app.market.interval import Interval
from app.market.ports.drawings import JournalState
from app.window.drawings.drawings_controller import DrawingsController
from tests.depth import examples
from tests.widgets.chart.charts import BTC, ETH, series_of, zigzag
from tests.widgets.chart.drawings.helpers import anchor, drawn
from tests.widgets.cleanup import close_and_delete
from widgets.chart.chart_widget import ChartWidget

NO_KEYS = Qt.KeyboardModifier.NoModifier
PLACED = [kind for kind in DrawingKind if kind not in (DrawingKind.TEXT, DrawingKind.NOTE, DrawingKind.FREEHAND)]
INTERVALS = [Interval.parse(name) for name in ("1m", "3m", "1h")]


class BookBoard:
    """What a controller uses of a board, over the book that a board has, without a loop."""

    def __init__(self) -> None:
        self._book = DrawingBook(JournalState("desktop", "", 0, (), (), ()))
        self.on_change: list[Callable[[str], None]] = []
        self.drawings = self._book.drawings
        self.can_undo, self.can_redo = self._book.can_undo, self._book.can_redo

    def put(self, *drawings: Drawing) -> None:
        for one in drawings:
            check(one)
        self._tell(drawings[0].symbol, self._book.change(drawings[0].symbol, drawings))

    def remove(self, symbol: str, *ids: str) -> None:
        self._tell(symbol, self._book.change(symbol, (), ids))

    def undo(self, symbol: str) -> bool:
        return self._tell(symbol, self._book.undo(symbol))

    def redo(self, symbol: str) -> bool:
        return self._tell(symbol, self._book.redo(symbol))

    def _tell(self, symbol: str, is_changed: bool) -> bool:
        for listener in self.on_change:
            listener(symbol)
        return is_changed


class User(RuleBasedStateMachine):
    """The chart's user, and beside the chart a list of what was there after each step."""

    @initialize()
    def begin(self) -> None:
        self.chart = ChartWidget()
        self.chart.resize(800, 500)
        self.chart.show()
        self.board = BookBoard()
        self.controller = DrawingsController(cast(DrawingBoard, self.board), self.chart.drawings)
        self.steps: list[dict[str, Drawing]] = [{}]
        self.at = 0
        self.show(INTERVALS[0])
        self.controller.show("BTCUSDT")

    def show(self, interval: Interval) -> None:
        first = interval.slot(anchor(0, 0).time_us)
        self.chart.set_series(series_of(zigzag(200, first, interval), interval), BTC)
        QApplication.processEvents()

    def teardown(self) -> None:
        if hasattr(self, "chart"):
            close_and_delete(self.chart)

    @property
    def now(self) -> dict[str, Drawing]:
        return self.steps[self.at]

    def step(self, change: dict[str, Drawing | None]) -> None:
        after = {key: one for key, one in {**self.now, **change}.items() if one is not None}
        if after != self.now:
            self.steps[self.at + 1 :] = [after]
            self.at += 1

    @rule(
        kind=st.sampled_from(PLACED),
        points=st.lists(
            st.tuples(st.integers(4, 35).map((20).__mul__), st.integers(60, 300)),
            min_size=3,
            max_size=3,
            unique_by=(lambda point: point[0], lambda point: point[1]),  # a point on the one before is not taken
        ),
    )
    def place(self, kind: DrawingKind, points: list[tuple[int, int]]) -> None:
        drawings = self.chart.drawings
        before = set(self.now)
        drawings.take_tool(kind)
        for point in points[: kind.anchors]:
            assert drawings.press(QPointF(*point), NO_KEYS)
            drawings.release(QPointF(*point))
        made = drawings.chosen
        assert made is not None
        assert made.id not in before
        assert (made.kind, made.symbol, len(made.anchors)) == (kind, "BTCUSDT", kind.anchors)
        assert drawings.tool is None
        self.step({made.id: made})

    @precondition(lambda self: self.now)
    @rule(data=st.data(), across=st.integers(-20, 20), up=st.integers(-30, 30))
    def move(self, data: st.DataObject, across: int, up: int) -> None:
        drawing = self.now[data.draw(st.sampled_from(sorted(self.now)))]
        self.chart.drawings.choose(drawing.id)
        is_moved = self.chart.drawings.keys.move(across, up)
        is_fixed = drawing.locked or drawing.hidden
        assert is_moved is not is_fixed
        moved = self.chart.drawings.chosen
        assert moved is not None
        scene = self.chart._scene
        for before, after in zip(drawing.anchors, moved.anchors, strict=True):
            by_us = 0 if is_fixed else across * self.chart.series.interval.length_us
            assert after.time_us - before.time_us == pytest.approx(by_us, abs=2)
            by_px = 0 if is_fixed else up
            assert scene.price.y_of(before.price) - scene.price.y_of(after.price) == pytest.approx(by_px, abs=0.2)
        self.step({moved.id: moved})

    @precondition(lambda self: self.now)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        drawing = self.now[data.draw(st.sampled_from(sorted(self.now)))]
        self.chart.drawings.choose(drawing.id)
        self.chart.drawings.remove_chosen()
        if not drawing.locked:
            self.step({drawing.id: None})
            assert self.chart.drawings.chosen is None

    @precondition(lambda self: self.now)
    @rule(
        data=st.data(), command=st.sampled_from(["lock_drawing", "hide_drawing", "drawing_to_front", "drawing_to_back"])
    )
    def change(self, data: st.DataObject, command: str) -> None:
        drawing = self.now[data.draw(st.sampled_from(sorted(self.now)))]
        self.chart.drawings.choose(drawing.id)
        self.chart.run_command(command)
        changed = self.chart.drawings.chosen
        assert changed is not None
        self.step({changed.id: changed})

    @rule()
    def undo(self) -> None:
        assert self.controller.undo() == (self.at > 0)
        self.at = max(self.at - 1, 0)

    @rule()
    def redo(self) -> None:
        can_redo = self.at + 1 < len(self.steps)
        assert self.controller.redo() == can_redo
        self.at += can_redo

    @rule(interval=st.sampled_from(INTERVALS))
    def switch(self, interval: Interval) -> None:
        self.show(interval)

    @invariant()
    def it_shows_what_the_model_has(self) -> None:
        if not hasattr(self, "chart"):
            return
        shown = self.chart.drawings.drawings
        assert {one.id: one for one in shown} == self.now
        assert [one.place for one in shown] == sorted(one.place for one in shown)
        assert (self.controller.can_undo, self.controller.can_redo) == (self.at > 0, self.at + 1 < len(self.steps))
        assert self.chart.drawings.set.preview is None
        self.chart.frame_now()
        assert self.chart.trouble == ""


def test_a_chart_shows_what_a_simple_model_has(qtbot: QtBot) -> None:
    run_state_machine_as_test(
        User,
        settings=settings(
            max_examples=examples(15), stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


def test_two_charts_of_a_symbol_show_the_same_and_another_symbol_its_own(qtbot: QtBot) -> None:
    board = BookBoard()
    charts = [ChartWidget() for _ in range(2)]
    controllers = [DrawingsController(cast(DrawingBoard, board), chart.drawings) for chart in charts]
    for chart, controller in zip(charts, controllers, strict=True):
        chart.set_series(series_of(zigzag(50)), BTC)
        controller.show("BTCUSDT")
    line = drawn(DrawingKind.HORIZONTAL_LINE, anchor(10, 105))
    charts[0].drawings.put_requested.emit((line,))
    assert [chart.drawings.drawings for chart in charts] == [(line,), (line,)]
    charts[1].set_series(series_of(zigzag(50)), ETH)
    controllers[1].show("ETHUSDT")
    assert charts[1].drawings.drawings == ()
    charts[0].drawings.remove(line)
    assert charts[0].drawings.drawings == ()
    controllers[0].stop()
    board.put(line)
    assert charts[0].drawings.drawings == ()
    for chart in charts:
        close_and_delete(chart)
