"""
Painting of drawings: fills behind the candles; lines, texts and handles above them.

A few drawings are painted as they are. Many are painted once into pictures that are wider than the pane, and a pan
moves the pictures: so it costs the same for a hundred drawings and for a thousand. Where the pictures have to be made
again while the view moves, their lines are quick ones, and proper ones once the view rests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPixmap, QPolygonF

from app.market.drawings.drawing import Drawing
from app.market.series.series import CandleSeries
from widgets.chart.drawings.bell_places import BELL_PX, bell_places
from widgets.chart.drawings.drawing_set import DrawingSet, Group
from widgets.chart.drawings.figures import View
from widgets.chart.drawings.handles import HANDLE_PX, handles_of
from widgets.chart.drawings.label_layout import MarginLabels, PlacedLabel, point_labels
from widgets.chart.drawings.label_painting import paint_labels, paint_margin_labels
from widgets.chart.drawings.line_painting import LineBrush, colour_of
from widgets.chart.painting.device_pixels import DevicePixels, RectBuffer, mixed
from widgets.chart.painting.pane import VisibleBars
from widgets.chart.painting.pane_brush import PaneBrush
from widgets.chart.painting.scene import Scene
from widgets.chart.painting.scene_item import SceneItem
from widgets.theme.bell import paint_bell

_FILL = 0.13
_FEW = 12  # drawings that are painted without pictures
_MOST_STRETCH = 1.5
_SHIFT_PX = 0.02  # a part of a pixel that shows
_REACH_PX = 320.0  # of the pictures beyond the pane's sides


@dataclass(slots=True)
class _Pictures:
    """
    Fills and lines in device pixels, from ``reach`` pixels before the pane on, for the axis position ``left``.

    ``ends``: of the value scale, as `ValueScale.ends` are.

    ``is_quick``: lines are without antialiasing.
    """

    key: tuple[object, ...]
    left: float
    ends: tuple[float, float]
    reach: int
    fills: QPixmap
    lines: QPixmap
    is_quick: bool


class DrawingPainter:
    """
    Paints the drawings of a set, or their pictures. ``refine``: called when a paint was not a proper one.

    Both items of a chart share one, so that they paint the same.
    """

    def __init__(self, scene: Scene, drawings: DrawingSet, refine: Callable[[], object]) -> None:
        self._scene, self._drawings, self._refine = scene, drawings, refine
        self._buffer = RectBuffer()
        self._pictures: _Pictures | None = None
        self._fill_colours: dict[tuple[str, str], QColor] = {}
        self._is_resting = True  # the next pictures are proper ones
        self._is_shifted = False  # the last paint moved the pictures by a part of a pixel
        self._painted_left = 0.0

    def rest(self) -> bool:
        """Paint properly from now on; return whether the last paint was not."""
        pictures, self._is_resting = self._pictures, True
        was_quick = pictures is not None and (pictures.is_quick or self._is_shifted)
        if was_quick:
            self._pictures = None
        return was_quick

    def shift(self, scale: float, area: QRect) -> tuple[QRect, _Pictures] | None:
        """
        Return where the pictures go, in device pixels, and the pictures; None: there are few drawings.

        ``area``: the pane. Where the axis has fitted itself to other candles they are stretched, until the view rests.
        """
        fixed = self._drawings.groups()[:1]
        if not fixed or len(fixed[0].drawings) <= _FEW:
            self._pictures = None
            return None
        time_scale, drawings = self._scene.time_scale, self._drawings
        if time_scale.left != self._painted_left:
            self._painted_left = time_scale.left
            self._refine()
        key = (fixed[0].figures, *drawings.place_key(), self._scene.palette, self._scene.styles, scale)
        value_scale = self._scene.price.value_scale
        pictures = self._pictures
        if pictures is not None and pictures.key == key:
            by = (pictures.left - time_scale.left) * time_scale.bar_px * scale
            stretch, down = _stretched(pictures.ends, value_scale.ends, inverted=value_scale.inverted)
            if abs(by) <= pictures.reach and 1 / _MOST_STRETCH <= stretch <= _MOST_STRETCH:
                is_stretched = stretch != 1.0 or down != 0.0
                self._is_shifted = is_stretched or abs(by - round(by)) > _SHIFT_PX
                if is_stretched:
                    self._refine()
                left, height = area.left() - pictures.reach + round(by), pictures.lines.height()
                top = area.top() + round(down * height)
                return QRect(left, top, pictures.lines.width(), max(round(stretch * height), 1)), pictures
        self._is_shifted = False
        made = self._pictures = self._made(key, scale, is_quick=pictures is not None and not self._is_resting)
        self._is_resting = False
        self._refine()
        return QRect(area.left() - made.reach, area.top(), made.lines.width(), made.lines.height()), made

    def _made(self, key: tuple[object, ...], scale: float, *, is_quick: bool) -> _Pictures:
        pane, reach = self._scene.price.rect, round(_REACH_PX * scale)
        view = self._drawings.view(reach / scale)
        top, bottom = round(pane.top() * scale), round(pane.bottom() * scale)
        pixmaps = []
        for paint in (self.paint_fills, partial(self.paint_lines, is_quick=is_quick)):
            pixmap = QPixmap(round(pane.width() * scale) + 2 * reach, max(bottom - top, 1))
            pixmap.setDevicePixelRatio(scale)
            pixmap.fill(Qt.GlobalColor.transparent)
            painter = QPainter(pixmap)
            painter.translate(reach / scale, -top / scale)
            pixels = DevicePixels(painter)
            paint(painter, pixels, view, self._drawings.groups()[:1])
            painter.end()
            pixmap.setDevicePixelRatio(1.0)  # from now on it is moved in device pixels
            pixmaps.append(pixmap)
        return _Pictures(
            key,
            self._scene.time_scale.left,
            self._scene.price.value_scale.ends,
            reach,
            pixmaps[0],
            pixmaps[1],
            is_quick,
        )

    def paint_fills(self, painter: QPainter, pixels: DevicePixels, view: View, groups: Sequence[Group]) -> None:
        """Paint the areas of drawings. The painter is in device pixels."""
        scene = self._scene
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.save()
        pixels.logical()
        for group in groups:
            for name, outline in group.figures.areas(view):
                key = name, scene.palette.background
                if key not in self._fill_colours:
                    self._fill_colours[key] = mixed(scene.palette.background, colour_of(scene.palette, name), _FILL)
                painter.setBrush(self._fill_colours[key])
                painter.drawPolygon(QPolygonF([QPointF(x, y) for x, y in outline]))
        painter.restore()

    def paint_lines(
        self, painter: QPainter, pixels: DevicePixels, view: View, groups: Sequence[Group], *, is_quick: bool = False
    ) -> None:
        """Paint lines and the texts that move with the candles. The painter is in device pixels before and after."""
        scene = self._scene
        region = None if view.reach else scene.exposed & scene.price.rect.toAlignedRect()
        brush = LineBrush(painter, pixels, self._buffer, scene.palette, region, is_quick)
        for group in groups:
            if group.drawings:
                brush.paint(group.figures.project(view), group.figures.looks)
        pixels.logical()
        paint_labels(painter, pixels, scene, point_labels(scene, groups, view))
        pixels.device()


def _stretched(before: tuple[float, float], now: tuple[float, float], *, inverted: bool) -> tuple[float, float]:
    """Return by how much values are higher now than on an axis of other ends, and how far down, as shares of it."""
    span = now[1] - now[0]
    down = (before[0] - now[0] if inverted else now[1] - before[1]) / span
    return (before[1] - before[0]) / span, down


class DrawingFills:
    """The layer of the price pane that paints the fills of drawings, behind the grid and the candles."""

    title = "the drawings' areas"

    def __init__(self, drawings: DrawingSet, painter: DrawingPainter) -> None:
        self._drawings, self._painter = drawings, painter

    def update(self, series: CandleSeries, visible: VisibleBars, height_px: float) -> None:
        """Nothing to do: drawings do not depend on the candles in view."""

    def extent(self) -> tuple[float, float] | None:
        """Return None: the axis does not follow drawings."""
        return None

    def paint_behind(self, brush: PaneBrush) -> None:
        shifted = self._painter.shift(brush.scale, brush.area)
        if shifted is not None:
            place, pictures = shifted
            brush.picture(place, pictures.fills)
        groups = self._drawings.groups()[0 if shifted is None else 1 :]
        if any(group.drawings for group in groups):
            brush.paint_by(partial(self._painter.paint_fills, view=self._drawings.view(), groups=groups))

    def paint(self, brush: PaneBrush) -> None:
        """Paint nothing: lines are `DrawingsItem`'s, which paints above all layers."""


class DrawingsItem(SceneItem):
    """Lines, texts and handles of the drawings, over the price pane."""

    title = "the drawings"

    def __init__(self, scene: Scene, drawings: DrawingSet, painter: DrawingPainter) -> None:
        super().__init__(scene)
        self._drawings, self._painter = drawings, painter
        self._labels_key: tuple[object, ...] = ()
        self._labels: list[PlacedLabel] = []
        self._margin = MarginLabels()
        self._margin_picture: tuple[list[PlacedLabel], tuple[object, ...], QPixmap] | None = None

    def boundingRect(self) -> QRectF:
        return self._scene.price.rect

    def labels(self) -> list[PlacedLabel]:
        """Return all labels in view, bottom to top."""
        drawings, scene = self._drawings, self._scene
        groups = drawings.groups()
        figures = tuple(group.figures for group in groups)
        key = figures, drawings.view_key(), drawings.chosen, scene.styles
        if key != self._labels_key:
            view = drawings.view()
            self._labels = point_labels(scene, groups, view)
            self._labels += self._margin.labels(scene, groups, view, drawings.chosen)
            self._labels_key = key
        return self._labels

    def _draw(self, painter: QPainter, pixels: DevicePixels) -> None:
        scene, drawings = self._scene, self._drawings
        pane, groups = scene.price.rect, drawings.groups()
        if not any(group.drawings for group in groups) or not scene.is_exposed(pane):
            return
        area, view = pixels.rect(pane), drawings.view()
        painter.setClipRect(area)
        shifted = self._painter.shift(pixels.scale, area)
        if shifted is not None:
            place, pictures = shifted
            painter.drawPixmap(place, pictures.lines)
        beside = groups[0 if shifted is None else 1 :]
        if any(group.drawings for group in beside):
            self._painter.paint_lines(painter, pixels, view, beside)
        self._paint_margin(painter, pixels, self._margin.labels(scene, groups, view, drawings.chosen))
        pixels.logical()
        self._paint_bells(painter)
        chosen = drawings.chosen_drawing
        if chosen is not None and not chosen.locked and (not chosen.hidden or drawings.preview is not None):
            self._paint_handles(painter, chosen)
        pixels.device()

    def _paint_margin(self, painter: QPainter, pixels: DevicePixels, labels: list[PlacedLabel]) -> None:
        scene, pane = self._scene, self._scene.price.rect
        if len(labels) <= _FEW or scene.day_bands:  # shaded days move below the labels
            pixels.logical()
            paint_margin_labels(painter, pixels, scene, [one for one in labels if scene.is_exposed(one.rect)])
            pixels.device()
            return
        area, left = pixels.rect(pane), min(one.rect.left() for one in labels) - _FEW
        key = scene.palette, pixels.scale
        made = self._margin_picture
        if made is None or made[0] is not labels or made[1] != key:
            pixmap = QPixmap(pixels.x(pane.right()) - pixels.x(left), max(area.height(), 1))
            pixmap.setDevicePixelRatio(pixels.scale)
            pixmap.fill(Qt.GlobalColor.transparent)
            on_picture = QPainter(pixmap)
            on_picture.translate(-pixels.x(left) / pixels.scale, -area.top() / pixels.scale)
            inner = DevicePixels(on_picture)
            inner.logical()
            paint_margin_labels(on_picture, inner, scene, labels)
            on_picture.end()
            pixmap.setDevicePixelRatio(1.0)
            made = self._margin_picture = labels, key, pixmap
        painter.drawPixmap(pixels.x(left), area.top(), made[2])

    def _paint_bells(self, painter: QPainter) -> None:
        watched = self._drawings.watched()
        if watched is None:
            return
        colours = self._scene.colours
        size = BELL_PX * self._scene.styles.scale
        for point in bell_places(watched, self._drawings.view(), size):
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(colours.accent, 1.0))
            painter.setBrush(colours.background)
            painter.drawEllipse(point, size, size)
            paint_bell(painter, point, size, colours.accent)

    def _paint_handles(self, painter: QPainter, drawing: Drawing) -> None:
        series = self._drawings.series
        if series is None:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self._scene.colours.accent, 1.5))
        accent, background = self._scene.colours.accent, self._scene.colours.background
        for handle in handles_of(self._scene, series.interval, drawing, self._drawings.shape(drawing)):
            painter.setBrush(accent if handle.anchor == self._drawings.held else background)
            painter.drawEllipse(handle.point, HANDLE_PX, HANDLE_PX)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
