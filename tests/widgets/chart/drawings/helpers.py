"""Helpers of the tests of drawings: a store in memory, drawings on the zigzag, the mouse, and pictures compared."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import uuid4

import numpy as np
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest

from app.market.drawings.drawing import Anchor, Drawing, DrawingKind, DrawingStyle
from tests.widgets.chart.charts import FIRST_SLOT, LEFT_BUTTON, MINUTE, canvas_of
from widgets.chart.chart_widget import ChartWidget

NO_KEYS = Qt.KeyboardModifier.NoModifier
HALF_US = 30_000_000


class Kept:
    """A store in memory, which gives a chart back what it asks to store."""

    def __init__(self, chart: ChartWidget, drawings: Iterable[Drawing] = ()) -> None:
        self.drawings = {one.id: one for one in drawings}
        self.steps = 0
        self._chart = chart
        chart.drawings.put_requested.connect(self.put)
        chart.drawings.remove_requested.connect(self.remove)
        self.show()

    def put(self, drawings: tuple[Drawing, ...]) -> None:
        self.drawings.update({one.id: one for one in drawings})
        self.steps += 1
        self.show()

    def remove(self, drawing_id: str) -> None:
        del self.drawings[drawing_id]
        self.steps += 1
        self.show()

    def show(self) -> None:
        self._chart.drawings.set_drawings(sorted(self.drawings.values(), key=lambda one: one.place))

    @property
    def only(self) -> Drawing:
        (drawing,) = self.drawings.values()
        return drawing


def anchor(slot: float, price: float) -> Anchor:
    """An anchor at a slot's middle, one-minute candles; a half slot is half a minute."""
    return Anchor(round(MINUTE.slot_open_us(0) + (FIRST_SLOT + slot) * 60_000_000) + HALF_US, price)


def drawn(kind: DrawingKind, *anchors: Anchor, text: str = "", order: float = 1.0, **style: Any) -> Drawing:
    """A drawing of BTCUSDT with an id of its own."""
    return Drawing(str(uuid4()), "BTCUSDT", kind, anchors, DrawingStyle(**style), text, order=order)


def many(count: int) -> list[Drawing]:
    """Drawings of all kinds in turn, all over the view."""
    made = []
    for number in range(count):
        kind = list(DrawingKind)[number % len(DrawingKind)]
        places = range(kind.anchors)
        anchors = (anchor(20 + number % 50 + 6 * at, 101 + (number * 7 + at * 3) % 13) for at in places)
        text = "Text" if number % 3 == 0 else ""
        made.append(drawn(kind, *anchors, text=text, order=float(number), filled=number % 2 == 0))
    return made


def click(chart: ChartWidget, at: QPointF, keys: Qt.KeyboardModifier = NO_KEYS) -> None:
    viewport = canvas_of(chart).viewport()
    QTest.mouseMove(viewport, at.toPoint())
    QTest.mouseClick(viewport, LEFT_BUTTON, keys, at.toPoint())


def drag(chart: ChartWidget, start: QPointF, end: QPointF, keys: Qt.KeyboardModifier = NO_KEYS) -> None:
    viewport = canvas_of(chart).viewport()
    middle = QPoint(*(round((one + other) / 2) for one, other in ((start.x(), end.x()), (start.y(), end.y()))))
    QTest.mouseMove(viewport, start.toPoint())
    QTest.mousePress(viewport, LEFT_BUTTON, keys, start.toPoint())
    for at in (middle, end.toPoint()):
        QTest.mouseMove(viewport, at)
    QTest.mouseRelease(viewport, LEFT_BUTTON, keys, end.toPoint())


def assert_near(one: QImage, other: QImage, most: int = 6) -> None:
    """The same but for the last bits of antialiased pixels, which a picture in between rounds once more."""
    parts = [np.frombuffer(image.constBits(), np.uint8).astype(int) for image in (one, other)]
    difference = np.abs(parts[0] - parts[1])
    assert difference.max() <= most, f"{(difference > most).sum()} of {difference.size} differ, by {difference.max()}"


def shot(chart: ChartWidget) -> QImage:
    """What the partial paints so far left on the screen."""
    backing = chart.screen().grabWindow(chart.winId()).toImage()
    return backing.convertToFormat(QImage.Format.Format_RGB32)
