"""
The view that holds the chart's items, and repaints what it is told to.

Two ViewBoxes, one a pane, carry the ranges (x: slots; y: price, volume), so that any pyqtgraph item can be added to
them; both are set explicitly and never range themselves. While nothing was added to one, it is not painted, and brought
up to date only when asked for: that alone is a third of a frame. The chart's own items stand beside them in the view's
logical pixels. Nothing repaints by itself (NoViewportUpdate): the frame timer says what is dirty, once per frame.
"""

from __future__ import annotations

import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRect, QRectF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPaintEvent, QRegion, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QFrame, QGraphicsView, QWidget

from widgets.chart.axes import PriceAxis, TimeAxis
from widgets.chart.bars import CandlePane, VolumePane
from widgets.chart.overlay import Overlay
from widgets.chart.scene import Scene


class ChartCanvas(pg.GraphicsView):  # type: ignore[misc]
    """
    Paints a `Scene`. Events go out as signals, positions in logical pixels of the view.

    ``paint_count`` counts the paints of the viewport.

    Signals:
        painted(QRegion): that part of the viewport was painted.
        resized(): the viewport has another size.
        pressed(QPointF, buttons), dragged(QPointF), released(), hovered(QPointF), left(): the mouse.
        double_clicked(QPointF): with the left button.
        wheel_turned(QWheelEvent), key_pressed(QKeyEvent): accepted by the receiver, or passed on.
    """

    painted = Signal(QRegion)
    resized = Signal()
    pressed = Signal(QPointF)
    dragged = Signal(QPointF)
    released = Signal()
    hovered = Signal(QPointF)
    left = Signal()
    double_clicked = Signal(QPointF)
    wheel_turned = Signal(QWheelEvent)
    key_pressed = Signal(QKeyEvent)

    def __init__(self, scene: Scene, parent: QWidget | None = None) -> None:
        super().__init__(parent, background=scene.colours.background)
        self.paint_count = 0
        self._drawn = scene
        self.setViewportUpdateMode(QGraphicsView.ViewportUpdateMode.NoViewportUpdate)
        self.setOptimizationFlag(QGraphicsView.OptimizationFlag.DontAdjustForAntialiasing)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self._price_box, self._volume_box = _view_box(), _view_box()
        self._ranges_stale = True
        bars, above = (CandlePane(scene), VolumePane(scene)), (Overlay(scene), PriceAxis(scene), TimeAxis(scene))
        self._items = (*bars, *above)
        for depth, item in enumerate((*bars, self._price_box, self._volume_box, *above)):
            item.setZValue(depth)
            self.scene().addItem(item)

    def place_items(self) -> None:
        """Follow a change of the scene's layout."""
        layout = self._drawn.layout
        for item in self._items:
            item.prepareGeometryChange()
        self._price_box.setGeometry(layout.price)
        self._volume_box.setGeometry(layout.volume)

    @property
    def price_box(self) -> pg.ViewBox:
        """The upper pane's ViewBox, with the ranges of the last frame."""
        self._bring_ranges()
        return self._price_box

    @property
    def volume_box(self) -> pg.ViewBox:
        """The lower pane's ViewBox, with the ranges of the last frame."""
        self._bring_ranges()
        return self._volume_box

    def show_ranges(self) -> None:
        """Take note that the scene's ranges have changed."""
        self._ranges_stale = True
        for box in (self._price_box, self._volume_box):
            # Not addedItems: those leave out what was added with ignoreBounds.
            in_use = bool(box.childGroup.childItems())
            box.setVisible(in_use)
            if in_use:
                self._bring_ranges()

    def _bring_ranges(self) -> None:
        if not self._ranges_stale:
            return
        self._ranges_stale = False
        scene = self._drawn
        x_range = scene.time.left, scene.time.right
        self._price_box.setRange(xRange=x_range, yRange=(scene.price.low, scene.price.high), padding=0)
        self._volume_box.setRange(xRange=x_range, yRange=(0.0, scene.volume_high), padding=0)

    def repaint_all(self) -> None:
        self.viewport().update()

    def repaint_rects(self, rects: list[QRectF]) -> None:
        """Schedule a repaint of these parts, logical pixels."""
        region = QRegion()
        for rect in rects:
            if not rect.isEmpty():
                region += rect.toAlignedRect()
        region &= QRect(0, 0, self.width(), self.height())
        if not region.isEmpty():
            self.viewport().update(region)

    def paintEvent(self, event: QPaintEvent) -> None:
        self.paint_count += 1
        self._drawn.exposed = event.region()
        super().paintEvent(event)
        self.painted.emit(event.region())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.resized.emit()

    # pyqtgraph's scene looks for the item under the mouse at each move; the chart knows its parts without.

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.pressed.emit(event.position())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self.dragged.emit(event.position())
        self.hovered.emit(event.position())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.released.emit()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.double_clicked.emit(event.position())

    def wheelEvent(self, event: QWheelEvent) -> None:
        self.wheel_turned.emit(event)

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
