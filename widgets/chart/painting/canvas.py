"""
The widget that paints the scene's items, and only the regions a frame marks as dirty.

Each pane can have a ViewBox, created on first use, with the pane's range (x: positions on the time axis; y: values), so
that any pyqtgraph item can be added to it. Its range is set explicitly; automatic ranging is off. A ViewBox without
items is hidden and updated only on request, which saves a third of a frame. The chart's own items use the view's
logical pixels. While no ViewBox is in use, the canvas paints them itself, because Qt's scene takes a quarter of a frame
for its bookkeeping and its copy of the background. Nothing repaints by itself (NoViewportUpdate): a frame marks regions
and has them painted before it ends. Qt would paint 5 ms and a turn of the event loop later, which is long under a flood
of trades.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import pyqtgraph as pg
from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, Qt, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QRegion,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QFrame, QGraphicsView, QWidget

from widgets.chart.painting.axes import TimeAxis, ValueAxis
from widgets.chart.painting.chart_overlay import ChartOverlay
from widgets.chart.painting.device_pixels import DevicePixels
from widgets.chart.painting.pane import Pane
from widgets.chart.painting.panes_item import PanesItem
from widgets.chart.painting.scene import Scene
from widgets.chart.painting.scene_item import SceneItem, reset_painter


class ChartCanvas(pg.GraphicsView):  # type: ignore[misc]  # because pyqtgraph has no types
    """
    Paints a `Scene` and forwards input events as signals, with positions in the view's logical pixels.

    ``paint_count`` counts the viewport's paint events.

    Signals:
        painted(QRegion): the viewport was painted; carries the region.
        resized(): the viewport changed its size.
        pressed(QPointF, modifiers), dragged(QPointF), released(QPointF): the left button.
        side_button_pressed(button): any other button.
        hovered(QPointF), left(): the mouse moved, with or without a button, or left the canvas.
        double_clicked(QPointF): with the left button.
        menu_requested(QPointF, QPoint): the context menu; carries the position and the point on the screen to open at.
        wheel_turned(QWheelEvent), key_pressed(QKeyEvent): the receiver accepts the event or leaves it to the parent.
    """

    painted = Signal(QRegion)
    resized = Signal()
    pressed = Signal(QPointF, object)
    dragged = Signal(QPointF)
    released = Signal(QPointF)
    side_button_pressed = Signal(object)
    hovered = Signal(QPointF)
    left = Signal()
    double_clicked = Signal(QPointF)
    wheel_turned = Signal(QWheelEvent)
    key_pressed = Signal(QKeyEvent)
    menu_requested = Signal(QPointF, QPoint)

    def __init__(self, scene: Scene, parent: QWidget | None = None) -> None:
        super().__init__(parent, background=scene.colours.background)
        self.setAcceptDrops(False)  # Qt's scene would take every drag, and the window none
        self.viewport().setAcceptDrops(False)
        self.paint_count = 0
        self._marked: QRegion | None = None  # dirty so far in the running frame; None outside of one
        self._chart_scene = scene
        self.setViewportUpdateMode(QGraphicsView.ViewportUpdateMode.NoViewportUpdate)
        # Each paint covers its region with the background, so Qt need not clear it first.
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.viewport().setAutoFillBackground(False)
        self.setOptimizationFlag(QGraphicsView.OptimizationFlag.DontAdjustForAntialiasing)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self._boxes: dict[str, pg.ViewBox] = {}
        self._items: tuple[SceneItem, ...] = (
            PanesItem(scene),
            ChartOverlay(scene),
            ValueAxis(scene),
            TimeAxis(scene),
        )
        for depth, item in enumerate(self._items):
            item.setZValue(2 * depth)
            self.scene().addItem(item)

    def add_item(self, item: SceneItem) -> None:
        """Add an item on top of the others."""
        item.setZValue(2 * len(self._items))
        self._items = (*self._items, item)
        self.scene().addItem(item)

    def add_item_over_panes(self, item: SceneItem) -> None:
        """Add an item above the panes, below crosshair, legend and axes."""
        self._items = (self._items[0], item, *self._items[1:])
        self.scene().addItem(item)
        for depth, each in enumerate(self._items):
            each.setZValue(2 * depth)

    @property
    def parts(self) -> Sequence[object]:
        """The chart's own items, bottom to top."""
        return self._items

    def place_items(self) -> None:
        """Apply a change of the scene's layout to the items."""
        for item in self._items:
            item.prepareGeometryChange()
        for key, box in self._boxes.items():
            if any(pane.key == key for pane in self._chart_scene.panes):
                box.setGeometry(self._chart_scene.pane(key).rect)

    def box_of(self, key: str) -> pg.ViewBox:
        """Return a pane's ViewBox with the range of the last frame. Raises KeyError for an unknown pane."""
        pane = self._chart_scene.pane(key)
        if key not in self._boxes:
            box: pg.ViewBox = _view_box()
            self._boxes[key] = box
            box.setZValue(1)  # above the panes' bars, below crosshair, legend and axes
            box.setVisible(False)
            self.scene().addItem(box)
            box.setGeometry(pane.rect)
        self._apply_range(pane)
        return self._boxes[key]

    def show_ranges(self) -> None:
        """Apply a change of the scene's ranges to the ViewBoxes in use."""
        for key, box in self._boxes.items():
            # Not box.addedItems, which lacks items added with ignoreBounds.
            pane = next((pane for pane in self._chart_scene.panes if pane.key == key), None)
            in_use = pane is not None and bool(box.childGroup.childItems())
            box.setVisible(in_use)
            if in_use and pane is not None:
                self._apply_range(pane)

    def _apply_range(self, pane: Pane) -> None:
        time_scale, value_scale = self._chart_scene.time_scale, pane.value_scale
        self._boxes[pane.key].setRange(xRange=(time_scale.left, time_scale.right), yRange=value_scale.ends, padding=0)
        self._boxes[pane.key].invertY(value_scale.inverted)

    @contextmanager
    def painting_at_once(self) -> Iterator[None]:
        """Collect the regions marked within this context and paint them as it ends, without waiting for Qt."""
        if self._marked is not None:
            yield  # nested: the outer context paints
            return
        self._marked = QRegion()
        try:
            yield
        finally:
            marked, self._marked = self._marked, None
            if not marked.isEmpty():
                self.viewport().repaint(marked)

    def repaint_all(self) -> None:
        self._mark(QRegion(self.viewport().rect()))

    def repaint_rects(self, rects: list[QRectF]) -> None:
        """Mark these rectangles as dirty, in logical pixels."""
        region = QRegion()
        for rect in rects:
            if not rect.isEmpty():
                region += rect.toAlignedRect()
        self._mark(region & QRect(0, 0, self.width(), self.height()))

    def _mark(self, region: QRegion) -> None:
        if self._marked is not None:
            self._marked += region
        elif not region.isEmpty():
            self.viewport().update(region)

    def paintEvent(self, event: QPaintEvent) -> None:
        self.paint_count += 1
        self._chart_scene.exposed = event.region()
        if any(box.isVisible() for box in self._boxes.values()):
            super().paintEvent(event)
        else:
            self._paint_items(event.region())
        self.painted.emit(event.region())

    def _paint_items(self, region: QRegion) -> None:
        """Paint the items as Qt's scene would, without its bookkeeping and its copy of the background."""
        painter = QPainter(self.viewport())
        pixels = DevicePixels(painter)
        try:
            self._paint_background(painter, pixels, region)
            for item in self._items:
                item.draw(painter, pixels)
        finally:
            painter.end()

    def _paint_background(self, painter: QPainter, pixels: DevicePixels, region: QRegion) -> None:
        """Fill the region's bounds, except the price pane where that has a ground of its own."""
        scene, grounds = self._chart_scene, [QRect()]
        ground = scene.price_ground
        if ground is not None and not scene.guard.run(
            ground, lambda: grounds.append(ground.paint_ground(painter, pixels))
        ):
            reset_painter(painter, pixels)
        beside = QRegion(pixels.rect(QRectF(region.boundingRect()))) - QRegion(grounds[-1])
        for rect in cast("Iterable[QRect]", beside):
            painter.fillRect(rect, scene.colours.background)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.resized.emit()

    # The mouse handlers do not call the base class: pyqtgraph's scene would search for the item under the mouse at each
    # move, and the chart finds its parts by their rectangles.

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.pressed.emit(event.position(), event.modifiers())
        else:
            self.side_button_pressed.emit(event.button())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self.dragged.emit(event.position())
        self.hovered.emit(event.position())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.released.emit(event.position())

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.double_clicked.emit(event.position())

    def wheelEvent(self, event: QWheelEvent) -> None:
        self.wheel_turned.emit(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self.menu_requested.emit(QPointF(event.pos()), event.globalPos())
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        event.ignore()
        self.key_pressed.emit(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        event.ignore()

    def leaveEvent(self, event: object) -> None:
        self.left.emit()


def _view_box() -> pg.ViewBox:
    box = pg.ViewBox(enableMouse=False, enableMenu=False, defaultPadding=0.0)
    box.disableAutoRange()
    return box
