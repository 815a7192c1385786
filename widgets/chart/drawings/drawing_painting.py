"""
Painting of drawings: fills behind the candles; lines, texts and handles above them.

A few drawings are painted as they are. Many are painted once into pictures that are wider than the pane, and a pan
moves the pictures: so it costs the same for a hundred drawings and for a thousand. Where the pictures have to be made
again while the view moves, their lines are quick ones, and proper ones once the view rests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPixmap, QPolygonF

from app.market.drawings.drawing import Drawing
from app.market.series.series import CandleSeries
from widgets.chart.drawings.bell_places import BELL_PX, bell_places
from widgets.chart.drawings.drawing_set import DrawingSet, Group
from widgets.chart.drawings.figures import View
from widgets.chart.drawings.handles import HANDLE_PX, handles_of
from widgets.chart.drawings.label_layout import MarginLabels, PlacedLabel, placed_in_margin, point_labels
from widgets.chart.drawings.label_painting import MarginPictures, paint_labels
from widgets.chart.drawings.line_painting import LineBrush, colour_of
from widgets.chart.drawings.pictures import PictureKey, Pictures, Shift, bands_of, stretched
from widgets.chart.painting.device_pixels import DevicePixels, RectBuffer, mixed
from widgets.chart.painting.layers import PriceBars, Volume
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


class DrawingPainter:
    """
    Paints the drawings of a set, or their pictures. ``refine``: called when a paint was not a proper one.

    Both items of a chart share one, so that they paint the same.
    """

    def __init__(self, scene: Scene, drawings: DrawingSet, refine: Callable[[], object]) -> None:
        self._scene, self._drawings, self._refine = scene, drawings, refine
        self._buffer = RectBuffer()
        self._pictures: Pictures | None = None
        self._fill_colours: dict[tuple[str, str], QColor] = {}
        self._is_resting = True  # the next pictures are proper ones
        self._is_shifted = False  # the last paint moved the pictures by a part of a pixel
        self._shift: tuple[tuple[object, ...], Shift] | None = None  # both items of a frame ask for it
        self._painted_left = 0.0

    def rest(self) -> bool:
        """Paint properly from now on; return whether the last paint was not."""
        pictures, self._is_resting = self._pictures, True
        was_quick = pictures is not None and (pictures.is_quick or self._is_shifted)
        if was_quick:
            self._pictures = None
        return was_quick

    def forget(self) -> None:
        """Paint properly at the next paint, wherever the view is by then."""
        self._pictures, self._is_resting = None, True

    def shift(self, scale: float, area: QRect) -> Shift | None:
        """
        Return the pictures and where they go, in device pixels; None: there are few drawings.

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
        key = PictureKey(fixed[0].figures, drawings.place_key(), self._scene.palette, self._scene.styles, scale)
        value_scale = self._scene.price.value_scale
        pictures = self._pictures
        if pictures is not None and pictures.key == key:
            place = pictures, time_scale.left, value_scale.ends, area
            if self._shift is not None and self._shift[0] == place:
                return self._shift[1]
            by = (pictures.left - time_scale.left) * time_scale.bar_px * scale
            stretch, down = stretched(pictures.ends, value_scale.ends, inverted=value_scale.inverted)
            if abs(by) <= pictures.reach and 1 / _MOST_STRETCH <= stretch <= _MOST_STRETCH:
                is_stretched = stretch != 1.0 or down != 0.0
                self._is_shifted = is_stretched or abs(by - round(by)) > _SHIFT_PX
                if is_stretched:
                    self._refine()
                bands = bands_of(pictures.lines.height(), stretch, down)
                self._shift = place, Shift(pictures, pictures.reach - round(by), bands, area)
                return self._shift[1]
        self._is_shifted = False
        # The next frame of a zoom needs other pictures, so they are made no wider than the pane.
        is_zoom = pictures is not None and pictures.is_same_but_for_place(key)
        is_quick = is_zoom or (pictures is not None and not self._is_resting)
        made = self._pictures = self._made(key, scale, 0.0 if is_zoom else _REACH_PX, is_quick=is_quick)
        self._is_resting = False
        self._refine()
        return Shift(made, made.reach, bands_of(made.lines.height(), 1.0, 0.0), area)

    def _made(self, key: PictureKey, scale: float, reach_px: float, *, is_quick: bool) -> Pictures:
        pane, reach = self._scene.price.rect, round(reach_px * scale)
        view = self._drawings.view(reach / scale)
        top, bottom = round(pane.top() * scale), round(pane.bottom() * scale)
        groups = self._drawings.groups()[:1]

        def painted(paint: Callable[[QPainter, DevicePixels, View, Sequence[Group]], object]) -> QPixmap:
            pixmap = QPixmap(round(pane.width() * scale) + 2 * reach, max(bottom - top, 1))
            pixmap.setDevicePixelRatio(scale)
            pixmap.fill(Qt.GlobalColor.transparent)
            painter = QPainter(pixmap)
            painter.translate(reach / scale, -top / scale)
            paint(painter, DevicePixels(painter), view, groups)
            painter.end()
            pixmap.setDevicePixelRatio(1.0)  # from now on it is moved in device pixels
            return pixmap

        has_fills = any(shape.fills for group in groups for shape in group.shapes)
        return Pictures(
            key,
            self._scene.time_scale.left,
            self._scene.price.value_scale.ends,
            reach,
            painted(self.paint_fills) if has_fills else None,
            painted(partial(self.paint_lines, is_picture=True, is_quick=is_quick)),
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
        self,
        painter: QPainter,
        pixels: DevicePixels,
        view: View,
        groups: Sequence[Group],
        *,
        is_picture: bool = False,
        is_quick: bool = False,
    ) -> None:
        """Paint lines and the texts that move with the candles. The painter is in device pixels before and after."""
        scene = self._scene
        region = None if is_picture else scene.exposed & scene.price.rect.toAlignedRect()
        brush = LineBrush(painter, pixels, self._buffer, scene.palette, region, is_quick)
        for group in groups:
            if group.drawings:
                brush.paint(group.figures.project(view), group.figures.looks)
        pixels.logical()
        paint_labels(painter, pixels, scene, point_labels(scene, groups, view))
        pixels.device()


class DrawingFills:
    """
    The layer of the price pane that paints the fills of drawings, behind the grid and the candles.

    It may also paint the pane's background along with the fills, see `PaneGround`, and has no fills to paint then.
    """

    title = "the drawings' areas"

    def __init__(self, scene: Scene, drawings: DrawingSet, painter: DrawingPainter) -> None:
        self._scene, self._drawings, self._painter = scene, drawings, painter
        self._has_ground = False  # painted, and nothing above it yet

    def paint_ground(self, painter: QPainter, pixels: DevicePixels) -> QRect:
        """Paint background and fills with one copy, unless something lies between the two; return where."""
        scene, self._has_ground = self._scene, False
        layers = scene.price.layers
        if self not in layers:
            return QRect()
        is_lowest = all(isinstance(layer, PriceBars | Volume) for layer in layers[: layers.index(self)])
        if scene.day_bands or scene.measure is not None or not is_lowest or not len(scene.bars.slot):
            return QRect()
        area = pixels.rect(scene.price.rect)
        shifted = self._painter.shift(pixels.scale, area) if scene.is_exposed(scene.price.rect) else None
        rect = shifted.rect if shifted is not None else QRect()
        if shifted is None or rect.isEmpty():
            return QRect()
        ground = shifted.pictures.ground_on(scene.colours.background)
        if ground is None:
            return QRect()
        shifted.paint(painter, ground)
        self._has_ground = True
        return rect

    def update(self, series: CandleSeries, visible: VisibleBars, height_px: float) -> None:
        """Nothing to do: drawings do not depend on the candles in view."""

    def extent(self) -> tuple[float, float] | None:
        """Return None: the axis does not follow drawings."""
        return None

    def paint_behind(self, brush: PaneBrush) -> None:
        shifted = self._painter.shift(brush.scale, brush.area)
        has_ground, self._has_ground = self._has_ground, False
        if shifted is not None and not has_ground:
            brush.paint_by(lambda painter, _: shifted.paint(painter, shifted.pictures.fills))
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
        self._margin_pictures = MarginPictures()

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
            self._labels += placed_in_margin(scene, self._margin.rows(scene, groups, view, drawings.chosen), view)
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
            shifted.paint(painter, shifted.pictures.lines)
        beside = groups[0 if shifted is None else 1 :]
        if any(group.drawings for group in beside):
            self._painter.paint_lines(painter, pixels, view, beside)
        margin = self._margin.rows(scene, groups, view, drawings.chosen)
        self._margin_pictures.paint(painter, pixels, scene, margin, view)
        pixels.logical()
        self._paint_bells(painter)
        chosen = drawings.chosen_drawing
        if chosen is not None and not chosen.locked and (not chosen.hidden or drawings.preview is not None):
            self._paint_handles(painter, chosen)
        pixels.device()

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
